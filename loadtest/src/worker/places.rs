//! Places of a closed loop: a message has one from its sending until it has come everywhere, was
//! refused, or is not waited for any more. Without that a room falls silent once it has lost as many
//! messages as its window has.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use trialogue_checker::{LATE_MAX_DEFAULT, Micros};

use super::floor::{Floor, Phase};

/// How often it is looked for places that nobody gives back.
const LOOK: Duration = Duration::from_millis(100);

/// Messages that have a place: as many as the windows of all rooms at most.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// When each was sent, in that order; of those of the last seconds.
    sent: VecDeque<(Micros, u32, u32)>,
    /// By sender and number.
    held: BTreeSet<(u32, u32)>,
}

impl Places {
    fn take(&mut self, at: Micros, sender: u32, n: u32) {
        self.sent.push_back((at, sender, n));
        self.held.insert((sender, n));
    }

    /// What was sent before this and has its place still.
    fn overdue(&mut self, before: Micros) -> Option<(u32, u32)> {
        while let Some((at, sender, n)) = self.sent.front().copied() {
            if at >= before {
                return None;
            }
            self.sent.pop_front();
            if self.held.contains(&(sender, n)) {
                return Some((sender, n));
            }
        }
        None
    }
}

impl Floor {
    /// A message of a closed loop went out.
    pub(super) fn take_place(&self, at: Micros, sender: u32, n: u32) {
        if self.is_closed_loop {
            self.places.borrow_mut().take(at, sender, n);
        }
    }

    /// Its place is free again; once.
    pub(super) fn free_place(&self, sender: u32, n: u32) {
        if self.is_closed_loop && self.places.borrow_mut().held.remove(&(sender, n)) {
            let room = self.judge.borrow().room_of(sender);
            self.ready.borrow_mut().push_back(room);
            self.news.notify_one();
        }
    }

    /// A member has no connection any more: nobody waits for what it has sent.
    pub(super) fn free_places_of(&self, member: u32) {
        let sender = self.judge.borrow().sender_of(member);
        let Some(sender) = sender.filter(|_| self.is_closed_loop) else { return };
        let places = self.places.borrow();
        let held: Vec<u32> =
            places.held.range((sender, 0)..=(sender, u32::MAX)).map(|at| at.1).collect();
        drop(places);
        held.into_iter().for_each(|n| self.free_place(sender, n));
    }

    /// A sender of the room that has a connection, from this turn on.
    pub(super) fn next_sender(&self, room: u32, turn: &mut u32) -> Option<u32> {
        let judge = self.judge.borrow();
        let senders = judge.senders_of(room);
        for _ in senders.clone() {
            let sender = senders.start + *turn % (senders.end - senders.start);
            *turn = turn.wrapping_add(1);
            let socket = &self.sockets[judge.member_of(sender) as usize];
            if socket.phase.get() == Phase::In {
                return Some(sender);
            }
        }
        None
    }

    fn free_overdue(&self, before: Micros) {
        loop {
            let overdue = self.places.borrow_mut().overdue(before);
            let Some((sender, n)) = overdue else { return };
            let mut judge = self.judge.borrow_mut();
            // Whoever it was owed to may be gone, and then it is not late.
            let is_late = judge.is_under_way(sender, n);
            judge.counts_mut().overdue += u64::from(is_late);
            drop(judge);
            self.free_place(sender, n);
        }
    }
}

/// Frees what nobody frees, until it is dropped.
pub(super) async fn watch(floor: &Floor) {
    loop {
        tokio::time::sleep(LOOK).await;
        let now = floor.at(Instant::now());
        floor.free_overdue(now.saturating_sub(LATE_MAX_DEFAULT));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_old_and_has_its_place_still_is_overdue() {
        let mut places = Places::default();
        (0..4).for_each(|n| places.take(Micros::from(n) * 10, 7, n));
        places.held.remove(&(7, 1));
        assert_eq!(places.overdue(0), None);
        assert_eq!(places.overdue(30), Some((7, 0)));
        assert_eq!(places.overdue(30), Some((7, 2)));
        assert_eq!((places.overdue(30), places.overdue(31)), (None, Some((7, 3))));
        assert!(places.sent.is_empty());
    }
}
