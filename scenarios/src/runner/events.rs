//! Events in an inbox: waited for, past or future, and seen to it that they do not come.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::stage::Stage;
use crate::actor::{Actor, Reply, Wrong};
use crate::matching::{matches, quote};
use crate::record::{Entry, What};

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

    pub(super) async fn never(
        &self,
        actor: &Actor,
        event: &str,
        pattern: &Value,
        during: Duration,
    ) -> Result<Reply, Wrong> {
        let sent = self.now();
        let from = actor.inbox().len();
        let look = || {
            actor.inbox().with(|entries| {
                let came = entries.iter().skip(from).find(|entry| is_event(entry, event, pattern));
                came.map(ToString::to_string)
            })
        };
        match self.around.bell.wait(Instant::now() + during, look).await {
            None => Ok(Reply { sent, at: self.now(), ..Reply::default() }),
            Some(came) => Err(Wrong::new(format!("no `{event}` during {during:?}"), came)),
        }
    }
}

fn is_event(entry: &Entry, event: &str, pattern: &Value) -> bool {
    match &entry.what {
        What::Event { name, data } => name == event && matches(pattern, data).is_ok(),
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
                matches(pattern, data).err().map(|wrong| (wrong.matched, wrong, entry.at))
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
