//! What the sweep looks at only because other nodes store things too: chats that have an LSM, or
//! have none any more, or whose job ended, notifications for people who are online here, read marks.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use trialogue_protocol::{ChatId, Seq, UserId};

use super::super::notices::Notice;
use super::super::{Broadcast, Context, Op, Publisher, shard_of};
use super::Due;
use crate::store::StoreError;

/// How far a change of a chat may lie behind its own time stamp when it commits.
const CHANGE_LAG_MAX: Duration = Duration::from_secs(10);
/// The same for a notification, whose statement may take 3 s.
const NOTICE_LAG_MAX: Duration = Duration::from_secs(4);
/// Who connects reads the list of notifications after that. What was stored earlier is in it; what
/// was being stored meanwhile may not be.
const CONNECT_SLACK: Duration = Duration::from_secs(1);

/// What was dealt with, so that each is dealt with once.
#[derive(Default)]
pub(in crate::publish) struct Tail {
    changes: HashMap<(ChatId, DateTime<Utc>), Instant>,
}

impl Tail {
    /// Looks at what is due. Read marks are looked at by the sweep of the rooms.
    pub(in crate::publish) async fn sweep(
        &mut self,
        due: &Due,
        publisher: &Publisher,
        context: &Context,
    ) -> Result<(), StoreError> {
        if due.everything || due.chats {
            self.chats(publisher, context).await?;
        }
        if due.everything {
            notices(context.presence.online(), context).await?;
        } else if !due.people.is_empty() {
            notices(due.people.iter().copied().collect(), context).await?;
        }
        Ok(())
    }

    async fn chats(&mut self, publisher: &Publisher, context: &Context) -> Result<(), StoreError> {
        let now = Instant::now();
        for change in context.store.changed_chats(CHANGE_LAG_MAX).await? {
            if self.changes.insert(change, now).is_none() {
                publisher.tell_here(Broadcast::ChatUpdated { chat_id: change.0 }).await;
            }
        }
        self.changes.retain(|_, at| now - *at < 2 * CHANGE_LAG_MAX);
        Ok(())
    }
}

/// Hands notifications that these people may not have been told of to the lane, which knows those
/// that it has had.
async fn notices(people: Vec<UserId>, context: &Context) -> Result<(), StoreError> {
    if people.is_empty() {
        return Ok(());
    }
    let fresh = context.store.fresh_notices(&people, NOTICE_LAG_MAX).await?;
    let now = Instant::now();
    for notice in fresh {
        let Some(came_at) = context.presence.came_at(notice.recipient) else { continue };
        if now.duration_since(came_at) + CONNECT_SLACK >= notice.age {
            let (recipient, id, chat_id) = (notice.recipient, notice.id, notice.chat_id);
            context.push(Notice { recipient, id, chat_id });
        }
    }
    Ok(())
}

/// Looks for read marks that moved in rooms of this node. `known`: chat, sum of its marks.
pub(in crate::publish) async fn marks(
    known: &[(ChatId, i64)],
    publisher: &Publisher,
    context: &Context,
) -> Result<(), StoreError> {
    let moved = context.store.moved_marks(known).await?;
    for marks in moved.chunk_by(|a, b| a.0 == b.0) {
        let Some(&(chat_id, ..)) = marks.first() else { continue };
        let marks: Vec<(UserId, Seq)> = marks.iter().map(|&(_, user, seq)| (user, seq)).collect();
        publisher.hand_surely(shard_of(chat_id), Op::Marks(chat_id, marks, true)).await;
    }
    Ok(())
}
