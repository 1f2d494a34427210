//! What happened, as the update hears of it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use crossterm::event::KeyEvent;
use trialogue_client::Error;
use trialogue_client::profile::Desk;
use trialogue_client::session::{Kept, Update};
use trialogue_client::timeline::Ask;
use trialogue_protocol::{
    Chat, ChatId, ClientMessageId, Dispute, DisputeOpened, JobCreated, MessagePage,
    NotificationList, Provider, User,
};

use crate::effect::Effect;

/// The time of a message: both clocks, because only differences of one and the hands of the other
/// mean anything.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Monotonic, since the start.
    pub at: Duration,
    /// Of the wall.
    pub wall: DateTime<Utc>,
}

/// Something happened.
#[expect(clippy::large_enum_variant, reason = "one at a time, moved once, never kept")]
#[derive(Debug, Clone)]
pub enum Msg {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted, as one piece.
    Paste(String),
    /// A line was typed where there is no screen.
    Line(String),
    /// The terminal has another size, in columns and rows.
    Resize(u16, u16),
    /// The window got or lost the focus.
    Focus(bool),
    /// The wheel was turned over the screen, by so many notches; negative is up.
    Wheel(i8),
    /// The session tells.
    Update(Update),
    /// Something that was asked for is done.
    Reply(Reply),
    /// Time has passed: what `next_wake` named is reached.
    Tick,
}

/// What came of an effect.
#[expect(clippy::large_enum_variant, reason = "one at a time, moved once, never kept")]
#[derive(Debug, Clone)]
pub enum Reply {
    /// The chats of this account, most recently active first; whether it is all of them.
    Chats(Result<(Vec<Chat>, bool), Error>),
    /// The chats that were seen last, before the server has said anything.
    Recent(Vec<Chat>),
    /// What the user left the last time.
    Desk(Desk),
    /// A command that the session had no room for.
    NotDone(Effect),
    /// Whom a customer can book.
    Providers(Result<Vec<Provider>, Error>),
    /// The LSM's invitations.
    Invites(Result<Vec<Dispute>, Error>),
    /// A job was booked.
    Booked(Result<JobCreated, Error>),
    /// A dispute was opened.
    Disputed(Result<DisputeOpened, Error>),
    /// The LSM ended a dispute.
    Resolved(Result<Dispute, Error>),
    /// A job's status was changed; the word for what was done.
    JobChanged(&'static str, Result<(), Error>),
    /// Somebody signed in.
    SignedIn(Result<User, Error>),
    /// The account signed out.
    SignedOut(Result<(), Error>),
    /// A message was not taken into the outbox.
    NotQueued {
        /// Which.
        id: ClientMessageId,
        /// Its chat.
        chat: ChatId,
        /// Why.
        error: Error,
    },
    /// The outbox has no place on disk, in one sentence: what waits ends with this client.
    Unkept(String),
    /// What the outbox kept from earlier runs.
    Kept(Vec<Kept>),
    /// A page of history that was asked for over HTTP.
    Page {
        /// The chat.
        chat: ChatId,
        /// What was asked.
        ask: Ask,
        /// What came.
        page: Result<MessagePage, Error>,
    },
    /// The last messages of a chat that the LSM was invited into.
    Preview {
        /// The chat.
        chat: ChatId,
        /// What came.
        page: Result<MessagePage, Error>,
    },
    /// The user's notifications.
    Notifications(Result<NotificationList, Error>),
    /// A draft came back from `$EDITOR`.
    Edited(Result<String, String>),
    /// A command to the session failed.
    Failed(Error),
    /// One sentence for the status bar.
    Said(String),
}
