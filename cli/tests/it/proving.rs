//! A run that is green has looked: what was over before, what nobody could hear and what did not
//! happen proves nothing.

use std::process::Command;

use trialogue_scenarios::file::read;
use trialogue_scenarios::source::Source;
use trialogue_scenarios::{Came, RunConfig, Target};
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
