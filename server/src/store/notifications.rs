//! Notifications and read marks.

use sqlx::Row;
use sqlx::postgres::PgRow;
use trialogue_protocol::{ChatId, JobId, Notification, NotificationId, Seq, UserId};
use uuid::Uuid;

use super::rows::{moment, word};
use super::{Store, StoreError};

const NOTIFICATIONS: &str = "
    select recipient_id, id, kind, title, body, chat_id, job_id, is_read, created_at
    from notification_texts
    where recipient_id = $1 and ($2::uuid is null or id < $2)
        and ($3::boolean is null or is_read <> $3)
    order by id desc limit $4";

impl Store {
    /// A person's notifications, newest first, older than `before`; only those not read when
    /// `unread` is true, only those read when it is false.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is stored by this.
    pub async fn notifications(
        &self,
        user: UserId,
        unread: Option<bool>,
        before: Option<NotificationId>,
        limit: i64,
    ) -> Result<Vec<Notification>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                sqlx::query(NOTIFICATIONS)
                    .bind(user.0)
                    .bind(before.map(|id| id.0))
                    .bind(unread)
                    .bind(limit)
                    .fetch_all(connection)
                    .await?
                    .iter()
                    .map(notification_of)
                    .collect()
            })
        })
        .await
    }

    /// How many notifications each of these people has not read.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is stored by this.
    pub async fn unread_counts(&self, users: &[UserId]) -> Result<Vec<(UserId, i64)>, StoreError> {
        let users: Vec<i64> = users.iter().map(|user| user.0).collect();
        let rows: Vec<(i64, i64)> = self
            .read(move |connection| {
                Box::pin(async move {
                    sqlx::query_as("select user_id, unread from unread_notifications($1)")
                        .bind(users)
                        .fetch_all(connection)
                        .await
                })
            })
            .await?;
        Ok(rows.into_iter().map(|(user, unread)| (UserId(user), unread)).collect())
    }

    /// Marks one notification as read, or all of them; answers how many there were to mark (for
    /// one: 0 when it is not the person's).
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn read_notifications(
        &self,
        user: UserId,
        only: Option<NotificationId>,
    ) -> Result<i64, StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query_scalar("select read_notifications($1, $2)")
                    .bind(user.0)
                    .bind(only.map(|id| id.0))
                    .fetch_one(connection)
                    .await
            })
        })
        .await
    }

    /// Moves a person's read mark forward, to `seq` or to the end, and answers where it is; `None`
    /// for who is not in the chat.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn mark_read(
        &self,
        user: UserId,
        chat: ChatId,
        seq: Option<Seq>,
    ) -> Result<Option<Seq>, StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query_scalar("select mark_read($1, $2, $3)")
                    .bind(user.0)
                    .bind(chat.0)
                    .bind(seq)
                    .fetch_one(connection)
                    .await
            })
        })
        .await
    }
}

pub(super) fn notification_of(row: &PgRow) -> sqlx::Result<Notification> {
    Ok(Notification {
        id: NotificationId(row.try_get("id")?),
        recipient_id: UserId(row.try_get("recipient_id")?),
        kind: word(row, "kind")?,
        title: row.try_get::<Option<String>, _>("title")?.unwrap_or_default(),
        message: row.try_get::<Option<String>, _>("body")?.unwrap_or_default(),
        chat_id: row.try_get::<Option<Uuid>, _>("chat_id")?.map(ChatId),
        job_id: row.try_get::<Option<i64>, _>("job_id")?.map(JobId),
        is_read: row.try_get("is_read")?,
        created_at: moment(row, "created_at")?,
    })
}
