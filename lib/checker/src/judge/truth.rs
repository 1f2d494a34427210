//! What is true of every chat: its table, its members, its messages in order.

use rustc_hash::FxHashMap;

use crate::checker::{Checker, Row};
use crate::config::Table;
use crate::key::{ChatKey, Print, UserKey};
use crate::messages::{Message, Place, Telling};
use crate::op::Membership;
use crate::receivers::Receiver;

/// The sorted whole.
pub(super) struct Truth<'a> {
    pub(super) checker: &'a Checker,
    /// By name.
    pub(super) chats: Vec<ChatKey>,
    /// By chat's and client's name.
    receivers: Vec<u32>,
    /// By chat, seq, id and message; none twice.
    rows: Vec<Row>,
    /// Places of a message by key, where it has more than one row.
    several: FxHashMap<u32, Vec<Place>>,
    /// By message and place.
    pub(super) tellings: Vec<Telling>,
    pub(super) client_rank: Vec<u32>,
    pub(super) chat_rank: Vec<u32>,
}

impl<'a> Truth<'a> {
    pub(super) fn of(checker: &'a Checker) -> Self {
        let chats: Vec<ChatKey> = checker.chats.sorted().into_iter().map(ChatKey).collect();
        let chat_rank = ranks(&checker.chats.sorted());
        let client_rank = ranks(&checker.clients.sorted());
        let mut receivers: Vec<u32> = (0..).take(checker.receivers.all.len()).collect();
        receivers.sort_unstable_by_key(|number| {
            let receiver = checker.receivers.get(*number);
            (chat_rank[receiver.chat.index()], client_rank[receiver.client.index()])
        });
        let mut rows = checker.rows.clone();
        let key = |row: &Row| {
            let print = checker.messages.get(row.message).print;
            (chat_rank[row.chat.index()], row.seq, row.id, print)
        };
        rows.sort_unstable_by_key(|row| (key(row), row.cmid));
        if checker.config.table != Table::Dump {
            // Several read one row.
            rows.dedup_by(|a, b| key(a) == key(b));
        }
        let several = several(checker, &rows);
        let mut tellings = checker.messages.tellings.clone();
        tellings.sort_unstable();
        Self { checker, chats, receivers, rows, several, tellings, client_rank, chat_rank }
    }

    pub(super) fn message(&self, number: u32) -> &'a Message {
        self.checker.messages.get(number)
    }

    /// Every row of a message.
    pub(super) fn places(&self, number: u32) -> &[Place] {
        let message = self.message(number);
        match self.several.get(&number) {
            Some(places) => places,
            None if message.has_row => std::slice::from_ref(&message.row),
            None => &[],
        }
    }

    /// Every place that was told of it, rising; several only when something is wrong.
    pub(super) fn told(&self, number: u32) -> impl Iterator<Item = Place> {
        let from = self.tellings.partition_point(|telling| telling.message < number);
        let others = self.tellings[from..].iter().take_while(move |one| one.message == number);
        let mut told: Vec<Place> = others.map(|telling| telling.place).collect();
        told.push(self.message(number).told);
        told.sort_unstable();
        told.into_iter()
    }

    /// Where it stands in the table, or where it was said to stand; 0 is unknown.
    pub(super) fn seq_or_told(&self, number: u32) -> u64 {
        match self.message(number).has_row {
            true => self.seq(number),
            false => self.told(number).find(|place| place.seq != 0).map_or(0, |place| place.seq),
        }
    }

    /// Where it stands in the table; 0 where servers number nothing, or when it does not.
    pub(super) fn seq(&self, number: u32) -> u64 {
        self.places(number).first().map_or(0, |place| place.seq)
    }

    /// Whether the chat's table is in the history.
    pub(super) fn is_known(&self, chat: ChatKey) -> bool {
        let room = &self.checker.rooms[chat.index()];
        match self.checker.config.table {
            Table::Dump => room.counter.is_some(),
            Table::Acks => true,
            Table::Reads => self.receivers(chat).any(|receiver| {
                let membership = self.membership(receiver);
                receiver.read_done && membership.is_some_and(|one| one.from <= 1)
            }),
        }
    }

    /// Whether the table tells what was stored, and not only what was acknowledged.
    pub(super) fn is_certain(&self, chat: ChatKey) -> bool {
        self.checker.config.table != Table::Acks && self.is_known(chat)
    }

    /// By name.
    pub(super) fn receivers(&self, chat: ChatKey) -> impl Iterator<Item = &'a Receiver> {
        let rank = |number: &u32| self.chat_rank[self.checker.receivers.get(*number).chat.index()];
        let wanted = self.chat_rank[chat.index()];
        let from = self.receivers.partition_point(|number| rank(number) < wanted);
        let to = self.receivers.partition_point(|number| rank(number) <= wanted);
        let checker = self.checker;
        let numbers: Vec<u32> = self.receivers[from..to].to_vec();
        numbers.into_iter().map(|number| checker.receivers.get(number))
    }

    pub(super) fn user(&self, receiver: &Receiver) -> Option<UserKey> {
        self.checker.people[receiver.client.index()].user
    }

    /// As what the receiver's user is in the chat: all times together. Nobody, when the members
    /// are known and it is not one; a member from the beginning, when they are not.
    pub(super) fn membership(&self, receiver: &Receiver) -> Option<Membership> {
        let room = &self.checker.rooms[receiver.chat.index()];
        if room.members.is_empty() {
            return receiver.joined.then(Membership::default);
        }
        let user = self.user(receiver)?;
        self.membership_of(receiver.chat, user)
    }

    pub(super) fn membership_of(&self, chat: ChatKey, user: UserKey) -> Option<Membership> {
        let room = &self.checker.rooms[chat.index()];
        let of_user = room.members.iter().filter(|(member, _)| *member == user);
        of_user.map(|(_, membership)| *membership).reduce(|a, b| Membership {
            from: a.from.min(b.from),
            added_seq: a.added_seq.min(b.added_seq),
            removed_seq: a.removed_seq.zip(b.removed_seq).map(|(a, b)| a.max(b)),
            added: a.added.min(b.added),
            removed: a.removed.zip(b.removed).map(|(a, b)| a.max(b)),
        })
    }
}

fn ranks(sorted: &[u32]) -> Vec<u32> {
    let mut ranks = vec![0; sorted.len()];
    for (rank, key) in (0..).zip(sorted) {
        ranks[*key as usize] = rank;
    }
    ranks
}

fn several(checker: &Checker, rows: &[Row]) -> FxHashMap<u32, Vec<Place>> {
    let mut several: FxHashMap<u32, Vec<Place>> = FxHashMap::default();
    let mut counts = vec![0_u8; checker.messages.all.len()];
    for row in rows {
        let count = &mut counts[row.message as usize];
        *count = count.saturating_add(1);
    }
    for row in rows.iter().filter(|row| counts[row.message as usize] > 1) {
        several.entry(row.message).or_default().push(Place { seq: row.seq, id: row.id });
    }
    several
}

/// One chat.
pub(super) struct Chat<'a> {
    pub(super) truth: &'a Truth<'a>,
    pub(super) chat: ChatKey,
    /// In the order of the chat; messages without a place by when and what they are.
    pub(super) messages: Vec<u32>,
    pub(super) rows: &'a [Row],
    pub(super) is_known: bool,
    /// See [`Truth::is_certain`].
    pub(super) is_certain: bool,
}

impl<'a> Chat<'a> {
    pub(super) fn of(truth: &'a Truth<'a>, chat: ChatKey) -> Self {
        let mut messages = truth.checker.rooms[chat.index()].messages.clone();
        messages.sort_by_cached_key(|number| -> (u64, u64, Print) {
            let message = truth.message(*number);
            (truth.seq_or_told(*number), message.invoked_at, message.print)
        });
        let rank = |row: &Row| truth.chat_rank[row.chat.index()];
        let wanted = truth.chat_rank[chat.index()];
        let from = truth.rows.partition_point(|row| rank(row) < wanted);
        let to = truth.rows.partition_point(|row| rank(row) <= wanted);
        let (is_known, is_certain) = (truth.is_known(chat), truth.is_certain(chat));
        Self { truth, chat, messages, rows: &truth.rows[from..to], is_known, is_certain }
    }

    pub(super) fn message(&self, number: u32) -> &'a Message {
        self.truth.message(number)
    }

    /// The rows at a seq.
    pub(super) fn rows_at(&self, seq: u64) -> &'a [Row] {
        let from = self.rows.partition_point(|row| row.seq < seq);
        let to = self.rows.partition_point(|row| row.seq <= seq);
        &self.rows[from..to]
    }
}
