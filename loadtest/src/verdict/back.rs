//! Members that go and come back: cut off and caught up with, or out of their room and in again.
//!
//! Who is cut off stays owed everything: what was said meanwhile must come by the page that it reads
//! when it is back, or live. A message on the edge may come both ways, as the contract has it (a room is
//! joined before it is read), and never twice one way. Who leaves its room is owed nothing from the
//! moment at which it asks to; nothing may come once it was told that it is out. Who is cut off from a
//! server that tells nothing of what is missed is like somebody who left.

use std::collections::BTreeSet;

use trialogue_checker::Micros;

use super::heard::Took;
use super::{By, Fault, Judge, Sender, Sight, State};
use crate::stamp::{Found, Stamp};

/// What counts as known for a member that has come back.
#[derive(Debug, Clone)]
pub(super) struct Back {
    /// When it did.
    pub(super) at: Micros,
    /// It still reads what it has missed.
    behind: bool,
    /// It reads the whole history: what it knew already is nothing wrong there.
    whole: bool,
    /// How far it has read.
    page_seq: u64,
    /// What came live while it read, and what it read: sender and number.
    live: BTreeSet<(u32, u32)>,
    paged: BTreeSet<(u32, u32)>,
}

/// Where a member is, as far as its room goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// In it, or its connection is gone.
    #[default]
    In,
    /// It asked to go or to come, and was not answered: either way is fine.
    Moving,
    /// It was told that it is out.
    Out,
}

impl Judge {
    /// A member's connection is gone and it will come back: it stays owed everything.
    pub fn away(&mut self, member: u32) {
        self.abandon(member);
        self.members[member as usize].back = None;
    }

    /// The same where the server tells nothing of what is missed: nothing is owed to it until it is in
    /// its room again.
    pub fn gone(&mut self, member: u32) {
        self.moves(member);
        let of = &mut self.members[member as usize];
        of.back = None;
        let is_first = !std::mem::replace(&mut of.is_gone, true);
        self.rooms[of.room as usize].gone += u32::from(is_first);
    }

    /// No answer will come any more to what it has sent.
    pub(super) fn abandon(&mut self, member: u32) {
        let Some(own) = self.sender_of(member) else { return };
        let acks = self.rules.acks;
        let Sender { sent, stuck, .. } = &mut self.senders[own as usize];
        for sent in stuck.values_mut().chain(sent) {
            if sent.state == State::Pending && (acks || sent.got == 0) {
                sent.state = State::Unknown;
                self.counts.unanswered += u64::from(acks);
                self.counts.abandoned += u64::from(acks);
            }
        }
        self.retire_all(own);
    }

    /// The last place of its room that the member knows of.
    pub fn known(&self, member: u32) -> u64 {
        self.members[member as usize].known
    }

    /// The room was so far when the member came in for the first time.
    pub fn came_at(&mut self, member: u32, seq: u64) {
        let known = &mut self.members[member as usize].known;
        *known = seq.max(*known);
    }

    /// A member has a connection again and asks for what it missed; for all of it where `whole`.
    pub fn returns(&mut self, member: u32, whole: bool, at: Micros) {
        let of = &mut self.members[member as usize];
        of.last_seq = 0;
        let page_seq = if whole { 0 } else { of.known };
        let (live, paged) = (BTreeSet::new(), BTreeSet::new());
        of.back = Some(Box::new(Back { at, behind: true, whole, page_seq, live, paged }));
    }

    /// It has read everything that it missed.
    pub fn has_all(&mut self, member: u32) {
        if let Some(back) = &mut self.members[member as usize].back {
            back.behind = false;
            back.live.clear();
        }
    }

    /// A message stood in what a returned member reads; answers whether it had missed it.
    pub fn caught_up(
        &mut self,
        member: u32,
        found: Option<Found>,
        seq: u64,
        at: Micros,
    ) -> Option<Sight> {
        let (stamp, size) = self.identify(member, found, at)?;
        let Stamp { sender, n, .. } = stamp;
        if !self.rules.own_echo && self.sender_of(member) == Some(sender) {
            return None;
        }
        let place = self.senders[sender as usize].place as usize;
        let of = &mut self.members[member as usize];
        let took = of.heard[place].take(n);
        of.known = of.known.max(seq);
        let back = of.back.as_mut()?;
        let falls = seq != 0 && seq <= back.page_seq;
        back.page_seq = if seq == 0 { back.page_seq } else { seq };
        match took {
            Took::Early => None,
            Took::Again if back.live.remove(&(sender, n)) => {
                self.counts.overlap += 1;
                None
            }
            Took::Again if back.whole && !falls && !back.paged.contains(&(sender, n)) => None,
            Took::Again => {
                let text = || format!("message {n} of sender {sender} once more in the catch-up");
                self.wrong(Fault::Duplicated, member, at, text);
                None
            }
            Took::Fresh { .. } => {
                back.paged.insert((sender, n));
                if falls {
                    let text =
                        || format!("message {n} of sender {sender}: seq {seq} in the catch-up");
                    self.wrong(Fault::Reordered, member, at, text);
                }
                let sight = self.fresh(member, stamp, (seq, size), at, By::CatchUp);
                self.counts.caught_up += u64::from(sight.is_some());
                sight
            }
        }
    }

    /// A message came live that the member has already.
    pub(super) fn again(&mut self, member: u32, stamp: Stamp, at: Micros) {
        let Stamp { sender, n, .. } = stamp;
        let back = self.members[member as usize].back.as_mut();
        if back.is_some_and(|back| back.paged.remove(&(sender, n))) {
            self.counts.overlap += 1;
            return;
        }
        self.wrong(Fault::Duplicated, member, at, || {
            format!("message {n} of sender {sender} once more")
        });
    }

    /// A new message came live to a member that may have been away.
    pub(super) fn came_live(&mut self, member: u32, stamp: Stamp, seq: u64) {
        let of = &mut self.members[member as usize];
        of.known = of.known.max(seq);
        let Some(back) = &mut of.back else { return };
        if back.behind {
            back.live.insert((stamp.sender, stamp.n));
        } else if seq > back.page_seq {
            // Later than all that it has read: none of that may come any more.
            back.paged.clear();
        }
    }

    /// A member asks to leave its room, or to enter it again.
    pub fn moves(&mut self, member: u32) {
        self.down(member);
        self.members[member as usize].place = Place::Moving;
    }

    /// It was told that it is out.
    pub fn left(&mut self, member: u32) {
        self.members[member as usize].place = Place::Out;
    }

    /// Whether something that came live counts at all.
    pub(super) fn may_hear(&mut self, member: u32, stamp: Stamp, at: Micros) -> bool {
        match self.members[member as usize].place {
            Place::In => return true,
            Place::Moving => self.counts.in_transit += 1,
            Place::Out => {
                let Stamp { sender, n, .. } = stamp;
                let text = || format!("message {n} of sender {sender}, after it had left the room");
                self.wrong(Fault::Misrouted, member, at, text);
            }
        }
        false
    }
}
