//! What people do besides talking: they type, they read, and some of them stop reading.

use std::cell::Cell;

use super::floor::{Floor, Socket};
use crate::plan::Plan;
use crate::target::Words;

/// How much is due of what only a part of all messages causes.
#[derive(Debug, Default)]
pub(super) struct Beside {
    typing: Cell<f64>,
    read: Cell<f64>,
}

/// Adds a part; answers whether a whole one is due.
fn is_due(sum: &Cell<f64>, part: f64) -> bool {
    let more = sum.get() + part;
    let is_due = more >= 1.0;
    sum.set(more - f64::from(u8::from(is_due)));
    is_due
}

impl Floor {
    /// Whether the next message is typed before it is sent.
    pub(super) fn types(&self) -> bool {
        let part = self.plan.crowd.typing;
        if part <= 0.0 || !is_due(&self.beside.typing, part) {
            return false;
        }
        self.judge.borrow_mut().counts_mut().typed += 1;
        true
    }

    /// What a receiver sends when it marks a message as read.
    pub(super) fn read(&self, socket: &Socket, seq: u64) -> Option<String> {
        let part = self.plan.crowd.read;
        if part <= 0.0 || seq == 0 || !is_due(&self.beside.read, part) {
            return None;
        }
        self.judge.borrow_mut().counts_mut().read += 1;
        Some(Words::read(&socket.chat, seq))
    }

    /// Somebody was seen typing, or having read.
    pub(super) fn seen_beside(&self, text: &[u8]) {
        let words = &self.words;
        if text.starts_with(&words.typing) {
            self.judge.borrow_mut().counts_mut().typed_seen += 1;
        } else if text.starts_with(&words.read) {
            self.judge.borrow_mut().counts_mut().read_seen += 1;
        }
    }
}

/// Which of those that do not speak stop reading: a part of all sockets, spread evenly.
#[derive(Debug)]
pub(super) struct SlowOnes {
    part: f64,
    sum: f64,
}

impl SlowOnes {
    /// For a worker whose rooms have these sizes.
    pub(super) fn of(plan: &Plan, sizes: &[u32]) -> Self {
        let all: u64 = sizes.iter().map(|size| u64::from(*size)).sum();
        let mute = sizes.iter().map(|size| u64::from(size.saturating_sub(plan.senders)));
        let (all, mute) = (all as f64, mute.sum::<u64>() as f64);
        let part = if mute > 0.0 { (plan.crowd.slow_readers * all / mute).min(1.0) } else { 0.0 };
        // Half a one too few and half a one too many cancel each other out.
        Self { part, sum: if part > 0.0 { 0.5 } else { 0.0 } }
    }

    /// Whether the next socket is one of them.
    pub(super) fn takes(&mut self, is_mute: bool) -> bool {
        if !is_mute || self.part <= 0.0 {
            return false;
        }
        self.sum += self.part;
        let takes = self.sum >= 1.0;
        self.sum -= f64::from(u8::from(takes));
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Crowd;

    #[test]
    fn slow_readers_are_as_many_as_was_said_and_never_speak() {
        let taken = |part: f64| {
            let crowd = Crowd { slow_readers: part, ..Crowd::default() };
            let plan = Plan { crowd, ..crate::plan::tests::plan() };
            let mut slow = SlowOnes::of(&plan, &[3; 100]);
            let all = (0..300).map(|n| n % 3 >= 2);
            all.filter(|is_mute| slow.takes(*is_mute)).count()
        };
        assert_eq!([0.0, 0.01, 0.1, 1.0].map(taken), [0, 3, 30, 100]);
    }

    #[test]
    fn a_part_of_all_is_due_as_often() {
        let sum = Cell::new(0.0);
        assert_eq!((0..1_000).filter(|_| is_due(&sum, 0.25)).count(), 250);
    }
}
