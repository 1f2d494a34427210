//! Whether what was handed over is what the histories hold: no send twice, none lost.

use trialogue_protocol::{ChatId, ClientMessageId, Message};

use super::{Witnessed, words};
use crate::file::{ActorId, Delivery};

/// A message that the server took, or that waits in an outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handed {
    /// Who wrote it.
    pub actor: ActorId,
    /// Where.
    pub chat: ChatId,
    /// The author's own name for it; a repeat under the same name is the same message.
    pub id: Option<ClientMessageId>,
    /// What.
    pub text: String,
}

/// Each author's rows in the history of a chat are what that author sent there, one for one: two
/// rows for one send are a duplicate that a check by message id cannot see.
pub fn stored(promise: Delivery, all: &[Witnessed<'_>], handed: &[Handed]) -> Result<(), String> {
    let (lost, twice) = match promise {
        Delivery::Off => return Ok(()),
        Delivery::ExactlyOnce => (false, false),
        Delivery::AtLeastOnce => (false, true),
        Delivery::AtMostOnce => (true, false),
    };
    for author in all {
        let Some(user) = author.fresh else { continue };
        for (chat, history) in &author.histories {
            let own = |sent: &&Handed| sent.actor == author.actor && sent.chat == *chat;
            let sent: Vec<&Handed> = handed.iter().filter(own).collect();
            let mut open = sent.clone();
            let mut rows: Vec<&Message> =
                history.iter().filter(|row| row.sender_id == user).collect();
            // Rows with a name first: the others take what is left.
            rows.sort_by_key(|row| row.client_message_id.is_none());
            for row in rows {
                if let Some(n) = open.iter().position(|sent| is_of(row, sent)) {
                    open.swap_remove(n);
                } else if !(twice && sent.iter().any(|sent| is_of(row, sent))) {
                    let (name, row) = (author.name, words(row));
                    return Err(format!("{row} is stored, and no send of {name} is left for it"));
                }
            }
            if let Some(sent) = open.first().filter(|_| !lost) {
                return Err(format!("{} sent {:?}, which is not stored", author.name, sent.text));
            }
        }
    }
    Ok(())
}

fn is_of(row: &Message, sent: &Handed) -> bool {
    let named = row.client_message_id.as_ref();
    row.message == sent.text && named.is_none_or(|id| sent.id.as_ref() == Some(id))
}
