//! The server of a run: a child process that steps may torment, or one of somebody else's.

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use trialogue_client::{Credentials, Dialect, Http, HttpConfig, Rest};
#[cfg(unix)]
use trialogue_faults::ShellProcess;
use trialogue_faults::{ServerProcess, Signal};
use url::Url;

use super::launch::{Ending, Hooks, Launch};
use super::{RunConfig, RunError, Target};
use crate::actor::Wrong;
use crate::file::{DatabaseVerb, ServerVerb};

/// How long a graceful stop may take: the server promises ten seconds.
const STOP_WITHIN: Duration = Duration::from_secs(15);
/// How long the address of a server that was ended may stay taken.
const FREE_WITHIN: Duration = Duration::from_secs(2);
/// How long it may take to bring back somebody's own server at the end of a run.
const BACK_WITHIN: Duration = Duration::from_secs(15);
/// Between two looks at whether a server serves, or is gone.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What comes of something that is done to a database; the error is a sentence.
pub type Done<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// A database that steps may stop, kill and start. Whoever owns the database implements it.
pub trait Database: Debug + Send + Sync {
    /// Does it, and waits until it is done.
    fn torment(&self, verb: DatabaseVerb) -> Done<'_>;
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
    Shell { launch: Launch, process: Mutex<Option<ShellProcess>> },
    Hooks {
        hooks: Hooks,
        /// What took it down last, where nothing has brought it back since.
        down: Mutex<Option<ServerVerb>>,
    },
}

impl Server {
    /// Starts a server of our own and waits until it is ready; somebody else's is just there.
    pub(super) async fn start(config: &RunConfig) -> Result<Self, RunError> {
        let mut within = config.server_within;
        let (url, kind) = match &config.target {
            Target::Url(url) => {
                within = config.hooks.within.unwrap_or(within);
                let hooks = config.hooks.clone();
                (url.clone(), Kind::Hooks { hooks, down: Mutex::default() })
            }
            Target::Child(command) => {
                let child = ServerProcess::start(command, within).await?;
                let url = child.url().parse().map_err(|_| RunError::Url(child.url().to_owned()))?;
                (url, Kind::Child(Mutex::new(Some(child))))
            }
            #[cfg(unix)]
            Target::Shell { url, launch } => {
                within = launch.within.unwrap_or(within);
                let (launch, process) = (launch.clone(), Mutex::new(None));
                (url.clone(), Kind::Shell { launch, process })
            }
        };
        let server = Self { url, kind, within, database: config.database.clone() };
        #[cfg(unix)]
        if let Kind::Shell { .. } = server.kind {
            let started = tokio::select! {
                started = server.torment(ServerVerb::Start) => started.map_err(|wrong| {
                    RunError::NotServing(format!("the server of the profile: {}", wrong.got))
                }),
                () = config.stop.cancelled() => Err(RunError::Stopped),
            };
            if let Err(error) = started {
                server.end().await;
                return Err(error);
            }
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
            Kind::Shell { launch, process } => self.torment_shell(launch, process, verb).await,
            Kind::Hooks { hooks, down } => {
                let Some(commands) = hooks.of(verb) else {
                    let got = "somebody else's, without a command for that";
                    let wrong = Wrong::new("a server that the runner started", got);
                    return Err(wrong.of(super::FailureKind::Unimplemented));
                };
                let lock = || down.lock().unwrap_or_else(PoisonError::into_inner);
                // Before it is done: whoever ends the run in the middle of it leaves it like that.
                let before = match verb {
                    ServerVerb::Start | ServerVerb::Resume => *lock(),
                    _ => lock().replace(verb),
                };
                let done = self.run_hooks(hooks, &commands, verb).await;
                match (&done, verb) {
                    (Ok(()), ServerVerb::Start | ServerVerb::Restart | ServerVerb::Resume) => {
                        *lock() = None;
                    }
                    (Err(_), ServerVerb::Stop | ServerVerb::Kill | ServerVerb::Pause) => {
                        *lock() = before;
                    }
                    _ => {}
                }
                done
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
        launch: &Launch,
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
            ServerVerb::Kill | ServerVerb::Stop | ServerVerb::Restart => {
                let process = lock().take();
                let process = process.ok_or_else(|| "it is not running".to_owned())?;
                let how = if verb == ServerVerb::Kill { &launch.kill } else { &launch.stop };
                self.end_as(how, process).await?;
            }
            ServerVerb::Start => {}
        }
        if matches!(verb, ServerVerb::Kill | ServerVerb::Stop) {
            return Ok(());
        }
        self.until_free().await?;
        *lock() = Some(ShellProcess::start(&launch.start).map_err(|error| error.to_string())?);
        let runs = || match lock().as_ref() {
            Some(process) if !process.runs() => Err(String::new()),
            _ => Ok(()),
        };
        let Err(why) = self.until_ready(&launch.ready, runs).await else { return Ok(()) };
        let process = lock().take();
        Err(match process {
            Some(process) if !process.runs() => format!("it ended: {}", process.last_words().await),
            Some(process) => {
                let said = in_a_line(&process.said());
                *lock() = Some(process);
                format!("{why}; it said: {said}")
            }
            None => why,
        })
    }

    /// Waits until nobody has the address any more: whoever is killed may let go of it a moment
    /// later, and whoever keeps it is another server.
    #[cfg(unix)]
    async fn until_free(&self) -> Result<(), String> {
        let addresses = self.url.socket_addrs(|| None).map_err(|error| error.to_string())?;
        let Some(address) = addresses.first() else { return Ok(()) };
        let by = Instant::now() + FREE_WITHIN;
        while TcpStream::connect(address).await.is_ok() {
            if Instant::now() >= by {
                return Err(format!("another server is at {address} already"));
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Ends it as the profile says, and then whatever is left of it.
    #[cfg(unix)]
    async fn end_as(&self, how: &Ending, process: ShellProcess) -> Result<(), String> {
        let done = match how {
            Ending::Signal(signal) => process.signal(*signal).map_err(|error| error.to_string()),
            Ending::Command(command) => self.run_command(command).await,
        };
        process.end_quietly(STOP_WITHIN).await;
        done
    }

    #[cfg(unix)]
    async fn run_command(&self, command: &str) -> Result<(), String> {
        let process = ShellProcess::start(command).map_err(|error| error.to_string())?;
        let done = process.finish(self.within).await;
        done.map_err(|why| format!("`{command}` {why}"))
    }

    async fn run_hooks(
        &self,
        hooks: &Hooks,
        commands: &[&str],
        verb: ServerVerb,
    ) -> Result<(), String> {
        for command in commands {
            #[cfg(unix)]
            self.run_command(command).await?;
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

    /// Its routes, for nobody in particular.
    pub(super) fn rest(&self, answer_timeout: Duration) -> Result<Rest, String> {
        let config = HttpConfig { answer_timeout, ..HttpConfig::new(self.url.clone()) };
        let http = Http::new(config).map_err(|error| error.to_string())?;
        Ok(Rest::new(http, Dialect::Trialogue, Credentials::default()))
    }

    /// Asks until it answers, while `runs` has nothing against it.
    async fn until_ready(
        &self,
        path: &str,
        runs: impl Fn() -> Result<(), String>,
    ) -> Result<(), String> {
        let rest = self.rest(self.within)?;
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

    /// Brings somebody else's server back that a step has taken down, whatever kept the rest of the
    /// file from doing it.
    async fn bring_back(&self, hooks: &Hooks, down: Option<ServerVerb>) {
        let verb = match down {
            None => return,
            Some(ServerVerb::Pause) => ServerVerb::Resume,
            Some(_) => ServerVerb::Start,
        };
        let done = match hooks.of(verb) {
            Some(commands) => {
                let done = timeout(BACK_WITHIN, self.run_hooks(hooks, &commands, verb)).await;
                done.unwrap_or_else(|_| Err(format!("it was not back within {BACK_WITHIN:?}")))
            }
            None => Err("there is no command for that".to_owned()),
        };
        if let Err(why) = done {
            tracing::warn!(%why, "the server that a step took down was not brought back");
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

    /// Whether it is one that the runner has started and no step has ended.
    pub(super) fn is_up(&self) -> bool {
        match &self.kind {
            Kind::Child(child) => {
                let child = child.lock().unwrap_or_else(PoisonError::into_inner);
                child.as_ref().is_some_and(|child| child.pid().is_some())
            }
            #[cfg(unix)]
            Kind::Shell { process, .. } => {
                process.lock().unwrap_or_else(PoisonError::into_inner).is_some()
            }
            Kind::Hooks { .. } => false,
        }
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
            Kind::Hooks { .. } => None,
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
            Kind::Shell { launch, process } => {
                let process = process.lock().unwrap_or_else(PoisonError::into_inner).take();
                let Some(process) = process else { return };
                // As above.
                let _gone = process.signal(Signal::Resume);
                if let Err(error) = self.end_as(&launch.stop, process).await {
                    tracing::warn!(%error, "the server did not stop by itself");
                }
            }
            Kind::Hooks { hooks, down } => {
                let down = down.lock().unwrap_or_else(PoisonError::into_inner).take();
                self.bring_back(hooks, down).await;
            }
        }
    }
}

/// Lines as a part of a sentence.
#[cfg(unix)]
fn in_a_line(text: &str) -> String {
    text.trim_end().lines().collect::<Vec<_>>().join(" | ")
}
