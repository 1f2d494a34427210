//! I1, I2, I6 and I8: what the table holds against what was tried, told and seen.

use rustc_hash::FxHashSet;

use super::{Case, Findings};
use crate::judge::truth::Chat;
use crate::key::{Print, UserKey};
use crate::messages::Place;
use crate::report::Wrong;

pub(super) fn judge(chat: &Chat<'_>, forms: &Forms, found: &mut Findings<'_>) {
    for number in &chat.messages {
        judge_message(chat, *number, forms, found);
    }
    judge_keys(chat, found);
}

/// Messages of which another form is stored or told, and these forms: a changed body looks like
/// one message that is lost and one that nobody sent.
#[derive(Default)]
pub(super) struct Forms {
    pub(super) changed: FxHashSet<u32>,
    pub(super) forms: FxHashSet<u32>,
}

impl Forms {
    pub(super) fn of(chat: &Chat<'_>) -> Self {
        let mut forms = Self::default();
        for number in &chat.messages {
            let message = chat.message(*number);
            if message.has_row || !(message.is_acked() || message.seen) {
                continue;
            }
            for told in chat.truth.told(*number).filter(|told| told.seq != 0) {
                forms.look(chat, *number, told);
            }
        }
        forms
    }

    /// Whether what stands where a message was said to stand is that message in another form.
    fn look(&mut self, chat: &Chat<'_>, number: u32, told: Place) {
        let message = chat.message(number);
        for row in chat.rows_at(told.seq) {
            let stored = chat.message(row.message);
            let same_id = row.id != 0 && row.id == told.id;
            let same_key = row.cmid != 0 && row.cmid == message.cmid;
            match (message.invokes > 0, stored.invokes > 0) {
                (true, false) if same_id || same_key => {
                    self.changed.insert(number);
                    self.forms.insert(row.message);
                }
                (false, true) if same_id => {
                    self.changed.insert(row.message);
                    self.forms.insert(number);
                }
                _ => {}
            }
        }
    }
}

fn judge_message(chat: &Chat<'_>, number: u32, forms: &Forms, found: &mut Findings<'_>) {
    if forms.forms.contains(&number) {
        return;
    }
    let message = chat.message(number);
    let case = Case::of(chat.chat).message(number);
    let places = chat.truth.places(number);
    if forms.changed.contains(&number) {
        found.add(Wrong::Mutated, case, || "another body has its place".to_owned());
    } else if message.reauthored {
        found.add(Wrong::Mutated, case, || "it is told with two authors".to_owned());
    } else if message.renamed && places.len() < 2 {
        // Where it is stored twice, each of the two may have a name of its own.
        found.add(Wrong::Mutated, case, || "it is told with two names of its author's".to_owned());
    } else if let Some((one, other)) = two_tellings(chat, number, places) {
        let verb = if places.is_empty() { "told" } else { "stored" };
        let text = || format!("told as {}, {verb} as {}", words(other), words(one));
        found.add(Wrong::Mutated, case, text);
    }
    let is_there = message.has_row || message.seen;
    if message.invokes == 0 && (is_there || message.is_acked()) {
        found.add(Wrong::Phantom, case, || "nobody sent it".to_owned());
    } else if message.is_failed() && is_there {
        let where_to = if message.has_row { "stored" } else { "seen" };
        found.add(Wrong::AbortedRead, case, || format!("every try failed, and it was {where_to}"));
    } else if chat.is_certain && !message.has_row && !forms.changed.contains(&number) {
        if message.is_acked() {
            found.add(Wrong::Lost, case, || "acknowledged, and not in the table".to_owned());
        } else if message.seen {
            let text = || "it was seen, and is not in the table".to_owned();
            found.add(Wrong::BroadcastBeforePersist, case, text);
        }
    }
    if places.len() > 1 {
        let more = (places.len() - 1) as u64;
        found.add_many(Wrong::Duplicate, more, case, || format!("{} rows", places.len()));
    }
}

/// How it stands in the table and how it was told otherwise; where no table is known, two ways in
/// which it was told.
fn two_tellings(chat: &Chat<'_>, number: u32, places: &[Place]) -> Option<(Place, Place)> {
    // Of what is lost there is nothing to compare with: its place may have been given again.
    if places.is_empty() && chat.is_certain {
        return None;
    }
    let told: Vec<Place> = chat.truth.told(number).collect();
    if let Some(row) = places.first() {
        let differs = |told: &&Place| !places.iter().any(|place| place.agrees(**told));
        return told.iter().find(differs).map(|told| (*row, *told));
    }
    told.windows(2).find(|pair| !pair[0].agrees(pair[1])).map(|pair| (pair[0], pair[1]))
}

fn words(place: Place) -> String {
    format!("seq {}, id {:016x}", place.seq, place.id)
}

/// One row for each key of an author's.
fn judge_keys(chat: &Chat<'_>, found: &mut Findings<'_>) {
    let keyed = chat.rows.iter().filter(|row| row.cmid != 0);
    let mut keys: Vec<(UserKey, u64, u64, u32)> =
        keyed.filter_map(|row| Some((row.author?, row.cmid, row.seq, row.message))).collect();
    keys.sort_unstable();
    let mut again: Vec<(u64, Print, u32)> = Vec::new();
    for pair in keys.windows(2) {
        let ((author, cmid, _, before), (other, same, seq, message)) = (pair[0], pair[1]);
        // Two rows of one message are told already.
        if (author, cmid) == (other, same) && before != message {
            again.push((seq, chat.message(message).print, message));
        }
    }
    again.sort_unstable();
    for (seq, _, message) in again {
        let case = Case { seq: Some(seq), ..Case::of(chat.chat).message(message) };
        found.add(Wrong::Duplicate, case, || "two rows have one key of one author".to_owned());
    }
}
