//! What the connection itself does about frames that wait: it keeps the time, and it writes when a
//! transport that was full takes more, and at the end. All the rest is the flusher's
//! ([`super::super::flusher`]).

use super::super::signal::FLUSH;
use super::super::websocket::Flushed;
use super::{Connection, Transport, millis};
use crate::reason::DisconnectReason;

impl Connection {
    /// Frames wait: for a poll, or because the websocket takes no more. From now on that is timed.
    pub(super) fn watch_queue(&mut self) {
        if !matches!(self.transport, Transport::Polling) {
            return;
        }
        let queue = self.session.queue();
        if self.blocked.is_none() && !queue.is_polled() && !queue.is_drained() {
            self.blocked = Some((self.session.registry.now_ms(), queue.polls()));
        }
    }

    pub(super) fn flush(&mut self) {
        if !matches!(self.transport, Transport::Websocket(_)) {
            return;
        }
        match self.session.flush() {
            Flushed::Drained(_) => self.after_flush(),
            Flushed::More => self.again |= FLUSH,
            Flushed::Full { .. } => {}
            Flushed::Failed => {
                self.session.close(DisconnectReason::TransportError);
                // Nothing can be said to this peer any more, not even goodbye.
                self.drop_transport();
            }
        }
    }

    /// When the transport has been blocked for too long.
    pub(super) fn stalled_by_ms(&self) -> Option<u64> {
        let since = self.blocked.map(|(since, _)| since).or(self.session.full_since_ms())?;
        Some(since + millis(self.session.registry.config.stall_timeout))
    }

    pub(super) fn check_stall(&mut self, now_ms: u64) {
        let stalled = |connection: &Self| connection.stalled_by_ms().is_some_and(|by| by <= now_ms);
        if stalled(self) {
            // After a pause of the whole machine the transport may take more, and nobody has tried.
            self.flush();
        }
        if !stalled(self) {
            return;
        }
        let moves_on = self.blocked.is_some_and(|(_, polls)| {
            let queue = self.session.queue();
            queue.polls() != polls || queue.is_drained() || queue.is_polled()
        });
        if moves_on {
            self.blocked = None;
            self.watch_queue();
        } else {
            self.session.close(DisconnectReason::Slow);
        }
    }
}
