//! The Socket.IO layer of one connection: which namespaces it is in, and their handlers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::super::handler::{ConnectRequest, Life};
use super::super::session::Session;
use super::super::signal::{HANDLERS, ROOM};
use super::super::socket::{SocketInner, leave_namespace};
use super::super::{frame, peer::Peer};
use crate::packet::{self, Body, Decoder, Packet};
use crate::reason::DisconnectReason;

/// A namespace that the client is in, wants to be in, or has left while its handler still runs.
struct Slot {
    /// Which of the server's paths.
    path: usize,
    socket: Arc<SocketInner>,
    life: Option<Life>,
    /// When the handler must have ended, once its socket is closed.
    exit_by_ms: Option<u64>,
}

pub(super) struct Slots {
    session: Arc<Session>,
    peer: Peer,
    decoder: Decoder,
    /// At most one per path of the server.
    slots: Vec<Slot>,
    /// A packet that cannot be taken yet; nothing behind it is read.
    stalled: Option<Box<Packet<'static>>>,
}

type Verdict<T> = Result<T, DisconnectReason>;

impl Slots {
    pub(super) fn new(session: Arc<Session>, peer: Peer) -> Self {
        Self { session, peer, decoder: Decoder::default(), slots: Vec::new(), stalled: None }
    }

    /// Takes the text of a Socket.IO packet.
    pub(super) fn text(&mut self, text: &[u8]) -> Verdict<()> {
        let limits = &self.session.registry.config.packets;
        let packet = self.decoder.text(text, limits).map_err(|_| DisconnectReason::Protocol)?;
        match packet {
            Some(packet) => self.packet(packet),
            // Nothing is held for somebody who is not in the namespace.
            None => match self.decoder.pending_namespace() {
                Some(path) if self.slots.iter().any(|slot| self.is_at(slot, path)) => Ok(()),
                _ => Err(DisconnectReason::Protocol),
            },
        }
    }

    /// Takes a binary message.
    pub(super) fn binary(&mut self, bytes: &[u8]) -> Verdict<()> {
        // Copied, so that an attachment that is kept does not keep the read buffer.
        let bytes = Bytes::copy_from_slice(bytes);
        match self.decoder.binary(bytes).map_err(|_| DisconnectReason::Protocol)? {
            Some(packet) => self.packet(packet),
            None => Ok(()),
        }
    }

    fn packet(&mut self, packet: Packet<'_>) -> Verdict<()> {
        if let Some(stalled) = self.take(packet)? {
            self.stalled = Some(Box::new(stalled.into_owned()));
        }
        Ok(())
    }

    pub(super) fn is_stalled(&self) -> bool {
        self.stalled.is_some()
    }

    /// Tries the stalled packet again; whether nothing is stalled now.
    pub(super) fn retry(&mut self) -> Verdict<bool> {
        if let Some(packet) = self.stalled.take() {
            self.packet(*packet)?;
        }
        Ok(self.stalled.is_none())
    }

    fn is_at(&self, slot: &Slot, path: &str) -> bool {
        *self.session.registry.paths[slot.path].path == *path
    }

    /// Takes a packet, or gives it back when it must wait.
    fn take<'a>(&mut self, packet: Packet<'a>) -> Verdict<Option<Packet<'a>>> {
        let registry = Arc::clone(&self.session.registry);
        let path = registry.paths.iter().position(|path| *path.path == *packet.namespace);
        let slot = self.slots.iter().position(|slot| Some(slot.path) == path);
        match (packet.body, path, slot) {
            (Body::Connect(_), None, _) => {
                self.refuse_unknown(&packet.namespace);
                Ok(None)
            }
            (Body::Connect(auth), Some(path), None) => {
                self.connect(path, auth);
                Ok(None)
            }
            (Body::Connect(auth), Some(path), Some(at)) => {
                let slot = &self.slots[at];
                match (slot.socket.is_closed(), slot.life.is_some()) {
                    // Connected already: a client that lost count of itself.
                    (false, _) => Err(DisconnectReason::Protocol),
                    // The handler of the last time must end first.
                    (true, true) => {
                        Ok(Some(Packet { namespace: packet.namespace, body: Body::Connect(auth) }))
                    }
                    (true, false) => {
                        self.slots.swap_remove(at);
                        self.connect(path, auth);
                        Ok(None)
                    }
                }
            }
            (Body::ConnectError(_), ..) => Err(DisconnectReason::Protocol),
            // Not in this namespace and never was.
            (_, _, None) => Err(DisconnectReason::Protocol),
            (Body::Disconnect, _, Some(at)) => {
                self.slots[at].socket.close(DisconnectReason::ClientDisconnect);
                Ok(None)
            }
            (Body::Ack { id, args }, _, Some(at)) => {
                self.slots[at].socket.take_ack(id, args);
                Ok(None)
            }
            (Body::Event { id, event }, _, Some(at)) => {
                // An event for a socket that was closed meanwhile was under way when it was: the
                // inbox forgets it.
                let (bytes, limits) = (event.args().weight(), registry.config.inbox());
                let turned_away = self.slots[at].socket.inbox.push((id, event), bytes, limits);
                Ok(turned_away.err().map(|(id, event)| Packet {
                    namespace: packet.namespace,
                    body: Body::Event { id, event },
                }))
            }
        }
    }

    fn refuse_unknown(&self, path: &str) {
        let data = r#"{"message":"Invalid namespace"}"#;
        let make = |encoding| {
            frame::message(encoding, &[], |out| packet::encode_connect_error(out, path, data))
        };
        let _closed = self.session.send(false, make);
    }

    fn connect(&mut self, path: usize, auth: Option<Box<serde_json::value::RawValue>>) {
        let known = &self.session.registry.paths[path];
        let namespace = Arc::clone(&known.namespace);
        let request = ConnectRequest {
            namespace: (*known.path).to_owned(),
            auth,
            headers: self.peer.headers(),
            peer: self.peer.address,
        };
        let handler = Arc::clone(&namespace.handler);
        let socket = SocketInner::new(Arc::clone(&self.session), namespace, known.index);
        let socket = Arc::new(socket);
        let life = Some(handler.start(request, Arc::clone(&socket)));
        self.slots.push(Slot { path, socket, life, exit_by_ms: None });
        self.session.signal.ring(HANDLERS);
    }

    /// Lets the handlers go on that want to.
    pub(super) fn poll_handlers(&mut self, context: &mut Context<'_>, now_ms: u64) -> Verdict<()> {
        let exit_ms = super::millis(self.session.registry.config.handler_exit_timeout);
        for slot in &mut self.slots {
            let Some(life) = &mut slot.life else { continue };
            match catch_unwind(AssertUnwindSafe(|| life.as_mut().poll(context))) {
                Ok(Poll::Ready(())) => {
                    slot.life = None;
                    leave_namespace(&slot.socket);
                    // The client may wait to come back to this namespace.
                    self.session.signal.ring(ROOM);
                }
                Ok(Poll::Pending) => {
                    if slot.socket.is_closed() && slot.exit_by_ms.is_none() {
                        slot.exit_by_ms = Some(now_ms + exit_ms);
                    }
                }
                Err(_panic) => {
                    slot.life = None;
                    return Err(DisconnectReason::HandlerFailed);
                }
            }
        }
        Ok(())
    }

    pub(super) fn exit_by_ms(&self) -> Option<u64> {
        let running = self.slots.iter().filter(|slot| slot.life.is_some());
        running.filter_map(|slot| slot.exit_by_ms).min()
    }

    /// Drops handlers that do not end although their sockets are closed.
    pub(super) fn expire(&mut self, now_ms: u64) {
        for slot in &mut self.slots {
            if slot.life.is_some() && slot.exit_by_ms.is_some_and(|by| by <= now_ms) {
                tracing::warn!(namespace = slot.socket.path(), "a handler outlived its socket");
                slot.life = None;
                self.session.signal.ring(ROOM);
            }
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.slots.iter().any(|slot| slot.socket.is_connected())
    }

    pub(super) fn is_running(&self) -> bool {
        self.slots.iter().any(|slot| slot.life.is_some())
    }

    pub(super) fn close(&mut self, reason: DisconnectReason) {
        self.stalled = None;
        self.decoder = Decoder::default();
        for slot in &self.slots {
            slot.socket.close(reason);
        }
    }
}
