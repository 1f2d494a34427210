//! A websocket of a client: what is kept of it between two messages, and how its frames leave.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use hyper::upgrade::Upgraded;

use super::config::ServerConfig;
use super::queue::Queue;
use super::session::lock;
use super::stream::{self, ReadHalf, WriteHalf};
use crate::ws::{self, Decoder, Message, Role};

/// Frames that leave in one system call.
const WRITE_FRAMES_MAX: usize = 64;
/// System calls for one socket in one turn; one with more to send stands in line again.
const WRITES_PER_TURN: usize = 32;

thread_local! {
    /// Between two messages a connection owns no buffer: it reads into its worker's.
    static READ_BUFFER: Cell<BytesMut> = Cell::new(BytesMut::new());
}

/// Both halves, for as long as no connection owns them.
pub(super) struct Websocket {
    pub(super) reader: Reader,
    pub(super) writer: Writer,
}

/// The half that the connection's task owns.
pub(super) struct Reader {
    pub(super) half: ReadHalf,
    pub(super) decoder: Decoder,
    /// The beginning of a message whose end has not come; no allocation between messages.
    partial: BytesMut,
}

/// The half that the session shares with whoever flushes it.
pub(super) struct Writer {
    outgoing: Outgoing,
    /// Is told when a transport that was full takes more.
    writable: Waker,
}

struct Outgoing {
    half: WriteHalf,
    /// Frames taken from the queue.
    writing: VecDeque<Bytes>,
    /// How much of the first of them is written.
    written: usize,
}

/// The buffer of one round of reading, and whether it is the worker's.
pub(super) struct ReadBuffer {
    pub(super) bytes: BytesMut,
    borrowed: bool,
}

/// How far flushing has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flushed {
    /// Nothing waits any more. How many frames have left in the last call.
    Drained(usize),
    /// The socket has had its turn, and has more.
    More,
    /// The transport takes no more for now; whether it has taken some in this turn.
    Full { moved: bool },
    /// The transport is broken.
    Failed,
}

impl Websocket {
    pub(super) fn new(upgraded: Upgraded, config: &ServerConfig) -> Self {
        let (read, write, early) = stream::split(upgraded, config);
        let limits = ws::Limits {
            message_bytes_max: config.max_payload,
            fragments_max: config.fragments_max,
        };
        Self {
            reader: Reader {
                half: read,
                decoder: Decoder::new(Role::Server, limits),
                partial: BytesMut::from(&early[..]),
            },
            writer: Writer {
                outgoing: Outgoing { half: write, writing: VecDeque::new(), written: 0 },
                writable: Waker::noop().clone(),
            },
        }
    }

    /// The next message. `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Message> {
        let Reader { half, decoder, partial } = &mut self.reader;
        loop {
            if let Some(message) = decoder.decode(partial).ok()? {
                return Some(message);
            }
            if poll_fn(|context| half.poll_read(context, partial)).await.ok()? == 0 {
                return None;
            }
        }
    }

    /// Writes one frame to its end.
    pub(super) async fn write(&mut self, frame: Bytes) -> io::Result<()> {
        let outgoing = &mut self.writer.outgoing;
        outgoing.writing.push_back(frame);
        while !outgoing.writing.is_empty() {
            if poll_fn(|context| outgoing.poll_write(context)).await? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        poll_fn(|context| outgoing.half.poll_flush(context)).await
    }
}

impl Reader {
    /// The buffer to read into: what is left of the last round, or the worker's.
    pub(super) fn take_buffer(&mut self) -> ReadBuffer {
        if self.partial.is_empty() {
            ReadBuffer { bytes: READ_BUFFER.take(), borrowed: true }
        } else {
            ReadBuffer { bytes: std::mem::take(&mut self.partial), borrowed: false }
        }
    }

    /// Ends the round: keeps what was not decoded, in memory of its own.
    pub(super) fn return_buffer(&mut self, mut buffer: ReadBuffer) {
        if !buffer.borrowed {
            if !buffer.bytes.is_empty() {
                self.partial = buffer.bytes;
            }
            return;
        }
        self.partial = BytesMut::from(&buffer.bytes[..]);
        buffer.bytes.clear();
        READ_BUFFER.set(buffer.bytes);
    }
}

impl Writer {
    /// Names who is to be told when the transport takes more.
    pub(super) fn set_writable(&mut self, writable: Waker) {
        self.writable = writable;
    }

    /// Writes what waits in `queue`, as much as possible in one call. The queue is locked only
    /// while frames are taken from it, never over a call.
    pub(super) fn flush(&mut self, queue: &Mutex<Queue>) -> Flushed {
        let Self { outgoing, writable } = self;
        let mut context = Context::from_waker(writable);
        let (mut moved, mut frames) = (false, 0);
        for _ in 0..WRITES_PER_TURN {
            if outgoing.writing.is_empty() {
                lock(queue).take_into(&mut outgoing.writing);
                if outgoing.writing.is_empty() {
                    // What a stream of TLS holds back goes on by itself when its socket does.
                    return match outgoing.half.poll_flush(&mut context) {
                        Poll::Ready(Err(_)) => Flushed::Failed,
                        Poll::Ready(Ok(())) => Flushed::Drained(frames),
                        Poll::Pending => Flushed::Full { moved },
                    };
                }
                frames = outgoing.writing.len();
            }
            match outgoing.poll_write(&mut context) {
                Poll::Ready(Ok(0) | Err(_)) => return Flushed::Failed,
                Poll::Ready(Ok(_)) => moved = true,
                Poll::Pending => {
                    lock(queue).set_blocked(outgoing.writing.len(), outgoing.unwritten());
                    return Flushed::Full { moved };
                }
            }
        }
        Flushed::More
    }

    pub(super) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.half.poll_shutdown(context)
    }

    /// Gives back the memory of a writer with nothing to write.
    pub(super) fn shrink(&mut self) {
        if self.outgoing.writing.is_empty() {
            self.outgoing.writing = VecDeque::new();
        }
    }

    /// Lets go at once: the peer is reset.
    pub(super) fn abort(self) {
        self.outgoing.half.abort();
    }
}

impl Outgoing {
    /// Writes the frames that were taken from the queue. `Ready(Ok(bytes))` when some were written.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); WRITE_FRAMES_MAX];
        let mut count = 0;
        for (slice, frame) in slices.iter_mut().zip(&self.writing) {
            let skip = if count == 0 { self.written } else { 0 };
            *slice = IoSlice::new(&frame[skip..]);
            count += 1;
        }
        let written = self.half.poll_write(context, &slices[..count]);
        if let Poll::Ready(Ok(bytes)) = written {
            self.advance(bytes);
        }
        written
    }

    fn advance(&mut self, bytes: usize) {
        self.written += bytes;
        while let Some(first) = self.writing.front()
            && first.len() <= self.written
        {
            self.written -= first.len();
            self.writing.pop_front();
        }
    }

    /// Bytes that were taken from the queue and are not written.
    fn unwritten(&self) -> usize {
        self.writing.iter().map(Bytes::len).sum::<usize>() - self.written
    }
}
