//! From the queue to the transport: what waits leaves in as few calls as possible.

use std::pin::pin;
use std::task::{Context, Poll};

use super::super::signal::FLUSH;
use super::{Connection, Transport, millis};
use crate::reason::DisconnectReason;

/// Writes in one turn; a socket with more to send stands in line again.
const WRITES_PER_TURN: usize = 32;

impl Connection {
    /// Frames were queued. They are written after everything that is ready to run has run and the
    /// sockets have been looked at once: what is sent to this connection meanwhile leaves with
    /// them, in one call.
    pub(super) fn schedule_flush(&mut self) {
        match self.transport {
            Transport::Websocket(_) => {
                let mut context = Context::from_waker(&self.wakers.flush);
                let _pending = pin!(tokio::task::yield_now()).poll(&mut context);
            }
            Transport::Polling => {
                let queue = self.session.queue();
                if self.blocked.is_none() && !queue.is_polled() && !queue.is_drained() {
                    self.blocked = Some((self.session.registry.now_ms(), queue.polls()));
                }
            }
            Transport::Gone => {}
        }
    }

    pub(super) fn flush(&mut self) {
        match self.write() {
            Ok(true) => self.after_flush(),
            Ok(false) => {}
            Err(reason) => {
                self.session.close(reason);
                // Nothing can be said to this peer any more, not even goodbye.
                self.drop_transport();
            }
        }
    }

    /// Whether everything that waited is written.
    fn write(&mut self) -> Result<bool, DisconnectReason> {
        let Transport::Websocket(websocket) = &mut self.transport else { return Ok(false) };
        let mut context = Context::from_waker(&self.wakers.writable);
        for _ in 0..WRITES_PER_TURN {
            if websocket.writing.is_empty() {
                self.session.queue().take_into(&mut websocket.writing);
            }
            if websocket.writing.is_empty() {
                self.blocked = None;
                // What a stream of TLS holds back goes on by itself when its socket is writable.
                return match websocket.poll_flush(&mut context) {
                    Poll::Ready(Err(_)) => Err(DisconnectReason::TransportError),
                    Poll::Ready(Ok(())) => Ok(true),
                    Poll::Pending => Ok(false),
                };
            }
            match websocket.poll_write(&mut context) {
                Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => {
                    return Err(DisconnectReason::TransportError);
                }
                Poll::Ready(Ok(_)) => self.blocked = None,
                Poll::Pending => {
                    let (frames, bytes) = (websocket.writing.len(), websocket.unwritten());
                    self.session.queue().set_blocked(frames, bytes);
                    let now = self.session.registry.now_ms();
                    self.blocked.get_or_insert((now, 0));
                    return Ok(false);
                }
            }
        }
        self.again |= FLUSH;
        Ok(false)
    }

    /// When the transport has been blocked for too long.
    pub(super) fn stalled_by_ms(&self) -> Option<u64> {
        let (since, _) = self.blocked?;
        Some(since + millis(self.session.registry.config.stall_timeout))
    }

    pub(super) fn check_stall(&mut self, now_ms: u64) {
        let (Some(by), Some((_, polls))) = (self.stalled_by_ms(), self.blocked) else { return };
        if by > now_ms {
            return;
        }
        let moves_on = {
            let queue = self.session.queue();
            let polling = matches!(self.transport, Transport::Polling);
            polling && (queue.polls() != polls || queue.is_drained() || queue.is_polled())
        };
        if moves_on {
            self.blocked = None;
            self.schedule_flush();
        } else {
            self.session.close(DisconnectReason::Slow);
        }
    }
}
