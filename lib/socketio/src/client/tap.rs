//! Somebody who is told of every packet of a connection, as it leaves and as it comes: for journals
//! and for tests that must know what really went over the wire.
//!
//! A connection without a tap pays one branch a packet for it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::shared::Shared;
use super::state::Transport;
use crate::DisconnectReason;
use crate::engine::EnginePacket;

/// Is told of every packet. A clone tells the same listener.
#[derive(Clone)]
pub struct Tap {
    listener: Arc<Listener<Tell>>,
    connection: u32,
}

type Tell = dyn Fn(&Tapped<'_>) + Send + Sync;

struct Listener<F: ?Sized> {
    connections: AtomicU32,
    tell: F,
}

/// Which way a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the server to us.
    In,
    /// From us to the server.
    Out,
}

/// Something that happened on a connection.
#[derive(Debug, Clone, Copy)]
pub struct Tapped<'a> {
    /// Which one, from 1: every [`super::Client::connect`] with a clone of this tap is the next,
    /// whether or not it succeeds.
    pub connection: u32,
    /// What it travels on.
    pub transport: Transport,
    /// What it is.
    pub what: Passed<'a>,
}

/// What a tap can be told of. It may hold whatever the application says, also its secrets, and
/// the session's id.
#[derive(Debug, Clone, Copy)]
pub enum Passed<'a> {
    /// An Engine.IO packet: told when it is handed to the transport, or as soon as it was read.
    Packet(Way, EnginePacket<'a>),
    /// A binary message, an attachment of the Socket.IO packet before it.
    Binary(Way, &'a [u8]),
    /// The connection is over, for this reason; nothing follows.
    End(DisconnectReason),
}

impl Tapped<'_> {
    /// Bytes of the packet as Engine.IO encodes it for its transport (Engine.IO v4, "Packet
    /// encoding"): its type and content, or raw bytes, which are `b` and base64 in polling. Frames,
    /// separators and HTTP come on top. The end has none.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match (self.what, self.transport) {
            (Passed::Packet(_, packet), _) => 1 + packet.parts().1.len(),
            (Passed::Binary(_, data), Transport::Websocket) => data.len(),
            (Passed::Binary(_, data), Transport::Polling) => 1 + data.len().div_ceil(3) * 4,
            (Passed::End(_), _) => 0,
        }
    }
}

impl Tap {
    /// `tell` is called on the connections' tasks, in the order of each wire; it must not block.
    pub fn new(tell: impl Fn(&Tapped<'_>) + Send + Sync + 'static) -> Self {
        let connections = AtomicU32::new(0);
        Self { listener: Arc::new(Listener { connections, tell }), connection: 0 }
    }

    /// For the connection that begins now.
    pub(super) fn next(&self) -> Self {
        let connection = self.listener.connections.fetch_add(1, Ordering::Relaxed) + 1;
        Self { listener: self.listener.clone(), connection }
    }

    pub(super) fn tell(&self, transport: Transport, what: Passed<'_>) {
        (self.listener.tell)(&Tapped { connection: self.connection, transport, what });
    }

    /// Of a text that is known to be a packet.
    pub(super) fn tell_text(&self, transport: Transport, way: Way, text: &[u8]) {
        if let Ok(packet) = EnginePacket::decode(text) {
            self.tell(transport, Passed::Packet(way, packet));
        }
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tap({})", self.connection)
    }
}

impl Shared {
    /// Where somebody listens, tells them on what the session travels now.
    pub(super) fn tapped(&self, tell: impl FnOnce(&Tap, Transport)) {
        if let Some(tap) = &self.tap {
            tell(tap, self.transport());
        }
    }

    /// The connection is over, and whoever listens hears why.
    pub(super) fn close(&self, reason: DisconnectReason) {
        self.tapped(|tap, on| tap.tell(on, Passed::End(reason)));
        self.end(reason);
    }
}
