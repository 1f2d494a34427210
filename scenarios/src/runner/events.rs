//! Events in an inbox: waited for, past or future, and seen to it that they do not come.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use trialogue_client::LinkState;
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
        let look = || actor.inbox().with(|entries| take(entries, event, pattern));
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
