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
    // Whoever names nothing reads the summary.
    assert_said(&at(folder.path(), &["report", "o.json"]), 0, &["# trialogue run", "says hello"]);
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

#[test]
fn a_bundled_name_is_not_laid_out_and_a_fragment_is_checked_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert_said(&at(folder, &["fmt", "booking"]), 2, &["booking is part of the program"]);
    assert!(at(folder, &["fmt", "--as", "yaml", "booking"]).stdout.contains("name: booking"));
    assert_said(&at(folder, &["fmt", "--check", "booking"]), 0, &[]);
    let fragment = "fragment: 1\nactors: [ann]\nargs: { room: ~ }\nsteps:\n  \
                    - { as: ann, join: \"${room}\" }\n";
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    write("greet.yaml", fragment);
    assert_said(&at(folder, &["check", "greet.yaml"]), 0, &["greet.yaml: a fragment, fine"]);
    write("greet.yaml", &fragment.replace("as: ann", "as: eve"));
    let said = at(folder, &["check", "greet.yaml"]);
    assert_said(&said, 2, &["greet.yaml:5:11: error: unknown actor `eve`", "error: 1 mistake\n"]);
    let said = at(folder, &["check", "greet.yaml", "--json"]);
    assert_said(&said, 2, &["\"place\":\"greet.yaml:5:11\""]);
    let said = at(folder, &["run", "greet.yaml"]);
    assert_said(&said, 2, &["greet.yaml:1:1: error: this is a fragment", "mistakes: 1;"]);
}

/// B8 of a first hour: mistakes of a profile stood on one line, and their carets nowhere.
#[test]
fn mistakes_of_a_profile_stand_on_lines_of_their_own_with_carets() {
    let folder = tempfile::tempdir().unwrap();
    let profile =
        "target: 1\nurl: http://127.0.0.1:9\ndialect: smt\nserver: { start: x, stop: SIGFOO }\n";
    fs::write(folder.path().join("bad.yaml"), profile).unwrap();
    let told = "\
bad.yaml:3:10: error: `dialect` is none of trialogue, stm; did you mean `stm`?
    3 | dialect: smt
      |          ^^^
bad.yaml:4:27: error: `stop` is none of SIGTERM, SIGINT, SIGQUIT, SIGKILL; what is no signal is a command
    4 | server: { start: x, stop: SIGFOO }
      |                           ^^^^^^
error: 2 mistakes
";
    for verb in [&["run", "booking"][..], &["preflight"], &["check", "booking"]] {
        let arguments = [verb, &["--target", "bad.yaml", "-q"]].concat();
        let said = at(folder.path(), &arguments);
        assert_eq!((said.code, &*said.stderr), (Some(2), told), "{said}");
    }
    let said = at(folder.path(), &["preflight", "--target", "bad.yaml", "--json"]);
    assert_eq!(said.stderr.lines().count(), 1, "{said}");
    assert!(said.stderr.contains("bad.yaml:3:10: `dialect` is none of"), "{said}");
    fs::write(folder.path().join("t.scn.yaml"), "scenario: 1\nnmae: t\n").unwrap();
    for arguments in [&["fmt", "--as", "flow"][..], &["run"], &["check"]] {
        let said = at(folder.path(), &[arguments, &["t.scn.yaml", "-q"]].concat());
        let caret = "    2 | nmae: t\n      | ^^^^\n";
        assert!(said.code == Some(2) && said.stderr.contains(caret), "{said}");
    }
}

#[test]
fn scenarios_are_chosen_by_their_tags_alone_and_what_the_environment_lacks_is_told_first() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let list = at(folder, &["run", "--list"]);
    assert!(list.stdout.contains("[seed, smoke]\n"), "{list}");
    let smoke = at(folder, &["run", "--list", "--tags", "smoke"]);
    let (all, some) = (list.stdout.lines().count(), smoke.stdout.lines().count());
    assert!(some > 0 && some < all && smoke.stdout.starts_with("booking "), "{smoke}");
    let plan = at(folder, &["run", "--tags", "smoke", "--dry-run"]);
    assert_said(&plan, 0, &["booking (booking.scn.yaml)"]);
    assert_eq!(plan.stdout.matches("  starts ").count(), some, "{plan}");
    assert_said(&at(folder, &["run"]), 2, &["<SCENARIO>"]);
    assert_said(&at(folder, &["run", "--tags", "nothing"]), 2, &["no scenario matches"]);
    let text = "scenario: 1\nname: t\nactors: { a: { role: lsm, user: \"${env.T_USER}\", \
                password: x } }\nsteps: [{ as: a, login: true }]\n";
    fs::write(folder.join("t.scn.yaml"), text).unwrap();
    let said = at(folder, &["run", "t.scn.yaml", "--target", "http://127.0.0.1:9"]);
    assert_said(&said, 2, &["t.scn.yaml:3:33: error: the environment has no `T_USER`"]);
    assert_eq!(said.stderr.matches("error:").count(), 2, "told once: {said}");
    assert_said(&at(folder, &["check", "t.scn.yaml"]), 0, &["note: the environment has no"]);
}

#[test]
fn a_fragment_outside_of_the_project_is_not_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    fs::create_dir_all(folder.path().join("mine/tests")).unwrap();
    let fragment = "fragment: 1\nsteps: [{ wait: 1s }]\n";
    write("outside.yaml", fragment);
    write("mine/shared.yaml", fragment);
    let uses = |path: &str| {
        let text = "scenario: 1\nname: t\nactors: { a: { role: lsm } }\nsteps: [{ use: PATH }]\n";
        write("mine/tests/t.scn.yaml", &text.replace("PATH", path));
    };
    let check = || at(&folder.path().join("mine"), &["check", "tests/t.scn.yaml"]);
    uses("../shared.yaml");
    assert_said(&check(), 0, &["fine"]);
    uses("../../outside.yaml");
    assert_said(&check(), 2, &["`../../outside.yaml` is outside of the project"]);
    uses("/etc/passwd");
    let said = check();
    assert_said(&said, 2, &["`/etc/passwd` is absolute"]);
    assert!(!said.stderr.contains("root:"), "{said}");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("mine/link.yaml")).unwrap();
        uses("../link.yaml");
        assert_said(&check(), 2, &["is outside of the project"]);
    }
    // With a project of its own the folder is of no matter.
    fs::create_dir(folder.path().join(".git")).unwrap();
    uses("../../outside.yaml");
    assert_said(&check(), 0, &["fine"]);
}

#[test]
fn a_report_that_cannot_be_written_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let said = at(folder.path(), &["run", "booking", "--report", "junit=out/junit.xml"]);
    assert_said(&said, 2, &["written to out/junit.xml: out: No such file or directory"]);
}
