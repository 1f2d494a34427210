//! The ordered stream of what a client sends, one event at a time.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use super::frame;
use super::session::Closed;
use super::signal::ROOM;
use super::socket::SocketInner;
use crate::packet::{self, NamedArgs};
use crate::payload::Args;
use crate::reason::DisconnectReason;

/// Everything that one client sends to one namespace, in its order.
///
/// At most [`super::ServerConfig::inbound_events_max`] events wait here. When they do, the
/// transport is not read any further until half of them are taken: nothing is lost, and TCP
/// slows the client down.
pub struct Events(pub(super) Arc<SocketInner>);

/// An event, and the right to acknowledge it once.
pub struct Event {
    socket: Arc<SocketInner>,
    id: Option<u64>,
    event: NamedArgs,
}

/// Why an acknowledgement could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum AckSendError {
    /// The socket is closed.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// The body cannot be serialised.
    #[error("the acknowledgement cannot be serialised: {0}")]
    Json(#[from] serde_json::Error),
}

impl fmt::Debug for Events {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Events({})", self.0.id)
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Event({:?} of {})", self.name(), self.socket.id)
    }
}

impl Events {
    /// The next event; `None` once the socket is closed and everything that the client sent
    /// before is taken. May be dropped and called again without losing an event.
    pub async fn recv(&mut self) -> Option<Event> {
        let taken = poll_fn(|context| self.0.inbox.poll_take(context)).await;
        if taken.made_room {
            self.0.session.signal.ring(ROOM);
        }
        let (id, event) = taken.item?;
        Some(Event { socket: Arc::clone(&self.0), id, event })
    }

    /// Why the socket was closed, once it is.
    #[must_use]
    pub fn reason(&self) -> Option<DisconnectReason> {
        self.0.inbox.closed()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        if self.0.inbox.abandon() {
            self.0.session.signal.ring(ROOM);
        }
    }
}

impl Event {
    /// The event's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.event.name()
    }

    /// The event's arguments.
    #[must_use]
    pub fn args(&self) -> &Args {
        self.event.args()
    }

    /// Whether the client waits for an acknowledgement that was not sent yet.
    #[must_use]
    pub fn wants_ack(&self) -> bool {
        self.id.is_some()
    }

    /// Acknowledges with one argument. Does nothing when the client did not ask or was answered.
    ///
    /// # Errors
    ///
    /// When the body cannot be serialised or the socket is closed.
    pub fn ack<T: Serialize + ?Sized>(&mut self, body: &T) -> Result<(), AckSendError> {
        if self.id.is_some() {
            let mut array = vec![b'['];
            serde_json::to_writer(&mut array, body)?;
            array.push(b']');
            self.send_ack(&String::from_utf8(array).unwrap_or_default(), &[])?;
        }
        Ok(())
    }

    /// Acknowledges with any number of arguments and attachments.
    ///
    /// # Errors
    ///
    /// [`Closed`] when the socket is closed.
    pub fn ack_args(&mut self, args: &Args) -> Result<(), Closed> {
        self.send_ack(args.json(), args.attachments())
    }

    fn send_ack(&mut self, array: &str, attachments: &[Bytes]) -> Result<(), Closed> {
        let Some(id) = self.id.take() else { return Ok(()) };
        if !self.socket.is_connected() {
            return Err(Closed);
        }
        let path = self.socket.path();
        let make = |encoding| {
            frame::message(encoding, attachments, |out| {
                packet::encode_ack(out, path, id, array, attachments.len());
            })
        };
        self.socket.session.send(false, make).map(|_| ())
    }
}
