//! One HTTP/1.1 connection, driven by whoever waits for an answer on it: no task of its own.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use super::error::ConnectError;
use super::stream::{Stream, Target};
use crate::ws;

/// Header fields of an answer that are looked at; a server that sends more is not one of ours.
const HEADERS_MAX: usize = 64;
/// Bytes of an answer's header, and of what is read ahead behind it.
const BUFFER_BYTES_MAX: usize = 16 * 1024;
/// Bytes of an error's body that are kept to be shown.
const ERROR_BODY_BYTES_MAX: usize = 1024;

type Driver = dyn Future<Output = hyper::Result<()>> + Send;

/// A connection that carries requests one after another.
pub(super) struct HttpConnection {
    sender: SendRequest<Full<Bytes>>,
    /// `None` once it has ended; the sender knows why.
    driver: Option<Pin<Box<Driver>>>,
}

impl HttpConnection {
    pub(super) async fn new(stream: Stream) -> Result<Self, ConnectError> {
        let (sender, connection) = http1::Builder::new()
            .max_headers(HEADERS_MAX)
            .max_buf_size(BUFFER_BYTES_MAX)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        Ok(Self { sender, driver: Some(Box::pin(connection.with_upgrades())) })
    }

    /// Waits for `future` while the connection moves.
    async fn drive<F: Future>(driver: &mut Option<Pin<Box<Driver>>>, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(output);
            }
            let ended = driver.as_mut().is_some_and(|driver| driver.as_mut().poll(cx).is_ready());
            if ended {
                *driver = None;
            }
            // What the connection just did may have been the last thing that was waited for.
            future.as_mut().poll(cx)
        })
        .await
    }

    async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, ConnectError> {
        let answer = self.sender.send_request(request);
        Self::drive(&mut self.driver, answer).await.map_err(broken)
    }

    /// The beginning of an error's body; nothing when it cannot be had.
    async fn error(&mut self, answer: Response<Incoming>) -> ConnectError {
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ERROR_BODY_BYTES_MAX).collect();
        let body = match Self::drive(&mut self.driver, body).await {
            Ok(body) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
            Err(_) => String::new(),
        };
        ConnectError::Http { status, body }
    }
}

/// Opens a websocket (RFC 6455 §4.1) on a fresh stream and answers it with what was read behind
/// the server's answer; `sid` names the session to be upgraded.
pub(super) async fn open_websocket(
    target: &Target,
    headers: &HeaderMap,
    stream: Stream,
    sid: Option<&str>,
) -> Result<(Stream, Bytes), ConnectError> {
    let key = ws::new_key(rand::random());
    let mut request = request(target, headers, Method::GET, "websocket", sid, Bytes::new())?;
    let set = request.headers_mut();
    set.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    set.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    set.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    let key_value = HeaderValue::try_from(&key).map_err(unusable)?;
    set.insert(header::SEC_WEBSOCKET_KEY, key_value);

    let mut http = HttpConnection::new(stream).await?;
    let answer = http.send(request).await?;
    match ws::check_answer(answer.status(), answer.headers(), &key) {
        Ok(()) => {}
        Err(ws::HandshakeError::Status(_)) => return Err(http.error(answer).await),
        Err(error) => return Err(ConnectError::Protocol(error.to_string())),
    }
    let upgrade = hyper::upgrade::on(answer);
    let upgraded = HttpConnection::drive(&mut http.driver, upgrade).await.map_err(broken)?;
    match upgraded.downcast::<TokioIo<Stream>>() {
        Ok(parts) => Ok((parts.io.into_inner(), parts.read_buf)),
        Err(_) => Err(ConnectError::Protocol("the upgraded connection is not ours".to_owned())),
    }
}

/// A request to the Engine.IO endpoint.
fn request(
    target: &Target,
    headers: &HeaderMap,
    method: Method,
    transport: &str,
    sid: Option<&str>,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, ConnectError> {
    let mut uri = format!("{}EIO=4&transport={transport}", target.path);
    if let Some(sid) = sid {
        uri.push_str("&sid=");
        uri.extend(url::form_urlencoded::byte_serialize(sid.as_bytes()));
    }
    let mut request = Request::builder().method(method).uri(uri).body(Full::new(body));
    if let Ok(request) = &mut request {
        *request.headers_mut() = headers.clone();
        let host = HeaderValue::try_from(&target.authority).map_err(unusable)?;
        request.headers_mut().insert(header::HOST, host);
    }
    request.map_err(|error| ConnectError::Config(error.to_string()))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn unusable(error: header::InvalidHeaderValue) -> ConnectError {
    ConnectError::Config(error.to_string())
}

/// A peer that is not HTTP broke the protocol; everything else is a connection that broke.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn broken(error: hyper::Error) -> ConnectError {
    if error.is_parse() {
        return ConnectError::Protocol(format!("no HTTP answer: {error}"));
    }
    ConnectError::Broken(error.to_string())
}
