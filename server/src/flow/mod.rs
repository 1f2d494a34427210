//! The flow, one file per box of `contract/flow.md`: each function checks its input, lets one
//! statement of the store act, and says in an [`Outcome`] what others must hear.
//!
//! What may not happen here: a socket, an HTTP word, SQL. Who the caller is comes from the session;
//! what the caller may do comes from the statement that acts.

pub mod book_job;
pub mod browse;
mod check;
pub mod encoded;
pub mod join_chat;
pub mod load_history;
pub mod log_in;
pub mod mark_read;
pub mod notify;
pub mod open_dispute;
pub mod resolve_dispute;
pub mod send_message;

use crate::error::Error;
use crate::policy::Refusal;
use crate::publish::Broadcast;
use crate::store::StoreError;

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

/// What a read found of something that was committed before it. When it fails, others hear of the
/// commit all the same, and the caller is told that the write may be stored.
fn shown<T>(found: Result<Option<T>, StoreError>) -> Result<T, Error> {
    found.map_err(StoreError::after_commit)?.ok_or_else(|| Refusal::Denied.into())
}

#[cfg(test)]
mod tests {
    use trialogue_protocol::ErrorCode;

    use super::*;

    #[test]
    fn what_was_committed_is_never_called_not_stored() {
        let code = |found: Result<Option<()>, _>| shown(found).map_err(|error| error.code());
        let away = StoreError::unavailable("away");
        assert_eq!(code(Err(away)), Err(ErrorCode::OutcomeUnknown));
        assert_eq!(code(Err(StoreError::broken("a bug"))), Err(ErrorCode::Internal));
        assert_eq!(code(Ok(None)), Err(ErrorCode::Denied));
        assert_eq!(code(Ok(Some(()))), Ok(()));
    }
}
