//! The task of a connection over HTTP requests: one that waits for the server, one that carries
//! what we say; and the move of the session to a websocket.
//!
//! The order across the move: the last POST has been answered and the last GET dispatched before
//! the websocket is told to take over, and everything queued since leaves on the websocket.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::time::{Instant, timeout, timeout_at};

use super::config::{ClientConfig, Transports};
use super::error::ConnectError;
use super::http::{self, Requests};
use super::session::{Session, Step, Wrong};
use super::shared::Shared;
use super::state::{Asked, Outbound, Transport};
use super::stream::{Stream, Target};
use super::tap::{Passed, Tap, Way};
use super::websocket::{self, Websocket};
use super::{frame_decoder, parse_open};
use crate::engine::{EnginePacket, Handshake, Payload, PayloadItem, put_binary, put_separator};
use crate::{DisconnectReason, ws};

/// The server must take a request's body and say so within this time.
const POST_WAIT_MAX: Duration = Duration::from_secs(20);
/// The longest answer to a POST; it is `ok`.
pub(super) const POST_ANSWER_BYTES_MAX: usize = 1024;
/// A poll may bring several messages of [`ClientConfig::max_payload`] bytes, in base64.
const MESSAGES_PER_POLL_MAX: usize = 4;
/// The bound of a request's body when the server does not say what it takes.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// A websocket whose probe was answered, with what was read behind the answer.
pub(super) struct Probed(pub(super) Stream, pub(super) ws::Decoder, pub(super) BytesMut);

/// Why one of the two directions has stopped.
enum Stop {
    /// The session moves to a websocket.
    Moving,
    Ended(DisconnectReason),
}

/// One Engine.IO packet to be sent.
enum Piece {
    Text(BytesMut),
    Binary(Bytes),
}

impl Piece {
    fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => 1 + bytes.len().div_ceil(3) * 4,
        }
    }
}

struct Polling {
    config: ClientConfig,
    target: Arc<Target>,
    sid: Arc<str>,
    body_bytes_max: usize,
    session: Session,
    get: Requests,
    post: Requests,
    /// Taken from the queue and not sent.
    batch: VecDeque<Outbound>,
}

/// Shakes hands and starts the connection's task.
pub(super) async fn connect(
    config: &ClientConfig,
    target: Arc<Target>,
) -> Result<(Arc<Shared>, String), ConnectError> {
    let mut get = Requests::new(target.clone(), config);
    let body = get.send(None, None, answer_bytes_max(config)).await?;
    let mut packets = Payload::new(&body, usize::MAX);
    let open = match packets.next() {
        Some(Ok(PayloadItem::Text(packet @ EnginePacket::Open(json)))) => {
            tell(config.tap.as_ref(), Transport::Polling, Way::In, packet);
            parse_open(json)?
        }
        _ => return Err(ConnectError::Protocol("no handshake came first".to_owned())),
    };
    let shared = Arc::new(Shared::new(config, &open));
    let mut session = Session::new(shared.clone(), &open, config.max_payload, Instant::now());
    dispatch(&mut session, packets).map_err(ConnectError::Closed)?;
    let upgrades = config.transports == Transports::PollingUpgrade
        && open.upgrades.iter().any(|upgrade| upgrade == "websocket");
    let polling = Polling {
        config: config.clone(),
        post: Requests::new(target.clone(), config),
        target,
        sid: open.sid.as_str().into(),
        body_bytes_max: body_bytes_max(&open),
        session,
        get,
        batch: VecDeque::new(),
    };
    tokio::spawn(run(Box::new(polling), upgrades));
    Ok((shared, open.sid))
}

/// Bytes of the longest answer to a poll.
pub(super) fn answer_bytes_max(config: &ClientConfig) -> usize {
    config.max_payload.saturating_mul(MESSAGES_PER_POLL_MAX)
}

/// Bytes that the server takes in one body.
pub(super) fn body_bytes_max(open: &Handshake) -> usize {
    match usize::try_from(open.max_payload) {
        Ok(0) | Err(_) => BODY_BYTES_MAX,
        Ok(bytes) => bytes,
    }
}

/// Runs until the connection is over, on whatever transport it is then.
async fn run(mut polling: Box<Polling>, mut upgrades: bool) {
    let shared = polling.session.shared.clone();
    loop {
        // The requests' state is given back once the session has moved.
        match Box::pin(polling.poll_until_stopped(upgrades)).await {
            Err(reason) => return shared.close(reason),
            Ok(Probed(mut io, frames, input)) => {
                let moved = timeout(POST_WAIT_MAX, websocket::write_text(&mut io, b"5")).await;
                if matches!(moved, Ok(Ok(()))) {
                    let (on, way) = (Transport::Websocket, Way::Out);
                    tell(shared.tap.as_ref(), on, way, EnginePacket::Upgrade);
                    let Polling { session, batch, .. } = *polling;
                    return Websocket::new(io, session, frames, input, batch).run().await;
                }
                // The server never heard of the move: the session is where it was.
                upgrades = false;
            }
        }
    }
}

impl Polling {
    /// Requests in both directions until the connection ends, or until nothing is under way and a
    /// websocket can take over.
    async fn poll_until_stopped(&mut self, upgrades: bool) -> Result<Probed, DisconnectReason> {
        let shared = self.session.shared.clone();
        let moving = AtomicBool::new(false);
        let Self { config, target, sid, body_bytes_max, session, get, post, batch } = self;
        let mut probing = pin!(probe(config, target, sid));
        let mut receiving = pin!(receive(get, sid, session, answer_bytes_max(config), &moving));
        let mut sending = pin!(send(post, sid, &shared, batch, *body_bytes_max, &moving));
        let (mut probes, mut probed) = (upgrades, None);
        let (mut receives, mut sends) = (true, true);
        poll_fn(|cx| {
            shared.register(cx);
            if shared.asked() == Some(Asked::Abort) {
                return Poll::Ready(Err(DisconnectReason::Closed));
            }
            if probes && let Poll::Ready(answer) = probing.as_mut().poll(cx) {
                probes = false;
                moving.store(answer.is_some(), Ordering::Relaxed);
                probed = answer;
            }
            if receives && let Poll::Ready(stop) = receiving.as_mut().poll(cx) {
                receives = false;
                if let Stop::Ended(reason) = stop {
                    return Poll::Ready(Err(reason));
                }
            }
            if sends && let Poll::Ready(stop) = sending.as_mut().poll(cx) {
                sends = false;
                if let Stop::Ended(reason) = stop {
                    return Poll::Ready(Err(reason));
                }
            }
            match probed.take_if(|_| !receives && !sends) {
                Some(probed) => Poll::Ready(Ok(probed)),
                None => Poll::Pending,
            }
        })
        .await
    }
}

/// GET after GET.
async fn receive(
    get: &mut Requests,
    sid: &str,
    session: &mut Session,
    bytes_max: usize,
    moving: &AtomicBool,
) -> Stop {
    let shared = session.shared.clone();
    while !is(moving) {
        let answer = timeout_at(session.deadline, get.send(Some(sid), None, bytes_max)).await;
        let body = match answer {
            Ok(Ok(body)) => body,
            Ok(Err(error)) => return broken(&error),
            Err(_) => return Stop::Ended(DisconnectReason::PingTimeout),
        };
        match dispatch(session, Payload::new(&body, usize::MAX)) {
            Ok(Step::Go) => {}
            Ok(Step::Close) => return Stop::Ended(DisconnectReason::TransportClose),
            Ok(Step::Pause) => {
                poll_fn(|cx| if is(moving) { Poll::Ready(()) } else { shared.poll_room(cx) }).await;
                // The server's pings were there, we did not look.
                session.heard(Instant::now());
            }
            Err(reason) => return Stop::Ended(reason),
        }
    }
    Stop::Moving
}

/// A poll's packets are dispatched as a whole: a full inbox delays the next poll.
fn dispatch(session: &mut Session, packets: Payload<'_>) -> Result<Step, DisconnectReason> {
    let wrong = |what: &dyn std::fmt::Display| {
        tracing::debug!(%what, "the server broke the protocol");
        DisconnectReason::Protocol
    };
    let mut pause = false;
    for item in packets {
        let step = match item.map_err(|error| wrong(&error))? {
            PayloadItem::Text(packet) => session.on_packet(packet, Instant::now()),
            PayloadItem::Binary(data) => session.on_binary(data),
        };
        match step.map_err(|Wrong(what)| wrong(&what))? {
            Step::Go => {}
            Step::Pause => pause = true,
            Step::Close => return Ok(Step::Close),
        }
    }
    Ok(if pause { Step::Pause } else { Step::Go })
}

/// POST after POST, each with as much as the server takes.
async fn send(
    post: &mut Requests,
    sid: &str,
    shared: &Shared,
    batch: &mut VecDeque<Outbound>,
    bytes_max: usize,
    moving: &AtomicBool,
) -> Stop {
    let mut pieces = VecDeque::new();
    loop {
        // A packet is never cut by a move: its attachments leave as its text did.
        if pieces.is_empty() && batch.is_empty() {
            poll_fn(|cx| if is(moving) { Poll::Ready(()) } else { shared.poll_out(batch, cx) })
                .await;
        }
        if pieces.is_empty() && is(moving) {
            return Stop::Moving;
        }
        if let Some(data) = shared.take_pong() {
            pieces.push_front(Piece::Text([b"3", &data[..]].concat().as_slice().into()));
        }
        let body = fill_body(&mut pieces, batch, bytes_max, shared);
        // Nothing waits, and yet we were woken: the application wants the end.
        let last = body.is_empty();
        let body = if last { Bytes::from_static(b"1") } else { body };
        if last {
            tell(shared.tap.as_ref(), Transport::Polling, Way::Out, EnginePacket::Close);
        }
        let answer = post.send(Some(sid), Some(body), POST_ANSWER_BYTES_MAX);
        match timeout(POST_WAIT_MAX, answer).await {
            Ok(Ok(_)) if last => return Stop::Ended(DisconnectReason::Closed),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return broken(&error),
            Err(_) => return broken(&ConnectError::Timeout(POST_WAIT_MAX)),
        }
    }
}

/// Joins packets up to the server's limit. One alone over it is sent: the server says what it is.
fn fill_body(
    pieces: &mut VecDeque<Piece>,
    batch: &mut VecDeque<Outbound>,
    bytes_max: usize,
    shared: &Shared,
) -> Bytes {
    let mut body = BytesMut::new();
    loop {
        if pieces.is_empty() {
            let Some(packet) = batch.pop_front() else { return body.freeze() };
            let mut text = BytesMut::new();
            text.put_u8(b'4');
            packet.encode(&mut text);
            pieces.push_back(Piece::Text(text));
            pieces.extend(packet.attachments().iter().cloned().map(Piece::Binary));
        }
        while let Some(piece) = pieces.pop_front() {
            if !body.is_empty() && body.len() + 1 + piece.len() > bytes_max {
                pieces.push_front(piece);
                return body.freeze();
            }
            put_separator(&mut body);
            match piece {
                Piece::Text(text) => {
                    shared.tapped(|tap, on| tap.tell_text(on, Way::Out, &text));
                    body.put_slice(&text);
                }
                Piece::Binary(bytes) => {
                    shared.tapped(|tap, on| tap.tell(on, Passed::Binary(Way::Out, &bytes)));
                    put_binary(&mut body, &bytes);
                }
            }
        }
    }
}

/// Opens a websocket for the session and probes it. `None`: the session stays where it is.
pub(super) async fn probe(config: &ClientConfig, target: &Target, sid: &str) -> Option<Probed> {
    let open = async {
        let stream = target.connect(config.connect_timeout).await?;
        let uri = http::endpoint(target, "websocket", Some(sid));
        let (mut io, read) = http::open_websocket(target, &config.headers, stream, &uri).await?;
        let mut frames = frame_decoder(config);
        let mut input = BytesMut::from(&read[..]);
        let asks = EnginePacket::Ping("probe");
        tell(config.tap.as_ref(), Transport::Websocket, Way::Out, asks);
        websocket::probe(&mut io, &mut frames, &mut input).await?;
        let answers = EnginePacket::Pong("probe");
        tell(config.tap.as_ref(), Transport::Websocket, Way::In, answers);
        Ok(Probed(io, frames, input))
    };
    match timeout(config.connect_timeout, open).await {
        Ok(Ok(probed)) => Some(probed),
        Ok(Err::<_, ConnectError>(error)) => {
            tracing::debug!(%error, "no upgrade to a websocket");
            None
        }
        Err(_) => {
            tracing::debug!("no upgrade to a websocket in time");
            None
        }
    }
}

/// Tells of a packet that the session's own ways do not see.
fn tell(tap: Option<&Tap>, on: Transport, way: Way, packet: EnginePacket<'_>) {
    if let Some(tap) = tap {
        tap.tell(on, Passed::Packet(way, packet));
    }
}

/// Both directions and the probe are one task: nothing is ordered by this flag.
fn is(moving: &AtomicBool) -> bool {
    moving.load(Ordering::Relaxed)
}

fn broken(error: &ConnectError) -> Stop {
    tracing::debug!(%error, "a polling request failed");
    Stop::Ended(DisconnectReason::TransportError)
}
