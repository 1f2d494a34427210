//! What goes into a [`super::Timeline`] and what comes out.

use std::time::Duration;

use trialogue_protocol::{JoinAck, Message, MessagePage, Seq};

use crate::time::Backoff;

/// Bounds and delays of a [`super::Timeline`] (RELIABILITY §2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimelineConfig {
    /// How long a missing message may still be on its way before it is fetched (250 ms).
    pub gap_patience: Duration,
    /// Messages asked for at once (500).
    pub page_limit: i64,
    /// Messages held back because an earlier one is missing (512). What does not fit is dropped
    /// and fetched when its turn comes.
    pub held_back_max: usize,
    /// Delay before a fetch that failed or brought nothing is repeated: 250 ms doubling to 10 s.
    pub backoff: Backoff,
    /// Fetches in a row that bring nothing before a hole is called a hole (3).
    pub fruitless_max: u32,
    /// Messages missed (1,000) beyond which a timeline that shows the newest ones begins anew
    /// instead of walking through all that happened meanwhile.
    pub missed_max: i64,
    /// Older messages of a server that does not count, kept for [`Event::WantOlder`] (10,000):
    /// such a server has no pages to ask for.
    pub earlier_max: usize,
}

impl Default for TimelineConfig {
    fn default() -> Self {
        Self {
            gap_patience: Duration::from_millis(250),
            page_limit: 500,
            held_back_max: 512,
            backoff: Backoff::new(Duration::from_millis(250), Duration::from_secs(10)),
            fruitless_max: 3,
            missed_max: 1_000,
            earlier_max: 10_000,
        }
    }
}

/// Where a timeline starts when a chat is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// After this message, which the caller holds already; 0: from the very first.
    After {
        /// The last `seq` that the caller holds.
        seq: Seq,
        /// The epoch that it belongs to, if known.
        epoch: Option<String>,
    },
    /// With the newest so many; older ones by [`Event::WantOlder`].
    Newest(u32),
    /// With the first message after the join.
    Now,
}

impl Default for Begin {
    fn default() -> Self {
        Self::Newest(50)
    }
}

/// How a message arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Via {
    /// As `new_message`.
    Live,
    /// In the answer to a join or in a page.
    CatchUp,
    /// In the acknowledgement of an own send.
    Ack,
    /// From the local backup: the server had it once.
    Backup,
}

/// Why everything that was shown of a chat is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetReason {
    /// The database is another one or was restored.
    EpochChanged,
    /// The server has less than it had already told.
    ServerBehind,
    /// So much was missed that the newest messages are shown instead of all of them.
    FarBehind,
}

/// What to fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// A page of what follows this message.
    After(Seq),
    /// A page of what precedes it.
    Before(Seq),
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A backup has these newest messages, ascending. Shown at once, if nothing was shown yet;
    /// the next join brings what is missing, or voids them.
    Kept {
        /// Without holes at their end: what lies before a hole is not shown.
        messages: Vec<Message>,
        /// The epoch that they belong to, if known.
        epoch: Option<String>,
    },
    /// A connection is up, and its `connected` named this epoch.
    Online(Option<String>),
    /// `join_chat` was acknowledged.
    Joined(JoinAck),
    /// `new_message` came.
    Live(Message),
    /// An own send was acknowledged with this row.
    Acked(Message),
    /// A fetch brought a page.
    Page {
        /// From [`Effect::Fetch`].
        serial: u64,
        /// The page, ascending.
        page: MessagePage,
    },
    /// A fetch failed.
    FetchFailed {
        /// From [`Effect::Fetch`].
        serial: u64,
        /// Whether to try again.
        transient: bool,
    },
    /// `positions` told how far the chat is.
    Position {
        /// `lastSeq` of the chat.
        last_seq: Seq,
        /// Of this epoch.
        epoch: String,
    },
    /// The connection is gone.
    Offline,
    /// The face wants to see older messages.
    WantOlder {
        /// At most so many.
        limit: i64,
    },
    /// Time has passed: [`super::Timeline::next_wake`] is reached.
    Tick,
}

/// What the shell must do, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Show this message: each exactly once, in the order of `seq`.
    Deliver {
        /// The message.
        message: Message,
        /// How it arrived.
        via: Via,
    },
    /// Fetch a page; answer `Page` or `FetchFailed` with the same serial.
    Fetch {
        /// Names the request.
        serial: u64,
        /// What.
        ask: Ask,
        /// At most so many.
        limit: i64,
    },
    /// Everything that the server had is shown.
    CaughtUp,
    /// Join the chat again: what was shown is void and the server was not asked anew yet.
    Rejoin,
    /// Forget what was shown of this chat, and say so.
    Reset(ResetReason),
    /// These messages cannot be had; the face shows a rule in their place.
    Missing {
        /// First one.
        from: Seq,
        /// Last one.
        to: Seq,
    },
    /// Older messages, ascending, all before what was shown first.
    Older {
        /// The messages.
        messages: Vec<Message>,
        /// More lie before them.
        more: bool,
    },
}

/// What a timeline counted since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages shown.
    pub delivered: u64,
    /// Live messages dropped because they had been shown.
    pub duplicates: u64,
    /// Times that a live message came before an earlier one.
    pub gaps: u64,
    /// Messages that a page brought into such a gap.
    pub filled: u64,
    /// Messages that could not be had.
    pub missing: u64,
    /// Times that everything shown became void.
    pub resets: u64,
    /// Times that the server contradicted itself.
    pub contradictions: u64,
}
