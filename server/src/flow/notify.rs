//! Notifications: what a person is told, and what the person has read of it.

use trialogue_protocol::{
    JobId, Notification, NotificationId, NotificationList, NotificationType, UserId,
};

use super::check;
use crate::error::Error;
use crate::policy::Refusal;
use crate::publish::{Broadcast, StoredMessage};
use crate::store::{EXCERPT_CHARS_MAX, Store};

/// What a list of notifications is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotificationQuery {
    /// Only those not read, or only those read.
    pub unread: Option<bool>,
    /// At most so many.
    pub limit: Option<i64>,
    /// Older than this one.
    pub before: Option<NotificationId>,
}

/// A person's notifications, newest first, and how many are not read.
///
/// # Errors
///
/// `bad_request` for the limit, `unavailable`.
pub async fn list(
    store: &Store,
    user: UserId,
    query: &NotificationQuery,
) -> Result<NotificationList, Error> {
    let limit = check::limit(query.limit)?;
    let mut notifications =
        store.notifications(user, query.unread, query.before, limit + 1).await?;
    let more = i64::try_from(notifications.len()).is_ok_and(|length| length > limit);
    if more {
        notifications.pop();
    }
    let next = notifications.last().filter(|_| more).map(|last| last.id.to_string());
    let unread_count = unread(store, user).await?;
    Ok(NotificationList { notifications, unread_count, next })
}

/// Marks one as read; answers how many are left unread.
///
/// # Errors
///
/// `denied` when it is not the person's, `unavailable`, `outcome_unknown`.
pub async fn read(store: &Store, user: UserId, id: NotificationId) -> Result<i64, Error> {
    if store.read_notifications(user, Some(id)).await? == 0 {
        return Err(Refusal::Denied.into());
    }
    unread(store, user).await
}

/// Marks all as read; answers how many are left unread: those that came meanwhile.
///
/// # Errors
///
/// `unavailable`, `outcome_unknown`.
pub async fn read_all(store: &Store, user: UserId) -> Result<i64, Error> {
    store.read_notifications(user, None).await?;
    unread(store, user).await
}

async fn unread(store: &Store, user: UserId) -> Result<i64, Error> {
    let counts = store.unread_counts(&[user]).await?;
    Ok(counts.first().map_or(0, |(_, count)| *count))
}

/// Stored notifications as events.
pub(super) fn told(notices: Vec<Notification>) -> impl Iterator<Item = Broadcast> {
    notices.into_iter().map(Broadcast::Notified)
}

/// The notification of a message for one recipient, as the database would show it. For the
/// publisher, which needs it only for people who are elsewhere.
pub fn of_message(
    stored: &StoredMessage,
    recipient: UserId,
    id: NotificationId,
    job: Option<JobId>,
) -> Notification {
    let message = &stored.message;
    Notification {
        id,
        recipient_id: recipient,
        kind: NotificationType::Message,
        title: format!("New message from {}", message.sender_name),
        message: message.message.chars().take(EXCERPT_CHARS_MAX).collect(),
        chat_id: Some(message.chat_id),
        job_id: job,
        is_read: false,
        created_at: message.created_at,
    }
}
