//! When a message is over: everybody has it, or nothing comes any more.

use trialogue_checker::Micros;

use super::{Fault, Judge, Room, Sender, Sent, State, count};

impl Judge {
    /// Forgets what is complete, from the oldest on.
    pub(super) fn retire(&mut self, sender: u32) {
        let acks = self.rules.acks;
        let of = &mut self.senders[sender as usize];
        while let Some(sent) = of.sent.front() {
            let is_known = sent.state != State::Pending || !acks;
            let is_complete = is_known && sent.got >= sent.owed;
            if !is_complete && sent.state != State::Refused {
                return;
            }
            if sent.state != State::Refused {
                self.counts.owed += u64::from(sent.owed);
                self.counts.reached += u64::from(sent.owed);
            }
            of.sent.pop_front();
            of.first += 1;
            self.under_way -= 1;
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
            let (first, sent) = {
                let of = &mut self.senders[sender as usize];
                (of.first, std::mem::take(&mut of.sent))
            };
            for (n, sent) in (first..).zip(&sent) {
                self.miss(sender, n, sent, at);
            }
            self.under_way -= sent.len();
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
