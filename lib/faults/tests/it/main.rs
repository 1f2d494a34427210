//! Real processes that play a server: started, killed, stopped, paused and restarted.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test")]

mod proxy;
mod shell;

use std::time::{Duration, Instant};

use trialogue_faults::{
    LISTEN, ServerCommand, ServerError, ServerProcess, Signal, pid_in, send_signal, wait_until_gone,
};

/// Longer than a busy machine needs to run a shell, shorter than a person's patience.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that says where it was told to listen; port 0 becomes 4321.
const READY: &str = r#"
    echo "starting" >&2
    echo "not the ready line"
    case "$1" in *:0) at=127.0.0.1:4321 ;; *) at=$1 ;; esac
    echo "{\"type\":\"ready\",\"url\":\"http://$at\"}"
"#;

fn shell(before: &str, after: &str) -> ServerCommand {
    ServerCommand::new("/bin/sh", ["-c", &format!("{before}\n{READY}\n{after}"), "server", LISTEN])
}

fn is_alive(pid: u32) -> bool {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::test_kill_process(pid).is_ok()
}

/// `Z` zombie, `T` stopped, `S` sleeping, as `ps` says.
async fn state_of(pid: u32) -> String {
    let output =
        tokio::process::Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output();
    String::from_utf8(output.await.unwrap().stdout).unwrap()
}

async fn eventually<F: AsyncFn() -> bool>(what: &str, holds: F) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_server_is_ready_when_it_says_so_and_comes_back_at_the_same_address() {
    let mut server = ServerProcess::start(&shell("", "cat >/dev/null"), PATIENCE).await.unwrap();
    assert_eq!(server.url(), "http://127.0.0.1:4321");
    let pid = server.pid().unwrap();
    assert!(matches!(server.restart(PATIENCE).await, Err(ServerError::Running)));

    server.kill().await.unwrap();
    assert!(!is_alive(pid), "killed and reaped");
    assert!(matches!(server.kill().await, Err(ServerError::NotRunning)));

    server.restart(PATIENCE).await.unwrap();
    assert_eq!(server.url(), "http://127.0.0.1:4321");
    assert_ne!(server.pid(), Some(pid));
}

#[tokio::test]
async fn a_server_that_is_dropped_is_dead() {
    let server =
        ServerProcess::start(&shell("trap '' TERM", "while :; do sleep 0.1; done"), PATIENCE)
            .await
            .unwrap();
    let pid = server.pid().unwrap();
    drop(server);
    eventually("dropped server is gone", async || {
        !is_alive(pid) || state_of(pid).await.starts_with('Z')
    })
    .await;
}

#[tokio::test]
async fn a_polite_server_stops_and_a_deaf_one_is_killed() {
    let polite = shell("trap 'exit 7' TERM", "while :; do sleep 0.1; done");
    let mut server = ServerProcess::start(&polite, PATIENCE).await.unwrap();
    assert_eq!(server.stop(PATIENCE).await.unwrap().code(), Some(7));
    assert_eq!(server.pid(), None);

    let deaf = shell("trap '' TERM; echo deaf >&2", "while :; do sleep 0.1; done");
    let mut server = ServerProcess::start(&deaf, PATIENCE).await.unwrap();
    let pid = server.pid().unwrap();
    let error = server.stop(Duration::from_millis(200)).await.unwrap_err();
    assert!(matches!(error, ServerError::NotStopped { .. }), "{error}");
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn a_server_can_be_paused_and_resumed() {
    let mut server = ServerProcess::start(&shell("", "cat >/dev/null"), PATIENCE).await.unwrap();
    let pid = server.pid().unwrap();
    server.pause().unwrap();
    eventually("paused", async || state_of(pid).await.starts_with('T')).await;
    server.resume().unwrap();
    eventually("resumed", async || state_of(pid).await.starts_with('S')).await;
    server.pause().unwrap();
    server.kill().await.unwrap();
}

#[tokio::test]
async fn a_server_hears_every_signal_and_is_waited_for() {
    let words = "trap 'exit 3' INT; trap 'exit 4' QUIT; trap 'echo heard >&2; n=x$n' TERM";
    let patient = shell(words, "while [ \"$n\" != xx ]; do sleep 0.1; done; exit 5");
    let start = async || ServerProcess::start(&patient, PATIENCE).await.unwrap();
    for (signal, code) in [(Signal::Interrupt, 3), (Signal::Quit, 4)] {
        let mut server = start().await;
        server.send(signal).unwrap();
        assert_eq!(server.wait(PATIENCE).await.unwrap().code(), Some(code));
        assert!(matches!(server.send(Signal::Stop), Err(ServerError::NotRunning)));
    }
    // The first one is heard, the second one ends it.
    let mut server = start().await;
    server.send(Signal::Stop).unwrap();
    eventually("heard", async || server.stderr_tail().contains("heard")).await;
    assert_eq!(server.stop(PATIENCE).await.unwrap().code(), Some(5));
}

#[tokio::test]
async fn a_stranger_is_found_by_its_pid_file_and_killed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.pid");
    // A grandchild: nobody here waits for it.
    let script = format!("sleep 600 & echo $! > {0}.new; mv {0}.new {0}", file.display());
    let status = tokio::process::Command::new("/bin/sh").args(["-c", &script]).status();
    assert!(status.await.unwrap().success());
    let pid = pid_in(&file).unwrap();
    assert!(is_alive(pid) && !wait_until_gone(pid, Duration::ZERO).await);
    send_signal(pid, Signal::Kill).unwrap();
    assert!(wait_until_gone(pid, PATIENCE).await);

    assert!(send_signal(0, Signal::Kill).is_err() && send_signal(1, Signal::Kill).is_err());
    std::fs::write(&file, "none\n").unwrap();
    assert!(pid_in(&file).is_err() && pid_in(folder.path()).is_err());
}

#[tokio::test]
async fn a_server_that_fails_is_quoted() {
    let broken = ServerCommand::new("/bin/sh", ["-c", "echo no database >&2; exit 3"]);
    let error = ServerProcess::start(&broken, PATIENCE).await.unwrap_err().to_string();
    assert!(error.contains("exit status: 3") && error.contains("no database"), "{error}");

    let silent = ServerCommand::new("/bin/sh", ["-c", "echo thinking >&2; cat >/dev/null"]);
    let error = ServerProcess::start(&silent, Duration::from_millis(500)).await.unwrap_err();
    assert!(matches!(error, ServerError::NotReady { .. }));
    assert!(error.to_string().contains("thinking"), "{error}");

    let missing = ServerCommand::new("/no/such/program", Vec::<String>::new());
    let error = ServerProcess::start(&missing, PATIENCE).await.unwrap_err();
    assert!(matches!(error, ServerError::Spawn { .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_dies_alone_is_noticed() {
    let mut server = ServerProcess::start(&shell("", "read line; exit 5"), PATIENCE).await.unwrap();
    assert!(server.ended().is_none(), "it waits for its stdin, which the owner holds open");
    let pid = server.pid().unwrap();
    let killer = tokio::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(killer.await.unwrap().success());
    let deadline = Instant::now() + PATIENCE;
    while server.ended().is_none() {
        assert!(Instant::now() < deadline, "a dead server was not noticed");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(server.pid(), None);
}

/// The same address may be held by somebody else for a moment: a restart is tried again.
#[tokio::test]
async fn a_restart_waits_for_its_address() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken");
    let script = format!(
        "if [ -e {0} ]; then rm {0}; echo address in use >&2; exit 1; fi\n{READY}\ncat >/dev/null",
        taken.display()
    );
    let command = ServerCommand::new("/bin/sh", ["-c", &script, "server", LISTEN]);
    let mut server = ServerProcess::start(&command, PATIENCE).await.unwrap();
    server.kill().await.unwrap();
    std::fs::write(&taken, "").unwrap();
    server.restart(PATIENCE).await.unwrap();
    assert!(server.stderr_tail().contains("address in use"));
}
