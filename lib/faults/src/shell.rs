//! A server that somebody starts with a command line of their own, ended with all its children.
//!
//! Unlike [`crate::ServerProcess`] it says nothing when it serves: whoever needs it tries its port.
//! The command is the leader of a process group, which is ended as one: a server may well be the
//! grandchild of a package manager.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::io::{AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::lines::{Tail, next_line};

/// Between two looks at a command that was asked to stop.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long the last words of what was ended may take to arrive.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(2);

/// A command line that runs.
#[derive(Debug)]
pub struct ShellProcess {
    child: Child,
    group: Pid,
    said: Tail,
    /// Both outputs, read for as long as anybody has them open.
    outputs: JoinSet<()>,
    ended: bool,
}

impl ShellProcess {
    /// Hands `command` to `sh`. Its input is empty, what it prints is kept in part.
    ///
    /// # Errors
    /// When there is no shell.
    pub fn start(command: &str) -> io::Result<Self> {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(command).process_group(0).kill_on_drop(true);
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = shell.spawn()?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        let group = pid.ok_or(io::ErrorKind::NotFound)?;
        let (said, mut outputs) = (Tail::default(), JoinSet::new());
        if let Some(stdout) = child.stdout.take() {
            outputs.spawn(keep(stdout, said.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            outputs.spawn(keep(stderr, said.clone()));
        }
        Ok(Self { child, group, said, outputs, ended: false })
    }

    /// Whether the command itself still runs; its children may, when it does not.
    #[must_use]
    pub fn runs(&self) -> bool {
        // The system must not forget it before its group is ended: its number stays theirs.
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(self.group), look) {
            Ok(status) => status.is_none(),
            Err(Errno::INTR) => true,
            Err(_) => false,
        }
    }

    /// Tells the whole group something.
    ///
    /// # Errors
    /// The group is gone, or the system refuses.
    pub fn signal(&self, signal: crate::Signal) -> io::Result<()> {
        Ok(kill_process_group(self.group, signal.number())?)
    }

    /// Waits until the command is over by itself, and leaves what it has started: it may have been
    /// told to start something. After `within` everything is killed.
    ///
    /// # Errors
    /// What came of it instead of success, with its last words: `failed (exit status: 1): …`.
    pub async fn finish(mut self, within: Duration) -> Result<(), String> {
        let Ok(status) = timeout(within, self.child.wait()).await else {
            return Err(format!("was not over within {within:?}: {}", self.said.text()));
        };
        self.ended = true;
        let status = status.map_err(|error| error.to_string())?;
        if status.success() {
            return Ok(());
        }
        let read = async { while self.outputs.join_next().await.is_some() {} };
        let _read = timeout(LAST_WORDS_WITHIN, read).await;
        Err(format!("failed ({status}): {}", self.said.text().trim_end()))
    }

    /// The last lines that it or its children printed.
    #[must_use]
    pub fn said(&self) -> String {
        self.said.text()
    }

    /// Asks the whole group to stop (SIGTERM), and kills what is left of it when the command is
    /// gone, or after `within`. Answers the last lines that they printed.
    pub async fn end(self, within: Duration) -> String {
        let _gone = kill_process_group(self.group, Signal::TERM);
        self.end_quietly(within).await
    }

    /// The same of a group that was asked already.
    pub async fn end_quietly(mut self, within: Duration) -> String {
        let by = Instant::now() + within;
        while self.runs() && Instant::now() < by {
            sleep(LOOK_EVERY).await;
        }
        self.kill();
        let _status = self.child.wait().await;
        // A process that has left the group may hold an output open: the wait is bounded.
        let read = async { while self.outputs.join_next().await.is_some() {} };
        let _read = timeout(LAST_WORDS_WITHIN, read).await;
        self.said.text()
    }

    /// Of a command that is over: how, and the last lines that it and whatever it had started
    /// printed, which is killed: `exit status: 3: no config`. The lines are read to their end.
    pub async fn last_words(mut self) -> String {
        self.kill();
        let status = match self.child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        let read = async { while self.outputs.join_next().await.is_some() {} };
        let _read = timeout(LAST_WORDS_WITHIN, read).await;
        let said = self.said.text();
        let said = said.trim_end().lines().collect::<Vec<_>>().join(" | ");
        if said.is_empty() { status } else { format!("{status}: {said}") }
    }

    fn kill(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            let _gone = kill_process_group(self.group, Signal::KILL);
        }
    }
}

impl Drop for ShellProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn keep(output: impl AsyncRead + Unpin, said: Tail) {
    let mut output = BufReader::new(output);
    while let Some(line) = next_line(&mut output).await {
        said.push(line);
    }
}
