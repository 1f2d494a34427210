//! Messages of which bytes wait here because the server does not read: they are sent once the system
//! has taken them, and not before.

use std::collections::VecDeque;
use std::time::Instant;

use trialogue_checker::Micros;

use super::floor::{Floor, Socket};
use crate::recorder::Metric;

/// A message that waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unsent {
    pub(super) sender: u32,
    pub(super) n: u32,
    pub(super) intended: Micros,
    pub(super) recorded: bool,
    /// Of its packet.
    pub(super) bytes: usize,
}

/// Those of one socket, which are as many as 4 MiB have room for (`Wire::send`).
#[derive(Debug, Default)]
pub(super) struct Waiting {
    row: VecDeque<Unsent>,
    bytes: usize,
}

impl Waiting {
    fn push(&mut self, one: Unsent) {
        self.bytes += one.bytes;
        self.row.push_back(one);
    }

    /// The oldest, if what waits still is not more than what came behind it.
    fn gone(&mut self, unsent: usize) -> Option<Unsent> {
        let first = self.row.front()?;
        if unsent > self.bytes - first.bytes {
            return None;
        }
        self.bytes -= first.bytes;
        self.row.pop_front()
    }
}

impl Floor {
    /// Its bytes are with the system, or wait here.
    pub(super) fn went(&self, socket: &Socket, one: Unsent, waits: bool) {
        if waits {
            socket.waiting.borrow_mut().get_or_insert_default().push(one);
        } else {
            self.left(one);
        }
    }

    fn left(&self, Unsent { sender, n, intended, recorded, .. }: Unsent) {
        let now = self.at(Instant::now());
        self.judge.borrow_mut().written(sender, n, now);
        if recorded {
            let lag = now.saturating_sub(intended);
            self.recorder.borrow_mut().record(Metric::SendLag, lag);
        }
    }

    /// The system may have taken more of what waits: so much waits still.
    pub(super) fn taken(&self, socket: &Socket, unsent: usize) {
        let mut waiting = socket.waiting.borrow_mut();
        let Some(row) = waiting.as_mut() else { return };
        while let Some(one) = row.gone(unsent) {
            self.left(one);
        }
        if row.row.is_empty() {
            *waiting = None;
        }
    }

    /// What waited never left: its connection is over.
    pub(super) fn never_left(&self, socket: &Socket) {
        let row = socket.waiting.borrow_mut().take();
        let stuck = row.map_or(0, |waiting| waiting.row.len());
        self.ends.borrow_mut().stuck += stuck as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_left_when_only_later_bytes_wait() {
        let mut waiting = Waiting::default();
        for n in 0..3 {
            waiting.push(Unsent { sender: 0, n, intended: 0, recorded: true, bytes: 100 });
        }
        let mut gone = |unsent| {
            std::iter::from_fn(|| waiting.gone(unsent)).map(|one| one.n).collect::<Vec<_>>()
        };
        assert_eq!(gone(250), [0; 0]);
        assert_eq!(gone(199), [0]);
        assert_eq!(gone(0), [1, 2]);
    }
}
