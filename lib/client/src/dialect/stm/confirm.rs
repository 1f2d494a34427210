//! Which row of a history is an own message, on a server that does not say (DEPLOYED §3.3).
//!
//! A bounded match: own sender, same kind, same text, and a row that was not there before the
//! message left and belongs to no other. What may not happen here: one row confirmed twice.

use std::collections::HashSet;
use std::time::Duration;

use trialogue_protocol::{ClientMessageId, Message, MessageId, UserId};
use uuid::Uuid;

use crate::outbox::Draft;

/// How far the server's clock may be behind ours (2 min) for a row of an earlier process to count.
const CLOCKS_APART_MAX: Duration = Duration::from_secs(120);

/// Own rows of one chat that are spoken for.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    rows: HashSet<MessageId>,
    /// The message whose rows were told apart from older ones before it left.
    stocked: Option<ClientMessageId>,
}

impl Claims {
    /// Before a message leaves for the first time: every own row that is there is not it.
    pub(crate) fn take_stock(&mut self, me: UserId, draft: &Draft, history: &[Message]) {
        // What is not in the history any more cannot be found there either.
        self.rows = history.iter().filter(|row| row.sender_id == me).map(|row| row.id).collect();
        self.stocked = Some(draft.id.clone());
    }

    /// Whether [`Self::take_stock`] was called for this message, and for none since.
    pub(crate) fn has_stock_of(&self, draft: &Draft) -> bool {
        self.stocked.as_ref() == Some(&draft.id)
    }

    /// The row of this message, if it is there; from now on it is spoken for.
    pub(crate) fn find(
        &mut self,
        me: UserId,
        draft: &Draft,
        history: &[Message],
    ) -> Option<Message> {
        let not_before = match self.has_stock_of(draft) {
            true => None,
            // An earlier process may have sent it: then the row is not older than the message.
            false => Some(written_at(&draft.id)?.saturating_sub(CLOCKS_APART_MAX)),
        };
        let late_enough = |row: &Message| {
            let at = u64::try_from(row.created_at.millis()).unwrap_or_default();
            not_before.is_none_or(|least| Duration::from_millis(at) >= least)
        };
        let found = history.iter().find(|row| {
            row.sender_id == me
                && row.message == draft.text
                && row.message_type == draft.kind
                && !self.rows.contains(&row.id)
                && late_enough(row)
        })?;
        self.rows.insert(found.id);
        Some(Message { client_message_id: Some(draft.id.clone()), ..found.clone() })
    }
}

/// When its author wrote a message, since the epoch: our ids are UUIDv7. Nothing for ids of
/// scripts: such a message of an earlier process cannot be found again, and is sent again.
fn written_at(id: &ClientMessageId) -> Option<Duration> {
    let (seconds, nanos) = Uuid::parse_str(id.as_str()).ok()?.get_timestamp()?.to_unix();
    Some(Duration::new(seconds, nanos))
}
