//! A run that is green has looked: what was over before, what nobody could hear and what did not
//! happen proves nothing.

use std::process::Command;
use std::time::Duration;

use trialogue_client::Capabilities;
use trialogue_faults::{LISTEN, ServerCommand};
use trialogue_scenarios::file::read;
use trialogue_scenarios::source::Source;
use trialogue_scenarios::{Came, KnownAccount, Report, RunConfig, Target};
use trialogue_server::embedded::Cluster;

use crate::binary::{Ran, run, trialogue};

const HEAD: &str = "scenario: 1
name: t
defaults: { within: 5s, reconnect: { delay: 50ms, max: 100ms } }
actors:
  customer: { role: customer, outbox: true }
  provider: { role: provider }
  eve: { role: customer }
steps:
  - { use: fragments/booked-chat.yaml, with: { customer: customer, provider: provider } }
";

fn play(url: &str, steps: &str, more: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t.scn.yaml"), format!("{HEAD}{steps}")).unwrap();
    let mut command: Command = trialogue();
    command.current_dir(folder.path()).env("LC_ALL", "C").args(["run", "t.scn.yaml"]);
    run(command.args(["--database-url", url]).args(more))
}

/// Plays some files that must not hold: their steps, the exit code, words of the reason.
async fn do_not_hold(files: &'static [(&str, i32, &str)]) {
    let cluster = Cluster::throwaway(true).await.unwrap();
    let url = cluster.url_of("postgres");
    let played = tokio::task::spawn_blocking(move || {
        for (steps, code, words) in files {
            let ran = play(&url, steps, &["--allow-exec"]);
            assert_eq!(ran.code, Some(*code), "{steps}\n{ran}");
            assert!(ran.stderr.contains(words), "{words:?} is not in:\n{ran}");
        }
    });
    let played = played.await;
    cluster.stop().await.unwrap();
    played.unwrap();
}

#[tokio::test]
async fn a_loss_answers_one_reconnected_and_never_one_of_before_a_cut() {
    do_not_hold(&[
        (
            "  - { as: provider, network: { cut: rst } }
  - { as: provider, reconnected: { rejoined: [\"${chat}\"] } }
  - { as: provider, reconnected: { within: 500ms } }
",
            1,
            "was not lost again since",
        ),
        (
            "  - { as: provider, network: { cut: rst } }
  - { as: provider, state: reconnecting }
  - { as: provider, state: connected }
  - { as: provider, network: { cut: blackhole } }
  - { as: provider, reconnected: { within: 500ms } }
",
            1,
            "was not lost again since",
        ),
    ])
    .await;
}

#[tokio::test]
async fn never_hears_what_the_step_before_it_did_and_must_be_able_to_hear() {
    do_not_hold(&[
        (
            "  - { as: customer, send: { chat: \"${chat}\", text: a leak } }
  - { wait: 500ms }
  - { as: provider, never: new_message, during: 50ms }
",
            1,
            "expected  no `new_message` during 50ms",
        ),
        ("  - { as: eve, never: new_message, during: 50ms }\n", 1, "it could not hear"),
        (
            "  - parallel:
      - [{ as: provider, never: new_message, during: 1s }]
      - [{ wait: 100ms }, { as: provider, network: { cut: rst } }]
",
            1,
            "provider to listen for `new_message`",
        ),
    ])
    .await;
}

#[tokio::test]
async fn what_comes_at_the_very_end_is_judged_and_an_old_timer_clears_no_new_weather() {
    do_not_hold(&[
        (
            "  - { as: customer, emit: send_message, data: { chatId: \"${chat}\", message: dup } }
  - { as: provider, receive: new_message, where: { message: dup }, count: 1 }
  - as: customer
    emit: send_message
    ack: false
    data: { chatId: \"${chat}\", message: dup }
",
            1,
            "got       2 at provider",
        ),
        (
            "  - { as: provider, network: { latency: 1ms, for: 300ms } }
  - { as: provider, network: { cut: blackhole } }
  - { wait: 500ms }
  - { id: m1, as: customer, send: { chat: \"${chat}\", text: into the dark } }
  - { delivered: { message: m1, to: [provider], via: live }, within: 700ms }
",
            1,
            "provider does not have it",
        ),
    ])
    .await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_that_ends_by_itself_fails_the_run() {
    do_not_hold(&[(
        "  - as: eve
    exec: \"for p in /proc/[0-9]*; do read -r _ name _ parent _ <$p/stat; \
     test \\\"$name $parent\\\" = \\\"(trialogue) $PPID\\\" && kill -KILL ${p#/proc/}; done; true\"
",
        1,
        "the server ended by itself",
    )])
    .await;
}

#[tokio::test]
async fn a_crash_before_a_step_that_is_not_there_is_a_mistake() {
    let ran = tokio::task::spawn_blocking(|| {
        play("postgres://127.0.0.1:9/x", "", &["--crash-at", "999"])
    });
    let ran = ran.await.unwrap();
    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stderr.contains("t has no step 999"), "{ran}");
}

#[tokio::test]
async fn who_speaks_at_once_after_connecting_or_while_the_server_dies_is_heard() {
    let cluster = Cluster::throwaway(true).await.unwrap();
    let url = cluster.url_of("postgres");
    let steps = "  - { as: customer, disconnect: true }
  - { as: customer, connect: true }
  - { as: customer, send: { chat: \"${chat}\", text: at once } }
  - { as: provider, disconnect: true }
  - { as: provider, connect: true }
  - { as: provider, send: { chat: \"${chat}\", text: no outbox } }
  - { server: kill }
  - { id: m1, as: customer, send: { chat: \"${chat}\", text: into a dead line } }
  - { server: start }
  - { delivered: { message: m1, to: [customer, provider], via: either } }
";
    let rounds = ["--repeat", "4", "--jobs", "2"];
    let ran = tokio::task::spawn_blocking(move || play(&url, steps, &rounds)).await.unwrap();
    cluster.stop().await.unwrap();
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stdout.contains("4 scenarios: 4 ok"), "{ran}");
}

/// Plays at a server of its own whose providers open no disputes, as the profile says.
async fn play_at_less(steps: &str, crash_at: Option<usize>) -> Report {
    let cluster = Cluster::throwaway(true).await.unwrap();
    let database = cluster.fresh_database("less").await.unwrap();
    let serve = ["serve", "--json", "--exit-with-stdin", "--open-registration"];
    let serve = serve.into_iter().chain(["--limits", "bench", "--listen", LISTEN]);
    let command = ServerCommand::new(env!("CARGO_BIN_EXE_trialogue"), serve);
    let command = command.env("DATABASE_URL", &database.url()).without_env("TRIALOGUE_TARGET");
    let mut config = RunConfig::new(Target::Child(command));
    let can = config.dialect.capabilities();
    config.capabilities = Some(Capabilities { dispute_by_provider: false, ..can });
    config.crash_at = crash_at;
    config.server_within = Duration::from_secs(60);
    let source = Source::new("t.scn.yaml", format!("{HEAD}{steps}"));
    let scenario = read(&source).unwrap_or_else(|wrong| panic!("{wrong}"));
    let mut rows: Vec<trialogue_report::diagram::Row> = Vec::new();
    let report = trialogue_scenarios::run(&scenario, config, &mut rows).await.unwrap();
    cluster.stop().await.unwrap();
    report
}

const LACKED: &str =
    "  - { as: provider, do: dispute, with: { chat: \"${chat}\", reason: too dear } }\n";

#[tokio::test]
async fn what_was_wrong_before_a_step_that_is_left_out_is_wrong() {
    let wrong = "  - { as: eve, login: true }
  - { as: eve, connect: true }
  - { as: eve, emit: join_chat, ack: false, data: { chatId: \"${chat}\" } }
";
    let check = "check: { no_server_errors: true, delivery: exactly-once }\n";
    let report = play_at_less(&format!("{wrong}{LACKED}{check}"), None).await;
    let came: Vec<(&str, Came)> =
        report.verdicts.iter().map(|one| (one.name.as_str(), one.came)).collect();
    // Of delivery nothing is known, and nothing could be.
    assert_eq!(came, [("delivery", Came::Unimplemented), ("no_server_errors", Came::Broken)]);
    assert_eq!(report.came(), Came::Broken);
}

#[tokio::test]
async fn a_crash_that_did_not_come_is_no_success() {
    // Four steps of the fragment come before.
    let report = play_at_less(LACKED, Some(4)).await;
    assert!(!report.passed(), "{report:?}");
    let failure = &report.failures[0];
    assert_eq!(failure.expected, "the crash that was asked for", "{failure}");
    assert_eq!(failure.got, "it did not come: that step was not begun");
}

#[tokio::test]
async fn an_account_of_the_target_is_one_actors() {
    let scenario = read(&Source::new("t.scn.yaml", HEAD)).unwrap();
    let target = Target::Url("http://127.0.0.1:9".parse().unwrap());
    let account = |of: &str| KnownAccount {
        of: of.to_owned(),
        email: format!("{of}@example.test"),
        password: "horse-staple-9".to_owned(),
    };
    let accounts = vec![account("customer"), account("provider")];
    let config = RunConfig { accounts, ..RunConfig::new(target) };
    let mut rows: Vec<trialogue_report::diagram::Row> = Vec::new();
    let report = trialogue_scenarios::run(&scenario, config, &mut rows).await.unwrap();
    assert_eq!(report.count(Came::Unimplemented), report.of, "nothing is asked: {report:?}");
    let why = &report.steps[0].why;
    assert!(why.contains("the target has one account for customer and eve"), "{why}");
}

#[tokio::test]
async fn what_the_target_cannot_carry_is_unimplemented() {
    let text = format!("{HEAD}  - {{ as: provider, network: {{ cut: rst }} }}\n");
    let scenario = read(&Source::new("t.scn.yaml", text)).unwrap();
    let target = Target::Url("https://127.0.0.1:9".parse().unwrap());
    let mut rows: Vec<trialogue_report::diagram::Row> = Vec::new();
    let report = trialogue_scenarios::run(&scenario, RunConfig::new(target), &mut rows).await;
    let report = report.unwrap();
    assert_eq!(report.count(Came::Unimplemented), report.of);
    assert!(report.steps[0].why.contains("`network` steps need"), "{report:?}");
}
