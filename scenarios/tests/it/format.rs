//! Files in, mistakes out: each with its place, all at once, and no second-hand noise.

use trialogue_scenarios::file::{read, read_with};
use trialogue_scenarios::source::Source;

/// A file whose steps are `steps`, two blanks deep.
fn with_steps(steps: &str) -> String {
    let head = "scenario: 1\nname: t\nactors:\n  customer: { role: customer }\n  \
                provider: { role: provider }\nsteps:\n";
    format!("{head}{}", steps.lines().map(|line| format!("  {line}\n")).collect::<String>())
}

fn mistakes(text: &str) -> String {
    match read(&Source::new("t.scn.yaml", text)) {
        Ok(_) => "nothing is wrong\n".to_owned(),
        Err(wrong) => format!("{wrong}\n"),
    }
}

#[test]
fn the_bundled_demo_is_read() {
    let scenario = trialogue_scenarios::bundled("demo").unwrap();
    let scenario = read(&scenario).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(scenario.name, "demo");
    assert_eq!(scenario.actors.len(), 4);
    assert!(scenario.steps.len() > 30);
    assert_eq!(scenario.order.len(), 5);
}

#[test]
fn a_typo_in_a_verb_is_one_mistake() {
    insta::assert_snapshot!(mistakes(&with_steps("- { as: customer, recieve: new_message }")), @"
    t.scn.yaml:7:21: error: unknown field `recieve` in a step; did you mean `receive`?
        7 |   - { as: customer, recieve: new_message }
          |                     ^^^^^^^
    ");
}

#[test]
fn every_mistake_of_a_step_is_reported_at_once() {
    let steps = r#"- { as: custmer, login: yes }
- { as: customer, send: { chat: x }, within: 5, id: Hello }
- { as: customer, join: x, emit: y }
- { as: customer, note: only words }
- { join: x }
- { as: provider, wait: 2s }
- { as: [provider, provider], join: x, count: 2 }
- { as: customer, history: x, expect: { status: 99, jsn: {} } }
- { id: m, as: customer, join: x }
- { id: m, as: customer, join: x }
- { delivered: { message: m, to: provider } }
- { delivered: { message: n, to: provider, via: alive } }
- { as: customer, get: { path: /x, jsom: 1 } }
- { as: customer, join: x, save: { a: user.id } }
- { repeat: 99999, steps: [{ wait: 1s }] }
- { server: kil }
- { as: customer, state: { is: connected, failed_attempts: { min: 3, max: 2 } } }
- { act: "X", lanes: [customer, sever] }
- { as: customer, join: x, join: y }
- 7"#;
    insta::assert_snapshot!(mistakes(&with_steps(steps)));
}

#[test]
fn every_mistake_of_the_head_is_reported_at_once() {
    let text = r#"scenario: 2
nme: t
timeout: 5
seed: -1
defaults: { within: 2h, transport: udp, reconnect: { delay: 1s, cap: 2s } }
actors:
  Customer: { role: custommer }
  self: { role: lsm, user: a@b.test }
  bob: { rol: customer }
steps: {}
order: [a < b, "a", 7]
check: { delivery: once, room_ordr: true, room_order: 1 }
"#;
    insta::assert_snapshot!(mistakes(text));
}

#[test]
fn an_order_names_steps_and_actors_that_exist() {
    let text = with_steps("- { id: m1, as: customer, send: { chat: x, text: y } }")
        + "order: [m1.sent < m1@provider, m1 < m2, m1@lsm < m1, m1.sved < m1]\n";
    insta::assert_snapshot!(mistakes(&text));
}

#[test]
fn a_file_that_is_something_else_is_said_to_be() {
    insta::assert_snapshot!(
        ["", "[]", "hello", "a: &x 1", "a: 1\n---\nb: 2", "a: [", "a: !!str x"]
            .map(mistakes)
            .join("\n")
    );
}

#[test]
fn a_fragment_is_read_with_the_actors_and_values_of_its_use() {
    let text = with_steps(
        "- { use: fragments/booked-chat.yaml, with: { customer: customer, provider: provider } }
- use: fragments/booked-chat.yaml
  with: { customer: customer, provider: provider, title: Paint it, as: other }
- { as: customer, join: \"${chat}\" }
- { as: customer, join: \"${other.chat}\" }",
    );
    insta::assert_snapshot!(mistakes(&text), @"nothing is wrong");
}

#[test]
fn every_mistake_around_a_fragment_has_its_place() {
    let wrong = "fragment: 2
actors: [customer]
args: { title: ~, colour: red }
stpes: []
steps:
  - { as: customer, login: true }
  - { as: provider, login: true }
  - { as: customer, join: \"${chat}\" }
  - { as: customer, join: \"${colour}\", within: 5 }
";
    let load = |path: &str| match path {
        "f.yaml" => Ok(wrong.to_owned()),
        "loop.yaml" => Ok("fragment: 1\nsteps: [{ use: loop.yaml }]\n".to_owned()),
        "odd.yaml" => Ok("fragment: [".to_owned()),
        _ => Err(format!("there is no fragment `{path}` here")),
    };
    let text = with_steps(
        "- { use: f.yaml, with: { customer: custmer, color: blue } }
- { use: g.yaml }
- { use: odd.yaml }
- { use: loop.yaml }
- { as: customer, use: f.yaml }",
    );
    let source = Source::new("t.scn.yaml", text);
    let found = read_with(&source, &load).unwrap_err();
    insta::assert_snapshot!(found);
}

#[test]
fn a_name_that_nobody_gives_or_that_comes_too_late_is_a_mistake() {
    let steps = r#"- { as: customer, join: "${chta}" }
- { as: customer, login: true, save: { token: $.accessToken } }
- { as: customer, get: "/x/${customer.tokne}/${self.userId}/${provider.userId}" }
- { as: customer, join: "${late}" }
- { as: customer, get: /x, save: { late: $.x } }
- { id: m1, as: customer, send: { chat: "${late}", text: "${env.WORDS:-hello}" } }
- { as: customer, history: "${late}", expect: { json: { messages: [{ id: "${m1.sq}" }] } } }
- { act: "X" }
- { wait: 1s, note: "${self.userId}" }
- { as: [customer, provider], get: /x, save: { each: $.x } }
- { as: customer, get: "/x/${each}/${provider.each}" }
- { as: customer, get: "/x/${late" }
- parallel:
    - [{ as: customer, get: /x, save: { mine: $.x } }]
    - [{ as: provider, get: "/x/${mine}" }]"#;
    let text = with_steps(steps) + "vars: { a: \"${b}\", b: 1 }\n";
    insta::assert_snapshot!(mistakes(&text));
}

#[test]
fn faults_have_units_and_words() {
    let steps = r#"- { as: customer, network: { cut: half-open, latency: 20ms, jitter: 5ms, bandwidth: 64KB/s, slice: 3B, refuse: 2, for: 1s } }
- { as: customer, network: { slice: 3, bandwidth: 64KB, refuse: -1, cut: halfopen, jitter: 5 } }
- { as: customer, network: { slice: 0B, bandwidth: 9000MiB/s, refuse: false } }
- { database: kil }
- { as: customer, database: kill }
- { as: customer, token: expires }
- { token: revoke }
- { server: pause, within: 2 s }"#;
    insta::assert_snapshot!(mistakes(&with_steps(steps)));
}

#[test]
fn a_matcher_that_nothing_can_meet_is_a_mistake() {
    let steps = r#"- { as: customer, receive: x, where: { a: { is: uid }, b: { matches: "(" }, c: { min: "3" } } }
- { as: customer, never: x, where: { a: [{ contains: { is: numbr } }], b: { matches: 7 } } }
- { as: customer, get: /x, expect: { json: { a: { is: time }, b: { matches: "^a+$" }, c: { is: "${env.KIND}" } } } }"#;
    insta::assert_snapshot!(mistakes(&with_steps(steps)));
}

#[test]
fn a_barrier_needs_somebody_else_and_an_answer_somebody_who_gives_it() {
    let steps = r#"- { barrier: alone }
- parallel:
    - [{ barrier: both }, { barrier: mine }]
    - [{ barrier: both }]
- { wait: 1s, save: { a: $.x } }
- { as: customer, never: x, expect: { json: {} } }
- { as: customer, emit: x, ack: false, expect: { ack: {} } }
- { as: customer, emit: x, expect: { status: 200 } }
- { as: customer, get: /x, expect: { ack: {} } }
- { as: customer, do: bok }
- { as: customer, do: book, with: { provder: provider } }
- { as: customer, do: dispute, with: { chat: x, reson: y, why: z } }
- { as: customer, receive: x, ack: true }"#;
    insta::assert_snapshot!(mistakes(&with_steps(steps)));
}

#[test]
fn an_order_that_the_file_itself_rules_out_is_a_mistake() {
    let text = with_steps(
        "- { id: a, wait: 1ms }
- { id: b, wait: 1ms }
- parallel:
    - [{ id: c, wait: 1ms }]
    - [{ id: d, wait: 1ms }]
- { id: e, as: customer, send: { chat: x, text: y } }
- { id: f, wait: 1ms }",
    ) + "order: [a < b, b < a, c < d, d < c, f < e.sent, f < e.saved, f < e@customer, e < e.sent, d < a]\n";
    insta::assert_snapshot!(mistakes(&text));
}

#[test]
fn crowds_and_devices_are_actors_too() {
    let head = "scenario: 1\nname: t\nactors:\n  customer: { role: customer }\n";
    let fine = "  crowd: { role: customer, count: 3 }\n  phone: { device_of: customer }\n\
                steps:\n  - { as: [crowd, phone], login: true }\n  - { as: crowd_2, connect: true }\n";
    insta::assert_snapshot!(mistakes(&format!("{head}{fine}")), @"nothing is wrong");
    let wrong = "  crowd: { role: customer, count: 0 }\n  big: { role: lsm, count: 201 }\n  \
                 phone: { device_of: custmer }\n  tablet: { device_of: customer, user: a, password: b }\n  \
                 two: { role: customer, count: 2 }\n  watch: { device_of: two }\n\
                 steps:\n  - { as: crowd_4, login: true }\n  - { as: [two, two_1], login: true }\n\
                 order: [a@two < b]\n";
    insta::assert_snapshot!(mistakes(&format!("{head}{wrong}")));
}
