//! Plays a scenario: steps in order, each verified before it is shown, every wait bounded.

mod accounts;
mod audience;
mod config;
mod crash;
mod delivered;
mod emits;
mod events;
mod exec;
mod expect;
mod failing;
mod judge;
mod launch;
mod lines;
mod links;
mod nameless;
mod needs;
mod observe;
mod patience;
mod play;
mod requests;
mod server;
mod show;
mod show_faults;
mod stage;
mod steps;
mod verbs;
mod words;

use std::time::Duration;

use trialogue_report::diagram::{Lane, Row};

use crate::file::{ActorId, Scenario};
use crate::secrets::Secrets;

pub use accounts::known_of;
pub use audience::{Audience, Entrance, Looking, Seen};
pub use config::{KnownAccount, Pause, RunConfig, Target, Waiting};
pub use crash::boundaries;
pub use launch::{Ending, Hooks, Launch};
pub use needs::lacking_at_all;
pub use observe::{Came, Observer, StepDone, steps_in, untouched_steps};
use server::Server;
pub use server::{Database, Done};
use stage::Stage;

/// Of what kind something is that did not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailureKind {
    /// What came is not what was expected.
    #[default]
    Differs,
    /// Nothing that fits came in time.
    TimedOut,
    /// The server refused what it should have done.
    Refused,
    /// A check over the whole run found something wrong.
    Broken,
    /// A check over the whole run has too little to go by: no proof, and so not green.
    Unknown,
    /// This target cannot do it.
    Unimplemented,
}

impl FailureKind {
    /// In a word, for reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Differs => "differs",
            Self::TimedOut => "timed-out",
            Self::Refused => "refused",
            Self::Broken => "broken",
            Self::Unknown => "unknown",
            Self::Unimplemented => "unimplemented",
        }
    }
}

impl From<FailureKind> for Came {
    fn from(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Unknown => Self::Unknown,
            FailureKind::Unimplemented => Self::Unimplemented,
            FailureKind::Differs
            | FailureKind::TimedOut
            | FailureKind::Refused
            | FailureKind::Broken => Self::Broken,
        }
    }
}

/// Something that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Of what kind it is.
    pub kind: FailureKind,
    /// `file:line:column`.
    pub place: String,
    /// The line with a caret under the step.
    pub excerpt: String,
    /// What was being done or checked.
    pub what: String,
    /// What was expected.
    pub expected: String,
    /// What came instead.
    pub got: String,
    /// The last things that the actors concerned saw, theirs first.
    pub context: Vec<String>,
    /// The actors at whom it did not hold; nobody where that is not known.
    pub who: Vec<ActorId>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let came_to = if self.kind == FailureKind::Unknown { "is unknown" } else { "did not hold" };
        writeln!(f, "{}: {} {came_to}", self.place, self.what)?;
        writeln!(f, "{}", self.excerpt)?;
        writeln!(f, "   expected  {}", self.expected)?;
        write!(f, "   got       {}", self.got)?;
        for line in &self.context {
            write!(f, "\n   {line}")?;
        }
        Ok(())
    }
}

/// How long a server that was killed was missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// From the kill to the start.
    pub down: Duration,
    /// From the moment when the server was ready again until the last actor was back in all of
    /// its chats.
    pub took: Duration,
    /// Attempts that failed, over all actors.
    pub failed_attempts: u64,
}

/// What came of one of the things that are judged at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Its word in the file.
    pub name: String,
    /// What it promises, for people.
    pub promise: String,
    /// `file:line:column` of it.
    pub place: String,
    /// What came of it.
    pub came: Came,
    /// Why, when it did not hold; may have several lines.
    pub why: String,
}

/// What came of a run.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Steps and checks that held.
    pub held: usize,
    /// Steps and checks of the file.
    pub of: usize,
    /// Messages that were handed over.
    pub sent: usize,
    /// Messages of which the server said that they are stored.
    pub stored: usize,
    /// Messages that were shown to somebody, each counted once per person.
    pub delivered: usize,
    /// From the sender's hand to the last reader's screen, slowest message that was live.
    pub slowest: Option<Duration>,
    /// The last recovery.
    pub recovery: Option<Recovery>,
    /// How long it took.
    pub took: Duration,
    /// What decided everything random.
    pub seed: u64,
    /// Every step of the file, in its order.
    pub steps: Vec<StepDone>,
    /// What was judged at the end.
    pub verdicts: Vec<Verdict>,
    /// Everything that did not hold.
    pub failures: Vec<Failure>,
}

/// Why a scenario could not be played at all.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The server of our own did not start.
    #[error("the server did not start")]
    Server(#[from] trialogue_faults::ServerError),
    /// Its ready line names no URL.
    #[error("the server says it is at `{0}`, which is no URL")]
    Url(String),
    /// An account in the file cannot be filled in.
    #[error("{place}: {message}")]
    Account {
        /// `file:line:column`.
        place: String,
        /// A sentence.
        message: String,
    },
    /// An account cannot be made.
    #[error("{name} cannot be registered: {why}")]
    Registration {
        /// Who.
        name: String,
        /// A sentence.
        why: String,
    },
    /// There is no such step to crash before.
    #[error("there is no step {asked} to crash before: {of} steps do something")]
    NoStep {
        /// From 1.
        asked: usize,
        /// How many there are.
        of: usize,
    },
    /// No proxy can stand between.
    #[error("`network` steps need a target such as http://127.0.0.1:3000, not `{0}`")]
    NotCarried(String),
    /// A proxy cannot listen.
    #[error("cannot listen for an actor")]
    Proxy(#[source] std::io::Error),
    /// A server of somebody's command line does not serve.
    #[error("{0}")]
    NotServing(String),
    /// It was told to end.
    #[error("told to end")]
    Stopped,
    /// A client cannot be made.
    #[error("a client for this server cannot be made")]
    Client(#[from] trialogue_client::Error),
}

/// Plays a scenario and tells the observer everything as it happens.
///
/// Whatever comes of it, nothing is left: connections are closed, a server that was started is
/// stopped, and one of somebody else's that a step took down is started, before this answers. Where
/// [`RunConfig::stop`] ends it early, what stands under `always` is still done, for 5 s at most.
/// When the future is dropped, what was started ends with it.
pub async fn run(
    scenario: &Scenario,
    config: RunConfig,
    observer: &mut dyn Observer,
) -> Result<Report, RunError> {
    if let Some(why) = needs::lacking_at_all(scenario, &config) {
        return Ok(observe::unimplemented(scenario, &why));
    }
    let (stop, secrets) = (config.stop.clone(), config.secrets.clone());
    let server = Server::start(&config).await.map_err(|error| error.hidden(&secrets))?;
    let set = async {
        let stage = Stage::set(scenario, config, &server, observer).await?;
        stage.provision().await?;
        Ok(stage)
    };
    let stage = tokio::select! {
        stage = set => stage,
        () = stop.cancelled() => Err(RunError::Stopped),
    };
    let played = match stage {
        Ok(stage) => stage.play().await,
        Err(error) => Err(error),
    };
    server.end().await;
    played.map_err(|error: RunError| error.hidden(&secrets))
}

impl RunError {
    /// The same without secrets in what others said.
    fn hidden(self, secrets: &Secrets) -> Self {
        match self {
            Self::NotServing(why) => Self::NotServing(secrets.hide(&why)),
            Self::Registration { name, why } => {
                Self::Registration { name, why: secrets.hide(&why) }
            }
            Self::Account { place, message } => {
                Self::Account { place, message: secrets.hide(&message) }
            }
            other => other,
        }
    }
}

/// Everybody who has a lane: the actors in the order of the file, the server, its database.
pub fn cast(scenario: &Scenario) -> Vec<Lane> {
    let mut cast: Vec<Lane> = scenario
        .actors
        .iter()
        .map(|actor| {
            let name = &actor.name.name;
            let title = title(name);
            let role = actor.role.short();
            let detail = if name == role { String::new() } else { format!("({role})") };
            Lane::new(title, detail)
        })
        .collect();
    cast.push(Lane::new("Backend", "Server"));
    cast.push(Lane::new("Database", "(PostgreSQL)"));
    cast
}

/// `Customer`, `Crowd 1`; of the names only `lsm` is an abbreviation.
fn title(name: &str) -> String {
    let word = |(n, word): (usize, &str)| match (word, n) {
        ("lsm", _) => "LSM".to_owned(),
        (word, 0) => {
            let mut chars = word.chars();
            chars
                .next()
                .map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
        }
        (word, _) => word.to_owned(),
    };
    name.split('_').enumerate().map(word).collect::<Vec<_>>().join(" ")
}

/// Rows as they come; for callers that only want to look at them afterwards.
impl Observer for Vec<Row> {
    fn row(&mut self, row: &Row) {
        self.push(row.clone());
    }
}
