//! I8 by those who looked at the moment, I9, and which sends met a fault.

use super::{Case, Findings};
use crate::judge::truth::Truth;
use crate::key::Micros;
use crate::messages::NEVER;
use crate::report::Wrong;

pub(super) fn judge(truth: &Truth<'_>, found: &mut Findings<'_>) {
    judge_unstored(truth, found);
    let faults = Faults::of(truth);
    let late_max = truth.checker.config.late_max;
    let mut late = truth.checker.suspicions.late.clone();
    late.sort_unstable_by_key(|sight| {
        let receiver = truth.checker.receivers.get(sight.receiver);
        let ranks =
            (truth.chat_rank[receiver.chat.index()], truth.client_rank[receiver.client.index()]);
        (ranks, sight.at, truth.message(sight.message).print)
    });
    for sight in late {
        // While a fault lasts nobody is late; what it held up is due when it is over.
        let from = faults.end_within(sight.from, sight.at).unwrap_or(sight.from);
        let wait = sight.at.saturating_sub(from);
        if wait > late_max {
            let receiver = truth.checker.receivers.get(sight.receiver);
            let case = Case::of(receiver.chat).with(receiver.client).message(sight.message);
            let case = Case { at: Some(sight.at), ..case };
            found.add(Wrong::Stale, case, || format!("visible {wait} us after it was due"));
        }
    }
}

/// Somebody asked the database at once, and the row was not there.
fn judge_unstored(truth: &Truth<'_>, found: &mut Findings<'_>) {
    let mut unstored = truth.checker.suspicions.unstored.clone();
    unstored.sort_unstable_by_key(|(by, message)| {
        let ranks = (truth.chat_rank[by.chat.index()], truth.client_rank[by.client.index()]);
        (ranks, by.at, truth.message(*message).print)
    });
    for (by, message) in unstored {
        let case = Case::of(by.chat).with(by.client).message(message);
        let case = Case { at: Some(by.at), ..case };
        found.add(Wrong::BroadcastBeforePersist, case, || "its row was not there".to_owned());
    }
}

/// Sends that met a fault: their end is unknown, they were tried again, or a fault was there
/// while they were under way.
pub(super) fn met_faults(truth: &Truth<'_>) -> u64 {
    let faults = Faults::of(truth);
    if faults.0.is_empty() {
        return 0;
    }
    let sent = truth.checker.messages.all.iter().filter(|message| message.invokes > 0);
    let met = sent.filter(|message| {
        let is_odd = message.infos > 0 || message.invokes > 1 || message.done_at == NEVER;
        is_odd || faults.end_within(message.invoked_at, message.done_at).is_some()
    });
    met.count() as u64
}

/// When faults were there, as stretches that do not overlap.
struct Faults(Vec<(Micros, Micros)>);

impl Faults {
    fn of(truth: &Truth<'_>) -> Self {
        let faults = truth.checker.faults.iter();
        let mut all: Vec<_> = faults.map(|one| (one.from, one.to.unwrap_or(NEVER))).collect();
        all.sort_unstable();
        let mut joined: Vec<(Micros, Micros)> = Vec::new();
        for (from, to) in all {
            match joined.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                Some(_) | None => joined.push((from, to)),
            }
        }
        Self(joined)
    }

    /// When the last fault was over that was there between two moments.
    fn end_within(&self, from: Micros, to: Micros) -> Option<Micros> {
        let begun = self.0.partition_point(|fault| fault.0 <= to);
        self.0[..begun].last().map(|fault| fault.1).filter(|end| *end >= from)
    }
}
