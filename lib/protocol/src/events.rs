//! Socket.IO events of CONTRACT §2: names, payloads, acknowledgements.
//!
//! Fields that the contract marks **+** are additions which a plain client may ignore and which a
//! foreign server may lack, so they are optional when read.

use serde::{Deserialize, Serialize};

use crate::error::{AckError, ErrorCode};
use crate::ids::{ChatId, ClientMessageId, Seq, UserId};
use crate::model::{Chat, Member, Message, MessageType, Notification, PresenceStatus, Role};
use crate::text::Timestamp;

/// Names of the events, both directions.
pub mod event {
    macro_rules! client_events {
        ($($(#[$doc:meta])* $variant:ident $name:ident $word:literal),* $(,)?) => {
            $($(#[$doc])* pub const $name: &str = $word;)*

            /// An event that a client may send. The server's dispatch is a `match` over this, and
            /// the tests of access are made from [`ClientEvent::ALL`]: an event that is added here
            /// must be handled and must have its row there.
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
            pub enum ClientEvent {
                $($(#[$doc])* $variant,)*
            }

            impl ClientEvent {
                /// Every one of them, in the order of the contract's table.
                pub const ALL: &'static [Self] = &[$(Self::$variant),*];

                /// The name on the wire.
                pub const fn as_str(self) -> &'static str {
                    match self { $(Self::$variant => $name,)* }
                }

                /// The event of that name.
                pub fn of(name: &str) -> Option<Self> {
                    match name {
                        $($name => Some(Self::$variant),)*
                        _ => None,
                    }
                }
            }
        };
    }

    client_events! {
        /// Client: enter a chat's room.
        JoinChat JOIN_CHAT "join_chat",
        /// Client: leave it.
        LeaveChat LEAVE_CHAT "leave_chat",
        /// Client: say something.
        SendMessage SEND_MESSAGE "send_message",
        /// Client: a page of history over the socket.
        FetchMessages FETCH_MESSAGES "fetch_messages",
        /// Client: typing or not.
        Typing TYPING "typing",
        /// Client: read up to here.
        MarkRead MARK_READ "mark_read",
        /// Client: a fresh token for the living session.
        RefreshAuth REFRESH_AUTH "refresh_auth",
    }

    /// Server: the session is ready.
    pub const CONNECTED: &str = "connected";
    /// Server: this socket is in the room.
    pub const JOINED_CHAT: &str = "joined_chat";
    /// Server: this socket has left the room.
    pub const LEFT_CHAT: &str = "left_chat";
    /// Server: somebody else came in.
    pub const USER_JOINED: &str = "user_joined";
    /// Server: somebody else went.
    pub const USER_LEFT: &str = "user_left";
    /// Server: a message was stored.
    pub const NEW_MESSAGE: &str = "new_message";
    /// Server: somebody else types.
    pub const USER_TYPING: &str = "user_typing";
    /// Server: somebody else has read.
    pub const MESSAGES_READ: &str = "messages_read";
    /// Server: a notification was stored for this user.
    pub const NOTIFICATION_CREATED: &str = "notification:created";
    /// Server: a member came online or went.
    pub const PRESENCE: &str = "presence";
    /// Server: the LSM flags of a chat changed.
    pub const CHAT_UPDATED: &str = "chat_updated";
    /// Server: how far each joined chat is.
    pub const POSITIONS: &str = "positions";
    /// Server: the token ends soon.
    pub const TOKEN_EXPIRING: &str = "token_expiring";
    /// Server: a graceful stop comes.
    pub const SERVER_DRAINING: &str = "server_draining";
    /// Server: a request without an acknowledgement failed.
    pub const ERROR: &str = "error";
}

/// Names of rooms. The server alone makes them, from parsed ids (CONTRACT §2).
pub mod room {
    use crate::ids::{ChatId, UserId};

    /// Everyone in a chat now.
    pub fn chat(id: ChatId) -> String {
        format!("chat:{id}")
    }

    /// Every socket of a user.
    pub fn user(id: UserId) -> String {
        format!("user:{id}")
    }
}

/// `connected`: sent once per CONNECT, before anything else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connected {
    /// `Connected: userId=123`.
    pub message: String,
    /// Who the token says this is.
    pub user_id: UserId,
    /// As what, by the database.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub role: Option<Role>,
    /// [`crate::PROTOCOL_VERSION`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub protocol: Option<u32>,
    /// The server's clock.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub server_time: Option<Timestamp>,
    /// Changes when the database is another one or was restored.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub epoch: Option<String>,
}

/// `join_chat` as sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinChat {
    /// The chat.
    pub chat_id: ChatId,
    /// The last `seq` the client holds: asks for what came after it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since_seq: Option<Seq>,
    /// The epoch that `since_seq` belongs to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub epoch: Option<String>,
    /// At most so many messages in the answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<i64>,
}

/// `joined_chat`, to the socket that joined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinedChat {
    /// The chat.
    pub chat_id: ChatId,
    /// A sentence for people.
    pub message: String,
    /// Who is in the chat.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub members: Option<Vec<Member>>,
    /// How far the chat is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_seq: Option<Seq>,
    /// See [`Connected::epoch`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub epoch: Option<String>,
}

/// Acknowledgement of `join_chat`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinAck {
    /// The chat.
    pub chat_id: ChatId,
    /// Who is in the chat.
    pub members: Vec<Member>,
    /// How far the chat is.
    pub last_seq: Seq,
    /// See [`Connected::epoch`].
    pub epoch: String,
    /// What came after `sinceSeq`, ascending; only when that was given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub messages: Option<Vec<Message>>,
    /// More came than fits: ask again from the last one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub has_more: Option<bool>,
}

/// A payload that names a chat and nothing else: `leave_chat`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChatRef {
    /// The chat.
    pub chat_id: ChatId,
}

/// `left_chat`, to the socket that left.
pub type LeftChat = ChatRef;

/// `user_joined`, to the other sockets when a user's count in the room goes from 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserJoined {
    /// Who came.
    pub user_id: UserId,
    /// Where.
    pub chat_id: ChatId,
    /// As what.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub role: Option<Role>,
    /// First and last name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
}

/// `user_left`, to the other sockets when a user's last socket in the room went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserLeft {
    /// Who went.
    pub user_id: UserId,
    /// From where.
    pub chat_id: ChatId,
}

/// `send_message` as sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SendMessage {
    /// The chat.
    #[serde(rename = "chatId")]
    pub chat_id: ChatId,
    /// The text.
    pub message: String,
    /// Text when absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message_type: Option<MessageType>,
    /// Makes a retry harmless.
    #[serde(rename = "clientMessageId", skip_serializing_if = "Option::is_none", default)]
    pub client_message_id: Option<ClientMessageId>,
}

/// Whether the row is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendStatus {
    /// This request stored it.
    Stored,
    /// An earlier request with the same key had stored it.
    Duplicate,
}

/// Acknowledgement of `send_message`: the row is committed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SendAck {
    /// New or not.
    pub status: SendStatus,
    /// The row.
    pub message: Message,
}

/// `fetch_messages` as sent: a page of history by key; exactly one of the two keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FetchMessages {
    /// The chat.
    pub chat_id: ChatId,
    /// Messages after this one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after_seq: Option<Seq>,
    /// Messages before this one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before_seq: Option<Seq>,
    /// At most so many.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<i64>,
}

/// `typing` as sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Typing {
    /// The chat.
    pub chat_id: ChatId,
    /// Typing, or no longer.
    pub is_typing: bool,
}

/// `user_typing`, to the other sockets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserTyping {
    /// Who.
    pub user_id: UserId,
    /// Where.
    pub chat_id: ChatId,
    /// Typing, or no longer.
    pub is_typing: bool,
}

/// `mark_read` as sent: up to `seq`, or everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MarkRead {
    /// The chat.
    pub chat_id: ChatId,
    /// How far; all of it when absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seq: Option<Seq>,
}

/// `messages_read`, to the other sockets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessagesRead {
    /// Who.
    pub user_id: UserId,
    /// Where.
    pub chat_id: ChatId,
    /// How far.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seq: Option<Seq>,
}

/// `refresh_auth` as sent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshAuth {
    /// A fresh access token of the same user.
    pub token: String,
}

impl std::fmt::Debug for RefreshAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RefreshAuth(***)")
    }
}

/// Acknowledgement of `refresh_auth`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefreshAck {
    /// When the session ends now.
    pub expires_at: Timestamp,
}

/// `notification:created`, to every socket of the recipient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotificationCreated {
    /// The row.
    pub notification: Notification,
    /// How many the recipient has not read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unread_count: Option<i64>,
}

/// `presence`, to the rooms of a user whose first socket came or last one went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Presence {
    /// Who.
    pub user_id: UserId,
    /// In which of the reader's chats.
    pub chat_id: ChatId,
    /// Came or went.
    pub status: PresenceStatus,
    /// When the last socket went; null while online.
    #[serde(default)]
    pub last_seen: Option<Timestamp>,
}

/// `chat_updated`, when `lsmInvited` or `lsmJoined` changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatUpdated {
    /// The chat as the receiver sees it.
    pub chat: Chat,
}

/// `positions`: how far each chat is that this socket has joined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Positions {
    /// `lastSeq` by chat.
    pub chats: std::collections::BTreeMap<ChatId, Seq>,
    /// See [`Connected::epoch`].
    pub epoch: String,
}

/// `token_expiring`, a minute before the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenExpiring {
    /// When the session ends without a fresh token.
    pub expires_at: Timestamp,
}

/// `server_draining`, before a graceful stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerDraining {
    /// Come back after this many milliseconds.
    pub reconnect_in_ms: u64,
}

/// `error`: a request without an acknowledgement failed. To that socket only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorEvent {
    /// The word from the closed list.
    pub code: ErrorCode,
    /// A sentence for people.
    pub message: String,
    /// Which event failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub event: Option<String>,
    /// In which chat.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub chat_id: Option<ChatId>,
    /// Which message.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client_message_id: Option<ClientMessageId>,
    /// When to come back, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_after_ms: Option<u64>,
}

/// An acknowledgement: `{ok: true, ...}` or `{ok: false, error}`.
#[derive(Debug, Clone, PartialEq)]
pub enum Ack<T> {
    /// It was done.
    Done(T),
    /// It was refused.
    Refused(AckError),
}

impl<T: Serialize> Serialize for Ack<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Done<'a, T> {
            ok: bool,
            #[serde(flatten)]
            body: &'a T,
        }
        #[derive(Serialize)]
        struct Refused<'a> {
            ok: bool,
            error: &'a AckError,
        }
        match self {
            Self::Done(body) => Done { ok: true, body }.serialize(serializer),
            Self::Refused(error) => Refused { ok: false, error }.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ack<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Wire<T> {
            ok: bool,
            error: Option<AckError>,
            #[serde(flatten)]
            body: Option<T>,
        }
        let wire = Wire::deserialize(deserializer)?;
        match (wire.ok, wire.body, wire.error) {
            (true, Some(body), _) => Ok(Self::Done(body)),
            (false, _, Some(error)) => Ok(Self::Refused(error)),
            _ => Err(serde::de::Error::custom("neither {ok: true, ...} nor {ok: false, error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ack_is_told_by_ok() {
        let done: Ack<RefreshAck> =
            serde_json::from_str(r#"{"ok":true,"expiresAt":"2026-01-01T00:00:00.000Z"}"#).unwrap();
        assert!(matches!(done, Ack::Done(_)));
        let text = r#"{"ok":false,"error":{"code":"denied","message":"no","retryable":false}}"#;
        let refused: Ack<RefreshAck> = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&refused).unwrap(), text);
        assert!(serde_json::from_str::<Ack<RefreshAck>>(r#"{"ok":true}"#).is_err());
    }

    #[test]
    fn an_event_is_found_by_its_name_and_by_no_other() {
        use event::ClientEvent;
        for event in ClientEvent::ALL {
            assert_eq!(ClientEvent::of(event.as_str()), Some(*event));
        }
        for other in ["", "Join_Chat", "join_chat ", event::CONNECTED, event::NEW_MESSAGE] {
            assert_eq!(ClientEvent::of(other), None, "{other}");
        }
    }

    #[test]
    fn a_plain_client_sends_two_fields() {
        let id = "0190a0b0-0000-7000-8000-00000000abcd";
        let sent: SendMessage =
            serde_json::from_str(&format!(r#"{{"chatId":"{id}","message":"hi","x":1}}"#)).unwrap();
        assert_eq!(sent.message, "hi");
        assert_eq!(sent.client_message_id, None);
    }
}
