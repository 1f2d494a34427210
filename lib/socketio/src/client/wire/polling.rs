//! Over polling: a request that waits for the server, one at a time that carries what we say, and,
//! for a session that is to move, the probe of a websocket beside them.
//!
//! The order across the move is that of [`crate::client::polling`]: the last POST has been answered
//! and the last GET looked at before the websocket takes over, and what was said since leaves on
//! it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::websocket::Frames;
use super::{UNSENT_BYTES_MAX, WireOpener, Written, unread};
use crate::client::error::ConnectError;
use crate::client::http::Requests;
use crate::client::parse_open;
use crate::client::polling::{
    POST_ANSWER_BYTES_MAX, Probed, answer_bytes_max, body_bytes_max, probe,
};
use crate::engine::{EnginePacket, Payload, PayloadItem, SEPARATOR, put_separator};

/// A request that is under way, and its connection, which comes back with the answer.
type Asked = Pin<Box<dyn Future<Output = (Requests, Result<Bytes, ConnectError>)> + Send>>;
/// A websocket that is tried; none when the session stays where it is.
type Tried = Pin<Box<dyn Future<Output = Option<Probed>> + Send>>;

/// The session has moved.
pub(super) struct Moved(pub(super) Frames);

/// One session.
pub(super) struct Requested {
    sid: Box<str>,
    /// What one answer, and what one body of ours may have.
    answer_bytes_max: usize,
    body_bytes_max: usize,
    /// None once the session is about to move.
    getting: Option<Asked>,
    posting: Option<Asked>,
    /// The connection of the next POST; its place is empty while there is one.
    post: Option<Requests>,
    /// Texts with their separators.
    unsent: BytesMut,
    trying: Option<Tried>,
    tried: Option<Probed>,
    heard: Instant,
    /// Who is waiting in [`Self::poll_texts`].
    reader: Waker,
}

impl std::fmt::Debug for Requested {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let is_moving = self.tried.is_some();
        f.debug_struct("Requested").field("is_moving", &is_moving).finish_non_exhaustive()
    }
}

fn ask(mut by: Requests, sid: &str, body: Option<Bytes>, bytes_max: usize) -> Asked {
    let sid: Box<str> = sid.into();
    Box::pin(async move {
        let answer = by.send(Some(&sid), body, bytes_max).await;
        (by, answer)
    })
}

fn failed(error: &ConnectError) -> io::Error {
    io::Error::other(error.to_string())
}

impl Requested {
    /// Shakes hands; `moves` where a websocket is to take over.
    pub(super) async fn open(opener: &WireOpener, moves: bool) -> Result<Self, ConnectError> {
        let WireOpener { target, config, .. } = opener;
        let requests = || Requests::new(target.clone(), config).reset_at_end();
        let (mut get, post) = (requests(), requests());
        let bytes_max = answer_bytes_max(config);
        let body = get.send(None, None, bytes_max).await?;
        let open = match Payload::new(&body, usize::MAX).next() {
            Some(Ok(PayloadItem::Text(EnginePacket::Open(json)))) => parse_open(json)?,
            _ => return Err(ConnectError::Protocol("no handshake came first".to_owned())),
        };
        let moves = moves && open.upgrades.iter().any(|upgrade| upgrade == "websocket");
        let trying = moves.then(|| {
            let (config, target, sid) = (config.clone(), target.clone(), open.sid.clone());
            let probe = async move { probe(&config, &target, &sid).await };
            Box::pin(probe) as Tried
        });
        Ok(Self {
            answer_bytes_max: bytes_max,
            body_bytes_max: body_bytes_max(&open),
            sid: open.sid.into(),
            // It is looked at as every other one.
            getting: Some(Box::pin(std::future::ready((get, Ok(body))))),
            posting: None,
            post: Some(post),
            unsent: BytesMut::new(),
            trying,
            tried: None,
            heard: Instant::now(),
            reader: Waker::noop().clone(),
        })
    }

    /// See [`super::Wire::send`].
    pub(super) fn send(&mut self, text: &[u8]) -> io::Result<Written> {
        self.put(text)?;
        self.poll_post(&mut Context::from_waker(Waker::noop()))?;
        // Whoever reads has to wait for the answer, too.
        self.reader.wake_by_ref();
        match self.unsent.len() {
            0 => Ok(Written::All),
            waits => Ok(Written::Waits(waits)),
        }
    }

    pub(super) fn unsent(&self) -> usize {
        self.unsent.len()
    }

    pub(super) fn heard(&self) -> Instant {
        self.heard
    }

    fn put(&mut self, text: &[u8]) -> io::Result<()> {
        if self.unsent.len() > UNSENT_BYTES_MAX {
            return Err(unread());
        }
        put_separator(&mut self.unsent);
        self.unsent.extend_from_slice(text);
        Ok(())
    }

    /// As many texts as one body may have, at least one: the server says what is too much for it.
    fn body(&mut self) -> Bytes {
        if self.unsent.len() <= self.body_bytes_max {
            return std::mem::take(&mut self.unsent).freeze();
        }
        let fits = memchr::memrchr(SEPARATOR, &self.unsent[..=self.body_bytes_max]);
        let Some(end) = fits.or_else(|| memchr::memchr(SEPARATOR, &self.unsent)) else {
            return std::mem::take(&mut self.unsent).freeze();
        };
        let body = self.unsent.split_to(end).freeze();
        let _separator = self.unsent.split_to(1);
        body
    }

    /// POST after POST, for as long as there is something to say and the session stays.
    fn poll_post(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        loop {
            if let Some(posting) = &mut self.posting {
                let Poll::Ready((post, answer)) = posting.as_mut().poll(cx) else { return Ok(()) };
                answer.map_err(|error| failed(&error))?;
                (self.posting, self.post) = (None, Some(post));
            }
            if self.unsent.is_empty() || self.tried.is_some() {
                return Ok(());
            }
            let Some(post) = self.post.take() else { return Ok(()) };
            let body = self.body();
            self.posting = Some(ask(post, &self.sid, Some(body), POST_ANSWER_BYTES_MAX));
        }
    }

    /// GET after GET: see [`super::Wire::poll_texts`]. Ends when the session has moved.
    pub(super) fn poll_texts(
        &mut self,
        cx: &mut Context<'_>,
        seen: &mut impl FnMut(&[u8], Instant),
    ) -> Poll<io::Result<Moved>> {
        if !self.reader.will_wake(cx.waker()) {
            self.reader = cx.waker().clone();
        }
        if let Some(trying) = &mut self.trying
            && let Poll::Ready(tried) = trying.as_mut().poll(cx)
        {
            (self.trying, self.tried) = (None, tried);
        }
        while let Some(getting) = &mut self.getting {
            let Poll::Ready((get, answer)) = getting.as_mut().poll(cx) else { break };
            let now = Instant::now();
            self.heard = now;
            let body = answer.map_err(|error| failed(&error))?;
            self.getting = match self.tried {
                Some(_) => None,
                None => Some(ask(get, &self.sid, None, self.answer_bytes_max)),
            };
            self.take(&body, now, seen)?;
        }
        self.poll_post(cx)?;
        if self.getting.is_some() || self.posting.is_some() {
            return Poll::Pending;
        }
        let Some(Probed(stream, _, read)) = self.tried.take() else { return Poll::Pending };
        Poll::Ready(Frames::take_over(stream, &read, &self.unsent).map(Moved))
    }

    fn take(
        &mut self,
        body: &[u8],
        now: Instant,
        seen: &mut impl FnMut(&[u8], Instant),
    ) -> io::Result<()> {
        for text in body.split(|byte| *byte == SEPARATOR) {
            match text {
                b"2" => self.put(b"3")?,
                b"1" => return Err(io::ErrorKind::ConnectionAborted.into()),
                // It ends a poll that has waited long enough; and what is binary is no text.
                [] | b"6" | [b'b', ..] => {}
                text => seen(text, now),
            }
        }
        Ok(())
    }

    /// Its connections end with a reset in any case: they were told to.
    pub(super) fn kill(self) {
        let Self { reader, .. } = self;
        reader.wake();
    }
}
