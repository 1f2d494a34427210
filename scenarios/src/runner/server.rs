//! The server of a run: a child process that steps may torment, or one of somebody else's.

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use trialogue_client::{Credentials, Dialect, Http, HttpConfig, Rest};
#[cfg(unix)]
use trialogue_faults::ShellProcess;
use trialogue_faults::{ServerProcess, Signal};
use url::Url;

use super::{RunConfig, RunError, Target};
use crate::actor::Wrong;
use crate::file::{DatabaseVerb, ServerVerb};

/// How long a graceful stop may take: the server promises ten seconds.
const STOP_WITHIN: Duration = Duration::from_secs(15);
/// Between two looks at whether somebody's own server serves.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What comes of something that is done to a database; the error is a sentence.
pub type Done<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// A database that steps may stop, kill and start. Whoever owns the database implements it.
pub trait Database: Debug + Send + Sync {
    /// Does it, and waits until it is done.
    fn torment(&self, verb: DatabaseVerb) -> Done<'_>;
}

/// Commands that do something to a server which the runner does not start itself, each given to
/// `sh` and waited for: `docker restart chat`.
#[derive(Debug, Clone, Default)]
pub struct Hooks {
    /// Starts it.
    pub start: Option<String>,
    /// Stops it gracefully.
    pub stop: Option<String>,
    /// Ends it without a warning.
    pub kill: Option<String>,
    /// Stops and starts it; both of these when absent.
    pub restart: Option<String>,
    /// Freezes it.
    pub pause: Option<String>,
    /// Thaws it.
    pub resume: Option<String>,
    /// Answers below 500 once it serves: `/health/ready`. Not waited for when absent.
    pub ready: Option<String>,
}

impl Hooks {
    pub(super) fn of(&self, verb: ServerVerb) -> Option<Vec<&str>> {
        let one = match verb {
            ServerVerb::Start => &self.start,
            ServerVerb::Stop => &self.stop,
            ServerVerb::Kill => &self.kill,
            ServerVerb::Pause => &self.pause,
            ServerVerb::Resume => &self.resume,
            ServerVerb::Restart => match (&self.restart, &self.stop, &self.start) {
                (None, Some(stop), Some(start)) => return Some(vec![stop, start]),
                (restart, ..) => restart,
            },
        };
        one.as_deref().map(|command| vec![command])
    }
}

/// The server of a run.
#[derive(Debug)]
pub(super) struct Server {
    url: Url,
    kind: Kind,
    within: Duration,
    database: Option<Arc<dyn Database>>,
}

#[derive(Debug)]
enum Kind {
    /// Out while somebody does something to it, so that nobody else can.
    Child(Mutex<Option<ServerProcess>>),
    #[cfg(unix)]
    Shell {
        command: String,
        ready: String,
        process: Mutex<Option<ShellProcess>>,
    },
    Hooks(Hooks),
}

impl Server {
    /// Starts a server of our own and waits until it is ready; somebody else's is just there.
    pub(super) async fn start(config: &RunConfig) -> Result<Self, RunError> {
        let within = config.server_within;
        let (url, kind) = match &config.target {
            Target::Url(url) => (url.clone(), Kind::Hooks(config.hooks.clone())),
            Target::Child(command) => {
                let child = ServerProcess::start(command, within).await?;
                let url = child.url().parse().map_err(|_| RunError::Url(child.url().to_owned()))?;
                (url, Kind::Child(Mutex::new(Some(child))))
            }
            #[cfg(unix)]
            Target::Shell { command, url, ready } => {
                let process = Mutex::new(None);
                let (command, ready) = (command.clone(), ready.clone());
                (url.clone(), Kind::Shell { command, ready, process })
            }
        };
        let server = Self { url, kind, within, database: config.database.clone() };
        #[cfg(unix)]
        if let Kind::Shell { .. } = server.kind {
            server.torment(ServerVerb::Start).await.map_err(|wrong| {
                RunError::NotServing(format!("the server of the profile: {}", wrong.got))
            })?;
        }
        Ok(server)
    }

    /// Longest wait for it to be ready again.
    pub(super) fn within(&self) -> Duration {
        self.within
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Does something to it and waits until it is done.
    pub(super) async fn torment(&self, verb: ServerVerb) -> Result<(), Wrong> {
        let done = match &self.kind {
            Kind::Child(child) => self.torment_child(child, verb).await,
            #[cfg(unix)]
            Kind::Shell { command, ready, process } => {
                self.torment_shell(command, ready, process, verb).await
            }
            Kind::Hooks(hooks) => {
                let Some(commands) = hooks.of(verb) else {
                    let got = "somebody else's, without a command for that";
                    let wrong = Wrong::new("a server that the runner started", got);
                    return Err(wrong.of(super::FailureKind::Unimplemented));
                };
                self.run_hooks(hooks, &commands, verb).await
            }
        };
        done.map_err(|got| Wrong::new("the server to obey", got))
    }

    async fn torment_child(
        &self,
        place: &Mutex<Option<ServerProcess>>,
        verb: ServerVerb,
    ) -> Result<(), String> {
        let lock = || place.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut child) = lock().take() else {
            return Err("another step is doing something to it".to_owned());
        };
        let done = match verb {
            ServerVerb::Start => child.restart(self.within).await,
            ServerVerb::Stop => child.stop(STOP_WITHIN).await.map(drop),
            ServerVerb::Kill => child.kill().await,
            ServerVerb::Pause => child.pause(),
            ServerVerb::Resume => child.resume(),
            ServerVerb::Restart => match child.stop(STOP_WITHIN).await {
                Ok(_) => child.restart(self.within).await,
                Err(error) => Err(error),
            },
        };
        *lock() = Some(child);
        done.map_err(|error| error.to_string())
    }

    #[cfg(unix)]
    async fn torment_shell(
        &self,
        command: &str,
        ready: &str,
        place: &Mutex<Option<ShellProcess>>,
        verb: ServerVerb,
    ) -> Result<(), String> {
        let lock = || place.lock().unwrap_or_else(PoisonError::into_inner);
        let signal = |signal| match lock().as_ref() {
            Some(process) => process.signal(signal).map_err(|error| error.to_string()),
            None => Err("it is not running".to_owned()),
        };
        match verb {
            ServerVerb::Pause => return signal(Signal::Pause),
            ServerVerb::Resume => return signal(Signal::Resume),
            ServerVerb::Start if lock().is_some() => return Err("it is running".to_owned()),
            ServerVerb::Kill => {
                let process = lock().take();
                return process.map(drop).ok_or_else(|| "it is not running".to_owned());
            }
            ServerVerb::Stop | ServerVerb::Restart => {
                let process = lock().take();
                let process = process.ok_or_else(|| "it is not running".to_owned())?;
                process.end(STOP_WITHIN).await;
            }
            ServerVerb::Start => {}
        }
        if verb == ServerVerb::Stop {
            return Ok(());
        }
        *lock() = Some(ShellProcess::start(command).map_err(|error| error.to_string())?);
        let runs = || match lock().as_ref() {
            Some(process) if !process.runs() => Err(format!("it ended: {}", process.said())),
            _ => Ok(()),
        };
        self.until_ready(ready, runs).await
    }

    async fn run_hooks(
        &self,
        hooks: &Hooks,
        commands: &[&str],
        verb: ServerVerb,
    ) -> Result<(), String> {
        for command in commands {
            #[cfg(unix)]
            {
                let process = ShellProcess::start(command).map_err(|error| error.to_string())?;
                let done = process.finish(self.within).await;
                done.map_err(|why| format!("`{command}` {why}"))?;
            }
            #[cfg(not(unix))]
            return Err(format!("`{command}` needs a shell"));
        }
        match (&hooks.ready, verb) {
            (Some(ready), ServerVerb::Start | ServerVerb::Restart) => {
                self.until_ready(ready, || Ok(())).await
            }
            _ => Ok(()),
        }
    }

    /// Asks until it answers, while `runs` has nothing against it.
    async fn until_ready(
        &self,
        path: &str,
        runs: impl Fn() -> Result<(), String>,
    ) -> Result<(), String> {
        let mut config = HttpConfig::new(self.url.clone());
        config.answer_timeout = self.within;
        let http = Http::new(config).map_err(|error| error.to_string())?;
        let rest = Rest::new(http, Dialect::Trialogue, Credentials::default());
        let by = Instant::now() + self.within;
        loop {
            runs()?;
            let last = match rest.raw("GET", path, None).await {
                Ok((status, _)) if status < 500 => return Ok(()),
                Ok((status, _)) => format!("it answers {status}"),
                Err(error) => error.to_string(),
            };
            if Instant::now() >= by {
                return Err(format!("{path} was not ready within {:?}: {last}", self.within));
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Does something to its database and waits until it is done.
    pub(super) async fn torment_database(&self, verb: DatabaseVerb) -> Result<(), Wrong> {
        let Some(database) = &self.database else {
            let wrong = Wrong::new("a database that the runner started", "somebody else's");
            return Err(wrong.of(super::FailureKind::Unimplemented));
        };
        let done = database.torment(verb).await;
        done.map_err(|got| Wrong::new("the database to obey", got))
    }

    /// Its last words, when it ended without being told to.
    pub(super) fn ended_by_itself(&self) -> Option<String> {
        match &self.kind {
            Kind::Child(child) => {
                let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
                let child = child.as_mut()?;
                let status = child.ended()?;
                let last_words = child.stderr_tail();
                Some(format!("the server ended by itself ({status}): {last_words}"))
            }
            #[cfg(unix)]
            Kind::Shell { process, .. } => {
                let process = process.lock().unwrap_or_else(PoisonError::into_inner);
                let process = process.as_ref().filter(|process| !process.runs())?;
                Some(format!("the server ended by itself: {}", process.said()))
            }
            Kind::Hooks(_) => None,
        }
    }

    /// Ends a server of our own, gracefully if it can.
    pub(super) async fn end(&self) {
        match &self.kind {
            Kind::Child(child) => {
                let child = child.lock().unwrap_or_else(PoisonError::into_inner).take();
                let Some(mut child) = child.filter(|child| child.pid().is_some()) else { return };
                // A paused one cannot stop by itself. It is going away: dropping kills the rest.
                _ = child.resume();
                if let Err(error) = child.stop(STOP_WITHIN).await {
                    tracing::warn!(%error, "the server did not stop by itself");
                }
            }
            #[cfg(unix)]
            Kind::Shell { process, .. } => {
                let process = process.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(process) = process {
                    // As above.
                    let _gone = process.signal(Signal::Resume);
                    process.end(STOP_WITHIN).await;
                }
            }
            Kind::Hooks(_) => {}
        }
    }
}
