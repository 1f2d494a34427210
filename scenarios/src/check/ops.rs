//! The recording as operations of the checker: what everybody did and saw, in the order of time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use trialogue_checker::{
    By, ChatKey, Checker, ClientKey, Copied, Membership, Micros, Op, Print, UserKey,
};
use trialogue_client::{LinkState, Outcome, Via};
use trialogue_protocol::{ChatId, ClientMessageId, Message, MessageId, UserId};

use super::identity::Identities;
use super::{Member, Recording, Witnessed, chats_of};
use crate::record::{Entry, Told, What};

/// Messages in words, by their prints.
pub(super) struct Words {
    pub(super) words: BTreeMap<String, String>,
    pub(super) sent_in: BTreeMap<String, String>,
    pub(super) changed: BTreeMap<String, String>,
}

/// Tells the checker everything.
pub(super) fn tell<'c>(recording: &'c Recording<'c>, checker: &'c mut Checker) -> Words {
    let identities = Identities::of(recording);
    let looks = recording.people.iter().flat_map(|person| {
        person.entries.iter().filter_map(|entry| match &entry.what {
            What::Looked { id, stored } => Some(((person.name.to_owned(), *id), *stored)),
            _ => None,
        })
    });
    let looked: BTreeMap<(String, MessageId), bool> = looks.collect();
    let (words, sent_in, changed, invoked) = Default::default();
    let (words, told_to) = (Words { words, sent_in, changed }, String::new());
    let mut teller = Teller { recording, identities, looked, words, told_to, invoked, checker };
    for person in &recording.people {
        teller.person(person);
    }
    teller.others(recording);
    for (chat, members) in &recording.members {
        teller.members(recording, *chat, members);
    }
    teller.words
}

struct Teller<'c> {
    recording: &'c Recording<'c>,
    identities: Identities,
    /// What somebody found who looked for a message when it came.
    looked: BTreeMap<(String, MessageId), bool>,
    words: Words,
    /// Whose copies are being told.
    told_to: String,
    /// When each message was tried first.
    invoked: BTreeMap<Print, Duration>,
    checker: &'c mut Checker,
}

/// A person as the checker knows it by now.
struct Voice {
    client: ClientKey,
    user: UserId,
    key: UserKey,
    is_up: bool,
    /// Highest place that was shown, by chat.
    shown: BTreeMap<ChatId, u64>,
    joined: BTreeSet<ChatId>,
    acked: BTreeSet<ClientMessageId>,
    nameless: BTreeMap<(ChatId, String), usize>,
    nameless_told: BTreeMap<(ChatId, String), usize>,
    /// Its last connection: what it was told on earlier ones may lack its event.
    last_connection: u32,
    lives: usize,
}

fn micros(at: Duration) -> Micros {
    Micros::try_from(at.as_micros()).unwrap_or(Micros::MAX)
}

impl Teller<'_> {
    fn person(&mut self, person: &Witnessed<'_>) {
        // Nobody without an account was ever connected.
        let Some(user) = person.user else { return };
        person.name.clone_into(&mut self.told_to);
        let mut voice = Voice {
            client: self.checker.client(person.name),
            user,
            key: self.checker.user(&user.to_string()),
            is_up: false,
            shown: BTreeMap::new(),
            joined: BTreeSet::new(),
            acked: BTreeSet::new(),
            nameless: BTreeMap::new(),
            nameless_told: BTreeMap::new(),
            last_connection: person.entries.last().map_or(0, |entry| entry.connection),
            lives: 1,
        };
        for entry in &person.entries {
            self.entry(person, &mut voice, entry);
        }
        let at = micros(person.entries.last().map_or(Duration::ZERO, |entry| entry.at));
        for (chat, history) in &person.histories {
            let by = By { at, client: voice.client, chat: self.chat(*chat) };
            self.checker.take(Op::Page { by, is_final: true, more: false, last_seq: None });
            for message in history {
                let copy = self.copy(message);
                self.checker.take(Op::Read { by, copy });
            }
        }
    }

    fn entry(&mut self, person: &Witnessed<'_>, voice: &mut Voice, entry: &Entry) {
        let at = micros(entry.at);
        let client = voice.client;
        match &entry.what {
            What::Ready(_) => {
                voice.is_up = true;
                self.checker.take(Op::Open { at, client, user: voice.key });
            }
            What::Link(
                LinkState::Reconnecting { .. }
                | LinkState::Offline
                | LinkState::LoginNeeded { .. }
                | LinkState::Closed,
            ) if voice.is_up => {
                voice.is_up = false;
                self.checker.take(Op::Down { at, client });
            }
            What::Joined { chat, again, last_seq, .. } => {
                self.joined(person, voice, at, *chat, *again, *last_seq);
            }
            What::CaughtUp(chat) => {
                let by = By { at, client, chat: self.chat(*chat) };
                self.checker.take(Op::Page { by, is_final: false, more: false, last_seq: None });
            }
            What::Event { name, data } => self.event(person, voice, at, name, data),
            What::Message { message, via } => self.shown(voice, entry, message, *via),
            What::Sent { chat, id, text } => {
                let nth = voice.nameless.entry((*chat, text.clone())).or_default();
                let print = self.identities.of_sent(voice.user, *chat, id.as_ref(), text, *nth);
                *nth += usize::from(id.is_none());
                self.invoke(voice, entry.at, *chat, print, id.as_ref(), text);
            }
            What::Outcome { id, outcome } => self.outcome(person, voice, at, id, outcome),
            What::Told { chat, id, text, told } => {
                let nth = voice.nameless_told.entry((*chat, text.clone())).or_default();
                let print = self.identities.of_sent(voice.user, *chat, id.as_ref(), text, *nth);
                *nth += usize::from(id.is_none());
                let Some(print) = print else { return };
                let by = By { at, client, chat: self.chat(*chat) };
                let op = match told {
                    Told::Stored(message) => Op::Ok { by, copy: self.copy(message), stored: None },
                    Told::Refused => Op::Fail { by, message: print },
                    Told::Nothing => Op::Info { by, message: print },
                };
                self.checker.take(op);
            }
            _ => {}
        }
    }

    fn joined(
        &mut self,
        person: &Witnessed<'_>,
        voice: &mut Voice,
        at: Micros,
        chat: ChatId,
        again: bool,
        last_seq: i64,
    ) {
        if !again && !voice.joined.insert(chat) {
            // It left and came anew: what it shows now begins from nothing, as another app's.
            voice.lives += 1;
            voice.client = self.checker.client(&format!("{} ({})", person.name, voice.lives));
            voice.shown.clear();
            self.checker.take(Op::Open { at, client: voice.client, user: voice.key });
        }
        let by = By { at, client: voice.client, chat: self.chat(chat) };
        let since = Some(voice.shown.get(&chat).copied().unwrap_or(0));
        self.checker.take(Op::Join { by, since, last_seq: u64::try_from(last_seq).ok() });
        // What comes to catch up is read; its end is told by itself.
        self.checker.take(Op::Page { by, is_final: false, more: true, last_seq: None });
    }

    fn event(
        &mut self,
        person: &Witnessed<'_>,
        voice: &Voice,
        at: Micros,
        name: &str,
        data: &serde_json::Value,
    ) {
        if name == "new_message" {
            let Ok(message) = serde_json::from_value::<Message>(data.clone()) else { return };
            if !self.recording.judges(person, message.chat_id) {
                return;
            }
            let by = By { at, client: voice.client, chat: self.chat(message.chat_id) };
            let stored = self.looked.get(&(person.name.to_owned(), message.id)).copied();
            let copy = self.copy(&message);
            return self.checker.take(Op::Recv { by, copy, stored });
        }
        if name == "left_chat" {
            let chat = data["chatId"].as_str().and_then(|chat| chat.parse().ok());
            if let Some(chat) = chat {
                let by = By { at, client: voice.client, chat: self.chat(chat) };
                self.checker.take(Op::Leave(by));
            }
        }
        let chats = chats_of(name, data).into_iter();
        for chat in chats.filter(|chat| self.recording.judges(person, *chat)) {
            let by = By { at, client: voice.client, chat: self.chat(chat) };
            self.checker.take(Op::Canary(by));
        }
    }

    fn shown(&mut self, voice: &mut Voice, entry: &Entry, message: &Message, via: Via) {
        let (at, client) = (micros(entry.at), voice.client);
        let by = By { at, client, chat: self.chat(message.chat_id) };
        let copy = self.copy(message);
        // The author's own event may be lost with the connection that brought the acknowledgement.
        let event_is_lost = via == Via::Ack && entry.connection < voice.last_connection;
        if event_is_lost {
            self.checker.take(Op::Page { by, is_final: false, more: true, last_seq: None });
        }
        if event_is_lost || matches!(via, Via::CatchUp | Via::Backup) {
            self.checker.take(Op::Read { by, copy });
        }
        self.checker.take(Op::Show { by, copy });
        let seq = copy.seq.unwrap_or(0);
        let highest = voice.shown.entry(message.chat_id).or_default();
        *highest = seq.max(*highest);
    }

    fn invoke(
        &mut self,
        voice: &Voice,
        at: Duration,
        chat: ChatId,
        print: Option<Print>,
        id: Option<&ClientMessageId>,
        text: &str,
    ) {
        let Some(message) = print else { return };
        let words = &mut self.words;
        words.words.entry(message.to_string()).or_insert_with(|| format!("{text:?}"));
        words.sent_in.entry(message.to_string()).or_insert_with(|| chat.to_string());
        self.invoked.entry(message).or_insert(at);
        let by = By { at: micros(at), client: voice.client, chat: self.chat(chat) };
        let cmid = id.map(|id| Print::of(&id.to_string()));
        self.checker.take(Op::Invoke { by, message, cmid });
    }

    /// What became of a message of the outbox.
    fn outcome(
        &mut self,
        person: &Witnessed<'_>,
        voice: &mut Voice,
        at: Micros,
        id: &ClientMessageId,
        outcome: &Outcome,
    ) {
        let handed = person.entries.iter().find_map(|entry| match &entry.what {
            What::Sent { chat, id: Some(own), text } if own == id => Some((*chat, text)),
            _ => None,
        });
        let Some((chat, text)) = handed else { return };
        let print = self.identities.of_sent(voice.user, chat, Some(id), text, 0);
        let Some(message) = print else { return };
        let by = By { at, client: voice.client, chat: self.chat(chat) };
        let op = match outcome {
            Outcome::Stored { message, .. } if voice.acked.insert(id.clone()) => {
                Op::Ok { by, copy: self.copy(message), stored: None }
            }
            Outcome::Refused(_) | Outcome::Conflict(_) => Op::Fail { by, message },
            Outcome::Retrying { .. } | Outcome::Unknown(_) | Outcome::Discarded => {
                Op::Info { by, message }
            }
            Outcome::Sending { attempt } if *attempt > 1 => {
                Op::Invoke { by, message, cmid: Some(Print::of(&id.to_string())) }
            }
            _ => return,
        };
        self.checker.take(op);
    }

    /// What others wrote, of whom nothing else is known: it is not held against the server.
    fn others(&mut self, recording: &Recording<'_>) {
        let fresh: BTreeSet<UserId> =
            recording.people.iter().filter(|p| p.fresh).filter_map(|p| p.user).collect();
        let mut theirs: BTreeMap<(UserId, ChatId, Option<i64>), Message> = BTreeMap::new();
        for person in &recording.people {
            let shown = super::messages(&person.entries).map(|(_, message)| message);
            for message in shown.chain(person.histories.values().flatten()) {
                if !fresh.contains(&message.sender_id) && !self.identities.is_ours(message) {
                    let key = (message.sender_id, message.chat_id, message.seq);
                    theirs.insert(key, message.clone());
                }
            }
        }
        for ((user, chat, _), message) in theirs {
            let client = self.checker.client(&format!("user {user}, elsewhere"));
            let key = self.checker.user(&user.to_string());
            self.checker.take(Op::Open { at: 0, client, user: key });
            let by = By { at: 0, client, chat: self.chat(chat) };
            let message = self.identities.of_copy(&message);
            self.checker.take(Op::Invoke { by, message, cmid: None });
        }
    }

    fn members(&mut self, recording: &Recording<'_>, chat: ChatId, members: &[Member]) {
        let key = self.chat(chat);
        for member in members {
            let user = self.checker.user(&member.user.to_string());
            let mut membership = Membership::default();
            if let Some(removed) = member.removed {
                membership.removed = Some(micros(removed));
                membership.removed_seq = Some(self.last_before(recording, chat, removed));
            }
            self.checker.take(Op::Member { chat: key, user, membership });
        }
    }

    /// The highest place of what was tried before somebody was known to be out: all else was
    /// stored after that.
    fn last_before(&self, recording: &Recording<'_>, chat: ChatId, removed: Duration) -> u64 {
        let histories = recording.people.iter().filter_map(|person| person.histories.get(&chat));
        let before = histories.flatten().filter(|message| {
            let print = self.identities.of_copy(message);
            self.invoked.get(&print).is_none_or(|at| *at < removed)
        });
        before.filter_map(|message| u64::try_from(message.seq?).ok()).max().unwrap_or(0)
    }

    fn chat(&mut self, chat: ChatId) -> ChatKey {
        self.checker.chat(&chat.to_string())
    }

    fn copy(&mut self, message: &Message) -> Copied {
        let print = self.identities.of_copy(message);
        let words = super::words(message);
        self.words.words.insert(print.to_string(), words);
        if let Some(sent) = self.identities.changed(message) {
            let as_what = format!("as {:?} to {}", message.message, self.told_to);
            self.words.changed.entry(sent.to_string()).or_insert(as_what);
        }
        Copied {
            seq: message.seq.and_then(|seq| u64::try_from(seq).ok()),
            id: Some(Print::of(&message.id.to_string())),
            cmid: message.client_message_id.as_ref().map(|id| Print::of(&id.to_string())),
            author: Some(self.checker.user(&message.sender_id.to_string())),
            ..Copied::of(print)
        }
    }
}
