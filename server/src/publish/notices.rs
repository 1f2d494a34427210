//! Pushes `notification:created` to people who are online but not in the chat's room.
//!
//! The notification is stored long before it comes here. Title, text and the unread count are read
//! now, many at a time and only for people with a socket to push to.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use trialogue_protocol::{ChatId, NotificationCreated, NotificationId, UserId, event, room};

use super::{Context, frames};
use crate::supervise::Task;

/// Notifications that wait to be pushed; beyond that the push is left out (the row is there).
const WAITING_MAX: usize = 1_024;
/// Notifications read with one statement.
const BATCH_MAX: usize = 128;
/// A notification that was here is remembered at least so long: the sweep looks as far back when
/// other nodes store some too.
const REMEMBERED: Duration = Duration::from_secs(30);
/// And at most so many, twice.
const REMEMBERED_MAX: usize = 65_536;
/// Time for that statement; then these pushes are left out.
const READ_TIMEOUT: Duration = Duration::from_secs(2);

/// A stored notification that somebody should see.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Notice {
    pub(crate) recipient: UserId,
    pub(crate) id: NotificationId,
    /// The chat whose message it tells of: sockets in its room have the message itself.
    pub(crate) chat_id: Option<ChatId>,
}

/// The reading end.
pub(crate) struct Lane {
    waiting: mpsc::Receiver<Notice>,
    had: Had,
    context: Context,
}

/// The way into a lane, and what waits in it.
pub(crate) fn lane() -> (mpsc::Sender<Notice>, mpsc::Receiver<Notice>) {
    mpsc::channel(WAITING_MAX)
}

impl Lane {
    pub(crate) fn new(waiting: mpsc::Receiver<Notice>, context: Context) -> Self {
        let had = Had { lately: HashSet::new(), before: HashSet::new(), since: Instant::now() };
        Self { waiting, had, context }
    }
}

impl Task for Lane {
    const NAME: &'static str = "notices";

    /// Pushes until every sender is gone.
    async fn run(&mut self) {
        let Self { waiting, had, context } = self;
        let mut notices = Vec::with_capacity(BATCH_MAX);
        while waiting.recv_many(&mut notices, BATCH_MAX).await > 0 {
            notices.retain(|notice| {
                had.is_first(notice.id) && context.presence.sockets_of(notice.recipient) > 0
            });
            if !notices.is_empty() {
                push(&notices, context).await;
            }
            notices.clear();
        }
    }
}

/// Which notifications were here, so that each is pushed once, whoever brings it.
struct Had {
    lately: HashSet<NotificationId>,
    before: HashSet<NotificationId>,
    since: Instant,
}

impl Had {
    fn is_first(&mut self, id: NotificationId) -> bool {
        if self.since.elapsed() > REMEMBERED || self.lately.len() >= REMEMBERED_MAX {
            self.before = std::mem::take(&mut self.lately);
            self.since = Instant::now();
        }
        !self.before.contains(&id) && self.lately.insert(id)
    }
}

async fn push(notices: &[Notice], context: &Context) {
    let keys: Vec<_> = notices.iter().map(|notice| (notice.recipient, notice.id)).collect();
    let read = tokio::time::timeout(READ_TIMEOUT, context.store.pushable(&keys)).await;
    let Ok(Ok(rows)) = read else {
        tracing::warn!(left_out = keys.len(), "notifications could not be read to be pushed");
        return;
    };
    for (notification, unread_count) in rows {
        let Some(notice) = notices.iter().find(|notice| notice.id == notification.id) else {
            continue;
        };
        let body = NotificationCreated { notification, unread_count: Some(unread_count) };
        let Some(frame) = frames::encode(event::NOTIFICATION_CREATED, &body) else { continue };
        let chat = notice.chat_id.map(room::chat);
        for socket in context.namespace.sockets(&room::user(notice.recipient)) {
            if !chat.as_deref().is_some_and(|chat| socket.is_in(chat)) {
                // A socket that is gone reads the list when it is back.
                let _ = socket.emit(&frame);
            }
        }
    }
}
