//! Which row of a history is an own message, on a server that does not say (DEPLOYED §3.3).
//!
//! A row is it that looks like it (own sender, same kind, same text) and comes after as many of those
//! as there were before it left. What may not happen here: a guess by clocks, an end to the search
//! that is called a refusal although nobody refused.

use std::time::Duration;

use trialogue_protocol::{Message, UserId};

use super::words::{Answer, Draft};
use crate::error::Refusal;
use crate::link::Trouble;

/// The first look at history after a message left (10 ms): it is stored within a few, and the next
/// message of its chat waits for it. Each pause is twice the one before ...
const LOOK_FIRST: Duration = Duration::from_millis(10);
/// ... up to this (3 s): often while the answer is near.
const LOOK_PAUSE_MAX: Duration = Duration::from_secs(3);
/// Looks once the server said no (3): an `error` may follow a message that was stored before it.
const LOOKS_AFTER_NO: u32 = 3;

fn looks_like<'a>(
    me: UserId,
    draft: &'a Draft,
    history: &'a [Message],
) -> impl Iterator<Item = &'a Message> {
    history.iter().filter(move |row| {
        row.sender_id == me && row.message == draft.text && row.message_type == draft.kind
    })
}

/// How many rows of this history look like the message.
pub fn same_rows(me: UserId, draft: &Draft, history: &[Message]) -> u32 {
    u32::try_from(looks_like(me, draft, history).count()).unwrap_or(u32::MAX)
}

/// The search for one message: how often to look, at what, and what it means when it ends.
#[derive(Debug)]
pub struct Search {
    me: UserId,
    draft: Draft,
    same: usize,
    pause: Duration,
    left: Duration,
    looks_left: u32,
    no: Option<Refusal>,
}

impl Search {
    /// For a message before which so many rows looked the same; it ends after so long.
    pub fn new(me: UserId, draft: Draft, same: u32, look_for: Duration) -> Self {
        let same = usize::try_from(same).unwrap_or(usize::MAX);
        let (pause, looks_left) = (LOOK_FIRST, u32::MAX);
        Self { me, draft, same, pause, left: look_for, looks_left, no: None }
    }

    /// How long to wait before the next look; nothing: it is over.
    pub fn next_look(&mut self) -> Option<Duration> {
        if self.left.is_zero() || self.looks_left == 0 {
            return None;
        }
        let pause = self.pause.min(self.left);
        self.left = self.left.saturating_sub(pause);
        self.pause = (self.pause * 2).min(LOOK_PAUSE_MAX);
        self.looks_left -= 1;
        Some(pause)
    }

    /// The server said no: soon it is over.
    pub fn refused(&mut self, refusal: Refusal) {
        if self.no.is_none() {
            (self.no, self.pause) = (Some(refusal), LOOK_FIRST);
            self.looks_left = LOOKS_AFTER_NO;
        }
    }

    /// The row of the message, if it is there.
    pub fn find(&self, history: &[Message]) -> Option<Message> {
        let row = looks_like(self.me, &self.draft, history).nth(self.same)?;
        Some(Message { client_message_id: Some(self.draft.id.clone()), ..row.clone() })
    }

    /// What follows from a search that is over and found nothing.
    pub fn over(self) -> Answer {
        match self.no {
            Some(refusal) => Answer::Refused(refusal),
            None => Answer::Lost(Trouble::new("the chat's history does not show it")),
        }
    }
}
