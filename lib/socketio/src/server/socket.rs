//! A client's place in a namespace: what an application holds of it.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::frame::{self, Frames};
use super::id::SocketId;
use super::inbox::Inbox;
use super::namespace::{Namespace, NamespaceInner};
use super::session::{Closed, Session, lock};
use super::signal::HANDLERS;
use crate::packet::{self, NamedArgs};
use crate::payload::{Args, Outgoing};
use crate::reason::DisconnectReason;

/// An event as it waits for the handler: the id to acknowledge with, name and arguments.
pub(super) type Waiting = (Option<u64>, NamedArgs);

const CONNECTING: u8 = 0;
const CONNECTED: u8 = 1;
const CLOSED: u8 = 2;

/// Why no acknowledgement came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AckError {
    /// The socket was closed before the answer came: whether the client saw the event is unknown.
    #[error("the socket was closed before the acknowledgement came")]
    Closed,
    /// The time is over: whether the client saw the event is unknown.
    #[error("no acknowledgement within the time")]
    Timeout,
    /// Too many acknowledgements are outstanding; the event was not sent.
    #[error("too many acknowledgements are outstanding")]
    TooMany,
}

/// The acknowledgements that a client owes; allocated with the first one.
#[derive(Default)]
struct Acks {
    last_id: u64,
    waiting: HashMap<u64, oneshot::Sender<Args>>,
}

pub(super) struct SocketInner {
    pub(super) id: SocketId,
    pub(super) session: Arc<Session>,
    pub(super) namespace: Arc<NamespaceInner>,
    /// Under which of the namespace's paths the client is connected.
    pub(super) path: u8,
    pub(super) tag: AtomicU64,
    pub(super) inbox: Inbox<Waiting>,
    /// Names of the rooms that the socket is in; `None` once closed, so that no join comes late.
    pub(super) rooms: Mutex<Option<Vec<Arc<str>>>>,
    state: AtomicU8,
    acks: Mutex<Option<Box<Acks>>>,
    gone: Notify,
}

impl SocketInner {
    pub(super) fn new(session: Arc<Session>, namespace: Arc<NamespaceInner>, path: u8) -> Self {
        Self {
            id: SocketId::random(),
            session,
            namespace,
            path,
            tag: AtomicU64::new(0),
            inbox: Inbox::new(),
            rooms: Mutex::new(Some(Vec::new())),
            state: AtomicU8::new(CONNECTING),
            acks: Mutex::default(),
            gone: Notify::new(),
        }
    }

    pub(super) fn path(&self) -> &str {
        self.namespace.path(self.path)
    }

    pub(super) fn is_connected(&self) -> bool {
        self.state.load(Ordering::Acquire) == CONNECTED
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.load(Ordering::Acquire) == CLOSED
    }

    /// From connecting to connected; `false` when the session ended meanwhile.
    pub(super) fn open(&self) -> bool {
        let order = Ordering::AcqRel;
        self.state.compare_exchange(CONNECTING, CONNECTED, order, Ordering::Acquire).is_ok()
    }

    /// Closes for the handler and for everybody who holds the socket; `false` when it was closed.
    pub(super) fn close(&self, reason: DisconnectReason) -> bool {
        if self.state.swap(CLOSED, Ordering::AcqRel) == CLOSED {
            return false;
        }
        let rooms = lock(&self.rooms).take();
        for room in rooms.into_iter().flatten() {
            self.namespace.remove(&room, self.id);
        }
        // What the server itself ends is over at once; what a client sent before it left counts.
        let discard = matches!(reason, DisconnectReason::ServerDisconnect);
        self.inbox.close(reason, discard);
        *lock(&self.acks) = None;
        self.gone.notify_waiters();
        true
    }

    /// Sends one of the shared frames of a fan-out.
    pub(super) fn send_shared(&self, frames: &mut Frames<'_>) -> bool {
        if !self.is_connected() {
            return false;
        }
        let volatile = frames.is_volatile();
        let make = |encoding| frames.get(self.path, self.path(), encoding);
        self.session.send(volatile, make).unwrap_or(false)
    }

    /// The client has answered; answers that nobody waits for are ignored.
    pub(super) fn take_ack(&self, id: u64, args: Args) {
        let waiting = lock(&self.acks).as_mut().and_then(|acks| acks.waiting.remove(&id));
        if let Some(waiting) = waiting {
            let _receiver_gave_up = waiting.send(args);
        }
    }

    fn expect_ack(&self) -> Result<(u64, oneshot::Receiver<Args>), AckError> {
        let mut acks = lock(&self.acks);
        // Looked at under the lock that closing takes after it has set the state.
        if !self.is_connected() {
            return Err(AckError::Closed);
        }
        let acks = acks.get_or_insert_default();
        if acks.waiting.len() >= self.session.registry.config.acks_pending_max {
            return Err(AckError::TooMany);
        }
        acks.last_id += 1;
        let (sender, receiver) = oneshot::channel();
        acks.waiting.insert(acks.last_id, sender);
        Ok((acks.last_id, receiver))
    }

    fn forget_ack(&self, id: u64) {
        if let Some(acks) = lock(&self.acks).as_mut() {
            acks.waiting.remove(&id);
        }
    }
}

/// A client's place in a namespace. A clone is another handle of the same socket; it may outlive
/// the connection, and then everything that sends answers [`Closed`].
#[derive(Clone)]
pub struct Socket(pub(super) Arc<SocketInner>);

impl fmt::Debug for Socket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Socket({} at {})", self.0.id, self.0.path())
    }
}

impl Socket {
    /// The id that the client got with CONNECT.
    #[must_use]
    pub fn id(&self) -> SocketId {
        self.0.id
    }

    /// The path under which the client is connected to the namespace.
    #[must_use]
    pub fn path(&self) -> &str {
        self.0.path()
    }

    /// The namespace that the client is in.
    #[must_use]
    pub fn namespace(&self) -> Namespace {
        Namespace(Arc::clone(&self.0.namespace))
    }

    /// Marks the socket for [`super::Namespace::emit_split`] (0 at first); for example with the
    /// number of the user whose socket it is.
    pub fn set_tag(&self, tag: u64) {
        self.0.tag.store(tag, Ordering::Relaxed);
    }

    /// The mark of the socket.
    #[must_use]
    pub fn tag(&self) -> u64 {
        self.0.tag.load(Ordering::Relaxed)
    }

    /// Whether the socket is connected.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.0.is_connected()
    }

    /// Queues an event for this socket, behind everything that was queued before.
    ///
    /// # Errors
    ///
    /// [`Closed`] when the socket is not connected or is cut because too much waits for it. That
    /// it is queued says nothing about its arrival.
    pub fn emit(&self, event: &Outgoing) -> Result<(), Closed> {
        if !self.0.is_connected() {
            return Err(Closed);
        }
        let make = |encoding| frame::event(encoding, self.path(), None, event);
        self.0.session.send(event.is_volatile(), make).map(|_| ())
    }

    /// Queues an event and waits until the client acknowledges it, at most for `timeout`.
    ///
    /// Acknowledgements come in order with the client's events: a handler that waits here while
    /// its own inbox is full waits for itself, until the time is over.
    ///
    /// # Errors
    ///
    /// [`AckError`].
    pub async fn emit_with_ack(
        &self,
        event: &Outgoing,
        timeout: Duration,
    ) -> Result<Args, AckError> {
        let (id, receiver) = self.0.expect_ack()?;
        let _forget = Forget { socket: &self.0, id };
        let make = |encoding| frame::event(encoding, self.path(), Some(id), event);
        self.0.session.send(false, make).map_err(|_| AckError::Closed)?;
        match tokio::time::timeout(timeout, receiver).await {
            Ok(Ok(args)) => Ok(args),
            Ok(Err(_)) => Err(AckError::Closed),
            Err(_) => Err(AckError::Timeout),
        }
    }

    /// Puts the socket into a room; does nothing when it is in it or closed.
    pub fn join(&self, room: &str) {
        self.0.namespace.join(room, &self.0);
    }

    /// Takes the socket out of a room; does nothing when it is not in it.
    pub fn leave(&self, room: &str) {
        self.0.namespace.leave(room, &self.0);
    }

    /// Whether the socket is in the room.
    #[must_use]
    pub fn is_in(&self, room: &str) -> bool {
        lock(&self.0.rooms).iter().flatten().any(|name| **name == *room)
    }

    /// The rooms that the socket is in, in no order; none once it is closed.
    #[must_use]
    pub fn rooms(&self) -> Vec<Arc<str>> {
        lock(&self.0.rooms).clone().unwrap_or_default()
    }

    /// Removes the client from the namespace (DISCONNECT); its transport stays. Plain clients do
    /// not reconnect by themselves after this: use it for a refusal, [`Self::close`] for the rest.
    pub fn disconnect(&self) {
        leave_namespace(&self.0);
    }

    /// Closes the transport, after everything that was queued has been sent. Plain clients
    /// reconnect by themselves.
    pub fn close(&self, reason: DisconnectReason) {
        self.0.session.close(reason);
    }

    /// Waits until the socket is closed.
    pub async fn closed(&self) {
        let gone = self.0.gone.notified();
        tokio::pin!(gone);
        gone.as_mut().enable();
        if !self.0.is_closed() {
            gone.await;
        }
    }
}

/// Sends DISCONNECT and closes the socket, unless it is closed already.
pub(super) fn leave_namespace(socket: &SocketInner) {
    if socket.close(DisconnectReason::ServerDisconnect) {
        let path = socket.path();
        let make =
            |encoding| frame::message(encoding, &[], |out| packet::encode_disconnect(out, path));
        let _already_closed = socket.session.send(false, make);
        socket.session.signal.ring(HANDLERS);
    }
}

/// Forgets an acknowledgement whose waiter is gone.
struct Forget<'a> {
    socket: &'a SocketInner,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.socket.forget_ack(self.id);
    }
}
