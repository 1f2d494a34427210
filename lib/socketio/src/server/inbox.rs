//! What a client sent and its handler has not taken yet: ordered, bounded, never dropped.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use super::session::lock;
use crate::reason::DisconnectReason;

/// An empty inbox keeps room for this many.
const KEPT_CAPACITY: usize = 4;

pub(super) struct Inbox<T> {
    state: Mutex<State<T>>,
}

struct State<T> {
    waiting: VecDeque<T>,
    reader: Option<Waker>,
    closed: Option<DisconnectReason>,
    /// The reader is gone: nobody will ever take anything.
    abandoned: bool,
    /// The connection was turned away and waits for room.
    full: bool,
}

/// What the reader got, and whether the connection waits for the room that was made.
pub(super) struct Taken<T> {
    pub(super) item: Option<T>,
    pub(super) made_room: bool,
}

impl<T> Inbox<T> {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                reader: None,
                closed: None,
                abandoned: false,
                full: false,
            }),
        }
    }

    /// Appends, or gives the item back when `max` wait already: then nothing more may be read
    /// until the reader has made room.
    pub(super) fn push(&self, item: T, max: usize) -> Result<(), T> {
        let mut state = lock(&self.state);
        if state.closed.is_some() || state.abandoned {
            return Ok(());
        }
        if state.waiting.len() >= max {
            state.full = true;
            return Err(item);
        }
        state.waiting.push_back(item);
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
        Ok(())
    }

    /// Ends the inbox. What waits is still handed out unless `discard`.
    pub(super) fn close(&self, reason: DisconnectReason, discard: bool) {
        let mut state = lock(&self.state);
        if state.closed.is_some() {
            return;
        }
        state.closed = Some(reason);
        if discard {
            state.waiting.clear();
        }
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    pub(super) fn closed(&self) -> Option<DisconnectReason> {
        lock(&self.state).closed
    }

    /// The reader is gone.
    pub(super) fn abandon(&self) -> bool {
        let mut state = lock(&self.state);
        state.abandoned = true;
        state.waiting = VecDeque::new();
        std::mem::take(&mut state.full)
    }

    pub(super) fn poll_take(&self, context: &mut Context<'_>) -> Poll<Taken<T>> {
        let mut state = lock(&self.state);
        let item = state.waiting.pop_front();
        if item.is_none() {
            if state.waiting.capacity() > KEPT_CAPACITY {
                state.waiting = VecDeque::new();
            }
            if state.closed.is_none() {
                state.reader = Some(context.waker().clone());
                return Poll::Pending;
            }
        }
        // One wake per half an inbox, not one per event.
        let made_room = state.full && state.waiting.len() <= state.waiting.capacity() / 2;
        if made_room {
            state.full = false;
        }
        Poll::Ready(Taken { item, made_room })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take<T>(inbox: &Inbox<T>) -> Option<Taken<T>> {
        match inbox.poll_take(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(taken) => Some(taken),
            Poll::Pending => None,
        }
    }

    #[test]
    fn what_came_first_is_taken_first_and_a_full_inbox_gives_back() {
        let inbox = Inbox::new();
        assert!((0..3).all(|item| inbox.push(item, 3).is_ok()));
        assert_eq!(inbox.push(3, 3), Err(3));
        let taken: Vec<_> = (0..3).map(|_| take(&inbox).unwrap()).collect();
        let items: Vec<_> = taken.iter().filter_map(|taken| taken.item).collect();
        assert_eq!(items, [0, 1, 2]);
        assert_eq!(taken.iter().filter(|taken| taken.made_room).count(), 1);
        assert!(take(&inbox).is_none());
    }

    #[test]
    fn what_waited_at_the_end_is_handed_out_unless_discarded() {
        for (discard, expect) in [(false, Some(1)), (true, None)] {
            let inbox = Inbox::new();
            inbox.push(1, 3).unwrap();
            inbox.close(DisconnectReason::Closed, discard);
            inbox.push(2, 3).unwrap();
            assert_eq!(take(&inbox).unwrap().item, expect);
            assert_eq!(take(&inbox).unwrap().item, None);
            assert_eq!(inbox.closed(), Some(DisconnectReason::Closed));
        }
    }
}
