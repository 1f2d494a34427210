//! Engine.IO without Socket.IO on top: messages, in order, for those who speak their own protocol.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use bytes::{BufMut, Bytes};

use super::frame;
use super::inbox::Inbox;
use super::session::{Closed, Session};
use super::signal::ROOM;
use crate::reason::DisconnectReason;

/// What an application does with a session that carries plain Engine.IO messages
/// ([`super::ServerBuilder::raw`]).
pub trait RawHandler: Send + Sync + 'static {
    /// The whole life of the session: take messages until `None`, then return soon. Returning
    /// earlier closes the session.
    fn run(&self, socket: RawSocket, messages: RawMessages) -> impl Future<Output = ()> + Send;
}

/// One Engine.IO message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawMessage {
    /// Text; the bytes are valid UTF-8.
    Text(Bytes),
    /// Bytes.
    Binary(Bytes),
}

pub(super) struct RawInner {
    session: Arc<Session>,
    pub(super) inbox: Inbox<RawMessage>,
}

/// A session to send messages to. A clone is another handle.
#[derive(Clone)]
pub struct RawSocket(Arc<RawInner>);

/// The messages of one session, in order.
pub struct RawMessages(Arc<RawInner>);

impl RawInner {
    pub(super) fn new(session: Arc<Session>) -> Self {
        Self { session, inbox: Inbox::new() }
    }
}

impl fmt::Debug for RawSocket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RawSocket")
    }
}

impl fmt::Debug for RawMessages {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RawMessages")
    }
}

impl RawSocket {
    /// Queues a message.
    ///
    /// # Errors
    ///
    /// [`Closed`] when the session has ended or is cut because too much waits for it.
    pub fn send(&self, message: &RawMessage) -> Result<(), Closed> {
        let make = |encoding| match message {
            RawMessage::Text(text) => frame::message(encoding, &[], |out| out.put_slice(text)),
            RawMessage::Binary(bytes) => frame::binary(encoding, bytes),
        };
        self.0.session.send(false, make).map(|_| ())
    }

    /// Closes the session.
    pub fn close(&self, reason: DisconnectReason) {
        self.0.session.close(reason);
    }
}

impl RawMessages {
    /// The next message; `None` once the session has ended and all are taken.
    pub async fn recv(&mut self) -> Option<RawMessage> {
        let taken = poll_fn(|context| self.0.inbox.poll_take(context)).await;
        if taken.made_room {
            self.0.session.signal.ring(ROOM);
        }
        taken.item
    }
}

impl Drop for RawMessages {
    fn drop(&mut self) {
        if self.0.inbox.abandon() {
            self.0.session.signal.ring(ROOM);
        }
    }
}

/// A [`RawHandler`] of any type.
pub(super) trait DynRawHandler: Send + Sync {
    fn start(self: Arc<Self>, inner: Arc<RawInner>) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

impl<H: RawHandler> DynRawHandler for H {
    fn start(self: Arc<Self>, inner: Arc<RawInner>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            self.run(RawSocket(Arc::clone(&inner)), RawMessages(inner)).await;
        })
    }
}
