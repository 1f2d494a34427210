//! What the events of each connection show that screens and histories do not: a client that is
//! told of a gap fetches what is missing, and one that is told something twice keeps quiet.
//!
//! Only what a server with numbers promises: on one connection, in one stay in a room, every
//! message once, in order.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use trialogue_client::Via;
use trialogue_protocol::{ChatId, Message, MessageId};

use super::{Recording, Witnessed, Word, words};
use crate::file::Delivery;
use crate::record::What;

/// Cases of one wrong that are told.
const CASES_TOLD: usize = 2;

/// What is wrong on the wire, as sentences.
#[derive(Debug, Default)]
pub(super) struct Wire {
    not_pushed: Vec<String>,
    again: Vec<String>,
    swapped: Vec<String>,
}

/// One person in one room, on one connection.
#[derive(Default)]
struct Stay {
    /// Numbers that came as events.
    came: BTreeSet<i64>,
    /// The highest place in the history of what came, and which that was.
    last: Option<(i64, MessageId)>,
    /// What was on the screen before the connection began.
    known: BTreeSet<MessageId>,
}

impl Wire {
    pub(super) fn of(recording: &Recording<'_>) -> Self {
        let mut wire = Self::default();
        let mut places: BTreeMap<MessageId, i64> = BTreeMap::new();
        for message in recording.people.iter().flat_map(|one| one.histories.values().flatten()) {
            places.extend(message.seq.map(|seq| (message.id, seq)));
        }
        for person in &recording.people {
            wire.person(person, &places);
        }
        wire
    }

    /// What breaks this word.
    pub(super) fn told(&self, word: Word) -> Vec<String> {
        use Delivery::{AtLeastOnce, AtMostOnce, ExactlyOnce};
        let of: &[(&str, &Vec<String>)] = match word {
            Word::Delivery(ExactlyOnce) => {
                &[("not pushed", &self.not_pushed), ("duplicate", &self.again)]
            }
            Word::Delivery(AtLeastOnce) => &[("not pushed", &self.not_pushed)],
            Word::Delivery(AtMostOnce) => &[("duplicate", &self.again)],
            Word::RoomOrder => &[("misordered", &self.swapped)],
            _ => &[],
        };
        let some = of.iter().filter(|(_, cases)| !cases.is_empty());
        some.map(|(name, cases)| {
            let count = cases.len();
            let more = if count > 1 { format!(" ({count} cases)") } else { String::new() };
            let cases = cases[..count.min(CASES_TOLD)].join(" / ");
            format!("{name}: {cases}{more}")
        })
        .collect()
    }

    fn person(&mut self, person: &Witnessed<'_>, places: &BTreeMap<MessageId, i64>) {
        let mut stays: BTreeMap<ChatId, Stay> = BTreeMap::new();
        let mut shown: BTreeSet<MessageId> = BTreeSet::new();
        for entry in &person.entries {
            match &entry.what {
                What::Ready(_) => self.over(person, &mut stays, &shown),
                What::Joined { chat, .. } => {
                    let known = stays.get(chat).map(|stay| stay.known.clone());
                    self.left(person, stays.remove(chat), *chat);
                    let known = known.unwrap_or_default();
                    stays.insert(*chat, Stay { known, ..Stay::default() });
                }
                What::Event { name, data } if name == "left_chat" => {
                    let chat = data["chatId"].as_str().and_then(|chat| chat.parse().ok());
                    let stay = chat.and_then(|chat: ChatId| Some((chat, stays.remove(&chat)?)));
                    if let Some((chat, stay)) = stay {
                        self.left(person, Some(stay), chat);
                    }
                }
                What::Event { name, data } if name == "new_message" => {
                    self.came(person, &mut stays, data, places);
                }
                What::Message { message, .. } => _ = shown.insert(message.id),
                _ => {}
            }
        }
        self.over(person, &mut stays, &shown);
    }

    /// The connection is another one: what is on the screen need not come again.
    fn over(
        &mut self,
        person: &Witnessed<'_>,
        stays: &mut BTreeMap<ChatId, Stay>,
        shown: &BTreeSet<MessageId>,
    ) {
        for (chat, stay) in std::mem::take(stays) {
            self.left(person, Some(stay), chat);
            stays.insert(chat, Stay { known: shown.clone(), ..Stay::default() });
        }
    }

    fn came(
        &mut self,
        person: &Witnessed<'_>,
        stays: &mut BTreeMap<ChatId, Stay>,
        data: &Value,
        places: &BTreeMap<MessageId, i64>,
    ) {
        let Ok(message) = serde_json::from_value::<Message>(data.clone()) else { return };
        let Some(seq) = message.seq else { return };
        let Some(stay) = stays.get_mut(&message.chat_id) else { return };
        stay.came.insert(seq);
        let (name, what) = (person.name, words(&message));
        if stay.known.contains(&message.id) {
            self.again.push(format!("{what} came to {name} again on a new connection"));
        }
        let Some(place) = places.get(&message.id).copied() else { return };
        match stay.last {
            // Where the number itself falls, the checker says so.
            Some((last, _)) if place < last && seq != place => {
                let text = format!("{what} came to {name} after what stands at {last}");
                self.swapped.push(format!("{text}, and stands at {place} itself"));
            }
            _ => stay.last = Some((place, message.id)),
        }
    }

    /// Between two that came none is missing, not even one that was fetched later.
    fn left(&mut self, person: &Witnessed<'_>, stay: Option<Stay>, chat: ChatId) {
        let Some(stay) = stay else { return };
        let (Some(first), Some(last)) = (stay.came.first(), stay.came.last()) else { return };
        for entry in &person.entries {
            // What the author knows by the acknowledgement alone is told as missing.
            let What::Message { message, via: Via::CatchUp | Via::Backup } = &entry.what else {
                continue;
            };
            let Some(seq) = message.seq.filter(|_| message.chat_id == chat) else { continue };
            if (*first..*last).contains(&seq) && !stay.came.contains(&seq) {
                let (name, what) = (person.name, words(message));
                self.not_pushed.push(format!(
                    "{what} never came to {name} as new_message, though later ones did"
                ));
            }
        }
    }
}
