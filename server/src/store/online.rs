//! What the live side asks for: notifications to push, and when people were last seen.

use chrono::{DateTime, Utc};
use sqlx::Row;
use trialogue_protocol::{Notification, NotificationId, UserId};
use uuid::Uuid;

use super::notifications::notification_of;
use super::{Store, StoreError};

/// $1 recipients, $2 ids, pairwise.
const PUSHABLE: &str = "
    select t.recipient_id, t.id, t.kind, t.title, t.body, t.chat_id, t.job_id, t.is_read,
           t.created_at, u.unread
    from unnest($1::bigint[], $2::uuid[]) as k (recipient_id, id)
    join notification_texts t on t.recipient_id = k.recipient_id and t.id = k.id
    join unread_notifications(array(select distinct unnest($1::bigint[]))) u
        on u.user_id = t.recipient_id
    order by t.created_at, t.id";

const SEEN: &str = "
    update users u set last_seen_at = greatest(u.last_seen_at, s.at)
    from unnest($1::bigint[], $2::timestamptz[]) as s (id, at)
    where u.id = s.id";

impl Store {
    /// Stored notifications as their lists show them, oldest first, each with how many its
    /// recipient has not read.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is stored by this.
    pub async fn pushable(
        &self,
        keys: &[(UserId, NotificationId)],
    ) -> Result<Vec<(Notification, i64)>, StoreError> {
        let (users, ids): (Vec<i64>, Vec<Uuid>) =
            keys.iter().map(|(user, id)| (user.0, id.0)).unzip();
        self.read(move |connection| {
            Box::pin(async move {
                sqlx::query(PUSHABLE)
                    .bind(users)
                    .bind(ids)
                    .fetch_all(connection)
                    .await?
                    .iter()
                    .map(|row| Ok((notification_of(row)?, row.try_get("unread")?)))
                    .collect()
            })
        })
        .await
    }

    /// Remembers when the last sockets of these people went.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; losing one of these is harmless.
    pub async fn store_seen(&self, people: &[(UserId, DateTime<Utc>)]) -> Result<(), StoreError> {
        let (users, times): (Vec<i64>, Vec<DateTime<Utc>>) =
            people.iter().map(|(user, at)| (user.0, *at)).unzip();
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query(SEEN).bind(users).bind(times).execute(connection).await?;
                Ok(())
            })
        })
        .await
    }
}
