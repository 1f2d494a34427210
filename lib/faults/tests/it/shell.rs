//! A command line that is ended with everything that it has started.

use std::time::Duration;

use trialogue_faults::{ShellProcess, Signal, pid_in, send_signal, wait_until_gone};

use crate::{PATIENCE, eventually};

/// Whether a process with that number can be signalled, dead and unburied ones aside.
async fn lives(pid: &str) -> bool {
    let state = state(pid).await;
    !state.is_empty() && !state.starts_with('Z')
}

async fn state(pid: &str) -> String {
    let output = tokio::process::Command::new("ps").args(["-o", "stat=", "-p", pid]).output();
    String::from_utf8(output.await.unwrap().stdout).unwrap().trim().to_owned()
}

/// The number that the command prints.
async fn printed(shell: &ShellProcess) -> String {
    eventually("a number", async || shell.said().lines().any(|line| line != "deaf")).await;
    shell.said().lines().last().unwrap().to_owned()
}

#[tokio::test]
async fn the_grandchildren_of_a_command_end_with_it() {
    let shell = ShellProcess::start("sh -c 'sleep 600 & echo $!; wait'; true").unwrap();
    let grandchild = printed(&shell).await;
    assert!(shell.runs() && lives(&grandchild).await);
    shell.end(PATIENCE).await;
    eventually("the end of the grandchild", async || !lives(&grandchild).await).await;
}

#[tokio::test]
async fn what_does_not_listen_is_killed_and_so_is_what_the_command_leaves_behind() {
    // The command is gone at once; its child does not hear of it.
    let left = ShellProcess::start("trap '' TERM; sleep 600 & echo $!").unwrap();
    let child = printed(&left).await;
    eventually("the end of the command", async || !left.runs()).await;
    assert!(lives(&child).await);
    left.end(PATIENCE).await;
    eventually("the end of the child", async || !lives(&child).await).await;

    let deaf = ShellProcess::start("trap '' TERM; echo deaf >&2; echo $$; sleep 600").unwrap();
    let command = printed(&deaf).await;
    deaf.end(Duration::from_millis(100)).await;
    assert!(!lives(&command).await);
}

#[tokio::test]
async fn a_command_that_is_dropped_is_killed() {
    let shell = ShellProcess::start("echo $$; sleep 600").unwrap();
    let command = printed(&shell).await;
    drop(shell);
    eventually("the end of the command", async || !lives(&command).await).await;
}

#[tokio::test]
async fn a_command_that_ends_by_itself_says_how_and_leaves_what_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let pid_file = folder.path().join("pid");
    let start = format!("sleep 60 >/dev/null 2>&1 & echo $! > '{}'", pid_file.display());
    ShellProcess::start(&start).unwrap().finish(PATIENCE).await.unwrap();
    let pid = pid_in(&pid_file).unwrap();
    // It was told to start something, and that lives on.
    send_signal(pid, Signal::Kill).unwrap();
    assert!(wait_until_gone(pid, PATIENCE).await);
    let failed =
        ShellProcess::start("echo no such thing >&2; exit 3").unwrap().finish(PATIENCE).await;
    assert_eq!(failed.unwrap_err(), "failed (exit status: 3): no such thing");
    let ended = ShellProcess::start("sleep 60 & echo one; echo two; exit 3").unwrap();
    eventually("its end", async || !ended.runs()).await;
    assert_eq!(ended.last_words().await, "exit status: 3: one | two");
    let late = ShellProcess::start("exec sleep 60").unwrap();
    let why = late.finish(Duration::from_millis(50)).await.unwrap_err();
    assert!(why.starts_with("was not over within 50ms"), "{why}");
}

#[tokio::test]
async fn a_group_is_frozen_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("mark");
    let wait = format!("echo $$; while ! test -e '{}'; do sleep 0.01; done", mark.display());
    let process = ShellProcess::start(&wait).unwrap();
    let pid = printed(&process).await;
    process.signal(Signal::Pause).unwrap();
    let frozen = async || state(&pid).await.starts_with('T');
    eventually("a frozen process", frozen).await;
    std::fs::write(&mark, "").unwrap();
    assert!(frozen().await, "it does not look");
    process.signal(Signal::Resume).unwrap();
    process.finish(PATIENCE).await.unwrap();
}
