//! The task of a connection over a websocket: one future, no buffers while it is idle.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::error::ConnectError;
use super::session::{Session, Step, Wrong};
use super::shared::Shared;
use super::state::{Asked, Outbound, Transport};
use super::stream::Stream;
use super::tap::{Passed, Way};
use crate::DisconnectReason;
use crate::engine::EnginePacket;
use crate::ws::{self, Opcode, close_code};

/// Bytes that are framed before they are offered to the socket; the rest waits in the queue.
const WRITE_CHUNK_BYTES: usize = 64 * 1024;
/// Bytes that one read takes.
const READ_CHUNK_BYTES: usize = 64 * 1024;
/// Reads before somebody else has a turn: a flood must not keep our own frames from leaving.
const READS_IN_A_ROW_MAX: u32 = 16;
/// A buffer that has grown beyond this is given back once it is empty.
const KEPT_BUFFER_BYTES_MAX: usize = 512;
/// The server must take something within this time, or the connection is broken.
const WRITE_STALL_MAX: Duration = Duration::from_secs(20);
/// For our close frame to leave, and for the server's to come.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(1);

thread_local! {
    /// Where reads land before their exact number is kept. Shared by all connections of a thread,
    /// so that an idle one owns no buffer, and an event that is kept pins no more than its burst.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_CHUNK_BYTES].into());
}

/// How a connection ended, and the close code to say so with; none when there is nobody to tell.
struct End(DisconnectReason, Option<u16>);

impl End {
    fn wrong(what: &dyn std::fmt::Display, code: u16) -> Self {
        tracing::debug!(%what, "the server broke the protocol");
        Self(DisconnectReason::Protocol, Some(code))
    }

    fn broken(error: &io::Error) -> Self {
        tracing::debug!(%error, "the connection broke");
        Self(DisconnectReason::TransportError, None)
    }
}

pub(super) struct Websocket {
    io: Stream,
    session: Session,
    frames: ws::Decoder,
    input: BytesMut,
    output: BytesMut,
    batch: VecDeque<Outbound>,
    /// The newest RFC 6455 ping's payload.
    ping: Option<Bytes>,
    paused: bool,
    flushed: bool,
    /// Since when the socket has taken nothing.
    stalled_since: Option<Instant>,
    timer: Pin<Box<Sleep>>,
}

impl Websocket {
    pub(super) fn new(
        io: Stream,
        session: Session,
        frames: ws::Decoder,
        input: BytesMut,
        batch: VecDeque<Outbound>,
    ) -> Self {
        let timer = Box::pin(tokio::time::sleep_until(session.deadline));
        session.shared.set_transport(Transport::Websocket);
        Self {
            io,
            session,
            frames,
            input,
            output: BytesMut::new(),
            batch,
            ping: None,
            paused: false,
            flushed: true,
            stalled_since: None,
            timer,
        }
    }

    /// Runs until the connection is over.
    pub(super) async fn run(mut self) {
        let End(reason, code) = poll_fn(|cx| self.poll(cx)).await;
        self.session.shared.close(reason);
        if let Some(code) = code {
            // The application knows already; this is for the server's log.
            let _unheard = tokio::time::timeout(CLOSE_WAIT_MAX, self.say_goodbye(code)).await;
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        self.session.shared.register(cx);
        let asked = self.session.shared.asked();
        if asked == Some(Asked::Abort) {
            return Poll::Ready(End(DisconnectReason::ClientDisconnect, None));
        }
        // Reading comes first: it may bring the ping whose pong then leaves in the same turn.
        let more_to_read = match self.poll_read(cx) {
            Ok(more) => more,
            Err(end) => return Poll::Ready(end),
        };
        if let Err(error) = self.poll_write(cx) {
            return Poll::Ready(End::broken(&error));
        }
        if asked == Some(Asked::Close) && self.flushed {
            return Poll::Ready(End(DisconnectReason::ClientDisconnect, Some(close_code::NORMAL)));
        }
        if more_to_read {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.poll_timer(cx)
    }

    /// Reads and dispatches; true when there may be more to read.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        for _ in 0..READS_IN_A_ROW_MAX {
            if !self.dispatch()? {
                return Ok(false);
            }
            if self.input.is_empty() && self.input.capacity() > 0 {
                self.input = BytesMut::new();
            }
            match read_some(&mut self.io, &mut self.input, cx) {
                Poll::Pending => return Ok(false),
                Poll::Ready(Ok(0)) => return Err(End(DisconnectReason::TransportClose, None)),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Err(End::broken(&error)),
            }
        }
        Ok(true)
    }

    /// Takes whole messages out of the input; false when the application must receive first.
    fn dispatch(&mut self) -> Result<bool, End> {
        let now = Instant::now();
        if self.paused {
            if self.session.shared.must_pause() {
                return Ok(false);
            }
            // The server's pings were there, we did not look.
            self.paused = false;
            self.session.heard(now);
        }
        loop {
            let message = self.frames.decode(&mut self.input);
            let message = message.map_err(|error| End::wrong(&error, error.close_code()))?;
            let step = match message {
                None => return Ok(true),
                Some(ws::Message::Text(text)) => match EnginePacket::decode(&text) {
                    Ok(packet) => self.session.on_packet(packet, now),
                    Err(error) => Err(Wrong(error.to_string())),
                },
                Some(ws::Message::Binary(data)) => self.session.on_binary(data),
                Some(ws::Message::Ping(data)) => {
                    self.ping = Some(data);
                    Ok(Step::Go)
                }
                Some(ws::Message::Pong(_)) => Ok(Step::Go),
                Some(ws::Message::Close(frame)) => {
                    let code = frame.map_or(close_code::NORMAL, |frame| frame.code);
                    return Err(End(DisconnectReason::TransportClose, Some(code)));
                }
            };
            match step {
                Ok(Step::Go) => {}
                Ok(Step::Pause) => {
                    self.paused = true;
                    return Ok(false);
                }
                Ok(Step::Close) => {
                    let code = Some(close_code::NORMAL);
                    return Err(End(DisconnectReason::TransportClose, code));
                }
                Err(Wrong(what)) => return Err(End::wrong(&what, close_code::PROTOCOL)),
            }
        }
    }

    /// Writes until the socket takes no more or nothing waits.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        loop {
            if self.output.is_empty() {
                self.frame_waiting();
            }
            if self.output.is_empty() {
                break;
            }
            self.flushed = false;
            match Pin::new(&mut self.io).poll_write(cx, &self.output)? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(written) => {
                    self.output.advance(written);
                    self.stalled_since = None;
                }
                Poll::Pending => {
                    self.stalled_since.get_or_insert_with(Instant::now);
                    return Ok(());
                }
            }
        }
        if !self.flushed && Pin::new(&mut self.io).poll_flush(cx)?.is_ready() {
            self.flushed = true;
            self.stalled_since = None;
        }
        if self.output.capacity() > KEPT_BUFFER_BYTES_MAX {
            self.output = BytesMut::new();
        }
        Ok(())
    }

    /// Frames what waits, pongs first, up to [`WRITE_CHUNK_BYTES`].
    fn frame_waiting(&mut self) {
        if let Some(data) = self.ping.take() {
            put(&mut self.output, Opcode::Pong, &[&data]);
        }
        if let Some(data) = self.session.shared.take_pong() {
            put(&mut self.output, Opcode::Text, &[b"3", &data]);
            self.session.shared.tapped(|tap, on| {
                // It came as text.
                let data = std::str::from_utf8(&data).unwrap_or_default();
                tap.tell(on, Passed::Packet(Way::Out, EnginePacket::Pong(data)));
            });
        }
        while self.output.len() < WRITE_CHUNK_BYTES {
            if self.batch.is_empty() {
                self.session.shared.take_out(&mut self.batch);
            }
            let Some(packet) = self.batch.pop_front() else { return };
            put_packet(&mut self.output, &packet, &self.session.shared);
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            let now = Instant::now();
            let stalled = self.stalled_since.map(|since| since + WRITE_STALL_MAX);
            if stalled.is_some_and(|deadline| deadline <= now) {
                return Poll::Ready(End::broken(&io::ErrorKind::TimedOut.into()));
            }
            let silent = (!self.paused).then_some(self.session.deadline);
            if silent.is_some_and(|deadline| deadline <= now) {
                return Poll::Ready(End(DisconnectReason::PingTimeout, None));
            }
            let Some(next) = silent.into_iter().chain(stalled).min() else { return Poll::Pending };
            // A ping moves the deadline away; the timer is moved when it fires, not each time.
            if self.timer.deadline() > next || self.timer.is_elapsed() {
                self.timer.as_mut().reset(next);
            }
            ready!(self.timer.as_mut().poll(cx));
        }
    }

    /// Sends what is half written and a close frame, then waits for the server to hang up: a
    /// connection closed with unread input would be reset, and the close frame lost.
    async fn say_goodbye(&mut self, code: u16) -> io::Result<()> {
        put(&mut self.output, Opcode::Close, &[&ws::close_payload(code, "")]);
        self.io.write_all(&self.output).await?;
        self.io.flush().await?;
        self.io.shutdown().await?;
        let mut rest = [0; 512];
        while self.io.read(&mut rest).await? > 0 {}
        Ok(())
    }
}

/// Waits for the first text message, within whoever's timeout: the server's handshake or, on an
/// upgrade, its answer to our probe.
pub(super) async fn first_text(
    io: &mut Stream,
    frames: &mut ws::Decoder,
    input: &mut BytesMut,
) -> Result<Bytes, ConnectError> {
    let wrong = |what: &str| ConnectError::Protocol(what.to_owned());
    loop {
        let message = frames.decode(input).map_err(|error| wrong(&error.to_string()))?;
        match message {
            Some(ws::Message::Text(text)) => return Ok(text),
            Some(ws::Message::Binary(_)) => return Err(wrong("a binary message came first")),
            Some(ws::Message::Close(_)) => {
                return Err(ConnectError::Closed(DisconnectReason::TransportClose));
            }
            Some(ws::Message::Ping(_) | ws::Message::Pong(_)) => {}
            None => match poll_fn(|cx| read_some(io, input, cx)).await {
                Ok(0) => return Err(ConnectError::Closed(DisconnectReason::TransportClose)),
                Ok(_) => {}
                Err(error) => return Err(ConnectError::Broken(error.to_string())),
            },
        }
    }
}

/// Appends what one read brings.
pub(crate) fn read_some(
    io: &mut Stream,
    input: &mut BytesMut,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    SCRATCH.with_borrow_mut(|scratch| {
        let mut read = ReadBuf::new(scratch);
        ready!(Pin::new(io).poll_read(cx, &mut read))?;
        input.extend_from_slice(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    })
}

/// Asks over a new websocket whether the session may move to it (Engine.IO v4, "upgrade").
pub(super) async fn probe(
    io: &mut Stream,
    frames: &mut ws::Decoder,
    input: &mut BytesMut,
) -> Result<(), ConnectError> {
    write_text(io, b"2probe").await?;
    match first_text(io, frames, input).await? {
        text if &text[..] == b"3probe" => Ok(()),
        _ => Err(ConnectError::Protocol("the probe was answered with something else".to_owned())),
    }
}

/// Sends one text message, within whoever's timeout.
pub(super) async fn write_text(io: &mut Stream, text: &[u8]) -> Result<(), ConnectError> {
    let broken = |error: io::Error| ConnectError::Broken(error.to_string());
    let mut frame = BytesMut::new();
    put(&mut frame, Opcode::Text, &[text]);
    io.write_all(&frame).await.map_err(broken)?;
    io.flush().await.map_err(broken)
}

/// One masked frame, with a mask of its own (RFC 6455 §5.3).
fn put(out: &mut BytesMut, opcode: Opcode, parts: &[&[u8]]) {
    ws::put_frame(out, opcode, parts, Some(rand::random()));
}

/// A Socket.IO packet: a text frame, and a binary one for each attachment.
fn put_packet(out: &mut BytesMut, packet: &Outbound, shared: &Shared) {
    ws::put_frame_with(out, Opcode::Text, Some(rand::random()), |out| {
        let from = out.len();
        out.put_u8(b'4');
        packet.encode(out);
        shared.tapped(|tap, on| tap.tell_text(on, Way::Out, &out[from..]));
    });
    for attachment in packet.attachments() {
        put(out, Opcode::Binary, &[attachment]);
        shared.tapped(|tap, on| tap.tell(on, Passed::Binary(Way::Out, attachment)));
    }
}
