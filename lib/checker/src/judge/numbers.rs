//! I3: the seqs of a chat are exactly 1 to its counter.

use std::collections::BTreeSet;

use super::{Case, Findings};
use crate::judge::truth::Chat;
use crate::report::Wrong;

/// Seqs of one gap that are looked at for an example.
const LOOKED_AT_MAX: u64 = 1_000;

pub(super) fn judge(chat: &Chat<'_>, found: &mut Findings<'_>) {
    let is_numbered = chat.rows.iter().any(|row| row.seq != 0);
    let counter = chat.truth.checker.rooms[chat.chat.index()].counter;
    if !chat.is_certain || !(is_numbered || counter.is_some()) {
        return;
    }
    let lost = places_of_the_lost(chat);
    let mut last: Option<(u64, u32)> = None;
    for row in chat.rows.iter().filter(|row| row.seq != 0) {
        let case = Case { seq: Some(row.seq), ..Case::of(chat.chat).message(row.message) };
        let before = last.map_or(0, |(seq, _)| seq);
        if before == row.seq {
            // A row that is there twice is a duplicate, not a number that was given twice.
            if last.is_some_and(|(_, message)| message != row.message) {
                found.add(Wrong::Counter, case, || "two messages have this seq".to_owned());
            }
        } else {
            hole(chat, before + 1, row.seq - 1, &lost, found);
        }
        last = Some((row.seq, row.message));
    }
    let last = last.map_or(0, |(seq, _)| seq);
    if let Some(counter) = counter.filter(|counter| !is_right(*counter, last, &lost)) {
        let case = Case { seq: Some(last), ..Case::of(chat.chat) };
        found.add(Wrong::Counter, case, || format!("the last seq; the counter says {counter}"));
    }
    for receiver in chat.truth.receivers(chat.chat) {
        let told = receiver.read_last.filter(|told| !is_right(*told, last, &lost));
        let is_member = chat.truth.membership(receiver).is_some_and(|m| m.removed_seq.is_none());
        if let Some(told) = told.filter(|_| is_member && receiver.read_done) {
            let case = Case { seq: Some(last), ..Case::of(chat.chat).with(receiver.client) };
            found.add(Wrong::Counter, case, || format!("the last seq; the final read says {told}"));
        }
    }
}

/// Seqs that messages were told that are not in the table: where they stood is no hole, it is
/// that loss.
fn places_of_the_lost(chat: &Chat<'_>) -> BTreeSet<u64> {
    let missing = chat.messages.iter().filter(|number| !chat.message(**number).has_row);
    let told = missing.flat_map(|number| chat.truth.told(*number));
    told.map(|place| place.seq).filter(|seq| *seq != 0).collect()
}

fn hole(chat: &Chat<'_>, from: u64, to: u64, lost: &BTreeSet<u64>, found: &mut Findings<'_>) {
    if from > to {
        return;
    }
    let explained = lost.range(from..=to).count() as u64;
    let missing = (to - from + 1).saturating_sub(explained);
    let first = (from..=to).take(LOOKED_AT_MAX as usize).find(|seq| !lost.contains(seq));
    let case = Case { seq: first, ..Case::of(chat.chat) };
    found.add_many(Wrong::Hole, missing, case, || format!("{missing} seqs have no message"));
}

/// The counter is the last seq, or beyond it stood only what is lost.
fn is_right(counter: u64, last: u64, lost: &BTreeSet<u64>) -> bool {
    counter == last
        || counter > last && counter - last == lost.range(last + 1..=counter).count() as u64
}
