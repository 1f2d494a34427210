//! WebSocket: opening a session with it, and moving one to it from polling.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use tokio::time::{Instant, timeout, timeout_at};

use super::body::ResponseBody;
use super::connection::Connection;
use super::frame::{self, Encoding};
use super::peer::Peer;
use super::registry::{Permit, Registry};
use super::session::Session;
use super::websocket::Websocket;
use crate::ws::{Message, Opcode, close_code, close_payload};

/// `3probe` as a frame: the websocket works.
const PROBED: &[u8] = b"\x81\x063probe";

/// The answer that ends HTTP on this connection.
pub(super) fn switching(accept: &str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::new(""));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(accept) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

/// The whole life of a session that begins with a websocket.
pub(super) async fn open(registry: Arc<Registry>, upgrade: OnUpgrade, peer: Peer, permit: Permit) {
    let Ok(Ok(upgraded)) = timeout(registry.config.upgrade_timeout, upgrade).await else { return };
    let websocket = Websocket::new(upgraded, &registry.config);
    let session = Session::new(registry, Encoding::Websocket);
    session.registry.insert(&session);
    let handshake = super::handshake(&session, Vec::new());
    let make = |encoding| frame::packet(encoding, &[], |out| out.extend_from_slice(&handshake));
    let _closed = session.send(false, make);
    Connection::new(&session, peer, permit, Some(websocket)).await;
}

/// Gives the right to upgrade back when an attempt fails.
struct Attempt {
    session: Arc<Session>,
    moved: bool,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.moved {
            self.session.abandon_upgrade();
        }
    }
}

/// Tries a websocket and moves the session to it when the client says so. The caller has claimed
/// the right to ([`Session::begin_upgrade`]). A failure leaves the session where it is.
pub(super) async fn attempt(session: Arc<Session>, upgrade: OnUpgrade) {
    let by = Instant::now() + session.registry.config.upgrade_timeout;
    let mut attempt = Attempt { session, moved: false };
    let session = Arc::clone(&attempt.session);
    let Ok(Ok(upgraded)) = timeout_at(by, upgrade).await else { return };
    let mut websocket = Websocket::new(upgraded, &session.registry.config);
    let moved = timeout_at(by, async {
        probe(&mut websocket, b"2probe").await?;
        // Before the answer is written: a client that has it may move at once, and a poll of its
        // own that comes then must not be released as one that waited for the answer.
        let waits = session.begin_probing();
        websocket.write(Bytes::from_static(PROBED)).await.ok()?;
        if let Some(poll) = waits {
            session.release_poll_before_move(poll);
        }
        probe(&mut websocket, b"5").await
    });
    if moved.await.is_ok_and(|moved| moved.is_some()) {
        attempt.moved = true;
        session.finish_upgrade(websocket);
    }
}

/// Waits for exactly this text; `Some` when it came.
async fn probe(websocket: &mut Websocket, expect: &[u8]) -> Option<()> {
    loop {
        match websocket.next().await? {
            Message::Text(text) if *text == *expect => return Some(()),
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Text(_) | Message::Binary(_) | Message::Close(_) => return None,
        }
    }
}

/// A second websocket for a session that has one: it is opened only to be closed, because a
/// browser shows no difference between that and a refusal.
pub(super) async fn turn_away(registry: Arc<Registry>, upgrade: OnUpgrade) {
    let by = Instant::now() + registry.config.close_timeout;
    let Ok(Ok(upgraded)) = timeout_at(by, upgrade).await else { return };
    let mut websocket = Websocket::new(upgraded, &registry.config);
    let payload = close_payload(close_code::POLICY, "the session has another transport");
    let _gone = timeout_at(by, websocket.write(frame::control(Opcode::Close, &payload))).await;
}
