//! Notifications: what a person is told, and what the person has read of it.

use trialogue_protocol::{Notification, NotificationId, NotificationList, UserId};

use super::check;
use crate::error::Error;
use crate::policy::Refusal;
use crate::publish::Broadcast;
use crate::store::Store;

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
