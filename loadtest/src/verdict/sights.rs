//! What receivers see.

use trialogue_checker::Micros;

use super::heard::Took;
use super::{By, Fault, Judge, Sight, State, count};
use crate::stamp::{Found, Stamp};

impl Judge {
    /// A frame with a message came to a member. `seq` is 0 where servers number nothing.
    pub fn delivered(
        &mut self,
        member: u32,
        found: Option<Found>,
        seq: u64,
        at: Micros,
    ) -> Option<Sight> {
        self.counts.frames += 1;
        let (stamp, size) = self.identify(member, found, at)?;
        let Stamp { sender, n, .. } = stamp;
        // More than was promised, and nobody's loss.
        if !self.rules.own_echo && self.sender_of(member) == Some(sender) {
            return None;
        }
        if !self.may_hear(member, stamp, at) {
            return None;
        }
        let place = self.senders[sender as usize].place as usize;
        match self.members[member as usize].heard[place].take(n) {
            Took::Early => None,
            Took::Again => {
                self.again(member, stamp, at);
                None
            }
            Took::Fresh { fell } => {
                self.came_live(member, stamp, seq);
                self.order(member, stamp, seq, fell, at);
                self.fresh(member, stamp, (seq, size), at, By::Live)
            }
        }
    }

    /// Which message of this member's room it is; tells what is wrong with any other one.
    pub(super) fn identify(
        &mut self,
        member: u32,
        found: Option<Found>,
        at: Micros,
    ) -> Option<(Stamp, Option<u32>)> {
        if found.is_none() && !self.rules.only_ours {
            self.counts.foreign += 1;
            return None;
        }
        let Some(Found { stamp, size }) = found else {
            self.wrong(Fault::Phantom, member, at, || "a message of nobody in this run".to_owned());
            return None;
        };
        let Stamp { worker, sender, n } = stamp;
        let room = self.members[member as usize].room;
        let of = match self.senders.get(sender as usize) {
            Some(of) if worker == self.worker => of,
            _ if worker == self.worker => {
                self.wrong(Fault::Phantom, member, at, || format!("sender {sender} is nobody"));
                return None;
            }
            _ => {
                let text = || format!("message {n} of sender {sender} of worker {worker}");
                self.wrong(Fault::Misrouted, member, at, text);
                return None;
            }
        };
        if of.room != room {
            let from = of.room;
            let text = || format!("message {n} of sender {sender}, which is in room {from}");
            self.wrong(Fault::Misrouted, member, at, text);
            return None;
        }
        if n >= of.first + count(of.sent.len()) {
            let text = || format!("message {n} of sender {sender}, which was never sent");
            self.wrong(Fault::Phantom, member, at, text);
            return None;
        }
        Some((stamp, size))
    }

    /// It says to be of another room than the one that it came from.
    pub fn misfiled(&mut self, member: u32, at: Micros) {
        self.wrong(Fault::Misrouted, member, at, || {
            "a message of its own room that says to be of another one".to_owned()
        });
    }

    fn order(&mut self, member: u32, stamp: Stamp, seq: u64, fell: bool, at: Micros) {
        let of = &mut self.members[member as usize];
        let before = of.last_seq;
        let falls = seq != 0 && seq <= before;
        if seq != 0 {
            of.last_seq = seq;
        }
        if falls || fell {
            let Stamp { sender, n, .. } = stamp;
            self.wrong(Fault::Reordered, member, at, || match falls {
                true => format!("message {n} of sender {sender}: seq {seq} after {before}"),
                false => format!("message {n} of sender {sender} after a later one of it"),
            });
        }
    }

    /// A message that the member did not have.
    pub(super) fn fresh(
        &mut self,
        member: u32,
        stamp: Stamp,
        (seq, size): (u64, Option<u32>),
        at: Micros,
        by: By,
    ) -> Option<Sight> {
        let Stamp { sender, n, .. } = stamp;
        self.counts.delivered += 1;
        let rules = self.rules;
        let sent = self.senders[sender as usize].get_mut(n);
        // It was retired without this member: everybody who was owed it has it, or it was refused.
        let Some(sent) = sent.filter(|sent| sent.state != State::Refused) else {
            let text = || format!("message {n} of sender {sender}, which was refused");
            self.wrong(Fault::Phantom, member, at, text);
            return None;
        };
        sent.got += 1;
        if by == By::Live {
            sent.first = sent.first.min(at);
            sent.last = sent.last.max(at);
        }
        let told = sent.seq;
        sent.seq = if told == 0 { seq } else { told };
        let since = if rules.acks { sent.acked } else { sent.written };
        // Who was not there could not get it.
        let there = self.members[member as usize].back.as_ref().map_or(0, |back| back.at);
        let waited = if since == 0 { 0 } else { at.saturating_sub(since.max(there)) };
        let is_whole = size == Some(sent.size) && (seq == 0 || told == 0 || seq == told);
        let all = sent.got >= sent.owed;
        let sight = Sight {
            intended: sent.intended,
            written: sent.written,
            recorded: sent.recorded,
            settled: (all && by == By::Live).then_some((sent.first, sent.last)),
        };
        if sent.got <= sent.owed {
            self.awaited -= 1;
        }
        if waited > rules.late_max && by == By::Live {
            let text =
                || format!("message {n} of sender {sender}, {waited} us after it was stored");
            self.wrong(Fault::Late, member, at, text);
        }
        if !is_whole {
            let text = || format!("message {n} of sender {sender} is not as it was sent");
            self.wrong(Fault::Mutated, member, at, text);
        }
        if all {
            self.retire(sender, n);
        }
        Some(sight)
    }
}
