//! The words of the wire contract, defined once: ids, REST bodies, Socket.IO events, error codes.
//!
//! Server, client, scenarios and load test all speak through these types, so a name or a bound that
//! changes here changes everywhere. Nothing in this crate reads a clock, a socket or a database;
//! the JSON shapes are those of CONTRACT §1 and §2 and the unit tests hold their exact spelling.

mod error;
mod events;
mod ids;
mod limits;
mod model;
#[cfg(feature = "openapi")]
pub mod openapi;
mod rest;
pub mod route;
mod text;

pub use error::{AckError, ErrorBody, ErrorCode};
pub use events::{
    Ack, ChatRef, ChatUpdated, Connected, ErrorEvent, FetchMessages, JoinAck, JoinChat, JoinedChat,
    LeftChat, MarkRead, MessagesRead, NotificationCreated, Positions, Presence, RefreshAck,
    RefreshAuth, SendAck, SendMessage, SendStatus, ServerDraining, TokenExpiring, Typing,
    UserJoined, UserLeft, UserTyping, event, room,
};
pub use ids::{
    ChatId, ClientMessageId, DisputeId, IdError, JobId, MessageId, NotificationId, Seq, UserId,
};
pub use limits::{
    BUDGET_MAX, CLIENT_MESSAGE_ID_CHARS_MAX, EMAIL_CHARS_MAX, HISTORY_PAGE_MAX,
    IDEMPOTENCY_KEY_CHARS_MAX, LINE_CHARS_MAX, LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX,
    MESSAGE_BYTES_MAX, MESSAGE_CHARS_MAX, NAME_CHARS_MAX, NAMESPACE, NAMESPACE_ALIAS,
    PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, PROSE_CHARS_MAX, PROTOCOL_VERSION,
    RESUME_PAGE_BYTES_MAX, RESUME_PAGE_MAX, SEARCH_CHARS_MAX,
};
pub use model::{
    Chat, ChatJob, Dispute, DisputeStatus, Job, JobStatus, LsmRef, Member, Message, MessageType,
    Notification, NotificationType, PresenceStatus, Role, User,
};
pub use rest::{
    ChangePassword, ChatList, CreateJob, DisputeJoined, DisputeList, DisputeOpened, DisputeQuery,
    Health, JobCreated, JobList, Login, Me, MessagePage, NotificationList, OpenDispute, PageQuery,
    Provider, ProviderList, Refresh, Register, ResolveDispute, Session, TokenPair, UnreadCount,
};
pub use text::{TextError, Timestamp, check_message_text};
