//! What goes into a [`super::Link`] and what comes out.

use std::time::Duration;

use trialogue_protocol::{ChatId, ErrorCode};

use crate::time::Backoff;

/// Bounds and delays of a [`super::Link`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkConfig {
    /// Delay before retries: 1 s doubling to 15 s by default (RELIABILITY §2.9).
    pub backoff: Backoff,
    /// After so many retries in a row that failed nobody wants a connection any more (none: it is
    /// tried without an end).
    pub retries_max: Option<u32>,
    /// A connection that lived this long starts counting retries from one again (30 s).
    pub stable_after: Duration,
    /// Joins under way at once (8): the server allows 10 a second.
    pub joins_in_flight_max: usize,
    /// A token refresh that succeeds is not repeated within this time (5 s), whatever lifetime
    /// the token claims: a wrong clock must not become a storm.
    pub refresh_pause: Duration,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            backoff: Backoff::new(Duration::from_secs(1), Duration::from_secs(15)),
            retries_max: None,
            stable_after: Duration::from_secs(30),
            joins_in_flight_max: 8,
            refresh_pause: Duration::from_secs(5),
        }
    }
}

/// Why a link is not up, for people and for decisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The server's code, when the server spoke.
    pub code: Option<ErrorCode>,
    /// One sentence; may hold the server's words, so it passes `sanitize` before a terminal.
    pub sentence: String,
}

impl Trouble {
    /// Trouble without a code.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self { code: None, sentence: sentence.into() }
    }
}

impl From<&crate::Error> for Trouble {
    fn from(error: &crate::Error) -> Self {
        let sentence = match error {
            // That nobody is signed in any more is what its state says: this is why.
            crate::Error::LoginNeeded(why) => why.clone(),
            other => other.sentence(),
        };
        Self { code: error.code(), sentence }
    }
}

/// What a face shows about the connection. Told whenever it changes, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    /// Not connected because nobody asked for it, or somebody asked for the opposite, or all the
    /// retries that were allowed have failed.
    Offline,
    /// The first contact is under way.
    Connecting {
        /// Counts from 1; grows only by logins in between.
        attempt: u32,
    },
    /// The connection was lost or could not be made; it is tried again without an end.
    Reconnecting {
        /// Number of this retry since the last stable connection, from 1.
        attempt: u32,
        /// When it starts, counted from when this state was told; zero: it is under way.
        next_in: Duration,
        /// What went wrong last.
        why: Trouble,
    },
    /// `connected` has come; open chats are re-joined and catch up.
    Syncing {
        /// Chats that are done.
        done: usize,
        /// Open chats.
        of: usize,
    },
    /// Everything is as the server has it.
    Connected,
    /// The server takes neither the token nor the refresh token: only a login helps.
    LoginNeeded {
        /// What the server said.
        why: Trouble,
    },
    /// The session is over.
    Closed,
}

/// How an attempt to connect ended without a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenFailure {
    /// The server refused the token itself.
    Token(Trouble),
    /// Everything else: tried again, not before `retry_after`.
    Other {
        /// What went wrong.
        why: Trouble,
        /// The least wait that the server asked for.
        retry_after: Option<Duration>,
    },
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The face wants a connection.
    Start,
    /// The face wants none for now; open chats stay open.
    Stop,
    /// The face wants the next retry at once.
    RetryNow,
    /// The end.
    Close,
    /// Somebody signed in: there is a new token pair, fresh for so long (unknown: `None`).
    SignedIn(Option<Duration>),
    /// [`Effect::Refresh`] brought a new token, fresh for so long.
    Refreshed(Option<Duration>),
    /// [`Effect::Refresh`] failed: `refused` when the refresh token itself was refused.
    RefreshFailed {
        /// The server said no to the refresh token, so another try cannot help.
        refused: bool,
        /// What went wrong.
        why: Trouble,
    },
    /// The attempt `serial` is ready: `connected` was received.
    Opened {
        /// From [`Effect::Open`].
        serial: u64,
    },
    /// The attempt `serial` failed.
    OpenFailed {
        /// From [`Effect::Open`].
        serial: u64,
        /// How.
        failure: OpenFailure,
    },
    /// The connection `serial` is gone.
    Lost {
        /// From [`Effect::Open`].
        serial: u64,
        /// What is known of the reason.
        why: Trouble,
    },
    /// The server is about to stop and told when to come back (`server_draining`).
    Draining(Duration),
    /// The server says that the token ends soon (`token_expiring`).
    TokenExpiring,
    /// The face opens a chat.
    Enter(ChatId),
    /// The face closes a chat.
    Leave(ChatId),
    /// `join_chat` was acknowledged; the timeline may still have pages to fetch.
    Joined(ChatId),
    /// `join_chat` failed: for good, or to be tried again (not before the given time).
    JoinFailed {
        /// The chat.
        chat: ChatId,
        /// `None`: for good, the chat is open no longer.
        retry_after: Option<Duration>,
    },
    /// The chat's timeline has everything that the server had.
    CaughtUp(ChatId),
    /// Time has passed: [`super::Link::next_wake`] is reached.
    Tick,
}

/// What the shell must do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Tell the face.
    State(LinkState),
    /// Get a new token pair; answer `Refreshed` or `RefreshFailed`.
    Refresh,
    /// Open a transport, connect with the newest token, wait for `connected`; answer `Opened` or
    /// `OpenFailed` with the same serial. At most one is under way.
    Open {
        /// Names this attempt and the connection that it becomes.
        serial: u64,
    },
    /// Drop the attempt or connection, with a good-bye if there is somebody to say it to.
    Hangup,
    /// Give the newest token to the living connection (`refresh_auth`).
    Reauthenticate,
    /// Emit `join_chat` with the timeline's cursor; answer `Joined` or `JoinFailed`.
    Join(ChatId),
    /// Emit `leave_chat`; no answer needed.
    Leave(ChatId),
    /// The outbox may emit, except into these chats.
    Online(Vec<ChatId>),
    /// The outbox may emit into this chat too.
    Release(ChatId),
    /// The outbox may not emit, and what is in flight has an unknown outcome.
    Offline,
}

/// Longest wait that a server's `retryAfterMs` may ask of a link (5 min): a hostile number must
/// not silence a client for ever.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);
/// Longest wait that `server_draining` may ask (60 s), for the same reason.
pub const DRAIN_DELAY_MAX: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_nobody_is_signed_in_does_not_say_again_that_nobody_is() {
        let why = Trouble::from(&crate::Error::LoginNeeded("there is no token".to_owned()));
        assert_eq!(why, Trouble::new("there is no token"));
    }
}
