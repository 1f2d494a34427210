//! When a message is over: everybody has it, or nothing comes any more.

use trialogue_checker::Micros;

use super::{Fault, Judge, Room, Sender, Sent, State, count};

/// Messages of a sender that are kept in a row behind one that is not complete.
const ROW_MAX: usize = 1_024;

/// Whether nothing more is to come of it.
fn is_over(sent: &Sent, acks: bool) -> bool {
    let is_known = sent.state != State::Pending || !acks;
    sent.state == State::Refused || (is_known && sent.got >= sent.owed)
}

impl Judge {
    /// Forgets this message if it is complete, and others that have waited for it.
    pub(super) fn retire(&mut self, sender: u32, n: u32) {
        let acks = self.rules.acks;
        let of = &mut self.senders[sender as usize];
        if n < of.first {
            if of.stuck.get(&n).is_some_and(|sent| is_over(sent, acks)) {
                let sent = of.stuck.remove(&n);
                sent.iter().for_each(|sent| self.close(sent));
            }
            return;
        }
        self.retire_row(sender);
    }

    /// The same for all of a sender's.
    pub(super) fn retire_all(&mut self, sender: u32) {
        let acks = self.rules.acks;
        let stuck = &mut self.senders[sender as usize].stuck;
        let over: Vec<_> = stuck.extract_if(.., |_, sent| is_over(sent, acks)).collect();
        over.iter().for_each(|(_, sent)| self.close(sent));
        self.retire_row(sender);
    }

    /// From the oldest on; what is not complete steps aside when the row behind it grows long.
    fn retire_row(&mut self, sender: u32) {
        let acks = self.rules.acks;
        loop {
            let of = &mut self.senders[sender as usize];
            let Some(sent) = of.sent.front().copied() else { return };
            let is_over = is_over(&sent, acks);
            if !is_over && of.sent.len() <= ROW_MAX {
                return;
            }
            of.sent.pop_front();
            if is_over {
                of.first += 1;
                self.close(&sent);
            } else {
                of.stuck.insert(of.first, sent);
                of.first += 1;
            }
        }
    }

    fn close(&mut self, sent: &Sent) {
        if sent.state != State::Refused {
            self.counts.owed += u64::from(sent.owed);
            self.counts.reached += u64::from(sent.owed);
        }
        self.under_way -= 1;
    }

    /// Whether something of a message has not come.
    pub fn is_under_way(&self, sender: u32, n: u32) -> bool {
        let of = &self.senders[sender as usize];
        match n.checked_sub(of.first) {
            Some(at) => {
                of.sent.get(at as usize).is_some_and(|sent| !is_over(sent, self.rules.acks))
            }
            None => of.stuck.contains_key(&n),
        }
    }

    /// Nothing is waited for any more, and deliveries still came: whoever misses what was stored has
    /// neither got it nor lost it.
    pub fn finish_early(&mut self, at: Micros) {
        self.still_coming = true;
        self.finish(at);
    }

    /// Nothing comes any more: whoever still misses what was stored has lost it.
    pub fn finish(&mut self, at: Micros) {
        for sender in 0..count(self.senders.len()) {
            let of = &mut self.senders[sender as usize];
            let (first, sent) = (of.first, std::mem::take(&mut of.sent));
            let stuck = std::mem::take(&mut of.stuck);
            let kept = stuck.iter().map(|(n, sent)| (*n, sent)).chain((first..).zip(&sent));
            for (n, sent) in kept {
                self.miss(sender, n, sent, at);
            }
            self.under_way -= sent.len() + stuck.len();
            self.senders[sender as usize].first += count(sent.len());
        }
        self.awaited = 0;
    }

    fn miss(&mut self, sender: u32, n: u32, sent: &Sent, at: Micros) {
        match (sent.state, self.rules.acks) {
            (State::Refused, _) => return,
            // What somebody has seen is stored, whatever became of the answer.
            (State::Pending, true) => {
                self.counts.unanswered += 1;
                if sent.got == 0 {
                    return;
                }
            }
            // A refusal that did not say of what explains one that nobody saw.
            (State::Pending, false) if sent.got == 0 => {
                let refusals = &mut self.senders[sender as usize].refusals;
                if *refusals > 0 {
                    *refusals -= 1;
                    return;
                }
            }
            (State::Unknown, _) if sent.got == 0 => return,
            (State::Stored | State::Unknown, _) | (State::Pending, false) => {}
        }
        if self.still_coming {
            let got = u64::from(sent.got.min(sent.owed));
            let missing = u64::from(sent.owed) - got;
            self.counts.owed += got;
            self.counts.reached += got;
            self.counts.indeterminate += missing;
            self.counts.still_coming += missing;
            return;
        }
        self.counts.owed += u64::from(sent.owed);
        self.counts.reached += u64::from(sent.got.min(sent.owed));
        let Sender { room, place, .. } = self.senders[sender as usize];
        let Room { first_member, members, .. } = self.rooms[room as usize];
        let own = self.member_of(sender);
        for member in first_member..first_member + members {
            let of = &self.members[member as usize];
            let heard = &of.heard[place as usize];
            if !of.up || !heard.misses(n) || (member == own && !self.rules.own_echo) {
                continue;
            }
            let has_later = heard.is_beyond(n);
            self.wrong(Fault::Lost, member, at, || {
                let after = if has_later { "later ones came" } else { "nothing came after it" };
                let sent = sent.intended as f64 / 1e6;
                format!("message {n} of sender {sender}, sent at {sent:.3} s, never came; {after}")
            });
        }
    }
}
