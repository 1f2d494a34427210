//! Chats that somebody else keeps locked: each waits in a queue of its own, so that one locked chat
//! stalls no other, and no later message of it overtakes (RELIABILITY §2.4).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, mpsc};
use trialogue_protocol::ChatId;

use super::error::StoreError;
use super::lane::{BATCH_MAX, Waiting, store};
use super::pool::Pool;
use crate::metrics::Restarts;
use crate::supervise::{self, Task};

/// Messages that may wait for one locked chat.
const WAITING_MAX: usize = 256;
/// Locked chats at once.
const CHATS_MAX: usize = 256;
/// Connections that may wait for locks at once: few enough that others always find one.
const CONNECTIONS_MAX: usize = 4;

/// The queues. Owned by the lane, which alone puts messages in.
pub(super) struct Busy {
    pool: Pool,
    queues: HashMap<ChatId, Queue>,
    connections: Arc<Semaphore>,
    restarts: Restarts,
}

struct Queue {
    sender: mpsc::Sender<Waiting>,
    /// Messages put in and not answered yet. Only the lane adds, so when the lane reads 0 nothing
    /// is under way and the chat may use the common line again.
    unsettled: Arc<AtomicUsize>,
}

impl Busy {
    pub(super) fn new(pool: Pool, restarts: Restarts) -> Self {
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        Self { pool, queues: HashMap::new(), connections, restarts }
    }

    /// Whether the chat still has messages that must go first.
    pub(super) fn holds(&mut self, chat: ChatId) -> bool {
        if self.queues.is_empty() {
            return false;
        }
        let held = |queue: &Queue| queue.unsettled.load(Ordering::Acquire) > 0;
        match self.queues.get(&chat) {
            Some(queue) if held(queue) => true,
            Some(_) => {
                // Its sender goes, and with it its task.
                self.queues.remove(&chat);
                false
            }
            None => false,
        }
    }

    /// Puts a message behind the others of its chat.
    pub(super) fn put(&mut self, waiting: Waiting) {
        let chat = waiting.message.chat_id;
        if !self.holds(chat) {
            if self.queues.len() >= CHATS_MAX {
                self.queues.retain(|_, queue| queue.unsettled.load(Ordering::Acquire) > 0);
            }
            if self.queues.len() >= CHATS_MAX {
                waiting.settle(Err(StoreError::unavailable("too many chats are locked")));
                return;
            }
            let queue = self.start();
            self.queues.insert(chat, queue);
        }
        let Some(queue) = self.queues.get(&chat) else { return };
        queue.unsettled.fetch_add(1, Ordering::AcqRel);
        if let Err(refused) = queue.sender.try_send(waiting) {
            queue.unsettled.fetch_sub(1, Ordering::AcqRel);
            let error = StoreError::unavailable("too many messages wait for a locked chat");
            refused.into_inner().settle(Err(error));
        }
    }

    fn start(&self) -> Queue {
        let (sender, waiting) = mpsc::channel(WAITING_MAX);
        let unsettled = Arc::new(AtomicUsize::new(0));
        let wait = WaitOut {
            pool: self.pool.clone(),
            connections: Arc::clone(&self.connections),
            waiting,
            unsettled: Arc::clone(&unsettled),
            batch: Vec::new(),
            tried: 0,
        };
        tokio::spawn(supervise::keep(wait, self.restarts.clone()));
        Queue { sender, unsettled }
    }
}

/// Stores the messages of one locked chat, waiting for its lock (at most the `lock_timeout`, then
/// they are `unavailable`), until the lane lets go of the queue.
struct WaitOut {
    pool: Pool,
    connections: Arc<Semaphore>,
    waiting: mpsc::Receiver<Waiting>,
    unsettled: Arc<AtomicUsize>,
    /// Whose turn is next.
    batch: Vec<Waiting>,
    /// How many are in the statement under way.
    tried: usize,
}

impl Task for WaitOut {
    const NAME: &'static str = "locked_chat";

    async fn run(&mut self) {
        while self.collect().await {
            let Ok(_turn) = Arc::clone(&self.connections).acquire_owned().await else { return };
            self.tried = self.batch.len();
            // What comes back carried the key of another one in the batch: its turn is next.
            self.batch = store(&self.pool, std::mem::take(&mut self.batch), true).await;
            self.settle(self.batch.len());
        }
    }

    /// The senders of that statement were told that its outcome is unknown.
    fn failed(&mut self) {
        self.settle(0);
    }
}

impl WaitOut {
    /// Fills the batch with what waits; false when nothing will come any more.
    async fn collect(&mut self) -> bool {
        if self.batch.is_empty() {
            let Some(first) = self.waiting.recv().await else { return false };
            self.batch.push(first);
        }
        while self.batch.len() < BATCH_MAX
            && let Ok(next) = self.waiting.try_recv()
        {
            self.batch.push(next);
        }
        true
    }

    /// The statement is over for all but those that came back.
    fn settle(&mut self, back: usize) {
        let tried = std::mem::take(&mut self.tried);
        self.unsettled.fetch_sub(tried.saturating_sub(back), Ordering::AcqRel);
    }
}
