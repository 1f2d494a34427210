//! `trialogue demo`: the whole flow, and that nothing of it is left, whatever ends it.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::binary::trialogue;

/// A database from nothing, a debug build and a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

fn demo(home: &Path, arguments: &[&str]) -> Command {
    let mut command = trialogue();
    for name in ["TRIALOGUE_PG_BIN", "TRIALOGUE_PG_MIRROR"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command.env("TRIALOGUE_DATA_DIR", home).env("LC_ALL", "C").arg("demo").args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut command = Command::from(command);
    command.kill_on_drop(true);
    command
}

/// A demo that is going on.
struct Going {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Going {
    fn start(home: &Path) -> Self {
        let mut child = demo(home, &[]).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    async fn until(&mut self, words: &str) {
        let read = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                if line.contains(words) {
                    return true;
                }
            }
            false
        };
        assert!(tokio::time::timeout(PATIENCE, read).await.unwrap(), "never said {words:?}");
    }

    fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }
}

/// Every process that lives, as pid, parent's pid and command line.
async fn processes() -> Vec<(u32, u32, String)> {
    let output = Command::new("ps").args(["-Ao", "pid=,ppid=,stat=,args="]).output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let process = |line: &str| {
        let mut words = line.split_whitespace();
        let (pid, parent, state) = (words.next()?, words.next()?, words.next()?);
        let args = words.collect::<Vec<_>>().join(" ");
        (!state.starts_with('Z')).then_some(())?;
        Some((pid.parse().ok()?, parent.parse().ok()?, args))
    };
    text.lines().filter_map(process).collect()
}

async fn server_of(demo: u32) -> u32 {
    let servers = processes().await;
    let server = servers.iter().find(|(_, parent, args)| *parent == demo && args.contains("serve"));
    server.unwrap_or_else(|| panic!("no server of {demo} in {servers:?}")).0
}

/// Waits until neither the server nor any process that works in `home` is left.
async fn nothing_left(server: Option<u32>, home: &Path) {
    let home = home.to_string_lossy().into_owned();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut left = processes().await;
        left.retain(|(pid, _, args)| Some(*pid) == server || args.contains(&home));
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "still there: {left:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn the_whole_flow_holds_and_is_drawn() {
    let home = tempfile::tempdir().unwrap();
    let output = tokio::time::timeout(PATIENCE, demo(home.path(), &[]).output()).await;
    let output = output.unwrap().unwrap();
    let drawn = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}\n{drawn}");
    assert!(drawn.is_ascii() && !drawn.contains('\u{1b}'), "plain text where no terminal is");
    let mut rest = drawn.as_str();
    for words in [
        "INITIAL SETUP",
        "POST /auth/login",
        "Connected: userId=",
        "CREATING A CHAT (Job Booking)",
        "POST /jobs/create",
        "joined_chat",
        "SENDING A MESSAGE",
        "send_message",
        "new_message",
        "confirmed",
        "user_typing",
        "LOADING MESSAGE HISTORY",
        "A STRANGER IS REFUSED",
        "refused: denied",
        "LSM JOINING DISPUTE",
        "notification:created",
        "user_joined",
        "CONNECTION RECOVERY",
        "SIGKILL",
        "Reconnecting",
        "(attempt 1)",
        "outbox",
        "Auto-retry",
        "back online",
        "Connected!",
        "Status: Connected",
        "history_equals_live",
        "steps and checks",
        "recovery",
    ] {
        let at = rest.find(words).unwrap_or_else(|| panic!("{words:?} is not in:\n{rest}"));
        rest = &rest[at..];
    }
    assert!(drawn.lines().all(|line| line.len() <= 80), "80 columns where no terminal is");
    nothing_left(None, home.path()).await;
}

#[tokio::test]
async fn a_report_for_programs_is_one_line_of_json() {
    let home = tempfile::tempdir().unwrap();
    let output = tokio::time::timeout(PATIENCE, demo(home.path(), &["--json"]).output()).await;
    let output = output.unwrap().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["passed"], true, "{report}");
    assert_eq!(report["held"], report["of"]);
    assert_eq!(report["sent"], report["stored"]);
    assert!(report["failedAttempts"].as_u64() >= Some(1), "{report}");
}

#[tokio::test]
async fn a_demo_that_is_killed_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let mut going = Going::start(home.path());
    going.until("CREATING A CHAT").await;
    let server = server_of(going.pid()).await;
    going.child.kill().await.unwrap();
    nothing_left(Some(server), home.path()).await;
}

#[tokio::test]
async fn a_demo_that_is_interrupted_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let mut going = Going::start(home.path());
    going.until("CREATING A CHAT").await;
    let server = server_of(going.pid()).await;
    going.signal(rustix::process::Signal::INT);
    let status = tokio::time::timeout(PATIENCE, going.child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(130));
    nothing_left(Some(server), home.path()).await;
}

#[tokio::test]
async fn a_demo_whose_reader_goes_away_ends_quietly() {
    let home = tempfile::tempdir().unwrap();
    let mut going = Going::start(home.path());
    going.until("INITIAL SETUP").await;
    let Going { child, lines } = going;
    drop(lines);
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("error"), "{said}");
    assert_eq!(output.status.code(), Some(0), "{said}");
    nothing_left(None, home.path()).await;
}
