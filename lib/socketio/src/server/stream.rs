//! The byte stream under a websocket, and what is kept of it between two messages.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::config::ServerConfig;
use crate::ws::{self, Decoder, Message, Role};

/// Bytes asked of the transport at once, and the most that is held of a client that is ahead of
/// its handler.
const READ_BYTES: usize = 16 << 10;
/// A buffer with less room than this grows before it is read into.
const READ_BYTES_MIN: usize = 1 << 10;
/// Frames that leave in one system call.
const WRITE_FRAMES_MAX: usize = 64;

thread_local! {
    /// Between two messages a connection owns no buffer: it reads into its worker's.
    static READ_BUFFER: Cell<BytesMut> = Cell::new(BytesMut::new());
}

/// A transport that is not a plain TCP socket (a TLS stream, a test's pipe).
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

pub(super) enum Stream {
    Tcp(TcpStream),
    Other(Box<dyn Io>),
}

impl Stream {
    /// Takes the socket out of hyper's hands, with what hyper had read too much.
    pub(super) fn from_upgraded(upgraded: Upgraded) -> (Self, Bytes) {
        match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(parts) => (Self::Tcp(parts.io.into_inner()), parts.read_buf),
            Err(upgraded) => (Self::Other(Box::new(TokioIo::new(upgraded))), Bytes::new()),
        }
    }

    /// Small frames leave at once, and a peer that takes nothing is found by the kernel, too.
    fn tune(&self, config: &ServerConfig) {
        let Self::Tcp(stream) = self else { return };
        let socket = socket2::SockRef::from(stream);
        let _best_effort = socket.set_tcp_nodelay(true);
        if let Some(bytes) = config.send_buffer_bytes {
            let _best_effort = socket.set_send_buffer_size(bytes);
        }
        #[cfg(target_os = "linux")]
        // What the kernel holds for a peer that takes nothing is outside of our own count.
        let _best_effort = socket.set_tcp_user_timeout(Some(config.stall_timeout));
    }

    /// Makes the end immediate: what the kernel still holds is thrown away, the peer is reset.
    pub(super) fn set_abrupt(&self) {
        if let Self::Tcp(stream) = self {
            let _best_effort = socket2::SockRef::from(stream).set_linger(Some(Default::default()));
        }
    }

    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        if buffer.capacity() - buffer.len() < READ_BYTES_MIN {
            buffer.reserve(READ_BYTES);
        }
        match self {
            Self::Tcp(stream) => tokio_util::io::poll_read_buf(Pin::new(stream), context, buffer),
            Self::Other(stream) => tokio_util::io::poll_read_buf(Pin::new(stream), context, buffer),
        }
    }

    fn poll_write_vectored(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Self::Other(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Other(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    pub(super) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Other(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

/// A websocket of a client: the stream, the framing state and the frames being written.
pub(super) struct Websocket {
    pub(super) stream: Stream,
    pub(super) decoder: Decoder,
    /// The beginning of a message whose end has not come; no allocation between messages.
    partial: BytesMut,
    /// Frames taken from the queue.
    pub(super) writing: VecDeque<Bytes>,
    /// How much of the first of them is written.
    written: usize,
}

/// The buffer of one round of reading, and whether it is the worker's.
pub(super) struct ReadBuffer {
    pub(super) bytes: BytesMut,
    borrowed: bool,
}

impl Websocket {
    pub(super) fn new(upgraded: Upgraded, config: &ServerConfig) -> Self {
        let (stream, early) = Stream::from_upgraded(upgraded);
        stream.tune(config);
        let limits = ws::Limits {
            message_bytes_max: config.max_payload,
            fragments_max: config.fragments_max,
        };
        Self {
            stream,
            decoder: Decoder::new(Role::Server, limits),
            partial: BytesMut::from(&early[..]),
            writing: VecDeque::new(),
            written: 0,
        }
    }

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

    /// Writes the frames that were taken from the queue, as many as possible in one call.
    /// `Ready(Ok(bytes))` when some were written.
    pub(super) fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); WRITE_FRAMES_MAX];
        let mut count = 0;
        for (slice, frame) in slices.iter_mut().zip(&self.writing) {
            let skip = if count == 0 { self.written } else { 0 };
            *slice = IoSlice::new(&frame[skip..]);
            count += 1;
        }
        let written = self.stream.poll_write_vectored(context, &slices[..count]);
        if let Poll::Ready(Ok(bytes)) = written {
            self.advance(bytes);
        }
        written
    }

    /// A transport with a buffer of its own (TLS) is pushed to send what it holds.
    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_flush(context)
    }

    /// The next message, for as long as no connection owns the websocket. `None` at its end.
    pub(super) async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.decoder.decode(&mut self.partial).ok()? {
                return Some(message);
            }
            let read =
                |context: &mut Context<'_>| self.stream.poll_read(context, &mut self.partial);
            if poll_fn(read).await.ok()? == 0 {
                return None;
            }
        }
    }

    /// Writes one frame to its end, for as long as no connection owns the websocket.
    pub(super) async fn write(&mut self, frame: Bytes) -> io::Result<()> {
        self.writing.push_back(frame);
        while !self.writing.is_empty() {
            if poll_fn(|context| self.poll_write(context)).await? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        poll_fn(|context| self.poll_flush(context)).await
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
    pub(super) fn unwritten(&self) -> usize {
        self.writing.iter().map(Bytes::len).sum::<usize>() - self.written
    }
}
