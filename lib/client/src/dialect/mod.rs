//! How one kind of server speaks (CONTRACT §4).
//!
//! A dialect alone knows route paths, the shapes of bodies and answers, the names of events and
//! what a server cannot do. Everything above it is one code for all servers.

pub(crate) mod trialogue;
mod trialogue_socket;

use std::time::Duration;

use serde_json::Error as JsonError;
use trialogue_protocol::{
    ChatId, Connected, FetchMessages, JoinAck, JoinChat, Message, MessagePage, Positions, SendAck,
    Seq,
};
use trialogue_socketio::{Args, Outgoing};

use crate::error::{Error, Refusal};
use crate::outbox::Draft;

/// A kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Dialect {
    /// Our own (CONTRACT §1 and §2).
    #[default]
    Trialogue,
}

/// What a server can tell, as data that faces and checks can ask for. What is false here is shown
/// as unknown, never guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a table of independent yes/no facts")]
pub struct Capabilities {
    /// Requests are acknowledged; without it a message is 'sent', never 'stored'.
    pub acks: bool,
    /// The sending socket gets its own `new_message`.
    pub own_echo: bool,
    /// `clientMessageId` makes a retry harmless and comes back to its author.
    pub client_message_ids: bool,
    /// Messages are numbered without holes.
    pub seq: bool,
    /// `join_chat {sinceSeq}` brings what was missed.
    pub resume: bool,
    /// The server tells who is online.
    pub presence: bool,
    /// `mark_read` is stored.
    pub stored_reads: bool,
    /// Chat lists carry unread counts.
    pub unread_counts: bool,
    /// A dispute's notices come over the socket; else they are polled.
    pub dispute_push: bool,
    /// Errors carry a code and name the request.
    pub error_codes: bool,
    /// A living connection takes a new token.
    pub refresh_auth: bool,
}

/// What an event of the server means to a session. Everything else is the face's own business.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The session is ready.
    Connected(Connected),
    /// A message was stored.
    Message(Message),
    /// How far each chat is.
    Positions(Positions),
    /// The token ends soon.
    TokenExpiring,
    /// The server stops; come back after so long.
    Draining(Duration),
    /// A request, or the session itself, was refused.
    Refused(Refusal),
    /// An event whose payload is not what the contract says.
    Garbled(String),
    /// Nothing that a session acts on.
    Other,
}

/// One function per socket word, spread over the dialects.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)*) => {
        impl Dialect {
            $(
                $(#[$doc])*
                pub(crate) fn $name(self, $($arg: $type),*) -> $answer {
                    match self {
                        Self::Trialogue => trialogue_socket::$name($($arg),*),
                    }
                }
            )*
        }
    };
}

words! {
    /// The namespace to connect to.
    namespace() -> &'static str;
    /// What an event means.
    hear(name: &str, args: &Args) -> Heard;
    /// Enter a room.
    join(body: &JoinChat) -> Result<Outgoing, JsonError>;
    /// Leave it.
    leave(chat: ChatId) -> Result<Outgoing, JsonError>;
    /// Say something.
    send(draft: &Draft) -> Result<Outgoing, JsonError>;
    /// A page of history.
    fetch(body: &FetchMessages) -> Result<Outgoing, JsonError>;
    /// Typing, or no longer.
    typing(chat: ChatId, is_typing: bool) -> Result<Outgoing, JsonError>;
    /// Read up to here, or everything.
    mark_read(chat: ChatId, seq: Option<Seq>) -> Result<Outgoing, JsonError>;
    /// A fresh token for the living connection.
    refresh_auth(token: &str) -> Result<Outgoing, JsonError>;
    /// The answer to `join`.
    read_join(args: &Args) -> Result<JoinAck, Error>;
    /// The answer to `send`.
    read_send(args: &Args) -> Result<SendAck, Error>;
    /// The answer to `fetch`.
    read_fetch(args: &Args) -> Result<MessagePage, Error>;
    /// The answer to anything else.
    read_done(args: &Args) -> Result<(), Error>;
}

impl Dialect {
    /// What this kind of server can tell.
    pub const fn capabilities(self) -> Capabilities {
        match self {
            Self::Trialogue => trialogue::CAPABILITIES,
        }
    }

    /// The name that configuration and command lines use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trialogue => "trialogue",
        }
    }
}

impl std::fmt::Display for Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Dialect {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "trialogue" => Ok(Self::Trialogue),
            _ => Err(crate::Error::Invalid(format!("{text} is no dialect: there is trialogue"))),
        }
    }
}
