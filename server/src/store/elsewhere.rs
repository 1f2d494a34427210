//! What the sweep reads while other nodes are alive: changes that no message tells of, and
//! notifications for people who are online here. Hints bring them sooner, never instead.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::Row;
use trialogue_protocol::{ChatId, NotificationId, Seq, UserId};
use uuid::Uuid;

use super::{Store, StoreError};

/// Notifications of one person that are read at once, the newest ones; the list has the others.
const NOTICES_PER_PERSON_MAX: i64 = 32;
/// How far the clocks of two servers may be apart: ids of notifications begin with the time of
/// the server that stored them.
const CLOCKS_APART_MAX: Duration = Duration::from_secs(10);

/// A notification that somebody may have to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreshNotice {
    /// Whose.
    pub recipient: UserId,
    /// Which.
    pub id: NotificationId,
    /// The chat whose message it tells of.
    pub chat_id: Option<ChatId>,
    /// How long ago it was stored, by the database's clock.
    pub age: Duration,
}

/// $1 chats, $2 sums of the marks that are known. Only chats where the sum is another one.
const MOVED_MARKS: &str = "
    select m.chat_id, m.user_id, m.last_read_seq
    from unnest($1::uuid[], $2::bigint[]) as k (chat_id, known)
    join chat_members m on m.chat_id = k.chat_id and m.removed_at is null
    where k.known <> (
        select sum(o.last_read_seq) from chat_members o
        where o.chat_id = k.chat_id and o.removed_at is null)
    order by m.chat_id";

const CHANGED_CHATS: &str = "
    select chat_id, greatest(created_at, moved_at, joined_at, resolved_at) as at from disputes
    where greatest(created_at, moved_at, joined_at, resolved_at) > clock_timestamp() - $1
    union all
    select c.id, j.ended_at from jobs j join chats c on c.job_id = j.id
    where j.ended_at > clock_timestamp() - $1";

/// $1 people, $2 the id from which on, $3 how many each, $4 how old at most.
const FRESH_NOTICES: &str = "
    select n.recipient_id, n.id, case when n.kind = 'message' then n.chat_id end as chat_id,
           extract(epoch from clock_timestamp() - n.created_at)::float8 as age
    from unnest($1::bigint[]) as k (user_id)
    cross join lateral (
        select i.recipient_id, i.id, i.kind, i.chat_id, i.created_at from notifications i
        where i.recipient_id = k.user_id and i.id > $2
        order by i.id desc limit $3) n
    where n.created_at > clock_timestamp() - $4";

impl Store {
    /// The read marks of all members of those chats whose marks do not add up to what is known;
    /// the marks of one chat follow each other.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is stored by this.
    pub async fn moved_marks(
        &self,
        known: &[(ChatId, i64)],
    ) -> Result<Vec<(ChatId, UserId, Seq)>, StoreError> {
        let (chats, sums): (Vec<Uuid>, Vec<i64>) =
            known.iter().map(|(chat, sum)| (chat.0, *sum)).unzip();
        let rows: Vec<(Uuid, i64, Seq)> = self
            .read(move |connection| {
                Box::pin(async move {
                    sqlx::query_as(MOVED_MARKS).bind(chats).bind(sums).fetch_all(connection).await
                })
            })
            .await?;
        Ok(rows.into_iter().map(|(chat, user, seq)| (ChatId(chat), UserId(user), seq)).collect())
    }

    /// Chats where an LSM was called, came in or went, or whose job ended, within the last while, and
    /// when; by time and not by id, because ids do not rise in the order of commit.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is stored by this.
    pub async fn changed_chats(
        &self,
        within: Duration,
    ) -> Result<Vec<(ChatId, DateTime<Utc>)>, StoreError> {
        let rows: Vec<(Uuid, DateTime<Utc>)> = self
            .read(move |connection| {
                Box::pin(async move {
                    sqlx::query_as(CHANGED_CHATS).bind(within).fetch_all(connection).await
                })
            })
            .await?;
        Ok(rows.into_iter().map(|(chat, at)| (ChatId(chat), at)).collect())
    }

    /// The newest notifications of these people, at most so old.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is stored by this.
    pub async fn fresh_notices(
        &self,
        people: &[UserId],
        within: Duration,
    ) -> Result<Vec<FreshNotice>, StoreError> {
        let people: Vec<i64> = people.iter().map(|user| user.0).collect();
        let from = first_id_at(Utc::now() - within - CLOCKS_APART_MAX);
        self.read(move |connection| {
            Box::pin(async move {
                sqlx::query(FRESH_NOTICES)
                    .bind(people)
                    .bind(from)
                    .bind(NOTICES_PER_PERSON_MAX)
                    .bind(within)
                    .fetch_all(connection)
                    .await?
                    .iter()
                    .map(|row| {
                        let age: f64 = row.try_get("age")?;
                        Ok(FreshNotice {
                            recipient: UserId(row.try_get("recipient_id")?),
                            id: NotificationId(row.try_get("id")?),
                            chat_id: row.try_get::<Option<Uuid>, _>("chat_id")?.map(ChatId),
                            age: Duration::try_from_secs_f64(age).unwrap_or_default(),
                        })
                    })
                    .collect()
            })
        })
        .await
    }
}

/// The smallest id of version 7 that can have been made then.
fn first_id_at(at: DateTime<Utc>) -> Uuid {
    let millis = u64::try_from(at.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_made_later_lie_behind_the_first_one_of_a_moment() {
        let now = Utc::now();
        assert!(first_id_at(now - Duration::from_millis(5)) < Uuid::now_v7());
        assert!(first_id_at(now + Duration::from_secs(60)) > Uuid::now_v7());
    }
}
