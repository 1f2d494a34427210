//! Why a connection ended, as a value that both sides share.

use std::fmt;

/// Why a socket is no longer connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The peer closed its transport or said goodbye to the session.
    TransportClose,
    /// The transport failed: reset, broken framing, an aborted poll.
    TransportError,
    /// A heartbeat was not answered in time.
    PingTimeout,
    /// The client left the namespace with a DISCONNECT packet.
    ClientDisconnect,
    /// The server removed the socket from the namespace with a DISCONNECT packet. Plain clients
    /// do not reconnect after this one.
    ServerDisconnect,
    /// The server (or, in a client, the application) closed the transport.
    Closed,
    /// The server is stopping and closes all transports; clients are expected to come back.
    ServerShutdown,
    /// The peer did not read: too many frames or bytes waited, or none left for too long.
    Slow,
    /// What the peer sent is not the protocol, or exceeds a limit.
    Protocol,
    /// Nothing was connected within the time that a transport may be without a namespace.
    ConnectTimeout,
    /// The application's handler panicked.
    HandlerFailed,
}

impl DisconnectReason {
    /// A short name for logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TransportClose => "transport_close",
            Self::TransportError => "transport_error",
            Self::PingTimeout => "ping_timeout",
            Self::ClientDisconnect => "client_disconnect",
            Self::ServerDisconnect => "server_disconnect",
            Self::Closed => "closed",
            Self::ServerShutdown => "server_shutdown",
            Self::Slow => "slow",
            Self::Protocol => "protocol",
            Self::ConnectTimeout => "connect_timeout",
            Self::HandlerFailed => "handler_failed",
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
