//! The wire as cases see it: single requests, handshakes, websockets to be opened.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::frames::{Frame, Ws};
use super::subject::{Offer, Offered};
use super::{Cx, Outcome, Stop, TIDY_WAIT_MAX, failed, unimplemented};
use crate::client::ConnectError;
use crate::client::http::{HttpConnection, open_websocket, request};
use crate::engine::{Handshake, SEPARATOR};
use crate::ws::{Decoder, Limits, Role};

/// Longest answer that is read: more than the suites' payload in base64.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
const WEBSOCKET: &str = "EIO=4&transport=websocket";
pub(super) const POLLING: &str = "EIO=4&transport=polling";

pub(super) const BROKEN_FRAME: &str = "a broken frame";

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

pub(super) fn lost(what: &str, error: impl std::fmt::Display) -> Stop {
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
        self.request_with(method, query, &[], body.map(str::as_bytes)).await
    }

    /// The same with more headers, and a body of bytes.
    pub(super) async fn request_with(
        &self,
        method: Method,
        query: &str,
        more: &[(&'static str, &'static str)],
        body: Option<&[u8]>,
    ) -> Outcome<Answer> {
        let target = self.subject.address(self.endpoint);
        let exchange = async {
            let stream = target.connect(self.patience()).await?;
            let mut http = HttpConnection::new(stream).await?;
            let uri = format!("{}{query}", target.path);
            let bytes = Bytes::copy_from_slice(body.unwrap_or_default());
            let headers = &self.subject.target().headers;
            let mut request = request(target, headers, method.clone(), &uri, bytes)?;
            if body.is_some() {
                let text = HeaderValue::from_static("text/plain;charset=UTF-8");
                request.headers_mut().insert(CONTENT_TYPE, text);
            }
            for (name, value) in more {
                request.headers_mut().insert(*name, HeaderValue::from_static(value));
            }
            let answer = http.send(request).await?;
            let (head, incoming) = answer.into_parts();
            let body = http.body(incoming, ANSWER_BYTES_MAX).await?;
            let body = String::from_utf8_lossy(&body).into_owned();
            Ok(Answer { status: head.status, headers: head.headers, body })
        };
        let what = format!("the answer to {method} {query}");
        // A poll may be answered by nothing but the next ping.
        let within = self.patience().saturating_add(self.silence_max());
        match timeout(within, exchange).await {
            Ok(answer) => answer.map_err(|error: ConnectError| lost(&what, error)),
            Err(_) => failed(format!("{what} did not come within {within:?}")),
        }
    }

    /// Sends a poll, waits a moment and cuts the connection. The suite aborts 5 ms after it has begun
    /// to connect, and on a busy machine nothing was sent by then.
    pub(super) async fn get_and_give_up(&self, sid: &str) -> Outcome {
        const MOMENT: Duration = Duration::from_millis(10);
        let target = self.subject.address(self.endpoint);
        let uri = format!("{}{POLLING}&sid={sid}", target.path);
        let (headers, broken) = (&self.subject.target().headers, |error| lost("a poll", error));
        let request = request(target, headers, Method::GET, &uri, Bytes::new()).map_err(broken)?;
        let mut head = format!("GET {uri} HTTP/1.1\r\n").into_bytes();
        for (name, value) in request.headers() {
            head.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        head.extend(b"\r\n");
        let mut stream = target.connect(self.patience()).await.map_err(broken)?;
        let sent = self.soon("room for a poll", stream.write_all(&head)).await?;
        sent.map_err(|error| lost("a poll", error))?;
        match timeout(MOMENT, stream.read_u8()).await {
            Err(_) => Ok(()),
            Ok(_) => failed("a poll without packets was answered at once"),
        }
    }

    /// How long the target may stay silent by its own word, within our patience.
    pub(super) fn silence_max(&self) -> Duration {
        let offers = self.subject.offers();
        let handshake = offers.socket.handshake().or(offers.engine.handshake());
        handshake.map_or(Duration::ZERO, silence).min(self.patience())
    }

    pub(super) async fn get(&self, sid: &str) -> Outcome<Answer> {
        self.request(Method::GET, &format!("{POLLING}&sid={sid}"), None).await
    }

    pub(super) async fn post(&self, sid: &str, body: &str) -> Outcome<Answer> {
        self.request(Method::POST, &format!("{POLLING}&sid={sid}"), Some(body)).await
    }

    /// Asks for a session over polling: the text of the answer, which should be a handshake.
    pub(super) async fn polling_text(&self) -> Outcome<String> {
        let answer = self.request(Method::GET, POLLING, None).await?;
        if is_turned_away(answer.status) {
            return unimplemented(format!("the server takes no more sessions: {}", answer.status));
        }
        if answer.status != StatusCode::OK {
            // Half a secret would not be found any more.
            let body = self.subject.target().secrets().hide(&answer.body);
            return failed(format!("{} {:.80}", answer.status, body));
        }
        if let (Ok(handshake), Ok(mut sessions)) =
            (parse_handshake(&answer.body), self.sessions.lock())
        {
            sessions.push(handshake.sid);
        }
        Ok(answer.body)
    }

    /// Says goodbye to the sessions that the case has left behind, so that a server which counts
    /// them does not run out of patience with us. Most have ended, and then nothing happens.
    pub(super) async fn tidy_up(&self) {
        let sessions = self.sessions.lock().map(|mut sessions| std::mem::take(&mut *sessions));
        let sessions = sessions.unwrap_or_default();
        let goodbyes = async {
            for sid in sessions {
                let _ended = self.post(&sid, "1").await;
            }
        };
        // A server that does not answer keeps its sessions.
        let _late = timeout(TIDY_WAIT_MAX, goodbyes).await;
    }

    /// The sid of a new session over polling.
    pub(super) async fn session(&self) -> Outcome<String> {
        self.needs_polling()?;
        Ok(parse_handshake(&self.polling_text().await?)?.sid)
    }

    /// The packets of one poll besides pings, which are answered.
    pub(super) async fn polled(&self, sid: &str) -> Outcome<Vec<String>> {
        let answer = self.get(sid).await?;
        if !answer.status.is_success() {
            return failed(format!("a poll was answered by {}", answer.status));
        }
        let mut packets = Vec::new();
        for packet in answer.body.split(char::from(SEPARATOR)) {
            match packet {
                "2" => self.post(sid, "3").await?.is("ok")?,
                packet => packets.push(packet.to_owned()),
            }
        }
        Ok(packets)
    }

    /// Polls until so many packets have come, besides pings.
    pub(super) async fn poll_packets(&self, sid: &str, count: usize) -> Outcome<Vec<String>> {
        let mut packets = Vec::new();
        while packets.len() < count {
            packets.extend(self.polled(sid).await?);
        }
        Ok(packets)
    }

    /// The target's own handshakes, which discovery has seen.
    pub(super) fn offered(&self) -> &Offered {
        match self.endpoint {
            Endpoint::Socket => &self.subject.offers().socket,
            Endpoint::Engine => &self.subject.offers().engine,
        }
    }

    pub(super) fn needs_polling(&self) -> Outcome<&Handshake> {
        self.needs(&self.offered().polling, "polling")
    }

    pub(super) fn needs_websocket(&self) -> Outcome<&Handshake> {
        self.needs(&self.offered().websocket, "websocket")
    }

    /// The handshake of that transport; else why a case that needs it cannot pass.
    fn needs<'a>(&self, offer: &'a Offer, name: &str) -> Outcome<&'a Handshake> {
        let path = match self.endpoint {
            Endpoint::Socket => &self.subject.target().socket_path,
            Endpoint::Engine => &self.subject.target().engine_path,
        };
        match offer {
            Offer::Handshake(handshake) => Ok(handshake),
            Offer::Broken(why) => failed(format!("{name}: {why}")),
            Offer::Absent(_) if self.offered().handshake().is_none() => {
                unimplemented(format!("no Engine.IO at {path}"))
            }
            Offer::Absent(_) => unimplemented(format!("no {name} at {path}")),
        }
    }

    pub(super) fn needs_upgrade(&self) -> Outcome {
        self.needs_polling()?;
        if self.offered().upgrades() {
            return Ok(());
        }
        unimplemented("no upgrade to a websocket is offered")
    }

    /// A websocket with a new session, and the text that it opened with; for targets that have
    /// websockets.
    pub(super) async fn open(&self) -> Outcome<(Ws, String)> {
        self.needs_websocket()?;
        self.opened().await
    }

    /// The same, whatever is known of the target.
    pub(super) async fn opened(&self) -> Outcome<(Ws, String)> {
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
        let patience = self.patience().saturating_add(self.silence_max());
        Ok(Ws::new(io, frames, &read, patience))
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
