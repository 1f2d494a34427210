//! The wire as cases see it: single requests, and websockets frame by frame.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::{Cx, Outcome, Stop, failed, unimplemented};
use crate::client::ConnectError;
use crate::client::http::{HttpConnection, open_websocket, request};
use crate::client::stream::Stream;
use crate::client::websocket::read_some;
use crate::engine::Handshake;
use crate::ws::{self, Decoder, Limits, Message, Opcode, Role};

/// Longest answer that is read: more than the suites' payload in base64.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
const WEBSOCKET: &str = "EIO=4&transport=websocket";
const POLLING: &str = "EIO=4&transport=polling";

const BROKEN_FRAME: &str = "a broken frame";

/// Which of the target's two paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Socket,
    Engine,
}

/// An HTTP answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    /// 200 with exactly that body.
    pub(super) fn is(&self, body: &str) -> Outcome {
        if self.status == StatusCode::OK && self.body == body {
            return Ok(());
        }
        let Self { status, body: came, .. } = self;
        failed(format!("200 {body:?} was expected, {status} {came:?} came"))
    }

    /// 400; another refusal is tolerated and remembered.
    pub(super) fn is_refused(&self) -> Outcome {
        match self.status {
            StatusCode::BAD_REQUEST => Ok(()),
            status if status.is_client_error() => {
                super::non_strict(format!("refused with {status} instead of 400"))
            }
            status => failed(format!("400 was expected, {status} {:?} came", self.body)),
        }
    }
}

fn lost(what: &str, error: impl std::fmt::Display) -> Stop {
    Stop::Failed(format!("{what}: {error}"))
}

impl Cx {
    pub(super) fn patience(&self) -> Duration {
        self.subject.target().patience
    }

    /// Waits as long as the target's patience allows.
    pub(super) async fn soon<T>(&self, what: &str, future: impl Future<Output = T>) -> Outcome<T> {
        let within = self.patience();
        match timeout(within, future).await {
            Ok(output) => Ok(output),
            Err(_) => failed(format!("{what} did not come within {within:?}")),
        }
    }

    /// One request on a connection of its own; dropping the future cuts that connection.
    pub(super) async fn request(
        &self,
        method: Method,
        query: &str,
        body: Option<&str>,
    ) -> Outcome<Answer> {
        let target = self.subject.address(self.endpoint);
        let exchange = async {
            let stream = target.connect(self.patience()).await?;
            let mut http = HttpConnection::new(stream).await?;
            let uri = format!("{}{query}", target.path);
            let bytes = Bytes::copy_from_slice(body.unwrap_or_default().as_bytes());
            let headers = &self.subject.target().headers;
            let mut request = request(target, headers, method.clone(), &uri, bytes)?;
            if body.is_some() {
                let text = HeaderValue::from_static("text/plain;charset=UTF-8");
                request.headers_mut().insert(CONTENT_TYPE, text);
            }
            let answer = http.send(request).await?;
            let (head, incoming) = answer.into_parts();
            let body = http.body(incoming, ANSWER_BYTES_MAX).await?;
            let body = String::from_utf8_lossy(&body).into_owned();
            Ok(Answer { status: head.status, headers: head.headers, body })
        };
        let what = format!("the answer to {method} {query}");
        // A poll may be answered by nothing but the next ping.
        let within = self.patience() + self.silence_max();
        match timeout(within, exchange).await {
            Ok(answer) => answer.map_err(|error: ConnectError| lost(&what, error)),
            Err(_) => failed(format!("{what} did not come within {within:?}")),
        }
    }

    /// How long the target may stay silent by its own word, within our patience.
    pub(super) fn silence_max(&self) -> Duration {
        let offers = self.subject.offers();
        let handshake = offers.websocket.as_ref().or(offers.polling.as_ref());
        handshake.map_or(Duration::ZERO, silence).min(self.patience())
    }

    pub(super) async fn get(&self, sid: &str) -> Outcome<Answer> {
        self.request(Method::GET, &format!("{POLLING}&sid={sid}"), None).await
    }

    pub(super) async fn post(&self, sid: &str, body: &str) -> Outcome<Answer> {
        self.request(Method::POST, &format!("{POLLING}&sid={sid}"), Some(body)).await
    }

    /// Opens a session over polling.
    pub(super) async fn polling_handshake(&self) -> Outcome<Handshake> {
        let answer = self.request(Method::GET, POLLING, None).await?;
        if is_turned_away(answer.status) {
            return unimplemented(format!("the server takes no more sessions: {}", answer.status));
        }
        if answer.status != StatusCode::OK {
            return unimplemented(format!("no polling: {} {:.80}", answer.status, answer.body));
        }
        let handshake = parse_handshake(&answer.body)?;
        if let Ok(mut sessions) = self.sessions.lock() {
            sessions.push(handshake.sid.clone());
        }
        Ok(handshake)
    }

    /// Says goodbye to the sessions that the case has left behind, so that a server which counts
    /// them does not run out of patience with us. Most have ended, and then nothing happens.
    pub(super) async fn tidy_up(&self) {
        let sessions = self.sessions.lock().map(|mut sessions| std::mem::take(&mut *sessions));
        for sid in sessions.unwrap_or_default() {
            let _ended = self.post(&sid, "1").await;
        }
    }

    /// The sid of a new session over polling.
    pub(super) async fn session(&self) -> Outcome<String> {
        Ok(self.polling_handshake().await?.sid)
    }

    pub(super) async fn websocket_handshake(&self) -> Outcome<Handshake> {
        let handshake = self.open().await?.1;
        parse_handshake(&handshake)
    }

    /// A websocket with a new session, and the text that it opened with.
    pub(super) async fn open(&self) -> Outcome<(Ws, String)> {
        let mut ws = self.websocket(WEBSOCKET).await?;
        let first = ws.text().await?;
        Ok((ws, first))
    }

    /// A websocket for a session that polls.
    pub(super) async fn open_for(&self, sid: &str) -> Outcome<Ws> {
        self.websocket(&format!("{WEBSOCKET}&sid={sid}")).await
    }

    /// A websocket with that query, without waiting for what it says.
    pub(super) async fn websocket(&self, query: &str) -> Outcome<Ws> {
        let target = self.subject.address(self.endpoint);
        let opening = async {
            let stream = target.connect(self.patience()).await?;
            let uri = format!("{}{query}", target.path);
            open_websocket(target, &self.subject.target().headers, stream, &uri).await
        };
        let opened = self.soon("the answer to the websocket's request", opening).await?;
        if let Err(ConnectError::Http { status, .. }) = opened
            && is_turned_away(status)
        {
            return unimplemented(format!("the server takes no more sessions: {status}"));
        }
        let (io, read) = opened.map_err(|error| lost("no websocket", error))?;
        let limits = Limits { message_bytes_max: ANSWER_BYTES_MAX, ..Limits::default() };
        let frames = Decoder::new(Role::Client, limits);
        // Until the target's heartbeat is known, only our own patience counts.
        let patience = self.patience() + self.silence_max();
        let (input, passed) = (BytesMut::from(&read[..]), VecDeque::new());
        Ok(Ws { io, frames, input, passed, patience })
    }

    /// A websocket with that query must not be had: refused, or closed without a message.
    pub(super) async fn no_websocket(&self, query: &str) -> Outcome {
        let Ok(mut ws) = self.websocket(query).await else { return Ok(()) };
        match ws.next().await {
            Ok(Frame::Closed(_)) => Ok(()),
            Ok(frame) => failed(format!("a websocket with {query:?} said {frame:?}")),
            // Some servers upgrade first, and then answer in HTTP.
            Err(Stop::Failed(what)) if what.starts_with(BROKEN_FRAME) => {
                super::non_strict(format!("the websocket was opened, and refused by {what}"))
            }
            Err(stop) => Err(stop),
        }
    }
}

/// Too many sessions, by the server's own rule.
fn is_turned_away(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
}

/// The time after which a silent peer is given up (Engine.IO v4, "heartbeat").
pub(super) fn silence(handshake: &Handshake) -> Duration {
    let millis = handshake.ping_interval.saturating_add(handshake.ping_timeout);
    Duration::from_millis(millis.min(24 * 3600 * 1000))
}

pub(super) fn parse_handshake(text: &str) -> Outcome<Handshake> {
    let json = text.strip_prefix('0');
    let json = json.ok_or_else(|| lost("no handshake packet", format!("{text:?}")))?;
    serde_json::from_str(json).map_err(|error| lost(&format!("the handshake {json}"), error))
}

/// What came over a websocket.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Text(String),
    Binary(Bytes),
    /// The end, with the code of the close frame if there was one.
    Closed(Option<u16>),
}

/// Our end of a websocket.
pub(super) struct Ws {
    io: Stream,
    frames: Decoder,
    input: BytesMut,
    /// Texts that came before a pong that was waited for.
    passed: VecDeque<Bytes>,
    patience: Duration,
}

impl Ws {
    pub(super) async fn send(&mut self, text: &str) -> Outcome {
        self.send_frame(Opcode::Text, text.as_bytes()).await
    }

    pub(super) async fn send_frame(&mut self, opcode: Opcode, payload: &[u8]) -> Outcome {
        let mut frame = BytesMut::new();
        ws::put_frame(&mut frame, opcode, &[payload], Some(rand::random()));
        self.send_bytes(&frame).await
    }

    /// Bytes as they are. A server that has closed already may refuse them, which is not the point
    /// of any case.
    pub(super) async fn send_bytes(&mut self, bytes: &[u8]) -> Outcome {
        match timeout(self.patience, self.io.write_all(bytes)).await {
            Ok(_) => Ok(()),
            Err(_) => {
                failed(format!("{} bytes were not taken in {:?}", bytes.len(), self.patience))
            }
        }
    }

    /// The next message, or the end.
    pub(super) async fn next(&mut self) -> Outcome<Frame> {
        match timeout(self.patience, self.next_ever()).await {
            Ok(frame) => frame,
            Err(_) => failed(format!("nothing came within {:?}", self.patience)),
        }
    }

    async fn next_ever(&mut self) -> Outcome<Frame> {
        if let Some(text) = self.passed.pop_front() {
            return Ok(Frame::Text(String::from_utf8_lossy(&text).into_owned()));
        }
        loop {
            let message = self.frames.decode(&mut self.input);
            match message.map_err(|error| lost(BROKEN_FRAME, error))? {
                Some(Message::Text(text)) => {
                    return Ok(Frame::Text(String::from_utf8_lossy(&text).into_owned()));
                }
                Some(Message::Binary(data)) => return Ok(Frame::Binary(data)),
                Some(Message::Close(close)) => {
                    return Ok(Frame::Closed(close.map(|close| close.code)));
                }
                Some(Message::Ping(data)) => self.send_frame(Opcode::Pong, &data).await?,
                Some(Message::Pong(_)) => {}
                None => match poll_fn(|cx| read_some(&mut self.io, &mut self.input, cx)).await {
                    Ok(0) | Err(_) => return Ok(Frame::Closed(None)),
                    Ok(_) => {}
                },
            }
        }
    }

    /// The next message, which must be text.
    pub(super) async fn text(&mut self) -> Outcome<String> {
        match self.next().await? {
            Frame::Text(text) => Ok(text),
            frame => failed(format!("text was expected, {frame:?} came")),
        }
    }

    /// The next text that is not a ping; pings are answered.
    pub(super) async fn packet(&mut self) -> Outcome<String> {
        let within = self.patience;
        match timeout(within, self.packet_ever()).await {
            Ok(packet) => packet,
            Err(_) => failed(format!("nothing but pings came within {within:?}")),
        }
    }

    async fn packet_ever(&mut self) -> Outcome<String> {
        loop {
            match self.next().await? {
                Frame::Text(text) if text == "2" => self.send("3").await?,
                Frame::Text(text) => return Ok(text),
                frame => return failed(format!("a packet was expected, {frame:?} came")),
            }
        }
    }

    /// A pong with exactly these bytes comes next, besides text.
    pub(super) async fn pong(&mut self, payload: &[u8]) -> Outcome {
        let within = self.patience;
        let pong = async {
            loop {
                let message = self.frames.decode(&mut self.input);
                match message.map_err(|error| lost(BROKEN_FRAME, error))? {
                    Some(Message::Pong(data)) if &data[..] == payload => return Ok(()),
                    Some(Message::Pong(data)) => {
                        return failed(format!("a pong with {data:?} for {payload:?}"));
                    }
                    Some(Message::Close(_)) => return failed("closed instead of a pong"),
                    Some(Message::Text(text)) => self.passed.push_back(text),
                    Some(Message::Binary(_) | Message::Ping(_)) => {}
                    None => {
                        match poll_fn(|cx| read_some(&mut self.io, &mut self.input, cx)).await {
                            Ok(0) | Err(_) => {
                                return failed("the connection ended instead of a pong");
                            }
                            Ok(_) => {}
                        }
                    }
                }
            }
        };
        timeout(within, pong).await.unwrap_or_else(|_| failed("no pong came"))
    }

    /// The next text but pings must be exactly this.
    pub(super) async fn expect(&mut self, expected: &str) -> Outcome {
        let came = self.packet().await?;
        if came == expected {
            return Ok(());
        }
        failed(format!("{expected:?} was expected, {came:?} came"))
    }

    /// The next message must be exactly these bytes.
    pub(super) async fn expect_binary(&mut self, expected: &[u8]) -> Outcome {
        match self.next().await? {
            Frame::Binary(data) if data == expected => Ok(()),
            frame => failed(format!("the bytes {expected:?} were expected, {frame:?} came")),
        }
    }

    /// Reads until the server has closed; the code of its close frame.
    pub(super) async fn closes(&mut self) -> Outcome<Option<u16>> {
        let within = self.patience;
        let closed = async {
            loop {
                if let Frame::Closed(code) = self.next_ever().await? {
                    return Ok(code);
                }
            }
        };
        match timeout(within, closed).await {
            Ok(code) => code,
            Err(_) => failed(format!("still open after {within:?}")),
        }
    }

    /// Closes, and it may have been expected to have any of these codes.
    pub(super) async fn closes_with(&mut self, codes: &[u16]) -> Outcome {
        match self.closes().await? {
            Some(code) if codes.contains(&code) => Ok(()),
            Some(code) => super::non_strict(format!("closed with {code} instead of {codes:?}")),
            None => super::non_strict(format!("closed without a code instead of {codes:?}")),
        }
    }
}
