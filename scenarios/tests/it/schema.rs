//! Editors judge by the schema and `run` by the parser: both say the same of every file that is
//! wrong, or right, in its form. What only the parser can know, such as names, is not asked here.

use jsonschema::Validator;
use serde_json::Value;
use trialogue_scenarios::file::{flow, profile_schema, read, read_profile};
use trialogue_scenarios::source::Source;
use trialogue_scenarios::yaml::parse;

fn schema(text: &str) -> Validator {
    let schema: Value = serde_json::from_str(text).expect("the schema is JSON");
    jsonschema::validator_for(&schema).expect("the schema is one")
}

fn document(text: &str) -> Value {
    let root = parse(&Source::new("t.scn.yaml", text)).unwrap_or_else(|wrong| panic!("{wrong}"));
    flow::json(&root)
}

/// Files over which the two verdicts differ, each with the parser's.
fn different(texts: impl IntoIterator<Item = String>) -> String {
    let schema = schema(trialogue_scenarios::SCHEMA);
    let mut all = String::new();
    for text in texts {
        let parsed = read(&Source::new("t.scn.yaml", text.as_str()));
        if parsed.is_ok() != schema.is_valid(&document(&text)) {
            let words = parsed.err().map_or_else(|| "fine".to_owned(), |wrong| wrong.to_string());
            all += &format!("{text}the parser says: {words}\n\n");
        }
    }
    all
}

const ACTORS: &str = "actors: { a: { role: customer }, b: { role: lsm } }\n";

#[test]
fn the_bundled_files_are_right_by_the_schemas_too() {
    let scenarios = schema(trialogue_scenarios::SCHEMA);
    for name in trialogue_scenarios::bundled_names() {
        let source = trialogue_scenarios::bundled(name).unwrap();
        let found: Vec<String> = scenarios
            .iter_errors(&document(source.text()))
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(found.is_empty(), "{name}: {found:?}");
    }
    let fragments = schema(&trialogue_scenarios::fragment_schema());
    for path in trialogue_scenarios::bundled_fragments() {
        let text = trialogue_scenarios::bundled_fragment(path).unwrap();
        assert!(fragments.is_valid(&document(text)), "{path}");
        assert!(!fragments.is_valid(&document(&text.replace("steps:", "stpes:"))), "{path}");
    }
}

#[test]
fn schema_and_parser_agree_about_steps() {
    let steps = STEPS.lines().filter(|line| !line.is_empty());
    let files = steps.map(|step| format!("scenario: 1\nname: t\n{ACTORS}steps:\n  - {step}\n"));
    assert_eq!(different(files), "");
}

#[test]
fn schema_and_parser_agree_about_everything_else() {
    let heads = HEADS.lines().filter(|line| !line.is_empty()).map(|line| {
        let actors = if line.starts_with("actors") { "" } else { ACTORS };
        format!("scenario: 1\nname: t\n{actors}steps: [{{ wait: 1s }}]\n{line}\n")
    });
    let lacking = [
        format!("scenario: 2\nname: t\n{ACTORS}steps: [{{ wait: 1s }}]\n"),
        format!("name: t\n{ACTORS}steps: [{{ wait: 1s }}]\n"),
        format!("scenario: 1\n{ACTORS}steps: [{{ wait: 1s }}]\n"),
        format!("scenario: 1\nname: t\n{ACTORS}"),
        "scenario: 1\nname: t\nsteps: [{ wait: 1s }]\n".to_owned(),
    ];
    assert_eq!(different(heads.chain(lacking)), "");
}

#[test]
fn schema_and_parser_agree_about_targets() {
    let schema = jsonschema::validator_for(&profile_schema()).expect("the schema is one");
    let head = "target: 1\nurl: http://127.0.0.1:1\n";
    let more = TARGETS.lines().map(|line| format!("{head}{line}\n"));
    let whole =
        ["target: 2\nurl: http://a\n", "target: 1\n", "url: http://a\n", "target: 1\nurl: a\n"];
    let whole = whole.iter().map(|text| (*text).to_owned());
    let mut both = [0, 0];
    for text in more.chain(whole) {
        let parsed = read_profile(&Source::new("t.yaml", text.as_str()), |_| None);
        let words = parsed.as_ref().err().map(ToString::to_string).unwrap_or_default();
        assert_eq!(schema.is_valid(&document(&text)), parsed.is_ok(), "{text}{words}");
        both[usize::from(parsed.is_ok())] += 1;
    }
    assert!(both[0] > 8 && both[1] > 6, "{both:?}");
}

/// What else a profile may say, right and wrong.
const TARGETS: &str = "\
dialect: stm
dialect: trialogue
dialect: other
description: a server
description: 5
i_own_this: true
i_own_this: maybe
plain_http: false
plain_https: false
capabilities: { presence: false, acks: true }
capabilities: {}
capabilities: { presnce: false }
capabilities: { presence: 1 }
capabilities: [presence]
accounts: { lsm: { user: a, password: b } }
accounts: {}
accounts: { lsm: { user: a } }
accounts: { lsm: { user: a, password: b, role: lsm } }
accounts: { lsm: { user: a, password: 5 } }
accounts: { lsm: a }
verbs: {}";

/// Steps, right and wrong.
const STEPS: &str = r#"
{ as: a, login: true }
{ as: a, login: false }
{ as: a, login: yes }
{ as: [a, b], connect: true, within: 5s }
{ as: [], connect: true }
{ as: a, connect: true, within: 5 }
{ as: a, connect: true, within: 5sec }
{ as: a, disconnect: true, note: away }
{ as: a, get: /x }
{ as: a, get: { path: /x, query: { q: 1 }, json: [1] } }
{ as: a, get: { json: 1 } }
{ as: a, post: { path: /x, header: {} } }
{ as: a, put: 7 }
{ as: a, get: { path: /x, headers: { X-Mine: "1", Cookie: a=b } } }
{ as: a, get: { path: /x, headers: { "no name": x } } }
{ as: a, get: { path: /x, headers: { X: [1] } } }
{ as: a, get: { path: /x, headers: x } }
{ as: a, exec: "echo ${HOME}", env: { CHAT: "x", N: 1 }, within: 2s, expect: { json: { code: 1 } } }
{ as: a, exec: { run: x } }
{ as: a, exec: x, env: { a-b: x } }
{ as: a, exec: x, env: { A: ~ } }
{ as: a, do: book, with: { provider: b } }
{ as: a, do: bok }
{ as: a, emit: x, data: [1, 2] }
{ as: a, emit: x, ack: false }
{ as: a, emit: x, ack: maybe }
{ as: a, receive: x, where: { a: 1 }, count: 1 }
{ as: a, receive: x, count: { min: 1, max: 2 } }
{ as: a, receive: x, count: { least: 1 } }
{ as: a, receive: x, count: -1 }
{ as: a, receive: x, count: 1.5 }
{ as: a, never: x, during: 500ms }
{ as: a, never: x, during: 500 }
{ as: a, join: x }
{ as: a, leave: x }
{ as: a, send: { chat: x, text: y } }
{ as: a, send: { chat: x } }
{ as: a, send: { chat: x, text: y, to: b } }
{ as: a, send: x }
{ as: a, history: x, expect: { status: 200, json: {} } }
{ as: a, history: x, expect: { status: 99 } }
{ as: a, history: x, expect: { status: "200" } }
{ as: a, history: x, expect: { body: {} } }
{ as: a, history: x, save: { y: $.a } }
{ as: a, history: x, save: { y: 7 } }
{ as: a, state: connected }
{ as: a, state: login-needed }
{ as: a, state: conected }
{ as: a, state: { is: reconnecting, failed_attempts: { min: 2 } } }
{ as: a, state: { failed_attempts: 2 } }
{ as: a, reconnected: true }
{ as: a, reconnected: { failed_attempts: 2, within: 5s, rejoined: [x] } }
{ as: a, reconnected: { rejoined: x } }
{ server: kill }
{ server: kil }
{ database: stop }
{ database: pause }
{ as: a, token: expire }
{ as: a, token: lose }
{ as: a, network: clear }
{ as: a, network: calm }
{ as: a, network: { cut: half-open, latency: 1ms, jitter: 1ms, bandwidth: 1KB/s, slice: 3B, refuse: 2, for: 1s } }
{ as: a, network: { cut: half } }
{ as: a, network: { slice: 3 } }
{ as: a, network: { bandwidth: 3KB } }
{ as: a, network: { refuse: true } }
{ as: a, network: { refuse: false } }
{ as: a, network: { refuse: 1001 } }
{ as: a, network: { lag: 1ms } }
{ as: a, network: {} }
{ as: a, network: { for: 1s } }
{ as: a, network: { cut: fin, for: 0s } }
{ as: a, network: { latency: 0ms } }
{ as: a, network: { refuse: 0 } }
{ wait: 0s }
{ wait: 0.0s }
{ wait: 0.5s }
{ wait: 10ms }
{ as: a, never: x, during: 0ms }
{ as: a, login: true, within: 0s }
{ as: a, emit: "" }
{ as: a, emit: 5 }
{ as: a, receive: " " }
{ as: a, never: "" }
{ as: a, join: "" }
{ as: a, history: "" }
{ as: a, get: "" }
{ as: a, get: { path: "" } }
{ as: a, exec: "" }
{ as: a, send: { chat: "", text: x } }
{ as: a, send: { chat: x, text: "" } }
{ act: "" }
{ as: a, join: x, expect: {} }
{ as: a, receive: x, count: {} }
{ repeat: 0, steps: [{ wait: 1s }] }
{ repeat: 2, steps: [] }
{ parallel: [] }
{ parallel: [[]] }
{ wait: 1s }
{ wait: 1 }
{ act: TITLE, lanes: [a, server, database] }
{ act: TITLE, lanes: a }
{ repeat: 2, steps: [{ wait: 1ms }] }
{ repeat: 10001, steps: [{ wait: 1s }] }
{ repeat: two, steps: [{ wait: 1s }] }
{ parallel: [[{ wait: 1ms }, { barrier: x }], [{ barrier: x }]] }
{ parallel: [{ wait: 1ms }] }
{ parallel: {} }
{ use: fragments/booked-chat.yaml, with: { customer: a, provider: b } }
{ use: 7 }
{ as: a, join: x, leave: x }
{ as: a }
{ id: Big, wait: 1s }
{ id: small_1, wait: 1s }
{ as: a, recieve: x }
7
"#;

/// Fields of the file, right and wrong.
const HEADS: &str = r#"
description: words
description: 7
tags: [x, y]
tags: x
tags: [1]
target: local
timeout: 30s
timeout: 30
timeout: 0s
seed: 7
seed: -7
seed: x
vars: { a: 1 }
vars: [a]
defaults: { within: 5s, transport: polling+upgrade, reconnect: { delay: 200ms, max: 1s } }
defaults: { transport: udp }
defaults: { witin: 5s }
defaults: { reconnect: { cap: 1s } }
defaults: { reconnect: { delay: 1s, min: 100ms, max: 2s, jitter: 0.5, attempts: 3 } }
defaults: { reconnect: { jitter: 2 } }
defaults: { reconnect: { jitter: half } }
defaults: { reconnect: { attempts: 0 } }
secrets: [PIN, code]
secrets: PIN
check: { no_unexpected_events: true }
check: { no_unexpected_events: { except: [presence] } }
check: { no_unexpected_events: { but: [presence] } }
check: { no_unexpected_events: [presence] }
always: []
always: {}
order: []
order: a < b
check: { delivery: exactly-once, room_order: true }
check: { delivery: once }
check: { room_order: 1 }
check: { room_ordr: true }
actors: {}
actors: { a: { role: customer, count: 50, outbox: true } }
actors: { a: { role: customer, count: 0 } }
actors: { a: { role: cook } }
actors: { a: { user: x, password: y } }
actors: { a: { role: lsm, user: x } }
actors: { a: { role: lsm }, b: { device_of: a } }
actors: { a: { role: lsm }, b: { device_of: a, user: x, password: y } }
actors: { a: { role: lsm, colour: red } }
actors: { A: { role: lsm } }
extra: 1
"#;
