//! From what clients tell to what inboxes keep, and back to what a step waits for.

use std::time::Duration;

use serde_json::{Value, json};
use trialogue_client::{Error, Exchange, Outcome, Update};
use trialogue_protocol::{ChatId, ClientMessageId};

use crate::record::{Entry, HttpExchange, What};

/// What is known of an own message, with the time of that news.
pub fn outcome_of<'a>(
    entries: &'a [Entry],
    id: &ClientMessageId,
) -> Option<(Duration, &'a Outcome)> {
    entries.iter().rev().find_map(|entry| match &entry.what {
        What::Outcome { id: own, outcome } if own == id => Some((entry.at, outcome)),
        _ => None,
    })
}

/// Whatever became of an own message is the business of the step that sent it.
pub(super) fn take_outcome(entries: &mut [Entry], id: &ClientMessageId) {
    for entry in entries {
        if matches!(&entry.what, What::Outcome { id: own, .. } if own == id) {
            entry.taken = true;
        }
    }
}

pub(super) fn sent_json(id: &ClientMessageId, outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Stored { message, duplicate } => json!({
            "clientMessageId": id,
            "status": if *duplicate { "duplicate" } else { "stored" },
            "id": message.id,
            "seq": message.seq,
            "message": message,
        }),
        _ => json!({ "clientMessageId": id, "status": "queued" }),
    }
}

/// `Ok` once the room was entered and everything in it was shown, `Err` once it was refused, which
/// the step that asks has had then.
pub(super) fn joined_since(
    entries: &mut [Entry],
    from: usize,
    chat: ChatId,
) -> Option<Result<(Duration, Value), Error>> {
    let mut joined = None;
    for entry in entries.iter_mut().skip(from) {
        match &entry.what {
            What::Joined { chat: here, last_seq, members, .. } if *here == chat => {
                joined = Some(json!({"chatId": chat, "lastSeq": last_seq, "members": members}));
            }
            What::CaughtUp(here) if *here == chat => {
                if let Some(joined) = joined {
                    return Some(Ok((entry.at, joined)));
                }
            }
            What::JoinFailed { chat: here, error } if *here == chat => {
                entry.taken = true;
                return Some(Err(error.clone()));
            }
            _ => {}
        }
    }
    None
}

pub(super) fn note_of(exchange: &Exchange<'_>) -> HttpExchange {
    let (status, json, bytes) = match exchange.answer {
        Ok((status, body)) => {
            (Some(status), serde_json::from_slice(body).unwrap_or_default(), body.len())
        }
        Err(_) => (None, Value::Null, 0),
    };
    HttpExchange {
        method: exchange.method.to_owned(),
        path: exchange.path.to_owned(),
        request: exchange
            .request
            .and_then(|body| serde_json::from_slice(body).ok())
            .unwrap_or_default(),
        request_bytes: exchange.request.map_or(0, <[u8]>::len),
        status,
        json,
        bytes,
        took: exchange.took,
    }
}

pub(super) fn what_of(update: Update) -> Option<What> {
    Some(match update {
        Update::Link(state) => What::Link(state),
        Update::Ready(connected) => What::Ready(json!(connected)),
        Update::Joined { ack, again } => What::Joined {
            chat: ack.chat_id,
            again,
            last_seq: ack.last_seq,
            members: ack.members.len(),
        },
        Update::JoinFailed { chat, error } => What::JoinFailed { chat, error },
        Update::CaughtUp { chat } => What::CaughtUp(chat),
        Update::Event { name, args } => What::Event { name, data: args.get(0).unwrap_or_default() },
        Update::Message { message, via } => What::Message { message, via },
        Update::Outcome { client_message_id, outcome, .. } => {
            What::Outcome { id: client_message_id, outcome }
        }
        Update::Missing { chat, from, to } => {
            What::Odd(format!("messages {from} to {to} of {chat} cannot be had"))
        }
        Update::Reset { chat, why } => What::Odd(format!("{chat} was reset: {why:?}")),
        Update::Journal { sentence } => What::Odd(sentence),
        Update::Backup { sentence } => What::Odd(sentence),
        // An actor accepts what it joins.
        Update::Invited { .. }
        // The events that these follow from are kept as they came.
        | Update::Person { .. }
        | Update::PersonGone { .. }
        | Update::Unread { .. }
        | Update::Notification { .. }
        // Only asked for by faces that scroll.
        | Update::Older { .. } => return None,
    })
}
