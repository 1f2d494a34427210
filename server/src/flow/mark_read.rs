//! Read marks: how far a member has read a chat.

use trialogue_protocol::{MarkRead, Seq, UserId};

use super::Outcome;
use crate::error::Error;
use crate::policy::Refusal;
use crate::publish::Broadcast;
use crate::store::Store;

/// Moves the mark forward, to `seq` or to the end, and answers where it is.
///
/// # Errors
///
/// `bad_request` for a negative `seq`, `denied`, `unavailable`, `outcome_unknown`.
pub async fn mark(store: &Store, user: UserId, body: &MarkRead) -> Result<Outcome<Seq>, Error> {
    if body.seq.is_some_and(|seq| seq < 0) {
        return Err(Error::field("seq", "seq is not a position"));
    }
    let seq = store.mark_read(user, body.chat_id, body.seq).await?.ok_or(Refusal::Denied)?;
    let read = Broadcast::Read { chat_id: body.chat_id, user_id: user, seq };
    Ok(Outcome { reply: seq, events: vec![read] })
}
