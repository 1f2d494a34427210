//! What everybody may touch of a session: its queue, its end and what requests bring to it.
//!
//! The connection's own task ([`super::connection`]) owns everything else. A lock here is held for
//! a few instructions, never over an await, and never two at a time; but the writer's, which nobody
//! waits for who only has something to send, is held over a system call and the queue's under it.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::frame::{self, Encoding};
use super::id::SessionId;
use super::queue::{Pushed, Queue, QueueLimits, Release, is_farewell};
use super::registry::Registry;
use super::signal::{CLOSE, POST, QUEUED, Signal, UPGRADED};
use super::websocket::{Flushed, Reader, Websocket, Writer};
use crate::reason::DisconnectReason;

/// The socket is no longer connected, so nothing can be sent to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the socket is closed")]
pub struct Closed;

/// The transport takes what it is given.
const NEVER: u64 = u64::MAX;

const NO_UPGRADE: u8 = 0;
const CLAIMED: u8 = 1;
const PROBING: u8 = 2;

/// Locks; data behind a lock is left consistent at every step, so a panic elsewhere is no harm.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The body of a polling request, on its way to the connection's task.
pub(super) struct Post {
    pub(super) body: Bytes,
    /// Told whether all packets were taken.
    pub(super) done: oneshot::Sender<bool>,
}

#[derive(Default)]
struct Posts {
    /// A request is being read or worked off; a second one breaks the protocol.
    busy: bool,
    ready: Option<Post>,
    /// The connection has ended: nobody takes packets any more.
    over: bool,
}

pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) signal: Signal,
    pub(super) registry: Arc<Registry>,
    queue: Mutex<Queue>,
    /// What the frames leave by, once the session is on a websocket and for as long as it has one.
    writer: Mutex<Option<Box<Writer>>>,
    /// Since when the websocket has taken nothing of what waits ([`NEVER`]: it takes all).
    full_since_ms: AtomicU64,
    limits: QueueLimits,
    posts: Mutex<Posts>,
    /// The websocket that replaces polling, on its way to the connection's task.
    upgraded: Mutex<Option<Box<Websocket>>>,
    /// How far a websocket has come that wants to replace polling.
    upgrade: AtomicU8,
    /// When the session is dead unless a pong comes, in milliseconds of the registry's clock.
    alive_until_ms: AtomicU64,
}

impl Session {
    pub(super) fn new(registry: Arc<Registry>, encoding: Encoding) -> Arc<Self> {
        let limits = QueueLimits {
            frames_max: registry.config.queue_frames_max,
            bytes_max: registry.config.queue_bytes_max,
        };
        Arc::new(Self {
            id: SessionId::random(),
            signal: Signal::default(),
            registry,
            queue: Mutex::new(Queue::new(encoding)),
            writer: Mutex::default(),
            full_since_ms: AtomicU64::new(NEVER),
            limits,
            posts: Mutex::default(),
            upgraded: Mutex::default(),
            upgrade: AtomicU8::new(NO_UPGRADE),
            alive_until_ms: AtomicU64::new(u64::MAX),
        })
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    /// Queues the frame that `make` makes for the session's transport. `Ok(false)` when it was
    /// volatile and the socket lags.
    pub(super) fn send(
        self: &Arc<Self>,
        volatile: bool,
        make: impl FnOnce(Encoding) -> Bytes,
    ) -> Result<bool, Closed> {
        let mut queue = self.queue();
        if queue.closed().is_some() {
            return Err(Closed);
        }
        if volatile && queue.lags() {
            return Ok(false);
        }
        let frame = make(queue.encoding);
        let pushed = queue.push(frame, self.limits);
        let poll = if pushed == Pushed::Behind { None } else { queue.poll_waker() };
        let encoding = queue.encoding;
        drop(queue);
        match (pushed, poll) {
            (Pushed::First, Some(poll)) => poll.wake(),
            (Pushed::First, None) if encoding == Encoding::Websocket => {
                self.registry.flusher.stand_in_line(self);
            }
            (Pushed::First, None) => self.signal.ring(QUEUED),
            (Pushed::Behind, _) => {}
            (Pushed::Overflow, _) => {
                self.signal.ring(CLOSE);
                return Err(Closed);
            }
        }
        Ok(true)
    }

    /// Gives the session what its frames leave by; `writable` is told when it takes more.
    pub(super) fn set_writer(&self, mut writer: Writer, writable: Waker) {
        writer.set_writable(writable);
        *lock(&self.writer) = Some(Box::new(writer));
    }

    /// Writes what waits; there is nothing to do for a session without a websocket.
    pub(super) fn flush(&self) -> Flushed {
        let mut writer = lock(&self.writer);
        let Some(writer) = writer.as_mut() else { return Flushed::Drained(0) };
        let flushed = writer.flush(&self.queue);
        let full_since = self.full_since_ms.load(Ordering::Relaxed);
        match flushed {
            Flushed::Full { moved } if moved || full_since == NEVER => {
                self.full_since_ms.store(self.registry.now_ms(), Ordering::Relaxed);
                // The connection keeps the time.
                self.signal.ring(QUEUED);
            }
            Flushed::Full { .. } => {}
            Flushed::Drained(_) | Flushed::More | Flushed::Failed => {
                if full_since != NEVER {
                    self.full_since_ms.store(NEVER, Ordering::Relaxed);
                }
            }
        }
        flushed
    }

    /// Since when the websocket has taken nothing of what waits.
    pub(super) fn full_since_ms(&self) -> Option<u64> {
        Some(self.full_since_ms.load(Ordering::Relaxed)).filter(|since| *since != NEVER)
    }

    /// Ends our half of the websocket.
    pub(super) fn poll_shutdown(&self, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match lock(&self.writer).as_mut() {
            Some(writer) => writer.poll_shutdown(context),
            None => Poll::Ready(Err(std::io::ErrorKind::NotConnected.into())),
        }
    }

    /// Gives back the memory that a burst has left behind.
    pub(super) fn shrink(&self) {
        self.queue().shrink();
        if let Some(writer) = lock(&self.writer).as_mut() {
            writer.shrink();
        }
    }

    /// Takes away what frames leave by.
    pub(super) fn take_writer(&self) -> Option<Box<Writer>> {
        self.full_since_ms.store(NEVER, Ordering::Relaxed);
        lock(&self.writer).take()
    }

    /// Ends the session; the connection's task says goodbye and tells the handlers.
    pub(super) fn close(&self, reason: DisconnectReason) {
        self.queue().close(reason);
        self.signal.ring(CLOSE);
    }

    /// Answers the pending poll, if any, without packets.
    pub(super) fn release_poll(&self, release: Release) {
        let waker = self.queue().release(release);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The client has said goodbye in a request.
    pub(super) fn part(&self) {
        let waker = self.queue().part();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether a request of this session may still be served: compares the heartbeat's deadline
    /// with the clock, so that a late timer never lets a dead session answer.
    pub(super) fn is_alive(&self) -> bool {
        let alive = self.registry.now_ms() < self.alive_until_ms.load(Ordering::Acquire);
        if !alive {
            self.close(DisconnectReason::PingTimeout);
        }
        alive && self.queue().closed().is_none()
    }

    /// Whether a session that has ended still has something to say to a poll.
    pub(super) fn has_farewell(&self) -> bool {
        let queue = self.queue();
        queue.is_parting() || (queue.closed().is_some_and(is_farewell) && !queue.is_drained())
    }

    /// Sets the heartbeat's deadline; `None` suspends it.
    pub(super) fn set_alive_until(&self, deadline_ms: Option<u64>) {
        self.alive_until_ms.store(deadline_ms.unwrap_or(u64::MAX), Ordering::Release);
    }

    /// A polling request with a body has come; `false` when another one is at work.
    pub(super) fn begin_post(&self) -> bool {
        !std::mem::replace(&mut lock(&self.posts).busy, true)
    }

    pub(super) fn end_post(&self) {
        lock(&self.posts).busy = false;
    }

    pub(super) fn bring_post(&self, post: Post) {
        let mut posts = lock(&self.posts);
        // Dropping it instead answers the request.
        if !posts.over {
            posts.ready = Some(post);
            drop(posts);
            self.signal.ring(POST);
        }
    }

    /// The connection has ended: turns away a request that waits for it, and all that come.
    pub(super) fn refuse_posts(&self) {
        let mut posts = lock(&self.posts);
        posts.over = true;
        posts.ready = None;
    }

    pub(super) fn take_post(&self) -> Option<Post> {
        lock(&self.posts).ready.take()
    }

    /// Claims the right to replace polling; `false` when it was claimed before.
    pub(super) fn begin_upgrade(&self) -> bool {
        let (new, old) = (Ordering::AcqRel, Ordering::Acquire);
        self.queue().encoding == Encoding::Polling
            && self.upgrade.compare_exchange(NO_UPGRADE, CLAIMED, new, old).is_ok()
    }

    /// The websocket works: polls that come from now on are held for the client's move. Answers
    /// the number of the poll that waits, if one does.
    pub(super) fn begin_probing(&self) -> Option<u32> {
        self.upgrade.store(PROBING, Ordering::Release);
        let queue = self.queue();
        queue.is_polled().then(|| queue.polls())
    }

    /// Ends the poll with that number, if it still waits, so that the client can move.
    pub(super) fn release_poll_before_move(&self, number: u32) {
        let mut queue = self.queue();
        let waits = queue.is_polled() && queue.polls() == number;
        let waker = if waits { queue.release(Release::Noop) } else { None };
        drop(queue);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The attempt has failed: polling goes on, another attempt may come.
    pub(super) fn abandon_upgrade(&self) {
        self.upgrade.store(NO_UPGRADE, Ordering::Release);
    }

    pub(super) fn is_probing(&self) -> bool {
        self.upgrade.load(Ordering::Acquire) == PROBING
    }

    /// The client has moved: from here on frames go to the websocket.
    pub(super) fn finish_upgrade(&self, websocket: Websocket) {
        *lock(&self.upgraded) = Some(Box::new(websocket));
        // The connection's end looks there after it has said that it is over: one of us sees it.
        if lock(&self.posts).over {
            drop(self.take_upgraded());
            return;
        }
        let waker = self.queue().move_to_websocket();
        if let Some(waker) = waker {
            waker.wake();
        }
        self.signal.ring(UPGRADED);
    }

    /// The websocket of an upgrade, taken apart; the connection attaches the writer.
    pub(super) fn take_upgraded(&self) -> Option<(Reader, Writer)> {
        let websocket = lock(&self.upgraded).take()?;
        Some((websocket.reader, websocket.writer))
    }

    /// Queues one Engine.IO packet of one character.
    pub(super) fn send_bare(self: &Arc<Self>, kind: u8) {
        let _closed = self.send(false, |encoding| frame::bare(encoding, kind));
    }
}
