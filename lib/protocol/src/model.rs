//! The things that the flow talks about, in the shapes of CONTRACT §2.
//!
//! Names are camelCase, **except** inside [`Message`] and [`Notification`], which keep the
//! snake_case names that deployed clients read.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::ids::{
    ChatId, ClientMessageId, DisputeId, IdError, JobId, MessageId, NotificationId, Seq, UserId,
};
use crate::text::Timestamp;

/// Who somebody is. Written long on the wire; read long or short, in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Role {
    /// Books jobs.
    #[serde(rename = "customer")]
    Customer,
    /// Does jobs.
    #[serde(rename = "service_provider")]
    Provider,
    /// Local service manager: joins a chat while a dispute is open.
    #[serde(rename = "local_service_manager")]
    Lsm,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Customer, Self::Provider, Self::Lsm];

    /// The long name, as the wire and the database have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Provider => "service_provider",
            Self::Lsm => "local_service_manager",
        }
    }

    /// The short name, for people.
    pub const fn short(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Provider => "provider",
            Self::Lsm => "lsm",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a word is not a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleError;

impl fmt::Display for RoleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("role is none of customer, provider, lsm")
    }
}

impl std::error::Error for RoleError {}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        match text.to_ascii_lowercase().as_str() {
            "customer" => Ok(Self::Customer),
            "provider" | "service_provider" => Ok(Self::Provider),
            "lsm" | "local_service_manager" => Ok(Self::Lsm),
            _ => Err(RoleError),
        }
    }
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$vdoc])* $variant,)*
        }

        impl $name {
            /// The word on the wire and in the database.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(IdError::of(stringify!($name))),
                }
            }
        }
    };
}

words!(
    /// What kind of content a message carries.
    MessageType {
        /// Plain text.
        Text "text",
        /// A reference to an image.
        Image "image",
        /// A reference to a document.
        Document "document",
    }
);
words!(
    /// Life of a job.
    JobStatus {
        /// Booked.
        Open "open",
        /// Done, says the provider. The chat stays open: disputes come later.
        Completed "completed",
        /// Called off by the customer. The chat is closed.
        Cancelled "cancelled",
    }
);
words!(
    /// Life of a dispute.
    DisputeStatus {
        /// The LSM is invited.
        Pending "pending",
        /// The LSM is in the chat.
        Joined "joined",
        /// Over; the LSM has left.
        Resolved "resolved",
    }
);
words!(
    /// What a notification is about.
    NotificationType {
        /// A job was booked, completed or cancelled.
        Job "job",
        /// A message was stored.
        Message "message",
        /// A dispute was opened.
        Dispute "dispute",
        /// The LSM joined.
        DisputeJoined "dispute_joined",
        /// The LSM resolved it.
        DisputeResolved "dispute_resolved",
        /// Anything else.
        System "system",
    }
);
words!(
    /// Whether somebody has a live socket.
    PresenceStatus {
        /// At least one.
        Online "online",
        /// None.
        Offline "offline",
    }
);

/// A stored message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Message {
    /// Made by the server.
    pub id: MessageId,
    /// Where it was said.
    #[serde(rename = "chatId")]
    pub chat_id: ChatId,
    /// Its place in the chat. Absent on servers that do not count (CONTRACT §4).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seq: Option<Seq>,
    /// Role of the sender in this chat.
    pub sender_type: Role,
    /// The sender.
    pub sender_id: UserId,
    /// First and last name of the sender.
    pub sender_name: String,
    /// The text.
    pub message: String,
    /// What kind of content it is.
    pub message_type: MessageType,
    /// The sender's own name for it: only ever in the sender's copies.
    #[serde(rename = "clientMessageId", skip_serializing_if = "Option::is_none", default)]
    pub client_message_id: Option<ClientMessageId>,
    /// When it was stored, by the database's clock. For display: `seq` is the order.
    pub created_at: Timestamp,
}

/// A person. `email` is filled only for the person itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The id that tokens, members and messages carry.
    pub id: UserId,
    /// Only to its owner.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub email: Option<String>,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Role.
    pub role: Role,
    /// Where a provider or an LSM works.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub region: Option<String>,
    /// Name of a provider's business.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub business_name: Option<String>,
}

/// Somebody who is in a chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Who.
    pub user_id: UserId,
    /// As what.
    pub role: Role,
    /// First and last name.
    pub name: String,
    /// Presence, where the server knows it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<PresenceStatus>,
    /// When the last socket went; null while online or never seen.
    #[serde(default)]
    pub last_seen: Option<Timestamp>,
    /// How far this member has read.
    #[serde(default)]
    pub last_read_seq: Seq,
    /// Since when.
    pub joined_at: Timestamp,
}

/// A booked job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// The job.
    pub id: JobId,
    /// Its chat.
    pub chat_id: ChatId,
    /// Who booked it.
    pub customer_id: UserId,
    /// Who does it.
    pub provider_id: UserId,
    /// Short name.
    pub title: Option<String>,
    /// What is to be done.
    pub description: Option<String>,
    /// Where.
    pub location: Option<String>,
    /// When.
    pub scheduled_at: Option<Timestamp>,
    /// For how much, in the currency's smallest unit that the customer used.
    pub budget: Option<f64>,
    /// Where it stands.
    pub status: JobStatus,
    /// When it was booked.
    pub created_at: Timestamp,
}

/// The job, as a chat names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChatJob {
    /// The job.
    pub id: JobId,
    /// Short name.
    pub title: Option<String>,
    /// Where it stands.
    pub status: JobStatus,
}

/// A chat, as its members see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Chat {
    /// The chat.
    pub id: ChatId,
    /// What it is about.
    pub job: ChatJob,
    /// Who is in it now.
    pub members: Vec<Member>,
    /// The newest message.
    pub last_message: Option<Message>,
    /// Messages of others after the reader's mark.
    pub unread_count: i64,
    /// `seq` of the newest message, 0 when there is none.
    pub last_seq: Seq,
    /// An LSM was asked in.
    pub lsm_invited: bool,
    /// An LSM is in.
    pub lsm_joined: bool,
    /// Since when.
    pub lsm_joined_at: Option<Timestamp>,
    /// It takes no more messages.
    pub closed: bool,
    /// When the job was booked.
    pub created_at: Timestamp,
}

/// The LSM of a dispute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LsmRef {
    /// Who.
    pub id: UserId,
    /// First and last name.
    pub name: String,
}

/// A dispute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Dispute {
    /// The dispute.
    pub id: DisputeId,
    /// The chat that it opens to the LSM.
    pub chat_id: ChatId,
    /// The job that it is about.
    pub job_id: JobId,
    /// Who asked for help.
    pub raised_by: UserId,
    /// Why.
    pub description: String,
    /// Where it stands.
    pub status: DisputeStatus,
    /// Who was asked last. Nobody is while the chat says that no LSM is invited: then the dispute
    /// waits for one.
    pub lsm: LsmRef,
    /// How it ended.
    pub resolution: Option<String>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it ended.
    pub resolved_at: Option<Timestamp>,
}

/// A stored notification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Notification {
    /// The notification.
    pub id: NotificationId,
    /// Whom it is for.
    pub recipient_id: UserId,
    /// What it is about.
    #[serde(rename = "type")]
    pub kind: NotificationType,
    /// One line.
    pub title: String,
    /// A few more words.
    pub message: String,
    /// The chat concerned.
    #[serde(rename = "chatId")]
    pub chat_id: Option<ChatId>,
    /// The job concerned.
    #[serde(rename = "jobId")]
    pub job_id: Option<JobId>,
    /// The owner has read it.
    pub is_read: bool,
    /// When it was stored.
    pub created_at: Timestamp,
}
