//! Processes that a test looks at, kills, or is.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use trialogue_server::embedded::Cluster;

use super::text;

/// The test that a child process runs in place of the whole suite.
const CHILD: &str = "embedded::process::an_owner_may_be_a_process_of_its_own";
const ROLE: &str = "TRIALOGUE_TEST_OWNER";

/// Another process that owns a cluster until it is killed or its standard input ends.
pub(super) struct Owner {
    child: Child,
    /// Kept open: libtest panics when it cannot print.
    stdout: BufReader<ChildStdout>,
    pub(super) url: String,
}

/// What the other process does.
#[derive(Clone, Copy)]
pub(super) enum Role {
    Throwaway,
    Persistent,
    /// Persistent, with a temporary database whose URL it reports.
    Database,
}

impl Owner {
    pub(super) fn start(role: Role, home: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        Self::run(&mut command, role, home).unwrap_or_else(|said| panic!("no URL, but {said}"))
    }

    /// Runs this test binary, as `command` has it, in a role; what it said when it has no URL.
    pub(super) fn run(command: &mut Command, role: Role, home: &Path) -> Result<Self, String> {
        let word = match role {
            Role::Throwaway => "throwaway",
            Role::Persistent => "persistent",
            Role::Database => "database",
        };
        command.args(["--exact", CHILD, "--nocapture"]).env(ROLE, word);
        command.env("TRIALOGUE_DATA_DIR", home.join("data")).env("RUST_BACKTRACE", "0");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while stdout.read_line(&mut line).unwrap() > 0 {
            // libtest writes the name of the test before it, on the same line.
            if let Some((_, url)) = line.trim_end().split_once("URL ") {
                return Ok(Self { url: url.to_owned(), child, stdout });
            }
            said.push_str(&line);
            line.clear();
        }
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        child.wait().unwrap();
        Err(said)
    }

    pub(super) fn kill(mut self) {
        self.child.kill().unwrap(); // SIGKILL
        self.child.wait().unwrap();
    }

    /// Ends its standard input and waits for its orderly end.
    pub(super) fn finish(mut self) {
        drop(self.child.stdin.take());
        self.stdout.read_to_string(&mut String::new()).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

/// In a child process: owns a cluster as told, and says where it is.
#[expect(clippy::print_stdout, reason = "the test that started this process reads it")]
async fn act(role: &str) {
    let cluster = match role {
        "throwaway" => Cluster::throwaway(false).await,
        _ => Cluster::persistent().await,
    };
    let cluster = cluster.unwrap_or_else(|error| panic!("{error}"));
    let database = match role {
        "database" => Some(cluster.fresh_database("demo").await.unwrap()),
        _ => None,
    };
    let url = match &database {
        Some(database) => database.url(),
        None => cluster.own_database().await.unwrap(),
    };
    println!("URL {url}");
    let end = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    end.await.unwrap().unwrap();
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn an_owner_may_be_a_process_of_its_own() {
    if let Ok(role) = std::env::var(ROLE) {
        return act(&role).await;
    }
    let home = tempfile::tempdir().unwrap();
    let owner = Owner::start(Role::Throwaway, home.path());
    assert_eq!(text(&owner.url, "SELECT 'yes'").await, "yes");
    let folder = super::sockets(&owner.url);
    owner.finish();
    assert!(!folder.exists());
}

pub(super) fn lives(pid: u32) -> bool {
    let answer = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().unwrap();
    let status = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    !status.is_empty() && !status.starts_with('Z')
}

pub(super) fn parent(pid: u32) -> u32 {
    let answer = Command::new("ps").args(["-o", "ppid=", "-p", &pid.to_string()]).output().unwrap();
    String::from_utf8_lossy(&answer.stdout).trim().parse().unwrap()
}

pub(super) fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
}
