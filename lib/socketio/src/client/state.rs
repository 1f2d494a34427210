//! What is kept of a connection and of each of its namespaces: plain data and its small moves. The
//! lock around it, and who may do what, is in [`super::shared`].

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;

use bytes::{Bytes, BytesMut};
use tokio::sync::oneshot;

use super::error::{EmitError, Refused};
use crate::DisconnectReason;
use crate::packet::{self, NamedArgs};
use crate::payload::{Args, Outgoing};

/// What an event weighs in a queue besides its text.
pub(super) const ENTRY_BYTES: usize = 64;
/// Longest packet header: type, attachment count, namespace's comma and a 64-bit id.
const HEADER_BYTES_MAX: usize = 34;

/// A namespace of one connection, connected once; never used again after it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SlotId(pub(super) u32);

/// A packet that waits to be sent. Text is made when it leaves, into the transport's own buffer.
#[derive(Debug)]
pub(super) enum Outbound {
    Event { path: Arc<str>, id: Option<u64>, event: Outgoing },
    Ack { path: Arc<str>, id: u64, array: Bytes, attachments: Vec<Bytes> },
    Connect { path: Arc<str>, auth: Option<String> },
    Disconnect { path: Arc<str> },
}

impl Outbound {
    /// Appends the packet's text.
    pub(super) fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Event { path, id, event } => packet::encode_event(out, path, *id, event),
            Self::Ack { path, id, array, attachments } => {
                let array = std::str::from_utf8(array).unwrap_or("[]");
                packet::encode_ack(out, path, *id, array, attachments.len());
            }
            Self::Connect { path, auth } => packet::encode_connect(out, path, auth.as_deref()),
            Self::Disconnect { path } => packet::encode_disconnect(out, path),
        }
    }

    /// The binary messages behind the text.
    pub(super) fn attachments(&self) -> &[Bytes] {
        match self {
            Self::Event { event, .. } => event.binary(),
            Self::Ack { attachments, .. } => attachments,
            Self::Connect { .. } | Self::Disconnect { .. } => &[],
        }
    }

    /// Bytes of the text, at most.
    pub(super) fn text_len(&self) -> usize {
        let (path, body) = match self {
            Self::Event { path, event, .. } => (path, event.body().len()),
            Self::Ack { path, array, .. } => (path, array.len()),
            Self::Connect { path, auth } => (path, auth.as_ref().map_or(0, String::len)),
            Self::Disconnect { path } => (path, 0),
        };
        HEADER_BYTES_MAX + path.len() + body
    }

    pub(super) fn size(&self) -> usize {
        self.text_len() + self.attachments().iter().map(Bytes::len).sum::<usize>() + ENTRY_BYTES
    }
}

/// An event that came: the id to acknowledge it with, its name and arguments.
pub(super) type Inbound = (Option<u64>, NamedArgs);

/// A granted namespace: its path and the sid that the server gave us there.
pub(super) type Granted = (Arc<str>, Box<str>);

/// What a session travels on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// HTTP requests.
    #[default]
    Polling,
    /// A websocket.
    Websocket,
}

/// How the application wants the connection to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Send what waits, then close.
    Close,
    /// Let go at once.
    Abort,
}

#[derive(Debug)]
pub(super) enum Phase {
    Connecting,
    Connected(Box<str>),
    Refused(Refused),
    Ended(DisconnectReason),
}

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) id: SlotId,
    pub(super) path: Arc<str>,
    pub(super) phase: Phase,
    pub(super) inbox: VecDeque<Inbound>,
    pub(super) inbox_bytes: usize,
    /// Whoever waits for the next event, or for the answer to CONNECT.
    pub(super) waiting: Option<Waker>,
    pub(super) acks: BTreeMap<u64, oneshot::Sender<Args>>,
    pub(super) next_ack: u64,
}

impl Slot {
    pub(super) fn new(id: SlotId, path: Arc<str>) -> Self {
        Self {
            id,
            path,
            phase: Phase::Connecting,
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            waiting: None,
            acks: BTreeMap::new(),
            next_ack: 0,
        }
    }

    pub(super) fn end(&mut self, reason: DisconnectReason) {
        if !matches!(self.phase, Phase::Ended(_) | Phase::Refused(_)) {
            self.phase = Phase::Ended(reason);
        }
        // Dropped senders are how those who wait for an acknowledgement learn of the end.
        self.acks.clear();
        self.wake();
    }

    pub(super) fn wake(&mut self) {
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        matches!(self.phase, Phase::Connected(_))
    }
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) out: VecDeque<Outbound>,
    pub(super) out_bytes: usize,
    /// The transport has taken packets that are not written yet.
    pub(super) writing: bool,
    /// What the session travels on now.
    pub(super) transport: Transport,
    /// The newest ping's data: a peer that floods us with pings gets one pong for many.
    pub(super) pong: Option<Bytes>,
    pub(super) slots: Vec<Slot>,
    pub(super) next_slot: u32,
    pub(super) asked: Option<Asked>,
    pub(super) ended: Option<DisconnectReason>,
    /// The task reads no further until an inbox was emptied.
    pub(super) paused: bool,
    /// Those who wait for the end of the connection.
    pub(super) watchers: Vec<Waker>,
}

impl State {
    pub(super) fn slot(&mut self, id: SlotId) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| slot.id == id)
    }

    /// The namespace of that path that is connected or being connected.
    pub(super) fn slot_at(&mut self, path: &str) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| {
            &*slot.path == path && matches!(slot.phase, Phase::Connecting | Phase::Connected(_))
        })
    }

    pub(super) fn connected(&mut self, id: SlotId) -> Result<&mut Slot, EmitError> {
        let slot = self.slots.iter_mut().find(|slot| slot.id == id);
        match slot {
            Some(Slot { phase: Phase::Ended(reason), .. }) => Err(EmitError::Closed(*reason)),
            Some(slot) if slot.is_connected() => Ok(slot),
            _ => Err(EmitError::Closed(DisconnectReason::ClientDisconnect)),
        }
    }

    pub(super) fn end(&mut self, reason: DisconnectReason) {
        if self.ended.is_none() {
            self.ended = Some(reason);
        }
        for slot in &mut self.slots {
            slot.end(reason);
        }
        for waker in self.watchers.drain(..) {
            waker.wake();
        }
    }
}
