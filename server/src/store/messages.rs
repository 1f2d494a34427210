//! Messages: the batch that stores them, and every way to read them.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::FutureExt;
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};
use trialogue_protocol::{
    ChatId, ClientMessageId, Message, MessageId, MessageType, NotificationId, UserId,
};
use uuid::Uuid;

use super::error::StoreError;
use super::pool::Pool;
use super::rows::{moment, word};
use crate::publish::StoredMessage;

/// Notifications per message whose ids are made beforehand: a chat has three members.
const NOTICES_PER_MESSAGE: usize = 2;

/// A message on its way in.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Where it is said.
    pub chat_id: ChatId,
    /// Who says it: taken from the session, never from the payload.
    pub sender_id: UserId,
    /// The sender's name for it.
    pub client_message_id: Option<ClientMessageId>,
    /// What kind of content it is.
    pub message_type: MessageType,
    /// The text, already checked against the limits. Shared with the batch that carries it.
    pub body: Arc<str>,
}

/// What became of it.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// A new row, and what is needed to tell everyone.
    Stored(StoredMessage),
    /// The row that the same key had stored before.
    Duplicate(Message),
    /// The key was used for another text.
    Conflict,
    /// The chat takes no more messages.
    Closed,
    /// Not in the chat, or no such chat.
    Denied,
}

const STORE_MESSAGES: &str = "
    select n, verdict, id, seq, created_at, sender_role, sender_name, recipients, notices
    from store_messages($1, $2, $3, $4, $5, $6, $7, $8)";

/// Stores a batch in one statement. One verdict per message, in their order; `None` means that the
/// message has to be tried again. No key may come twice in it ([`twins`]).
pub(super) async fn store_batch(
    pool: &Pool,
    messages: Arc<[NewMessage]>,
    wait: bool,
) -> Result<Vec<Option<Verdict>>, StoreError> {
    pool.write(move |connection| {
        async move { call_store_messages(connection, &messages, wait).await }.boxed()
    })
    .await
}

async fn call_store_messages(
    connection: &mut PgConnection,
    messages: &[NewMessage],
    wait: bool,
) -> sqlx::Result<Vec<Option<Verdict>>> {
    let chats: Vec<Uuid> = messages.iter().map(|m| m.chat_id.0).collect();
    let senders: Vec<i64> = messages.iter().map(|m| m.sender_id.0).collect();
    let keys: Vec<Option<&str>> =
        messages.iter().map(|m| m.client_message_id.as_ref().map(|k| k.as_str())).collect();
    let types: Vec<&str> = messages.iter().map(|m| m.message_type.as_str()).collect();
    let bodies: Vec<&str> = messages.iter().map(|m| &*m.body).collect();
    let ids: Vec<Uuid> = messages.iter().map(|_| Uuid::now_v7()).collect();
    let notices: Vec<Uuid> =
        (0..messages.len() * NOTICES_PER_MESSAGE).map(|_| Uuid::now_v7()).collect();
    let rows = sqlx::query(STORE_MESSAGES)
        .bind(chats)
        .bind(senders)
        .bind(keys)
        .bind(types)
        .bind(bodies)
        .bind(ids)
        .bind(notices)
        .bind(wait)
        .fetch_all(connection)
        .await?;
    if rows.len() != messages.len() {
        return Err(sqlx::Error::RowNotFound);
    }
    let mut verdicts = vec![None; messages.len()];
    for row in &rows {
        // From 1, in the order of the arrays.
        let place = usize::try_from(row.try_get::<i32, _>("n")? - 1).unwrap_or(usize::MAX);
        let message = messages.get(place).ok_or(sqlx::Error::RowNotFound)?;
        verdicts[place] = verdict(message, row)?;
    }
    Ok(verdicts)
}

/// Which messages carry the key of an earlier one of the batch: they must find its row, so they
/// have to wait for the next one.
pub(super) fn twins<'m>(messages: impl Iterator<Item = &'m NewMessage>) -> Vec<bool> {
    let mut keys = HashSet::new();
    let is_twin = |message: &'m NewMessage| match &message.client_message_id {
        Some(key) => !keys.insert((message.chat_id, message.sender_id, key)),
        None => false,
    };
    messages.map(is_twin).collect()
}

fn verdict(message: &NewMessage, row: &PgRow) -> sqlx::Result<Option<Verdict>> {
    let verdict: &str = row.try_get("verdict")?;
    Ok(Some(match verdict {
        "stored" => Verdict::Stored(stored(message, row)?),
        "duplicate" => Verdict::Duplicate(message_of(message, row)?),
        "conflict" => Verdict::Conflict,
        "closed" => Verdict::Closed,
        "denied" => Verdict::Denied,
        "busy" => return Ok(None),
        _ => return Err(sqlx::Error::Decode("unknown verdict".into())),
    }))
}

fn message_of(message: &NewMessage, row: &PgRow) -> sqlx::Result<Message> {
    Ok(Message {
        id: MessageId(row.try_get("id")?),
        chat_id: message.chat_id,
        seq: Some(row.try_get("seq")?),
        sender_type: word(row, "sender_role")?,
        sender_id: message.sender_id,
        sender_name: row.try_get("sender_name")?,
        message: message.body.as_ref().to_owned(),
        message_type: message.message_type,
        client_message_id: message.client_message_id.clone(),
        created_at: moment(row, "created_at")?,
    })
}

fn stored(message: &NewMessage, row: &PgRow) -> sqlx::Result<StoredMessage> {
    let recipients: Option<Vec<i64>> = row.try_get("recipients")?;
    let notices: Vec<Uuid> = row.try_get("notices")?;
    let recipients = recipients.unwrap_or_default();
    let notifications = recipients
        .iter()
        .zip(notices)
        .map(|(user, notice)| (UserId(*user), NotificationId(notice)))
        .collect();
    let members = recipients.into_iter().map(UserId).chain([message.sender_id]).collect();
    Ok(StoredMessage { message: message_of(message, row)?, members, notifications })
}
