//! Reads what rooms miss because nobody brought it: many chats with one statement, because with
//! another node that stores as much as this one there are many.

use std::cmp::Reverse;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use trialogue_protocol::{ChatId, Seq};

use super::Context;
use super::broadcast::StoredMessage;
use super::shard::{READ_TIMEOUT, Read, Shard};
use crate::store::Gap;

/// How long a missing message may still be on its way before its row is read. Commits of one chat
/// are told by several tasks, and their news cross within this time even on a busy machine.
const GAP_PATIENCE: Duration = Duration::from_millis(20);
/// Before a message is read that another node says it has stored: time for other hints that came
/// with the same notification.
const HEARD_PATIENCE: Duration = Duration::from_millis(1);
/// The same where this node stores messages of the chat too: their senders are answered before
/// others hear, and what comes by itself need not be read.
const TALKING_PATIENCE: Duration = Duration::from_millis(4);
/// A chat is talked in on this node so long after a message.
const TALKING: Duration = Duration::from_secs(1);
/// Pause after a read that failed or found nothing: the database may be away.
const FILL_PAUSE: Duration = Duration::from_millis(500);
/// Rows read at once, shared by the chats of one read; a longer gap is read page by page.
pub(super) const FILL_ROWS_MAX: usize = 1_024;
/// After reads that failed or took too long, each asks for half as many, down to this.
const FILL_ROWS_MIN: usize = 8;
/// Chats of one read: with another node that stores as much as this one there are many.
const FILL_CHATS_MAX: usize = 256;
/// Reads at the same time by one shard; what is due meanwhile waits until one ends. Leaves most of
/// the pool's connections to people.
const FILLS_MAX: usize = 2;

impl Shard<'_> {
    /// Reads what is still missing in the rooms whose patience is over.
    pub(super) fn fire(&mut self, now: Instant) {
        let mut gaps = Vec::new();
        while let Some(Reverse((at, chat_id))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            let Some(room) = self.rooms.get_mut(&chat_id) else { continue };
            room.has_timer = false;
            room.give_up(now);
            let has_room = self.fills < FILLS_MAX && gaps.len() < FILL_CHATS_MAX;
            match room.gap() {
                Some((after, through)) if has_room && !room.is_filling => {
                    room.is_filling = true;
                    gaps.push((chat_id, after, through));
                }
                Some(_) if !room.is_filling => {
                    room.has_timer = true;
                    self.overdue.push(chat_id);
                }
                _ => self.with(chat_id, |_, _| ()),
            }
        }
        if !gaps.is_empty() {
            self.fills += 1;
            self.reads.spawn(fill(self.context.clone(), gaps, self.fill_rows));
        }
        self.take_turns();
    }

    /// What was due and had no place in a read is due now, if there is one.
    pub(super) fn take_turns(&mut self) {
        if self.fills < FILLS_MAX {
            let now = Instant::now();
            self.timers.extend(self.overdue.drain(..).map(|chat_id| Reverse((now, chat_id))));
        }
    }

    /// Another node has stored messages up to here.
    pub(super) fn heard(&mut self, chat_id: ChatId, seq: Seq) {
        let Some(room) = self.rooms.get_mut(&chat_id) else { return };
        room.learn_of(seq);
        if room.has_gap() && !room.has_timer && !room.is_filling {
            room.has_timer = true;
            let now = Instant::now();
            let is_talking = room.spoken_at.is_some_and(|at| now - at < TALKING);
            let patience = if is_talking { TALKING_PATIENCE } else { HEARD_PATIENCE };
            self.timers.push(Reverse((now + patience, chat_id)));
        }
    }

    /// A read has succeeded or not: the next one asks for more, or for less.
    pub(super) fn weigh_fill(&mut self, is_read: bool) {
        self.fill_rows = match is_read {
            true => (self.fill_rows * 2).min(FILL_ROWS_MAX),
            false => (self.fill_rows / 2).max(FILL_ROWS_MIN),
        };
    }

    /// Puts out what was read.
    pub(super) fn filled(&mut self, chat_id: ChatId, rows: Vec<StoredMessage>) {
        let Some(room) = self.rooms.get_mut(&chat_id) else { return };
        room.is_filling = false;
        if rows.is_empty() {
            room.has_timer = true;
            return self.timers.push(Reverse((Instant::now() + FILL_PAUSE, chat_id)));
        }
        self.context.metrics.filled(rows.len());
        tracing::debug!(chat = %chat_id, rows = rows.len(), "a gap was filled");
        self.with(chat_id, |room, context| {
            rows.into_iter().for_each(|row| room.arrive(row, context));
        });
    }
}

/// How long a hole may stay open before its rows are read: where another node stores messages too
/// it is most likely one of those.
pub(super) fn patience(context: &Context) -> Duration {
    if context.nodes.has_others() { TALKING_PATIENCE } else { GAP_PATIENCE }
}

/// Reads what these chats miss; the rows in the order of the gaps.
async fn fill(context: Context, mut gaps: Vec<Gap>, rows_max: usize) -> Read {
    gaps.sort_unstable_by_key(|(chat_id, ..)| *chat_id);
    let rows_max = i64::try_from(rows_max.div_ceil(gaps.len())).unwrap_or(1);
    let read = match timeout(READ_TIMEOUT, context.store.missing(&gaps, rows_max)).await {
        Ok(Ok(rows)) => Some(rows),
        // It is read again, or asked for again.
        Ok(Err(error)) => {
            tracing::warn!(%error, chats = gaps.len(), "messages of rooms could not be read");
            None
        }
        Err(_) => {
            tracing::warn!(
                chats = gaps.len(),
                rows_max,
                "reading messages of rooms takes too long"
            );
            None
        }
    };
    Read::Rows(gaps, read)
}
