//! What is due while its sender is away: a client keeps what somebody types and sends it once it is
//! back. Latency counts from the intended moment, as ever.

use std::rc::Rc;
use std::time::Instant;

use trialogue_checker::Micros;

use super::floor::{Floor, Phase, Socket};
use crate::recorder::Metric;

/// Messages of a worker that are kept at most; those beyond cannot be sent.
const KEPT_MAX: usize = 1_000_000;

/// One message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    pub(super) sender: u32,
    pub(super) size: u32,
    pub(super) recorded: bool,
    pub(super) intended: Micros,
}

impl Floor {
    /// Keeps it for somebody who comes back; else it cannot be sent.
    pub(super) fn keep(&self, socket: &Socket, message: Kept) {
        let mut kept = self.kept.borrow_mut();
        let comes_back = self.has_begun.get() && socket.away.borrow().is_some();
        let all: usize = kept.values().map(Vec::len).sum();
        if !comes_back || all >= KEPT_MAX {
            self.ends.borrow_mut().unsendable += 1;
            return;
        }
        if message.recorded {
            // The rig has got round to it.
            let late = self.at(Instant::now()).saturating_sub(message.intended);
            self.recorder.borrow_mut().record(Metric::Slip, late);
        }
        kept.entry(socket.member).or_default().push(message);
    }

    /// Whether somebody who is back has something to send.
    pub(super) fn has_kept(&self, socket: &Socket) -> bool {
        socket.phase.get() == Phase::In && {
            let kept = self.kept.borrow();
            !kept.is_empty() && kept.contains_key(&socket.member)
        }
    }

    /// Nobody who is away comes back any more.
    pub(super) fn drop_kept(&self) {
        let kept: usize = self.kept.borrow_mut().drain().map(|(_, all)| all.len()).sum();
        self.ends.borrow_mut().unsendable += kept as u64;
    }
}

/// Sends what was kept for a member.
pub(super) async fn send(floor: Rc<Floor>, member: u32) {
    let kept = floor.kept.borrow_mut().remove(&member).unwrap_or_default();
    let socket = &floor.sockets[member as usize];
    for Kept { sender, size, recorded, intended } in kept {
        if socket.phase.get() != Phase::In {
            // It is away again.
            floor.keep(socket, Kept { sender, size, recorded: false, intended });
            continue;
        }
        let at = floor.at(Instant::now());
        floor.say(socket, sender, size, (recorded, intended, at));
    }
}
