//! Who writes the frames that were queued: a few tasks that go round all sessions that have some.
//!
//! A fan-out only puts frames into queues and their sessions in line. The line is worked off a few
//! sessions at a time; between two turns everything that is ready runs and the sockets are looked
//! at. So a message that arrives while an earlier one is still being written to a large room joins
//! it in the queues that have not had their turn yet: the more is going on, the more frames leave
//! in one system call, and no connection's task is woken for what others send to it.
//!
//! The tasks live in the runtime that served first. Where that one has ended, or a server is used from
//! several, sessions that nobody flushes write for themselves.
//!
//! What may not happen here: a lock held over a system call other than the session's own writer.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock};

use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::session::{Session, lock};
use super::signal::FLUSH;
use super::websocket::Flushed;
use crate::reason::DisconnectReason;

/// Sessions that are flushed between two looks at what arrives: some 50 us of writing.
const SESSIONS_PER_TURN: usize = 32;
/// A turn goes on while a session has as many frames as this: when more arrives than leaves, what
/// waits must not grow from turn to turn.
const FRAMES_OF_A_BACKLOG: usize = 64;
/// ... but not for longer than this.
const SESSIONS_PER_TURN_MAX: usize = 4_096;

#[derive(Default)]
struct Line {
    waiting: VecDeque<Arc<Session>>,
    over: bool,
}

/// One line and the task that works it off.
#[derive(Default)]
struct Shard {
    line: Mutex<Line>,
    /// Told when the line is no longer empty.
    ready: Notify,
}

/// The lines of a server, as many as its runtime has workers.
#[derive(Default)]
pub(super) struct Flusher {
    shards: OnceLock<Box<[Arc<Shard>]>>,
}

impl Flusher {
    /// Begins the tasks, with the first session; they end with the server.
    pub(super) fn start(&self) {
        self.shards.get_or_init(|| {
            let workers = Handle::current().metrics().num_workers().max(1);
            let shards: Box<[Arc<Shard>]> = (0..workers).map(|_| Arc::default()).collect();
            for shard in &shards {
                tokio::spawn(run(Arc::clone(shard)));
            }
            shards
        });
    }

    /// Puts a session in line, whose queue was empty until now.
    pub(super) fn stand_in_line(&self, session: &Arc<Session>) {
        // Nothing can be queued for a session that was not registered, which starts the tasks.
        let Some(shards) = self.shards.get() else { return };
        let Some(shard) = shards.get(session.id.spread(shards.len())) else { return };
        shard.push(Arc::clone(session));
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        for shard in self.shards.get().into_iter().flatten() {
            shard.end();
            shard.ready.notify_one();
        }
    }
}

impl Shard {
    /// Takes nobody any more.
    fn end(&self) {
        let mut line = lock(&self.line);
        line.over = true;
        let left = std::mem::take(&mut line.waiting);
        drop(line);
        for session in left {
            session.signal.ring(FLUSH);
        }
    }

    fn push(&self, session: Arc<Session>) {
        let mut line = lock(&self.line);
        if line.over {
            drop(line);
            return session.signal.ring(FLUSH);
        }
        let first = line.waiting.is_empty();
        line.waiting.push_back(session);
        drop(line);
        if first {
            self.ready.notify_one();
        }
    }

    /// Waits for a session in line; `false` when none will come any more.
    async fn is_busy(&self) -> bool {
        loop {
            {
                let line = lock(&self.line);
                if line.over || !line.waiting.is_empty() {
                    return !line.over;
                }
            }
            self.ready.notified().await;
        }
    }

    fn next(&self) -> Option<Arc<Session>> {
        lock(&self.line).waiting.pop_front()
    }

    /// Flushes some sessions.
    fn turn(&self) {
        let mut flushed = 0;
        while let Some(session) = self.next() {
            // A transport of somebody else's may panic: that ends its session, not the line.
            let flush = catch_unwind(AssertUnwindSafe(|| session.flush()));
            let frames = match flush.unwrap_or(Flushed::Failed) {
                Flushed::Drained(frames) => frames,
                Flushed::Full { .. } => 0,
                Flushed::More => {
                    self.push(session);
                    FRAMES_OF_A_BACKLOG
                }
                Flushed::Failed => {
                    session.close(DisconnectReason::TransportError);
                    0
                }
            };
            flushed += 1;
            if flushed >= SESSIONS_PER_TURN_MAX
                || (flushed >= SESSIONS_PER_TURN && frames < FRAMES_OF_A_BACKLOG)
            {
                return;
            }
        }
    }
}

/// Ends its line with its task, also when the runtime ends under it.
struct Keeper(Arc<Shard>);

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.end();
    }
}

async fn run(shard: Arc<Shard>) {
    let Keeper(shard) = &Keeper(shard);
    while shard.is_busy().await {
        // First everything that is ready runs and the sockets are looked at: what they bring may
        // be for the same sessions.
        tokio::task::yield_now().await;
        // The next frames may be made by another process of this core, such as a database that
        // stores them: were it kept from its turn until this line is empty, they would come too
        // late to leave in the same system calls.
        std::thread::yield_now();
        shard.turn();
    }
}
