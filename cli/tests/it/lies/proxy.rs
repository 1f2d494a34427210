//! A proxy in front of a real server that understands what it carries: HTTP, Engine.IO by polling
//! and by WebSocket, and the upgrade from one to the other.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use trialogue_socketio::engine::SEPARATOR;
use trialogue_socketio::ws::{
    Decoder, Limits, Message, Opcode, Role, close_code, close_payload, put_frame,
};

use super::hub::{Answer, Hub, Lie};

/// Longest head of an answer to a WebSocket handshake.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Listens until it is dropped; what it carries then ends too.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    _carries: JoinSet<()>,
}

impl Proxy {
    pub(super) async fn start(upstream: SocketAddr, lie: Lie) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let hub = Hub::new(lie);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut carries = JoinSet::new();
        carries.spawn(async move {
            let mut callers = JoinSet::new();
            while let Ok((caller, _)) = listener.accept().await {
                let (hub, http) = (Arc::clone(&hub), http.clone());
                callers.spawn(async move {
                    let carry = service_fn(move |request| {
                        carry(request, upstream, hub.clone(), http.clone())
                    });
                    let server = hyper::server::conn::http1::Builder::new();
                    // Whoever goes away in the middle has a reason.
                    let _ =
                        server.serve_connection(TokioIo::new(caller), carry).with_upgrades().await;
                });
            }
        });
        Self { address, _carries: carries }
    }
}

type Answered = Response<Full<Bytes>>;

async fn carry(
    request: Request<Incoming>,
    upstream: SocketAddr,
    hub: Arc<Hub>,
    http: reqwest::Client,
) -> Result<Answered, Infallible> {
    let came = match request.headers().contains_key("sec-websocket-key") {
        true => upgrade(request, upstream, &hub).await,
        false => exchange(request, upstream, &hub, &http).await,
    };
    Ok(came.unwrap_or_else(|| {
        let gone = Response::builder().status(StatusCode::BAD_GATEWAY);
        gone.body(Full::default()).unwrap()
    }))
}

fn query<'a>(request: &'a Request<Incoming>, name: &str) -> Option<&'a str> {
    let mut pairs = request.uri().query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// One request and its answer; nothing when the server is gone.
async fn exchange(
    request: Request<Incoming>,
    upstream: SocketAddr,
    hub: &Arc<Hub>,
    http: &reqwest::Client,
) -> Option<Answered> {
    let path = request.uri().path_and_query()?.as_str().to_owned();
    let polls = path.starts_with("/socket.io/");
    let session = polls.then(|| hub.session(query(&request, "sid")));
    let (parts, body) = request.into_parts();
    let mut body = body.collect().await.ok()?.to_bytes();
    if let (Some(session), &Method::POST) = (session, &parts.method) {
        body = packets(&body, |text| hub.up(session, text), Vec::new());
    }
    let mut headers = parts.headers.clone();
    for name in [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    let mut asked = path.clone();
    if session.is_none() {
        hub.ask(&mut asked);
    }
    let ask = http.request(parts.method.clone(), format!("http://{upstream}{asked}"));
    let came = ask.headers(headers).body(body).send().await.ok()?;
    let mut status = came.status();
    let mut headers = came.headers().clone();
    let mut body = came.bytes().await.ok()?;
    if let Some(session) = session {
        if parts.method == Method::GET && status.is_success() {
            let down = packets(&body, |text| hub.down(session, text), Vec::new());
            // What was said meanwhile comes after it.
            body = packets(&down, |text| Some(text.to_owned()), hub.waiting(session));
        }
    } else if let Ok(json) = serde_json::from_slice::<Value>(&body) {
        let token = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
        let token = token.and_then(|value| value.strip_prefix("Bearer "));
        let method = parts.method.to_string();
        let mut answer = Answer { method, path, user: 0, status: status.as_u16(), json };
        hub.answer(token, &mut answer);
        status = StatusCode::from_u16(answer.status).unwrap();
        body = answer.json.to_string().into();
    }
    for name in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    let mut answer = Response::builder().status(status).body(Full::from(body)).ok()?;
    *answer.headers_mut() = headers;
    Some(answer)
}

/// A polling body, packet by packet; a body without packets says nothing (`6`).
fn packets(body: &[u8], mut pass: impl FnMut(&str) -> Option<String>, more: Vec<String>) -> Bytes {
    let text = String::from_utf8_lossy(body);
    let passed = text.split(char::from(SEPARATOR)).filter(|packet| !packet.is_empty());
    let mut all: Vec<String> = passed.filter_map(&mut pass).chain(more).collect();
    if all.is_empty() {
        all.push("6".to_owned());
    }
    all.join(&char::from(SEPARATOR).to_string()).into()
}

async fn upgrade(
    mut request: Request<Incoming>,
    upstream: SocketAddr,
    hub: &Arc<Hub>,
) -> Option<Answered> {
    let session = hub.session(query(&request, "sid"));
    let is_move = query(&request, "sid").is_some();
    let mut server = TcpStream::connect(upstream).await.ok()?;
    let mut head = format!("GET {} HTTP/1.1\r\n", request.uri().path_and_query()?);
    for (name, value) in request.headers() {
        head += &format!("{name}: {}\r\n", value.to_str().ok()?);
    }
    server.write_all((head + "\r\n").as_bytes()).await.ok()?;
    let (status, headers, rest) = head_of(&mut server).await?;
    let mut answer = Response::builder().status(status);
    for (name, value) in &headers {
        answer = answer.header(name, value);
    }
    if status == StatusCode::SWITCHING_PROTOCOLS {
        let (hub, client) = (Arc::clone(hub), hyper::upgrade::on(&mut request));
        tokio::spawn(async move {
            let Ok(client) = client.await else { return };
            pump(&hub, session, is_move, TokioIo::new(client), (server, rest)).await;
        });
    }
    answer.body(Full::default()).ok()
}

/// The head of the server's answer, and what came after it.
async fn head_of(server: &mut TcpStream) -> Option<(StatusCode, Vec<(String, String)>, BytesMut)> {
    let mut read = BytesMut::new();
    let end = loop {
        if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if read.len() > HEAD_BYTES_MAX || server.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    };
    let head = read.split_to(end + 4);
    let head = String::from_utf8_lossy(&head);
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Some((StatusCode::from_u16(status).ok()?, headers, read))
}

/// Carries a WebSocket until one end is gone, and then ends the other.
async fn pump(
    hub: &Arc<Hub>,
    session: usize,
    is_move: bool,
    client: impl AsyncRead + AsyncWrite,
    (server, rest): (TcpStream, BytesMut),
) {
    let (mut client_in, client_out) = tokio::io::split(client);
    let (mut server_in, server_out) = tokio::io::split(server);
    let (to_client, for_client) = unbounded_channel();
    let (to_server, for_server) = unbounded_channel();
    if !is_move {
        hub.carry(session, to_client.clone(), to_server.clone());
    }
    let from_client = async {
        let carry = |text: &str| {
            let passed = hub.up(session, text);
            // It has moved: from now on everything comes here.
            if text == "5" {
                hub.carry(session, to_client.clone(), to_server.clone());
            }
            passed
        };
        read(&mut client_in, BytesMut::new(), Role::Server, carry, &to_server).await;
        let _ = to_server.send(None);
    };
    let from_server = async {
        let carry = |text: &str| hub.down(session, text);
        read(&mut server_in, rest, Role::Client, carry, &to_client).await;
        let _ = to_client.send(None);
    };
    let out = async {
        tokio::select! {
            () = write(client_out, for_client, None) => {}
            () = write(server_out, for_server, Some([7, 1, 9, 4])) => {}
        }
    };
    // Whoever reads to the end has told the writers so.
    let carried = async {
        tokio::join!(from_client, from_server);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = out => {}
        () = carried => {}
    }
}

/// Every text that comes, in its order, until the end.
async fn read(
    from: &mut (impl AsyncRead + Unpin),
    mut buffer: BytesMut,
    role: Role,
    mut carry: impl FnMut(&str) -> Option<String>,
    to: &UnboundedSender<Option<String>>,
) {
    let limits = Limits { message_bytes_max: 1 << 20, ..Limits::default() };
    let mut decoder = Decoder::new(role, limits);
    loop {
        match decoder.decode(&mut buffer) {
            Ok(Some(Message::Text(text))) => {
                if let Some(text) = carry(&String::from_utf8_lossy(&text)) {
                    let _ = to.send(Some(text));
                }
            }
            Ok(Some(Message::Close(_))) | Err(_) => return,
            Ok(Some(_)) => {}
            Ok(None) => match from.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            },
        }
    }
}

async fn write(
    mut to: impl AsyncWrite + Unpin,
    mut texts: UnboundedReceiver<Option<String>>,
    mask: Option<[u8; 4]>,
) {
    let mut out = BytesMut::new();
    while let Some(text) = texts.recv().await {
        out.clear();
        match &text {
            Some(text) => put_frame(&mut out, Opcode::Text, &[text.as_bytes()], mask),
            None => {
                let bye = close_payload(close_code::NORMAL, "");
                put_frame(&mut out, Opcode::Close, &[&bye], mask);
            }
        }
        if to.write_all(&out).await.is_err() || text.is_none() {
            return;
        }
    }
}
