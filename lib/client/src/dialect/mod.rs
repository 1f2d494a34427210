//! How one kind of server speaks (CONTRACT §4).
//!
//! A dialect alone knows route paths, the shapes of bodies and answers, the names of events and
//! what a server cannot do. Everything above it is one code for all servers.

pub(crate) mod trialogue;

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
