//! Disputes: opening, joining, resolving, listing.

use sqlx::Row;
use sqlx::postgres::PgRow;
use trialogue_protocol::{
    ChatId, Dispute, DisputeId, DisputeStatus, JobId, LsmRef, Notification, UserId,
};
use uuid::Uuid;

use super::rows::{moment, moment_if_any, notices, word};
use super::{Store, StoreError};

/// A dispute to open, checked by the caller: a chat or a job.
#[derive(Debug, Clone)]
pub struct NewDispute {
    /// Who asks for help.
    pub raised_by: UserId,
    /// The chat ...
    pub chat_id: Option<ChatId>,
    /// ... or its job.
    pub job_id: Option<JobId>,
    /// Why.
    pub description: String,
}

/// What became of opening one.
#[derive(Debug, Clone, PartialEq)]
pub enum DisputeOpening {
    /// Dispute, invitation and notifications are stored.
    Opened {
        /// The dispute.
        dispute_id: DisputeId,
        /// Its chat.
        chat_id: ChatId,
        /// Who was asked in.
        lsm: LsmRef,
        /// What the LSM and the other member are told.
        notices: Vec<Notification>,
    },
    /// One is open already.
    OpenAlready,
    /// Nobody in the provider's region can be asked.
    NoLsm,
    /// The chat takes no more messages, an LSM's neither.
    Closed,
    /// Not the customer or provider of such a chat.
    Denied,
}

/// What became of joining or resolving one.
#[derive(Debug, Clone, PartialEq)]
pub enum DisputeStep {
    /// It is so now.
    Done {
        /// The chat.
        chat_id: ChatId,
        /// What the others are told.
        notices: Vec<Notification>,
    },
    /// It was so before.
    Unchanged {
        /// The chat.
        chat_id: ChatId,
    },
    /// The dispute is not at this step.
    Conflict,
    /// Not the LSM of such a dispute.
    Denied,
}

/// Disputes of chats that the person is in, and those of an LSM: asked to settle, or settled before.
const DISPUTES: &str = "
    select d.id, d.chat_id, d.job_id, d.raised_by, d.description, d.status, d.lsm_id, l.name,
           d.resolution, d.created_at, d.resolved_at
    from (
        select d.id from users l join disputes d on d.lsm_id = l.id
        where l.id = $1 and l.role = 'local_service_manager'
        union
        select d.id from chat_members m join disputes d on d.chat_id = m.chat_id
        where m.user_id = $1 and m.removed_at is null) mine
    join disputes d on d.id = mine.id
    join users l on l.id = d.lsm_id
    join users me on me.id = $1 and me.disabled_at is null
    where d.id < $2 and ($3::text is null or d.status = $3)
    order by d.id desc limit $4";

const DISPUTE: &str = "
    select d.id, d.chat_id, d.job_id, d.raised_by, d.description, d.status, d.lsm_id, l.name,
           d.resolution, d.created_at, d.resolved_at
    from disputes d
    join users l on l.id = d.lsm_id and l.disabled_at is null
    where d.id = $2 and d.lsm_id = $1";

impl Store {
    /// Stores a dispute, the invitation of an LSM and the notifications, all or none.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn open_dispute(&self, dispute: NewDispute) -> Result<DisputeOpening, StoreError> {
        let sql = "select verdict, dispute_id, chat_id, lsm_id, lsm_name, notices
                   from open_dispute($1, $2, $3, $4)";
        self.write(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(sql)
                    .bind(dispute.raised_by.0)
                    .bind(dispute.chat_id.map(|chat| chat.0))
                    .bind(dispute.job_id.map(|job| job.0))
                    .bind(dispute.description)
                    .fetch_one(connection)
                    .await?;
                Ok(match row.try_get::<&str, _>("verdict")? {
                    "stored" => DisputeOpening::Opened {
                        dispute_id: DisputeId(row.try_get("dispute_id")?),
                        chat_id: ChatId(row.try_get("chat_id")?),
                        lsm: LsmRef {
                            id: UserId(row.try_get("lsm_id")?),
                            name: row.try_get("lsm_name")?,
                        },
                        notices: notices(&row)?,
                    },
                    "conflict" => DisputeOpening::OpenAlready,
                    "no_lsm" => DisputeOpening::NoLsm,
                    "chat_closed" => DisputeOpening::Closed,
                    _ => DisputeOpening::Denied,
                })
            })
        })
        .await
    }

    /// Lets the invited LSM into the chat of a dispute.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn join_dispute(
        &self,
        user: UserId,
        dispute: DisputeId,
    ) -> Result<DisputeStep, StoreError> {
        self.step_in(user, Some(dispute), None).await
    }

    /// The same, for an LSM that comes by the chat.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn accept_invite(
        &self,
        user: UserId,
        chat: ChatId,
    ) -> Result<DisputeStep, StoreError> {
        self.step_in(user, None, Some(chat)).await
    }

    async fn step_in(
        &self,
        user: UserId,
        dispute: Option<DisputeId>,
        chat: Option<ChatId>,
    ) -> Result<DisputeStep, StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                let row =
                    sqlx::query("select verdict, chat_id, notices from join_dispute($1, $2, $3)")
                        .bind(user.0)
                        .bind(dispute.map(|dispute| dispute.0))
                        .bind(chat.map(|chat| chat.0))
                        .fetch_one(connection)
                        .await?;
                step_of(&row)
            })
        })
        .await
    }

    /// Settles a dispute and puts its LSM out of the chat.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn resolve_dispute(
        &self,
        user: UserId,
        dispute: DisputeId,
        resolution: String,
    ) -> Result<DisputeStep, StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(
                    "select verdict, chat_id, notices from resolve_dispute($1, $2, $3)",
                )
                .bind(user.0)
                .bind(dispute.0)
                .bind(resolution)
                .fetch_one(connection)
                .await?;
                step_of(&row)
            })
        })
        .await
    }

    /// Disputes that concern a person, newest first, with ids below `before`.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is stored by this.
    pub async fn disputes(
        &self,
        user: UserId,
        status: Option<DisputeStatus>,
        before: i64,
        limit: i64,
    ) -> Result<Vec<Dispute>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                sqlx::query(DISPUTES)
                    .bind(user.0)
                    .bind(before)
                    .bind(status.map(DisputeStatus::as_str))
                    .bind(limit)
                    .fetch_all(connection)
                    .await?
                    .iter()
                    .map(dispute_of)
                    .collect()
            })
        })
        .await
    }

    /// A dispute, for its LSM.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is stored by this.
    pub async fn dispute_of_lsm(
        &self,
        lsm: UserId,
        dispute: DisputeId,
    ) -> Result<Option<Dispute>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(DISPUTE)
                    .bind(lsm.0)
                    .bind(dispute.0)
                    .fetch_optional(connection)
                    .await?;
                row.as_ref().map(dispute_of).transpose()
            })
        })
        .await
    }
}

fn step_of(row: &PgRow) -> sqlx::Result<DisputeStep> {
    let chat: Option<Uuid> = row.try_get("chat_id")?;
    let verdict: &str = row.try_get("verdict")?;
    Ok(match (verdict, chat.map(ChatId)) {
        ("stored", Some(chat_id)) => DisputeStep::Done { chat_id, notices: notices(row)? },
        ("unchanged", Some(chat_id)) => DisputeStep::Unchanged { chat_id },
        ("conflict", _) => DisputeStep::Conflict,
        _ => DisputeStep::Denied,
    })
}

fn dispute_of(row: &PgRow) -> sqlx::Result<Dispute> {
    Ok(Dispute {
        id: DisputeId(row.try_get("id")?),
        chat_id: ChatId(row.try_get("chat_id")?),
        job_id: JobId(row.try_get("job_id")?),
        raised_by: UserId(row.try_get("raised_by")?),
        description: row.try_get("description")?,
        status: word(row, "status")?,
        lsm: LsmRef { id: UserId(row.try_get("lsm_id")?), name: row.try_get("name")? },
        resolution: row.try_get("resolution")?,
        created_at: moment(row, "created_at")?,
        resolved_at: moment_if_any(row, "resolved_at")?,
    })
}
