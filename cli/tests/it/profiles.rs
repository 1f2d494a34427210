//! Target profiles whose server the runner starts itself, or torments by hooks: what happens to the
//! server, and that nothing of it is left.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use trialogue_server::embedded::Cluster;

use crate::binary::{Ran, run, trialogue};

const TALK: &str = "scenario: 1
name: talk
defaults: { within: 10s, reconnect: { delay: 100ms, max: 500ms } }
actors: { customer: { role: customer, outbox: true }, provider: { role: provider } }
steps:
  - { use: fragments/booked-chat.yaml, with: { customer: customer, provider: provider } }
  - { id: m1, as: customer, send: { chat: \"${chat}\", text: one } }
  - { delivered: { message: m1, to: [customer, provider] } }
  - { server: kill }
  - { as: [customer, provider], state: reconnecting }
  - { server: start }
  - { as: [customer, provider], reconnected: { within: 20s, rejoined: [\"${chat}\"] } }
check: { delivery: exactly-once }
";
const WAITS: &str = "scenario: 1
name: waits
actors: { customer: { role: customer } }
steps:
  - { as: customer, login: true }
  - { wait: 60s }
";

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until somebody takes calls. Whoever binds the port to find out may be in the way.
fn wait_for(port: u16) {
    let by = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < by, "nobody is there");
        std::thread::yield_now();
    }
}

/// Whether nobody is there any more.
fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

fn serve(port: u16) -> String {
    let program = env!("CARGO_BIN_EXE_trialogue");
    let flags = "--limits bench --open-registration --ping-interval 1s --ping-timeout 2s";
    format!("'{program}' serve --listen 127.0.0.1:{port} {flags}")
}

/// A folder with a profile and a scenario.
fn folder(profile: &str, port: u16, scenario: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let head = format!("target: 1\nurl: http://127.0.0.1:{port}\n");
    fs::write(folder.path().join("mine.yaml"), head + profile).unwrap();
    fs::write(folder.path().join("t.scn.yaml"), scenario).unwrap();
    folder
}

fn plays(folder: &Path, database: &str, more: &[&str]) -> Command {
    let mut command = trialogue();
    command.current_dir(folder).env("LC_ALL", "C").env("DATABASE_URL", database);
    command.args(["run", "t.scn.yaml", "--target", "mine.yaml"]).args(more);
    command
}

async fn with_database<T: Send + 'static>(test: impl FnOnce(&str) -> T + Send + 'static) -> T {
    let cluster = Cluster::throwaway(true).await.unwrap();
    let url = cluster.fresh_database("profile").await.unwrap().url();
    let done = tokio::task::spawn_blocking(move || test(&url)).await.unwrap();
    cluster.stop().await.unwrap();
    done
}

#[track_caller]
fn assert_says(ran: &Ran, code: i32, words: &[&str]) {
    assert_eq!(ran.code, Some(code), "{ran}");
    for words in words {
        assert!(ran.stderr.contains(words), "{words:?} is not in:\n{ran}");
    }
}

#[tokio::test]
async fn a_profile_starts_its_server_kills_it_and_leaves_nothing() {
    with_database(|database| {
        let port = free_port();
        let start = serve(port);
        let ready = "ready: { get: /health/ready, within: 60s }";
        let profile = format!("server:\n  start: \"exec {start}\"\n  {ready}\n  stop: SIGINT\n");
        let folder = folder(&profile, port, TALK);
        // Two at once would be at one address: they wait for each other.
        let ran = run(&mut plays(folder.path(), database, &["--repeat", "2", "--jobs", "4"]));
        assert_says(&ran, 0, &[]);
        assert!(ran.stdout.contains("2 scenarios: 2 ok"), "{ran}");
        assert!(is_free(port), "the server is gone");
        // The sweep needs such a server, and has it.
        let sweep = ["--crash-at", "5", "--diagram=none"];
        assert_says(&run(&mut plays(folder.path(), database, &sweep)), 0, &[]);
        // Whoever has the address already is not taken for it.
        let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let ran = run(&mut plays(folder.path(), database, &[]));
        assert_says(&ran, 3, &["another server is at 127.0.0.1"]);
        drop(taken);
    })
    .await;
}

#[tokio::test]
async fn an_interrupt_ends_the_server_of_a_profile_as_it_says() {
    with_database(|database| {
        let port = free_port();
        let start = serve(port);
        let profile = format!(
            "server:\n  start: \"{start} & echo $! > pid; wait\"\n  ready: /health/ready\n  \
             stop: \"kill -INT $(cat pid); echo told >> stopped\"\n"
        );
        let folder = folder(&profile, port, WAITS);
        for (signal, code) in
            [(rustix::process::Signal::INT, 130), (rustix::process::Signal::TERM, 143)]
        {
            let mut command = plays(folder.path(), database, &["--json"]);
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let first = lines.next().unwrap().unwrap();
            assert!(first.contains("log in"), "{first}");
            let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
            rustix::process::kill_process(pid, signal).unwrap();
            lines.for_each(drop);
            assert_eq!(child.wait().unwrap().code(), Some(code));
            assert!(is_free(port), "the server is gone");
        }
        let told = fs::read_to_string(folder.path().join("stopped")).unwrap();
        assert_eq!(told, "told\ntold\n");
    })
    .await;
}

#[test]
fn a_server_that_does_not_become_ready_is_told_with_its_last_lines() {
    let port = free_port();
    let play = |server: &str| {
        let folder = folder(&format!("server: {{ {server} }}\n"), port, WAITS);
        run(plays(folder.path(), "postgres://x:hush-hush@h/d", &[]).env("A_SECRET", "hush-hush"))
    };
    let ran = play("start: \"echo first; echo the disk is full >&2; exit 3\"");
    let words = "could not run waits: the server of the profile: it ended: exit status: 3: ";
    assert_says(&ran, 3, &[words, "first", "the disk is full"]);
    let last = ran.stderr.lines().last().unwrap_or_default();
    assert_eq!(last.matches("the disk is full").count(), 1, "{ran}");
    let ran = play("start: \"echo still loading; sleep 600\", ready: { get: /up, within: 300ms }");
    assert_says(&ran, 3, &["/up was not ready within 300ms", "it said: still loading"]);
    let ran = play("start: \"echo $DATABASE_URL ${env.A_SECRET}; exit 1\"");
    assert_says(&ran, 3, &["***"]);
    assert!(!ran.stderr.contains("hush-hush"), "{ran}");
}

#[tokio::test]
async fn hooks_torment_a_server_that_somebody_else_has_started() {
    with_database(|database| {
        let port = free_port();
        let start = serve(port);
        let folder = folder(
            "hooks: { start: sh start.sh, kill: sh kill.sh, ready: { get: /health/ready, within: 60s } }\n",
            port,
            TALK,
        );
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("start.sh", &format!("setsid {start} >/dev/null 2>&1 & echo $! > pid\n"));
        write("kill.sh", "p=$(cat pid); kill -KILL $p; while kill -0 $p 2>/dev/null; do sleep 0.05; done\n");
        let hook = |name: &str| {
            let mut command = Command::new("sh");
            command.arg(name).current_dir(folder.path()).env("DATABASE_URL", database);
            assert!(command.status().unwrap().success());
        };
        // Nobody is there yet: the runner starts nothing that is not its own.
        assert_says(&run(&mut plays(folder.path(), database, &[])), 3, &["cannot be reached"]);
        hook("start.sh");
        wait_for(port);
        let ran = run(&mut plays(folder.path(), database, &["--diagram=none"]));
        hook("kill.sh");
        assert_says(&ran, 0, &[]);
        assert!(!ran.stdout.contains("unimplemented"), "{ran}");
    })
    .await;
}

#[test]
fn a_file_alone_starts_no_program_of_a_profile() {
    let scenario = format!("target: mine.yaml\n{WAITS}");
    let folder = folder("server: { start: touch owned; exec sleep 1 }\n", free_port(), &scenario);
    let mut command = trialogue();
    let ran = run(command.current_dir(folder.path()).args(["run", "t.scn.yaml"]));
    assert_says(&ran, 2, &["names a target whose profile runs programs", "--allow-exec"]);
    assert!(!folder.path().join("owned").exists());
}
