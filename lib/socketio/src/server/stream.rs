//! The byte stream under a websocket, in two halves: the connection reads, whoever flushes writes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::config::ServerConfig;

/// Bytes asked of the transport at once, and the most that is held of a client that is ahead of
/// its handler.
const READ_BYTES: usize = 16 << 10;
/// A buffer with less room than this grows before it is read into.
const READ_BYTES_MIN: usize = 1 << 10;

/// A transport that is not a plain TCP socket (a TLS stream, a test's pipe).
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// What a connection reads from.
pub(super) enum ReadHalf {
    Tcp(OwnedReadHalf),
    Other(tokio::io::ReadHalf<Box<dyn Io>>),
}

/// What is written to.
pub(super) enum WriteHalf {
    Tcp(OwnedWriteHalf),
    Other(tokio::io::WriteHalf<Box<dyn Io>>),
}

/// Takes the socket out of hyper's hands, with what hyper had read too much.
pub(super) fn split(upgraded: Upgraded, config: &ServerConfig) -> (ReadHalf, WriteHalf, Bytes) {
    match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => {
            let stream = parts.io.into_inner();
            tune(&stream, config);
            let (read, write) = stream.into_split();
            (ReadHalf::Tcp(read), WriteHalf::Tcp(write), parts.read_buf)
        }
        Err(upgraded) => {
            let stream: Box<dyn Io> = Box::new(TokioIo::new(upgraded));
            let (read, write) = tokio::io::split(stream);
            (ReadHalf::Other(read), WriteHalf::Other(write), Bytes::new())
        }
    }
}

/// Small frames leave at once, and a peer that takes nothing is found by the kernel, too.
fn tune(stream: &TcpStream, config: &ServerConfig) {
    let socket = socket2::SockRef::from(stream);
    let _best_effort = socket.set_tcp_nodelay(true);
    if let Some(bytes) = config.send_buffer_bytes {
        let _best_effort = socket.set_send_buffer_size(bytes);
    }
    #[cfg(target_os = "linux")]
    // What the kernel holds for a peer that takes nothing is outside of our own count.
    let _best_effort = socket.set_tcp_user_timeout(Some(config.stall_timeout));
}

impl ReadHalf {
    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        if buffer.capacity() - buffer.len() < READ_BYTES_MIN {
            buffer.reserve(READ_BYTES);
        }
        match self {
            Self::Tcp(half) => tokio_util::io::poll_read_buf(Pin::new(half), context, buffer),
            Self::Other(half) => tokio_util::io::poll_read_buf(Pin::new(half), context, buffer),
        }
    }
}

impl WriteHalf {
    /// Writes as much as the transport takes; `context` is told when it takes more.
    pub(super) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let half = match self {
            Self::Tcp(half) => half,
            Self::Other(half) => return Pin::new(half).poll_write_vectored(context, slices),
        };
        // Not `poll_write_vectored`: that one counts against the budget of the task that flushes
        // hundreds of sockets in a turn, and a spent budget would look like a full transport.
        loop {
            let written = match slices {
                [only] => half.try_write(only),
                _ => half.try_write_vectored(slices),
            };
            match written {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    std::task::ready!(half.as_ref().poll_write_ready(context))?;
                }
                written => return Poll::Ready(written),
            }
        }
    }

    /// A transport with a buffer of its own (TLS) is pushed to send what it holds.
    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(_) => Poll::Ready(Ok(())),
            Self::Other(half) => Pin::new(half).poll_flush(context),
        }
    }

    pub(super) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(half) => Pin::new(half).poll_shutdown(context),
            Self::Other(half) => Pin::new(half).poll_shutdown(context),
        }
    }

    /// Lets go so that the end is immediate: what the kernel still holds is thrown away and the
    /// peer is reset, as soon as the other half is gone, too.
    pub(super) fn abort(self) {
        if let Self::Tcp(half) = self {
            let stream: &TcpStream = half.as_ref();
            let _best_effort = socket2::SockRef::from(stream).set_linger(Some(Default::default()));
            // Dropped, it would say goodbye.
            half.forget();
        }
    }
}
