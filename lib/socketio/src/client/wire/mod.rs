//! A session that its owner drives: no task, no queue, no parsed packet.
//!
//! For programs that hold thousands of connections on one core and look at every message: all
//! websockets read into one buffer that stays in the processor's cache, a message is handed over
//! where it lies, and a connection at rest keeps nothing but itself. Over polling the same texts
//! come, out of the answers of requests. Who needs comfort takes [`Client`](super::Client).

mod polling;
mod websocket;

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use super::config::{ClientConfig, Transports};
use super::error::ConnectError;
use super::http::{endpoint, open_websocket};
use super::state::Transport;
use super::stream::Target;
use polling::{Moved, Requested};
use websocket::Frames;

/// Bytes of the buffer that [`Wire::poll_texts`] wants. A longer message has one of its own.
pub const SCRATCH_BYTES: usize = 256 << 10;
/// The longest message that is taken over a websocket: stock servers send no longer ones.
const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// What may wait for a peer that does not read, answers to its pings included.
const UNSENT_BYTES_MAX: usize = 4 << 20;

/// Opens wires to one server. A clone opens the same ones.
#[derive(Debug, Clone)]
pub struct WireOpener {
    target: Arc<Target>,
    config: Arc<ClientConfig>,
    uri: Arc<str>,
}

impl WireOpener {
    /// For this server. Of the configuration count the address, the headers, the certificates, the
    /// proxy, the time limit, and, over polling, the longest message.
    ///
    /// # Errors
    /// [`ConnectError::Config`] for an address or certificates that cannot be used.
    pub fn new(config: &ClientConfig) -> Result<Self, ConnectError> {
        let target = Arc::new(Target::new(config)?);
        let uri = endpoint(&target, "websocket", None).into();
        Ok(Self { target, config: Arc::new(config.clone()), uri })
    }

    /// A connection up to the answer to its websocket handshake, or a session over polling;
    /// Engine.IO's handshake comes as the first text.
    ///
    /// # Errors
    /// [`ConnectError`], within the configuration's time limit.
    pub async fn open(&self, by: Transports) -> Result<Wire, ConnectError> {
        let within = self.config.connect_timeout;
        let opened = async {
            if by != Transports::Websocket {
                let polling = Requested::open(self, by == Transports::PollingUpgrade).await?;
                return Ok(Wire(Line::Polling(Box::new(polling))));
            }
            let stream = self.target.connect(within).await?;
            let headers = &self.config.headers;
            let (stream, read) = open_websocket(&self.target, headers, stream, &self.uri).await?;
            Ok(Wire(Line::Websocket(Frames::new(stream, &read))))
        };
        tokio::time::timeout(within, opened).await.unwrap_or(Err(ConnectError::Timeout(within)))
    }
}

/// Whether the system took what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// All of it.
    All,
    /// The peer reads slower than we write, or has not answered the request before: so many bytes
    /// wait here.
    Waits(usize),
}

/// One session.
#[derive(Debug)]
pub struct Wire(Line);

#[derive(Debug)]
enum Line {
    Websocket(Frames),
    Polling(Box<Requested>),
}

fn unread() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the server does not read")
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

impl Wire {
    /// What it travels on now.
    #[must_use]
    pub fn transport(&self) -> Transport {
        match self.0 {
            Line::Websocket(_) => Transport::Websocket,
            Line::Polling(_) => Transport::Polling,
        }
    }

    /// When something came last: a ping at least, from a server that is there.
    #[must_use]
    pub fn heard(&self) -> Instant {
        match &self.0 {
            Line::Websocket(frames) => frames.heard(),
            Line::Polling(requested) => requested.heard(),
        }
    }

    /// Sends one text, or keeps what the system does not take now until it does: that happens in
    /// [`Self::poll_texts`], which must be waited in.
    ///
    /// # Errors
    /// The connection is broken, or the peer has not read 4 MiB.
    pub fn send(&mut self, text: &[u8]) -> io::Result<Written> {
        match &mut self.0 {
            Line::Websocket(frames) => frames.send(text),
            Line::Polling(requested) => requested.send(text),
        }
    }

    /// Bytes that the system has not taken yet.
    #[must_use]
    pub fn unsent(&self) -> usize {
        match &self.0 {
            Line::Websocket(frames) => frames.unsent(),
            Line::Polling(requested) => requested.unsent(),
        }
    }

    /// Reads for as long as there is something and others can wait, and tells `seen` of every whole
    /// text, where it lies in the buffer, and when it was read. Pings of both layers are answered.
    /// `scratch` has [`SCRATCH_BYTES`] and may serve all wires of a thread.
    ///
    /// # Errors
    /// Always, in the end: the connection is over or broken, or the peer sent what no server sends.
    pub fn poll_texts(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut [u8],
        seen: &mut impl FnMut(&[u8], Instant),
    ) -> Poll<io::Error> {
        if let Line::Polling(requested) = &mut self.0 {
            match ready!(requested.poll_texts(cx, seen)) {
                Ok(Moved(frames)) => self.0 = Line::Websocket(frames),
                Err(error) => return Poll::Ready(error),
            }
        }
        match &mut self.0 {
            Line::Websocket(frames) => frames.poll_texts(cx, scratch, seen),
            Line::Polling(_) => Poll::Pending,
        }
    }

    /// Ends it without a good-bye: the peer sees a reset, as when a machine is gone. Whoever waits
    /// in [`Self::poll_texts`] is woken and must not poll it again.
    pub fn kill(self) {
        match self.0 {
            Line::Websocket(frames) => frames.kill(),
            Line::Polling(requested) => requested.kill(),
        }
    }

    /// Says good-bye, as far as the system takes it at once; a session over polling ends with its
    /// poll, when the wire is dropped.
    pub fn close(&mut self) {
        if let Line::Websocket(frames) = &mut self.0 {
            frames.close();
        }
    }
}
