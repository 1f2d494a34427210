//! The rows of a chat: stored messages, notes, gaps, and own messages on their way.

use std::time::Duration;

use chrono::{DateTime, Utc};
use trialogue_protocol::{ClientMessageId, Message, MessageId, Role, Seq, UserId};

use crate::text;

/// A stored message; its texts are harmless.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// Made by the server.
    pub id: MessageId,
    /// Its place, where the server counts.
    pub seq: Option<Seq>,
    /// Who.
    pub sender: UserId,
    /// As what.
    pub role: Role,
    /// The first name.
    pub name: Box<str>,
    /// What.
    pub text: Box<str>,
    /// When.
    pub at: DateTime<Utc>,
}

impl From<&Message> for Said {
    fn from(message: &Message) -> Self {
        let name = text::line(&message.sender_name);
        Self {
            id: message.id,
            seq: message.seq,
            sender: message.sender_id,
            role: message.sender_type,
            name: text::first_name(&name).into(),
            text: text::block(&message.message).into(),
            at: message.created_at.as_datetime(),
        }
    }
}

/// One row above the own messages that are on their way.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// A message.
    Said(Said),
    /// Something that happened.
    Note {
        /// What, harmless.
        text: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// Messages that could not be had.
    Missing {
        /// First one.
        from: Seq,
        /// Last one.
        to: Seq,
        /// They were asked for.
        loading: bool,
    },
}

impl Row {
    /// The message, where it is one.
    pub fn said(&self) -> Option<&Said> {
        match self {
            Self::Said(said) => Some(said),
            Self::Note { .. } | Self::Missing { .. } => None,
        }
    }

    /// Bytes of text in it.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Said(said) => said.text.len() + said.name.len(),
            Self::Note { text, .. } => text.len(),
            Self::Missing { .. } => 0,
        }
    }
}

/// What became of an own message (TUI.md §4).
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// Waits for the line, or for those before it.
    Queued,
    /// On its way.
    Sending,
    /// Waits for another try until then.
    Waiting {
        /// Why.
        why: String,
        /// When the next try comes.
        until: Duration,
    },
    /// Stored; its row comes in its turn.
    Sent(MessageId),
    /// Refused: leaves only by a key.
    Failed {
        /// Why, harmless.
        why: String,
        /// What can be done.
        how: Fault,
    },
}

/// Why an own message stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The server said no.
    Refused,
    /// The server has another text under its name: trying again cannot help.
    Conflict,
    /// It may be stored, and the server cannot tell.
    Unsure,
    /// The outbox never took it.
    NotTaken,
}

impl Fault {
    /// What it is, before the reason.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Refused | Self::Conflict | Self::NotTaken => "not sent",
            Self::Unsure => "perhaps sent",
        }
    }
}

/// An own message that is not in its place yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    /// Its name.
    pub id: ClientMessageId,
    /// The text as it was typed.
    pub text: String,
    /// When it was.
    pub at: DateTime<Utc>,
    /// What became of it.
    pub state: State,
}
