//! The end of a connection: tell the handlers, flush what can be flushed, say goodbye, let go.

use std::task::{Context, Poll};

use bytes::BytesMut;

use super::super::frame;
use super::super::queue::{Release, is_farewell};
use super::super::signal::{FLUSH, HANDLERS, READ};
use super::{Connection, Transport, millis};
use crate::reason::DisconnectReason;
use crate::ws::{Opcode, close_code, close_payload};

/// Bytes that are read and forgotten in one turn while we wait for the peer to close.
const DRAIN_BYTES: usize = 64 << 10;

/// How long after a client's goodbye a poll of its own may still be on its way.
const PARTING_MS: u64 = 100;

/// The last steps.
pub(super) struct Closing {
    /// When the transport is dropped, come what may.
    pub(super) by_ms: u64,
    /// Everything is written and our side is shut down: the peer closes next.
    shut_down: bool,
}

impl Connection {
    pub(super) fn begin_closing(&mut self, reason: DisconnectReason) {
        if self.closing.is_some() {
            return;
        }
        let registry = &self.session.registry;
        let by_ms = registry.now_ms() + millis(registry.config.close_timeout);
        self.closing = Some(Closing { by_ms, shut_down: false });
        self.session.set_alive_until(None);
        self.connect_by_ms = None;
        self.blocked = None;
        self.post = None;
        self.permit = None;
        self.upper.close(reason);
        self.session.signal.ring(HANDLERS);
        match &self.transport {
            Transport::Websocket(_) => self.say_goodbye(reason),
            Transport::Polling => self.end_polling(reason),
            Transport::Gone => {}
        }
    }

    pub(super) fn say_goodbye(&mut self, reason: DisconnectReason) {
        if matches!(reason, DisconnectReason::Slow | DisconnectReason::TransportError) {
            return self.drop_transport();
        }
        let code = match reason {
            DisconnectReason::ServerShutdown => close_code::SERVICE_RESTART,
            DisconnectReason::Protocol | DisconnectReason::TransportClose => self.close_code,
            DisconnectReason::ConnectTimeout | DisconnectReason::PingTimeout => close_code::POLICY,
            _ => close_code::NORMAL,
        };
        let goodbye = frame::control(Opcode::Close, &close_payload(code, reason.as_str()));
        self.session.queue().push_goodbye(goodbye);
        self.session.signal.ring(FLUSH);
    }

    /// A farewell waits for a poll to take it, behind what waits already; for every other reason
    /// a poll that is pending is told, and nobody is waited for.
    fn end_polling(&mut self, reason: DisconnectReason) {
        let waker = {
            let mut queue = self.session.queue();
            if is_farewell(reason) {
                // A websocket may have claimed the queue already, and adopts it next.
                let goodbye = frame::bare(queue.encoding, b'1');
                queue.push_goodbye(goodbye);
                queue.poll_waker()
            } else if queue.is_parting() {
                let now = self.session.registry.now_ms();
                self.closing = Some(Closing { by_ms: now + PARTING_MS, shut_down: false });
                None
            } else {
                self.transport = Transport::Gone;
                queue.release(Release::Close)
            }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ends when the last poll has taken the last packet; the poll rings.
    fn let_go_of_polling(&mut self) {
        let done = {
            let queue = self.session.queue();
            queue.is_drained() && !queue.is_parting()
        };
        if done {
            self.transport = Transport::Gone;
        }
    }

    /// Everything is written.
    pub(super) fn after_flush(&mut self) {
        let Some(closing) = &mut self.closing else { return };
        if closing.shut_down {
            return;
        }
        if !matches!(self.transport, Transport::Websocket(_)) {
            return;
        }
        let mut context = Context::from_waker(&self.wakers.writable);
        match self.session.poll_shutdown(&mut context) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => {
                closing.shut_down = true;
                // To close with unread input would reset the connection, and the peer might lose
                // the goodbye that lies in its buffer.
                self.session.signal.ring(READ);
            }
            Poll::Ready(Err(_)) => self.drop_transport(),
        }
    }

    /// Reads and forgets until the peer has closed, too.
    pub(super) fn drain(&mut self) {
        match &mut self.transport {
            Transport::Gone => {}
            Transport::Polling => self.let_go_of_polling(),
            Transport::Websocket(websocket) => {
                let mut context = Context::from_waker(&self.wakers.read);
                let mut forgotten = BytesMut::new();
                let mut bytes = 0;
                while bytes < DRAIN_BYTES {
                    forgotten.clear();
                    match websocket.half.poll_read(&mut context, &mut forgotten) {
                        Poll::Pending => return,
                        Poll::Ready(Ok(0) | Err(_)) => return self.drop_transport(),
                        Poll::Ready(Ok(read)) => bytes += read,
                    }
                }
                self.again |= READ;
            }
        }
    }

    /// Lets go of the transport at once, and of everything that waited for it.
    pub(super) fn drop_transport(&mut self) {
        let writer = self.session.take_writer();
        if let Some(writer) = writer
            && !self.closing.as_ref().is_some_and(|closing| closing.shut_down)
        {
            writer.abort();
        }
        self.transport = Transport::Gone;
        self.post = None;
    }
}
