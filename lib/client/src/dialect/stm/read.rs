//! Values of foreign JSON -> ours, whatever is missing.

use serde_json::Value;
use trialogue_protocol::{
    ChatId, JobStatus, Message, MessageId, MessageType, Notification, NotificationId,
    NotificationType, Role, Timestamp, UserId,
};

/// The first of these fields that is there and not null.
pub(super) fn field<'a>(value: &'a Value, names: &[&str]) -> Option<&'a Value> {
    names.iter().find_map(|name| value.get(name).filter(|found| !found.is_null()))
}

/// A field's text.
pub(super) fn text(value: &Value, names: &[&str]) -> Option<String> {
    field(value, names)?.as_str().map(ToOwned::to_owned)
}

/// A field's integer, also where it is written as text.
pub(super) fn number(value: &Value, names: &[&str]) -> Option<i64> {
    let found = field(value, names)?;
    found.as_i64().or_else(|| found.as_str()?.parse().ok())
}

/// A field's user id.
pub(super) fn user(value: &Value, names: &[&str]) -> Option<UserId> {
    number(value, names).map(UserId)
}

/// A field's moment.
pub(super) fn time(value: &Value, names: &[&str]) -> Option<Timestamp> {
    serde_json::from_value(field(value, names)?.clone()).ok()
}

/// A field's chat.
pub(super) fn chat(value: &Value, names: &[&str]) -> Option<ChatId> {
    field(value, names)?.as_str()?.parse().ok()
}

/// A field that is true.
pub(super) fn flag(value: &Value, name: &str) -> bool {
    value.get(name).and_then(Value::as_bool).unwrap_or(false)
}

/// The start of time, for rows that do not say when.
pub(super) fn epoch() -> Timestamp {
    chrono::DateTime::UNIX_EPOCH.into()
}

/// First and last name of a `user` object, in either spelling.
pub(super) fn full_name(value: &Value) -> Option<String> {
    let first = text(value, &["first_name", "firstName"]);
    let last = text(value, &["last_name", "lastName"]);
    match (first, last) {
        (Some(first), Some(last)) => Some(format!("{first} {last}")),
        (first, last) => first.or(last),
    }
}

/// A message in either shape (DEPLOYED §3.2), or a row of a history, which does not name its chat.
pub(super) fn message(value: &Value, of: Option<ChatId>) -> Option<Message> {
    let role = text(value, &["sender_type", "senderRole"]);
    let kind = text(value, &["message_type", "type"]);
    Some(Message {
        id: MessageId(text(value, &["id"])?.parse().ok()?),
        chat_id: chat(value, &["chatId", "chat_id"]).or(of)?,
        seq: None,
        // An administrator's word is shown as that of the house's own person.
        sender_type: role.and_then(|role| role.parse().ok()).unwrap_or(Role::Lsm),
        sender_id: user(value, &["sender_id", "senderId"]).unwrap_or(super::NOT_TOLD),
        sender_name: text(value, &["sender_name", "senderName"]).unwrap_or_default(),
        message: text(value, &["message", "content"]).unwrap_or_default(),
        message_type: kind.and_then(|kind| kind.parse().ok()).unwrap_or(MessageType::Text),
        client_message_id: None,
        created_at: time(value, &["created_at", "timestamp"]).unwrap_or_else(epoch),
    })
}

/// A history, sorted as the server sorts it; rows that are no messages are left out.
pub(super) fn history(value: &Value, of: ChatId) -> Vec<Message> {
    let rows = value.get("messages").and_then(Value::as_array);
    let mut rows: Vec<Message> =
        rows.into_iter().flatten().filter_map(|row| message(row, Some(of))).collect();
    // Stable: equal times keep the server's order (DEPLOYED §11.9).
    rows.sort_by_key(|row| row.created_at);
    rows
}

/// A notification; its chat stands in a tag at the end of its title (DEPLOYED §8).
pub(super) fn notification(value: &Value) -> Option<Notification> {
    let raw = text(value, &["title"]).unwrap_or_default();
    let (title, chat_id, job_id) = untagged(&raw);
    Some(Notification {
        id: NotificationId(text(value, &["id"])?.parse().ok()?),
        recipient_id: user(value, &["recipient_id"]).unwrap_or(super::NOT_TOLD),
        kind: match text(value, &["type"]).as_deref() {
            Some("message") => NotificationType::Message,
            Some("job") => NotificationType::Job,
            // Payment, feedback, and whatever a later version says.
            _ => NotificationType::System,
        },
        title,
        message: text(value, &["message"]).unwrap_or_default(),
        chat_id,
        job_id,
        is_read: flag(value, "is_read"),
        created_at: time(value, &["created_at"]).unwrap_or_else(epoch),
    })
}

/// A title without its tags `[chat:<uuid>]` and `[job:<id>]`, and what they name.
fn untagged(title: &str) -> (String, Option<ChatId>, Option<trialogue_protocol::JobId>) {
    let (mut rest, mut chat_id, mut job_id) = (title.trim_end(), None, None);
    while let Some(inside) = rest.strip_suffix(']') {
        let Some((before, tag)) = inside.rsplit_once('[') else { break };
        match tag.split_once(':') {
            Some(("chat", id)) => chat_id = id.parse().ok(),
            Some(("job", id)) => job_id = id.parse().ok(),
            _ => break,
        }
        rest = before.trim_end();
    }
    (rest.to_owned(), chat_id, job_id)
}

/// The state of a job (DEPLOYED §4.3) in our three words.
pub(super) fn job_status(value: &Value) -> JobStatus {
    match text(value, &["status"]).as_deref() {
        Some("completed" | "paid") => JobStatus::Completed,
        Some("cancelled" | "rejected_by_sp") => JobStatus::Cancelled,
        _ => JobStatus::Open,
    }
}
