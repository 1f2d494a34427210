//! HTTP/1.1 connections, driven by whoever waits for an answer on them: no tasks of their own.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::config::ClientConfig;
use super::error::ConnectError;
use super::proxy::Proxy;
use super::stream::{Stream, Target};
use crate::engine::PROTOCOL;
use crate::ws;

/// Header fields of an answer that are looked at; a server that sends more is not one of ours.
const HEADERS_MAX: usize = 64;
/// Bytes of an answer's header, and of what is read ahead behind it.
const BUFFER_BYTES_MAX: usize = 16 * 1024;
/// Bytes of an error's body that are kept to be shown.
const ERROR_BODY_BYTES_MAX: usize = 1024;

type Driver = dyn Future<Output = hyper::Result<()>> + Send;

/// A connection that carries requests one after another.
pub(crate) struct HttpConnection {
    sender: SendRequest<Full<Bytes>>,
    /// `None` once it has ended; the sender knows why.
    driver: Option<Pin<Box<Driver>>>,
}

impl HttpConnection {
    pub(crate) async fn new(stream: Stream) -> Result<Self, ConnectError> {
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

    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, ConnectError> {
        let answer = self.sender.send_request(request);
        Self::drive(&mut self.driver, answer).await.map_err(broken)
    }

    /// Waits until the next request can be sent; false when the server has hung up meanwhile.
    async fn is_usable(&mut self) -> bool {
        Self::drive(&mut self.driver, self.sender.ready()).await.is_ok()
    }

    /// The whole body, of at most so many bytes.
    pub(crate) async fn body(
        &mut self,
        body: Incoming,
        bytes_max: usize,
    ) -> Result<Bytes, ConnectError> {
        let body = Limited::new(body, bytes_max).collect();
        match Self::drive(&mut self.driver, body).await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => {
                Err(ConnectError::Protocol(format!("an answer over {bytes_max} bytes")))
            }
            Err(error) => Err(ConnectError::Broken(error.to_string())),
        }
    }

    /// An answer that is an error, with the beginning of its body if it can be had.
    async fn error(&mut self, answer: Response<Incoming>) -> ConnectError {
        let (head, mut body) = answer.into_parts();
        let mut text = Vec::new();
        while text.len() < ERROR_BODY_BYTES_MAX
            && let Some(Ok(frame)) = Self::drive(&mut self.driver, body.frame()).await
        {
            text.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        }
        text.truncate(ERROR_BODY_BYTES_MAX);
        let body = String::from_utf8_lossy(&text).into_owned();
        ConnectError::Http { status: head.status, body }
    }
}

/// Polling requests one after another, over one connection as long as the server keeps it.
pub(super) struct Requests {
    target: Arc<Target>,
    headers: HeaderMap,
    connect_timeout: Duration,
    resets: bool,
    connection: Option<HttpConnection>,
}

impl Requests {
    pub(super) fn new(target: Arc<Target>, config: &ClientConfig) -> Self {
        let (headers, connect_timeout) = (config.headers.clone(), config.connect_timeout);
        Self { target, headers, connect_timeout, resets: false, connection: None }
    }

    /// The same, whose connections end as those of a machine that is gone, whoever ends them.
    pub(super) fn reset_at_end(self) -> Self {
        Self { resets: true, ..self }
    }

    /// GET without a body, POST with one; the answer's body, of at most `bytes_max` bytes. A
    /// request is never sent twice: whether a lost one was heard is not known here.
    pub(super) async fn send(
        &mut self,
        sid: Option<&str>,
        body: Option<Bytes>,
        bytes_max: usize,
    ) -> Result<Bytes, ConnectError> {
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let body = body.unwrap_or_default();
        let uri = endpoint(&self.target, "polling", sid);
        let mut request = request(&self.target, &self.headers, method, &uri, body)?;
        if request.method() == Method::POST {
            let text = HeaderValue::from_static("text/plain;charset=UTF-8");
            request.headers_mut().insert(header::CONTENT_TYPE, text);
        }
        let mut kept = self.connection.take();
        if let Some(connection) = &mut kept
            && !connection.is_usable().await
        {
            kept = None;
        }
        let mut connection = match kept {
            Some(connection) => connection,
            None => {
                let stream = self.target.connect(self.connect_timeout).await?;
                if self.resets {
                    stream.reset_at_end();
                }
                HttpConnection::new(stream).await?
            }
        };
        let answer = connection.send(request).await?;
        if answer.status() != StatusCode::OK {
            return Err(connection.error(answer).await);
        }
        let body = connection.body(answer.into_body(), bytes_max).await?;
        self.connection = Some(connection);
        Ok(body)
    }
}

/// Has the proxy connect us with a host, and answers the connection, on which the host is next to
/// speak.
pub(super) async fn tunnel(
    proxy: &Proxy,
    tcp: TcpStream,
    host: &str,
    port: u16,
) -> Result<TcpStream, ConnectError> {
    let unreachable = |source| ConnectError::Unreachable { host: host.to_owned(), source };
    let mut http = HttpConnection::new(Stream::Plain(tcp)).await?;
    let answer = http.send(proxy.request(host, port)?).await?;
    if !answer.status().is_success() {
        return Err(unreachable(proxy.refused(answer.status())));
    }
    let upgrade = hyper::upgrade::on(answer);
    let upgraded = HttpConnection::drive(&mut http.driver, upgrade).await.map_err(broken)?;
    match upgraded.downcast::<TokioIo<Stream>>() {
        // Neither TLS nor HTTP lets a server speak first.
        Ok(parts) if parts.read_buf.is_empty() => match parts.io.into_inner() {
            Stream::Plain(tcp) => Ok(tcp),
            Stream::Tls(_) => Err(ConnectError::Protocol("the tunnel is not ours".to_owned())),
        },
        Ok(_) => Err(ConnectError::Protocol("the proxy talks inside its tunnel".to_owned())),
        Err(_) => Err(ConnectError::Protocol("the tunnel is not ours".to_owned())),
    }
}

/// Opens a websocket (RFC 6455 §4.1) on a fresh stream and answers it with what was read behind
/// the server's answer.
pub(crate) async fn open_websocket(
    target: &Target,
    headers: &HeaderMap,
    stream: Stream,
    uri: &str,
) -> Result<(Stream, Bytes), ConnectError> {
    let key = ws::new_key(rand::random());
    let mut request = request(target, headers, Method::GET, uri, Bytes::new())?;
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

/// The Engine.IO endpoint of a transport; `sid` names a session that exists.
pub(super) fn endpoint(target: &Target, transport: &str, sid: Option<&str>) -> String {
    let mut uri = format!("{}EIO={PROTOCOL}&transport={transport}", target.path);
    if let Some(sid) = sid {
        uri.push_str("&sid=");
        uri.extend(url::form_urlencoded::byte_serialize(sid.as_bytes()));
    }
    uri
}

/// A request with the headers that every one of ours has; `uri` is a path and a query.
pub(crate) fn request(
    target: &Target,
    headers: &HeaderMap,
    method: Method,
    uri: &str,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, ConnectError> {
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
