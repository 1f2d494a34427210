//! Chats as their members see them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};
use trialogue_protocol::{Chat, ChatId, ChatJob, JobId, Member, Seq, UserId};
use uuid::Uuid;

use super::history::message_row;
use super::rows::{moment, moment_if_any, word};
use super::{Store, StoreError};

/// Where a list of chats goes on: after the chat that was active then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChatCursor {
    /// Microseconds since 1970, as PostgreSQL stores times.
    pub active_at_micros: i64,
    /// Decides between chats of one instant.
    pub chat_id: ChatId,
}

/// A chat for one reader. The newest message shows its `client_message_id` to its sender alone.
macro_rules! chats_for {
    ($condition:literal) => {
        concat!(
            "select c.id as chat_id, b.user_id as reader, c.active_at, c.last_seq, c.lsm_invited,
                    c.lsm_joined, c.lsm_joined_at, c.closed, c.created_at as booked_at, b.unread,
                    j.id as job_id, j.title, j.status,
                    s.seq, s.id, s.sender_id, s.body, s.message_type, s.created_at,
                    case when s.sender_id = b.user_id then s.client_message_id end
                        as client_message_id,
                    w.role, v.name
             from memberships b
             join users u on u.id = b.user_id and u.disabled_at is null
             join chats c on c.id = b.chat_id
             join jobs j on j.id = c.job_id
             left join messages s on s.chat_id = c.id and s.seq = c.last_seq
             left join chat_members w on w.chat_id = c.id and w.user_id = s.sender_id
             left join users v on v.id = s.sender_id
             where b.removed_at is null and ",
            $condition
        )
    };
}

const CHATS: &str = chats_for!(
    "b.user_id = $1 and ($2::timestamptz is null or (c.active_at, c.id) < ($2, $3))
     order by c.active_at desc, c.id desc limit $4"
);
const CHAT: &str = chats_for!("b.user_id = $1 and b.chat_id = $2");
const VIEWS: &str = chats_for!("b.chat_id = $1");

const MEMBERS: &str = "
    select m.chat_id, m.user_id, m.role, u.name, m.last_read_seq, m.joined_at, u.last_seen_at
    from chat_members m join users u on u.id = m.user_id
    where m.chat_id = any($1) and m.removed_at is null
    order by m.chat_id, m.joined_at, m.user_id";

const ENTRY: &str = "
    select c.last_seq, m.role, u.name
    from chat_members m
    join users u on u.id = m.user_id and u.disabled_at is null
    join chats c on c.id = m.chat_id
    where m.chat_id = $1 and m.user_id = $2 and m.removed_at is null";

/// What somebody who comes into a chat's room is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Everyone who is in the chat.
    pub members: Vec<Member>,
    /// How far the chat is.
    pub last_seq: Seq,
    /// As what the person comes.
    pub role: trialogue_protocol::Role,
    /// The person's first and last name.
    pub name: String,
}

impl Store {
    /// Chats that a person is in, most recently active first. The second value goes on from here;
    /// `None` at the end.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is stored by this.
    pub async fn chats(
        &self,
        reader: UserId,
        after: Option<ChatCursor>,
        limit: i64,
    ) -> Result<(Vec<Chat>, Option<ChatCursor>), StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let active_at =
                    after.and_then(|a| DateTime::<Utc>::from_timestamp_micros(a.active_at_micros));
                let mut rows = sqlx::query(CHATS)
                    .bind(reader.0)
                    .bind(active_at)
                    .bind(after.map(|a| a.chat_id.0))
                    .bind(limit.saturating_add(1))
                    .fetch_all(&mut *connection)
                    .await?;
                let more = i64::try_from(rows.len()).is_ok_and(|length| length > limit);
                if more {
                    rows.pop();
                }
                let next = rows.last().filter(|_| more).map(cursor_of).transpose()?;
                let chats = with_members(connection, &rows).await?;
                Ok((chats.into_iter().map(|(_, chat)| chat).collect(), next))
            })
        })
        .await
    }

    /// A chat that a person is in; `None` for any other chat, whether it exists or not.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is stored by this.
    pub async fn chat(&self, reader: UserId, chat: ChatId) -> Result<Option<Chat>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(CHAT)
                    .bind(reader.0)
                    .bind(chat.0)
                    .fetch_all(&mut *connection)
                    .await?;
                Ok(with_members(connection, &rows).await?.pop().map(|(_, chat)| chat))
            })
        })
        .await
    }

    /// A chat as each of its members sees it, for `chat_updated`.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is stored by this.
    pub async fn chat_views(&self, chat: ChatId) -> Result<Vec<(UserId, Chat)>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(VIEWS).bind(chat.0).fetch_all(&mut *connection).await?;
                with_members(connection, &rows).await
            })
        })
        .await
    }

    /// What a member needs who comes into the room; `None` for who is not in the chat.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is stored by this.
    pub async fn entry(&self, user: UserId, chat: ChatId) -> Result<Option<Entry>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(ENTRY)
                    .bind(chat.0)
                    .bind(user.0)
                    .fetch_optional(&mut *connection)
                    .await?;
                let Some(row) = row else { return Ok(None) };
                let members = members(connection, vec![chat.0]).await?;
                Ok(Some(Entry {
                    members: members.into_iter().map(|(_, member)| member).collect(),
                    last_seq: row.try_get("last_seq")?,
                    role: word(&row, "role")?,
                    name: row.try_get("name")?,
                }))
            })
        })
        .await
    }
}

fn cursor_of(row: &PgRow) -> sqlx::Result<ChatCursor> {
    Ok(ChatCursor {
        active_at_micros: row.try_get::<DateTime<Utc>, _>("active_at")?.timestamp_micros(),
        chat_id: ChatId(row.try_get("chat_id")?),
    })
}

async fn members(
    connection: &mut PgConnection,
    chats: Vec<Uuid>,
) -> sqlx::Result<Vec<(Uuid, Member)>> {
    sqlx::query(MEMBERS)
        .bind(chats)
        .fetch_all(connection)
        .await?
        .iter()
        .map(|row| {
            let member = Member {
                user_id: UserId(row.try_get("user_id")?),
                role: word(row, "role")?,
                name: row.try_get("name")?,
                status: None,
                last_seen: moment_if_any(row, "last_seen_at")?,
                last_read_seq: row.try_get("last_read_seq")?,
                joined_at: moment(row, "joined_at")?,
            };
            Ok((row.try_get("chat_id")?, member))
        })
        .collect()
}

/// Chats with their members, in the order of `rows`, each with its reader.
async fn with_members(
    connection: &mut PgConnection,
    rows: &[PgRow],
) -> sqlx::Result<Vec<(UserId, Chat)>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut chats = rows.iter().map(chat_of).collect::<sqlx::Result<Vec<_>>>()?;
    let mut ids: Vec<Uuid> = chats.iter().map(|(_, chat)| chat.id.0).collect();
    ids.dedup();
    let mut by_chat: HashMap<Uuid, Vec<Member>> = HashMap::with_capacity(ids.len());
    for (chat, member) in members(connection, ids).await? {
        by_chat.entry(chat).or_default().push(member);
    }
    for (_, chat) in &mut chats {
        chat.members = by_chat.get(&chat.id.0).cloned().unwrap_or_default();
    }
    Ok(chats)
}

fn chat_of(row: &PgRow) -> sqlx::Result<(UserId, Chat)> {
    let id = ChatId(row.try_get("chat_id")?);
    let newest: Option<Seq> = row.try_get("seq")?;
    let chat = Chat {
        id,
        job: ChatJob {
            id: JobId(row.try_get("job_id")?),
            title: row.try_get("title")?,
            status: word(row, "status")?,
        },
        members: Vec::new(),
        last_message: newest.map(|seq| message_row(id, seq, row)).transpose()?,
        unread_count: row.try_get("unread")?,
        last_seq: row.try_get("last_seq")?,
        lsm_invited: row.try_get("lsm_invited")?,
        lsm_joined: row.try_get("lsm_joined")?,
        lsm_joined_at: moment_if_any(row, "lsm_joined_at")?,
        closed: row.try_get("closed")?,
        created_at: moment(row, "booked_at")?,
    };
    Ok((UserId(row.try_get("reader")?), chat))
}
