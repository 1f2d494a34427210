//! The format: what a scenario file says, as types. `read` makes them of a file.
//!
//! Texts may hold `${...}`, so they stay [`Node`]s until the step runs that needs them.

mod actors;
mod alone;
mod beside;
mod doubts;
mod environment;
mod faults;
mod fields;
pub mod flow;
mod fragments;
mod judged;
mod launch;
mod names;
mod nested;
mod nodes;
mod order;
mod patterns;
mod profile;
mod quantity;
mod races;
mod repeats;
mod requests;
mod scenario;
mod steps;
mod tidy;
mod verbs;
mod words;

use std::sync::Arc;
use std::time::Duration;

use trialogue_protocol::Role;

use crate::path::JsonPath;
use crate::source::{Source, Span};
use crate::yaml::{Key, Node};

pub use alone::{is_fragment, read_fragment};
pub use doubts::warnings;
pub use environment::unset;
pub use judged::{Chain, Checks, Delivery, Moment, Part};
pub use profile::{Profile, profile_schema, read_profile};
use races::races;
pub use scenario::{Load, read, read_with};
pub use tidy::tidy;
pub use words::{
    DatabaseVerb, Method, Network, NetworkCut, Refuse, ServerVerb, StateWord, TokenVerb, Via,
};

/// A whole file.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The file.
    pub source: Arc<Source>,
    /// Its own name, as `run NAME` takes it.
    pub name: String,
    /// One sentence.
    pub description: String,
    /// Words to select by.
    pub tags: Vec<String>,
    /// Name of the target profile.
    pub target: Option<String>,
    /// Longest time that the whole scenario may take.
    pub timeout: Duration,
    /// Where everything random comes from, when the file fixes it.
    pub seed: Option<u64>,
    /// Names of variables, values and saves that no report may show, besides those that say so.
    pub secrets: Vec<String>,
    /// Values for `${name}`.
    pub vars: Vec<(Key, Node)>,
    /// What steps and actors take when they say nothing.
    pub defaults: Defaults,
    /// Who takes part.
    pub actors: Vec<Actor>,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// What happens at the end, even after a failure.
    pub always: Vec<Step>,
    /// Chains of moments that must have come one after the other.
    pub order: Vec<Chain>,
    /// What must hold over everything that was recorded.
    pub check: Checks,
}

/// What steps and actors take when they say nothing.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// Longest time that one step may take.
    pub within: Duration,
    /// How actors connect.
    pub transport: Transport,
    /// How actors come back.
    pub reconnect: Reconnect,
}

/// How an actor connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// WebSocket from the first byte.
    Websocket,
    /// Long polling only.
    Polling,
    /// Polling first, then WebSocket, as browsers do.
    PollingUpgrade,
}

/// How an actor comes back after a lost connection: what the file says of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reconnect {
    /// Longest delay before the first retry.
    pub delay: Option<Duration>,
    /// Longest delay before any retry.
    pub max: Option<Duration>,
    /// Shortest delay before any retry.
    pub min: Option<Duration>,
    /// How much of a delay is left to chance, in hundredths.
    pub jitter_percent: Option<u8>,
    /// After so many retries that failed nobody tries any more.
    pub attempts: Option<u32>,
}

/// One person, with a connection and an inbox of its own.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The name in the file.
    pub name: Key,
    /// As what it registers and appears.
    pub role: Role,
    /// E-mail of an account that exists; without it, the runner registers a fresh one.
    pub user: Option<Node>,
    /// Its password.
    pub password: Option<Node>,
    /// How it comes back, where it differs from the defaults.
    pub reconnect: Reconnect,
    /// Messages sent while offline wait for the connection instead of failing.
    pub outbox: bool,
    /// Another device of this actor: the same account, a connection and an inbox of its own.
    pub device_of: Option<ActorId>,
}

/// An actor by its place in [`Scenario::actors`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActorId(pub usize);

/// Something that happens.
#[derive(Debug, Clone)]
pub struct Step {
    /// Where it stands in the file.
    pub span: Span,
    /// Which of all the steps of the file it is, those of fragments included.
    pub number: usize,
    /// Where its verb stands: what a message points at.
    pub verb_span: Span,
    /// What `order` and later steps call it.
    pub id: Option<Key>,
    /// Who does it; several do it at the same time.
    pub actors: Vec<ActorId>,
    /// Words for the diagram.
    pub note: Option<Node>,
    /// Longest time that it may take.
    pub within: Option<Duration>,
    /// What the answer must be.
    pub expect: Expect,
    /// What later steps need of the answer.
    pub save: Vec<Save>,
    /// What is done.
    pub verb: Verb,
}

/// A part of an answer that later steps need.
#[derive(Debug, Clone)]
pub struct Save {
    /// As what.
    pub name: Key,
    /// Where it stands in the answer.
    pub path: JsonPath,
    /// Under whose name: that of a fragment's use. The file's own and the actor's when absent.
    pub owner: Option<String>,
}

/// What an answer must be.
#[derive(Debug, Clone, Default)]
pub struct Expect {
    /// HTTP status.
    pub status: Option<(Span, u16)>,
    /// Body, matched partially.
    pub json: Option<Node>,
    /// Acknowledgement, matched partially.
    pub ack: Option<Node>,
    /// The refusal that must come.
    pub error: Option<Node>,
}

impl Expect {
    /// Whether the step says nothing of its answer.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { status, json, ack, error } = self;
        status.is_none() && json.is_none() && ack.is_none() && error.is_none()
    }
}

/// Smallest and largest number allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// At least.
    pub min: u64,
    /// At most.
    pub max: u64,
}

impl Range {
    /// Whether `n` lies in it.
    pub fn holds(self, n: u64) -> bool {
        (self.min..=self.max).contains(&n)
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.min, self.max) {
            (min, max) if min == max => write!(f, "{min}"),
            (min, u64::MAX) => write!(f, "at least {min}"),
            (0, max) => write!(f, "at most {max}"),
            (min, max) => write!(f, "{min} to {max}"),
        }
    }
}

/// Who has a lane in an act, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneName {
    /// One of the actors.
    Actor(ActorId),
    /// The server.
    Server,
    /// Its database.
    Database,
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum Verb {
    /// A new heading of the diagram begins.
    Act {
        /// Heading.
        title: String,
        /// Its lanes, where the file says them.
        lanes: Option<Vec<LaneName>>,
    },
    /// Log in over REST; registers first where the file names no account.
    Login,
    /// Connect the socket with the token, and wait until it is ready.
    Connect,
    /// Close the socket.
    Disconnect,
    /// A raw request.
    Http {
        /// Method.
        method: Method,
        /// Path; its query may stand here too.
        path: Node,
        /// Query, name by name.
        query: Vec<(Key, Node)>,
        /// Headers besides the runner's own.
        headers: Vec<(Key, Node)>,
        /// Body.
        json: Option<Node>,
    },
    /// A named request of the target.
    Do {
        /// Its name.
        name: Key,
        /// Its arguments.
        with: Vec<(Key, Node)>,
    },
    /// A raw event.
    Emit {
        /// Name of the event.
        event: Node,
        /// Its argument.
        data: Option<Node>,
        /// Whether an acknowledgement is asked for and waited for.
        acked: bool,
    },
    /// Wait for an event, past or future, that nobody has waited for yet.
    Receive {
        /// Name of the event.
        event: Node,
        /// What it must hold.
        pattern: Option<Node>,
        /// How many there are by the end of the scenario.
        count: Option<Range>,
    },
    /// See to it that an event does not come.
    Never {
        /// Name of the event.
        event: Node,
        /// What it would hold.
        pattern: Option<Node>,
        /// For how long.
        during: Duration,
    },
    /// Enter a chat.
    Join(Node),
    /// Leave it.
    Leave(Node),
    /// Say something.
    Send {
        /// Where.
        chat: Node,
        /// What.
        text: Node,
    },
    /// Read everything that was said, over REST.
    History(Node),
    /// See to it that a message has reached its readers.
    Delivered {
        /// Id of the step that sent it.
        message: Key,
        /// Who must have it.
        to: Vec<ActorId>,
        /// How.
        via: Via,
    },
    /// Wait until the link is in a state.
    State {
        /// Which.
        state: StateWord,
        /// How many attempts have failed by then.
        attempts: Range,
    },
    /// Wait until the link is back, and look at how.
    Reconnected {
        /// How many attempts failed since the connection was lost.
        failed_attempts: Range,
        /// Chats that must be joined again.
        rejoined: Vec<Node>,
    },
    /// Do something to the server.
    Server(ServerVerb),
    /// Do something to its database.
    Database(DatabaseVerb),
    /// Do something to the actor's token.
    Token(TokenVerb),
    /// Do something to the line between the actor and the server.
    Network(Network),
    /// Run a program, if whoever plays the scenario allows that.
    Exec {
        /// What `sh` is given, to the letter.
        command: String,
        /// Variables of its environment.
        env: Vec<(Key, Node)>,
    },
    /// Let time pass.
    Wait(Duration),
    /// Wait until every branch that has a barrier of this name has come to it.
    Barrier {
        /// Its name.
        name: String,
        /// The number of the `parallel` that it belongs to.
        parallel: usize,
    },
    /// Several lists of steps at the same time.
    Parallel {
        /// Each has another.
        number: usize,
        /// The lists.
        branches: Vec<Vec<Step>>,
        /// Barriers by name, and how many branches come to each.
        barriers: Vec<(String, usize)>,
    },
    /// The same steps several times.
    Repeat {
        /// How often.
        times: u64,
        /// What.
        steps: Vec<Step>,
    },
    /// The steps of a fragment.
    Use {
        /// Its file.
        name: String,
        /// What it does here.
        steps: Vec<Step>,
    },
}
