//! Messages that nobody brought to the publisher: committed by another node, or by a process that
//! has died since.

use sqlx::Row;
use sqlx::postgres::PgRow;
use trialogue_protocol::{ChatId, NotificationId, Seq, UserId};
use uuid::Uuid;

use super::history::message_row;
use super::{Store, StoreError};
use crate::publish::StoredMessage;

/// What is missing of a chat: after the first `seq`, up to and with the second.
pub type Gap = (ChatId, Seq, Seq);

/// $1 chats, $2 after, $3 through, $4 rows of each chat. For the publisher, which has no reader to
/// check: every message with the members of now and the notifications. Their ids were made right
/// after the message's own, so the search begins there and ends at the first hit; it is made for
/// those alone who got one, or it would walk through all that came to them since.
const MISSING: &str = "
    select g.chat_id, s.seq, s.id, s.sender_id, s.body, s.message_type, s.client_message_id,
           s.created_at, m.role, u.name, k.members, k.recipients, k.notices
    from unnest($1::uuid[], $2::bigint[], $3::bigint[]) as g (chat_id, after, through)
    cross join lateral (
        select i.* from messages i
        where i.chat_id = g.chat_id and i.seq > g.after and i.seq <= g.through
        order by i.seq limit $4) s
    cross join lateral (
        select o.role from chat_members o
        where o.chat_id = g.chat_id and o.user_id = s.sender_id limit 1) m
    cross join lateral (select o.name from users o where o.id = s.sender_id limit 1) u
    cross join lateral (
        select coalesce(array_agg(t.user_id), '{}') as members,
               coalesce(array_agg(t.user_id) filter (where t.id is not null), '{}') as recipients,
               coalesce(array_agg(t.id) filter (where t.id is not null), '{}') as notices
        from (
            select o.user_id, n.id
            from chat_members o
            left join lateral (
                select n.id from notifications n
                where n.recipient_id = o.user_id and n.id > s.id and n.chat_id = s.chat_id
                    and n.seq = s.seq and o.user_id <> s.sender_id and o.added_seq < s.seq
                order by n.id limit 1) n on true
            where o.chat_id = g.chat_id and o.removed_at is null) t) k
    order by g.chat_id, s.seq";

impl Store {
    /// What is missing of these chats, ascending in each, at most so many rows of each. No access
    /// check: for the publisher alone, which checks the members of each message.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is stored by this.
    pub async fn missing(
        &self,
        gaps: &[Gap],
        rows_max: i64,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        let chats: Vec<Uuid> = gaps.iter().map(|(chat, ..)| chat.0).collect();
        let (after, through): (Vec<Seq>, Vec<Seq>) =
            gaps.iter().map(|&(_, after, through)| (after, through)).unzip();
        self.read(move |connection| {
            Box::pin(async move {
                sqlx::query(MISSING)
                    .bind(chats)
                    .bind(after)
                    .bind(through)
                    .bind(rows_max)
                    .fetch_all(connection)
                    .await?
                    .iter()
                    .map(missing_row)
                    .collect()
            })
        })
        .await
    }
}

fn missing_row(row: &PgRow) -> sqlx::Result<StoredMessage> {
    let members: Vec<i64> = row.try_get("members")?;
    let recipients: Vec<i64> = row.try_get("recipients")?;
    let notices: Vec<Uuid> = row.try_get("notices")?;
    Ok(StoredMessage {
        message: message_row(ChatId(row.try_get("chat_id")?), row.try_get("seq")?, row)?,
        members: members.into_iter().map(UserId).collect(),
        notifications: recipients
            .into_iter()
            .zip(notices)
            .map(|(user, id)| (UserId(user), NotificationId(id)))
            .collect(),
    })
}
