//! `trialogue run` on files that do not hold: what is found, how it is called, and what is not shown.

use std::process::Command;
use std::time::Duration;

use trialogue_faults::Signal;
use trialogue_scenarios::file::read;
use trialogue_scenarios::source::Source;
use trialogue_scenarios::{Came, Ending, Hooks, Launch, Report, RunConfig, Target};
use trialogue_server::embedded::Cluster;

use crate::binary::{Ran, run, trialogue};

/// Everything that a scenario of two people in a chat begins with.
const HEAD: &str = "scenario: 1
name: t
defaults: { within: 10s, reconnect: { delay: 100ms, max: 500ms } }
actors:
  customer: { role: customer, outbox: true }
  provider: { role: provider }
steps:
  - { use: fragments/booked-chat.yaml, with: { customer: customer, provider: provider } }
";

/// Plays a file on a server and a database of its own.
async fn play(text: &str, more: &[&str], change: fn(&mut Command)) -> Ran {
    let cluster = Cluster::throwaway(true).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t.scn.yaml"), text).unwrap();
    let mut command = trialogue();
    command.current_dir(folder.path()).env("LC_ALL", "C").args(["run", "t.scn.yaml"]);
    command.args(["--database-url", &cluster.url_of("postgres")]).args(more);
    change(&mut command);
    let ran = tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap();
    cluster.stop().await.unwrap();
    ran
}

/// Without what is another one in every run: times, ids, addresses, ports.
fn steady(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let word = rest.find(|c: char| !(c.is_ascii_hexdigit() || c == '-' || c == '.'));
        let (word, after) = rest.split_at(word.unwrap_or(rest.len()));
        let dashes = word.matches('-').count();
        if word.len() == 36 && dashes == 4 {
            out.push_str("ID");
            rest = after;
        } else if word.contains('.')
            && word.ends_with(|c: char| c.is_ascii_digit())
            && word.starts_with(|c: char| c.is_ascii_digit())
            && after.starts_with('s')
        {
            out.push('T');
            rest = after;
        } else {
            let len = word.len().max(c.len_utf8());
            out.push_str(&rest[..len]);
            rest = &rest[len..];
        }
    }
    out
}

/// The first lines of every failure: all but what the actors saw.
fn failures(ran: &Ran) -> String {
    let kept = ran.stderr.lines().filter(|line| {
        let is_seen = line.starts_with("   the last that") || line.contains("), last: ");
        !is_seen && !line.starts_with("    ") && !line.contains(" WARN ") || line.contains(" | ")
    });
    steady(&kept.collect::<Vec<_>>().join("\n"))
}

#[tokio::test]
async fn every_branch_that_fails_is_told_and_nobody_waits_for_it() {
    let steps = "  - parallel:
      - - { as: provider, receive: new_message, where: { message: never said }, within: 300ms }
        - { barrier: meet }
      - - { barrier: meet }
        - { as: customer, send: { chat: \"${chat}\", text: not reached } }
      - - { as: customer, get: /health/live, expect: { json: { status: dead } } }
always:
  - { as: customer, get: /health/live, expect: { status: 204 } }
check: { delivery: exactly-once }
";
    let ran = play(&format!("{HEAD}{steps}"), &[], |_| {}).await;
    assert_eq!(ran.code, Some(1), "{ran}");
    insta::assert_snapshot!(failures(&ran));
}

#[tokio::test]
async fn what_did_not_hold_is_found_by_count_order_and_check_at_the_end() {
    let steps = "  - { id: m1, as: customer, send: { chat: \"${chat}\", text: one } }
  - { id: seen, as: provider, receive: new_message, count: 1 }
  - { id: m2, as: customer, send: { chat: \"${chat}\", text: two } }
  - { delivered: { message: m2, to: [provider] } }
  - { as: customer, emit: no_such_event, data: {}, expect: { error: { code: { matches: \"^.+$\" } } } }
order:
  - m2@provider < m1@provider
check: { delivery: exactly-once, no_server_errors: true }
";
    let ran = play(&format!("{HEAD}{steps}"), &[], |_| {}).await;
    assert_eq!(ran.code, Some(1), "{ran}");
    insta::assert_snapshot!(failures(&ran));
}

#[tokio::test]
async fn a_failure_in_a_fragment_names_both_files() {
    let text = HEAD.replace("role: customer, outbox: true", "role: provider");
    let ran = play(&text, &[], |_| {}).await;
    assert_eq!(ran.code, Some(1), "{ran}");
    insta::assert_snapshot!(failures(&ran));
}

#[tokio::test]
async fn a_check_with_nothing_to_judge_by_is_unknown_and_not_green() {
    let text = "scenario: 1
name: t
actors: { customer: { role: customer } }
steps:
  - { as: customer, login: true }
check: { delivery: exactly-once, room_order: true, room_isolation: true, no_server_errors: true }
";
    let ran = play(text, &[], |_| {}).await;
    assert_ne!(ran.code, Some(0), "{ran}");
    insta::assert_snapshot!(failures(&ran));
}

#[tokio::test]
async fn secrets_are_shown_nowhere() {
    let text = "scenario: 1
name: t
actors:
  customer: { role: customer, user: ann@example.test, password: \"${env.ANN_PW:-horse-staple-9}\" }
  other: { role: customer }
steps:
  - { as: other, login: true }
  - as: other
    post: { path: /auth/login, json: { email: ann@example.test, password: \"${env.ANN_PW}\" } }
    expect: { status: 200 }
  - { as: customer, login: true }
always:
  - as: other
    post: { path: /auth/refresh, json: { refreshToken: horse-staple-9 } }
    note: \"${env.ANN_PW} and ${env.OTHER_TOKEN}\"
    expect: { status: 200, json: { a: \"${env.OTHER_TOKEN}\" } }
";
    let ran = play(text, &["--diagram"], |command| {
        command.env("ANN_PW", "horse-staple-9").env("OTHER_TOKEN", "battery-correct");
    })
    .await;
    assert_eq!(ran.code, Some(1), "{ran}");
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("POST"), "{said}");
    for secret in ["horse-staple-9", "battery-correct", "eyJ"] {
        assert!(!said.contains(secret), "{secret} is in:\n{said}");
    }
}

#[tokio::test]
async fn the_server_may_crash_before_every_step() {
    let steps = "  - { id: m1, as: customer, send: { chat: \"${chat}\", text: one } }
  - parallel:
      - - { id: m2, as: customer, send: { chat: \"${chat}\", text: two } }
        - { delivered: { message: m2, to: [customer, provider], via: live } }
      - - { as: provider, receive: new_message, where: { message: one }, within: 20s }
        - { id: m3, as: provider, send: { chat: \"${chat}\", text: three } }
  - repeat: 2
    steps: [{ as: provider, history: \"${chat}\", expect: { status: 200 } }]
check: { delivery: exactly-once, per_sender_order: true, room_order: true, history_equals_live: true }
";
    let ran = play(&format!("{HEAD}{steps}"), &["--crash-at", "each", "--json"], |_| {}).await;
    assert_eq!(ran.code, Some(0), "{ran}");
    let lines = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap());
    let reports = lines.filter(|line: &serde_json::Value| line["type"] == "report");
    let mut names: Vec<String> = reports.map(|one| one["scenario"].to_string()).collect();
    names.sort();
    // Four of the fragment, one before, four in the branches, one that is repeated.
    let mut expected: Vec<String> =
        (1..=10).map(|step| format!("\"t, crash before step {step}\"")).collect();
    expected.sort();
    assert_eq!(names, expected, "{ran}");
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

async fn play_at(steps: &str, config: RunConfig) -> Report {
    let source = Source::new("t.scn.yaml", format!("{HEAD}{steps}"));
    let scenario = read(&source).unwrap_or_else(|wrong| panic!("{wrong}"));
    let mut rows: Vec<trialogue_report::diagram::Row> = Vec::new();
    trialogue_scenarios::run(&scenario, config, &mut rows).await.unwrap()
}

#[cfg(unix)]
#[tokio::test]
async fn any_command_line_is_a_server_that_steps_may_torment() {
    let cluster = Cluster::throwaway(true).await.unwrap();
    let database = cluster.fresh_database("shell").await.unwrap();
    let port = free_port();
    let program = env!("CARGO_BIN_EXE_trialogue");
    let command = format!(
        "DATABASE_URL='{}' '{program}' serve --listen 127.0.0.1:{port} --limits bench \
         --open-registration --ping-interval 1s --ping-timeout 2s",
        database.url()
    );
    let steps = "  - { id: m1, as: customer, send: { chat: \"${chat}\", text: one } }
  - { delivered: { message: m1, to: [customer, provider] } }
  - { server: kill }
  - { as: [customer, provider], state: reconnecting }
  - { id: m2, as: customer, send: { chat: \"${chat}\", text: two } }
  - { server: start }
  - { as: [customer, provider], reconnected: { within: 20s, rejoined: [\"${chat}\"] } }
  - { delivered: { message: m2, to: [customer, provider], via: either } }
  - { server: restart }
  - { as: [customer, provider], reconnected: { within: 20s, rejoined: [\"${chat}\"] } }
  - { server: pause }
  - { as: [customer, provider], state: reconnecting, within: 20s }
  - { server: resume }
  - { as: [customer, provider], reconnected: { within: 20s, rejoined: [\"${chat}\"] } }
check: { delivery: exactly-once, per_sender_order: true }
";
    let url = format!("http://127.0.0.1:{port}").parse().unwrap();
    let launch = Launch {
        start: command,
        ready: "/health/ready".to_owned(),
        within: None,
        stop: Ending::Signal(Signal::Stop),
        kill: Ending::Signal(Signal::Kill),
    };
    let target = Target::Shell { url, launch };
    let config = RunConfig { server_within: Duration::from_secs(60), ..RunConfig::new(target) };
    let report = play_at(steps, config).await;
    let failures: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
    assert!(report.passed(), "{}", failures.join("\n"));
    drop(std::net::TcpListener::bind(("127.0.0.1", port)).expect("the server is gone"));
    cluster.stop().await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn a_hook_is_run_and_one_that_is_missing_is_unimplemented() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("restarted");
    let hooks = Hooks {
        restart: Some(format!("echo again >> '{}'", mark.display())),
        stop: Some("echo no such container >&2; exit 3".to_owned()),
        ..Hooks::default()
    };
    let text = "scenario: 1\nname: t\nactors: { a: { role: customer } }\nsteps:\n";
    let run_steps = async |steps: &str| {
        let scenario = read(&Source::new("t.scn.yaml", format!("{text}{steps}"))).unwrap();
        let target = Target::Url("http://127.0.0.1:9".parse().unwrap());
        let config = RunConfig { hooks: hooks.clone(), ..RunConfig::new(target) };
        let mut rows: Vec<trialogue_report::diagram::Row> = Vec::new();
        trialogue_scenarios::run(&scenario, config, &mut rows).await.unwrap()
    };
    let report = run_steps("  - { repeat: 2, steps: [{ server: restart }] }\n").await;
    assert!(report.passed(), "{:?}", report.failures);
    assert_eq!(std::fs::read_to_string(&mark).unwrap(), "again\nagain\n");
    let report = run_steps("  - { server: stop }\n").await;
    let got = &report.failures[0].got;
    assert!(got.contains("failed (exit status: 3)") && got.contains("no such container"), "{got}");
    let lacks = async |step: &str, what: &str| {
        let report = run_steps(step).await;
        assert_eq!(report.count(Came::Unimplemented), 1, "{report:?}");
        assert!(report.steps[0].why.contains(what), "{report:?}");
    };
    lacks("  - { server: kill }\n", "no hook for a step of the file (server kill)").await;
    lacks("  - { database: stop }\n", "a database that the runner may stop and start").await;
    lacks("  - { as: a, token: expire }\n", "a server whose token secret").await;
}

/// Plays at nobody's address with hooks that write their names down, until the run ends by itself or
/// the first of them was run. Answers what was written, and whether it was ended.
#[cfg(unix)]
async fn hooked(steps: &str, is_ended: bool) -> (String, bool) {
    let folder = tempfile::tempdir().unwrap();
    let did = folder.path().join("did");
    let write = |word: &str| Some(format!("echo {word} >> '{}'", did.display()));
    let hooks = Hooks {
        kill: write("kill"),
        start: write("start"),
        pause: write("pause"),
        resume: write("resume"),
        ..Hooks::default()
    };
    let steps = steps.replace("DID", &did.display().to_string());
    let text = format!("scenario: 1\nname: t\nactors: {{ a: {{ role: customer }} }}\n{steps}");
    let scenario = read(&Source::new("t.scn.yaml", text)).unwrap_or_else(|wrong| panic!("{wrong}"));
    let target = Target::Url("http://127.0.0.1:9".parse().unwrap());
    let config = RunConfig { hooks, allow_exec: true, ..RunConfig::new(target) };
    let stop = config.stop.clone();
    let mut rows: Vec<trialogue_report::diagram::Row> = Vec::new();
    let ends = async {
        let is_written = || std::fs::read_to_string(&did).is_ok_and(|text| text.ends_with('\n'));
        while is_ended && !is_written() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if is_ended {
            stop.cancel();
        }
    };
    let (came, ()) = tokio::join!(trialogue_scenarios::run(&scenario, config, &mut rows), ends);
    let did = std::fs::read_to_string(&did).unwrap().replace('\n', " ");
    (did, matches!(came, Err(trialogue_scenarios::RunError::Stopped)))
}

#[cfg(unix)]
#[tokio::test]
async fn whatever_ends_a_run_its_always_is_done_and_the_server_is_back() {
    let always = "always:\n  - { as: a, exec: \"echo always >> 'DID'\" }\n";
    let waits = "  - { wait: 50s }\n";
    let killed = format!("steps:\n  - {{ server: kill }}\n{waits}{always}");
    assert_eq!(hooked(&killed, true).await, ("kill always start ".to_owned(), true));
    let paused = format!("steps:\n  - {{ server: pause }}\n{waits}");
    assert_eq!(hooked(&paused, true).await, ("pause resume ".to_owned(), true));
    // A step that does not hold keeps the rest of the file from doing it too.
    let fails = "steps:
  - { server: kill }
  - { as: a, get: /health/live }
  - { server: start }
";
    assert_eq!(hooked(fails, false).await, ("kill start ".to_owned(), false));
}

/// A server that answers everything with so many bytes.
async fn verbose(bytes: usize) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let body = format!("\"{}\"", "x".repeat(bytes));
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
        let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = [0; 4_096];
            _ = stream.read(&mut asked).await;
            _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    url
}

#[tokio::test]
async fn more_than_can_be_kept_proves_nothing_and_is_said() {
    let text = "scenario: 1
name: t
actors: { a: { role: customer } }
steps:
  - { repeat: 70, steps: [{ as: a, get: /large, expect: { status: 200 } }] }
check: { no_server_errors: true }
";
    let scenario = read(&Source::new("t.scn.yaml", text)).unwrap();
    let target = Target::Url(verbose(1_000_000).await.parse().unwrap());
    let mut rows: Vec<trialogue_report::diagram::Row> = Vec::new();
    let report = trialogue_scenarios::run(&scenario, RunConfig::new(target), &mut rows).await;
    let report = report.unwrap();
    assert_eq!(report.came(), Came::Unknown, "{:?}", report.failures);
    let unknown: Vec<&str> = report.verdicts.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(unknown, ["kept", "no_server_errors"]);
    assert!(report.verdicts[0].why.contains("at most 64 MiB"), "{}", report.verdicts[0].why);
}
