//! `trialogue run` and `trialogue check`: scenarios by name and by file, and what they say.

use std::path::Path;
use std::process::Command;

use trialogue_server::embedded::Cluster;

use crate::binary::{run, trialogue};

/// A verb with a file in a folder of its own, so that messages name no path of this machine.
fn with_file(text: &str, folder: &Path, arguments: &[&str]) -> Command {
    std::fs::write(folder.join("t.scn.yaml"), text).unwrap();
    let mut command = trialogue();
    command.current_dir(folder).env("LC_ALL", "C").args(arguments);
    command
}

const WRONG: &str = "scenario: 1
name: t
actors:
  customer: { role: customer }
steps:
  - { as: custmer, login: true }
  - { as: customer, recieve: new_message }
";

#[test]
fn mistakes_of_a_file_are_told_at_once_and_nothing_is_run() {
    let folder = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(run(&mut with_file(WRONG, folder.path(), &["check", "t.scn.yaml"])));
    insta::assert_snapshot!(run(&mut with_file(WRONG, folder.path(), &["run", "t.scn.yaml"])));
    let json = ["check", "--json", "."];
    insta::assert_snapshot!(run(&mut with_file(WRONG, folder.path(), &json)));
}

#[test]
fn a_name_that_nobody_knows_is_a_mistake_too() {
    insta::assert_snapshot!(run(trialogue().args(["run", "bookings"])));
    let folder = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(run(trialogue().current_dir(folder.path()).args(["check", "."])));
}

#[test]
fn the_bundled_scenarios_make_sense() {
    let names = trialogue_scenarios::bundled_names().collect::<Vec<_>>();
    let checked = run(trialogue().args(["check", "--strict"]).args(&names));
    assert_eq!(checked.code, Some(0), "{checked}");
    assert_eq!(checked.stderr.lines().filter(|line| line.ends_with(": fine")).count(), names.len());
}

#[test]
fn an_order_that_races_is_warned_of_and_is_wrong_only_for_the_strict() {
    let text = "scenario: 1
name: t
actors: { ann: { role: customer }, bob: { role: provider } }
steps:
  - { id: booked, as: ann, do: book, with: { provider: bob } }
  - { id: told, as: bob, receive: \"notification:created\" }
order:
  - booked < told
  - booked.sent < told
";
    let folder = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(run(&mut with_file(text, folder.path(), &["check", "t.scn.yaml"])));
    let strict = ["check", "t.scn.yaml", "--strict"];
    let ran = run(&mut with_file(text, folder.path(), &strict));
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.ends_with("exit 1: warnings: 1 (--strict)\n"), "{ran}");
}

/// The scenarios that the flow is judged by, each on a server and a database of its own.
#[tokio::test]
async fn the_bundled_scenarios_hold() {
    let cluster = Cluster::throwaway(true).await.unwrap();
    let mut command = trialogue();
    // The demo has tests of its own.
    let names = trialogue_scenarios::bundled_names().filter(|name| *name != "demo");
    let names: Vec<&str> = names.collect();
    command.arg("run").args(&names).arg("--json");
    command.args(["--database-url", &cluster.url_of("postgres")]);
    let ran = tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap();
    assert_eq!(ran.code, Some(0), "{ran}");
    let lines = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap());
    let reports: Vec<serde_json::Value> =
        lines.filter(|line: &serde_json::Value| line["type"] == "report").collect();
    assert_eq!(reports.len(), names.len(), "{ran}");
    for report in reports {
        assert_eq!(report["passed"], true, "{report}");
        assert_eq!(report["held"], report["of"], "{report}");
        assert!(report["delivered"].as_u64() > Some(0), "{report}");
    }
    cluster.stop().await.unwrap();
}

/// What a person sees of a step that does not hold.
#[tokio::test]
async fn a_failure_says_where_what_was_expected_and_what_came() {
    let text = "scenario: 1
name: t
defaults: { within: 5s }
actors:
  customer: { role: customer }
  provider: { role: provider }
steps:
  - { as: [customer, provider], login: true }
  - { as: [customer, provider], connect: true }
  - id: booked
    as: customer
    do: book
    with: { provider: provider }
    save: { chat: $.chat }
  - { as: [customer, provider], join: \"${chat}\" }
  - { id: m1, as: customer, send: { chat: \"${chat}\", text: hello } }
  - { id: seen, as: provider, receive: new_message, where: { message: goodbye, seq: 1 }, within: 300ms }
  - { id: later, as: customer, login: true }
order: [m1 < seen, seen < later, m1 < later]
check: { delivery: exactly-once }
";
    let cluster = Cluster::throwaway(true).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = cluster.url_of("postgres");
    let arguments = ["run", "t.scn.yaml", "--database-url", &url, "--report", "md=t.md"];
    let mut command = with_file(text, folder.path(), &arguments);
    let ran = tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap();
    assert_eq!(ran.code, Some(1), "{ran}");
    for words in [
        "t.scn.yaml:17:5: receive (seen) did not hold",
        "   17 |   - { id: seen, as: provider, receive: new_message",
        "expected  `new_message` with {\"message\":\"goodbye\",\"seq\":1}",
        "provider: nothing that fits; the nearest came at",
        "at $.message expected \"goodbye\", got \"hello\"",
        "the last that provider saw (the link is connected):",
        "exit 1: 1 of 1 scenario did not hold (t: seen)",
    ] {
        assert!(ran.stderr.contains(words), "{words:?} is not in:\n{ran}");
    }
    assert!(ran.stdout.contains("receive (seen) did not hold"), "{ran}");
    assert!(ran.stderr.contains("\n  3 checks not reached: order m1 < seen, "), "{ran}");
    let told = std::fs::read_to_string(folder.path().join("t.md")).unwrap();
    assert!(told.contains("a step failed before: seen did not hold"), "{told}");
    assert!(told.contains("a step failed before: later never happened"), "{told}");
    assert_eq!(told.matches("the last that provider saw").count(), 1, "{told}");
    // The reason of a failure is no talk.
    let quiet = [&arguments[..], &["-q"]].concat();
    let mut command = with_file(text, folder.path(), &quiet);
    let quiet = tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap();
    assert!(
        quiet.stderr.starts_with("\nt.scn.yaml:17:5: receive (seen) did not hold\n"),
        "{quiet}"
    );
    assert!(quiet.stderr.ends_with("did not hold (t: seen)\n"), "{quiet}");
    assert!(!quiet.stderr.contains("checks not reached"), "{quiet}");
    cluster.stop().await.unwrap();
}

/// A scenario against a server that somebody else runs may not kill it: nothing of it is tried.
#[test]
fn somebody_elses_server_is_not_tormented() {
    let text = "scenario: 1
name: t
actors: { customer: { role: customer } }
steps: [{ server: kill }]
";
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["run", "t.scn.yaml", "--target", "http://127.0.0.1:9"];
    let ran = run(&mut with_file(text, folder.path(), &arguments));
    // Nothing at all was played: that is no success, and nothing wrong either.
    assert_eq!(ran.code, Some(4), "{ran}");
    assert!(ran.stdout.contains("-     t was not played (1 unimplemented)"), "{ran}");
    assert!(
        !ran.stdout.contains("ok") && ran.stderr.contains("exit 4: nothing was played"),
        "{ran}"
    );
    let why = "unimplemented, 1 x: `server` steps need a server that the runner may start and stop";
    assert!(ran.stderr.contains(why), "{ran}");
    let ran = run(with_file(text, folder.path(), &arguments).arg("--exit-zero"));
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stderr.contains("exit 0 (--exit-zero): nothing was played"), "{ran}");
    let ran = run(with_file(text, folder.path(), &arguments).arg("--strict"));
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stdout.contains("FAIL  t was not played (1 unimplemented)"), "{ran}");
    assert!(ran.stderr.ends_with("exit 1: 1 of 1 scenario did not hold (t: line 4)\n"), "{ran}");
}
