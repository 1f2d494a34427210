//! What goes into an [`super::Outbox`] and what comes out.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use trialogue_protocol::{ChatId, ClientMessageId, Message, MessageType, SendAck};

use crate::error::{Error, Refusal};
use crate::link::Trouble;
use crate::time::Backoff;

/// Bounds and delays of an [`super::Outbox`] (RELIABILITY §2.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxConfig {
    /// Most messages kept, waiting and refused ones together (1,000).
    pub entries_max: usize,
    /// Most bytes kept, [`ENTRY_OVERHEAD_BYTES`] a message included (16 MiB).
    pub bytes_max: usize,
    /// How long an acknowledgement may take while the link is up (10 s).
    pub ack_timeout: Duration,
    /// Delay before a retry on a living link: 0.5 s doubling to 30 s.
    pub backoff: Backoff,
    /// Retries on a living link that may come at once (20) ...
    pub retry_burst: u32,
    /// ... and one more each (500 ms): many chats together must not become a storm.
    pub retry_every: Duration,
    /// The server knows no `clientMessageId`: what becomes of a message shows in the chat's history
    /// alone, so a mark is kept before it leaves ([`Left`]). Whether it is so, is the dialect's word.
    pub marks: bool,
}

impl Default for OutboxConfig {
    fn default() -> Self {
        Self {
            entries_max: 1_000,
            bytes_max: 16 * 1024 * 1024,
            ack_timeout: Duration::from_secs(10),
            backoff: Backoff::new(Duration::from_millis(500), Duration::from_secs(30)),
            retry_burst: 20,
            retry_every: Duration::from_millis(500),
            marks: false,
        }
    }
}

/// What a message costs beside its text, in bytes: ids, state and the journal's frame.
pub const ENTRY_OVERHEAD_BYTES: usize = 256;

/// A message that its author handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// Made by the client, the same on every retry.
    pub id: ClientMessageId,
    /// Where it is to be said.
    pub chat: ChatId,
    /// The text, already checked by [`crate::Dialect::check_text`].
    pub text: String,
    /// What kind of content it is.
    pub kind: MessageType,
}

/// One line of the journal. The order of records of one id is their order in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "op")]
pub enum Record {
    /// The message waits. Must be on disk before its first emit.
    Queued(Draft),
    /// It is about to leave for a server that cannot tell a repeat from a new message. Must be on
    /// disk before that emit; where repeats are harmless it is not written at all. Of two of one
    /// message the later counts: nothing left after the earlier one.
    Leaving {
        /// Which.
        id: ClientMessageId,
        /// Its mark, see [`Left::Maybe`].
        same: Option<u32>,
    },
    /// The message is stored at the server or was discarded by its author. Losing this record
    /// costs one harmless retry, so it needs no fsync.
    Done {
        /// Which.
        id: ClientMessageId,
    },
    /// The server refused it; it is kept until its author acts.
    Refused {
        /// Which.
        id: ClientMessageId,
        /// The server's code.
        code: trialogue_protocol::ErrorCode,
        /// The server's sentence.
        message: String,
    },
    /// Its author wants a refused message tried again.
    Again {
        /// Which.
        id: ClientMessageId,
    },
}

impl Record {
    /// The message that waits until this is on disk.
    pub fn awaited(&self) -> Option<&ClientMessageId> {
        match self {
            Self::Queued(draft) => Some(&draft.id),
            Self::Leaving { id, .. } => Some(id),
            Self::Done { .. } | Self::Refused { .. } | Self::Again { .. } => None,
        }
    }
}

/// Whether a message left for a server that cannot tell a repeat from a new message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Certainly not.
    Never,
    /// Perhaps. The mark: so many rows of its author with the same text and kind were in the chat
    /// before. One more, and it is stored. Rows that look the same are the same to everybody, so no
    /// clock and no order of equal times is needed. `None`: nobody counted, so it cannot be known.
    Maybe(Option<u32>),
}

/// A message as the journal had it at the start.
#[derive(Debug, Clone, PartialEq)]
pub struct Restored {
    /// The message.
    pub draft: Draft,
    /// Whether it left. Counts only under [`OutboxConfig::marks`].
    pub left: Left,
    /// The refusal that it got, if it got one.
    pub refused: Option<Refusal>,
}

/// What is known of a message; told on every change.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It is on disk (where there is a disk) and waits.
    Queued,
    /// It is on its way.
    Sending {
        /// Counts the emits of this process, from 1.
        attempt: u32,
    },
    /// No answer, or a "not now"; the same message is sent again under the same id.
    Retrying {
        /// Number of the next emit.
        attempt: u32,
        /// When it comes at the earliest.
        next_in: Duration,
        /// What went wrong.
        why: Trouble,
        /// True: certainly not stored. False: perhaps stored.
        not_stored: bool,
    },
    /// Stored by the server. The end.
    Stored {
        /// The row, with its id and `seq`.
        message: Message,
        /// An earlier emit had stored it already.
        duplicate: bool,
    },
    /// The server said no; kept until the author retries or discards it.
    Refused(Refusal),
    /// The server has another text under this id: a retry cannot help.
    Conflict(Refusal),
    /// It may be stored or not, and this server cannot tell; it is not sent again until its author,
    /// who can look at the chat, says so or discards it.
    Unknown(Refusal),
    /// The author discarded it. The end.
    Discarded,
}

impl Outcome {
    /// Whether the outbox does nothing more for this message by itself.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Stored { .. }
            | Self::Refused(_)
            | Self::Conflict(_)
            | Self::Unknown(_)
            | Self::Discarded => true,
            Self::Queued | Self::Sending { .. } | Self::Retrying { .. } => false,
        }
    }
}

/// How an emit was answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// `{ok: true, ...}`.
    Stored(SendAck),
    /// `{ok: false, error}`.
    Refused(Refusal),
    /// An earlier emit may have stored it, and it cannot be looked for any more.
    Unknown(Refusal),
    /// Nothing that makes sense came.
    Lost(Trouble),
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The author hands over a message.
    Queue(Draft),
    /// The journal has these on disk.
    Written(Vec<ClientMessageId>),
    /// The journal could not keep these: new ones are not queued, marked ones do not leave yet.
    NotWritten {
        /// Which.
        ids: Vec<ClientMessageId>,
        /// The sentence of the disk.
        why: String,
    },
    /// The link is up; nothing may go into these chats yet.
    Online {
        /// Chats that have not caught up.
        held: Vec<ChatId>,
    },
    /// This chat has caught up, or cannot be joined (then the server itself shall say no).
    Release(ChatId),
    /// The link is gone.
    Offline,
    /// An emit was answered.
    Answered {
        /// Which message.
        id: ClientMessageId,
        /// Which emit of it.
        attempt: u32,
        /// How.
        answer: Answer,
    },
    /// So many own rows of the same text and kind are in the chat.
    Counted {
        /// Which message.
        id: ClientMessageId,
        /// Which emit of it is to come.
        attempt: u32,
        /// The mark.
        same: u32,
    },
    /// An own message came back by another way: `new_message`, history or catch-up.
    Echoed(Message),
    /// The author wants a refused message tried again.
    Again(ClientMessageId),
    /// The author gives a refused, or never emitted, message up.
    Discard(ClientMessageId),
    /// Time has passed: [`super::Outbox::next_wake`] is reached.
    Tick,
}

/// How a message is told apart in its chat's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// So many own rows looked the same before it left first.
    pub same: u32,
    /// It may have left before: it is looked for before it leaves.
    pub again: bool,
}

/// What the shell must do, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Append to the journal. For [`Record::Queued`] and [`Record::Leaving`] answer `Written` or
    /// `NotWritten`.
    Write(Record),
    /// Count the own rows that look like this message; answer `Counted`, or `Answered` when that
    /// cannot be done.
    Count {
        /// The message.
        draft: Draft,
        /// Which emit of it is to come, from 1.
        attempt: u32,
    },
    /// Emit `send_message`; answer `Answered` with the same attempt.
    Emit {
        /// The message.
        draft: Draft,
        /// Which emit of it, from 1.
        attempt: u32,
        /// For a server that cannot tell a repeat from a new message.
        mark: Option<Mark>,
    },
    /// Tell the face.
    Outcome {
        /// Which message.
        id: ClientMessageId,
        /// Its chat.
        chat: ChatId,
        /// What is known.
        outcome: Outcome,
    },
    /// It was not queued: a bound is reached, the id is taken or the disk is full.
    NotQueued {
        /// Which message.
        id: ClientMessageId,
        /// Why.
        error: Error,
    },
}
