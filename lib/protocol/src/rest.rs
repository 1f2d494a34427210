//! REST bodies of CONTRACT §1.

use serde::{Deserialize, Serialize};

use crate::ids::{ChatId, DisputeId, JobId, Seq, UserId};
use crate::model::{Chat, Dispute, DisputeStatus, Job, LsmRef, Message, Notification, Role, User};
#[cfg(feature = "openapi")]
use crate::openapi::{
    Budget, Email, Line, Name, NameGiven, Password, PasswordGiven, Prose, ProseGiven, RoleGiven,
};
use crate::text::Timestamp;

/// Body of `POST /auth/register`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Register {
    /// Unique, compared without regard to case.
    #[cfg_attr(feature = "openapi", schema(value_type = Email))]
    pub email: String,
    /// 8 to 128 characters.
    #[cfg_attr(feature = "openapi", schema(value_type = Password))]
    pub password: String,
    /// First name.
    #[cfg_attr(feature = "openapi", schema(value_type = Name))]
    pub first_name: String,
    /// Last name.
    #[cfg_attr(feature = "openapi", schema(value_type = Name))]
    pub last_name: String,
    /// Short or long name, any case.
    #[cfg_attr(feature = "openapi", schema(value_type = RoleGiven))]
    pub role: Role,
    /// Where a provider or an LSM works.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<NameGiven>))]
    pub region: Option<String>,
    /// Name of a provider's business.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<NameGiven>))]
    pub business_name: Option<String>,
}

/// Body of `POST /auth/login`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Login {
    /// As registered.
    pub email: String,
    /// As registered.
    #[cfg_attr(feature = "openapi", schema(value_type = PasswordGiven))]
    pub password: String,
}

/// Body of `POST /auth/refresh`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Refresh {
    /// The newest refresh token of the family.
    pub refresh_token: String,
}

/// Body of `POST /auth/password`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ChangePassword {
    /// The one that ends.
    #[cfg_attr(feature = "openapi", schema(value_type = PasswordGiven))]
    pub old_password: String,
    /// The one that begins: 8 to 128 characters.
    #[cfg_attr(feature = "openapi", schema(value_type = Password))]
    pub new_password: String,
}

/// An access token and the token that gets the next one.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TokenPair {
    /// JWT, short-lived.
    pub access_token: String,
    /// Opaque, single use.
    pub refresh_token: String,
}

/// Answer of register and login.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Session {
    /// Who logged in.
    pub user: User,
    /// The tokens.
    #[serde(flatten)]
    pub tokens: TokenPair,
}

/// Answer of `GET /auth/me`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Me {
    /// The owner of the token.
    pub user: User,
}

macro_rules! secret_debug {
    ($($name:ident),*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(***)"))
            }
        }
    )*};
}
secret_debug!(Register, Login, Refresh, ChangePassword, TokenPair, Session);

/// A provider, as a customer finds one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Provider {
    /// What `providerId` takes.
    pub id: UserId,
    /// First and last name.
    pub name: String,
    /// Name of the business.
    pub business_name: Option<String>,
    /// Where.
    pub region: Option<String>,
}

/// Answer of `GET /providers`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProviderList {
    /// Active providers.
    pub providers: Vec<Provider>,
    /// Cursor of the next page.
    #[serde(default)]
    pub next: Option<String>,
}

/// Body of `POST /jobs/create`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CreateJob {
    /// Who is to do it.
    pub provider_id: UserId,
    /// Short name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Line>))]
    pub title: Option<String>,
    /// What is to be done.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<ProseGiven>))]
    pub description: Option<String>,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Line>))]
    pub location: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub scheduled_at: Option<Timestamp>,
    /// For how much.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Budget>))]
    pub budget: Option<f64>,
}

/// Answer of `POST /jobs/create`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct JobCreated {
    /// The job.
    pub job_id: JobId,
    /// Its chat.
    pub chat_id: ChatId,
    /// The whole job.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub job: Option<Job>,
    /// The whole chat.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub chat: Option<Chat>,
}

/// Answer of `GET /jobs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobList {
    /// Newest first.
    pub jobs: Vec<Job>,
    /// Cursor of the next page.
    #[serde(default)]
    pub next: Option<String>,
}

/// Answer of `GET /chat`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChatList {
    /// Most recently active first.
    pub chats: Vec<Chat>,
    /// Cursor of the next page.
    #[serde(default)]
    pub next: Option<String>,
}

/// Query of `GET /chat/:id/messages`: nothing for all, or a page by key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageQuery {
    /// 1 to 1000.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<i64>,
    /// Messages before this one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before_seq: Option<Seq>,
    /// Messages after this one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after_seq: Option<Seq>,
}

/// Answer of `GET /chat/:id/messages` and of `fetch_messages`, ascending.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessagePage {
    /// The chat.
    pub chat_id: ChatId,
    /// The page.
    pub messages: Vec<Message>,
    /// `seq` of the first one here.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first_seq: Option<Seq>,
    /// `seq` of the last one here.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_seq: Option<Seq>,
    /// More lie further in the direction asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub has_more: Option<bool>,
    /// Changes when the database is another one or was restored.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub epoch: Option<String>,
}

/// Body of `POST /disputes`: a chat or a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenDispute {
    /// The chat.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub chat_id: Option<ChatId>,
    /// Or its job.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub job_id: Option<JobId>,
    /// Why.
    pub description: String,
}

/// Answer of `POST /disputes`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DisputeOpened {
    /// The dispute.
    pub dispute_id: DisputeId,
    /// Its chat.
    pub chat_id: ChatId,
    /// Who was asked in.
    pub lsm: LsmRef,
    /// Always true.
    pub lsm_invited: bool,
}

/// Answer of `GET /disputes`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DisputeList {
    /// Newest first.
    pub disputes: Vec<Dispute>,
    /// Cursor of the next page.
    #[serde(default)]
    pub next: Option<String>,
}

/// Answer of `POST /disputes/:id/join`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DisputeJoined {
    /// The chat that is open now.
    pub chat_id: ChatId,
}

/// Body of `POST /disputes/:id/resolve`; answered with the [`Dispute`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResolveDispute {
    /// How it ended.
    #[cfg_attr(feature = "openapi", schema(value_type = Prose))]
    pub resolution: String,
}

/// Answer of `GET /notifications`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct NotificationList {
    /// Newest first.
    pub notifications: Vec<Notification>,
    /// How many are not read.
    pub unread_count: i64,
    /// Cursor of the next page.
    #[serde(default)]
    pub next: Option<String>,
}

/// Answer of `POST /notifications/:id/read` and `POST /notifications/read-all`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct UnreadCount {
    /// How many are not read now.
    pub unread_count: i64,
}

/// Answer of `GET /health/live` and `GET /health/ready`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Health {
    /// `live` or `ready`.
    pub status: String,
}

/// Query of `GET /disputes`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DisputeQuery {
    /// Only these.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<DisputeStatus>,
}
