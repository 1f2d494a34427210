//! What a client sent and its handler has not taken yet: ordered, bounded, never dropped.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use super::session::lock;
use crate::reason::DisconnectReason;

/// An empty inbox keeps room for this many.
const KEPT_CAPACITY: usize = 4;

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct InboxLimits {
    pub(super) items_max: usize,
    pub(super) bytes_max: usize,
}

pub(super) struct Inbox<T> {
    state: Mutex<State<T>>,
}

struct State<T> {
    waiting: VecDeque<(T, usize)>,
    /// Bytes of all that wait.
    bytes: usize,
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
                bytes: 0,
                reader: None,
                closed: None,
                abandoned: false,
                full: false,
            }),
        }
    }

    /// Appends an item of `bytes`, or gives it back when too many or too much waits already: then
    /// nothing more may be read until the reader has made room.
    pub(super) fn push(&self, item: T, bytes: usize, limits: InboxLimits) -> Result<(), T> {
        let mut state = lock(&self.state);
        if state.closed.is_some() || state.abandoned {
            return Ok(());
        }
        // An empty inbox takes whatever the limit of a message lets through.
        let over = state.bytes + bytes > limits.bytes_max && !state.waiting.is_empty();
        if over || state.waiting.len() >= limits.items_max {
            state.full = true;
            return Err(item);
        }
        state.bytes += bytes;
        state.waiting.push_back((item, bytes));
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
            state.bytes = 0;
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
        let item = state.waiting.pop_front().map(|(item, bytes)| {
            state.bytes -= bytes;
            item
        });
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

    const LIMITS: InboxLimits = InboxLimits { items_max: 3, bytes_max: 10 };

    fn take<T>(inbox: &Inbox<T>) -> Option<Taken<T>> {
        match inbox.poll_take(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(taken) => Some(taken),
            Poll::Pending => None,
        }
    }

    #[test]
    fn what_came_first_is_taken_first_and_a_full_inbox_gives_back() {
        let inbox = Inbox::new();
        assert!((0..3).all(|item| inbox.push(item, 1, LIMITS).is_ok()));
        assert_eq!(inbox.push(3, 1, LIMITS), Err(3));
        let taken: Vec<_> = (0..3).map(|_| take(&inbox).unwrap()).collect();
        let items: Vec<_> = taken.iter().filter_map(|taken| taken.item).collect();
        assert_eq!(items, [0, 1, 2]);
        assert_eq!(taken.iter().filter(|taken| taken.made_room).count(), 1);
        assert!(take(&inbox).is_none());
    }

    #[test]
    fn bytes_count_too_but_an_empty_inbox_takes_anything() {
        let inbox = Inbox::new();
        inbox.push("large", 100, LIMITS).unwrap();
        assert_eq!(inbox.push("small", 1, LIMITS), Err("small"));
        assert!(take(&inbox).unwrap().made_room);
        inbox.push("nine", 9, LIMITS).unwrap();
        assert_eq!(inbox.push("two", 2, LIMITS), Err("two"));
        inbox.push("one", 1, LIMITS).unwrap();
    }

    #[test]
    fn what_waited_at_the_end_is_handed_out_unless_discarded() {
        for (discard, expect) in [(false, Some(1)), (true, None)] {
            let inbox = Inbox::new();
            inbox.push(1, 1, LIMITS).unwrap();
            inbox.close(DisconnectReason::Closed, discard);
            inbox.push(2, 1, LIMITS).unwrap();
            assert_eq!(take(&inbox).unwrap().item, expect);
            assert_eq!(take(&inbox).unwrap().item, None);
            assert_eq!(inbox.closed(), Some(DisconnectReason::Closed));
        }
    }
}
