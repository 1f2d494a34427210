//! How one kind of server speaks (CONTRACT §4).
//!
//! A dialect alone knows route paths, the shapes of bodies and answers, the names of events and
//! what a server cannot do. Everything above it is one code for all servers.

pub(crate) mod stm;
pub(crate) mod trialogue;
mod trialogue_socket;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Error as JsonError;
use trialogue_protocol::{
    Chat, ChatId, Connected, FetchMessages, JoinAck, JoinChat, Message, MessagePage,
    NotificationCreated, Positions, SendAck, Seq,
};
use trialogue_socketio::{Args, Outgoing};

use crate::error::{Error, Refusal};
use crate::outbox::Draft;
use crate::people;

/// A kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Dialect {
    /// Our own (CONTRACT §1 and §2).
    #[default]
    Trialogue,
    /// The deployed NestJS backend (DEPLOYED.md).
    Stm,
}

/// A table of yes and no: one declaration makes the fields and their names as data.
macro_rules! capabilities {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What a server can tell or do, as data that faces and checks can ask for (SCENARIOS §7.8).
        /// What is false here is shown as unknown or not offered, never guessed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct Capabilities {
            $($(#[$doc])* pub $name: bool,)*
        }

        impl Capabilities {
            /// All of them by name, in the order of this table: for `doctor`, reports and profiles.
            pub fn table(self) -> impl Iterator<Item = (&'static str, bool)> {
                [$((stringify!($name), self.$name)),*].into_iter()
            }

            /// The same with one of them set; `None` when none is called that.
            pub fn with(mut self, name: &str, can: bool) -> Option<Self> {
                match name {
                    $(stringify!($name) => self.$name = can,)*
                    _ => return None,
                }
                Some(self)
            }
        }
    };
}

capabilities! {
    /// Requests are acknowledged. Without it a message is 'sent' until history shows it, which the
    /// session looks up ([`crate::Outcome::Stored`] then means "seen in history").
    acks,
    /// The sending socket gets its own `new_message`.
    own_echo,
    /// `clientMessageId` makes a retry harmless and comes back to its author.
    client_message_ids,
    /// Messages are numbered without holes.
    seq,
    /// Two messages of one socket keep the order in which they were sent.
    order,
    /// `join_chat {sinceSeq}` brings what was missed; else the whole history comes again.
    resume,
    /// History comes in pages.
    pages,
    /// The server tells who is online.
    presence,
    /// That somebody stopped typing is told; else it is hidden after a while.
    typing_stops,
    /// The server tells all members of a chat.
    members,
    /// `mark_read` is stored.
    stored_reads,
    /// Chat lists carry unread counts.
    unread_counts,
    /// A dispute's notices come over the socket; else the session polls for them.
    dispute_push,
    /// Whoever is in a chat gets no notification of its messages pushed.
    quiet_rooms,
    /// A provider may open a dispute too.
    dispute_by_provider,
    /// A dispute may be opened at any time; else only once the job is completed.
    dispute_any_time,
    /// An invited LSM may join by the socket alone; else it must accept over REST first, which
    /// [`crate::SessionHandle::accept`] does.
    lsm_joins_by_socket,
    /// Errors carry a code and name the request.
    error_codes,
    /// A living connection takes a new token.
    refresh_auth,
    /// A signed-in user may change the password.
    change_password,
}

/// What an event of the server means to a session. Everything else is the face's own business.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The session is ready.
    Connected(Connected),
    /// A room was entered, said without an acknowledgement.
    Entered(ChatId),
    /// A message was stored.
    Message(Message),
    /// How far each chat is.
    Positions(Positions),
    /// Something about somebody in a chat.
    People(ChatId, people::Event),
    /// A chat is another one now.
    Chat(Box<Chat>),
    /// A notification for the user.
    Notification(Box<NotificationCreated>),
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
                        Self::Stm => stm::socket::$name($($arg),*),
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
    /// All that there are.
    pub const ALL: [Self; 2] = [Self::Trialogue, Self::Stm];

    /// The longest message in bytes that this kind of server takes, in whatever text.
    pub const fn message_bytes_max(self) -> usize {
        match self {
            Self::Trialogue => trialogue_protocol::MESSAGE_BYTES_MAX,
            Self::Stm => stm::FRAME_BYTES_MAX,
        }
    }

    /// Whether this kind of server can take the text at all; one that cannot is not queued.
    ///
    /// # Errors
    /// [`Error::Invalid`] names what is wrong.
    pub fn check_text(self, text: &str) -> Result<(), Error> {
        match self {
            Self::Trialogue => trialogue_protocol::check_message_text(text)
                .map_err(|error| Error::Invalid(error.to_string())),
            Self::Stm => stm::check_text(text),
        }
    }

    /// What this kind of server can tell.
    pub const fn capabilities(self) -> Capabilities {
        match self {
            Self::Trialogue => trialogue::CAPABILITIES,
            Self::Stm => stm::CAPABILITIES,
        }
    }

    /// Whether a route of our own contract is missing here: a raw request of it says nothing about
    /// such a server. `path` may have a query.
    pub fn lacks_route(self, method: &str, path: &str) -> bool {
        self == Self::Stm && stm::lacks_route(method, path)
    }

    /// Whether a server that greets like this speaks this dialect.
    ///
    /// # Errors
    /// The sentence that names the other one. Ours says the number of its protocol (CONTRACT §2) and
    /// acknowledges; to the other one every message would seem unanswered and would be repeated.
    pub(crate) fn agrees(self, connected: &Connected) -> Result<(), String> {
        match (self, connected.protocol) {
            (Self::Trialogue, Some(_)) | (Self::Stm, None) => Ok(()),
            (Self::Trialogue, None) => Err(Self::Stm.answers_instead_of(self)),
            (Self::Stm, Some(_)) => Err(Self::Trialogue.answers_instead_of(self)),
        }
    }

    /// What a person is told whose server speaks this dialect and not the one that was said.
    pub fn answers_instead_of(self, said: Self) -> String {
        format!("this server answers like {self}, not like {said}: try --dialect {self}")
    }

    /// The name that configuration and command lines use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trialogue => "trialogue",
            Self::Stm => "stm",
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
            "stm" => Ok(Self::Stm),
            _ => Err(crate::Error::Invalid(format!(
                "{text} is no dialect: there are trialogue and stm"
            ))),
        }
    }
}
