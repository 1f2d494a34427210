//! What can go wrong, as values: connecting, emitting, waiting for an acknowledgement. Why a
//! connection ended is [`crate::DisconnectReason`].

use std::io;
use std::time::Duration;

use http::StatusCode;

use crate::DisconnectReason;

/// Why there is no connection, or no namespace on it.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The url, a header or the path cannot be used.
    #[error("{0}")]
    Config(String),
    /// No TCP connection: the name is unknown, nobody listens, no route.
    #[error("cannot reach {host}: {source}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// What the system said of the last address tried.
        source: io::Error,
    },
    /// The server's certificate or its TLS is not acceptable.
    #[error("no secure connection to {host}: {source}")]
    Tls {
        /// Host and port.
        host: String,
        /// What the TLS library said.
        source: io::Error,
    },
    /// [`super::ClientConfig::connect_timeout`] has passed.
    #[error("no answer from the server within {0:?}")]
    Timeout(Duration),
    /// The server answered with HTTP, and not with what was asked for.
    #[error("the server answered {status}: {body}")]
    Http {
        /// Its status. A redirection is not followed: credentials stay with the host they are for.
        status: StatusCode,
        /// The beginning of its body, at most 1 KiB; hostile text until it is sanitised.
        body: String,
    },
    /// The server does not speak Engine.IO v4, Socket.IO v5 or RFC 6455.
    #[error("the server broke the protocol: {0}")]
    Protocol(String),
    /// The auth value is not a JSON object.
    #[error("the auth of a namespace is a JSON object: {0}")]
    Auth(String),
    /// This connection has that namespace already.
    #[error("namespace {0} is connected already")]
    Taken(String),
    /// The server refused the namespace (CONNECT_ERROR). The connection stays.
    #[error("{}", .0.message)]
    Refused(Refused),
    /// The connection broke during the handshake.
    #[error("the connection broke during the handshake: {0}")]
    Broken(String),
    /// The connection ended before the namespace was answered.
    #[error("the connection ended: {0}")]
    Closed(DisconnectReason),
}

/// A namespace's refusal as the server worded it (Socket.IO v5, CONNECT_ERROR).
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// Its message; hostile text until it is sanitised.
    pub message: String,
    /// What the server added, if anything.
    pub data: Option<serde_json::Value>,
}

/// An event was not taken for sending.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmitError {
    /// The namespace or the connection has ended.
    #[error("not connected: {0}")]
    Closed(DisconnectReason),
    /// As much is waiting to be sent as may wait: the server does not read fast enough.
    #[error("{frames} packets with {bytes} bytes wait to be sent")]
    Full {
        /// Packets that wait.
        frames: usize,
        /// Their bytes.
        bytes: usize,
    },
    /// The server announced that it closes a connection that sends it so much at once.
    #[error("a packet of {size} bytes is over the server's limit of {limit}")]
    TooLarge {
        /// The packet's size as it would be sent.
        size: usize,
        /// `maxPayload` of the server's handshake.
        limit: usize,
    },
    /// [`super::ClientConfig::acks_max`] acknowledgements are awaited already.
    #[error("{limit} acknowledgements are awaited already")]
    TooManyAcks {
        /// The bound.
        limit: usize,
    },
    /// The acknowledgement could not be serialised, or was given already.
    #[error("the acknowledgement cannot be sent: {0}")]
    Ack(String),
}

/// There is no acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AckError {
    /// The event was never sent.
    #[error(transparent)]
    NotSent(#[from] EmitError),
    /// It did not come in time; whether the server saw the event is unknown. A later one is
    /// ignored.
    #[error("no acknowledgement within {0:?}")]
    Timeout(Duration),
    /// The connection ended first; whether the server saw the event is unknown.
    #[error("the connection ended before the acknowledgement: {0}")]
    Closed(DisconnectReason),
}
