//! One connection, one task: it reads, runs the handlers, writes and keeps time.
//!
//! A hand-written future instead of a `select!` over many: a poll does only what its wake was for
//! ([`super::signal`]), and an idle connection is one small allocation. Work that is due again at
//! once is postponed to the next poll, so that no connection keeps a worker for itself.

mod close;
mod read;
mod slots;
mod upper;
mod write;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Sleep;

use self::close::Closing;
use self::read::PostWork;
use self::upper::Upper;
use super::frame::Encoding;
use super::peer::Peer;
use super::queue::Release;
use super::registry::Permit;
use super::session::Session;
use super::signal::{
    Bell, CLOSE, FLUSH, HANDLERS, POST, QUEUED, READ, ROOM, TIMER, UPGRADED, WRITABLE,
};
use super::websocket::{Reader, Websocket};
use crate::engine::{Beat, Heartbeat};
use crate::reason::DisconnectReason;
use crate::ws::close_code;

/// Rounds of work in one poll; a connection with more to do stands in line again.
const ROUNDS_MAX: usize = 16;

/// A duration in whole milliseconds, the unit of all deadlines.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What carries the bytes.
enum Transport {
    /// Requests come and go; they meet the session in its queue.
    Polling,
    Websocket(Box<Reader>),
    /// Nothing any more.
    Gone,
}

/// One waker per kind of work.
struct Wakers {
    read: Waker,
    writable: Waker,
    handlers: Waker,
    timer: Waker,
}

pub(super) struct Connection {
    session: Arc<Session>,
    upper: Upper,
    transport: Transport,
    heart: Heartbeat,
    /// When the transport must have a namespace.
    connect_by_ms: Option<u64>,
    /// Since when nothing that waits has left by polling, and how many polls had been answered
    /// then.
    blocked: Option<(u64, u32)>,
    post: Option<PostWork>,
    closing: Option<Closing>,
    /// What a websocket is told at its end when the peer is the cause.
    close_code: u16,
    permit: Option<Permit>,
    wakers: Wakers,
    timer: Pin<Box<Sleep>>,
    /// When the timer fires; `None` when it has fired.
    armed_ms: Option<u64>,
    /// Work for the next poll.
    again: u32,
}

impl Connection {
    /// Begins the life of a session; `websocket` unless it starts with polling.
    pub(super) fn new(
        session: &Arc<Session>,
        peer: Peer,
        permit: Permit,
        websocket: Option<Websocket>,
    ) -> Self {
        let registry = &session.registry;
        let now = registry.now_ms();
        let config = &registry.config;
        let heart = Heartbeat::new(millis(config.ping_interval), millis(config.ping_timeout), now);
        session.set_alive_until(heart.deadline_ms());
        session.signal.ring(READ | HANDLERS | QUEUED | TIMER | FLUSH);
        let upper = Upper::new(session, peer);
        let waker = |bit| Bell::waker(session, bit);
        let transport = match websocket {
            None => Transport::Polling,
            Some(Websocket { reader, writer }) => {
                session.set_writer(writer, waker(WRITABLE));
                Transport::Websocket(Box::new(reader))
            }
        };
        Self {
            connect_by_ms: upper.must_connect().then(|| now + millis(config.connect_timeout)),
            upper,
            transport,
            heart,
            blocked: None,
            post: None,
            closing: None,
            close_code: close_code::NORMAL,
            permit: Some(permit),
            wakers: Wakers {
                read: waker(READ),
                writable: waker(WRITABLE),
                handlers: waker(HANDLERS),
                timer: waker(TIMER),
            },
            timer: Box::pin(tokio::time::sleep_until(registry.instant(now))),
            armed_ms: None,
            again: 0,
            session: Arc::clone(session),
        }
    }

    fn work(&mut self, bits: u32) {
        // First, so that a goodbye leaves by the transport that the client listens on.
        if bits & UPGRADED != 0 {
            self.adopt_websocket();
        }
        if bits & CLOSE != 0 {
            let reason = self.session.queue().closed();
            if let Some(reason) = reason {
                self.begin_closing(reason);
            }
        }
        if bits & TIMER != 0 {
            self.armed_ms = None;
            self.on_time();
        }
        if bits & POST != 0 {
            self.begin_post();
        }
        if bits & (READ | POST | UPGRADED | ROOM | HANDLERS) != 0 {
            self.take_in(bits & (READ | UPGRADED) != 0);
        }
        if bits & HANDLERS != 0 {
            self.run_handlers();
        }
        if bits & QUEUED != 0 {
            self.watch_queue();
        }
        if bits & (FLUSH | WRITABLE) != 0 {
            self.flush();
        }
    }

    fn run_handlers(&mut self) {
        let now = self.session.registry.now_ms();
        let mut context = Context::from_waker(&self.wakers.handlers);
        if let Err(reason) = self.upper.poll_handlers(&mut context, now) {
            self.session.close(reason);
        }
        if !self.upper.must_connect() || self.closing.is_some() {
            self.permit = None;
            return;
        }
        match (self.upper.is_connected(), self.connect_by_ms) {
            (true, Some(_)) => {
                self.connect_by_ms = None;
                self.permit = None;
            }
            (false, None) => {
                let registry = &self.session.registry;
                self.connect_by_ms = Some(now + millis(registry.config.connect_timeout));
                self.permit = Some(registry.unclaim(self.upper.address()));
            }
            _ => {}
        }
    }

    /// The client has moved from polling to a websocket, which may have brought packets already.
    fn adopt_websocket(&mut self) {
        let Some((reader, writer)) = self.session.take_upgraded() else { return };
        if matches!(self.transport, Transport::Gone) {
            return;
        }
        self.session.set_writer(writer, self.wakers.writable.clone());
        self.transport = Transport::Websocket(Box::new(reader));
        self.blocked = None;
        self.session.signal.ring(FLUSH);
        // The end had begun on polling: whatever waits has moved, and is followed by a close frame.
        let reason = self.session.queue().closed();
        if let (Some(reason), Some(_)) = (reason, &self.closing) {
            self.say_goodbye(reason);
        }
    }

    fn on_time(&mut self) {
        let now = self.session.registry.now_ms();
        self.upper.expire(now);
        if let Some(closing) = &self.closing {
            if closing.by_ms <= now {
                self.drop_transport();
            }
            return;
        }
        match self.heart.tick(now) {
            Beat::Quiet => {}
            Beat::Ping => {
                self.session.shrink();
                let there = {
                    let queue = self.session.queue();
                    queue.is_polled() || queue.encoding == Encoding::Websocket
                };
                if there {
                    self.heart.delivered(now);
                    self.note_heart();
                }
                self.session.send_bare(b'2');
            }
            Beat::Dead => self.session.close(DisconnectReason::PingTimeout),
        }
        if self.connect_by_ms.is_some_and(|by| by <= now) {
            self.session.close(DisconnectReason::ConnectTimeout);
        }
        self.check_stall(now);
    }

    /// The earliest deadline.
    fn next_ms(&self) -> Option<u64> {
        let exit = self.upper.exit_by_ms();
        if let Some(closing) = &self.closing {
            let transport = (!matches!(self.transport, Transport::Gone)).then_some(closing.by_ms);
            return [transport, exit].into_iter().flatten().min();
        }
        let deadlines = [self.heart.next_ms(), self.connect_by_ms, self.stalled_by_ms(), exit];
        deadlines.into_iter().flatten().min()
    }

    /// Sets the timer when something is due before it fires; one that fires too early is harmless.
    fn arm_timer(&mut self) {
        let Some(next) = self.next_ms() else { return };
        if self.armed_ms.is_some_and(|armed| armed <= next) {
            return;
        }
        self.armed_ms = Some(next);
        self.timer.as_mut().reset(self.session.registry.instant(next));
        let mut context = Context::from_waker(&self.wakers.timer);
        if self.timer.as_mut().poll(&mut context).is_ready() {
            self.session.signal.ring(TIMER);
        }
    }

    /// A pong came, or reading stopped or went on: tells the requests when the peer is dead.
    fn note_heart(&self) {
        self.session.set_alive_until(self.heart.deadline_ms());
    }

    fn is_finished(&self) -> bool {
        matches!(self.transport, Transport::Gone) && !self.upper.is_running()
    }
}

impl Future for Connection {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.session.signal.attach(context.waker());
        for _ in 0..ROUNDS_MAX {
            let bits = this.session.signal.take();
            if bits == 0 {
                if this.is_finished() {
                    return Poll::Ready(());
                }
                this.arm_timer();
                if this.again != 0 {
                    this.session.signal.ring(std::mem::take(&mut this.again));
                }
                return Poll::Pending;
            }
            this.work(bits);
        }
        // The bits that are left wait for the poll that this wake brings.
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Also when the task was aborted or has panicked: nobody may believe it still lives.
        let reason = {
            let mut queue = self.session.queue();
            queue.close(DisconnectReason::TransportError);
            queue.closed().unwrap_or(DisconnectReason::TransportError)
        };
        self.upper.close(reason);
        // It knows how to wake us, and we own the session.
        drop(self.session.take_writer());
        self.session.registry.remove(self.session.id, reason);
        self.session.release_poll(Release::Close);
        self.session.refuse_posts();
        drop(self.session.take_upgraded());
    }
}
