//! A server as a child process: started until it says that it is ready, and then tormented.
//!
//! A child never outlives its owner. While the owner lives, dropping [`ServerProcess`] kills it.
//! When the owner is killed, the pipe to the child's stdin closes; a server that is started with
//! a flag to that effect takes it as the order to exit. The child has a process group of its own:
//! an interrupt at the terminal reaches the owner alone, and a paused child whose owner died is
//! woken and hung up by the system, because its group is orphaned.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde::Deserialize;
use tokio::io::BufReader;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::lines::{Tail, next_line};
use crate::signal::{Signal, send_signal};

/// Stands in an argument of a [`ServerCommand`] for the address to listen on: `127.0.0.1:0` at
/// the first start, the address of the first start afterwards.
pub const LISTEN: &str = "{listen}";

/// Where a server listens that is started for the first time: the system chooses the port.
const LISTEN_ANYWHERE: &str = "127.0.0.1:0";
/// How often a restart is tried while something else holds the port. A connection attempt to a
/// dead port of the ephemeral range may hold it for a moment.
const RESTART_ATTEMPTS_MAX: u32 = 8;
/// Between two attempts of a restart.
const RESTART_PAUSE: Duration = Duration::from_millis(100);
/// How long a killed process may take to disappear.
const REAP_WITHIN: Duration = Duration::from_secs(5);
/// How long the last words of a child that exited may take to arrive.
const LAST_WORDS_WITHIN: Duration = Duration::from_millis(500);

/// How to start a server.
///
/// On its stdout it prints, once it serves, a line of JSON `{"type":"ready","url":"http://..."}`.
#[derive(Clone)]
pub struct ServerCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments; [`LISTEN`] in one of them is replaced.
    pub args: Vec<String>,
    /// Variables added to the environment (`Some`) or taken out of it (`None`).
    pub env: Vec<(String, Option<String>)>,
}

impl ServerCommand {
    /// `program` with `args` in the environment of the owner.
    pub fn new<I, S>(program: impl Into<PathBuf>, args: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        let args = args.into_iter().map(Into::into).collect();
        Self { program: program.into(), args, env: Vec::new() }
    }

    /// Adds a variable to the environment. For secrets: arguments are visible to everybody.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), Some(value.to_owned())));
        self
    }

    /// Hides a variable of the owner's environment.
    #[must_use]
    pub fn without_env(mut self, name: &str) -> Self {
        self.env.push((name.to_owned(), None));
        self
    }

    fn build(&self, listen: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(self.args.iter().map(|arg| arg.replace(LISTEN, listen)));
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        command
    }
}

/// Values of the environment may be secrets: only the names are shown.
impl fmt::Debug for ServerCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.env.iter().map(|(name, _)| name).collect();
        f.debug_struct("ServerCommand")
            .field("program", &self.program)
            .field("args", &self.args)
            .field("env", &names)
            .finish()
    }
}

/// How a server ended before it was ready.
#[derive(Debug)]
pub struct ExitedEarly {
    /// What the system says.
    pub status: ExitStatus,
    /// Its last lines on stderr.
    pub stderr: String,
}

/// Why a server could not be started, stopped or paused.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The program does not run at all.
    #[error("cannot start {}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It ended before it was ready.
    #[error("server ended before it was ready ({}){}", .0.status, quoted(&.0.stderr))]
    Exited(Box<ExitedEarly>),
    /// It was not ready in time.
    #[error("server was not ready within {within:?}{}", quoted(stderr))]
    NotReady {
        /// The time it had.
        within: Duration,
        /// Its last lines on stderr.
        stderr: String,
    },
    /// It did not stop in time and was killed.
    #[error("server did not stop within {within:?} and was killed{}", quoted(stderr))]
    NotStopped {
        /// The time it had.
        within: Duration,
        /// Its last lines on stderr.
        stderr: String,
    },
    /// It is not running.
    #[error("server is not running")]
    NotRunning,
    /// It is running already.
    #[error("server is running already")]
    Running,
    /// The system refuses.
    #[error("cannot signal the server")]
    Signal(#[source] io::Error),
}

/// Lines of a failed server that its error quotes: a panic takes three.
const LAST_WORDS_LINES: usize = 3;

/// The end of what it said, as one line: errors are one sentence.
fn quoted(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(LAST_WORDS_LINES)..];
    if last.is_empty() { String::new() } else { format!("; its last words: {}", last.join(" / ")) }
}

/// The line that says that a server serves.
#[derive(Deserialize)]
struct ReadyLine {
    #[serde(rename = "type")]
    kind: String,
    url: String,
}

/// A server that was started, and is running, paused or dead.
#[derive(Debug)]
pub struct ServerProcess {
    command: ServerCommand,
    url: String,
    running: Option<Running>,
    stderr: Tail,
}

#[derive(Debug)]
struct Running {
    child: Child,
    pid: u32,
    /// Open for as long as the owner lives: see the module.
    _stdin: Option<ChildStdin>,
}

impl ServerProcess {
    /// Starts a server on a free port and waits until it is ready, at most `within`.
    pub async fn start(command: &ServerCommand, within: Duration) -> Result<Self, ServerError> {
        let stderr = Tail::default();
        let (running, url) = launch(command, LISTEN_ANYWHERE, within, &stderr).await?;
        Ok(Self { command: command.clone(), url, running: Some(running), stderr })
    }

    /// Where it serves, as its ready line says; stays the same over restarts.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Process id; `None` while it does not run.
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.pid)
    }

    /// Its last lines on stderr, over all starts.
    pub fn stderr_tail(&self) -> String {
        self.stderr.text()
    }

    /// How it ended, when it ended by itself since it was last looked at.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.running.as_mut()?.child.try_wait().ok().flatten()?;
        self.running = None;
        Some(status)
    }

    /// Kills it without a warning (SIGKILL) and waits until the system has forgotten it.
    pub async fn kill(&mut self) -> Result<(), ServerError> {
        let mut running = self.running.take().ok_or(ServerError::NotRunning)?;
        reap(&mut running.child).await
    }

    /// Asks it to stop (SIGTERM); kills it when it takes longer than `within`.
    pub async fn stop(&mut self, within: Duration) -> Result<ExitStatus, ServerError> {
        self.send(Signal::Stop)?;
        self.wait(within).await
    }

    /// Waits until it ends by itself; kills it when it takes longer than `within`.
    pub async fn wait(&mut self, within: Duration) -> Result<ExitStatus, ServerError> {
        let mut running = self.running.take().ok_or(ServerError::NotRunning)?;
        match timeout(within, running.child.wait()).await {
            Ok(status) => status.map_err(ServerError::Signal),
            Err(_) => {
                reap(&mut running.child).await?;
                Err(ServerError::NotStopped { within, stderr: self.stderr.text() })
            }
        }
    }

    /// Sends it a signal and waits for nothing: for a second [`Signal::Stop`], for example.
    pub fn send(&self, signal: Signal) -> Result<(), ServerError> {
        let pid = self.pid().ok_or(ServerError::NotRunning)?;
        send_signal(pid, signal).map_err(ServerError::Signal)
    }

    /// Freezes it (SIGSTOP): its sockets stay open and answer nothing.
    pub fn pause(&mut self) -> Result<(), ServerError> {
        self.send(Signal::Pause)
    }

    /// Thaws it (SIGCONT).
    pub fn resume(&mut self) -> Result<(), ServerError> {
        self.send(Signal::Resume)
    }

    /// Starts it again at the address that it had, and waits until it is ready.
    pub async fn restart(&mut self, within: Duration) -> Result<(), ServerError> {
        if self.running.is_some() {
            return Err(ServerError::Running);
        }
        let deadline = Instant::now() + within;
        let address = address_of(&self.url).to_owned();
        let mut attempt = 1;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match launch(&self.command, &address, left, &self.stderr).await {
                Ok((running, url)) => {
                    self.url = url;
                    self.running = Some(running);
                    return Ok(());
                }
                Err(ServerError::Exited(_)) if attempt < RESTART_ATTEMPTS_MAX => {
                    attempt += 1;
                    sleep_until((Instant::now() + RESTART_PAUSE).min(deadline)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

async fn reap(child: &mut Child) -> Result<(), ServerError> {
    match timeout(REAP_WITHIN, child.kill()).await {
        Ok(result) => result.map_err(ServerError::Signal),
        Err(_) => Err(ServerError::Signal(io::Error::from(io::ErrorKind::TimedOut))),
    }
}

async fn launch(
    command: &ServerCommand,
    listen: &str,
    within: Duration,
    stderr: &Tail,
) -> Result<(Running, String), ServerError> {
    let deadline = Instant::now() + within;
    let spawn_error = |source| ServerError::Spawn { program: command.program.clone(), source };
    let mut child = command.build(listen).spawn().map_err(spawn_error)?;
    let no_pipe = || spawn_error(io::Error::from(io::ErrorKind::BrokenPipe));
    let pid = child.id().ok_or_else(no_pipe)?;
    let mut stdout = BufReader::new(child.stdout.take().ok_or_else(no_pipe)?);
    let mut errors = BufReader::new(child.stderr.take().ok_or_else(no_pipe)?);
    let tail = stderr.clone();
    let last_words = tokio::spawn(async move {
        while let Some(line) = next_line(&mut errors).await {
            tail.push(line);
        }
    });
    let ready = async {
        while let Some(line) = next_line(&mut stdout).await {
            if let Some(url) = ready_url(&line) {
                return Some(url);
            }
        }
        None
    };
    match timeout_at(deadline, ready).await {
        Ok(Some(url)) => {
            tokio::spawn(async move { while next_line(&mut stdout).await.is_some() {} });
            let stdin = child.stdin.take();
            Ok((Running { child, pid, _stdin: stdin }, url))
        }
        Ok(None) => match timeout(REAP_WITHIN, child.wait()).await {
            Ok(Ok(status)) => {
                // A grandchild may hold stderr open: the wait for the last words is bounded.
                _ = timeout(LAST_WORDS_WITHIN, last_words).await;
                Err(ServerError::Exited(Box::new(ExitedEarly { status, stderr: stderr.text() })))
            }
            // It closed its stdout and lives on: it will never say that it is ready.
            Ok(Err(_)) | Err(_) => Err(ServerError::NotReady { within, stderr: stderr.text() }),
        },
        Err(_) => Err(ServerError::NotReady { within, stderr: stderr.text() }),
    }
}

fn ready_url(line: &str) -> Option<String> {
    let line: ReadyLine = serde_json::from_str(line).ok()?;
    (line.kind == "ready").then(|| line.url.trim_end_matches('/').to_owned())
}

/// `127.0.0.1:4000` of `http://127.0.0.1:4000/`.
fn address_of(url: &str) -> &str {
    let address = url.split_once("://").map_or(url, |(_, rest)| rest);
    address.split_once('/').map_or(address, |(address, _)| address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ready_line_names_the_url() {
        let check = |line, expect: Option<&str>| assert_eq!(ready_url(line).as_deref(), expect);
        check(r#"{"type":"ready","url":"http://127.0.0.1:7"}"#, Some("http://127.0.0.1:7"));
        check(r#"{"type":"ready","url":"http://[::1]:7/","x":1}"#, Some("http://[::1]:7"));
        check(r#"{"type":"log","url":"http://127.0.0.1:7"}"#, None);
        check("listening", None);
    }

    #[test]
    fn an_address_is_the_url_without_scheme_and_path() {
        assert_eq!(address_of("http://127.0.0.1:40/a/b"), "127.0.0.1:40");
        assert_eq!(address_of("http://[::1]:40"), "[::1]:40");
    }

    #[test]
    fn secrets_of_the_environment_are_not_shown() {
        let command = ServerCommand::new("x", ["serve"]).env("DATABASE_URL", "hunter2");
        let shown = format!("{command:?}");
        assert!(shown.contains("DATABASE_URL") && !shown.contains("hunter2"), "{shown}");
    }
}
