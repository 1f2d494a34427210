//! The end of a run: everybody reads everything once more, and so does an independent connection.

use sqlx::{Connection, PgConnection, Row};
use trialogue_checker::Line;
use trialogue_checker::history::{Entry, OpName};
use uuid::Uuid;

use super::cast::Person;
use super::history::{Pen, digest, entry};

/// Messages of a page of the final read.
const PAGE: usize = 500;

/// The final read of a chat by one of its members, over HTTP.
pub(super) async fn read_all(pen: &Pen, person: &Person, chat: &str) {
    let mut after = 0;
    loop {
        let path = format!("/chat/{chat}/messages?afterSeq={after}&limit={PAGE}");
        let page = person.get(&path).await;
        let more = page["hasMore"].as_bool().unwrap();
        let messages = page["messages"].as_array().unwrap();
        let rows: Vec<Entry<'_>> = messages.iter().map(entry).collect();
        after = rows.last().and_then(|row| row.seq).unwrap_or(after);
        pen.client(Line {
            op: OpName::Page,
            chat: Some(chat.into()),
            is_final: Some(true),
            more: Some(more),
            last_seq: page["lastSeq"].as_u64(),
            rows: Some(rows),
            ..Line::default()
        });
        if !more {
            return;
        }
    }
}

/// Counters of all chats.
pub(super) async fn last_seqs(outside: &mut PgConnection) -> Vec<(String, u64)> {
    let rows = sqlx::query("select id, last_seq from chats").fetch_all(outside).await.unwrap();
    rows.iter().map(|row| (uuid(row, 0), number(row, 1))).collect()
}

/// The tables.
pub(super) async fn dump(pen: &Pen, mut outside: PgConnection) {
    let sql = "select chat_id, seq, id, client_message_id, sender_id, body from messages";
    for row in sqlx::query(sql).fetch_all(&mut outside).await.unwrap() {
        pen.row(Line {
            op: OpName::Row,
            chat: Some(uuid(&row, 0).into()),
            seq: Some(number(&row, 1)),
            id: Some(uuid(&row, 2).into()),
            cmid: row.get::<Option<String>, _>(3).map(Into::into),
            sender: Some(number(&row, 4).to_string().into()),
            h: Some(digest(row.get(5)).into()),
            ..Line::default()
        });
    }
    for (chat, last_seq) in last_seqs(&mut outside).await {
        let (chat, last_seq) = (Some(chat.into()), Some(last_seq));
        pen.row(Line { op: OpName::Chat, chat, last_seq, ..Line::default() });
    }
    let sql = "select chat_id, user_id, added_seq from chat_members where removed_at is null";
    for row in sqlx::query(sql).fetch_all(&mut outside).await.unwrap() {
        let (chat, user) = (Some(uuid(&row, 0).into()), Some(number(&row, 1).to_string().into()));
        let added_seq = Some(number(&row, 2));
        pen.row(Line { op: OpName::Member, chat, user, added_seq, ..Line::default() });
    }
    let sql = "select chat_id, recipient_id, seq from notifications where kind = 'message'";
    for row in sqlx::query(sql).fetch_all(&mut outside).await.unwrap() {
        let (chat, user) = (Some(uuid(&row, 0).into()), Some(number(&row, 1).to_string().into()));
        let seq = Some(number(&row, 2));
        pen.row(Line { op: OpName::Note, chat, user, seq, ..Line::default() });
    }
    outside.close().await.unwrap();
}

fn uuid(row: &sqlx::postgres::PgRow, at: usize) -> String {
    row.get::<Uuid, _>(at).to_string()
}

fn number(row: &sqlx::postgres::PgRow, at: usize) -> u64 {
    row.get::<i64, _>(at).try_into().unwrap()
}
