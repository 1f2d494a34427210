//! Events of the contract as frames that are ready to be sent, each encoded once for all receivers.

use serde::Serialize;
use trialogue_protocol::{
    ChatId, ChatRef, Message, Presence, PresenceStatus, Timestamp, UserId, UserLeft, UserTyping,
    event,
};
use trialogue_socketio::Outgoing;

/// An event with its body. `None` when it cannot be encoded, which is a bug and is logged as one:
/// the words of the contract always can.
pub(crate) fn encode<T: Serialize>(name: &str, body: &T) -> Option<Outgoing> {
    Outgoing::new(name, body)
        .inspect_err(|error| tracing::error!(%error, name, "cannot encode an event"))
        .ok()
}

/// A `new_message` in its two copies.
#[derive(Debug, Clone)]
pub(crate) struct MessageFrames {
    /// For everybody.
    pub(crate) theirs: Outgoing,
    /// For the author, with `clientMessageId`; absent when the author gave none.
    pub(crate) mine: Option<Outgoing>,
}

impl MessageFrames {
    /// Encodes both copies.
    pub(crate) fn of(mut message: Message) -> Option<Self> {
        let mine = match message.client_message_id {
            Some(_) => Some(encode(event::NEW_MESSAGE, &message)?),
            None => None,
        };
        message.client_message_id = None;
        Some(Self { theirs: encode(event::NEW_MESSAGE, &message)?, mine })
    }

    /// The copy for one reader.
    pub(crate) fn copy_for(&self, reader_is_author: bool) -> &Outgoing {
        match &self.mine {
            Some(mine) if reader_is_author => mine,
            _ => &self.theirs,
        }
    }
}

/// `user_left`.
pub(crate) fn user_left(user_id: UserId, chat_id: ChatId) -> Option<Outgoing> {
    encode(event::USER_LEFT, &UserLeft { user_id, chat_id })
}

/// `left_chat`.
pub(crate) fn left_chat(chat_id: ChatId) -> Option<Outgoing> {
    encode(event::LEFT_CHAT, &ChatRef { chat_id })
}

/// `user_typing`: worth nothing when it is late, so a socket that lags behind does without. But that
/// somebody has stopped is always said, or he would be seen typing until that expires.
pub(crate) fn user_typing(typing: &UserTyping) -> Option<Outgoing> {
    let frame = encode(event::USER_TYPING, typing)?;
    Some(if typing.is_typing { frame.volatile() } else { frame })
}

/// `presence`.
pub(crate) fn presence(
    user_id: UserId,
    chat_id: ChatId,
    status: PresenceStatus,
    last_seen: Option<Timestamp>,
) -> Option<Outgoing> {
    encode(event::PRESENCE, &Presence { user_id, chat_id, status, last_seen })
}
