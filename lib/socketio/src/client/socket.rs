//! The application's end of one namespace.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::oneshot;

use super::Handle;
use super::error::{AckError, EmitError};
use super::shared::Shared;
use super::state::{Asked, Inbound, SlotId};
use crate::DisconnectReason;
use crate::packet::NamedArgs;
use crate::payload::{Args, Outgoing};

/// What came next on a namespace.
#[derive(Debug)]
pub enum Received {
    /// An event, in the order of the wire.
    Event(Event),
    /// Nothing more will come.
    Closed(DisconnectReason),
}

/// A connected namespace. Dropping it leaves the namespace; when the [`super::Client`] is gone too,
/// the connection closes.
#[derive(Debug)]
pub struct ClientSocket {
    sender: ClientSender,
    sid: Box<str>,
    /// Events taken over from the connection, to be handed out one by one.
    batch: VecDeque<Inbound>,
    /// Keeps the connection open.
    _handle: Arc<Handle>,
}

impl ClientSocket {
    pub(super) fn new(handle: Arc<Handle>, slot: SlotId, path: Arc<str>, sid: Box<str>) -> Self {
        let sender = ClientSender { shared: handle.shared.clone(), slot, path };
        Self { sender, sid, batch: VecDeque::new(), _handle: handle }
    }

    /// The id that the server gave this socket.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.sid
    }

    /// The namespace's path.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.sender.path
    }

    /// The next event, in the order of the wire, from the first one after the server's answer to
    /// CONNECT on; after the last one the reason of the end, as often as it is asked for.
    ///
    /// May be dropped at any time without losing an event. A socket that is not received from stops
    /// the whole connection once [`super::ClientConfig::inbound_events_max`] events wait.
    pub async fn recv(&mut self) -> Received {
        if self.batch.is_empty() {
            let Self { batch, sender, .. } = self;
            let taken = poll_fn(|cx| sender.shared.poll_events(sender.slot, batch, cx)).await;
            if let Err(reason) = taken {
                return Received::Closed(reason);
            }
        }
        match self.batch.pop_front() {
            Some((id, named)) => {
                let reply_to = id.map(|id| (self.sender.clone(), id));
                Received::Event(Event { named, reply_to })
            }
            // Not reached: a batch that was taken over holds an event.
            None => Received::Closed(DisconnectReason::ClientDisconnect),
        }
    }

    /// A handle to emit with, for other tasks. It does not keep the connection open.
    #[must_use]
    pub fn sender(&self) -> ClientSender {
        self.sender.clone()
    }

    /// See [`ClientSender::emit`].
    ///
    /// # Errors
    /// See [`ClientSender::emit`].
    pub fn emit(&self, event: &Outgoing) -> Result<(), EmitError> {
        self.sender.emit(event)
    }

    /// See [`ClientSender::emit_with_ack`].
    ///
    /// # Errors
    /// See [`ClientSender::emit_with_ack`].
    pub async fn emit_with_ack(
        &self,
        event: &Outgoing,
        timeout: Duration,
    ) -> Result<Args, AckError> {
        self.sender.emit_with_ack(event, timeout).await
    }

    /// Leaves the namespace (DISCONNECT). The connection stays for others, and until it is dropped.
    pub fn disconnect(&self) {
        self.sender.disconnect();
    }

    /// Closes the connection with all its namespaces, after everything emitted has been sent.
    pub fn close(&self) {
        self.sender.close();
    }

    /// Lets the connection go without a word, as if this process had been killed.
    pub fn abort(&self) {
        self.sender.abort();
    }
}

impl Drop for ClientSocket {
    fn drop(&mut self) {
        self.sender.shared.remove(self.sender.slot);
    }
}

/// Emits on a namespace from anywhere; a clone is cheap.
#[derive(Debug, Clone)]
pub struct ClientSender {
    shared: Arc<Shared>,
    slot: SlotId,
    path: Arc<str>,
}

impl ClientSender {
    /// Queues an event; it leaves in the order of the calls. A volatile one is left out, with
    /// success, while others still wait.
    ///
    /// # Errors
    /// [`EmitError`]: then nothing was queued.
    pub fn emit(&self, event: &Outgoing) -> Result<(), EmitError> {
        self.shared.emit(self.slot, event, None).map(|_| ())
    }

    /// Queues an event now and waits for its acknowledgement later. The wait begins here.
    ///
    /// # Errors
    /// [`EmitError`]: then nothing was queued.
    pub fn emit_for_ack(&self, event: &Outgoing) -> Result<PendingAck, EmitError> {
        let (answer, answered) = oneshot::channel();
        let id = self.shared.emit(self.slot, event, Some(answer))?;
        Ok(PendingAck { answered, shared: self.shared.clone(), slot: self.slot, id })
    }

    /// Emits and waits for the acknowledgement.
    ///
    /// # Errors
    /// [`AckError`]. After a timeout nothing of it is kept, and a late acknowledgement is ignored.
    pub async fn emit_with_ack(
        &self,
        event: &Outgoing,
        timeout: Duration,
    ) -> Result<Args, AckError> {
        self.emit_for_ack(event)?.within(timeout).await
    }

    /// Why the namespace has ended, if it has.
    #[must_use]
    pub fn ended(&self) -> Option<DisconnectReason> {
        self.shared.ended(self.slot)
    }

    /// See [`ClientSocket::disconnect`].
    pub fn disconnect(&self) {
        self.shared.disconnect(self.slot);
    }

    /// See [`ClientSocket::close`].
    pub fn close(&self) {
        self.shared.ask(Asked::Close);
    }

    /// See [`ClientSocket::abort`].
    pub fn abort(&self) {
        self.shared.ask(Asked::Abort);
    }
}

/// An acknowledgement that is awaited; dropping it gives it up.
#[derive(Debug)]
#[must_use = "dropping it gives the acknowledgement up"]
pub struct PendingAck {
    answered: oneshot::Receiver<Args>,
    shared: Arc<Shared>,
    slot: SlotId,
    id: u64,
}

impl PendingAck {
    /// Waits for it.
    ///
    /// # Errors
    /// [`AckError::Timeout`] or [`AckError::Closed`].
    pub async fn within(mut self, timeout: Duration) -> Result<Args, AckError> {
        match tokio::time::timeout(timeout, &mut self.answered).await {
            Ok(Ok(args)) => Ok(args),
            Ok(Err(_)) => {
                let ended = self.shared.ended(self.slot);
                Err(AckError::Closed(ended.unwrap_or(DisconnectReason::ClientDisconnect)))
            }
            Err(_) => Err(AckError::Timeout(timeout)),
        }
    }
}

impl Drop for PendingAck {
    fn drop(&mut self) {
        self.shared.forget_ack(self.slot, self.id);
    }
}

/// An event of the server.
#[derive(Debug)]
pub struct Event {
    named: NamedArgs,
    reply_to: Option<(ClientSender, u64)>,
}

impl Event {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.named.name()
    }

    /// Its arguments.
    #[must_use]
    pub fn args(&self) -> &Args {
        self.named.args()
    }

    /// Whether the server waits for an acknowledgement that has not been given.
    #[must_use]
    pub fn wants_ack(&self) -> bool {
        self.reply_to.is_some()
    }

    /// Acknowledges with one argument. Nothing happens when nobody waits for it.
    ///
    /// # Errors
    /// [`EmitError`]: then nothing was queued, and it can be tried again.
    pub fn ack<T: Serialize + ?Sized>(&mut self, body: &T) -> Result<(), EmitError> {
        let array =
            serde_json::to_vec(&[body]).map_err(|error| EmitError::Ack(error.to_string()))?;
        self.reply(array.into(), Vec::new())
    }

    /// Acknowledges with any arguments, attachments included.
    ///
    /// # Errors
    /// See [`Self::ack`].
    pub fn ack_args(&mut self, args: &Args) -> Result<(), EmitError> {
        self.reply(args.to_bytes(), args.attachments().to_vec())
    }

    fn reply(&mut self, array: Bytes, attachments: Vec<Bytes>) -> Result<(), EmitError> {
        let Some((sender, id)) = &self.reply_to else { return Ok(()) };
        sender.shared.ack(sender.slot, *id, array, attachments)?;
        self.reply_to = None;
        Ok(())
    }
}
