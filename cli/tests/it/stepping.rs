//! `trialogue run` step by step, in part, again and again, and without starting anything; and what
//! its rarer steps, moments and checks find.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use trialogue_server::embedded::Cluster;

use crate::binary::{Ran, run, trialogue};

/// Everything that a scenario of two people in a chat begins with.
const HEAD: &str = "scenario: 1
name: t
defaults: { within: 10s, reconnect: { delay: 100ms, max: 500ms } }
actors:
  customer: { role: customer, outbox: true }
  provider: { role: provider }
  eve: { role: customer, reconnect: { delay: 50ms, min: 50ms, max: 50ms, jitter: 0, attempts: 2 } }
steps:
  - { use: fragments/booked-chat.yaml, with: { customer: customer, provider: provider } }
  - { as: eve, login: true }
  - { as: eve, connect: true }
";

async fn with_database<T: Send + 'static>(test: impl FnOnce(&str) -> T + Send + 'static) -> T {
    let cluster = Cluster::throwaway(true).await.unwrap();
    let url = cluster.url_of("postgres");
    let done = tokio::task::spawn_blocking(move || test(&url)).await.unwrap();
    cluster.stop().await.unwrap();
    done
}

fn plays(folder: &Path, url: &str, text: &str, more: &[&str]) -> Command {
    fs::write(folder.join("t.scn.yaml"), text).unwrap();
    let mut command = trialogue();
    command.current_dir(folder).env("LC_ALL", "C").args(["run", "t.scn.yaml"]);
    command.args(["--database-url", url]).args(more);
    command
}

#[track_caller]
fn play(url: &str, text: &str, more: &[&str], code: i32) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(&mut plays(folder.path(), url, text, more));
    assert_eq!(ran.code, Some(code), "{ran}");
    ran
}

#[track_caller]
fn assert_has(text: &str, words: &[&str]) {
    for words in words {
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    }
}

#[tokio::test]
async fn a_program_is_run_only_by_leave_and_its_values_are_no_part_of_its_words() {
    let steps = r#"  - { id: told, as: eve, exec: "printf '%s\n' \"$CHAT\"; test \"$ODD\" = '; exit 9'", env: { CHAT: "${chat}", ODD: "; exit 9" }, save: { said: $.stdout } }
  - { as: provider, history: "${said}", expect: { status: 200 } }
  - { as: eve, exec: "echo no >&2; exit 4", expect: { json: { code: 4, stderr: no } } }
"#;
    let text = format!("{HEAD}{steps}");
    with_database(move |url| {
        let ran = play(url, &text, &[], 2);
        assert_has(&ran.stderr, &["t runs programs of its own", "--allow-exec"]);
        assert_eq!(ran.stdout, "");
        play(url, &text, &["--allow-exec"], 0);
        let late = format!("{HEAD}  - {{ as: eve, exec: sleep 60, within: 200ms }}\n");
        assert_has(&play(url, &late, &["--allow-exec"], 1).stderr, &["exec did not hold"]);
        let bad = format!("{HEAD}  - {{ as: eve, exec: \"echo why >&2; false\" }}\n");
        let ran = play(url, &bad, &["--allow-exec"], 1);
        assert_has(&ran.stderr, &["expected  exit code 0", "got       eve: 1, \"why\""]);
    })
    .await;
}

#[tokio::test]
async fn a_message_leaves_when_the_line_is_back_and_who_gave_up_stays_away() {
    let steps = "  - { id: gone, server: kill }
  - { as: [customer, provider], state: reconnecting }
  - { as: eve, state: disconnected }
  - { id: m1, as: customer, send: { chat: \"${chat}\", text: queued } }
  - { id: back, server: start }
  - { as: [customer, provider], reconnected: { within: 20s } }
  - { delivered: { message: m1, to: [customer, provider], via: either }, within: 20s }
  - { as: eve, state: disconnected }
  - { as: eve, connect: true }
order:
  - gone < m1.sent < back.sent < m1.wire < m1@provider
";
    let text = format!("{HEAD}{steps}");
    with_database(move |url| {
        play(url, &text, &[], 0);
        // It does not leave before it can.
        let swapped = text.replace("m1.sent < back.sent < m1.wire", "m1.wire < back.sent");
        let ran = play(url, &swapped, &[], 1);
        assert_has(&ran.stderr, &["expected  m1.wire < back.sent"]);
    })
    .await;
}

#[tokio::test]
async fn an_event_that_no_step_waits_for_is_found_and_named() {
    let check = |what: &str| {
        let typing =
            "{ as: customer, emit: typing, data: { chatId: \"${chat}\", isTyping: true } }";
        let (head, _) = HEAD.split_once("  - { as: eve, login").unwrap();
        format!(
            "{head}  - {typing}\n  - {{ wait: 300ms }}\ncheck: {{ no_unexpected_events: {what} }}\n"
        )
    };
    with_database(move |url| {
        let others = "notification:created, user_joined, presence, chat_updated, positions";
        let except = format!("{{ except: [\"{}\"] }}", others.replace(", ", "\", \""));
        let ran = play(url, &check(&except), &[], 1);
        assert_has(&ran.stderr, &["check no_unexpected_events", "provider saw ", "user_typing"]);
        let except = except.replace("\"positions\"", "\"positions\", user_typing");
        play(url, &check(&except), &[], 0);
    })
    .await;
}

#[tokio::test]
async fn a_run_may_end_after_a_step_and_the_rest_is_skipped() {
    let steps = "  - { id: m1, as: customer, send: { chat: \"${chat}\", text: one } }
  - parallel: [[{ id: m2, as: provider, send: { chat: \"${chat}\", text: two } }, { wait: 60s }]]
  - { id: fails, as: eve, get: /health/live, expect: { status: 204 } }
always:
  - { id: tidy, as: eve, get: /health/live, expect: { status: 200 } }
order: [m1.sent < m2.sent, m2.sent < fails]
";
    let text = format!("{HEAD}{steps}");
    with_database(move |url| {
        let folder = tempfile::tempdir().unwrap();
        let more = ["--until", "m2", "--report", "json=o.json"];
        let ran = run(&mut plays(folder.path(), url, &text, &more));
        assert_eq!(ran.code, Some(0), "{ran}");
        let report = fs::read_to_string(folder.path().join("o.json")).unwrap();
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        let cases = report["suites"][0]["cases"].as_array().unwrap().iter();
        let last: Vec<String> = cases
            .skip(6)
            .map(|case| {
                format!("{} {}", case["id"].as_str().unwrap(), case["outcome"].as_str().unwrap())
            })
            .collect();
        let wait = "line 13 skip";
        assert_eq!(
            last,
            ["m1 pass", "m2 pass", wait, "fails skip", "tidy pass", "order 1 pass", "order 2 skip",]
        );
        let ran = play(url, &text, &["--until", "m3"], 2);
        assert_has(&ran.stderr, &["no step of t has the id `m3`; did you mean `m"]);
    })
    .await;
}

#[test]
fn a_plan_says_what_would_be_started_and_starts_nothing() {
    let steps = "  - { as: eve, exec: \"touch done\" }
  - repeat: 3
    steps: [{ as: customer, send: { chat: \"${chat}\", text: hello } }]
  - { server: kill }
check: { delivery: exactly-once }
";
    let folder = tempfile::tempdir().unwrap();
    let nowhere = "postgres://127.0.0.1:9/x";
    let text = format!("{HEAD}{steps}");
    let ran = run(&mut plays(folder.path(), nowhere, &text, &["--dry-run", "--repeat", "2"]));
    insta::assert_snapshot!(ran);
    let ran = run(&mut plays(folder.path(), nowhere, &text, &["--dry-run", "--json"]));
    let plan: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((plan["messages"].clone(), plan["chats"].clone()), (3.into(), 1.into()));
    assert!(!folder.path().join("done").exists());
}

#[tokio::test]
async fn a_watched_file_is_played_again_when_it_changes() {
    let fails = format!("{HEAD}  - {{ as: eve, get: /health/live, expect: {{ status: 204 }} }}\n");
    let holds = fails.replace("204", "200");
    with_database(move |url| {
        let folder = tempfile::tempdir().unwrap();
        let mut command = plays(folder.path(), url, &fails, &["--watch", "--diagram=none"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut talk = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let mut results = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let waits = "waiting for a change";
        assert!(talk.any(|line| line.contains(waits)));
        assert!(results.next().unwrap().starts_with("FAIL "));
        // A file that is wrong is told, and is no end.
        fs::write(folder.path().join("t.scn.yaml"), "scenario: 2\n").unwrap();
        assert!(talk.any(|line| line.contains("`scenario` must be 1")));
        assert!(talk.any(|line| line.contains(waits)));
        fs::write(folder.path().join("t.scn.yaml"), holds).unwrap();
        assert!(results.next().unwrap().starts_with("ok "));
        assert!(talk.any(|line| line.contains(waits)));
        let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(143));
    })
    .await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_report_that_cannot_be_written_is_worse_than_a_failure() {
    let text = format!("{HEAD}  - {{ as: eve, get: /health/live, expect: {{ status: 204 }} }}\n");
    with_database(move |url| {
        let ran = play(url, &text, &["--report", "json=/dev/full"], 5);
        assert_has(&ran.stderr, &["exit 5: cannot write /dev/full"]);
    })
    .await;
}
