//! The flow, one file per box of `contract/flow.md`: each function checks its input, lets one
//! statement of the store act, and says in an [`Outcome`] what others must hear.
//!
//! What may not happen here: a socket, an HTTP word, SQL. Who the caller is comes from the session;
//! what the caller may do comes from the statement that acts.

pub mod book_job;
pub mod browse;
mod check;
pub mod join_chat;
pub mod load_history;
pub mod log_in;
pub mod mark_read;
pub mod notify;
pub mod open_dispute;
pub mod resolve_dispute;
pub mod send_message;

use crate::publish::Broadcast;

/// The answer to the caller, and what others must hear of, in the order of the commits.
#[derive(Debug, Clone)]
#[must_use = "events that nobody publishes reach their readers late"]
pub struct Outcome<T> {
    /// For the caller.
    pub reply: T,
    /// For the others.
    pub events: Vec<Broadcast>,
}

impl<T> Outcome<T> {
    /// An answer that concerns nobody else.
    pub fn quiet(reply: T) -> Self {
        Self { reply, events: Vec::new() }
    }
}
