//! The LSM's queue: disputes that wait for somebody to join.

use std::time::Duration;

use trialogue_protocol::{ChatId, Dispute};

use super::chats::Listing;
use super::log::Said;

/// See the module.
#[derive(Debug, Clone)]
pub struct Invites {
    /// Those that wait, the oldest first.
    pub list: Vec<Dispute>,
    /// All disputes of this LSM that are not over, for `/resolve`.
    pub joined: Vec<Dispute>,
    /// How far the list is.
    pub listing: Listing,
    /// The queue is on the screen instead of a chat.
    pub shown: bool,
    /// Which one the cursor is on.
    pub cursor: usize,
    /// The last messages of the one that was looked at.
    pub preview: Option<(ChatId, Vec<Said>)>,
}

impl Default for Invites {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            joined: Vec::new(),
            listing: Listing::Loading(Duration::ZERO),
            shown: false,
            cursor: 0,
            preview: None,
        }
    }
}

impl Invites {
    /// The one under the cursor.
    pub fn selected(&self) -> Option<&Dispute> {
        self.list.get(self.cursor)
    }

    /// Moves the cursor, within the list.
    pub fn step(&mut self, by: isize) {
        let last = self.list.len().saturating_sub(1);
        self.cursor = self.cursor.saturating_add_signed(by).min(last);
    }
}
