//! The open chats of a link and how far each is on the way back into its room.

use std::collections::BTreeMap;
use std::time::Duration;

use trialogue_protocol::ChatId;

use crate::time::{Backoff, Jitter, Now};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Not in the room.
    Out,
    /// Not in the room, and not to be tried before.
    Later { at: Now },
    /// `join_chat` is under way.
    Joining,
    /// In the room; pages are fetched.
    CatchingUp,
    /// In the room, nothing missing.
    In,
}

#[derive(Debug)]
struct Chat {
    place: Place,
    /// Failed joins since the last success.
    failures: u32,
    /// Part of what the link shows as syncing: it was open when the connection came up.
    resuming: bool,
}

#[derive(Debug, Default)]
pub(super) struct Chats {
    open: BTreeMap<ChatId, Chat>,
}

impl Chats {
    pub(super) fn all(&self) -> impl Iterator<Item = ChatId> + '_ {
        self.open.keys().copied()
    }

    pub(super) fn enter(&mut self, chat: ChatId) {
        let new = Chat { place: Place::Out, failures: 0, resuming: false };
        self.open.entry(chat).or_insert(new);
    }

    /// Whether the chat was open.
    pub(super) fn leave(&mut self, chat: ChatId) -> bool {
        self.open.remove(&chat).is_some()
    }

    /// Nobody is in any room: a connection came up or went.
    pub(super) fn reset(&mut self) {
        for chat in self.open.values_mut() {
            *chat = Chat { place: Place::Out, failures: 0, resuming: true };
        }
    }

    pub(super) fn joined(&mut self, chat: ChatId) {
        if let Some(chat) = self.open.get_mut(&chat)
            && chat.place == Place::Joining
        {
            chat.place = Place::CatchingUp;
            chat.failures = 0;
        }
    }

    /// Whether this is news.
    pub(super) fn caught_up(&mut self, chat: ChatId) -> bool {
        match self.open.get_mut(&chat) {
            Some(chat) if chat.place == Place::CatchingUp => {
                chat.place = Place::In;
                chat.resuming = false;
                true
            }
            _ => false,
        }
    }

    pub(super) fn join_later(
        &mut self,
        chat: ChatId,
        now: Now,
        least: Duration,
        backoff: Backoff,
        jitter: &mut Jitter,
    ) {
        if let Some(chat) = self.open.get_mut(&chat) {
            chat.failures = chat.failures.saturating_add(1);
            let at = now + backoff.delay(chat.failures, jitter).max(least);
            chat.place = Place::Later { at };
        }
    }

    pub(super) fn retry_due(&mut self, now: Now) {
        for chat in self.open.values_mut() {
            if matches!(chat.place, Place::Later { at } if at <= now) {
                chat.place = Place::Out;
            }
        }
    }

    pub(super) fn next_retry(&self) -> Option<Now> {
        let at = |chat: &Chat| match chat.place {
            Place::Later { at } => Some(at),
            Place::Out | Place::Joining | Place::CatchingUp | Place::In => None,
        };
        self.open.values().filter_map(at).min()
    }

    /// Marks as joining, and names, as many as may be under way at once.
    pub(super) fn start_joins(&mut self, most: usize) -> Vec<ChatId> {
        let joining = self.open.values().filter(|c| c.place == Place::Joining).count();
        let mut started = Vec::new();
        for (id, chat) in &mut self.open {
            if joining + started.len() >= most {
                break;
            }
            if chat.place == Place::Out {
                chat.place = Place::Joining;
                started.push(*id);
            }
        }
        started
    }

    /// `(done, of)` while chats that were open at the start are not all back.
    pub(super) fn progress(&self) -> Option<(usize, usize)> {
        let missing = self.open.values().filter(|chat| chat.resuming).count();
        (missing > 0).then(|| (self.open.len() - missing, self.open.len()))
    }
}
