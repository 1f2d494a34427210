//! Messages of one socket on their way into the database: several at once, answered in order.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Instant;

use tokio_util::task::task_tracker::TaskTrackerToken;
use trialogue_protocol::SendAck;
use trialogue_socketio::server::Event;

use crate::error::Error;
use crate::flow::Outcome;

/// Messages of one socket that may be under way. As many as one statement may carry would gain
/// nothing more; beyond it the socket's events wait.
pub(super) const UNDER_WAY_MAX: usize = 32;

type Storing = Pin<Box<dyn Future<Output = Result<Outcome<SendAck>, Error>> + Send + Sync>>;

/// The line of one socket. The flow has taken each message in the order of the socket already; this
/// keeps the answers in that order too (CONTRACT §3.2).
#[derive(Default)]
pub(super) struct Line {
    under_way: VecDeque<(Event, TaskTrackerToken, Instant, Storing)>,
}

/// A message whose fate is known.
pub(super) struct Settled {
    pub(super) request: Event,
    pub(super) outcome: Result<Outcome<SendAck>, Error>,
    /// When it came.
    pub(super) since: Instant,
    /// A graceful stop waits until this is dropped: until sender and room have been told.
    _busy: TaskTrackerToken,
}

impl Line {
    /// One more.
    pub(super) fn push(&mut self, request: Event, busy: TaskTrackerToken, storing: Storing) {
        self.under_way.push_back((request, busy, Instant::now(), storing));
    }

    /// Nothing is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// No more may be taken.
    pub(super) fn is_full(&self) -> bool {
        self.under_way.len() >= UNDER_WAY_MAX
    }

    /// Waits for the oldest one; `None` when nothing is under way. Nothing is lost when this is
    /// dropped before it is done.
    pub(super) async fn next(&mut self) -> Option<Settled> {
        let (_, _, _, storing) = self.under_way.front_mut()?;
        let outcome = storing.as_mut().await;
        let (request, busy, since, _) = self.under_way.pop_front()?;
        Some(Settled { request, outcome, since, _busy: busy })
    }
}
