//! Events in an inbox: waited for, past or future, and seen to it that they do not come.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use trialogue_client::{LinkState, Via};
use trialogue_protocol::MessageId;

use super::stage::Stage;
use crate::actor::{Actor, Reply, Wrong};
use crate::file::ActorId;
use crate::matching::{fits, quote};
use crate::record::{Entry, What, link_of};

impl Stage<'_> {
    pub(super) async fn receive(
        &self,
        actor: &Actor,
        event: &str,
        pattern: &Value,
        deadline: Instant,
    ) -> Result<Reply, Wrong> {
        let sent = self.now();
        // A crash may come between a message and its `new_message`: then it is fetched, as it is with
        // `delivered`.
        let or_fetched = self.crash_at.is_some() && event == "new_message";
        let look = || {
            actor.inbox().with(|entries| {
                let found = take(entries, event, pattern);
                found.or_else(|| or_fetched.then(|| take_fetched(entries, pattern)).flatten())
            })
        };
        match self.around.bell.wait(deadline, look).await {
            Some((at, json)) => Ok(Reply { sent, at, json, ..Reply::default() }),
            None => {
                let expected = format!("`{event}` with {}", quote(pattern));
                Err(Wrong::late(expected, nearest_miss(actor, event, pattern)))
            }
        }
    }

    /// Hears nothing of the kind since the last step that did anything began, what steps have had
    /// aside, until the time is over; and hears, all that time.
    pub(super) async fn never(
        &self,
        id: ActorId,
        event: &str,
        pattern: &Value,
        during: Duration,
    ) -> Result<Reply, Wrong> {
        let (actor, sent) = (self.actor(id), self.now());
        let unheard = |got| {
            let expected = format!("{} to listen for `{event}` during {during:?}", actor.name());
            Err(Wrong::new(expected, got))
        };
        if during.is_zero() {
            return unheard("no time to listen".to_owned());
        }
        let (from, had) = {
            let notes = self.notes();
            (notes.acted.min(sent), notes.had.clone())
        };
        let begun = actor.inbox().len();
        let is_new = |(n, entry): &(usize, &Entry)| {
            let known = || entry.taken || message_of(entry).is_some_and(|m| had.contains(&(id, m)));
            *n >= begun || (entry.at >= from && !known())
        };
        let look = || {
            actor.inbox().with(|entries| {
                let mut new = entries.iter().enumerate().filter(is_new);
                let came = new.find(|(_, entry)| is_event(entry, event, pattern));
                if let Some((_, came)) = came {
                    return Some(Some(came.to_string()));
                }
                let was_away = entries
                    .iter()
                    .skip(begun)
                    .any(|entry| matches!(&entry.what, What::Link(state) if !hears(Some(state))));
                (was_away || !hears(link_of(entries))).then_some(None)
            })
        };
        match self.around.bell.wait(Instant::now() + during, look).await {
            None => Ok(Reply { sent, at: self.now(), ..Reply::default() }),
            Some(Some(came)) => Err(Wrong::new(format!("no `{event}` during {during:?}"), came)),
            Some(None) => unheard(format!("it could not hear: {}", actor.link_words())),
        }
    }
}

/// Whether events come over a link.
fn hears(link: Option<&LinkState>) -> bool {
    matches!(link, Some(LinkState::Connected | LinkState::Syncing { .. }))
}

/// The message that came over the wire here.
fn message_of(entry: &Entry) -> Option<MessageId> {
    match &entry.what {
        What::Event { name, data } if name == "new_message" => {
            serde_json::from_value(data["id"].clone()).ok()
        }
        _ => None,
    }
}

/// Whether an event that fits is there that nobody has had yet.
pub(super) fn waits_for_taking(entries: &[Entry], event: &str, pattern: &Value) -> bool {
    entries.iter().any(|entry| !entry.taken && is_event(entry, event, pattern))
}

fn is_event(entry: &Entry, event: &str, pattern: &Value) -> bool {
    match &entry.what {
        What::Event { name, data } => name == event && fits(pattern, data).is_ok(),
        _ => false,
    }
}

/// The first event that fits and that nobody has had yet.
fn take(entries: &mut [Entry], event: &str, pattern: &Value) -> Option<(Duration, Value)> {
    let entry = entries.iter_mut().find(|entry| !entry.taken && is_event(entry, event, pattern))?;
    entry.taken = true;
    match &entry.what {
        What::Event { data, .. } => Some((entry.at, data.clone())),
        _ => None,
    }
}

/// The first message that fits, that nobody has had yet and whose `new_message` a crash took.
fn take_fetched(entries: &mut [Entry], pattern: &Value) -> Option<(Duration, Value)> {
    let at =
        entries.iter().position(|entry| !entry.taken && is_fetched(entries, entry, pattern))?;
    let entry = &mut entries[at];
    entry.taken = true;
    match &entry.what {
        What::Message { message, .. } => Some((entry.at, json!(message))),
        _ => None,
    }
}

/// Whether a message that fits was shown without a `new_message`: it was fetched, or its author
/// lost the connection after the acknowledgement.
pub(super) fn is_fetched(entries: &[Entry], entry: &Entry, pattern: &Value) -> bool {
    let What::Message { message, via } = &entry.what else { return false };
    let is_without = match via {
        Via::CatchUp => true,
        Via::Ack => entries.last().is_some_and(|last| last.connection > entry.connection),
        Via::Live | Via::Backup => false,
    };
    is_without
        && fits(pattern, &json!(message)).is_ok()
        && !entries.iter().any(|entry| message_of(entry) == Some(message.id))
}

fn nearest_miss(actor: &Actor, event: &str, pattern: &Value) -> String {
    // Before the inbox is looked at: this looks too, and would wait for itself for ever.
    let link = actor.link_words();
    actor.inbox().with(|entries| {
        let misses = entries.iter().filter_map(|entry| match &entry.what {
            What::Event { name, data } if name == event => {
                fits(pattern, data).err().map(|wrong| (wrong.matched, wrong, entry.at))
            }
            _ => None,
        });
        match misses.max_by_key(|(matched, ..)| *matched) {
            Some((_, wrong, at)) => {
                format!("nothing that fits; the nearest came at {:.3}s: {wrong}", at.as_secs_f64())
            }
            None => format!("no `{event}` at all; {link}"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0190a0b0-0000-7000-8000-000000000001";

    fn entry(connection: u32, what: What) -> Entry {
        Entry { at: Duration::ZERO, connection, taken: false, what }
    }

    fn shown(connection: u32, via: Via) -> Entry {
        let message = json!({
            "id": ID, "chatId": ID, "seq": 1, "sender_type": "customer", "sender_id": 1,
            "sender_name": "A B", "message": "one", "message_type": "text",
            "created_at": "2026-02-03T04:05:06.789Z",
        });
        let message = serde_json::from_value(message).unwrap();
        entry(connection, What::Message { message, via })
    }

    #[test]
    fn a_message_whose_event_a_crash_took_is_received_once() {
        let (one, two) = (json!({"message": "one"}), json!({"message": "two"}));
        let mut entries = vec![shown(1, Via::CatchUp)];
        assert!(take_fetched(&mut entries, &two).is_none());
        let (_, json) = take_fetched(&mut entries, &one).unwrap();
        assert_eq!(json["seq"], json!(1));
        assert!(take_fetched(&mut entries, &one).is_none(), "somebody has had it");
        // What came as an event is no other one, and live messages have one.
        let event =
            entry(1, What::Event { name: "new_message".to_owned(), data: json!({"id": ID}) });
        assert!(take_fetched(&mut [shown(1, Via::CatchUp), event], &one).is_none());
        assert!(take_fetched(&mut [shown(1, Via::Live)], &one).is_none());
        let back = entry(2, What::Ready(Value::Null));
        assert!(take_fetched(&mut [shown(1, Via::Ack)], &one).is_none(), "it may still come");
        assert!(take_fetched(&mut [shown(1, Via::Ack), back], &one).is_some());
    }
}
