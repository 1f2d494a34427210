//! What must hold over everything that was recorded, judged when all is over.
//!
//! Pure: histories in, violations out. A check that had nothing to look at is a violation too:
//! silence is no proof.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use trialogue_protocol::{ChatId, Message, MessageId, UserId};

use crate::actor::Actor;
use crate::file::{ActorId, Delivery};
use crate::record::{Entry, What};

mod stored;

pub use stored::{Handed, stored};

/// Events that only those in a chat's room may hear.
const ROOM_EVENTS: &[&str] = &[
    "new_message",
    "user_typing",
    "user_joined",
    "user_left",
    "messages_read",
    "presence",
    "chat_updated",
    "joined_chat",
];

/// One person's part of the recording.
#[derive(Debug)]
pub struct Witnessed<'a> {
    /// Who.
    pub actor: ActorId,
    /// As what messages call them.
    pub name: &'a str,
    /// Their user, when the account was made for this run: all that it wrote is known.
    pub fresh: Option<UserId>,
    /// Everything that they saw.
    pub entries: Vec<Entry>,
    /// Final histories of their chats, read after everything.
    pub histories: BTreeMap<ChatId, Vec<Message>>,
    /// Why a history of one of their chats could not be read.
    pub unread: Option<String>,
}

impl Witnessed<'_> {
    fn all_read(&self) -> Result<(), String> {
        let unknown = |why| Err(format!("unknown: {} cannot read a history: {why}", self.name));
        self.unread.as_ref().map_or(Ok(()), unknown)
    }
}

/// Messages shown to an actor.
pub fn shown(actor: &Actor) -> usize {
    actor.inbox().with(|entries| {
        entries.iter().filter(|entry| matches!(entry.what, What::Message { .. })).count()
    })
}

/// When a message was shown first.
pub fn shown_at(entries: &[Entry], id: MessageId) -> Option<Duration> {
    messages(entries).find(|(_, message)| message.id == id).map(|(at, _)| at)
}

fn messages(entries: &[Entry]) -> impl Iterator<Item = (Duration, &Message)> {
    entries.iter().filter_map(|entry| match &entry.what {
        What::Message { message, .. } => Some((entry.at, message)),
        _ => None,
    })
}

/// Every message of every chat comes to every member as often as promised: counted where it is
/// shown, and on the wire once per connection.
pub fn delivery(promise: Delivery, all: &[Witnessed<'_>]) -> Result<(), String> {
    let (at_least, at_most) = match promise {
        Delivery::Off => return Ok(()),
        Delivery::ExactlyOnce => (1, 1),
        Delivery::AtLeastOnce => (1, usize::MAX),
        Delivery::AtMostOnce => (0, 1),
    };
    let mut judged = 0;
    for person in all {
        person.all_read()?;
        let name = person.name;
        for message in person.histories.values().flatten() {
            judged += 1;
            let count = messages(&person.entries).filter(|(_, m)| m.id == message.id).count();
            if count < at_least || count > at_most {
                return Err(format!("{name} was shown {} {count} times", words(message)));
            }
        }
        let mut wire: BTreeMap<(u32, &str), u32> = BTreeMap::new();
        for entry in &person.entries {
            let What::Event { name: event, data } = &entry.what else { continue };
            let Some(id) = data["id"].as_str().filter(|_| event == "new_message") else { continue };
            let count = wire.entry((entry.connection, id)).or_default();
            *count += 1;
            if *count as usize > at_most {
                return Err(format!("{name} got new_message {id} {count} times on one connection"));
            }
        }
    }
    something(judged, "a message that a member should have")
}

/// Nobody is shown two messages of one sender, or of one chat, in another order than the chat's.
pub fn order(all: &[Witnessed<'_>], per_sender: bool) -> Result<(), String> {
    let mut judged = 0;
    for person in all {
        let mut last: BTreeMap<(ChatId, i64), &Message> = BTreeMap::new();
        for (_, message) in messages(&person.entries) {
            judged += 1;
            let sender = if per_sender { message.sender_id.0 } else { 0 };
            if let Some(before) = last.insert((message.chat_id, sender), message)
                && before.seq >= message.seq
            {
                let (name, now, before) = (person.name, words(message), words(before));
                return Err(format!("{name} was shown {now} after {before}"));
            }
        }
    }
    something(judged, "a message that was shown")
}

/// Nobody hears of a chat that they are not in.
pub fn isolation(
    all: &[Witnessed<'_>],
    members: &BTreeMap<ChatId, BTreeSet<ActorId>>,
) -> Result<(), String> {
    let mut judged = 0;
    for person in all {
        for entry in &person.entries {
            let What::Event { name: event, data } = &entry.what else { continue };
            for chat in chats_of(event, data) {
                judged += 1;
                let is_member = members.get(&chat).is_some_and(|all| all.contains(&person.actor));
                if !is_member {
                    return Err(format!("{} is not in {chat} and got {event}", person.name));
                }
            }
        }
    }
    something(judged, "an event of a room")
}

/// The chats that an event speaks of to members alone. Of the notifications these are the ones of
/// messages: an invitation reaches an LSM who is not in the chat yet.
fn chats_of(event: &str, data: &Value) -> Vec<ChatId> {
    let note = &data["notification"];
    let chat = match event {
        "positions" => {
            let chats = data["chats"].as_object().into_iter().flat_map(serde_json::Map::keys);
            return chats.filter_map(|chat| chat.parse().ok()).collect();
        }
        "chat_updated" => &data["chat"]["id"],
        "notification:created" if note["type"] == "message" => &note["chatId"],
        event if ROOM_EVENTS.contains(&event) => &data["chatId"],
        _ => return Vec::new(),
    };
    chat.as_str().and_then(|chat| chat.parse().ok()).into_iter().collect()
}

/// What was shown of a chat is its history, message by message.
pub fn history_equals_live(all: &[Witnessed<'_>]) -> Result<(), String> {
    let mut judged = 0;
    for person in all {
        person.all_read()?;
        for (chat, history) in &person.histories {
            let live: Vec<&Message> = messages(&person.entries)
                .map(|(_, message)| message)
                .filter(|message| message.chat_id == *chat)
                .collect();
            judged += history.len();
            for (n, stored) in history.iter().enumerate() {
                let same = live.get(n).is_some_and(|seen| same(seen, stored));
                if !same {
                    let seen = live.get(n).map_or_else(|| "nothing".to_owned(), |m| words(m));
                    let (name, stored) = (person.name, words(stored));
                    return Err(format!("{name} was shown {seen} where the history has {stored}"));
                }
            }
            if let Some(extra) = live.get(history.len()) {
                let (name, extra) = (person.name, words(extra));
                return Err(format!("{name} was shown {extra}, which the history lacks"));
            }
        }
    }
    something(judged, "a message in a history")
}

/// Nothing went wrong that no step had expected.
pub fn no_server_errors(all: &[Witnessed<'_>]) -> Result<(), String> {
    for person in all {
        let odd = person.entries.iter().find(|entry| match &entry.what {
            What::Odd(_) => true,
            // One that a step has waited for was expected.
            What::Event { name, .. } => name == "error" && !entry.taken,
            _ => false,
        });
        if let Some(entry) = odd {
            return Err(format!("{} saw{entry}", person.name));
        }
    }
    Ok(())
}

/// Whether two copies tell the same. The author's name for it is in the author's copies only.
fn same(a: &Message, b: &Message) -> bool {
    a.id == b.id && a.seq == b.seq && a.message == b.message && a.sender_id == b.sender_id
}

fn words(message: &Message) -> String {
    format!("seq {} {:?}", message.seq.unwrap_or_default(), message.message)
}

fn something(judged: usize, what: &str) -> Result<(), String> {
    if judged == 0 { Err(format!("unknown: there was not {what} to judge by")) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
