//! Messages for a server that cannot tell a repeat from a new message.
//!
//! Count the rows that look the same, keep that number on disk, then let it leave: whoever starts
//! again knows what never left, and what to look for of the rest. What may not happen here: an emit
//! whose mark is not on disk.

use std::time::Duration;

use trialogue_protocol::{ClientMessageId, ErrorCode};

use super::Outbox;
use super::queue::{Entry, State, Step};
use super::words::{Effect, Left, Mark, Outcome, Record};
use crate::error::{Error, Refusal};
use crate::link::Trouble;
use crate::time::Now;

impl Entry {
    /// Nothing of it has left in this attempt, and no later step can.
    pub(super) fn is_counting(&self) -> bool {
        matches!(self.state, State::InFlight { step: Step::Counting | Step::Marking(_), .. })
            && self.left == Left::Never
    }

    pub(super) fn count(&mut self, attempt: u32, deadline: Now) -> Effect {
        self.state = State::InFlight { attempt, deadline, step: Step::Counting };
        Effect::Count { draft: self.draft.clone(), attempt }
    }

    /// What its author is to know before it may leave again; told once.
    pub(super) fn of_an_earlier_process(&self) -> Option<Effect> {
        let why = Trouble::new("an earlier run of this program may have sent it");
        let (attempt, next_in, not_stored) = (self.emits, Duration::ZERO, false);
        let told = Outcome::Retrying { attempt, next_in, why, not_stored };
        (attempt == 1).then(|| self.tell(told))
    }

    pub(super) fn emit(&mut self, attempt: u32, deadline: Now, mark: Option<Mark>) -> Effect {
        self.state = State::InFlight { attempt, deadline, step: Step::Emitted };
        Effect::Emit { draft: self.draft.clone(), attempt, mark }
    }
}

/// Why a message stays where it is.
pub(super) fn cannot_be_known() -> Refusal {
    let sentence = "an earlier version of this program may have sent it, and this server cannot \
                    tell: look at the chat";
    Refusal::new(ErrorCode::OutcomeUnknown, sentence)
}

impl Outbox {
    /// The rows are counted: the mark goes to the disk.
    pub(super) fn counted(
        &mut self,
        id: &ClientMessageId,
        counted: u32,
        same: u32,
        out: &mut Vec<Effect>,
    ) {
        let Some(entry) = self.queues.get_mut(id) else { return };
        if let State::InFlight { attempt, deadline, step: Step::Counting } = entry.state
            && attempt == counted
        {
            entry.state = State::InFlight { attempt, deadline, step: Step::Marking(same) };
            entry.marks_in_hand = entry.marks_in_hand.saturating_add(1);
            out.push(Effect::Write(Record::Leaving { id: id.clone(), same: Some(same) }));
        }
    }

    /// The mark is on the disk: it leaves. One that was given up meanwhile does not count.
    pub(super) fn marked(&mut self, id: &ClientMessageId, out: &mut Vec<Effect>) {
        let Some(entry) = self.queues.get_mut(id) else { return };
        entry.marks_in_hand = entry.marks_in_hand.saturating_sub(1);
        if let State::InFlight { attempt, deadline, step: Step::Marking(same) } = entry.state
            && entry.marks_in_hand == 0
        {
            entry.left = Left::Maybe(Some(same));
            out.push(entry.tell(Outcome::Sending { attempt }));
            out.push(entry.emit(attempt, deadline, Some(Mark { same, again: false })));
        }
    }

    /// The disk does not take it: a new message is not queued, and without its mark none leaves.
    pub(super) fn not_written(
        &mut self,
        id: &ClientMessageId,
        why: &str,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some(entry) = self.queues.get_mut(id) else { return };
        if entry.state == State::Writing {
            self.queues.remove(id);
            let (id, error) = (id.clone(), Error::Storage(why.to_owned()));
            out.push(Effect::NotQueued { id, error });
            return;
        }
        entry.marks_in_hand = entry.marks_in_hand.saturating_sub(1);
        if matches!(entry.state, State::InFlight { step: Step::Marking(_), .. }) {
            let why = Trouble::new(format!("cannot write to disk: {why}"));
            self.retry(id, why, None, true, now, out);
        }
    }
}
