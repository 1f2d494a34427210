//! What senders tried and were told.

use super::{Checker, Sight};
use crate::config::Table;
use crate::key::Print;
use crate::messages::NEVER;
use crate::op::{By, Copied};

impl Checker {
    pub(super) fn invoke(&mut self, by: By, print: Print, cmid: Option<Print>) {
        self.counts.invokes += 1;
        let author = self.user_of(by.client);
        self.rooms[by.chat.index()].is_used = true;
        let number = self.message(by.chat, print);
        let person = &mut self.people[by.client.index()];
        let turn = person.invokes;
        person.invokes = turn.saturating_add(1);
        let message = self.messages.get_mut(number);
        if message.invokes == 0 {
            self.counts.sends += 1;
            message.by = Some(by.client);
            message.connection = person.connection;
            message.turn = turn;
        }
        message.invokes = message.invokes.saturating_add(1);
        message.invoked_at = message.invoked_at.min(by.at);
        message.name(cmid, Some(author));
    }

    pub(super) fn ok(&mut self, by: By, copy: &Copied, stored: Option<bool>) {
        self.counts.oks += 1;
        let number = self.message(by.chat, copy.message);
        self.messages.tell(number, copy);
        if stored == Some(false) {
            self.suspicions.unstored.push((by, number));
        }
        let message = self.messages.get_mut(number);
        message.done(by);
        if message.ok_at != NEVER {
            return;
        }
        message.ok_at = by.at;
        if self.config.table == Table::Acks {
            self.row(number, copy);
        }
        for sight in self.pending.remove(&number).into_iter().flatten() {
            self.measure(Sight { from: sight.from.max(by.at), ..sight });
        }
    }

    pub(super) fn fail(&mut self, by: By, print: Print) {
        self.counts.fails += 1;
        let number = self.message(by.chat, print);
        let message = self.messages.get_mut(number);
        message.done(by);
        message.fails = message.fails.saturating_add(1);
    }

    pub(super) fn info(&mut self, by: By, print: Print) {
        self.counts.infos += 1;
        let number = self.message(by.chat, print);
        let message = self.messages.get_mut(number);
        message.done(by);
        message.infos = message.infos.saturating_add(1);
    }
}

impl crate::messages::Message {
    /// A try ended.
    fn done(&mut self, by: By) {
        self.done_at = if self.done_at == NEVER { by.at } else { self.done_at.max(by.at) };
    }
}
