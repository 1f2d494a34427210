//! I7: nothing of a chat comes to somebody who is not in it.

use super::{Case, Findings};
use crate::judge::truth::{Chat, Truth};
use crate::receivers::Receiver;
use crate::report::Wrong;

pub(super) fn judge(chat: &Chat<'_>, found: &mut Findings<'_>) {
    let config = &chat.truth.checker.config;
    for receiver in chat.truth.receivers(chat.chat) {
        let case = Case::of(chat.chat).with(receiver.client);
        let case = Case { at: Some(receiver.first_at).filter(|_| receiver.saw()), ..case };
        let Some(membership) = chat.truth.membership(receiver) else {
            let text = || "somebody who is not in the chat".to_owned();
            if receiver.saw() {
                found.add_many(Wrong::Leak, receiver.sights(), case, text);
            } else if receiver.joined {
                found.add(Wrong::Leak, case, || "let in without being a member".to_owned());
            }
            continue;
        };
        if !receiver.saw() {
            continue;
        }
        let too_new = |number: &&u32| {
            // What is lost was told a place that was given again: it says nothing about when.
            let is_lost = chat.is_certain && !chat.message(**number).has_row;
            let seq = if is_lost { 0 } else { chat.truth.seq_or_told(**number) };
            membership.removed_seq.is_some_and(|last| seq > last) && receiver.has(chat, **number)
        };
        let after: Vec<u32> = match membership.removed_seq {
            Some(_) => chat.messages.iter().filter(too_new).copied().collect(),
            None => Vec::new(),
        };
        if let Some(first) = after.first() {
            let text = || "sent after it was removed".to_owned();
            found.add_many(Wrong::Leak, after.len() as u64, case.message(*first), text);
        } else if let Some(removed) = membership.removed {
            let end = removed.saturating_add(config.evict_max);
            if receiver.last_at > end.saturating_add(config.clock_error_max) {
                let case = Case { at: Some(receiver.last_at), ..case };
                found.add(Wrong::Leak, case, || "long after it was removed".to_owned());
            }
        }
        if receiver.first_at.saturating_add(config.clock_error_max) < membership.added {
            found.add(Wrong::Leak, case, || "before it was added".to_owned());
        }
    }
}

impl Receiver {
    fn saw(&self) -> bool {
        self.sights() > 0
    }

    /// Messages that it saw, by the way that showed most of them.
    fn sights(&self) -> u64 {
        self.got.count().max(self.lines.came.count()).max(self.read.count())
    }

    fn has(&self, chat: &Chat<'_>, number: u32) -> bool {
        let slot = u64::from(chat.message(number).slot);
        [&self.got, &self.lines.came, &self.read].iter().any(|set| set.contains(slot))
    }
}

/// Canaries found where no message is.
pub(super) fn judge_canaries(truth: &Truth<'_>, found: &mut Findings<'_>) {
    let config = &truth.checker.config;
    let mut canaries = truth.checker.suspicions.canaries.clone();
    canaries.sort_unstable_by_key(|by| {
        (truth.chat_rank[by.chat.index()], by.at, truth.client_rank[by.client.index()])
    });
    for by in canaries {
        let room = &truth.checker.rooms[by.chat.index()];
        let user = truth.checker.people[by.client.index()].user;
        // Without a table of members, those who joined are them.
        let is_member = if room.members.is_empty() {
            truth.receivers(by.chat).any(|one| one.joined && truth.user(one) == user)
        } else {
            room.members.iter().filter(|(member, _)| Some(*member) == user).any(|(_, one)| {
                let end = one.removed.map(|at| at.saturating_add(config.evict_max));
                let is_in =
                    end.is_none_or(|end| by.at <= end.saturating_add(config.clock_error_max));
                one.added <= by.at.saturating_add(config.clock_error_max) && is_in
            })
        };
        if !is_member {
            let case = Case { at: Some(by.at), ..Case::of(by.chat).with(by.client) };
            found.add(Wrong::Leak, case, || "the chat's canary".to_owned());
        }
    }
}
