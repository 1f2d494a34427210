//! What lies above the transport: Socket.IO, or the plain messages of a [`RawHandler`].
//!
//! [`RawHandler`]: super::super::RawHandler

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::super::peer::Peer;
use super::super::raw::{RawInner, RawMessage};
use super::super::session::Session;
use super::slots::Slots;
use crate::reason::DisconnectReason;

pub(super) enum Upper {
    SocketIo(Box<Slots>, IpAddr),
    Raw(Box<Raw>),
}

/// One handler for the whole session.
pub(super) struct Raw {
    session: Arc<Session>,
    inner: Arc<RawInner>,
    life: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    stalled: Option<RawMessage>,
    exit_by_ms: Option<u64>,
}

impl Upper {
    pub(super) fn new(session: &Arc<Session>, peer: Peer) -> Self {
        let Some(handler) = session.registry.raw.clone() else {
            let address = peer.address;
            return Self::SocketIo(Box::new(Slots::new(Arc::clone(session), peer)), address);
        };
        let inner = Arc::new(RawInner::new(Arc::clone(session)));
        let life = Some(handler.start(Arc::clone(&inner)));
        let session = Arc::clone(session);
        Self::Raw(Box::new(Raw { session, inner, life, stalled: None, exit_by_ms: None }))
    }

    /// Whether a transport without a namespace has no business.
    pub(super) fn must_connect(&self) -> bool {
        matches!(self, Self::SocketIo(..))
    }

    pub(super) fn address(&self) -> IpAddr {
        match self {
            Self::SocketIo(_, address) => *address,
            Self::Raw(_) => IpAddr::from([0; 4]),
        }
    }

    pub(super) fn text(&mut self, text: &[u8]) -> Result<(), DisconnectReason> {
        match self {
            Self::SocketIo(slots, _) => slots.text(text),
            Self::Raw(raw) => {
                raw.take(RawMessage::Text(Bytes::copy_from_slice(text)));
                Ok(())
            }
        }
    }

    pub(super) fn binary(&mut self, bytes: &[u8]) -> Result<(), DisconnectReason> {
        match self {
            Self::SocketIo(slots, _) => slots.binary(bytes),
            Self::Raw(raw) => {
                raw.take(RawMessage::Binary(Bytes::copy_from_slice(bytes)));
                Ok(())
            }
        }
    }

    /// Whether something waits for room: nothing more may be read.
    pub(super) fn is_stalled(&self) -> bool {
        match self {
            Self::SocketIo(slots, _) => slots.is_stalled(),
            Self::Raw(raw) => raw.stalled.is_some(),
        }
    }

    /// Tries again what is stalled; whether nothing is stalled now.
    pub(super) fn retry(&mut self) -> Result<bool, DisconnectReason> {
        match self {
            Self::SocketIo(slots, _) => slots.retry(),
            Self::Raw(raw) => {
                if let Some(message) = raw.stalled.take() {
                    raw.take(message);
                }
                Ok(raw.stalled.is_none())
            }
        }
    }

    pub(super) fn poll_handlers(
        &mut self,
        context: &mut Context<'_>,
        now_ms: u64,
    ) -> Result<(), DisconnectReason> {
        match self {
            Self::SocketIo(slots, _) => slots.poll_handlers(context, now_ms),
            Self::Raw(raw) => raw.poll(context, now_ms),
        }
    }

    pub(super) fn exit_by_ms(&self) -> Option<u64> {
        match self {
            Self::SocketIo(slots, _) => slots.exit_by_ms(),
            Self::Raw(raw) => raw.exit_by_ms,
        }
    }

    pub(super) fn expire(&mut self, now_ms: u64) {
        match self {
            Self::SocketIo(slots, _) => slots.expire(now_ms),
            Self::Raw(raw) => {
                if raw.exit_by_ms.is_some_and(|by| by <= now_ms) {
                    tracing::warn!("a handler outlived its session");
                    raw.end();
                }
            }
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        match self {
            Self::SocketIo(slots, _) => slots.is_connected(),
            Self::Raw(_) => true,
        }
    }

    pub(super) fn is_running(&self) -> bool {
        match self {
            Self::SocketIo(slots, _) => slots.is_running(),
            Self::Raw(raw) => raw.life.is_some(),
        }
    }

    pub(super) fn close(&mut self, reason: DisconnectReason) {
        match self {
            Self::SocketIo(slots, _) => slots.close(reason),
            Self::Raw(raw) => {
                raw.stalled = None;
                raw.inner.inbox.close(reason, false);
            }
        }
    }
}

impl Raw {
    fn take(&mut self, message: RawMessage) {
        let (RawMessage::Text(bytes) | RawMessage::Binary(bytes)) = &message;
        let (bytes, limits) = (bytes.len(), self.session.registry.config.inbox());
        self.stalled = self.inner.inbox.push(message, bytes, limits).err();
    }

    fn poll(&mut self, context: &mut Context<'_>, now_ms: u64) -> Result<(), DisconnectReason> {
        let Some(life) = &mut self.life else { return Ok(()) };
        match catch_unwind(AssertUnwindSafe(|| life.as_mut().poll(context))) {
            Ok(Poll::Ready(())) => {
                self.end();
                self.session.close(DisconnectReason::Closed);
            }
            Ok(Poll::Pending) => {
                if self.exit_by_ms.is_none() && self.inner.inbox.closed().is_some() {
                    let exit = self.session.registry.config.handler_exit_timeout;
                    self.exit_by_ms = Some(now_ms + super::millis(exit));
                }
            }
            Err(_panic) => {
                self.end();
                return Err(DisconnectReason::HandlerFailed);
            }
        }
        Ok(())
    }

    fn end(&mut self) {
        self.life = None;
        self.exit_by_ms = None;
    }
}
