//! The queues of an outbox: one per chat, first in, first out.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use trialogue_protocol::{ChatId, ClientMessageId};

use super::words::{Draft, ENTRY_OVERHEAD_BYTES, Effect, Left, Outcome};
use crate::error::Refusal;
use crate::time::Now;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum State {
    /// The journal does not have it yet.
    Writing,
    /// To be emitted, not before; `charged` when that emit is a retry on a living link.
    Waiting { not_before: Now, charged: bool },
    /// On its way, not answered.
    InFlight { attempt: u32, deadline: Now, step: Step },
    /// The server said no.
    Refused(Refusal),
}

/// How far on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Rows that look the same are being counted.
    Counting,
    /// Its mark is on its way to the disk.
    Marking(u32),
    /// It is emitted, or about to be; where repeats are not harmless, perhaps only looked for.
    Emitted,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) draft: Draft,
    pub(super) state: State,
    /// Emits of this process.
    pub(super) emits: u32,
    /// Whether this process or an earlier one may have emitted it.
    pub(super) left: Left,
    /// Its marks that are on their way to the disk.
    pub(super) marks_in_hand: u32,
}

impl Entry {
    pub(super) fn tell(&self, outcome: Outcome) -> Effect {
        Effect::Outcome { id: self.draft.id.clone(), chat: self.draft.chat, outcome }
    }

    fn bytes(&self) -> usize {
        self.draft.text.len() + ENTRY_OVERHEAD_BYTES
    }
}

#[derive(Debug, Default)]
pub(super) struct Queues {
    /// Ordered, so that the same events give the same effects.
    chats: BTreeMap<ChatId, VecDeque<Entry>>,
    chat_of: HashMap<ClientMessageId, ChatId>,
    bytes: usize,
}

impl Queues {
    pub(super) fn len(&self) -> usize {
        self.chat_of.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.bytes += entry.bytes();
        self.chat_of.insert(entry.draft.id.clone(), entry.draft.chat);
        self.chats.entry(entry.draft.chat).or_default().push_back(entry);
    }

    pub(super) fn get(&self, id: &ClientMessageId) -> Option<&Entry> {
        let chat = self.chat_of.get(id)?;
        self.chats.get(chat)?.iter().find(|e| e.draft.id == *id)
    }

    pub(super) fn get_mut(&mut self, id: &ClientMessageId) -> Option<&mut Entry> {
        let chat = self.chat_of.get(id)?;
        self.chats.get_mut(chat)?.iter_mut().find(|e| e.draft.id == *id)
    }

    pub(super) fn remove(&mut self, id: &ClientMessageId) -> Option<Entry> {
        let chat = self.chat_of.remove(id)?;
        let queue = self.chats.get_mut(&chat)?;
        let at = queue.iter().position(|e| e.draft.id == *id)?;
        let entry = queue.remove(at)?;
        if queue.is_empty() {
            self.chats.remove(&chat);
        }
        self.bytes -= entry.bytes();
        Some(entry)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.chats.values().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.chats.values_mut().flatten()
    }

    /// The message of each chat whose turn it is: the first that was not refused. A refused one
    /// does not hold up those behind it (TUI §4).
    pub(super) fn heads(&self) -> impl Iterator<Item = &Entry> {
        let head =
            |q: &VecDeque<Entry>| q.iter().position(|e| !matches!(e.state, State::Refused(_)));
        self.chats.values().filter_map(move |q| head(q).and_then(|at| q.get(at)))
    }

    pub(super) fn heads_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.chats
            .values_mut()
            .filter_map(|q| q.iter_mut().find(|e| !matches!(e.state, State::Refused(_))))
    }
}

/// So many retries at once, then one each so often: GCRA, which needs one number and no floats.
#[derive(Debug)]
pub(super) struct RetryBudget {
    burst: Duration,
    every: Duration,
    /// When a bucket that is being refilled would be full again.
    full_at: Now,
}

impl RetryBudget {
    pub(super) fn new(burst: u32, every: Duration) -> Self {
        Self { burst: every.saturating_mul(burst.saturating_sub(1)), every, full_at: Now::ZERO }
    }

    /// One retry now, or when there may be one.
    pub(super) fn take(&mut self, now: Now) -> Result<(), Now> {
        let full_at = self.full_at.max(now);
        let earliest = full_at.saturating_sub(self.burst);
        if earliest > now {
            return Err(earliest);
        }
        self.full_at = full_at + self.every;
        Ok(())
    }
}
