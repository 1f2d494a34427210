//! Long-polling: a GET waits for packets, a POST brings some.

use std::error::Error;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use super::body::ResponseBody;
use super::http::{Rejection, respond};
use super::queue::{Polled, Release};
use super::session::{Post, Session};
use super::signal::{QUEUED, READ};
use crate::reason::DisconnectReason;

/// How long a poll waits for the client to move when a websocket is being tried: either the move
/// comes and the poll is turned away, or it is released so that the client can move.
const PROBING_HOLD: Duration = Duration::from_millis(100);

/// How long a second poll is watched: the HTTP server sees a closed connection at once.
const OVERLAP_WAIT: Duration = Duration::from_millis(10);

const TEXT: &str = "text/plain; charset=UTF-8";

/// The error of a request's body.
pub(super) type BodyError = Box<dyn Error + Send + Sync>;

/// The answer that carries packets.
pub(super) fn packets(session: &Arc<Session>, packets: Bytes) -> Response<ResponseBody> {
    respond(StatusCode::OK, TEXT, ResponseBody::packets(packets, Arc::clone(session)))
}

/// A poll from the moment in which its request is known: a request whose connection is closed may
/// be dropped by the HTTP server before it is ever looked at.
pub(super) enum Begun {
    /// It waits for packets.
    First(PendingPoll),
    /// Another one waits already.
    Second(SecondPoll),
    /// The session has ended.
    Over,
}

/// Ends the poll however its request ends. A client that gives up a poll may have lost packets
/// that were on their way, so that its session ends.
pub(super) struct PendingPoll {
    session: Arc<Session>,
    answered: bool,
}

impl Drop for PendingPoll {
    fn drop(&mut self) {
        if !self.answered {
            self.session.queue().end_poll();
            self.session.close(DisconnectReason::TransportError);
        }
    }
}

/// A second poll, until it is known whether it was given up before it was read.
pub(super) struct SecondPoll {
    session: Arc<Session>,
    stayed: bool,
}

impl Drop for SecondPoll {
    fn drop(&mut self) {
        if !self.stayed {
            // The poll that waits is the one after the one that was given up.
            self.session.release_poll(Release::Moved);
            self.session.close(DisconnectReason::TransportError);
        }
    }
}

/// A client asks for packets.
pub(super) fn begin(session: Arc<Session>) -> Begun {
    if !session.is_alive() && !session.has_farewell() {
        return Begun::Over;
    }
    let first = session.queue().begin_poll();
    if first {
        Begun::First(PendingPoll { session, answered: false })
    } else {
        Begun::Second(SecondPoll { session, stayed: false })
    }
}

/// Waits for packets.
pub(super) async fn get(begun: Begun) -> Result<Response<ResponseBody>, Rejection> {
    match begun {
        Begun::First(pending) => wait(pending).await,
        Begun::Second(second) => Err(overlap(second).await),
        Begun::Over => Err(Rejection::UnknownSession),
    }
}

/// Two polls at once: nobody knows in which order the client would read their answers, so that
/// the first is told the end and the second is refused. Requests of different connections may
/// overtake each other: when it is the second that was given up, it came first.
async fn overlap(mut second: SecondPoll) -> Rejection {
    sleep(OVERLAP_WAIT).await;
    second.stayed = true;
    second.session.release_poll(Release::Close);
    second.session.close(DisconnectReason::Protocol);
    Rejection::BadRequest
}

async fn wait(mut pending: PendingPoll) -> Result<Response<ResponseBody>, Rejection> {
    let session = Arc::clone(&pending.session);
    let answer = poll_fn(|context| {
        let answer = session.queue().answer_poll(context.waker());
        answer.map_or(Poll::Pending, Poll::Ready)
    });
    let answer = if session.is_probing() {
        // What a starved machine has let arrive meanwhile is looked at once more: the websocket's
        // task goes first.
        let moved = async {
            sleep(PROBING_HOLD).await;
            yield_now().await;
        };
        tokio::select! {
            biased;
            answer = answer => answer,
            () = moved => {
                session.queue().end_poll();
                // What was queued meanwhile has told this poll only.
                session.signal.ring(QUEUED);
                Polled::Released(Release::Noop)
            }
        }
    } else {
        answer.await
    };
    pending.answered = true;
    if session.queue().closed().is_some() {
        // The connection waits for its farewell to be taken.
        session.signal.ring(READ);
    }
    match answer {
        Polled::Packets(bytes) => Ok(packets(&session, bytes)),
        Polled::Released(Release::Noop) => {
            Ok(respond(StatusCode::OK, TEXT, ResponseBody::new("6")))
        }
        Polled::Released(Release::Close) => {
            Ok(respond(StatusCode::OK, TEXT, ResponseBody::new("1")))
        }
        Polled::Released(Release::Moved) => Err(Rejection::BadRequest),
    }
}

/// Marks the request as the only one that brings packets. A client that gives up half-way has a
/// hole in what it sent, or does not know whether it has, so that its session ends.
struct PendingPost<'a> {
    session: &'a Arc<Session>,
    taken: bool,
}

impl Drop for PendingPost<'_> {
    fn drop(&mut self) {
        self.session.end_post();
        if !self.taken {
            self.session.close(DisconnectReason::TransportError);
        }
    }
}

/// Takes packets. Answered when the layer above has room for all of them, which is how a client
/// that is too fast is slowed down.
pub(super) async fn post<B>(
    session: &Arc<Session>,
    headers: &HeaderMap,
    body: B,
) -> Result<Response<ResponseBody>, Rejection>
where
    B: Body,
    B::Error: Into<BodyError>,
{
    if !session.is_alive() {
        return Err(Rejection::UnknownSession);
    }
    if session.queue().encoding != super::frame::Encoding::Polling {
        return Err(Rejection::BadRequest);
    }
    if !session.begin_post() {
        session.close(DisconnectReason::Protocol);
        return Err(Rejection::BadRequest);
    }
    let mut pending = PendingPost { session, taken: false };
    let binary = headers.get(header::CONTENT_TYPE);
    if binary.is_some_and(|value| value.as_bytes() == b"application/octet-stream") {
        // Protocol 4 sends binary messages as text.
        return Err(Rejection::BadRequest);
    }
    let body = match read(session, body).await {
        Ok(body) => body,
        Err(rejection) => {
            // Nothing of it was taken: the client may send less.
            pending.taken = rejection == Rejection::BodyTooLarge;
            return Err(rejection);
        }
    };
    let (done, taken) = oneshot::channel();
    session.bring_post(Post { body, done });
    let taken = taken.await;
    pending.taken = true;
    match taken {
        Ok(true) => Ok(respond(StatusCode::OK, "text/html", ResponseBody::new("ok"))),
        Ok(false) | Err(_) => Err(Rejection::BadRequest),
    }
}

async fn read<B>(session: &Session, body: B) -> Result<Bytes, Rejection>
where
    B: Body,
    B::Error: Into<BodyError>,
{
    let config = &session.registry.config;
    if body.size_hint().lower() > config.max_payload as u64 {
        return Err(Rejection::BodyTooLarge);
    }
    let body = Box::pin(Limited::new(body, config.max_payload).collect());
    match timeout(config.body_timeout, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Rejection::BodyTooLarge),
        Ok(Err(_)) => Err(Rejection::BadRequest),
        Err(_) => Err(Rejection::BodyTooSlow),
    }
}
