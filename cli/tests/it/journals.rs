//! `run --trace`: every packet and every REST call of every actor, in order, and no secret.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use trialogue_faults::{LISTEN, ServerCommand, ServerProcess};
use trialogue_scenarios::trace::LINES;
use trialogue_server::embedded::Cluster;

use crate::binary::{Ran, run, trialogue};

/// One conversation over HTTP requests alone.
const POLLED: &str = r#"
scenario: 1
name: polled
timeout: 60s
defaults: { within: 20s, transport: polling }
actors: { customer: { role: customer }, provider: { role: provider } }
steps:
  - { as: [customer, provider], login: true }
  - { as: [customer, provider], connect: true }
  - { as: customer, do: book, with: { provider: provider, title: t }, save: { chat: $.chat } }
  - { as: [customer, provider], join: "${chat}" }
  - { id: m1, as: customer, send: { chat: "${chat}", text: "hello" } }
  - { delivered: { message: m1, to: [customer, provider] } }
  - { id: m2, as: provider, send: { chat: "${chat}", text: "hi" } }
  - { delivered: { message: m2, to: [customer, provider] } }
  - { as: customer, never: user_typing, during: 500ms }
  - { as: customer, get: { path: /chat, query: { access_token: of-nobody } } }
"#;

/// Plays what is in a folder at a server whose heart beats fast.
async fn play(files: &[(&str, &str)], what: &'static str) -> (Ran, tempfile::TempDir) {
    let cluster = Cluster::throwaway(true).await.unwrap();
    let database = cluster.fresh_database("journals").await.unwrap();
    let serve =
        ["serve", "--json", "--exit-with-stdin", "--open-registration", "--limits", "bench"];
    let beat = ["--ping-interval", "100ms", "--ping-timeout", "20s", "--listen", LISTEN];
    let command =
        ServerCommand::new(env!("CARGO_BIN_EXE_trialogue"), serve.into_iter().chain(beat));
    let command = command.env("DATABASE_URL", &database.url()).without_env("TRIALOGUE_TARGET");
    let mut server = ServerProcess::start(&command, Duration::from_secs(60)).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let mut command = trialogue();
    command.current_dir(folder.path()).args(["run", what, "--trace", "on", "--diagram=none"]);
    command.args(["--target", server.url()]);
    let ran = tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap();
    server.stop(Duration::from_secs(15)).await.unwrap();
    cluster.stop().await.unwrap();
    (ran, folder)
}

/// The lines of a journal, each with the fields of its kind.
fn journal(folder: &Path, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(folder.join(format!("trialogue-traces/{name}.trace.ndjson")));
    let text = text.unwrap();
    assert!(!text.contains("eyJ"), "a token");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines {
        let fields = LINES.iter().find(|(kind, _)| line["type"] == *kind);
        let (_, fields) = fields.unwrap_or_else(|| panic!("{line}"));
        let known = |name: &str| name == "type" || fields.contains(&name);
        assert!(line.as_object().unwrap().keys().all(|name| known(name)), "{line}");
        for body in [&line["request"], &line["json"]] {
            for name in ["password", "accessToken", "refreshToken"] {
                assert!(body[name].is_null() || body[name] == "***", "{line}");
            }
        }
    }
    lines
}

/// Packets of an actor.
fn packets<'a>(lines: &'a [Value], actor: &str) -> Vec<&'a Value> {
    let of = |line: &&Value| line["type"] == "packet" && line["actor"] == actor;
    let packets: Vec<&Value> = lines.iter().filter(of).collect();
    let mut last = BTreeMap::new();
    for packet in &packets {
        let at = packet["atMs"].as_f64().unwrap();
        let before = last.insert(packet["connection"].as_u64().unwrap(), at).unwrap_or_default();
        assert!(before <= at, "{packet} is out of order");
        let is_end = packet["kind"] == "end";
        assert_eq!(packet["bytes"].as_u64().unwrap() == 0, is_end, "{packet}");
    }
    packets
}

/// Where a packet with these fields is, at the earliest after a place.
#[track_caller]
fn find(packets: &[&Value], from: usize, fields: &Value) -> usize {
    let has = |packet: &Value| {
        fields.as_object().unwrap().iter().all(|(name, value)| packet[name] == *value)
    };
    let found = packets.iter().skip(from).position(|packet| has(packet));
    from + found.unwrap_or_else(|| panic!("no {fields} from {from} on in {packets:#?}"))
}

#[tokio::test]
async fn the_journal_of_a_run_has_every_packet_of_everybody_and_no_secret() {
    let (ran, folder) = play(&[], "booking").await;
    assert_eq!(ran.code, Some(0), "{ran}");
    let lines = journal(folder.path(), "booking");
    for actor in ["customer", "provider", "stranger"] {
        let packets = packets(&lines, actor);
        let find = |from, fields| find(&packets, from, &fields);
        assert_eq!(find(0, json!({"kind": "open", "way": "in", "transport": "polling"})), 0);
        let asked = find(1, json!({"kind": "connect", "way": "out"}));
        assert_eq!(packets[asked]["data"], json!({"token": "***"}));
        find(asked, json!({"kind": "connect", "way": "in", "namespace": "/chat"}));
        let probe = find(1, json!({"kind": "ping", "way": "out", "data": "probe"}));
        let probe = find(probe, json!({"kind": "pong", "way": "in", "data": "probe"}));
        let moved = find(probe, json!({"kind": "upgrade", "way": "out", "transport": "websocket"}));
        let ping = find(moved, json!({"kind": "ping", "way": "in", "bytes": 1}));
        find(ping, json!({"kind": "pong", "way": "out", "bytes": 1}));
        // What was emitted, and what it came to; the stranger may not even join.
        let event = if actor == "stranger" { "join_chat" } else { "send_message" };
        let said = find(asked, json!({"kind": "event", "way": "out", "name": event}));
        let id = packets[said]["ack"].clone();
        let size = packets[said]["data"].to_string().len() + event.len();
        assert!(packets[said]["bytes"].as_u64().unwrap() as usize >= size, "{}", packets[said]);
        let acked = find(said, json!({"kind": "ack", "way": "in", "ack": id}));
        assert_eq!(packets[acked]["data"][0]["ok"], json!(actor != "stranger"));
        assert_eq!(packets.last().unwrap()["kind"], "end", "{:#?}", packets.last());
    }
    let calls = lines.iter().filter(|line| line["type"] == "http");
    let paths: BTreeSet<&str> = calls.filter_map(|line| line["path"].as_str()).collect();
    assert!(paths.contains("/jobs/create"), "{paths:?}");
    let view = |more: &[&str]| {
        let mut command = trialogue();
        command.current_dir(folder.path()).args(["trace", "view"]);
        run(command.arg("trialogue-traces/booking.trace.ndjson").args(more))
    };
    let ran = view(&["--actor", "provider", "--only", "packet"]);
    assert!(ran.stdout.contains("<= ping (websocket 1, 1 B)"), "{ran}");
    assert!(!ran.stdout.contains("customer  ") && !ran.stdout.contains("POST "), "{ran}");
    let ran = view(&[]);
    assert!(ran.stdout.contains("=> event send_message ack "), "{ran}");
    assert!(!ran.stdout.contains("= ping ") && !ran.stdout.contains("<= event "), "{ran}");
}

#[tokio::test]
async fn a_journal_of_polling_has_the_same_packets() {
    let (ran, folder) = play(&[("polled.scn.yaml", POLLED)], "polled.scn.yaml").await;
    assert_eq!(ran.code, Some(0), "{ran}");
    let lines = journal(folder.path(), "polled");
    for actor in ["customer", "provider"] {
        let packets = packets(&lines, actor);
        assert!(packets.iter().all(|packet| packet["transport"] == "polling"), "{packets:#?}");
        let find = |from, fields| find(&packets, from, &fields);
        let asked = find(1, json!({"kind": "connect", "way": "out"}));
        let said = find(asked, json!({"kind": "event", "way": "out", "name": "send_message"}));
        let id = packets[said]["ack"].clone();
        find(said, json!({"kind": "ack", "way": "in", "ack": id}));
        let ping = find(0, json!({"kind": "ping", "way": "in", "bytes": 1}));
        find(ping, json!({"kind": "pong", "way": "out", "bytes": 1}));
    }
    let of_query = |line: &&Value| line["path"].as_str().is_some_and(|path| path.contains('?'));
    let queries: Vec<&Value> = lines.iter().filter(of_query).map(|line| &line["path"]).collect();
    assert!(queries.contains(&&json!("/chat?access_token=***")), "{queries:?}");
}

/// Rounds of a sweep are under way at the same time: each has its own file.
#[tokio::test]
async fn each_round_of_a_sweep_has_a_journal_of_its_own() {
    let cluster = Cluster::throwaway(true).await.unwrap();
    let url = cluster.url_of("postgres");
    let folder = tempfile::tempdir().unwrap();
    let text = "scenario: 1\nname: t\nactors: { a: { role: customer } }\nsteps:\n  \
                - { as: a, login: true }\n  - { as: a, get: /auth/me }\n";
    fs::write(folder.path().join("t.scn.yaml"), text).unwrap();
    let mut command = trialogue();
    command.current_dir(folder.path()).args(["run", "t.scn.yaml", "--crash-at", "each"]);
    command.args(["--trace", "on", "--database-url", &url]);
    let ran = tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap();
    cluster.stop().await.unwrap();
    assert_eq!(ran.code, Some(0), "{ran}");
    for step in [1, 2] {
        let lines = journal(folder.path(), &format!("t-crash-{step}"));
        assert_eq!(lines[0]["scenario"], format!("t, crash before step {step}"));
        assert_eq!(lines.last().unwrap()["came"], "held", "{lines:?}");
    }
    assert_eq!(fs::read_dir(folder.path().join("trialogue-traces")).unwrap().count(), 2);
}
