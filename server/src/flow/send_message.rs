//! SENDING A MESSAGE: verify access, save, create the notifications; then others hear of it.

use tokio::sync::oneshot;
use trialogue_protocol::{MessageType, SendAck, SendMessage, SendStatus, UserId};

use super::{Outcome, check};
use crate::error::Error;
use crate::policy::Refusal;
use crate::publish::Broadcast;
use crate::store::{NewMessage, Store, StoreError, Verdict};

/// A message in line to be stored.
#[must_use = "its sender waits for the answer"]
pub struct Sending(oneshot::Receiver<Result<Verdict, StoreError>>);

/// Checks a message and puts it in line, at once: messages of one caller are stored in the order of
/// these calls, however late their answers are awaited. What is in line is stored even when the
/// caller goes away.
///
/// # Errors
///
/// `bad_request` or `too_large` for the text, `unavailable` when the line is full.
pub fn start(store: &Store, sender: UserId, body: SendMessage) -> Result<Sending, Error> {
    check::message_text(&body.message)?;
    let message = NewMessage {
        chat_id: body.chat_id,
        sender_id: sender,
        client_message_id: body.client_message_id,
        message_type: body.message_type.unwrap_or(MessageType::Text),
        body: body.message.into(),
    };
    Ok(Sending(store.put_message(message)?))
}

impl Sending {
    /// The answer, after the commit. A duplicate has no events: its first one had them.
    ///
    /// # Errors
    ///
    /// `denied`, `chat_closed`, `idempotency_conflict`; `unavailable` (certainly not stored) or
    /// `outcome_unknown`.
    pub async fn finish(self) -> Result<Outcome<SendAck>, Error> {
        // The line answers everyone; it can only vanish with the process's runtime.
        let verdict = self.0.await.unwrap_or_else(|_| Err(StoreError::lost()))?;
        match verdict {
            Verdict::Stored(stored) => Ok(Outcome {
                reply: SendAck { status: SendStatus::Stored, message: stored.message.clone() },
                events: vec![Broadcast::Message(stored)],
            }),
            Verdict::Duplicate(message) => {
                Ok(Outcome::quiet(SendAck { status: SendStatus::Duplicate, message }))
            }
            Verdict::Conflict => Err(Refusal::KeyUsed.into()),
            Verdict::Closed => Err(Refusal::ChatClosed.into()),
            Verdict::Denied => Err(Refusal::Denied.into()),
        }
    }
}
