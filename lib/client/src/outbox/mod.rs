//! Messages on their way to the server, without a disk, a socket or a clock (RELIABILITY §2.8).
//!
//! Promises: nothing is emitted before the journal has it; one message in flight per chat, in the
//! order in which its author wrote; the same id on every retry; nothing dropped, and nothing done
//! in silence. Where the server cannot tell a repeat from a new message ([`OutboxConfig::marks`]),
//! nothing leaves twice unless it was told that it may be stored already. What may not happen here:
//! making ids, giving up after some number of tries.

mod marks;
mod queue;
mod search;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeSet;
use std::time::Duration;

use trialogue_protocol::{ChatId, ClientMessageId, ErrorCode, Message, SendStatus};

use crate::error::{Error, Refusal};
use crate::link::{RETRY_AFTER_MAX, Trouble};
use crate::time::{Jitter, Now};
use queue::{Entry, Queues, RetryBudget, State, Step};
pub use search::{Search, same_rows};
pub use words::{
    Answer, Draft, ENTRY_OVERHEAD_BYTES, Effect, Event, Left, Mark, OutboxConfig, Outcome, Record,
    Restored,
};

/// The state machine.
#[derive(Debug)]
pub struct Outbox {
    config: OutboxConfig,
    jitter: Jitter,
    queues: Queues,
    budget: RetryBudget,
    online: bool,
    held: BTreeSet<ChatId>,
    /// The server said "not now" to this user, in whatever chat.
    paused_until: Now,
    /// ... because it is stopping, so a new connection ends the pause.
    pause_ends_with_link: bool,
}

impl Outbox {
    /// An outbox with what a journal had kept, oldest first. `seed` decides every delay.
    pub fn new(config: OutboxConfig, restored: Vec<Restored>, seed: u64) -> Self {
        let mut queues = Queues::default();
        for Restored { draft, left, refused } in restored {
            let state = match refused {
                Some(refusal) => State::Refused(refusal),
                None => State::Waiting { not_before: Now::ZERO, charged: false },
            };
            // Without marks nobody wrote down what left.
            let left = if config.marks { left } else { Left::Maybe(None) };
            queues.push(Entry { draft, state, emits: 0, left, marks_in_hand: 0 });
        }
        Self {
            budget: RetryBudget::new(config.retry_burst, config.retry_every),
            config,
            jitter: Jitter::new(seed),
            queues,
            online: false,
            held: BTreeSet::new(),
            paused_until: Now::ZERO,
            pause_ends_with_link: false,
        }
    }

    /// Messages that are kept, refused ones included.
    pub fn len(&self) -> usize {
        self.queues.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.queues.len() == 0
    }

    /// Messages that still wait to be stored (refused ones do not).
    pub fn waiting(&self) -> usize {
        self.queues.iter().filter(|e| !matches!(e.state, State::Refused(_))).count()
    }

    /// What is kept, in the author's order within each chat: the message, and the refusal that it
    /// got if it got one.
    pub fn entries(&self) -> impl Iterator<Item = (&Draft, Option<&Refusal>)> {
        self.queues.iter().map(|e| match &e.state {
            State::Refused(refusal) => (&e.draft, Some(refusal)),
            State::Writing | State::Waiting { .. } | State::InFlight { .. } => (&e.draft, None),
        })
    }

    /// When to send [`Event::Tick`] at the latest.
    pub fn next_wake(&self) -> Option<Now> {
        if !self.online {
            return None;
        }
        let due = |entry: &Entry| match entry.state {
            State::InFlight { deadline, .. } => Some(deadline),
            State::Waiting { not_before, .. } if !self.held.contains(&entry.draft.chat) => {
                Some(not_before.max(self.paused_until))
            }
            State::Waiting { .. } | State::Writing | State::Refused(_) => None,
        };
        self.queues.heads().filter_map(due).min()
    }

    /// Decides.
    pub fn handle(&mut self, event: Event, now: Now) -> Vec<Effect> {
        let mut out = Vec::new();
        match event {
            Event::Queue(draft) => self.queue(draft, &mut out),
            Event::Written(ids) => ids.iter().for_each(|id| self.written(id, now, &mut out)),
            Event::NotWritten { ids, why } => {
                ids.iter().for_each(|id| self.not_written(id, &why, now, &mut out));
            }
            Event::Counted { id, attempt, same } => self.counted(&id, attempt, same, &mut out),
            Event::Online { held } => {
                self.online = true;
                self.held = held.into_iter().collect();
                if std::mem::take(&mut self.pause_ends_with_link) {
                    self.paused_until = Now::ZERO;
                }
            }
            Event::Release(chat) => {
                self.held.remove(&chat);
            }
            Event::Offline => self.offline(now, &mut out),
            Event::Answered { id, attempt, answer } => {
                self.answered(&id, attempt, answer, now, &mut out);
            }
            Event::Echoed(message) => self.echoed(message, &mut out),
            Event::Again(id) => self.again(&id, now, &mut out),
            Event::Discard(id) => self.discard(&id, &mut out),
            Event::Tick => self.time_out(now, &mut out),
        }
        self.pump(now, &mut out);
        out
    }

    fn queue(&mut self, draft: Draft, out: &mut Vec<Effect>) {
        if let Some(known) = self.queues.get(&draft.id) {
            // The author repeats itself (a script that was run again): once is enough.
            if known.draft != draft {
                let error = Error::Invalid(format!("id {} is in use for another text", draft.id));
                out.push(Effect::NotQueued { id: draft.id, error });
            } else if known.state != State::Writing {
                let (id, chat) = (draft.id, draft.chat);
                out.push(Effect::Outcome { id, chat, outcome: Outcome::Queued });
            }
            return;
        }
        let bytes = self.queues.bytes() + draft.text.len() + ENTRY_OVERHEAD_BYTES;
        let full = if self.queues.len() >= self.config.entries_max {
            Some(format!("the outbox is full: {} messages wait", self.config.entries_max))
        } else if bytes > self.config.bytes_max {
            Some(format!("the outbox is full: over {} bytes wait", self.config.bytes_max))
        } else {
            None
        };
        if let Some(full) = full {
            out.push(Effect::NotQueued { id: draft.id, error: Error::Full(full) });
            return;
        }
        out.push(Effect::Write(Record::Queued(draft.clone())));
        let (state, left) = (State::Writing, Left::Never);
        self.queues.push(Entry { draft, state, emits: 0, left, marks_in_hand: 0 });
    }

    fn written(&mut self, id: &ClientMessageId, now: Now, out: &mut Vec<Effect>) {
        let Some(entry) = self.queues.get_mut(id) else { return };
        if entry.state == State::Writing {
            entry.state = State::Waiting { not_before: now, charged: false };
            out.push(entry.tell(Outcome::Queued));
        } else {
            self.marked(id, out);
        }
    }

    fn offline(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.online = false;
        let marks = self.config.marks;
        for entry in self.queues.iter_mut() {
            let State::InFlight { attempt, step, .. } = entry.state else { continue };
            // Not charged: the link's own backoff paces what follows.
            entry.state = State::Waiting { not_before: now, charged: false };
            out.push(entry.tell(if marks && step == Step::Emitted {
                let why = Trouble::new("the connection is lost: perhaps it is stored already");
                let (attempt, next_in) = (attempt.saturating_add(1), Duration::ZERO);
                Outcome::Retrying { attempt, next_in, why, not_stored: false }
            } else {
                Outcome::Queued
            }));
        }
    }

    fn answered(
        &mut self,
        id: &ClientMessageId,
        attempt: u32,
        answer: Answer,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some(entry) = self.queues.get(id) else { return };
        let current = matches!(entry.state, State::InFlight { attempt: a, .. } if a == attempt);
        match answer {
            // Stored is stored, whichever emit it answers, even one that was given up.
            Answer::Stored(ack) => {
                let duplicate = ack.status == SendStatus::Duplicate;
                self.stored(id, ack.message, duplicate, out);
            }
            // A "no" to an older emit says nothing about the newest one.
            Answer::Refused(_) | Answer::Lost(_) | Answer::Unknown(_) if !current => {}
            Answer::Refused(refusal) => self.refused(id, refusal, now, out),
            Answer::Lost(why) => {
                let not_stored = entry.is_counting();
                self.retry(id, why, None, not_stored, now, out);
            }
            Answer::Unknown(refusal) => self.fail(id, refusal, Outcome::Unknown, out),
        }
    }

    fn refused(&mut self, id: &ClientMessageId, refusal: Refusal, now: Now, out: &mut Vec<Effect>) {
        let wait = refusal.retry_after.map(|d| d.min(RETRY_AFTER_MAX));
        let why = Trouble { code: Some(refusal.code), sentence: refusal.message.clone() };
        match refusal.code {
            ErrorCode::RateLimited | ErrorCode::Draining => {
                let pause = wait.unwrap_or(self.config.backoff.first);
                self.paused_until = self.paused_until.max(now + pause);
                self.pause_ends_with_link = refusal.code == ErrorCode::Draining;
                self.retry(id, why, Some(pause), true, now, out);
            }
            ErrorCode::OutcomeUnknown => self.retry(id, why, wait, false, now, out),
            // The link sees to the token; the message is not at fault.
            ErrorCode::Unavailable | ErrorCode::Unauthenticated | ErrorCode::TokenExpired => {
                self.retry(id, why, wait, true, now, out);
            }
            ErrorCode::BadRequest
            | ErrorCode::Denied
            | ErrorCode::NotFound
            | ErrorCode::MethodNotAllowed
            | ErrorCode::Conflict
            | ErrorCode::ChatClosed
            | ErrorCode::TooLarge
            | ErrorCode::UnsupportedMediaType
            | ErrorCode::Internal => self.fail(id, refusal, Outcome::Refused, out),
            ErrorCode::IdempotencyConflict => self.fail(id, refusal, Outcome::Conflict, out),
        }
    }

    fn fail(
        &mut self,
        id: &ClientMessageId,
        refusal: Refusal,
        end: impl FnOnce(Refusal) -> Outcome,
        out: &mut Vec<Effect>,
    ) {
        let Some(entry) = self.queues.get_mut(id) else { return };
        entry.state = State::Refused(refusal.clone());
        out.push(Effect::Write(Record::Refused {
            id: id.clone(),
            code: refusal.code,
            message: refusal.message.clone(),
        }));
        out.push(entry.tell(end(refusal)));
    }

    fn retry(
        &mut self,
        id: &ClientMessageId,
        why: Trouble,
        least: Option<Duration>,
        not_stored: bool,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let backoff = self.config.backoff;
        let Some(entry) = self.queues.get_mut(id) else { return };
        let own = backoff.delay(entry.emits, &mut self.jitter);
        let next_in = least.unwrap_or(own);
        entry.state = State::Waiting { not_before: now + next_in, charged: true };
        let attempt = entry.emits.saturating_add(1);
        out.push(entry.tell(Outcome::Retrying { attempt, next_in, why, not_stored }));
    }

    fn stored(
        &mut self,
        id: &ClientMessageId,
        message: Message,
        duplicate: bool,
        out: &mut Vec<Effect>,
    ) {
        if let Some(entry) = self.queues.remove(id) {
            out.push(Effect::Write(Record::Done { id: id.clone() }));
            out.push(entry.tell(Outcome::Stored { message, duplicate }));
        }
    }

    fn echoed(&mut self, message: Message, out: &mut Vec<Effect>) {
        let Some(id) = message.client_message_id.clone() else { return };
        let ours = self.queues.get(&id).is_some_and(|e| e.draft.chat == message.chat_id);
        if ours {
            self.stored(&id, message, false, out);
        }
    }

    /// To the end of its chat's queue: what its author did last comes last, and a message that is
    /// in flight stays the only one.
    fn again(&mut self, id: &ClientMessageId, now: Now, out: &mut Vec<Effect>) {
        let may = |e: &Entry| match &e.state {
            State::Refused(refusal) => refusal.code != ErrorCode::IdempotencyConflict,
            State::Writing | State::Waiting { .. } | State::InFlight { .. } => false,
        };
        if self.queues.get(id).is_some_and(may)
            && let Some(mut entry) = self.queues.remove(id)
        {
            entry.state = State::Waiting { not_before: now, charged: false };
            // Its author knows: it is counted anew, and leaves.
            entry.left = if self.config.marks { Left::Never } else { entry.left };
            out.push(Effect::Write(Record::Again { id: id.clone() }));
            out.push(entry.tell(Outcome::Queued));
            self.queues.push(entry);
        }
    }

    fn discard(&mut self, id: &ClientMessageId, out: &mut Vec<Effect>) {
        let Some(entry) = self.queues.get(id) else { return };
        let never_left = matches!(entry.state, State::Waiting { .. }) && entry.left == Left::Never;
        let may = never_left || matches!(entry.state, State::Refused(_));
        if may && let Some(entry) = self.queues.remove(id) {
            out.push(Effect::Write(Record::Done { id: id.clone() }));
            out.push(entry.tell(Outcome::Discarded));
        }
    }

    fn time_out(&mut self, now: Now, out: &mut Vec<Effect>) {
        let late =
            |e: &Entry| matches!(e.state, State::InFlight { deadline, .. } if deadline <= now);
        let late: Vec<_> =
            self.queues.heads().filter(|e| late(e)).map(|e| e.draft.id.clone()).collect();
        for id in late {
            let seconds = self.config.ack_timeout.as_secs_f32();
            let why = Trouble::new(format!("no acknowledgement within {seconds} s"));
            let not_stored = self.queues.get(&id).is_some_and(Entry::is_counting);
            self.retry(&id, why, None, not_stored, now, out);
        }
    }

    /// Emits the head of every chat that may.
    fn pump(&mut self, now: Now, out: &mut Vec<Effect>) {
        if !self.online || self.paused_until > now {
            return;
        }
        let mut unknown = Vec::new();
        for entry in self.queues.heads_mut() {
            let State::Waiting { not_before, charged } = entry.state else { continue };
            if not_before > now || self.held.contains(&entry.draft.chat) {
                continue;
            }
            if charged && let Err(next) = self.budget.take(now) {
                entry.state = State::Waiting { not_before: next, charged };
                continue;
            }
            entry.emits = entry.emits.saturating_add(1);
            let attempt = entry.emits;
            let deadline = now + self.config.ack_timeout;
            if !self.config.marks {
                entry.left = Left::Maybe(None);
                out.push(entry.tell(Outcome::Sending { attempt }));
                out.push(entry.emit(attempt, deadline, None));
                continue;
            }
            match entry.left {
                Left::Never => out.push(entry.count(attempt, deadline)),
                Left::Maybe(Some(same)) => {
                    out.extend(entry.of_an_earlier_process());
                    let mark = Some(Mark { same, again: true });
                    out.push(entry.tell(Outcome::Sending { attempt }));
                    out.push(entry.emit(attempt, deadline, mark));
                }
                Left::Maybe(None) => unknown.push(entry.draft.id.clone()),
            }
        }
        for id in unknown {
            self.fail(&id, marks::cannot_be_known(), Outcome::Unknown, out);
        }
    }
}
