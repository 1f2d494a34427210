//! LSM JOINING DISPUTE, first half: a member asks for help.

use trialogue_protocol::{DisputeOpened, OpenDispute, PROSE_CHARS_MAX, UserId};

use super::{Outcome, check, notify};
use crate::error::Error;
use crate::policy::Refusal;
use crate::publish::Broadcast;
use crate::store::{DisputeOpening, NewDispute, Store};

/// Stores the dispute, `lsm_invited` and the notifications, all or none.
///
/// # Errors
///
/// `bad_request` names the field; `denied`; `conflict` when one is open or no LSM can be asked;
/// `chat_closed`; `unavailable`, `outcome_unknown`.
pub async fn open(
    store: &Store,
    user: UserId,
    body: OpenDispute,
) -> Result<Outcome<DisputeOpened>, Error> {
    if body.chat_id.is_some() == body.job_id.is_some() {
        return Err(Error::field("chatId", "give either chatId or jobId"));
    }
    let description = check::prose("description", &body.description, PROSE_CHARS_MAX)?;
    let dispute =
        NewDispute { raised_by: user, chat_id: body.chat_id, job_id: body.job_id, description };
    match store.open_dispute(dispute).await? {
        DisputeOpening::Opened { dispute_id, chat_id, lsm, notices } => {
            let mut events = vec![Broadcast::ChatUpdated { chat_id }];
            events.extend(notify::told(notices));
            let reply = DisputeOpened { dispute_id, chat_id, lsm, lsm_invited: true };
            Ok(Outcome { reply, events })
        }
        DisputeOpening::OpenAlready => Err(Refusal::DisputeOpen.into()),
        DisputeOpening::NoLsm => Err(Refusal::NoLsm.into()),
        DisputeOpening::Closed => Err(Refusal::ChatClosed.into()),
        DisputeOpening::Denied => Err(Refusal::Denied.into()),
    }
}
