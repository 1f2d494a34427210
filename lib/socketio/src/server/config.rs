//! What a server is told at its start. Every bound is here, with its unit and its reason.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use super::inbox::InboxLimits;
use crate::packet::PacketLimits;
use crate::reason::DisconnectReason;

/// Decides by the headers of a request whether its origin may use the server.
pub type OriginRule = Arc<dyn Fn(&HeaderMap) -> bool + Send + Sync>;

/// Settings of a [`super::Server`]; `ServerConfig::default()` is fit for the public.
#[derive(Clone)]
pub struct ServerConfig {
    /// Path of the endpoint (default `/socket.io/`); [`super::Server::handles`] compares with it.
    pub path: String,
    /// From one answered ping to the next (default 25 s).
    pub ping_interval: Duration,
    /// How long a ping may stay unanswered (default 20 s).
    pub ping_timeout: Duration,
    /// How long a transport may be without a connected namespace (default 10 s): an unauthenticated
    /// connection holds memory, and a refused one has no business left.
    pub connect_timeout: Duration,
    /// From the request to upgrade until the client has moved (default 10 s).
    pub upgrade_timeout: Duration,
    /// How long the body of a polling request may take (default 15 s).
    pub body_timeout: Duration,
    /// How long a closing transport may take to flush and to say goodbye (default 2 s).
    pub close_timeout: Duration,
    /// How long [`super::Handler::run`] may go on after its socket is closed (default 60 s); then
    /// it is dropped and a warning is logged.
    pub handler_exit_timeout: Duration,
    /// Bytes of one WebSocket message, frame or polling body (default 65,536).
    pub max_payload: usize,
    /// Fragments of one WebSocket message (default 1,024: work that the byte limit does not see).
    pub fragments_max: u32,
    /// Packets in one polling body (default 1,024).
    pub payload_packets_max: usize,
    /// What a Socket.IO packet may announce.
    pub packets: PacketLimits,
    /// Frames that may wait for a socket that does not take them (default 256); one more cuts it.
    /// Frames that wait only because their task has not run yet do not count against a socket
    /// whose transport still takes everything.
    pub queue_frames_max: usize,
    /// Bytes that may wait for a socket (default 1 MiB); more cuts it.
    pub queue_bytes_max: usize,
    /// How long frames may wait without the transport taking a byte (default 10 s).
    pub stall_timeout: Duration,
    /// The kernel's send buffer of a websocket in bytes (default 64 KiB, which Linux doubles);
    /// `None` leaves the system's: a slow socket then hides megabytes from the bounds above.
    pub send_buffer_bytes: Option<usize>,
    /// Events of one socket that may wait for its handler (default 64). When they do, the
    /// transport is not read any further: nothing is lost, TCP slows the client down, and the
    /// client's ping deadline is suspended.
    pub inbound_events_max: usize,
    /// Bytes of the events that may wait for it (default 256 KiB): an unauthenticated client, too,
    /// may send events behind its CONNECT. One event always fits.
    pub inbound_bytes_max: usize,
    /// Acknowledgements that one socket may owe (default 1,024).
    pub acks_pending_max: usize,
    /// Sessions in all (default 20,000).
    pub sessions_max: usize,
    /// Sessions without a connected namespace, in all (default 2,000).
    pub unclaimed_max: usize,
    /// The same from one address (default 50; an IPv6 address counts as its /64).
    pub unclaimed_per_address_max: usize,
    /// Bytes of the request headers that are kept for authentication (default 8 KiB).
    pub header_bytes_max: usize,
    /// Whether clients may use long-polling (default yes).
    pub polling: bool,
    /// Whether clients may use WebSocket (default yes).
    pub websocket: bool,
    /// Which origins may use the server, over polling and WebSocket alike; `None`: all, which is
    /// sound as long as no cookie authenticates anybody.
    pub origin: Option<OriginRule>,
    /// Is told what happens, for metrics.
    pub observer: Option<Arc<dyn Observer>>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            path: "/socket.io/".to_owned(),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(10),
            upgrade_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(15),
            close_timeout: Duration::from_secs(2),
            handler_exit_timeout: Duration::from_secs(60),
            max_payload: 65_536,
            fragments_max: 1_024,
            payload_packets_max: 1_024,
            packets: PacketLimits::default(),
            queue_frames_max: 256,
            queue_bytes_max: 1 << 20,
            stall_timeout: Duration::from_secs(10),
            send_buffer_bytes: Some(64 << 10),
            inbound_events_max: 64,
            inbound_bytes_max: 256 << 10,
            acks_pending_max: 1_024,
            sessions_max: 20_000,
            unclaimed_max: 2_000,
            unclaimed_per_address_max: 50,
            header_bytes_max: 8 << 10,
            polling: true,
            websocket: true,
            origin: None,
            observer: None,
        }
    }
}

impl ServerConfig {
    pub(super) fn inbox(&self) -> InboxLimits {
        InboxLimits { items_max: self.inbound_events_max, bytes_max: self.inbound_bytes_max }
    }
}

/// Is told what happens in the server. Called in hot places: count and return.
pub trait Observer: Send + Sync + 'static {
    /// A session was opened (an Engine.IO handshake).
    fn session_opened(&self) {}
    /// A session ended.
    fn session_closed(&self, reason: DisconnectReason) {
        let _ = reason;
    }
    /// A socket was connected to a namespace.
    fn socket_connected(&self) {}
    /// A namespace was refused to a client.
    fn socket_refused(&self) {}
    /// A handshake was turned away by one of the limits, whose name is given.
    fn limit_hit(&self, limit: &'static str) {
        let _ = limit;
    }
}
