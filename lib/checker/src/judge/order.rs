//! I2 and I4 in streams, and I4 in the table.

use rustc_hash::FxHashSet;

use super::{Case, Findings};
use crate::checker::{Fall, StreamKind};
use crate::judge::truth::{Chat, Truth};
use crate::key::Micros;
use crate::report::Wrong;

/// Every stream rises, and has nothing twice.
pub(super) fn judge_streams(truth: &Truth<'_>, found: &mut Findings<'_>) {
    let rank = |receiver: u32| {
        let receiver = truth.checker.receivers.get(receiver);
        (truth.chat_rank[receiver.chat.index()], truth.client_rank[receiver.client.index()])
    };
    let print = |message: u32| truth.message(message).print;
    let case = |receiver: u32, message: u32, at: Micros| {
        let receiver = truth.checker.receivers.get(receiver);
        let case = Case::of(receiver.chat).with(receiver.client).message(message);
        Case { at: Some(at), ..case }
    };
    let mut repeats = truth.checker.suspicions.repeats.clone();
    repeats.sort_unstable_by_key(|one| (rank(one.receiver), one.at, print(one.message)));
    // Of two rows each was seen: that there are two is told already.
    for one in repeats.iter().filter(|one| truth.places(one.message).len() < 2) {
        let text = || match one.stream {
            StreamKind::Frames => "a frame once more on one connection".to_owned(),
            StreamKind::Lines => "a line once more".to_owned(),
            StreamKind::Page => "once more in one page".to_owned(),
        };
        found.add(Wrong::Duplicate, case(one.receiver, one.message, one.at), text);
    }
    let mut falls = truth.checker.suspicions.falls.clone();
    falls.sort_unstable_by_key(|one| (rank(one.receiver), one.at, print(one.after.1), one.stream));
    for fall in falls.iter().filter(|fall| is_wrong(truth, fall)) {
        let same = fall.one_sender || is_of_one_sender(truth, fall.before.1, fall.after.1);
        let wrong = if same { Wrong::SenderMisordered } else { Wrong::Misordered };
        let what = match fall.stream {
            StreamKind::Frames => "a frame",
            StreamKind::Lines => "a line",
            StreamKind::Page => "an entry of a page",
        };
        let text = || format!("{what} {} after {}", fall.after.0, fall.before.0);
        found.add(wrong, case(fall.receiver, fall.after.1, fall.at), text);
    }
}

/// Whether nothing else explains that a stream did not rise: one of the two is not in the table
/// (it was lost, and its place was given again), does not stand where it was told, or both stand
/// at one place. Each of these is found by another invariant.
fn is_wrong(truth: &Truth<'_>, fall: &Fall) -> bool {
    let chat = truth.message(fall.after.1).chat;
    if !truth.is_certain(chat) {
        return true;
    }
    let stands = |(rank, message): (u64, u32)| {
        truth.places(message).iter().any(|place| place.seq == 0 || place.seq == rank)
    };
    let is_one_place = fall.before.0 == fall.after.0;
    stands(fall.before) && stands(fall.after) && !is_one_place
}

fn is_of_one_sender(truth: &Truth<'_>, one: u32, other: u32) -> bool {
    let author = truth.message(one).author;
    author.is_some() && author == truth.message(other).author
}

/// The table keeps the order of each connection, and of everything that did not overlap.
pub(super) fn judge_table(chat: &Chat<'_>, found: &mut Findings<'_>) {
    if !chat.is_known {
        return;
    }
    let told = judge_senders(chat, found);
    judge_time(chat, &told, found);
}

/// A connection's messages stand in the order in which it sent them: of two tries, of which the
/// first was acknowledged, the second comes after it. Returns what was found.
fn judge_senders(chat: &Chat<'_>, found: &mut Findings<'_>) -> FxHashSet<u32> {
    // Of a message that was tried twice nobody knows which try stored it.
    let once = chat.messages.iter().copied().filter(|number| {
        let message = chat.message(*number);
        message.invokes == 1 && chat.truth.seq(*number) != 0
    });
    let rank = |number: &u32| {
        let message = chat.message(*number);
        let client = message.by.map_or(u32::MAX, |by| chat.truth.client_rank[by.index()]);
        (client, message.connection, message.turn)
    };
    let mut once: Vec<u32> = once.collect();
    once.sort_unstable_by_key(rank);
    let mut told = FxHashSet::default();
    // The connection, and the last place of what it was told is stored.
    let mut last: Option<((u32, u32), u64)> = None;
    for number in once {
        let message = chat.message(number);
        let (client, connection, _) = rank(&number);
        let seq = chat.truth.seq(number);
        let before = last.filter(|(of, _)| *of == (client, connection)).map_or(0, |(_, seq)| seq);
        if seq < before {
            let case = Case { client: message.by, ..Case::of(chat.chat).message(number) };
            let text = || format!("sent after what stands at {before}");
            found.add(Wrong::SenderMisordered, case, text);
            told.insert(number);
        }
        let acked = if message.is_acked() { seq } else { 0 };
        last = Some(((client, connection), before.max(acked)));
    }
    told
}

/// What was acknowledged before another message's first try stands before it.
fn judge_time(chat: &Chat<'_>, told: &FxHashSet<u32>, found: &mut Findings<'_>) {
    let error = chat.truth.checker.config.clock_error_max;
    let placed = |number: &u32| chat.truth.seq(*number) != 0;
    let all: Vec<u32> = chat.messages.iter().copied().filter(placed).collect();
    let mut acked: Vec<u32> = all.clone();
    acked.retain(|number| chat.message(*number).is_acked());
    acked.sort_by_key(|number| chat.message(*number).ok_at);
    let mut tried: Vec<u32> = all;
    tried.retain(|number| chat.message(*number).invokes > 0);
    tried.sort_by_key(|number| chat.message(*number).invoked_at);
    let mut acked = acked.into_iter().peekable();
    let mut highest: Option<(u64, u32)> = None;
    for number in tried {
        let begun = chat.message(number).invoked_at;
        let is_before = |other: &u32| chat.message(*other).ok_at.saturating_add(error) < begun;
        while let Some(over) = acked.next_if(is_before) {
            highest = highest.max(Some((chat.truth.seq(over), over)));
        }
        let Some((seq, before)) = highest.filter(|(seq, _)| *seq > chat.truth.seq(number)) else {
            continue;
        };
        if told.contains(&number) {
            continue;
        }
        let same = is_of_one_sender(chat.truth, before, number);
        let wrong = if same { Wrong::SenderMisordered } else { Wrong::Misordered };
        let case = Case::of(chat.chat).message(number);
        found.add(wrong, Case { at: Some(begun), ..case }, || {
            format!("begun after what stands at {seq} was acknowledged")
        });
    }
}
