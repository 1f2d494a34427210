//! What a flow did and others must hear of. Flows make these values; this room alone puts them out.

use trialogue_protocol::{ChatId, Message, Notification, NotificationId, Seq, UserId};
use uuid::Uuid;

/// One thing to tell, after its commit.
#[derive(Debug, Clone)]
pub enum Broadcast {
    /// A stored message: `new_message` to the room, its notifications to who is elsewhere.
    Message(StoredMessage),
    /// A stored notification that is not of a message: `notification:created` to its recipient.
    Notified(Notification),
    /// A read mark moved: `messages_read` to the others in the room.
    Read {
        /// Where.
        chat_id: ChatId,
        /// Who has read.
        user_id: UserId,
        /// How far.
        seq: Seq,
    },
    /// `lsmInvited` or `lsmJoined` changed: `chat_updated` to every member.
    ChatUpdated {
        /// Which chat.
        chat_id: ChatId,
    },
    /// Somebody is no longer in the chat: the sockets leave its room at once.
    MemberRemoved {
        /// From where.
        chat_id: ChatId,
        /// Who.
        user_id: UserId,
    },
    /// Sessions of a user are over: their sockets are closed.
    SessionsEnded {
        /// Whose.
        user_id: UserId,
        /// Only the sockets of this family; all of the user's when absent.
        family: Option<Uuid>,
        /// Not the sockets of this family.
        except: Option<Uuid>,
    },
}

/// A committed message with what is needed to put it out without another query.
#[derive(Debug, Clone)]
pub struct StoredMessage {
    /// The row, with the sender's `clientMessageId`, which only the sender's copy will show.
    pub message: Message,
    /// Everyone in the chat when the row was stored, the sender included: whoever is in the room
    /// and not in this list is put out of the room before the message is put out (promise 5).
    pub members: Vec<UserId>,
    /// The notifications stored with the row, one per other member (promise 6).
    pub notifications: Vec<(UserId, NotificationId)>,
}
