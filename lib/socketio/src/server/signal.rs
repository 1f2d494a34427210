//! How the one task of a connection learns what it was woken for.
//!
//! A connection reads, writes, runs handlers and keeps time in one task. Everything that can wake
//! it sets a bit first, so that a poll does only the work that is due, and a burst of a thousand
//! queued frames is one wake.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Wake, Waker};

use super::session::Session;

/// Something may be read.
pub(super) const READ: u32 = 1;
/// Writing may go on after the transport was full.
pub(super) const WRITABLE: u32 = 1 << 1;
/// Frames were queued that no poll took, or the websocket takes no more: mind the time.
pub(super) const QUEUED: u32 = 1 << 2;
/// The connection itself is to write what waits.
pub(super) const FLUSH: u32 = 1 << 3;
/// A handler wants to go on.
pub(super) const HANDLERS: u32 = 1 << 4;
/// The timer has fired.
pub(super) const TIMER: u32 = 1 << 5;
/// The session was closed from outside.
pub(super) const CLOSE: u32 = 1 << 6;
/// A full inbox has room again.
pub(super) const ROOM: u32 = 1 << 7;
/// A polling request brought packets.
pub(super) const POST: u32 = 1 << 8;
/// The client has moved to a websocket.
pub(super) const UPGRADED: u32 = 1 << 9;

/// The bits of one task and the waker of that task.
#[derive(Default)]
pub(super) struct Signal {
    bits: AtomicU32,
    /// The task's own waker. It is spawned as a task of its own, whose waker never changes.
    task: OnceLock<Waker>,
}

impl Signal {
    /// Sets `bit`; wakes the task unless a wake is under way already.
    pub(super) fn ring(&self, bit: u32) {
        // Any bit that is set was accompanied by a wake that the task has not answered yet. Before
        // the first poll there is no waker, but that poll is certain to come.
        if self.bits.fetch_or(bit, Ordering::AcqRel) == 0
            && let Some(task) = self.task.get()
        {
            task.wake_by_ref();
        }
    }

    /// Takes all bits.
    pub(super) fn take(&self) -> u32 {
        self.bits.swap(0, Ordering::AcqRel)
    }

    /// Remembers whom to wake; called at each poll, does something at the first.
    pub(super) fn attach(&self, task: &Waker) {
        if self.task.get().is_none() {
            let _already = self.task.set(task.clone());
        }
    }
}

/// A waker that sets one bit.
pub(super) struct Bell {
    session: Arc<Session>,
    bit: u32,
}

impl Bell {
    pub(super) fn waker(session: &Arc<Session>, bit: u32) -> Waker {
        Waker::from(Arc::new(Self { session: Arc::clone(session), bit }))
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.session.signal.ring(self.bit);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.session.signal.ring(self.bit);
    }
}
