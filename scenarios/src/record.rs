//! What every actor saw, with the time of one clock: the inboxes that steps wait on and the
//! history that the checks judge.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout_at;
use trialogue_client::{LinkState, Outcome, Via};
use trialogue_protocol::{ChatId, ClientMessageId, Message, MessageId, Seq};

use crate::trace::Trace;

/// Most things that one actor may see in one run; a flood is a failure, not a full memory.
pub const ENTRIES_MAX: usize = 200_000;
/// Most bytes that all of them may take in memory, roughly (64 MiB).
pub const BYTES_MAX: usize = 64 * 1024 * 1024;

/// Time since the run began, monotonic, the same for every actor.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Instant);

impl Clock {
    /// Begins now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// How long ago that was.
    pub fn now(self) -> Duration {
        self.0.elapsed()
    }
}

/// Something that an actor saw.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When.
    pub at: Duration,
    /// On its which connection, from 1; 0 before the first.
    pub connection: u32,
    /// A step has had it: what it waited for, or the answer that it judged.
    pub taken: bool,
    /// What.
    pub what: What,
}

/// What an actor can see.
#[derive(Debug, Clone)]
pub enum What {
    /// An exchange over HTTP was over.
    Http(HttpExchange),
    /// Its link changed.
    Link(LinkState),
    /// The server said `connected`, with this body.
    Ready(Value),
    /// It entered a room.
    Joined {
        /// Of this chat.
        chat: ChatId,
        /// Not for the first time.
        again: bool,
        /// How far the chat was.
        last_seq: Seq,
        /// How many people are in the chat.
        members: usize,
    },
    /// It was not let into a chat.
    JoinFailed {
        /// This one.
        chat: ChatId,
        /// Why.
        error: trialogue_client::Error,
    },
    /// It had everything that the server had of a chat.
    CaughtUp(ChatId),
    /// An event as it came over the wire.
    Event {
        /// Its name.
        name: String,
        /// Its first argument.
        data: Value,
    },
    /// A message was shown: in order, none twice.
    Message {
        /// The message.
        message: Message,
        /// How it came.
        via: Via,
    },
    /// Something became of an own message.
    Outcome {
        /// Which.
        id: ClientMessageId,
        /// What.
        outcome: Outcome,
    },
    /// It hands a message over, or is about to.
    Sent {
        /// Where.
        chat: ChatId,
        /// Its own name for it, where it has one.
        id: Option<ClientMessageId>,
        /// What.
        text: String,
    },
    /// What came of a message that left as a bare event.
    Told {
        /// Where.
        chat: ChatId,
        /// Its own name for it.
        id: Option<ClientMessageId>,
        /// What.
        text: String,
        /// What was said of it.
        told: Told,
    },
    /// It looked for a message in the history the moment it saw it.
    Looked {
        /// Which.
        id: MessageId,
        /// Whether it was there.
        stored: bool,
    },
    /// Something that should not happen: a hole, a reset, a journal that fails.
    Odd(String),
}

/// What the server said of a message.
#[derive(Debug, Clone)]
pub enum Told {
    /// It is stored.
    Stored(Message),
    /// It is not.
    Refused,
    /// Nothing that says whether it is.
    Nothing,
}

/// An exchange over HTTP.
#[derive(Debug, Clone)]
pub struct HttpExchange {
    /// `GET` and the like.
    pub method: String,
    /// With its query.
    pub path: String,
    /// Body of the request, where it was JSON.
    pub request: Value,
    /// Length of that body, whatever it was.
    pub request_bytes: usize,
    /// Absent when no answer came.
    pub status: Option<u16>,
    /// Body of the answer, where it was JSON.
    pub json: Value,
    /// Length of that body, whatever it was.
    pub bytes: usize,
    /// How long it took.
    pub took: Duration,
}

/// Wakes everybody who waits for anything in any inbox. A counter, so that no ring is missed.
#[derive(Debug, Clone)]
pub struct Bell(watch::Sender<u64>);

impl Default for Bell {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Bell {
    /// Something has changed that somebody may wait for.
    pub(crate) fn ring(&self) {
        self.0.send_modify(|rings| *rings += 1);
    }

    /// Asks `look` after every ring until it answers something, or until the deadline.
    pub async fn wait<T>(
        &self,
        deadline: tokio::time::Instant,
        mut look: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        let mut rings = self.0.subscribe();
        loop {
            rings.mark_unchanged();
            if let Some(found) = look() {
                return Some(found);
            }
            // The sender lives as long as the bell, so only the deadline ends this.
            match timeout_at(deadline, rings.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return look(),
            }
        }
    }
}

/// Everything that one actor saw.
#[derive(Debug)]
pub struct Inbox {
    clock: Clock,
    bell: Bell,
    state: Mutex<State>,
    /// Whose it is, and who is told of everything in it.
    traced: Option<(String, Trace)>,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<Entry>,
    connection: u32,
    bytes: usize,
    /// Which bound was passed: nothing is kept since then.
    passed: Option<&'static str>,
}

impl Inbox {
    /// Empty.
    pub fn new(clock: Clock, bell: Bell) -> Self {
        Self { clock, bell, state: Mutex::default(), traced: None }
    }

    /// The same, with everything in it told.
    #[must_use]
    pub fn traced(self, actor: &str, trace: Trace) -> Self {
        Self { traced: Some((actor.to_owned(), trace)), ..self }
    }

    /// Adds what was seen now. Beyond [`ENTRIES_MAX`] or [`BYTES_MAX`] nothing more is kept, and
    /// [`Self::passed`] says so.
    pub fn push(&self, what: What) {
        let at = self.clock.now();
        if let Some((actor, trace)) = &self.traced {
            trace.saw(at, actor, &what);
        }
        let mut state = self.lock();
        if matches!(what, What::Ready(_)) {
            state.connection += 1;
        }
        let connection = state.connection;
        state.bytes = state.bytes.saturating_add(what.weight());
        if state.entries.len() >= ENTRIES_MAX {
            state.passed = state.passed.or(Some("200,000 things"));
        } else if state.bytes > BYTES_MAX {
            state.passed = state.passed.or(Some("64 MiB"));
        }
        if state.passed.is_none() {
            state.entries.push(Entry { at, connection, taken: false, what });
        }
        drop(state);
        self.bell.ring();
    }

    /// The bound beyond which it has lost everything, in words, once it has.
    pub fn passed(&self) -> Option<&'static str> {
        self.lock().passed
    }

    /// Looks at everything seen so far.
    pub fn with<T>(&self, look: impl FnOnce(&mut [Entry]) -> T) -> T {
        look(&mut self.lock().entries)
    }

    /// Everything seen so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().entries.clone()
    }

    /// How much was seen so far.
    pub fn len(&self) -> usize {
        self.lock().entries.len()
    }

    /// Whether nothing was seen yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Never held over an await: the guard does not leave this module.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl What {
    /// The bytes that it takes in memory, roughly.
    fn weight(&self) -> usize {
        let held = match self {
            Self::Http(exchange) => {
                exchange.path.len() + weight_of(&exchange.request) + weight_of(&exchange.json)
            }
            Self::Ready(data) | Self::Event { data, .. } => weight_of(data),
            Self::Message { message, .. }
            | Self::Outcome { outcome: Outcome::Stored { message, .. }, .. } => {
                message.message.len()
            }
            Self::Sent { text, .. } | Self::Told { text, .. } => text.len(),
            Self::Odd(text) => text.len(),
            Self::Link(_)
            | Self::Joined { .. }
            | Self::JoinFailed { .. }
            | Self::CaughtUp(_)
            | Self::Outcome { .. }
            | Self::Looked { .. } => 0,
        };
        size_of::<Entry>() + held
    }
}

/// The bytes that a document takes in memory, roughly.
fn weight_of(value: &Value) -> usize {
    let held = match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight_of).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| size_of::<String>() + name.len() + weight_of(value))
            .sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    size_of::<Value>() + held
}

impl Entry {
    /// Whether the connection was lost here.
    pub fn is_loss(&self) -> bool {
        matches!(self.what, What::Link(LinkState::Reconnecting { .. }))
    }
}

/// The link as the last news of it says.
pub fn link_of(entries: &[Entry]) -> Option<&LinkState> {
    entries.iter().rev().find_map(|entry| match &entry.what {
        What::Link(state) => Some(state),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> tokio::time::Instant {
        tokio::time::Instant::now() + Duration::from_secs(10)
    }

    #[tokio::test]
    async fn whoever_waits_is_woken_and_finds_what_came_early() {
        let bell = Bell::default();
        let inbox = Inbox::new(Clock::start(), bell.clone());
        let seen = |inbox: &Inbox| (inbox.len() == 2).then_some(());
        inbox.push(What::Odd("early".to_owned()));
        let wait = bell.wait(soon(), || seen(&inbox));
        let push = async { inbox.push(What::Odd("late".to_owned())) };
        assert_eq!(tokio::join!(wait, push).0, Some(()));
        assert_eq!(bell.wait(soon(), || seen(&inbox)).await, Some(()), "again, at once");
    }

    #[tokio::test]
    async fn a_deadline_ends_a_wait() {
        let bell = Bell::default();
        let deadline = tokio::time::Instant::now() + Duration::from_millis(20);
        assert_eq!(bell.wait(deadline, || None::<()>).await, None);
    }

    #[test]
    fn what_is_too_much_is_not_kept_and_that_is_said() {
        let inbox = || Inbox::new(Clock::start(), Bell::default());
        let many = inbox();
        (0..=ENTRIES_MAX).for_each(|_| many.push(What::Ready(Value::Null)));
        assert_eq!((many.len(), many.passed()), (ENTRIES_MAX, Some("200,000 things")));
        let large = inbox();
        let event = || What::Event {
            name: "large".to_owned(),
            data: Value::from(vec!["x".repeat(BYTES_MAX / 4)]),
        };
        (0..3).for_each(|_| large.push(event()));
        assert_eq!((large.len(), large.passed()), (3, None));
        // What is small and comes later would be a hole as well.
        [event(), What::Ready(Value::Null)].into_iter().for_each(|what| large.push(what));
        assert_eq!((large.len(), large.passed()), (3, Some("64 MiB")));
    }

    #[test]
    fn a_connection_counts_from_ready_to_ready() {
        let inbox = Inbox::new(Clock::start(), Bell::default());
        inbox.push(What::Odd("before".to_owned()));
        inbox.push(What::Ready(Value::Null));
        inbox.push(What::Odd("first".to_owned()));
        inbox.push(What::Ready(Value::Null));
        let connections: Vec<u32> = inbox.entries().iter().map(|entry| entry.connection).collect();
        assert_eq!(connections, [0, 1, 1, 2]);
    }
}
