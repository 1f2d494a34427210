//! How a scenario is to be played: where, as whom, and what is allowed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use trialogue_client::{Capabilities, Dialect};
use trialogue_faults::ServerCommand;
use url::Url;

use super::audience::Audience;
use super::launch::{Hooks, Launch};
use super::server::Database;
use crate::scope::Env;
use crate::secrets::Secrets;
use crate::trace::Trace;

/// Where the scenario plays.
#[derive(Debug, Clone)]
pub enum Target {
    /// A server of our own, as a child process; steps may kill it.
    Child(ServerCommand),
    /// Any command line that starts a server at a known address; steps may kill it.
    #[cfg(unix)]
    Shell {
        /// Where the server is then.
        url: Url,
        /// How it is started and ended.
        launch: Launch,
    },
    /// One that somebody else runs; steps do to it what [`RunConfig::hooks`] has a command for.
    Url(Url),
}

/// How a scenario is to be played.
#[derive(Debug, Clone)]
pub struct RunConfig {
    /// Where.
    pub target: Target,
    /// How the server speaks.
    pub dialect: Dialect,
    /// Decides everything random; the file's own, or a new one, when absent.
    pub seed: Option<u64>,
    /// What `${env.…}` reads.
    pub env: Env,
    /// Longest wait for a server of our own to be ready, or to stop.
    pub server_within: Duration,
    /// Commands that do something to a server that somebody else runs.
    pub hooks: Hooks,
    /// The server's database, where steps may do something to it.
    pub database: Option<Arc<dyn Database>>,
    /// What the server signs tokens with, where steps may make one that has expired.
    pub token_secret: Option<String>,
    /// Kills the server and starts it again before the step of this number: see
    /// [`super::boundaries`].
    pub crash_at: Option<usize>,
    /// What the server can do, where that is not all of its dialect, or more.
    pub capabilities: Option<Capabilities>,
    /// Tokens may travel to another machine without TLS.
    pub plain_http: bool,
    /// Accounts that exist at the target.
    pub accounts: Vec<KnownAccount>,
    /// Asks before every step, for somebody who looks at each.
    pub pause: Option<Pause>,
    /// Is told everything that goes over the wire.
    pub trace: Option<Trace>,
    /// Watches the actors over their own connections.
    pub audience: Option<Arc<dyn Audience>>,
    /// What no report may show; what is learned on the way joins it.
    pub secrets: Secrets,
    /// Steps may run programs of the file's own.
    pub allow_exec: bool,
    /// Nothing is begun after the step of this id but what stands under `always`.
    pub until: Option<String>,
    /// Cancelled when the run is to end early: what was started is ended then, as at its end.
    pub stop: CancellationToken,
}

/// An account of a target at which nobody can be registered.
#[derive(Clone)]
pub struct KnownAccount {
    /// Whose it is: the name of an actor, or of a role for every actor of that role.
    pub of: String,
    /// Its e-mail.
    pub email: String,
    /// Its password.
    pub password: String,
}

/// The password stays where it is.
impl std::fmt::Debug for KnownAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} as {}", self.of, self.email)
    }
}

/// Lets somebody look before each step.
#[derive(Debug, Clone)]
pub struct Pause(pub mpsc::Sender<Waiting>);

/// A step that waits to be begun.
#[derive(Debug)]
pub struct Waiting {
    /// `file:line:column`.
    pub place: String,
    /// The step in one line.
    pub words: String,
    /// It is a heading: nothing happens in it.
    pub is_heading: bool,
    /// Begins it; dropping this begins it too.
    pub go: oneshot::Sender<()>,
}

impl RunConfig {
    /// The defaults for a target.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            dialect: Dialect::Trialogue,
            seed: None,
            env: |name| std::env::var(name).ok(),
            server_within: Duration::from_secs(30),
            hooks: Hooks::default(),
            database: None,
            token_secret: None,
            crash_at: None,
            capabilities: None,
            plain_http: false,
            accounts: Vec::new(),
            pause: None,
            trace: None,
            audience: None,
            secrets: Secrets::default(),
            allow_exec: false,
            until: None,
            stop: CancellationToken::new(),
        }
    }
}
