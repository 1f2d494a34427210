//! Reading what was said: pages by key, for people.
//!
//! `seq` has no holes, so every page is a range that can be named before it is read, and a long one
//! is read in chunks of bounded size, each with the access check inside.

use sqlx::Row;
use sqlx::postgres::PgRow;
use trialogue_protocol::{ChatId, Message, MessageId, Seq, UserId};
use uuid::Uuid;

use super::rows::{moment, word};
use super::{Store, StoreError};

/// Rows of one chunk: bounds memory and the time that a connection is held.
const CHUNK_ROWS_MAX: i64 = 500;

/// Which part of a chat. Values are checked by the caller: `after` >= 0, `before` >= 1,
/// `limit` >= 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// Forwards: messages after one, all of them or so many. A chunk begins right after it.
    After {
        /// This one.
        seq: Seq,
        /// So many.
        limit: Option<i64>,
    },
    /// Backwards: so many messages before one, or before the end. A chunk ends right before it.
    Before {
        /// This one.
        seq: Option<Seq>,
        /// So many.
        limit: i64,
    },
}

/// A chunk of a range.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Ascending, without holes; a part of the range when that is long.
    pub messages: Vec<Message>,
    /// `seq` of the newest message of the chat.
    pub last_seq: Seq,
}

/// $1 chat, $2 reader, $3 after or null, $4 before or null, $5 limit or null, $6 rows, $7 bytes.
const PAGE: &str = "
    with access as (
        select c.last_seq
        from chat_members m
        join users u on u.id = m.user_id and u.disabled_at is null
        join chats c on c.id = m.chat_id
        where m.chat_id = $1 and m.user_id = $2 and m.removed_at is null
    ), through as (
        select a.last_seq,
               least(coalesce($3 + $5, $4 - 1, a.last_seq), a.last_seq) as through
        from access a
    ), range as (
        select t.last_seq, t.through, coalesce($3, greatest(t.through - $5, 0)) as after
        from through t
    )
    select r.last_seq, p.*
    from range r
    left join lateral (
        select s.seq, s.id, s.sender_id, m.role, u.name, s.body, s.message_type, s.created_at,
               case when s.sender_id = $2 then s.client_message_id end as client_message_id
        from (
            select i.*,
                   sum(octet_length(i.body)) over (
                       order by case when $3 is null then -i.seq else i.seq end
                       rows unbounded preceding) - octet_length(i.body) as bytes
            from messages i
            where i.chat_id = $1
                and i.seq > case when $3 is null
                                 then greatest(r.after, r.through - $6) else r.after end
                and i.seq <= case when $3 is null
                                  then r.through else least(r.through, r.after + $6) end) s
        join chat_members m on m.chat_id = $1 and m.user_id = s.sender_id
        join users u on u.id = s.sender_id
        where s.bytes < $7
    ) p on true
    order by p.seq";

/// $1 chat, $2 reader.
const REACH: &str = "
    select c.last_seq
    from chat_members m
    join users u on u.id = m.user_id and u.disabled_at is null
    join chats c on c.id = m.chat_id
    where m.chat_id = $1 and m.user_id = $2 and m.removed_at is null";

impl Store {
    /// How far a chat is that the reader may read; `None` for who is not in it, and for a chat that
    /// does not exist.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is stored by this.
    pub async fn reach(&self, reader: UserId, chat: ChatId) -> Result<Option<Seq>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                sqlx::query_scalar(REACH)
                    .bind(chat.0)
                    .bind(reader.0)
                    .fetch_optional(connection)
                    .await
            })
        })
        .await
    }

    /// The first chunk of a range, at most `bytes` of text (one message at least); `None` for who
    /// is not in the chat, and for a chat that does not exist.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is stored by this.
    pub async fn page(
        &self,
        reader: UserId,
        chat: ChatId,
        range: Range,
        bytes: usize,
    ) -> Result<Option<Page>, StoreError> {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let (after, before, limit) = match range {
            Range::After { seq, limit } => (Some(seq), None, limit),
            Range::Before { seq, limit } => (None, seq, Some(limit)),
        };
        let rows = self
            .read(move |connection| {
                Box::pin(async move {
                    sqlx::query(PAGE)
                        .bind(chat.0)
                        .bind(reader.0)
                        .bind(after)
                        .bind(before)
                        .bind(limit)
                        .bind(CHUNK_ROWS_MAX)
                        .bind(bytes)
                        .fetch_all(connection)
                        .await?
                        .iter()
                        .map(|row| page_row(chat, row))
                        .collect::<sqlx::Result<Vec<_>>>()
                })
            })
            .await?;
        let Some(first) = rows.first() else { return Ok(None) };
        let last_seq = first.last_seq;
        let messages = rows.into_iter().filter_map(|row| row.message).collect();
        Ok(Some(Page { messages, last_seq }))
    }

    /// How far each of these chats is; chats that do not exist are left out.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is stored by this.
    pub async fn last_seqs(&self, chats: &[ChatId]) -> Result<Vec<(ChatId, Seq)>, StoreError> {
        let chats: Vec<Uuid> = chats.iter().map(|chat| chat.0).collect();
        let rows: Vec<(Uuid, Seq)> = self
            .read(move |connection| {
                Box::pin(async move {
                    sqlx::query_as("select id, last_seq from chats where id = any($1)")
                        .bind(chats)
                        .fetch_all(connection)
                        .await
                })
            })
            .await?;
        Ok(rows.into_iter().map(|(id, seq)| (ChatId(id), seq)).collect())
    }
}

struct PageRow {
    last_seq: Seq,
    message: Option<Message>,
}

fn page_row(chat: ChatId, row: &PgRow) -> sqlx::Result<PageRow> {
    let seq: Option<Seq> = row.try_get("seq")?;
    Ok(PageRow {
        last_seq: row.try_get("last_seq")?,
        message: seq.map(|seq| message_row(chat, seq, row)).transpose()?,
    })
}

/// A message of a row that names its columns as the statements above do.
pub(super) fn message_row(chat: ChatId, seq: Seq, row: &PgRow) -> sqlx::Result<Message> {
    let key: Option<&str> = row.try_get("client_message_id")?;
    Ok(Message {
        id: MessageId(row.try_get("id")?),
        chat_id: chat,
        seq: Some(seq),
        sender_type: word(row, "role")?,
        sender_id: UserId(row.try_get("sender_id")?),
        sender_name: row.try_get("name")?,
        message: row.try_get("body")?,
        message_type: word(row, "message_type")?,
        client_message_id: key
            .map(str::parse)
            .transpose()
            .map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        created_at: moment(row, "created_at")?,
    })
}
