//! The only room that emits: one task per shard of chats puts out what flows have committed, in
//! the order of `seq`, reads what nobody brought, and sweeps for what was lost (RELIABILITY §2.4).
//!
//! Nothing here decides what is true: a broadcast repeats a commit and may be lost at any instant;
//! the database is asked again until everybody in the room has seen it.

mod broadcast;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use trialogue_protocol::ChatId;

pub use broadcast::{Broadcast, StoredMessage};

/// Tasks that put out. Chats are dealt out by id, so that one busy chat delays a part of the
/// others only and no lock is held while a room of many sockets is served.
const SHARDS: usize = 4;
/// Things that wait for a shard. When it is full, whoever publishes waits for [`PUBLISH_WAIT`],
/// which holds back the socket or request that caused it; then the broadcast is dropped and the
/// sweep puts it out.
const QUEUE_MAX: usize = 1_024;
/// See [`QUEUE_MAX`].
const PUBLISH_WAIT: Duration = Duration::from_secs(2);

/// One thing for a shard to do.
#[derive(Debug)]
pub enum Op {
    /// A flow has committed.
    Told(Broadcast),
}

/// Where flows hand over what others must hear of. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Publisher {
    shards: Arc<[mpsc::Sender<Op>]>,
}

/// The other end of a [`Publisher`]: what its tasks will read.
#[derive(Debug)]
pub struct Publishing {
    /// One queue per shard.
    pub queues: Vec<mpsc::Receiver<Op>>,
}

impl Publisher {
    /// A publisher and what its tasks read. Until they run, broadcasts wait in the queues.
    pub fn new() -> (Self, Publishing) {
        let (shards, queues): (Vec<_>, _) = (0..SHARDS).map(|_| mpsc::channel(QUEUE_MAX)).unzip();
        (Self { shards: shards.into() }, Publishing { queues })
    }

    /// Tells others of what was committed, in this order. Called after the commit and, for a
    /// request with an acknowledgement, after that. Waits 2 s at most for room in the queue.
    pub async fn publish(&self, broadcasts: Vec<Broadcast>) {
        for broadcast in broadcasts {
            let shard = match &broadcast {
                Broadcast::Message(stored) => self.shard(stored.message.chat_id),
                Broadcast::Read { chat_id, .. }
                | Broadcast::ChatUpdated { chat_id }
                | Broadcast::MemberRemoved { chat_id, .. } => self.shard(*chat_id),
                Broadcast::Notified(_) | Broadcast::SessionsEnded { .. } => &self.shards[0],
            };
            let sent = tokio::time::timeout(PUBLISH_WAIT, shard.send(Op::Told(broadcast))).await;
            if !matches!(sent, Ok(Ok(()))) {
                tracing::warn!("a broadcast was dropped; the sweep will find it");
            }
        }
    }

    fn shard(&self, chat_id: ChatId) -> &mpsc::Sender<Op> {
        // The last bytes of an id are random, whoever made it.
        &self.shards[usize::from(chat_id.0.as_bytes()[15]) % SHARDS]
    }
}
