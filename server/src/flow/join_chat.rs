//! Entering a chat's room (flow: CREATING A CHAT 5 to 7, LSM JOINING DISPUTE 7).

use trialogue_protocol::{ChatId, DisputeId, DisputeJoined, UserId};

use super::{Outcome, notify, shown};
use crate::error::Error;
use crate::policy::Refusal;
use crate::publish::Broadcast;
use crate::store::{DisputeStep, Entry, Store};

/// Verifies access, and accepts the invitation of an LSM that comes by the chat. Members come with
/// what the database knows of them; who is online the caller knows.
///
/// The caller enters the room after this and reads what was missed after that. Somebody put out of
/// the chat between this answer and the entering is found by the event `MemberRemoved`, which the
/// caller therefore heeds for rooms that are being entered too. The reply is an error of its own
/// when an invitation was accepted and the entry could not be read after that.
///
/// # Errors
///
/// `denied`, `unavailable`, `outcome_unknown`.
pub async fn join(
    store: &Store,
    user: UserId,
    chat: ChatId,
) -> Result<Outcome<Result<Entry, Error>>, Error> {
    if let Some(entry) = store.entry(user, chat).await? {
        return Ok(Outcome::quiet(Ok(entry)));
    }
    // The same for a stranger, a foreign chat and a missing one: one more statement, one answer.
    let events = accepted(store.accept_invite(user, chat).await?)?.events;
    Ok(Outcome { reply: shown(store.entry(user, chat).await), events })
}

/// The invited LSM joins by the dispute. Idempotent.
///
/// # Errors
///
/// `denied`, `unavailable`, `outcome_unknown`.
pub async fn join_dispute(
    store: &Store,
    user: UserId,
    dispute: DisputeId,
) -> Result<Outcome<DisputeJoined>, Error> {
    let Outcome { reply, events } = accepted(store.join_dispute(user, dispute).await?)?;
    Ok(Outcome { reply: DisputeJoined { chat_id: reply }, events })
}

fn accepted(step: DisputeStep) -> Result<Outcome<ChatId>, Error> {
    match step {
        DisputeStep::Done { chat_id, notices } => {
            let mut events = vec![Broadcast::ChatUpdated { chat_id }];
            events.extend(notify::told(notices));
            Ok(Outcome { reply: chat_id, events })
        }
        DisputeStep::Unchanged { chat_id } => Ok(Outcome::quiet(chat_id)),
        DisputeStep::Conflict => Err(Refusal::DisputeStep.into()),
        DisputeStep::Denied => Err(Refusal::Denied.into()),
    }
}
