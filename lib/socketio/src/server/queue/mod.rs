//! The frames that wait for one session, bounded in number and bytes. No IO, no clock.
//!
//! Nothing is ever left out of the middle: a frame is queued, or the session is cut with a reason.
//! Only events that were declared volatile may be skipped.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::task::Waker;

use bytes::{Bytes, BytesMut};

use super::frame::{self, Encoding};
use crate::engine;
use crate::reason::DisconnectReason;

/// A deque that grew in a burst is given back when it is empty and larger than this.
const KEPT_CAPACITY: usize = 32;

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueueLimits {
    pub(super) frames_max: usize,
    pub(super) bytes_max: usize,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// Queued as the first: whoever writes must be told.
    First,
    /// Queued behind others.
    Behind,
    /// Over the limits: the session is cut, everything that waited is freed.
    Overflow,
}

/// How a pending poll is answered when not with packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Release {
    /// `6`: nothing to say, ask again.
    Noop,
    /// `1`: the session has ended.
    Close,
    /// The session lives on another transport: 400.
    Moved,
}

/// The answer to a poll.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Polled {
    Packets(Bytes),
    Released(Release),
}

#[derive(Debug, Default)]
enum Poll {
    #[default]
    None,
    /// A request waits; its waker is there once it has looked at the queue.
    Pending(Option<Waker>),
}

/// So many waiting frames are more than a reader leaves behind who keeps up.
const LAG_FRAMES_MIN: usize = 16;

pub(super) struct Queue {
    pub(super) encoding: Encoding,
    frames: VecDeque<Bytes>,
    bytes: usize,
    /// What the writer has taken and not yet written still counts.
    taken_frames: usize,
    taken_bytes: usize,
    /// Whether the transport has refused to take more; always true for polling.
    blocked: bool,
    closed: Option<DisconnectReason>,
    poll: Poll,
    release: Option<Release>,
    /// The client has said goodbye while a poll of its own was still on its way here.
    parting: bool,
    /// How many polls were answered, by which a stalled client is told from a busy one.
    polls: u32,
}

impl Queue {
    pub(super) fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            frames: VecDeque::new(),
            bytes: 0,
            taken_frames: 0,
            taken_bytes: 0,
            blocked: encoding == Encoding::Polling,
            closed: None,
            poll: Poll::None,
            release: None,
            parting: false,
            polls: 0,
        }
    }

    pub(super) fn closed(&self) -> Option<DisconnectReason> {
        self.closed
    }

    /// Whether nothing waits, neither here nor at the writer.
    pub(super) fn is_drained(&self) -> bool {
        self.frames.is_empty() && self.taken_frames == 0
    }

    /// Whether the socket lags: its transport takes no more, or many frames wait. A few always do,
    /// for the writer's turn or for the next poll.
    pub(super) fn lags(&self) -> bool {
        let is_stuck = self.encoding == Encoding::Websocket && self.blocked && !self.is_drained();
        is_stuck || self.frames.len() >= LAG_FRAMES_MIN
    }

    pub(super) fn push(&mut self, frame: Bytes, limits: QueueLimits) -> Pushed {
        let first = self.frames.is_empty();
        self.bytes += frame.len();
        self.frames.push_back(frame);
        // Frames that the transport did not take at once are not held against a socket, or a burst
        // would cut one that reads; what comes after them is.
        if self.bytes + self.taken_bytes > limits.bytes_max
            || (self.blocked && self.frames.len() > limits.frames_max)
        {
            self.close(DisconnectReason::Slow);
            return Pushed::Overflow;
        }
        if first { Pushed::First } else { Pushed::Behind }
    }

    /// Ends the queue; the first reason stands. What waited is kept only where it can still be
    /// delivered.
    pub(super) fn close(&mut self, reason: DisconnectReason) {
        if self.closed.is_some() {
            return;
        }
        self.closed = Some(reason);
        if !flushes(reason) {
            self.frames = VecDeque::new();
            self.bytes = 0;
        }
    }

    /// Appends the last frame, past the limits.
    pub(super) fn push_goodbye(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        self.frames.push_back(frame);
    }

    /// Hands everything to the writer, whose own deque is empty and is kept for the next frames.
    pub(super) fn take_into(&mut self, writing: &mut VecDeque<Bytes>) {
        std::mem::swap(&mut self.frames, writing);
        self.taken_frames = writing.len();
        self.taken_bytes = std::mem::take(&mut self.bytes);
        self.blocked = false;
        if writing.is_empty() {
            for deque in [&mut self.frames, writing] {
                if deque.capacity() > KEPT_CAPACITY {
                    *deque = VecDeque::new();
                }
            }
        }
    }

    /// Gives back the memory of an idle queue.
    pub(super) fn shrink(&mut self) {
        if self.frames.is_empty() {
            self.frames = VecDeque::new();
        }
    }

    /// The transport takes no more: this much is left at the writer.
    pub(super) fn set_blocked(&mut self, frames: usize, bytes: usize) {
        self.taken_frames = frames;
        self.taken_bytes = bytes;
        self.blocked = true;
    }

    /// Moves the session from polling to its websocket, with everything that waited, in order.
    pub(super) fn move_to_websocket(&mut self) -> Option<Waker> {
        self.encoding = Encoding::Websocket;
        self.blocked = false;
        for packets in &mut self.frames {
            *packets = frame::polling_to_websocket(packets);
        }
        self.bytes = self.frames.iter().map(Bytes::len).sum();
        self.release(Release::Moved)
    }

    /// A poll has come; `false` when another one waits.
    pub(super) fn begin_poll(&mut self) -> bool {
        if matches!(self.poll, Poll::Pending(_)) {
            return false;
        }
        self.poll = Poll::Pending(None);
        self.release = None;
        true
    }

    pub(super) fn is_polled(&self) -> bool {
        matches!(self.poll, Poll::Pending(_))
    }

    pub(super) fn polls(&self) -> u32 {
        self.polls
    }

    /// The waker of the pending poll, once.
    pub(super) fn poll_waker(&mut self) -> Option<Waker> {
        match &mut self.poll {
            Poll::Pending(waker) => waker.take(),
            Poll::None => None,
        }
    }

    /// Answers the pending poll without packets. Nothing happens when none waits.
    pub(super) fn release(&mut self, release: Release) -> Option<Waker> {
        if self.is_polled() && self.release.is_none() {
            self.release = Some(release);
        }
        self.poll_waker()
    }

    /// The client says goodbye: its pending poll is released, or else the next one will be, since
    /// a client sends both at once and they may arrive in either order.
    pub(super) fn part(&mut self) -> Option<Waker> {
        self.parting = !self.is_polled();
        self.release(Release::Noop)
    }

    /// Whether a poll is still to be released.
    pub(super) fn is_parting(&self) -> bool {
        self.parting
    }

    /// The answer of the pending poll if there is one now; else `waker` is told when there is.
    pub(super) fn answer_poll(&mut self, waker: &Waker) -> Option<Polled> {
        let answer = match self.release.take() {
            Some(release) => Polled::Released(release),
            None if std::mem::take(&mut self.parting) => Polled::Released(Release::Noop),
            None if !self.frames.is_empty() && self.encoding == Encoding::Polling => {
                Polled::Packets(self.join())
            }
            None if self.encoding == Encoding::Websocket => Polled::Released(Release::Moved),
            None if self.closed.is_some() => Polled::Released(Release::Close),
            None => {
                self.poll = Poll::Pending(Some(waker.clone()));
                return None;
            }
        };
        self.end_poll();
        Some(answer)
    }

    /// The poll is over: answered, or its request is gone.
    pub(super) fn end_poll(&mut self) {
        self.poll = Poll::None;
        self.release = None;
        self.polls = self.polls.wrapping_add(1);
    }

    /// Joins everything that waits to one payload.
    fn join(&mut self) -> Bytes {
        self.bytes = 0;
        let mut frames = std::mem::take(&mut self.frames);
        if frames.len() == 1
            && let Some(only) = frames.pop_front()
        {
            return only;
        }
        let length = frames.iter().map(|frame| frame.len() + 1).sum();
        let mut payload = BytesMut::with_capacity(length);
        for packets in frames {
            engine::put_separator(&mut payload);
            payload.extend_from_slice(&packets);
        }
        payload.freeze()
    }
}

/// Whether what waits is still written when a session ends for this reason.
fn flushes(reason: DisconnectReason) -> bool {
    is_farewell(reason) || reason == DisconnectReason::Protocol
}

/// Whether the end is one that the peer is expected to hear of: then it is given the time.
pub(super) fn is_farewell(reason: DisconnectReason) -> bool {
    match reason {
        DisconnectReason::Closed
        | DisconnectReason::ServerShutdown
        | DisconnectReason::ServerDisconnect
        | DisconnectReason::ConnectTimeout
        | DisconnectReason::HandlerFailed => true,
        DisconnectReason::TransportClose
        | DisconnectReason::TransportError
        | DisconnectReason::PingTimeout
        | DisconnectReason::ClientDisconnect
        | DisconnectReason::Slow
        | DisconnectReason::Protocol => false,
    }
}
