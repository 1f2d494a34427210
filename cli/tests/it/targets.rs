//! Targets: a server that somebody else runs, by its URL and by a profile.

use std::fs;
use std::process::Command;
use std::time::Duration;

use trialogue_faults::{LISTEN, ServerCommand, ServerProcess};
use trialogue_server::embedded::Cluster;

use crate::binary::{Ran, run, trialogue};

async fn ran(command: Command) -> Ran {
    let mut command = command;
    tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap()
}

#[tokio::test]
async fn a_target_is_played_at_and_its_profile_is_compared_with_what_it_does() {
    let cluster = Cluster::throwaway(true).await.unwrap();
    let database = cluster.fresh_database("target").await.unwrap();
    let serve = ["serve", "--json", "--exit-with-stdin", "--open-registration"];
    let serve = serve.into_iter().chain(["--limits", "bench", "--listen", LISTEN]);
    let command = ServerCommand::new(env!("CARGO_BIN_EXE_trialogue"), serve);
    let command = command.env("DATABASE_URL", &database.url()).without_env("TRIALOGUE_TARGET");
    let mut server = ServerProcess::start(&command, Duration::from_secs(60)).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let verb = |arguments: &[&str]| {
        let mut command = trialogue();
        command.current_dir(folder.path()).args(arguments);
        command
    };

    let url = server.url().to_owned();
    let came = ran(verb(&["run", "booking", "dispute-join", "--target", &url])).await;
    assert_eq!(came.code, Some(0), "{came}");
    assert!(came.stdout.contains("2 scenarios: 2 ok (") && !came.stdout.contains("unimplemented"));

    // A profile that promises too little leaves steps out, and preflight says so.
    fs::create_dir(folder.path().join("targets")).unwrap();
    let profile = format!("target: 1\nurl: {url}\ncapabilities: {{ dispute_push: false }}\n");
    fs::write(folder.path().join("targets/mine.yaml"), profile).unwrap();
    let came = ran(verb(&["run", "dispute-join", "--target", "mine", "--diagram=none"])).await;
    assert_eq!(came.code, Some(0), "{came}");
    assert!(came.stdout.contains("2 unimplemented"), "the step and its order: {came}");
    let strict = ["run", "dispute-join", "--target", "mine", "--strict"];
    let came = ran(verb(&strict)).await;
    assert_eq!(came.code, Some(1), "{came}");
    assert!(came.stderr.contains("(dispute-join: notified, order"), "{came}");
    let came = ran(verb(&["preflight", "--target", "mine", "--only", "dispute_push,seq"])).await;
    assert_eq!(came.code, Some(1), "{came}");
    let last = "exit 1: the profile should say capabilities: { dispute_push: true }\n";
    assert!(came.stderr.ends_with(last), "{came}");
    assert!(came.stdout.contains("seq                   profile: yes  seen: yes"), "{came}");

    // All that our own server promises, tried.
    let came = ran(verb(&["preflight", "--target", &url])).await;
    assert_eq!(came.code, Some(0), "{came}");
    let seen = came.stdout.lines().filter(|line| line.contains("profile: yes  seen: yes"));
    assert!(seen.count() == 16 && !came.stdout.contains("unknown"), "{came}");
    assert!(
        came.stderr.contains("at once: order, typing_stops, quiet_rooms, refresh_auth\n"),
        "{came}"
    );

    server.stop(Duration::from_secs(15)).await.unwrap();
    let came = ran(verb(&["preflight", "--target", &url])).await;
    assert_eq!(came.code, Some(3), "{came}");
    cluster.stop().await.unwrap();
}
