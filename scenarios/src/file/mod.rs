//! The format: what a scenario file says, as types. `read` makes them of a file.
//!
//! Texts may hold `${...}`, so they stay [`Node`]s until the step runs that needs them.

mod duration;
mod fields;
pub mod flow;
mod judged;
mod profile;
mod scenario;
mod steps;
mod tidy;
mod verbs;

use std::sync::Arc;
use std::time::Duration;

use trialogue_protocol::Role;

use crate::path::JsonPath;
use crate::source::{Source, Span};
use crate::yaml::{Key, Node};

pub use judged::{Chain, Checks, Delivery, Moment, Part};
pub use profile::{Profile, read_profile};
pub use scenario::read;
pub use tidy::tidy;

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
}

/// An actor by its place in [`Scenario::actors`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActorId(pub usize);

/// Something that happens.
#[derive(Debug, Clone)]
pub struct Step {
    /// Where it stands in the file.
    pub span: Span,
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
    pub save: Vec<(Key, JsonPath)>,
    /// What is done.
    pub verb: Verb,
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

/// How a message may come to its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// As `new_message` on a connection that was there.
    Live,
    /// In the answer to a re-join, or fetched.
    CatchUp,
    /// Either.
    Either,
}

/// What a link may be seen in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateWord {
    /// Ready, and every chat joined and caught up.
    Connected,
    /// Lost; retries go on.
    Reconnecting,
    /// Not connected, and nobody wants it to be.
    Disconnected,
}

/// What is done to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerVerb {
    /// Started again at its address.
    Start,
    /// Asked to stop, and waited for.
    Stop,
    /// Killed without a warning.
    Kill,
    /// Stopped and started.
    Restart,
    /// Frozen.
    Pause,
    /// Thawed.
    Resume,
}

/// What is done to the line between an actor and the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Network {
    /// How connections end now.
    pub cut: Option<NetworkCut>,
    /// Everything is this much later, each way.
    pub latency: Duration,
    /// At most so many bytes at once.
    pub slice: Option<u64>,
    /// At most so many bytes a second, each way.
    pub bytes_per_second: Option<u64>,
    /// New connections are cut off.
    pub refuse: bool,
    /// After so long the line is clear again; for ever when absent.
    pub lasting: Option<Duration>,
}

/// How connections end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkCut {
    /// Nothing passes and nothing is closed: only a heartbeat can notice.
    Blackhole,
    /// With a good-bye of TCP.
    Fin,
    /// Without one.
    Rst,
}

/// Method of a raw request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `GET`.
    Get,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
    /// `DELETE`.
    Delete,
}

impl Method {
    /// As HTTP spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
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
        /// Path, with its query.
        path: Node,
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
    /// A raw event, acknowledged.
    Emit {
        /// Name of the event.
        event: Node,
        /// Its argument.
        data: Option<Node>,
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
    /// Do something to the line between the actor and the server.
    Network(Network),
    /// Let time pass.
    Wait(Duration),
    /// Several lists of steps at the same time.
    Parallel(Vec<Vec<Step>>),
    /// The same steps several times.
    Repeat {
        /// How often.
        times: u64,
        /// What.
        steps: Vec<Step>,
    },
}
