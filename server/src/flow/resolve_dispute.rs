//! LSM JOINING DISPUTE, the end: the LSM settles it and is out of the chat.

use trialogue_protocol::{Dispute, DisputeId, PROSE_CHARS_MAX, ResolveDispute, UserId};

use super::{Outcome, check, notify, shown};
use crate::error::Error;
use crate::policy::Refusal;
use crate::publish::Broadcast;
use crate::store::{DisputeStep, Store};

/// Stores the resolution and ends the membership of the LSM with the same commit. The sockets of
/// the LSM leave the room before anything else is told. The reply is an error of its own when the
/// settled dispute could not be read again.
///
/// # Errors
///
/// `bad_request` for the text; `denied`; `conflict` when it is not joined yet or resolved before;
/// `unavailable`, `outcome_unknown`.
pub async fn resolve(
    store: &Store,
    user: UserId,
    dispute: DisputeId,
    body: &ResolveDispute,
) -> Result<Outcome<Result<Dispute, Error>>, Error> {
    let resolution = check::prose("resolution", &body.resolution, PROSE_CHARS_MAX)?;
    match store.resolve_dispute(user, dispute, resolution).await? {
        DisputeStep::Done { chat_id, notices } => {
            let mut events = vec![
                Broadcast::MemberRemoved { chat_id, user_id: user },
                Broadcast::ChatUpdated { chat_id },
            ];
            events.extend(notify::told(notices));
            let reply = shown(store.dispute_of_lsm(user, dispute).await);
            Ok(Outcome { reply, events })
        }
        DisputeStep::Conflict => Err(Refusal::DisputeStep.into()),
        DisputeStep::Unchanged { .. } | DisputeStep::Denied => Err(Refusal::Denied.into()),
    }
}
