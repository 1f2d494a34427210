//! Group commit: messages that arrive while a commit is under way are stored by the next one.
//!
//! One task owns the line: it takes what waits, calls `store_messages` once for all of it, answers
//! each sender by itself, and takes what has come meanwhile. So durable throughput is bound by rows
//! and not by the disk's flushes, and a lone message waits for nobody. Only when much fewer wait than
//! the last batch had does the line give the others a moment: senders who wait for their answers
//! come in waves, and two waves out of step would be stored, and told to their rooms, twice as often
//! as one.
//!
//! What may not happen here: a message overtaking an earlier one of its chat. Messages of a chat
//! that somebody else has locked come back at the head of the next batch; when that does not help
//! they go, with all that follow, through a queue of their own until that queue is empty.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::time::{timeout, timeout_at};

use super::busy::Busy;
use super::error::StoreError;
use super::messages::{NewMessage, Verdict, store_batch, twins};
use super::pool::Pool;
use crate::metrics::Restarts;
use crate::supervise::{self, Task};

/// Messages that may wait in line; then senders are told `unavailable` at once.
const WAITING_MAX: usize = 8_192;
/// Messages in one statement: bounds how long the locks of its chats are held.
pub(super) const BATCH_MAX: usize = 256;
/// Bytes of text in one statement.
const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// How long the line waits for the rest of a wave. The timer rounds it up by a millisecond at most.
const WAVE_PATIENCE: Duration = Duration::from_millis(1);
/// A chat that is locked for so long is locked by more than another server's commit.
const PATIENCE: Duration = Duration::from_millis(100);
/// Pause before locked chats are tried again when nothing else is there to store.
const RETRY_PAUSE: Duration = Duration::from_millis(2);

/// What a sender waits for.
pub(super) type Answer = Result<Verdict, StoreError>;

/// A message in line.
pub(super) struct Waiting {
    pub(super) message: NewMessage,
    pub(super) answer: oneshot::Sender<Answer>,
    pub(super) since: Instant,
}

impl Waiting {
    /// Tells the sender; one that has gone away does not listen, and its row stays.
    pub(super) fn settle(self, answer: Answer) {
        drop(self.answer.send(answer));
    }
}

/// The way in. Cheap to clone; the task ends when the last one is gone.
#[derive(Clone)]
pub(super) struct Lane(mpsc::Sender<Waiting>);

impl Lane {
    /// Starts the task.
    pub(super) fn start(pool: Pool, restarts: Restarts) -> Self {
        let (sender, waiting) = mpsc::channel(WAITING_MAX);
        let busy = Busy::new(pool.clone(), restarts.clone());
        let line = Line { busy, pool, waiting, held: Vec::new(), wave: 0 };
        tokio::spawn(supervise::keep(line, restarts));
        Self(sender)
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.0.max_capacity() - self.0.capacity()
    }

    /// Puts a message in line, behind all that came before.
    pub(super) fn put(&self, message: NewMessage) -> Result<oneshot::Receiver<Answer>, StoreError> {
        let (answer, verdict) = oneshot::channel();
        match self.0.try_send(Waiting { message, answer, since: Instant::now() }) {
            Ok(()) => Ok(verdict),
            Err(mpsc::error::TrySendError::Full(_)) => {
                Err(StoreError::unavailable("too many messages wait to be stored"))
            }
            Err(mpsc::error::TrySendError::Closed(_)) => {
                Err(StoreError::unavailable("the store is closed"))
            }
        }
    }
}

struct Line {
    pool: Pool,
    waiting: mpsc::Receiver<Waiting>,
    /// Messages whose chats were locked, in their order: the head of the next batch.
    held: Vec<Waiting>,
    busy: Busy,
    /// How many the last batch had.
    wave: usize,
}

impl Task for Line {
    const NAME: &'static str = "line";

    /// The senders of a batch in which it panics are told that its outcome is unknown.
    async fn run(&mut self) {
        while let Some(batch) = self.collect().await {
            if batch.is_empty() {
                continue;
            }
            for locked in store(&self.pool, batch, false).await {
                if self.goes_first(&locked) {
                    self.held.push(locked);
                } else {
                    self.busy.put(locked);
                }
            }
        }
    }
}

impl Line {
    /// Whether a locked message goes to the head of the next batch. The first one of a chat decides
    /// for all that follow: one that is younger must not be tried while an older one waits elsewhere.
    fn goes_first(&mut self, locked: &Waiting) -> bool {
        let chat = locked.message.chat_id;
        self.held.iter().any(|earlier| earlier.message.chat_id == chat)
            || (!self.busy.holds(chat) && locked.since.elapsed() < PATIENCE)
    }

    /// What waits, up to the bounds; `None` when nothing will come any more.
    async fn collect(&mut self) -> Option<Vec<Waiting>> {
        let mut batch = std::mem::take(&mut self.held);
        let mut next = if batch.is_empty() {
            Some(self.waiting.recv().await?)
        } else {
            timeout(RETRY_PAUSE, self.waiting.recv()).await.ok().flatten()
        };
        let mut bytes = 0;
        let mut more_by = None;
        while let Some(waiting) = next.take() {
            if self.busy.holds(waiting.message.chat_id) {
                self.busy.put(waiting);
            } else {
                bytes += waiting.message.body.len();
                batch.push(waiting);
            }
            if batch.len() >= BATCH_MAX || bytes >= BATCH_BYTES_MAX {
                break;
            }
            next = self.waiting.try_recv().ok();
            if next.is_none() && batch.len() * 2 < self.wave {
                let by = *more_by.get_or_insert_with(|| Instant::now() + WAVE_PATIENCE);
                next = timeout_at(by.into(), self.waiting.recv()).await.ok().flatten();
            }
        }
        self.wave = batch.len();
        Some(batch)
    }
}

/// Stores a batch, answers everyone, and hands back, in their order, those whose chat was locked
/// or whose key came twice in the batch.
pub(super) async fn store(pool: &Pool, batch: Vec<Waiting>, wait: bool) -> Vec<Waiting> {
    let twins = twins(batch.iter().map(|waiting| &waiting.message));
    let firsts = batch.iter().zip(&twins).filter(|(_, twin)| !**twin);
    let messages: Arc<[NewMessage]> = firsts.map(|(first, _)| first.message.clone()).collect();
    match store_batch(pool, messages, wait).await {
        Ok(verdicts) => {
            let mut back = Vec::new();
            let mut verdicts = verdicts.into_iter();
            for (waiting, twin) in batch.into_iter().zip(twins) {
                let verdict = if twin { None } else { verdicts.next().flatten() };
                match verdict {
                    Some(verdict) => waiting.settle(Ok(verdict)),
                    None => back.push(waiting),
                }
            }
            back
        }
        Err(error) => {
            tracing::warn!(%error, messages = batch.len(), "a batch has failed");
            for waiting in batch {
                waiting.settle(Err(error.shared()));
            }
            Vec::new()
        }
    }
}
