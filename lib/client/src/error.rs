//! What can go wrong between a face and a server, as one value (HOUSE §4).

use std::time::Duration;

use trialogue_protocol::{AckError, ErrorBody, ErrorCode, ErrorEvent};

/// A "no" that the server spoke, over REST or over the socket.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The word from the closed list (CONTRACT §1). A server that knows no codes gets the one of
    /// its HTTP status.
    pub code: ErrorCode,
    /// The server's sentence. Foreign text: pass it through [`crate::sanitize`] before a terminal
    /// sees it.
    pub message: String,
    /// When to come back, if the server said so.
    pub retry_after: Option<Duration>,
    /// The HTTP status, when it came over REST.
    pub status: Option<u16>,
    /// Names of the fields at fault, as the server gave them.
    pub details: Option<serde_json::Value>,
}

impl Refusal {
    /// A refusal with a code and a sentence and nothing else.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: None, status: None, details: None }
    }
}

impl From<AckError> for Refusal {
    fn from(error: AckError) -> Self {
        let retry_after = error.retry_after_ms.map(Duration::from_millis);
        Self { retry_after, ..Self::new(error.code, error.message) }
    }
}

impl From<ErrorEvent> for Refusal {
    fn from(error: ErrorEvent) -> Self {
        let retry_after = error.retry_after_ms.map(Duration::from_millis);
        Self { retry_after, ..Self::new(error.code, error.message) }
    }
}

impl From<ErrorBody> for Refusal {
    fn from(body: ErrorBody) -> Self {
        Self {
            status: Some(body.status_code),
            details: body.details,
            ..Self::new(body.error, body.message)
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

/// Everything that a request, a send or a connection can end with instead of success.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The server said no.
    #[error("{0}")]
    Refused(Refusal),
    /// The server could not be reached: the request certainly had no effect.
    #[error("cannot reach the server: {0}")]
    Unreachable(String),
    /// The request left and no answer came: it may or may not have had an effect.
    #[error("the server gave no answer: {0}")]
    Unanswered(String),
    /// Time was up before an answer came, or before there was a connection: if the request left, it
    /// may have had an effect.
    #[error("{0}")]
    TimedOut(String),
    /// The answer is not what CONTRACT says, or is over a bound of this client.
    #[error("the server's answer makes no sense: {0}")]
    Garbled(String),
    /// There is no token, or none that the server takes any more.
    #[error("not signed in: {0}")]
    LoginNeeded(String),
    /// There is no connection now, and this request does not wait for one.
    #[error("not connected")]
    NotConnected,
    /// A bound of this client is reached; the text names it.
    #[error("{0}")]
    Full(String),
    /// The caller's input cannot be sent; the text says why.
    #[error("{0}")]
    Invalid(String),
    /// This kind of server has no such thing; the text says what.
    #[error("{0}")]
    Unsupported(String),
    /// The disk did not take what had to be kept (outbox, token).
    #[error("cannot write to disk: {0}")]
    Storage(String),
    /// The session is closed.
    #[error("the session is closed")]
    Closed,
}

impl Error {
    /// Whether the same request may succeed later, unchanged: the only thing that the link and
    /// the outbox ask.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.code.is_retryable(),
            Self::Unreachable(_) | Self::Unanswered(_) | Self::TimedOut(_) | Self::NotConnected => {
                true
            }
            Self::Garbled(_)
            | Self::LoginNeeded(_)
            | Self::Full(_)
            | Self::Invalid(_)
            | Self::Unsupported(_)
            | Self::Storage(_)
            | Self::Closed => false,
        }
    }

    /// The server's code, when the server spoke.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused(refusal) => Some(refusal.code),
            _ => None,
        }
    }

    /// How long the server asked to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(refusal) => refusal.retry_after,
            _ => None,
        }
    }

    /// One sentence for people: lower case, no final stop. May hold the server's words, so it
    /// passes [`crate::sanitize`] before a terminal sees it.
    pub fn sentence(&self) -> String {
        self.to_string()
    }

    /// Whether the token, and nothing else, was at fault.
    pub fn is_about_the_token(&self) -> bool {
        matches!(self, Self::LoginNeeded(_))
            || matches!(self.code(), Some(ErrorCode::Unauthenticated | ErrorCode::TokenExpired))
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
