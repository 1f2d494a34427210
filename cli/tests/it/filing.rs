//! Verbs about files of the runner, without a network: `fmt`, `new`, `check --target`, `report`,
//! `trace view`.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::binary::{Ran, run, trialogue};

fn at(folder: &Path, arguments: &[&str]) -> Ran {
    run(trialogue().current_dir(folder).env("LC_ALL", "C").args(arguments))
}

#[track_caller]
fn assert_said(ran: &Ran, code: i32, words: &[&str]) {
    assert_eq!(ran.code, Some(code), "{ran}");
    for words in words {
        assert!(format!("{}{}", ran.stdout, ran.stderr).contains(words), "{words:?} not in {ran}");
    }
}

#[test]
fn a_new_scenario_is_fine_and_never_written_over_another() {
    let folder = tempfile::tempdir().unwrap();
    let said = at(folder.path(), &["new", "first-try", "--with", "lsm,stranger,crash"]);
    assert_said(&said, 0, &["first-try.scn.yaml", "next: trialogue check first-try.scn.yaml"]);
    assert_said(&at(folder.path(), &["check", "."]), 0, &["first-try.scn.yaml: fine"]);
    assert_said(&at(folder.path(), &["new", "first-try"]), 2, &["is there already"]);
    assert_said(&at(folder.path(), &["new", "First Try"]), 2, &["a-z, 0-9 and -"]);
    assert_said(&at(folder.path(), &["new"]), 2, &["give it as NAME"]);
}

#[test]
fn a_file_that_is_not_utf8_is_one_error_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("t.scn.yaml", b"scenario: 1\nname: \xc3\xa9\xe9t\xe9\n");
    let wrong = "t.scn.yaml:2:8: it is not UTF-8: byte 0xe9 at offset 20";
    for verb in ["check", "run", "fmt"] {
        let said = at(folder.path(), &[verb, "t.scn.yaml"]);
        assert_said(&said, 2, &[wrong]);
        assert_eq!(said.stderr.matches("UTF-8").count(), 1, "{said}");
    }
    write("wide.scn.yaml", b"\xff\xfes\0");
    assert_said(
        &at(folder.path(), &["check", "wide.scn.yaml"]),
        2,
        &["wide.scn.yaml:1:1:", "UTF-16"],
    );
    // A fragment's place is told too.
    write("bad.yaml", b"fragment: 1\nname: \x80\n");
    write(
        "uses.scn.yaml",
        b"scenario: 1\nname: uses\nactors: {a: {role: customer}}\n\
        steps:\n  - {use: bad.yaml, with: {a: a}}\n",
    );
    let said = at(folder.path(), &["check", "uses.scn.yaml"]);
    assert_said(&said, 2, &["uses.scn.yaml:5:", "`bad.yaml`:2:7: it is not UTF-8: byte 0x80"]);
}

#[test]
fn a_layout_is_checked_then_written_and_the_flow_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.scn.yaml");
    let text = "scenario: 1\nname: t\nactors: {a: {role: customer}}\n\n\n\nsteps:\n  \
                - {as: a, id: x, emit: typing, data: {isTyping: true}}   # why\n";
    fs::write(&path, text).unwrap();
    let said = at(folder.path(), &["fmt", "--check", "."]);
    assert_said(&said, 1, &["exit 1: laid out in another way: t.scn.yaml"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), text, "nothing is changed");
    assert_said(&at(folder.path(), &["fmt", "."]), 0, &["t.scn.yaml: changed"]);
    let tidy = "scenario: 1\nname: t\nactors: { a: { role: customer } }\n\nsteps:\n  \
                - { as: a, id: x, emit: typing, data: { isTyping: true } }   # why\n";
    assert_eq!(fs::read_to_string(&path).unwrap(), tidy);
    assert_said(&at(folder.path(), &["fmt", "--check", "."]), 0, &[]);
    let flow = at(folder.path(), &["fmt", "--as", "flow", "t.scn.yaml"]);
    assert_eq!(flow.stdout, "t\n\na -> typing {\"isTyping\":true}  as x\n");
    fs::write(&path, "scenario: 1\nname: [\n").unwrap();
    assert_said(&at(folder.path(), &["fmt", "."]), 2, &["t.scn.yaml:"]);
}

#[test]
fn a_scenario_that_makes_no_sense_at_a_target_is_refused_before_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("targets")).unwrap();
    let profile = "target: 1\nurl: http://127.0.0.1:9\ndialect: stm\n";
    fs::write(folder.path().join("targets/staging.yaml"), profile).unwrap();
    let check = |name: &str| at(folder.path(), &["check", name, "--target", "staging"]);
    assert_said(&check("booking"), 0, &["booking.scn.yaml: fine"]);
    assert_said(&check("backend-restart-recovery"), 2, &["makes no sense at http://127.0.0.1:9/"]);
    let why = "the outbox of customer needs sends that may be repeated (client_message_ids)";
    assert_said(&check("offline-outbox"), 2, &[why]);
    fs::write(folder.path().join("targets/staging.yaml"), "target: 1\nurl: nowhere\n").unwrap();
    assert_said(&check("booking"), 2, &["targets/staging.yaml:2:6", "`nowhere` is no URL"]);
}

#[test]
fn a_json_report_is_told_again_in_other_formats() {
    let folder = tempfile::tempdir().unwrap();
    let report = json!({
        "schema": "trialogue-results/1", "title": "trialogue run", "tool": "trialogue",
        "started": "2026-02-03T04:05:06.789Z", "tookMs": 12.5, "complete": false,
        "suites": [{"name": "booking", "facts": {}, "tookMs": 1.0, "cases": [
            {"id": "m1", "title": "says hello", "outcome": "fail", "tookMs": 1.0, "message": "no"},
        ]}],
    });
    fs::write(folder.path().join("o.json"), report.to_string()).unwrap();
    let said =
        at(folder.path(), &["report", "o.json", "--report", "tap=-,html=o.html,json=p.json"]);
    assert_said(&said, 0, &["    not ok 1 - m1 says hello\n", "Bail out!"]);
    let html = fs::read_to_string(folder.path().join("o.html")).unwrap();
    assert!(html.contains("says hello") && html.contains("cut short"), "{html}");
    let again: Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("p.json")).unwrap()).unwrap();
    assert_eq!(again["suites"][0]["cases"], report["suites"][0]["cases"]);
    assert_said(&at(folder.path(), &["report", "o.json"]), 2, &["say what to write"]);
    let said = at(folder.path(), &["report", "o.html", "--report", "tap=-"]);
    assert_said(&said, 2, &["o.html: this is no JSON report"]);
}

#[test]
fn a_journal_is_shown_line_by_line_also_when_its_end_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let lines = [
        json!({"type": "trace", "schema": "trialogue-trace/1", "scenario": "t", "file": "t.yaml"}),
        json!({"type": "http", "atMs": 1.5, "actor": "ann", "method": "GET", "path": "/chat",
            "status": 200, "json": {"chats": []}, "tookMs": 1.0}),
        json!({"type": "event", "atMs": 2.5, "actor": "bob", "name": "evil\u{1b}[31m", "data": {}}),
        json!({"type": "step", "atMs": 3.0, "words": "wait 1s", "came": "broken", "place": "t:1",
            "why": "late"}),
        json!({"type": "packet", "atMs": 4.0, "actor": "bob", "connection": 2, "way": "out",
            "transport": "polling", "kind": "event", "bytes": 44, "name": "send_message",
            "ack": 7, "data": [{"a": 1}]}),
        json!({"type": "packet", "atMs": 5.0, "actor": "bob", "connection": 2, "way": "in",
            "transport": "websocket", "kind": "ping", "bytes": 1}),
        json!({"type": "packet", "atMs": 6.0, "actor": "bob", "connection": 2,
            "transport": "websocket", "kind": "end", "bytes": 0, "reason": "transport_close"}),
    ];
    let mut text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    text.push_str("{\"type\":\"ev");
    fs::write(folder.path().join("t.ndjson"), text).unwrap();
    let view = |more: &[&str]| {
        let arguments: Vec<&str> =
            ["trace", "view", "t.ndjson"].iter().chain(more).copied().collect();
        at(folder.path(), &arguments)
    };
    let said = view(&[]);
    assert_said(&said, 0, &["0.002 s  ann  GET /chat => 200 (1.0 ms)  { \"chats\": [] }"]);
    assert!(said.stdout.contains("step broken: wait 1s [t:1]") && !said.stdout.contains('\u{1b}'));
    let sent = "0.004 s  bob  => event send_message ack 7 (polling 2, 44 B)  [ { \"a\": 1 } ]";
    let end = "0.006 s  bob  == end transport_close (websocket 2)";
    assert!(said.stdout.contains(sent) && said.stdout.contains(end), "{said}");
    assert!(
        said.stderr.contains("1 packets are folded") && !said.stdout.contains("ping"),
        "{said}"
    );
    let said = view(&["--only", "packet", "--actor", "bob"]);
    assert_said(&said, 0, &[sent, "<= ping (websocket 2, 1 B)", end]);
    assert!(!said.stdout.contains("evil") && said.stderr.is_empty(), "{said}");
    assert_eq!(view(&["--json"]).stdout.lines().count(), lines.len(), "nothing is folded");
    assert_eq!(view(&["--actor", "ann"]).stdout.lines().count(), 2, "the head is always there");
    let said = view(&["--only", "step", "--json"]);
    assert_eq!(said.stdout.lines().count(), 1, "{said}");
    assert_said(&view(&["--actor", "eve"]), 2, &["no actor is called eve: ann, bob"]);
    fs::write(folder.path().join("u.ndjson"), "{}\n").unwrap();
    let said = at(folder.path(), &["trace", "view", "u.ndjson"]);
    assert_said(&said, 2, &["this is no journal"]);
}
