//! What a session tells its face.

use trialogue_protocol::{
    ChatId, ClientMessageId, Connected, Dispute, JoinAck, Message, Notification, Seq, UserId,
};
use trialogue_socketio::Args;

use crate::error::Error;
use crate::link::LinkState;
use crate::outbox::Outcome;
use crate::people::Person;
use crate::timeline::{ResetReason, Via};

/// Something happened, in order.
#[derive(Debug, Clone)]
pub enum Update {
    /// The connection is another one, or waits for another reason.
    Link(LinkState),
    /// The server said `connected`: once per connection, before anything of that connection.
    Ready(Connected),
    /// An open chat's room was entered, or re-entered after a reconnect. `messages` of the answer
    /// are not in here: they come as [`Update::Message`].
    Joined {
        /// Members, `lastSeq`, epoch.
        ack: JoinAck,
        /// Not the first time in this session.
        again: bool,
    },
    /// A chat cannot be entered and is closed again.
    JoinFailed {
        /// The chat.
        chat: ChatId,
        /// Why.
        error: Error,
    },
    /// Entering this chat would accept an invitation into its dispute, which is for the user to
    /// say: it is closed again. [`super::SessionHandle::accept`] enters it.
    Invited {
        /// The chat.
        chat: ChatId,
        /// What it is about.
        dispute: Box<Dispute>,
    },
    /// Everything that the server had of this chat was shown.
    CaughtUp {
        /// The chat.
        chat: ChatId,
    },
    /// An event as it came over the wire: every one, in the order of the wire, before the updates
    /// that follow from it.
    Event {
        /// Its name.
        name: String,
        /// Its arguments.
        args: Args,
    },
    /// A message of an open chat: each exactly once, in the order of `seq`.
    Message {
        /// The message.
        message: Message,
        /// How it arrived.
        via: Via,
    },
    /// Older messages of an open chat, asked for by the face: ascending, all before those shown.
    Older {
        /// The chat.
        chat: ChatId,
        /// The messages.
        messages: Vec<Message>,
        /// More lie before them.
        more: bool,
    },
    /// What is known of an own message.
    Outcome {
        /// Which.
        client_message_id: ClientMessageId,
        /// Its chat.
        chat: ChatId,
        /// What.
        outcome: Outcome,
    },
    /// Messages that cannot be had; a rule belongs in their place.
    Missing {
        /// The chat.
        chat: ChatId,
        /// First one.
        from: Seq,
        /// Last one.
        to: Seq,
    },
    /// What was shown of this chat is void; it comes anew.
    Reset {
        /// The chat.
        chat: ChatId,
        /// Why.
        why: ResetReason,
    },
    /// What is known of somebody in an open chat: presence, typing, how far they read.
    Person {
        /// The chat.
        chat: ChatId,
        /// All of it.
        person: Person,
    },
    /// Somebody is a member of an open chat no longer.
    PersonGone {
        /// The chat.
        chat: ChatId,
        /// Who.
        user: UserId,
    },
    /// How many messages of others in a chat were not read; told when it changes, for chats that
    /// are open or were listed ([`super::SessionHandle::list`]).
    Unread {
        /// The chat.
        chat: ChatId,
        /// So many, or at most so many where not all of them were seen.
        count: u64,
    },
    /// A notification for the user, pushed or polled: each once.
    Notification {
        /// The notification.
        notification: Notification,
        /// How many are unread now, if the server told.
        unread_count: Option<i64>,
    },
    /// The journal did not do what it should: the face tells its user.
    Journal {
        /// One sentence.
        sentence: String,
    },
    /// The same of the backup: nothing is lost but the quick start.
    Backup {
        /// One sentence.
        sentence: String,
    },
}
