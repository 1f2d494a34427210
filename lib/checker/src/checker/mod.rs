//! Takes a history in, one operation at a time, and keeps what a judgement needs.
//!
//! Nothing is judged here that a later operation could excuse: what looks wrong is kept as a
//! suspicion, and in a history without faults there are none.

mod sends;
mod sights;

use rustc_hash::FxHashMap;

use crate::config::{Config, Table};
use crate::key::{ChatKey, ClientKey, Micros, Names, Print, UserKey};
use crate::latency::Latency;
use crate::messages::{Message, Messages};
use crate::op::{By, Copied, Membership, Op};
use crate::ranges::Ranges;
use crate::receivers::Receivers;
use crate::report::{Counts, Report};

/// Judges one run.
///
/// What it keeps is bounded by the history, not by what was delivered: some 150 bytes for each
/// message, 40 for each row, 500 for each client and chat, 32 for each sender that a client hears
/// there, 16 for each gap in what a client has, 24 for each sight of a message whose
/// acknowledgement has not come up yet, and as much for each suspicion.
#[derive(Debug, Clone, Default)]
pub struct Checker {
    pub(crate) config: Config,
    pub(crate) chats: Names,
    pub(crate) clients: Names,
    pub(crate) users: Names,
    pub(crate) rooms: Vec<Room>,
    pub(crate) people: Vec<Person>,
    pub(crate) messages: Messages,
    pub(crate) receivers: Receivers,
    pub(crate) rows: Vec<Row>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) suspicions: Suspicions,
    pub(crate) visible: Latency,
    /// Sights of messages that are not acknowledged yet.
    pending: FxHashMap<u32, Vec<Sight>>,
    pub(crate) counts: Counts,
}

/// A chat.
#[derive(Debug, Clone, Default)]
pub(crate) struct Room {
    /// Its messages by slot.
    pub(crate) messages: Vec<u32>,
    pub(crate) counter: Option<u64>,
    pub(crate) members: Vec<(UserKey, Membership)>,
    /// By user: of which seqs it is told, each once, and which repeatedly.
    pub(crate) notes: FxHashMap<UserKey, Ranges>,
    pub(crate) notes_again: Vec<(UserKey, u64)>,
    /// Operations besides tables spoke of it.
    pub(crate) is_used: bool,
}

/// A client.
#[derive(Debug, Clone, Default)]
pub(crate) struct Person {
    pub(crate) user: Option<UserKey>,
    connection: u32,
    invokes: u32,
    receivers: Vec<u32>,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) chat: ChatKey,
    pub(crate) seq: u64,
    pub(crate) id: u64,
    pub(crate) cmid: u64,
    pub(crate) author: Option<UserKey>,
    pub(crate) message: u32,
}

/// While something was wrong on purpose.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    fault: Print,
    pub(crate) from: Micros,
    pub(crate) to: Option<Micros>,
}

/// A receiver that had a message at some moment, and could have had it from another on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sight {
    pub(crate) receiver: u32,
    pub(crate) message: u32,
    pub(crate) from: Micros,
    pub(crate) at: Micros,
}

/// The same thing once more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Repeat {
    pub(crate) receiver: u32,
    pub(crate) message: u32,
    pub(crate) at: Micros,
    pub(crate) stream: StreamKind,
}

/// A stream that did not rise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fall {
    pub(crate) receiver: u32,
    /// Rank and message.
    pub(crate) before: (u64, u32),
    pub(crate) after: (u64, u32),
    pub(crate) at: Micros,
    pub(crate) stream: StreamKind,
    pub(crate) one_sender: bool,
}

/// Which stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StreamKind {
    Frames,
    Lines,
    Page,
}

/// What looks wrong until something excuses it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Suspicions {
    pub(crate) repeats: Vec<Repeat>,
    pub(crate) falls: Vec<Fall>,
    pub(crate) late: Vec<Sight>,
    pub(crate) unstored: Vec<(By, u32)>,
    pub(crate) canaries: Vec<By>,
}

impl Checker {
    /// Judges a run of this plan.
    pub fn new(config: Config) -> Self {
        Self { config, ..Self::default() }
    }

    /// The key of the chat with this name.
    pub fn chat(&mut self, name: &str) -> ChatKey {
        let key = ChatKey(self.chats.key(name));
        self.rooms.resize_with(self.chats.len(), Room::default);
        key
    }

    /// The key of the client with this name.
    pub fn client(&mut self, name: &str) -> ClientKey {
        let key = ClientKey(self.clients.key(name));
        self.people.resize_with(self.clients.len(), Person::default);
        key
    }

    /// The key of the user with this name.
    pub fn user(&mut self, name: &str) -> UserKey {
        UserKey(self.users.key(name))
    }

    /// How much happened so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Takes in what happened.
    pub fn take(&mut self, op: Op) {
        self.counts.ops += 1;
        match op {
            Op::Open { client, user, .. } => {
                let person = &mut self.people[client.index()];
                person.user = Some(user);
                person.connection += 1;
            }
            Op::Down { at, client } => {
                for receiver in &self.people[client.index()].receivers {
                    self.receivers.get_mut(*receiver).leave(at);
                }
            }
            Op::Join { by, since, last_seq } => {
                let receiver = self.receiver(by);
                self.receivers.get_mut(receiver).join(by.at, since, last_seq);
            }
            Op::Leave(by) | Op::Evict(by) => {
                let receiver = self.receiver(by);
                self.receivers.get_mut(receiver).leave(by.at);
            }
            Op::Invoke { by, message, cmid } => self.invoke(by, message, cmid),
            Op::Ok { by, copy, stored } => self.ok(by, &copy, stored),
            Op::Fail { by, message } => self.fail(by, message),
            Op::Info { by, message } => self.info(by, message),
            Op::Recv { by, copy, stored } => self.recv(by, &copy, stored),
            Op::Show { by, copy } => self.show(by, &copy),
            Op::Page { by, is_final, more, last_seq } => self.page(by, is_final, more, last_seq),
            Op::Read { by, copy } => self.read(by, &copy),
            Op::Canary(by) => {
                self.user_of(by.client);
                self.suspicions.canaries.push(by);
            }
            Op::Row { chat, copy } => {
                self.counts.rows += 1;
                let message = self.message(chat, copy.message);
                self.messages.get_mut(message).name(copy.cmid, copy.author);
                if self.config.table == Table::Dump {
                    self.row(message, &copy);
                }
            }
            Op::Chat { chat, last_seq } => self.rooms[chat.index()].counter = Some(last_seq),
            Op::Member { chat, user, membership } => {
                self.rooms[chat.index()].members.push((user, membership));
            }
            Op::Note { chat, user, seq } => {
                let room = &mut self.rooms[chat.index()];
                if !room.notes.entry(user).or_default().insert(seq) {
                    room.notes_again.push((user, seq));
                }
            }
            Op::Fault { at, fault, over } => self.fault(at, fault, over),
        }
    }

    /// Judges what was taken in so far.
    pub fn judge(&self) -> Report {
        crate::judge::judge(self)
    }

    fn fault(&mut self, at: Micros, fault: Print, over: bool) {
        if over {
            let open = |one: &&mut Fault| one.fault == fault && one.to.is_none();
            if let Some(fired) = self.faults.iter_mut().rev().find(open) {
                fired.to = Some(at);
            }
        } else {
            self.counts.faults += 1;
            self.faults.push(Fault { fault, from: at, to: None });
        }
    }

    /// The user on whose behalf a client acts: of its own name, until a connection says more.
    pub(crate) fn user_of(&mut self, client: ClientKey) -> UserKey {
        if let Some(user) = self.people[client.index()].user {
            return user;
        }
        let user = UserKey(self.users.key(self.clients.text(client.0)));
        self.people[client.index()].user = Some(user);
        user
    }

    fn message(&mut self, chat: ChatKey, print: Print) -> u32 {
        let room = &mut self.rooms[chat.index()];
        let slots = u32::try_from(room.messages.len()).unwrap_or(u32::MAX);
        let (number, is_new) = self.messages.find_or_add(chat, print, slots);
        if is_new {
            room.messages.push(number);
        }
        number
    }

    /// The client in the chat, on the connection that it has now.
    fn receiver(&mut self, by: By) -> u32 {
        let (number, is_new) = self.receivers.find_or_add(by.client, by.chat);
        if is_new {
            self.user_of(by.client);
            self.people[by.client.index()].receivers.push(number);
            self.rooms[by.chat.index()].is_used = true;
            self.counts.receivers += 1;
        }
        let connection = self.people[by.client.index()].connection;
        self.receivers.get_mut(number).on_connection(connection);
        number
    }

    /// The message stands in the table. The first row is the message's own.
    fn row(&mut self, number: u32, copy: &Copied) {
        let message: &mut Message = self.messages.get_mut(number);
        let place = crate::messages::Place::of(copy);
        if !message.has_row {
            message.has_row = true;
            message.row = place;
        }
        self.rows.push(Row {
            chat: message.chat,
            seq: place.seq,
            id: place.id,
            cmid: copy.cmid.map_or(0, Print::number),
            author: copy.author,
            message: number,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receivers::Receiver;

    #[test]
    fn what_is_kept_is_as_small_as_the_docs_say() {
        let check = |size: usize, most: usize| assert!(size <= most, "{size} > {most}");
        // With their share of an index that is never more than half empty.
        check(size_of::<Message>() + 2 * size_of::<(ChatKey, Print, u32)>(), 200);
        check(size_of::<Row>(), 40);
        check(size_of::<Receiver>() + 2 * size_of::<(ClientKey, ChatKey, u32)>(), 600);
        check(size_of::<Sight>(), 24);
        check(size_of::<Op>(), 104);
    }

    #[test]
    fn what_is_kept_does_not_grow_with_what_is_delivered() {
        let mut checker = Checker::new(Config::default());
        let chat = checker.chat("c");
        let clients: Vec<ClientKey> =
            (0..10).map(|n| checker.client(&format!("client {n}"))).collect();
        for client in &clients {
            let by = By { at: 0, client: *client, chat };
            checker.take(Op::Join { by, since: None, last_seq: Some(0) });
        }
        for n in 1..=1_000 {
            let message = Print::from_number(n);
            let copy = Copied::of(message).at(n);
            let by = |client: &ClientKey| By { at: n, client: *client, chat };
            checker.take(Op::Invoke { by: by(&clients[0]), message, cmid: None });
            // Half of them see it before its author knows that it is stored.
            for (turn, client) in clients.iter().enumerate() {
                checker.take(Op::Recv { by: by(client), copy, stored: None });
                if turn == 5 {
                    checker.take(Op::Ok { by: by(&clients[0]), copy, stored: None });
                }
            }
        }
        assert_eq!(checker.counts().frames, 10_000);
        assert!(checker.pending.is_empty());
        let Suspicions { repeats, falls, late, .. } = &checker.suspicions;
        assert!(repeats.is_empty() && falls.is_empty() && late.is_empty());
        assert!(checker.receivers.all.iter().all(|receiver| receiver.got.runs() == 1));
    }
}
