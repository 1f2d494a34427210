//! Plain WebSocket on our own framing, without Engine.IO above it, for the suites that judge framing
//! alone:
//!
//! `cargo run -p trialogue-socketio --example websocket_echo -- --listen 127.0.0.1:9001` echoes;
//! `… -- --try 127.0.0.1:9002` is the client that a suite's server puts through its cases.

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use bytes::BytesMut;
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, HOST, UPGRADE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use trialogue_socketio::ws::{
    self, Decoder, Limits, Message, Opcode, Role, close_code, close_payload, put_frame,
};

type Failure = Box<dyn Error + Send + Sync>;

/// The longest message of the suites is 16 MiB, the most pieces 65,536.
const LIMITS: Limits = Limits { message_bytes_max: 16 << 20, fragments_max: 1 << 17 };
/// How long the other end may take to end the connection after our goodbye.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--listen", address] => listen(address).await,
        ["--try", address] => put_through(address).await,
        _ => Err("usage: websocket_echo --listen ADDRESS | --try ADDRESS".into()),
    }
}

#[expect(clippy::print_stdout, reason = "the lines of a program, which this is")]
fn say(line: &str) {
    println!("{line}");
}

async fn listen(address: &str) -> Result<(), Failure> {
    let listener = TcpListener::bind(address).await?;
    say(&format!("listening on {}", listener.local_addr()?));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let http =
                http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
            let _broken = http.with_upgrades().await;
        });
    }
}

async fn answer(mut request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let mut response = Response::new(Empty::new());
    match ws::check_request(request.method(), request.version(), request.headers()) {
        Ok(accept) => {
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                if let Ok(upgraded) = upgrade.await {
                    let _broken = echo(Role::Server, TokioIo::new(upgraded), BytesMut::new()).await;
                }
            });
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let headers = response.headers_mut();
            headers.insert(CONNECTION, hyper::header::HeaderValue::from_static("Upgrade"));
            headers.insert(UPGRADE, hyper::header::HeaderValue::from_static("websocket"));
            if let Ok(accept) = accept.parse() {
                headers.insert("sec-websocket-accept", accept);
            }
        }
        Err(_) => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    Ok(response)
}

/// Asks the suite how many cases it has and echoes through all of them.
async fn put_through(address: &str) -> Result<(), Failure> {
    let count = {
        let (mut stream, mut input) = open(address, "/getCaseCount").await?;
        let mut decoder = Decoder::new(Role::Client, LIMITS);
        loop {
            if let Some(Message::Text(count)) = decoder.decode(&mut input)? {
                break std::str::from_utf8(&count)?.parse::<u32>()?;
            }
            if stream.read_buf(&mut input).await? == 0 {
                return Err("the suite did not say how many cases it has".into());
            }
        }
    };
    for case in 1..=count {
        let (stream, input) =
            open(address, &format!("/runCase?case={case}&agent=trialogue")).await?;
        // Many cases end with a connection that is broken on purpose.
        let _broken = echo(Role::Client, stream, input).await;
    }
    let (stream, input) = open(address, "/updateReports?agent=trialogue").await?;
    let _ended = echo(Role::Client, stream, input).await;
    say(&format!("{count} cases"));
    Ok(())
}

/// A websocket to this path, and what has already come on it.
async fn open(address: &str, path: &str) -> Result<(TcpStream, BytesMut), Failure> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let key = ws::new_key(rand::random());
    let request = format!(
        "GET {path} HTTP/1.1\r\n{HOST}: {address}\r\n{CONNECTION}: Upgrade\r\n{UPGRADE}: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut input = BytesMut::new();
    let end = loop {
        if let Some(end) = memchr::memmem::find(&input, b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut input).await? == 0 {
            return Err("closed before the handshake was answered".into());
        }
    };
    let head = String::from_utf8_lossy(&input.split_to(end)).into_owned();
    if !head.contains(&ws::accept_key(key.as_bytes())) {
        return Err(format!("no websocket: {head}").into());
    }
    Ok((stream, input))
}

/// Sends every message back until one end says goodbye.
async fn echo<S>(role: Role, mut stream: S, mut input: BytesMut) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut decoder = Decoder::new(role, LIMITS);
    let mut out = BytesMut::new();
    let goodbye = loop {
        let mask = (role == Role::Client).then(rand::random);
        match decoder.decode(&mut input) {
            Ok(Some(Message::Text(text))) => put_frame(&mut out, Opcode::Text, &[&text], mask),
            Ok(Some(Message::Binary(bytes))) => {
                put_frame(&mut out, Opcode::Binary, &[&bytes], mask)
            }
            Ok(Some(Message::Ping(bytes))) => put_frame(&mut out, Opcode::Pong, &[&bytes], mask),
            Ok(Some(Message::Pong(_))) => {}
            Ok(Some(Message::Close(close))) => {
                break close.map_or(close_code::NORMAL, |close| close.code);
            }
            Ok(None) => {
                stream.write_all(&out.split()).await?;
                if stream.read_buf(&mut input).await? == 0 {
                    return Ok(());
                }
            }
            Err(error) => break error.close_code(),
        }
    };
    let mask = (role == Role::Client).then(rand::random);
    put_frame(&mut out, Opcode::Close, &[&close_payload(goodbye, "")], mask);
    stream.write_all(&out).await?;
    // The server ends the connection, and the client waits for it (RFC 6455 §7.1.1).
    if role == Role::Server {
        stream.shutdown().await?;
    }
    // What is still under way must be read, or the reset that answers it takes our goodbye along.
    let mut rest = [0; 4_096];
    let drained = async { while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {} };
    let _given_up = timeout(GOODBYE_TIMEOUT, drained).await;
    Ok(())
}
