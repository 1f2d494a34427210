//! A command line that is ended with everything that it has started.

use trialogue_faults::ShellProcess;

use crate::{PATIENCE, eventually};

/// Whether a process with that number can be signalled, dead and unburied ones aside.
async fn lives(pid: &str) -> bool {
    let output = tokio::process::Command::new("ps").args(["-o", "stat=", "-p", pid]).output();
    let state = String::from_utf8(output.await.unwrap().stdout).unwrap();
    !state.trim().is_empty() && !state.starts_with('Z')
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
    deaf.end(std::time::Duration::from_millis(100)).await;
    assert!(!lives(&command).await);
}

#[tokio::test]
async fn a_command_that_is_dropped_is_killed() {
    let shell = ShellProcess::start("echo $$; sleep 600").unwrap();
    let command = printed(&shell).await;
    drop(shell);
    eventually("the end of the command", async || !lives(&command).await).await;
}
