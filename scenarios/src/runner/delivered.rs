//! Whether a message has reached its readers, and whether it was stored before they saw it.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use trialogue_client::{Outcome, Via as Came};
use trialogue_protocol::{ChatId, Message, MessageId};

use super::stage::{Sent, Stage};
use super::verbs::Replies;
use crate::actor::{Reply, Wrong};
use crate::file::{ActorId, Via};
use crate::record::{Entry, What};
use crate::words::via_words;
use crate::yaml::Key;

impl Stage<'_> {
    /// Waits until every reader was shown the message, in the way that was asked for.
    pub(super) async fn delivered(
        &self,
        step: &Key,
        to: &[ActorId],
        via: Via,
        deadline: Instant,
    ) -> Result<Replies, (Wrong, Vec<ActorId>)> {
        let issued = self.now();
        let sent = self.sent(&step.name).map_err(|wrong| (wrong, Vec::new()))?;
        // Where a sender is told nothing of its own message, the others are all who can be waited for.
        let hears = |reader: &&ActorId| self.capabilities.own_echo || **reader != sent.actor;
        let to: Vec<ActorId> = to.iter().filter(hears).copied().collect();
        let to = to.as_slice();
        let id = self.around.bell.wait(deadline, || self.stored_id(&step.name)).await;
        let id = id.ok_or_else(|| {
            let expected = format!("message {} stored", step.name);
            (Wrong::late(expected, "no acknowledgement of it"), to.to_vec())
        })?;
        let look = || {
            let seen = to.iter().map(|reader| {
                self.actor(*reader).inbox().with(|entries| seen_by(entries, id, via))
            });
            seen.collect::<Option<Vec<_>>>()
        };
        let Some(seen) = self.around.bell.wait(deadline, look).await else {
            return Err(self.not_delivered(&step.name, to, id, via));
        };
        for (reader, (.., came)) in to.iter().zip(seen) {
            if came == Came::Live {
                let stays = self.own_id_stays_own(*reader, &sent, id);
                stays.map_err(|wrong| (wrong, vec![*reader]))?;
            }
        }
        let replies = self.arrived(&step.name, to, via, issued);
        let last = replies.iter().map(|(_, reply)| reply.at).max().unwrap_or_default();
        let latency = last.saturating_sub(sent.at);
        self.learn();
        {
            let mut notes = self.notes();
            notes.had.extend(to.iter().map(|reader| (*reader, id)));
            if via == Via::Live {
                notes.slowest = notes.slowest.max(Some(latency));
            }
        }
        Ok(replies)
    }

    /// What those came back with whom the message has reached in the way that was asked for.
    pub(super) fn arrived(
        &self,
        step: &str,
        to: &[ActorId],
        via: Via,
        issued: Duration,
    ) -> Replies {
        let Some(id) = self.stored_id(step) else { return Vec::new() };
        let seen = to.iter().filter_map(|reader| {
            let seen = self.actor(*reader).inbox().with(|entries| seen_by(entries, id, via));
            let (at, message, came) = seen?;
            let json = json!({"seq": message.seq, "text": message.message, "via": via_words(came)});
            Some((*reader, Reply { sent: issued, at, json, ..Reply::default() }))
        });
        seen.collect()
    }

    /// When the author's outbox said that it holds the message, if it did before the outcome.
    pub(super) fn queued(&self, author: ActorId, reply: &Reply) -> Option<Duration> {
        let notes = self.notes();
        let is_it = |sent: &&Sent| sent.actor == author && sent.at == reply.sent;
        let own = notes.sent.iter().rfind(is_it)?.id.clone();
        self.actor(author).inbox().with(|entries| {
            let first = entries.iter().find_map(|entry| match &entry.what {
                What::Outcome { id, outcome } if *id == own => Some((entry.at, outcome)),
                _ => None,
            });
            first.and_then(|(at, outcome)| matches!(outcome, Outcome::Queued).then_some(at))
        })
    }

    pub(super) fn sent(&self, step: &str) -> Result<Sent, Wrong> {
        let notes = self.notes();
        let sent = notes.sent.iter().rfind(|sent| sent.step.as_deref() == Some(step)).cloned();
        sent.ok_or_else(|| Wrong::new(format!("message {step} sent before"), "it was not"))
    }

    /// Who does not have it, each with the reason where one can be seen.
    fn not_delivered(
        &self,
        step: &str,
        to: &[ActorId],
        id: MessageId,
        via: Via,
    ) -> (Wrong, Vec<ActorId>) {
        let has = |reader: &&ActorId| {
            self.actor(**reader).inbox().with(|entries| seen_by(entries, id, via).is_some())
        };
        let lacking: Vec<ActorId> = to.iter().filter(|reader| !has(reader)).copied().collect();
        let chat = self.chat_of(step);
        let why = lacking.iter().map(|reader| {
            let actor = self.actor(*reader);
            let why = actor.inbox().with(|entries| why_not(entries, id, chat));
            let online = actor.is_online();
            let why = why.or_else(|| (!online).then(|| actor.link_words()));
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            let came = actor.inbox().with(|entries| shown(entries, id).map(|(.., came)| came));
            match came {
                Some(came) => format!("{} {}", actor.name(), otherwise(came)),
                None => format!("{} does not have it{why}", actor.name()),
            }
        });
        let why = why.collect::<Vec<_>>().join("; ");
        let names = to.iter().map(|id| self.actor(*id).name()).collect::<Vec<_>>().join(", ");
        let way = match via {
            Via::Live => "live",
            Via::CatchUp => "by catch-up",
            Via::Either => "live or by catch-up",
        };
        (Wrong::late(format!("{step} ({way}) at {names}"), why), lacking)
    }

    /// The chat of the message that a step sent, once it is stored.
    fn chat_of(&self, step: &str) -> Option<ChatId> {
        let sent = self.sent(step).ok()?;
        self.actor(sent.actor).inbox().with(|entries| {
            entries.iter().rev().find_map(|entry| match &entry.what {
                What::Sent { chat, id: Some(id), .. } if *id == sent.id => Some(*chat),
                _ => None,
            })
        })
    }

    /// `clientMessageId` is in the author's copy, and in nobody else's (CONTRACT §2).
    fn own_id_stays_own(&self, reader: ActorId, sent: &Sent, id: MessageId) -> Result<(), Wrong> {
        if !self.capabilities.client_message_ids {
            return Ok(());
        }
        let own = self.actor(reader).inbox().with(|entries| {
            let raw = entries.iter().find_map(|entry| raw_message(entry, id));
            raw.map(|data| data.get("clientMessageId").cloned())
        });
        // Another device of the author is told too.
        let is_author = self.actor(reader).user() == self.actor(sent.actor).user();
        match own {
            Some(Some(got)) if !is_author => {
                let got = format!("{}: {got}", self.actor(reader).name());
                Err(Wrong::new("no clientMessageId at a reader", got))
            }
            Some(got) if is_author && got != Some(json!(sent.id)) => {
                let expected = format!("clientMessageId {} back at its author", sent.id);
                let got = got.map_or_else(|| "none in its copy".to_owned(), |id| id.to_string());
                Err(Wrong::new(expected, format!("{}: {got}", self.actor(reader).name())))
            }
            _ => Ok(()),
        }
    }
}

/// How somebody has a message who should have it in another way.
fn otherwise(came: Came) -> &'static str {
    match came {
        Came::Live => "has it live",
        Came::CatchUp => "had to fetch it: it did not come as new_message",
        Came::Ack => "knows it by the acknowledgement alone: no new_message came",
        Came::Backup => "has it from a backup alone",
    }
}

/// `new_message` with this id, as it came over the wire.
fn raw_message(entry: &Entry, id: MessageId) -> Option<&serde_json::Value> {
    match &entry.what {
        What::Event { name, data } if name == "new_message" => {
            (data["id"] == json!(id)).then_some(data)
        }
        _ => None,
    }
}

/// A message as it was shown: in which entry, and how it came.
fn shown(entries: &[Entry], id: MessageId) -> Option<(&Entry, &Message, Came)> {
    entries.iter().find_map(|entry| match &entry.what {
        What::Message { message, via } if message.id == id => Some((entry, message, *via)),
        _ => None,
    })
}

/// Why a message may not have been shown in the way that was asked for, as far as it can be seen.
fn why_not(entries: &[Entry], id: MessageId, chat: Option<ChatId>) -> Option<String> {
    if entries.iter().any(|entry| raw_message(entry, id).is_some()) {
        return Some("`new_message` came and was not shown".to_owned());
    }
    let chat = chat?;
    let last = entries.iter().rev().find_map(|entry| match &entry.what {
        What::Joined { chat: here, .. } if *here == chat => Some(None),
        What::JoinFailed { chat: here, .. } if *here == chat => {
            Some(Some("it was not let into this chat"))
        }
        What::Event { name, data } if name == "left_chat" && data["chatId"] == json!(chat) => {
            Some(Some("it has left this chat"))
        }
        _ => None,
    });
    last.unwrap_or(Some("it has not joined this chat")).map(ToOwned::to_owned)
}

/// When and how a message was shown; a live one must also have come over the wire as an event.
fn seen_by(entries: &[Entry], id: MessageId, via: Via) -> Option<(Duration, Message, Came)> {
    let (entry, message, came) = shown(entries, id)?;
    let as_shown = || (entry.at, message.clone(), came);
    if came == Came::CatchUp {
        return (via != Via::Live).then(as_shown);
    }
    if via == Via::CatchUp {
        return None;
    }
    // The author may have been shown it by the acknowledgement, a moment before.
    if let Some(event) = entries.iter().find(|entry| raw_message(entry, id).is_some()) {
        return Some((entry.at.max(event.at), message.clone(), Came::Live));
    }
    // A connection that was lost between the two takes the event with it: the author keeps what
    // the acknowledgement said.
    let is_lost = entries.last().is_some_and(|last| last.connection > entry.connection);
    (via == Via::Either && came == Came::Ack && is_lost).then(as_shown)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const ID: &str = "0190a0b0-0000-7000-8000-000000000001";

    fn entry(connection: u32, what: What) -> Entry {
        Entry { at: Duration::from_millis(1), connection, taken: false, what }
    }

    /// How an author was shown a message that the acknowledgement brought, with what came after.
    fn by_ack(via: Via, after: Option<Entry>) -> Option<&'static str> {
        let message = serde_json::from_value(json!({
            "id": ID, "chatId": ID, "seq": 1, "sender_type": "customer", "sender_id": 1,
            "sender_name": "A B", "message": "text", "message_type": "text",
            "created_at": "2026-02-03T04:05:06.789Z",
        }));
        let what = What::Message { message: message.unwrap(), via: Came::Ack };
        let entries: Vec<Entry> = [entry(1, what)].into_iter().chain(after).collect();
        seen_by(&entries, ID.parse().unwrap(), via).map(|(_, _, came)| via_words(came))
    }

    #[test]
    fn an_acknowledgement_alone_is_no_new_message() {
        let event = What::Event { name: "new_message".to_owned(), data: json!({"id": ID}) };
        for via in [Via::Live, Via::Either] {
            assert_eq!(by_ack(via, None), None, "{via:?} waits for the event");
            assert_eq!(by_ack(via, Some(entry(1, event.clone()))), Some("live"), "{via:?}");
        }
        let lost = entry(2, What::Ready(Value::Null));
        assert_eq!(by_ack(Via::Either, Some(lost.clone())), Some("ack"), "said as what it was");
        assert_eq!(by_ack(Via::Live, Some(lost)), None);
    }
}
