//! The LSM's queue: disputes that wait for somebody to join.

use std::time::Duration;

use trialogue_protocol::{ChatId, Dispute};

use super::chats::{Asked, Listing};
use super::log::Said;
use crate::edit::Editor;
use crate::text;

/// See the module.
#[derive(Debug, Clone)]
pub struct Invites {
    /// Those that wait, the oldest first.
    pub list: Vec<Dispute>,
    /// All disputes of this LSM that are not over, for `/resolve`.
    pub joined: Vec<Dispute>,
    /// How far the list is.
    pub listing: Listing,
    /// The question for it that is on its way.
    pub asked: Asked,
    /// The queue is on the screen instead of a chat.
    pub shown: bool,
    /// Which one the cursor is on.
    pub cursor: usize,
    /// Only those with these letters.
    pub filter: Editor,
    /// The last messages of the one that was looked at.
    pub preview: Option<(ChatId, Vec<Said>)>,
    /// The user has accepted, and the server has not said yes yet.
    pub accepting: Option<ChatId>,
}

impl Default for Invites {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            joined: Vec::new(),
            listing: Listing::Loading(Duration::ZERO),
            asked: Asked::default(),
            shown: false,
            cursor: 0,
            filter: Editor::default(),
            preview: None,
            accepting: None,
        }
    }
}

impl Invites {
    /// Those that wait and that the filter lets through.
    pub fn fitting(&self) -> Vec<&Dispute> {
        let needle = self.filter.text();
        let fits = |dispute: &&Dispute| {
            let line = format!("{} {}", dispute.job_id, text::line(&dispute.description));
            needle.is_empty() || text::fuzzy(&line, needle).is_some()
        };
        self.list.iter().filter(fits).collect()
    }

    /// The one under the cursor.
    pub fn selected(&self) -> Option<&Dispute> {
        self.fitting().get(self.cursor).copied()
    }

    /// Moves the cursor, within the list.
    pub fn step(&mut self, by: isize) {
        let last = self.fitting().len().saturating_sub(1);
        self.cursor = self.cursor.saturating_add_signed(by).min(last);
    }
}
