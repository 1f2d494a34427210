//! Over a websocket.
//!
//! Frames are believed more easily than elsewhere: text is not checked to be UTF-8.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use super::{MESSAGE_BYTES_MAX, UNSENT_BYTES_MAX, Written, broken, unread};
use crate::client::stream::Stream;
use crate::engine::SEPARATOR;
use crate::ws::{Opcode, put_frame};

/// Bytes that are read before others have a turn.
const IN_A_ROW_BYTES_MAX: usize = 1 << 20;
/// The final frame of a text.
const FINAL_TEXT: u8 = 0x80 | Opcode::Text as u8;
const FINAL: u8 = 0x80;
const OPCODE: u8 = 0x0F;

/// One connection.
#[derive(Debug)]
pub(super) struct Frames {
    stream: Stream,
    /// The beginning of a frame whose end has not come.
    partial: Vec<u8>,
    /// The beginning of a message in fragments, and whether it is text.
    fragments: Option<(bool, Vec<u8>)>,
    unsent: BytesMut,
    heard: Instant,
    /// Who is waiting in [`Self::poll_texts`].
    reader: Waker,
}

/// What the frame at the beginning of `bytes` says of itself: the length of its header and of its
/// payload.
fn lengths(bytes: &[u8]) -> Option<(usize, usize)> {
    Some(match *bytes.get(1)? {
        126 => (4, usize::from(u16::from_be_bytes(*bytes.get(2..4)?.as_array()?))),
        127 => {
            let length = u64::from_be_bytes(*bytes.get(2..10)?.as_array()?);
            (10, usize::try_from(length).unwrap_or(usize::MAX))
        }
        length => (2, usize::from(length)),
    })
}

/// The same of a whole one.
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    lengths(bytes).filter(|(header, length)| bytes.len() - header >= *length)
}

impl Frames {
    /// On a connection whose handshake is answered; `read` was read behind the answer.
    pub(super) fn new(stream: Stream, read: &[u8]) -> Self {
        Self {
            stream,
            partial: read.to_vec(),
            fragments: None,
            unsent: BytesMut::new(),
            heard: Instant::now(),
            reader: Waker::noop().clone(),
        }
    }

    /// Takes a session over: says so (`5`), and then what its polling had not sent.
    pub(super) fn take_over(stream: Stream, read: &[u8], unsent: &[u8]) -> io::Result<Self> {
        let mut frames = Self::new(stream, read);
        frames.put(Opcode::Text, b"5")?;
        for text in unsent.split(|byte| *byte == SEPARATOR).filter(|text| !text.is_empty()) {
            frames.put(Opcode::Text, text)?;
        }
        frames.flush(&mut Context::from_waker(Waker::noop()))?;
        Ok(frames)
    }

    /// See [`super::Wire::send`].
    pub(super) fn send(&mut self, text: &[u8]) -> io::Result<Written> {
        self.put(Opcode::Text, text)?;
        self.flush(&mut Context::from_waker(Waker::noop()))?;
        if self.unsent.is_empty() {
            return Ok(Written::All);
        }
        // Whoever reads has to wait for room, too.
        self.reader.wake_by_ref();
        Ok(Written::Waits(self.unsent.len()))
    }

    pub(super) fn heard(&self) -> Instant {
        self.heard
    }

    pub(super) fn unsent(&self) -> usize {
        self.unsent.len()
    }

    fn put(&mut self, opcode: Opcode, payload: &[u8]) -> io::Result<()> {
        if self.unsent.len() > UNSENT_BYTES_MAX {
            return Err(unread());
        }
        put_frame(&mut self.unsent, opcode, &[payload], Some(rand::random()));
        Ok(())
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.unsent) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => self.unsent.advance(written),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(()),
            }
        }
        // A connection at rest keeps no buffer.
        self.unsent = BytesMut::new();
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Ready(Err(error)) => Err(error),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    /// See [`super::Wire::poll_texts`].
    pub(super) fn poll_texts(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut [u8],
        seen: &mut impl FnMut(&[u8], Instant),
    ) -> Poll<io::Error> {
        if !self.reader.will_wake(cx.waker()) {
            self.reader = cx.waker().clone();
        }
        if !self.unsent.is_empty()
            && let Err(error) = self.flush(cx)
        {
            return Poll::Ready(error);
        }
        // What came with the answer to the handshake.
        if !self.partial.is_empty()
            && let Err(error) = self.take_partial(seen)
        {
            return Poll::Ready(error);
        }
        let mut left = IN_A_ROW_BYTES_MAX;
        while left > 0 {
            // What is longer than the shared buffer grows in one of its own.
            let begun = self.partial.len();
            let kept = if begun < scratch.len() { begun } else { 0 };
            scratch[..kept].copy_from_slice(&self.partial[..kept]);
            let mut buffer = ReadBuf::new(&mut scratch[kept..]);
            if let Err(error) = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                return Poll::Ready(error);
            }
            let (now, read) = (Instant::now(), buffer.filled().len());
            if read == 0 {
                return Poll::Ready(io::ErrorKind::UnexpectedEof.into());
            }
            self.heard = now;
            left = left.saturating_sub(read);
            let taken = match kept == begun {
                true => self.take_short(&scratch[..kept + read], now, seen),
                false => self.take_long(&scratch[..read], now, seen),
            };
            if let Err(error) = taken {
                return Poll::Ready(error);
            }
        }
        // Whoever floods us does not keep the others from their turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes what was read, with what it began with.
    fn take_short(
        &mut self,
        bytes: &[u8],
        now: Instant,
        seen: &mut impl FnMut(&[u8], Instant),
    ) -> io::Result<()> {
        let taken = self.take(bytes, now, seen)?;
        self.partial.clear();
        self.partial.extend_from_slice(&bytes[taken..]);
        if self.partial.is_empty() {
            self.partial = Vec::new();
        }
        Ok(())
    }

    /// Takes what was read of a long message.
    fn take_long(
        &mut self,
        bytes: &[u8],
        now: Instant,
        seen: &mut impl FnMut(&[u8], Instant),
    ) -> io::Result<()> {
        self.partial.extend_from_slice(bytes);
        if lengths(&self.partial).is_some_and(|(_, length)| length > MESSAGE_BYTES_MAX) {
            return Err(broken("a message of over 16 MiB"));
        }
        let bytes = std::mem::take(&mut self.partial);
        let taken = self.take(&bytes, now, seen)?;
        self.partial = if taken > 0 { bytes[taken..].to_vec() } else { bytes };
        Ok(())
    }

    fn take_partial(&mut self, seen: &mut impl FnMut(&[u8], Instant)) -> io::Result<()> {
        let bytes = std::mem::take(&mut self.partial);
        let taken = self.take(&bytes, Instant::now(), seen)?;
        self.partial = bytes[taken..].to_vec();
        Ok(())
    }

    /// Takes whole frames; answers how many bytes they had.
    fn take(
        &mut self,
        bytes: &[u8],
        now: Instant,
        seen: &mut impl FnMut(&[u8], Instant),
    ) -> io::Result<usize> {
        let mut rest = bytes;
        while let Some((header, length)) = frame(rest) {
            let payload = &rest[header..header + length];
            match rest[0] {
                FINAL_TEXT if payload == b"2" => {
                    self.put(Opcode::Text, b"3")?;
                    self.flush(&mut Context::from_waker(Waker::noop()))?;
                }
                FINAL_TEXT if self.fragments.is_none() => seen(payload, now),
                other => self.rare(other, payload, now, seen)?,
            }
            rest = &rest[header + length..];
        }
        Ok(bytes.len() - rest.len())
    }

    /// Fragments and control frames.
    fn rare(
        &mut self,
        first: u8,
        payload: &[u8],
        now: Instant,
        seen: &mut impl FnMut(&[u8], Instant),
    ) -> io::Result<()> {
        const TEXT: u8 = Opcode::Text as u8;
        const BINARY: u8 = Opcode::Binary as u8;
        const CONTINUATION: u8 = Opcode::Continuation as u8;
        const CLOSE: u8 = Opcode::Close as u8;
        const PING: u8 = Opcode::Ping as u8;
        let is_final = first & FINAL != 0;
        match (first & OPCODE, self.fragments.take()) {
            (TEXT | BINARY, Some(_)) => return Err(broken("a message inside another")),
            (opcode @ (TEXT | BINARY), None) if !is_final => {
                self.fragments = Some((opcode == TEXT, payload.to_vec()));
            }
            (CONTINUATION, Some((is_text, mut message))) => {
                message.extend_from_slice(payload);
                if message.len() > MESSAGE_BYTES_MAX {
                    return Err(broken("a message of over 16 MiB"));
                }
                match is_final {
                    true if is_text => seen(&message, now),
                    true => {}
                    false => self.fragments = Some((is_text, message)),
                }
            }
            (CLOSE, _) => return Err(io::ErrorKind::ConnectionAborted.into()),
            (PING, fragments) => {
                self.fragments = fragments;
                self.put(Opcode::Pong, payload)?;
                self.flush(&mut Context::from_waker(Waker::noop()))?;
            }
            (_, fragments) => self.fragments = fragments,
        }
        Ok(())
    }

    /// See [`super::Wire::kill`].
    pub(super) fn kill(self) {
        self.stream.reset_at_end();
        self.reader.wake();
    }

    /// See [`super::Wire::close`].
    pub(super) fn close(&mut self) {
        // A peer that is gone, or does not read, needs no good-bye.
        let _gone = self
            .put(Opcode::Close, &[])
            .and_then(|()| self.flush(&mut Context::from_waker(Waker::noop())));
    }
}
