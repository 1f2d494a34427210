//! The proxy: requests and answers as they are, but for what would make them unreadable.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, BodyStream, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use trialogue_client::is_loopback;
use url::Url;

use super::Shared;
use super::story::{Call, Ender};
use super::tee::{BODY_BYTES_MAX, Tee};
use super::websocket::Passage;
use super::wire::Way;

/// Connections of clients at once; more wait in the system's queue.
const CONNECTIONS_MAX: usize = 1_024;
/// Before the next try to accept, when the system has no file descriptor to spare.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long the server may take to accept a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// Under the 5 s after which stock node servers close an idle connection.
const IDLE_WITHIN: Duration = Duration::from_secs(4);

/// Headers of one connection, not of what it carries; the codings that could not be read; and
/// what is written anew for the server.
const NOT_PASSED: [HeaderName; 11] = [
    header::CONNECTION,
    header::UPGRADE,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::ACCEPT_ENCODING,
    header::SEC_WEBSOCKET_EXTENSIONS,
    header::HOST,
    HeaderName::from_static("keep-alive"),
];

type Answer = Response<BoxBody<Bytes, reqwest::Error>>;

/// The server behind the proxy.
#[derive(Debug)]
pub(super) struct Upstream {
    client: reqwest::Client,
    target: Url,
}

impl Upstream {
    /// The error is a sentence.
    pub(super) fn new(target: &Url) -> Result<Self, String> {
        if !["http", "https"].contains(&target.scheme()) || !target.has_host() {
            return Err("the target is not an http(s) URL".to_owned());
        }
        let mut builder = reqwest::Client::builder()
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_WITHIN)
            .pool_idle_timeout(IDLE_WITHIN);
        if is_loopback(target) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| error.to_string())?;
        Ok(Self { client, target: target.clone() })
    }

    fn url(&self, path_and_query: &str) -> Option<Url> {
        let prefix = self.target.as_str().trim_end_matches('/');
        format!("{prefix}{path_and_query}").parse().ok()
    }

    /// The headers as the server is to see them. A page that this proxy itself serves is one of
    /// the server's own.
    fn headers(&self, from: &HeaderMap) -> HeaderMap {
        let mut headers = passed(from);
        let origin = from.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
        let host = from.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        if origin.and_then(|origin| origin.split_once("://")).is_some_and(|(_, at)| at == host)
            && let Ok(own) = HeaderValue::from_str(&self.target.origin().ascii_serialization())
        {
            headers.insert(header::ORIGIN, own);
        }
        headers
    }
}

fn passed(from: &HeaderMap) -> HeaderMap {
    let fields = from.iter().filter(|(name, _)| !NOT_PASSED.contains(name));
    fields.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Serves until it is dropped.
pub(super) async fn listen(listener: TcpListener, upstream: Arc<Upstream>, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve(stream, Arc::clone(&upstream), Arc::clone(&shared)));
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn serve(stream: TcpStream, upstream: Arc<Upstream>, shared: Arc<Shared>) {
    _ = stream.set_nodelay(true);
    // Upgraded connections end with this one, and this one with the recorder.
    let (passages, mut waiting) = tokio::sync::mpsc::channel(1);
    let service = service_fn(|request| {
        let (upstream, shared, passages) =
            (Arc::clone(&upstream), Arc::clone(&shared), passages.clone());
        async move {
            let answer = exchange(request, &upstream, &shared).await;
            let (answer, passage) = answer;
            if let Some(passage) = passage {
                // A connection becomes a WebSocket once.
                _ = passages.try_send(passage);
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    // Whatever a client breaks off is its own business.
    _ = connection.await;
    if let Ok(passage) = waiting.try_recv() {
        passage.await;
    }
}

/// What goes on once a connection is a WebSocket.
type Carried = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

async fn exchange(
    mut request: Request<Incoming>,
    upstream: &Upstream,
    shared: &Arc<Shared>,
) -> (Answer, Option<Carried>) {
    let upgrade = wants_websocket(request.headers()).then(|| hyper::upgrade::on(&mut request));
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let Some(url) = upstream.url(path) else { return (failed(StatusCode::BAD_REQUEST), None) };
    let (kept, body) = match kept_or_passed(body).await {
        Ok(body) => body,
        Err(()) => return (failed(StatusCode::BAD_REQUEST), None),
    };
    let bearer = bearer(&parts.headers);
    let mut noted = Note::of(shared, &parts, bearer.as_deref(), kept.as_ref(), upgrade.is_some());
    let mut headers = upstream.headers(&parts.headers);
    if upgrade.is_some() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    }
    // Its own body says how long it is, where that is known.
    headers.remove(header::CONTENT_LENGTH);
    let request = upstream.client.request(parts.method, url).headers(headers).body(body);
    match request.send().await {
        Ok(answer) => match upgrade {
            Some(upgrade) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
                switched(answer, upgrade, noted, shared)
            }
            _ => (tell(answer, noted), None),
        },
        Err(_) => {
            noted.broke();
            (failed(StatusCode::BAD_GATEWAY), None)
        }
    }
}

/// Both ends are WebSockets from here.
fn switched(
    answer: reqwest::Response,
    upgrade: hyper::upgrade::OnUpgrade,
    noted: Note,
    shared: &Arc<Shared>,
) -> (Answer, Option<Carried>) {
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = passed(answer.headers());
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    let shared = Arc::clone(shared);
    let carried = async move {
        let (client, server) = tokio::join!(upgrade, answer.upgrade());
        let Noted::Session { line, is_new } = noted.what else { return };
        if let (Ok(client), Ok(server)) = (client, server) {
            let passage = Passage { shared, line, is_whole: is_new };
            passage.carry(TokioIo::new(client), server).await;
        }
    };
    (response, Some(Box::pin(carried)))
}

/// The answer as it came, looked at when it is over.
fn tell(answer: reqwest::Response, mut noted: Note) -> Answer {
    let (status, headers) = (answer.status(), passed(answer.headers()));
    let body = reqwest::Body::from(answer);
    let tee = Tee::new(body, move |body| noted.answered(status, body.as_deref()));
    let mut response = Response::new(tee.boxed());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn failed(status: StatusCode) -> Answer {
    let text = "trialogue record: the target did not answer\n";
    let mut response = Response::new(Full::from(text).map_err(|never| match never {}).boxed());
    *response.status_mut() = status;
    response
}

fn empty() -> BoxBody<Bytes, reqwest::Error> {
    http_body_util::Empty::new().map_err(|never| match never {}).boxed()
}

fn wants_websocket(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(header::UPGRADE).and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

/// The whole body where it is not too long, and what is sent on.
async fn kept_or_passed(body: Incoming) -> Result<(Option<Bytes>, reqwest::Body), ()> {
    let mut kept = BytesMut::new();
    let mut frames = BodyStream::new(body);
    while let Some(frame) = frames.next().await {
        // Trailers have no place in these protocols.
        let Ok(data) = frame.map_err(|_| ())?.into_data() else { continue };
        kept.extend_from_slice(&data);
        if kept.len() > BODY_BYTES_MAX {
            let begun = futures_util::stream::once(async move { Ok(kept.freeze()) });
            let rest = frames.filter_map(async |frame| match frame {
                Ok(frame) => frame.into_data().ok().map(Ok),
                Err(error) => Some(Err(error)),
            });
            return Ok((None, reqwest::Body::wrap_stream(begun.chain(rest))));
        }
    }
    let kept = kept.freeze();
    Ok((Some(kept.clone()), reqwest::Body::from(kept)))
}

/// What an exchange is.
enum Noted {
    /// Of an Engine.IO session, perhaps a new one.
    Session { line: u64, is_new: bool },
    /// A request over REST.
    Rest(Option<super::story::Ticket>),
}

struct Note {
    shared: Arc<Shared>,
    what: Noted,
}

impl Note {
    /// Notes a request before it is passed on.
    fn of(
        shared: &Arc<Shared>,
        parts: &http::request::Parts,
        bearer: Option<&str>,
        body: Option<&Bytes>,
        is_websocket: bool,
    ) -> Self {
        let query = parts.uri.query().unwrap_or_default();
        let of_query = |name: &str| {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        let what = if of_query("EIO").is_some() {
            let sid = of_query("sid");
            shared.note(|story, wires| {
                let known = sid.as_deref().and_then(|sid| wires.find(sid));
                let line = known.unwrap_or_else(|| wires.open(bearer, story));
                match (known, is_websocket) {
                    (None, true) => story.began_by("websocket"),
                    (None, false) => story.began_by("polling"),
                    (Some(_), true) => story.began_by("polling+upgrade"),
                    (Some(_), false) => {}
                }
                if let Some(body) = body.filter(|body| !body.is_empty()) {
                    wires.payload(line, Way::Up, body, story);
                }
                Noted::Session { line, is_new: known.is_none() }
            })
        } else {
            let json = body.and_then(|body| serde_json::from_slice(body).ok());
            let (method, path) = (parts.method.as_str(), parts.uri.path());
            let call = Call { method, path, query, bearer, json };
            Noted::Rest(shared.note(|story, _| story.called(&call)))
        };
        Self { shared: Arc::clone(shared), what }
    }

    /// The answer is there, or broke off.
    fn answered(&mut self, status: StatusCode, body: Option<&[u8]>) {
        match &self.what {
            Noted::Rest(None) => {}
            Noted::Rest(Some(ticket)) => {
                let json = body.and_then(|body| serde_json::from_slice(body).ok());
                self.shared.note(|story, _| story.answered(ticket, status.as_u16(), json.as_ref()));
            }
            Noted::Session { line, is_new } => self.shared.note(|story, wires| {
                match body.filter(|_| status.is_success()) {
                    Some(b"ok") => {}
                    Some(body) => wires.payload(*line, Way::Down, body, story),
                    // A poll that its client has given up says nothing; a refusal ends it.
                    None if status.is_success() && !is_new => {}
                    None => wires.end(*line, Ender::Line, story),
                }
            }),
        }
    }

    /// There was no answer.
    fn broke(&mut self) {
        match &self.what {
            Noted::Rest(ticket) => self.shared.note(|story, _| {
                if let Some(ticket) = ticket {
                    story.unanswered(ticket);
                }
                story.away();
            }),
            Noted::Session { line, .. } => self.shared.note(|story, wires| {
                wires.end(*line, Ender::Line, story);
                story.away();
            }),
        }
    }
}
