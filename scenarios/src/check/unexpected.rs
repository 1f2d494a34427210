//! Events that no step has waited for and that nothing in the file explains.

use std::collections::BTreeSet;

use serde_json::Value;
use trialogue_protocol::UserId;

use super::{Recording, Witnessed};
use crate::file::ActorId;
use crate::matching::fits;
use crate::record::What;

/// Answers to what actors do.
const ANSWERS: &[&str] = &["connected", "joined_chat", "left_chat"];
/// Most events that are told.
const TOLD_MAX: usize = 3;

/// What a file expects besides what its steps have had.
#[derive(Debug, Default)]
pub struct Expected {
    /// Events of these names.
    pub except: Vec<String>,
    /// Events of a `receive` with a `count`: at whom, its name, what it holds.
    pub waited: Vec<(ActorId, String, Value)>,
}

/// The first of them in words, nothing where there are none.
pub(super) fn told(recording: &Recording<'_>) -> Option<String> {
    let cast: BTreeSet<UserId> = recording.people.iter().filter_map(|one| one.user).collect();
    let found = recording.people.iter().flat_map(|person| {
        let odd = person.entries.iter().filter(|entry| match &entry.what {
            What::Event { name, data } if !entry.taken => {
                !is_expected(recording, person, &cast, name, data)
            }
            _ => false,
        });
        odd.map(move |entry| format!("{} saw {}", person.name, entry.to_string().trim()))
    });
    let found: Vec<String> = found.collect();
    let more = found.len().saturating_sub(TOLD_MAX);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let shown = found[..found.len().min(TOLD_MAX)].join("; ");
    (!found.is_empty()).then(|| shown + &more)
}

fn is_expected(
    recording: &Recording<'_>,
    person: &Witnessed<'_>,
    cast: &BTreeSet<UserId>,
    name: &str,
    data: &Value,
) -> bool {
    let expected = &recording.expected;
    if ANSWERS.contains(&name) || expected.except.iter().any(|own| own == name) {
        return true;
    }
    if name == "new_message" {
        // Who takes part says only what the file has them say; `delivery` judges the rest.
        let sender = serde_json::from_value::<UserId>(data["sender_id"].clone());
        return sender.is_ok_and(|sender| cast.contains(&sender));
    }
    expected.waited.iter().any(|(actor, event, pattern)| {
        *actor == person.actor && event == name && fits(pattern, data).is_ok()
    })
}
