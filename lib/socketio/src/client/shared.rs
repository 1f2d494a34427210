//! What the application's handles and the connection's task share: one lock around the connection's
//! [`State`], held for moves of a few words and never over an await or a serialisation.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use tokio::sync::oneshot;

use super::config::{ClientConfig, Transports};
use super::error::{ConnectError, EmitError, Refused};
use super::state::{
    Asked, ENTRY_BYTES, Granted, Inbound, Outbound, Phase, Slot, SlotId, State, Transport,
};
use crate::DisconnectReason;
use crate::engine::Handshake;
use crate::packet::NamedArgs;
use crate::payload::{Args, Outgoing};

/// See the module's text.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    task: AtomicWaker,
    bounds: Bounds,
    pub(super) tap: Option<super::tap::Tap>,
}

#[derive(Debug, Clone, Copy)]
struct Bounds {
    inbound_events_max: usize,
    inbound_bytes_max: usize,
    queue_frames_max: usize,
    queue_bytes_max: usize,
    acks_max: usize,
    /// The server's `maxPayload`, 0 without a limit.
    payload_max: usize,
    /// Binary may have to travel as base64, a third longer.
    base64: bool,
}

impl Shared {
    pub(super) fn new(config: &ClientConfig, open: &Handshake) -> Self {
        let bounds = Bounds {
            inbound_events_max: config.inbound_events_max.max(1),
            inbound_bytes_max: config.inbound_bytes_max,
            queue_frames_max: config.queue_frames_max.max(1),
            queue_bytes_max: config.queue_bytes_max,
            acks_max: config.acks_max,
            payload_max: usize::try_from(open.max_payload).unwrap_or(usize::MAX),
            base64: config.transports != Transports::Websocket,
        };
        Self { state: Mutex::default(), task: AtomicWaker::new(), bounds, tap: config.tap.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics under the lock; if it did, the state would still be whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The application's side.
impl Shared {
    /// Takes a place for a namespace and asks the server for it.
    pub(super) fn connect(&self, path: &str, auth: Option<String>) -> Result<SlotId, ConnectError> {
        let mut state = self.lock();
        if let Some(reason) = state.ended {
            return Err(ConnectError::Closed(reason));
        }
        let live = |slot: &Slot| matches!(slot.phase, Phase::Connecting | Phase::Connected(_));
        if state.slots.iter().any(|slot| &*slot.path == path && live(slot)) {
            return Err(ConnectError::Taken(path.to_owned()));
        }
        let id = SlotId(state.next_slot);
        state.next_slot = state.next_slot.wrapping_add(1);
        let path: Arc<str> = path.into();
        state.slots.push(Slot::new(id, path.clone()));
        self.push(&mut state, Outbound::Connect { path, auth });
        Ok(id)
    }

    /// The namespace's path and sid, once the server has answered.
    pub(super) fn poll_connected(
        &self,
        id: SlotId,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Granted, ConnectError>> {
        let mut state = self.lock();
        let Some(slot) = state.slot(id) else {
            return Poll::Ready(Err(ConnectError::Closed(DisconnectReason::ClientDisconnect)));
        };
        Poll::Ready(match &slot.phase {
            Phase::Connected(sid) => Ok((slot.path.clone(), sid.clone())),
            Phase::Refused(refused) => Err(ConnectError::Refused(refused.clone())),
            Phase::Ended(reason) => Err(ConnectError::Closed(*reason)),
            Phase::Connecting => {
                slot.waiting = Some(cx.waker().clone());
                return Poll::Pending;
            }
        })
    }

    /// Moves all events that have come into `batch`, which is empty; or why none will come.
    pub(super) fn poll_events(
        &self,
        id: SlotId,
        batch: &mut VecDeque<Inbound>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), DisconnectReason>> {
        let mut state = self.lock();
        let Some(slot) = state.slot(id) else {
            return Poll::Ready(Err(DisconnectReason::ClientDisconnect));
        };
        if slot.inbox.is_empty() {
            if let Phase::Ended(reason) = &slot.phase {
                return Poll::Ready(Err(*reason));
            }
            // An idle namespace keeps no buffer.
            *batch = VecDeque::new();
            slot.waiting = Some(cx.waker().clone());
            return Poll::Pending;
        }
        std::mem::swap(batch, &mut slot.inbox);
        slot.inbox_bytes = 0;
        if std::mem::take(&mut state.paused) {
            drop(state);
            self.task.wake();
        }
        Poll::Ready(Ok(()))
    }

    /// Queues an event; answers the id that it asks to be acknowledged with.
    pub(super) fn emit(
        &self,
        id: SlotId,
        event: &Outgoing,
        ack: Option<oneshot::Sender<Args>>,
    ) -> Result<u64, EmitError> {
        let mut state = self.lock();
        let (writing, waiting) = (state.writing, state.out.len());
        let slot = state.connected(id)?;
        let ack_id = slot.next_ack;
        let path = slot.path.clone();
        let wanted = ack.is_some().then_some(ack_id);
        if event.is_volatile() && (writing || waiting > 0) {
            return Ok(ack_id);
        }
        if ack.is_some() && slot.acks.len() >= self.bounds.acks_max {
            return Err(EmitError::TooManyAcks { limit: self.bounds.acks_max });
        }
        let packet = Outbound::Event { path, id: wanted, event: event.clone() };
        self.try_push(&mut state, packet)?;
        if let (Some(ack), Ok(slot)) = (ack, state.connected(id)) {
            slot.acks.insert(ack_id, ack);
            slot.next_ack = slot.next_ack.wrapping_add(1);
        }
        Ok(ack_id)
    }

    /// Queues the acknowledgement of an event of the server.
    pub(super) fn ack(
        &self,
        id: SlotId,
        ack_id: u64,
        array: Bytes,
        attachments: Vec<Bytes>,
    ) -> Result<(), EmitError> {
        let mut state = self.lock();
        let path = state.connected(id)?.path.clone();
        self.try_push(&mut state, Outbound::Ack { path, id: ack_id, array, attachments })
    }

    /// An acknowledgement is not waited for any longer.
    pub(super) fn forget_ack(&self, id: SlotId, ack_id: u64) {
        if let Some(slot) = self.lock().slot(id) {
            slot.acks.remove(&ack_id);
        }
    }

    /// Why the namespace has ended, if it has.
    pub(super) fn ended(&self, id: SlotId) -> Option<DisconnectReason> {
        match self.lock().slot(id) {
            None => Some(DisconnectReason::ClientDisconnect),
            Some(Slot { phase: Phase::Ended(reason), .. }) => Some(*reason),
            Some(_) => None,
        }
    }

    /// Leaves the namespace: events that have come can still be received.
    pub(super) fn disconnect(&self, id: SlotId) {
        let mut state = self.lock();
        let Ok(slot) = state.connected(id) else { return };
        slot.end(DisconnectReason::ClientDisconnect);
        let path = slot.path.clone();
        self.push(&mut state, Outbound::Disconnect { path });
    }

    /// Leaves the namespace if it has not ended, and forgets it.
    pub(super) fn remove(&self, id: SlotId) {
        self.disconnect(id);
        let mut state = self.lock();
        state.slots.retain(|slot| slot.id != id);
        // It may have been the full inbox that everybody waits for.
        if std::mem::take(&mut state.paused) {
            drop(state);
            self.task.wake();
        }
    }

    /// Ends the connection: every namespace has ended for the application when this returns.
    pub(super) fn ask(&self, asked: Asked) {
        let mut state = self.lock();
        if state.asked != Some(Asked::Abort) {
            state.asked = Some(asked);
        }
        state.end(DisconnectReason::Closed);
        drop(state);
        self.task.wake();
    }

    pub(super) fn transport(&self) -> Transport {
        self.lock().transport
    }

    /// Waits for the end of the connection.
    pub(super) fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<DisconnectReason> {
        let mut state = self.lock();
        if let Some(reason) = state.ended {
            return Poll::Ready(reason);
        }
        if !state.watchers.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.watchers.push(cx.waker().clone());
        }
        Poll::Pending
    }

    fn try_push(&self, state: &mut State, packet: Outbound) -> Result<(), EmitError> {
        self.check_size(&packet)?;
        let (frames, bytes) = (state.out.len(), state.out_bytes);
        // A packet over the bytes may wait alone, or it could never be sent.
        let over = bytes > 0 && bytes + packet.size() > self.bounds.queue_bytes_max;
        if over || frames >= self.bounds.queue_frames_max {
            return Err(EmitError::Full { frames, bytes });
        }
        self.push(state, packet);
        Ok(())
    }

    /// The server closes a connection that sends it too much: better not to send it.
    fn check_size(&self, packet: &Outbound) -> Result<(), EmitError> {
        let limit = self.bounds.payload_max;
        let binary = |bytes: &Bytes| {
            if self.bounds.base64 { bytes.len().div_ceil(3) * 4 + 1 } else { bytes.len() }
        };
        let longest = packet.attachments().iter().map(binary).max().unwrap_or_default();
        let size = packet.text_len().max(longest);
        if limit > 0 && size > limit { Err(EmitError::TooLarge { size, limit }) } else { Ok(()) }
    }

    fn push(&self, state: &mut State, packet: Outbound) {
        let was_empty = state.out.is_empty();
        state.out_bytes += packet.size();
        state.out.push_back(packet);
        if was_empty {
            self.task.wake();
        }
    }
}

/// The connection's side.
impl Shared {
    pub(super) fn register(&self, cx: &Context<'_>) {
        self.task.register(cx.waker());
    }

    pub(super) fn asked(&self) -> Option<Asked> {
        self.lock().asked
    }

    /// Moves everything that waits to be sent into `batch`, which is empty. The transport says by
    /// calling this that it has nothing left to write.
    pub(super) fn take_out(&self, batch: &mut VecDeque<Outbound>) {
        let mut state = self.lock();
        if state.out.is_empty() {
            // An idle connection keeps no buffer.
            (state.out, *batch) = (VecDeque::new(), VecDeque::new());
        } else {
            std::mem::swap(&mut state.out, batch);
        }
        state.out_bytes = 0;
        state.writing = !batch.is_empty();
    }

    /// Like [`Self::take_out`], for a transport that has something to do only when something waits.
    pub(super) fn poll_out(&self, batch: &mut VecDeque<Outbound>, cx: &Context<'_>) -> Poll<()> {
        self.register(cx);
        self.take_out(batch);
        let state = self.lock();
        if batch.is_empty() && state.pong.is_none() && state.asked.is_none() {
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// Waits until the application has received enough for more to be read.
    pub(super) fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        self.register(cx);
        if self.must_pause() { Poll::Pending } else { Poll::Ready(()) }
    }

    pub(super) fn set_transport(&self, transport: Transport) {
        self.lock().transport = transport;
    }

    pub(super) fn set_pong(&self, data: Bytes) {
        self.lock().pong = Some(data);
        self.task.wake();
    }

    pub(super) fn take_pong(&self) -> Option<Bytes> {
        self.lock().pong.take()
    }

    /// True when an inbox is full; then the task is woken when that may have changed.
    pub(super) fn must_pause(&self) -> bool {
        let mut state = self.lock();
        state.paused = state.slots.iter().any(|slot| self.is_full(slot));
        state.paused
    }

    fn is_full(&self, slot: &Slot) -> bool {
        slot.inbox.len() >= self.bounds.inbound_events_max
            || slot.inbox_bytes >= self.bounds.inbound_bytes_max
    }

    /// The server granted a namespace. Nobody may be waiting any more: then it is given back.
    pub(super) fn on_connected(&self, path: &str, sid: Box<str>) {
        let mut state = self.lock();
        match state.slot_at(path) {
            Some(slot) if matches!(slot.phase, Phase::Connecting) => {
                slot.phase = Phase::Connected(sid);
                slot.wake();
            }
            Some(_) => {}
            None => self.push(&mut state, Outbound::Disconnect { path: path.into() }),
        }
    }

    pub(super) fn on_refused(&self, path: &str, refused: Refused) {
        let mut state = self.lock();
        if let Some(slot) = state.slot_at(path)
            && matches!(slot.phase, Phase::Connecting)
        {
            slot.phase = Phase::Refused(refused);
            slot.wake();
        }
    }

    pub(super) fn on_disconnected(&self, path: &str) {
        if let Some(slot) = self.lock().slot_at(path) {
            slot.end(DisconnectReason::ServerDisconnect);
        }
    }

    /// Queues an event for the application; true when it was the last one for now. One for a
    /// namespace that we left is not for anybody.
    pub(super) fn on_event(&self, path: &str, id: Option<u64>, event: NamedArgs) -> bool {
        let mut state = self.lock();
        let Some(slot) = state.slot_at(path).filter(|slot| slot.is_connected()) else {
            return false;
        };
        let attached: usize = event.args().attachments().iter().map(Bytes::len).sum();
        slot.inbox_bytes += event.name().len() + event.args().json().len() + attached + ENTRY_BYTES;
        slot.inbox.push_back((id, event));
        slot.wake();
        let full = self.is_full(slot);
        state.paused |= full;
        full
    }

    /// Hands an acknowledgement over; one that nobody waits for is ignored.
    pub(super) fn on_ack(&self, path: &str, id: u64, args: Args) {
        let mut state = self.lock();
        let waiting = state.slot_at(path).and_then(|slot| slot.acks.remove(&id));
        drop(state);
        if let Some(waiting) = waiting {
            // It may have been given up in this very moment.
            let _late = waiting.send(args);
        }
    }

    /// The connection is over.
    pub(super) fn end(&self, reason: DisconnectReason) {
        let mut state = self.lock();
        state.end(reason);
        (state.out, state.out_bytes) = (VecDeque::new(), 0);
    }
}
