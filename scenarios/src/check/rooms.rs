//! Who may hear of a chat: what events speak of which, and who listens from outside.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use trialogue_protocol::ChatId;

use super::{Recording, Witnessed};
use crate::record::{Entry, What};

/// Events besides messages that only those in a chat's room may hear.
const ROOM_EVENTS: &[&str] =
    &["user_typing", "user_joined", "user_left", "messages_read", "presence", "joined_chat"];

/// Whether somebody was connected at a moment and in no room of a chat: not yet, no longer, never.
pub(super) fn listens_outside(
    recording: &Recording<'_>,
    person: &Witnessed<'_>,
    at: Duration,
    chat: ChatId,
) -> bool {
    let until_then = || person.entries.iter().take_while(|entry| entry.at <= at);
    let is_in = || {
        until_then().any(|entry| match &entry.what {
            What::Joined { chat: here, .. } => *here == chat,
            _ => false,
        })
    };
    let was_put_out = || {
        let of = recording.members.get(&chat).into_iter().flatten();
        let mut of = of.filter(|member| Some(member.user) == person.user);
        of.any(|member| member.removed.is_some_and(|removed| removed < at))
    };
    until_then().any(|entry| matches!(entry.what, What::Ready(_))) && (!is_in() || was_put_out())
}

/// The chats that an event besides messages speaks of to members alone. Of the notifications these
/// are the ones of messages: an invitation reaches an LSM who is not in the chat yet.
pub(super) fn chats_of(event: &str, data: &Value) -> Vec<ChatId> {
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

/// The chat of a message that came over the wire.
pub(super) fn chat_of_message(event: &str, data: &Value) -> Option<ChatId> {
    let chat = data["chatId"].as_str().filter(|_| event == "new_message")?;
    chat.parse().ok()
}

/// Those of the chats with these ids of which somebody was told.
pub fn spoken_of(entries: &[Entry], ids: &BTreeSet<String>) -> BTreeSet<ChatId> {
    let chats = entries.iter().filter_map(|entry| match &entry.what {
        What::Event { name, data } => {
            Some(chats_of(name, data).into_iter().chain(chat_of_message(name, data)))
        }
        _ => None,
    });
    chats.flatten().filter(|chat| ids.contains(&chat.to_string())).collect()
}
