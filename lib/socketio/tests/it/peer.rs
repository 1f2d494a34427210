//! A server that does exactly what a test tells it to, frame by frame.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use trialogue_socketio::client::{Client, ClientConfig};
use trialogue_socketio::ws::{self, Decoder, Limits, Message, Opcode, Role, close_payload};

/// Nothing that a test waits for takes longer on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(10);

pub(crate) const HANDSHAKE: &str = concat!(
    r#"0{"sid":"engine","upgrades":[],"pingInterval":25000,"#,
    r#""pingTimeout":20000,"maxPayload":65536}"#
);

/// Waits for something that is certain to come, or says that it did not.
#[track_caller]
pub(crate) fn soon<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        match timeout(SOON, future).await {
            Ok(output) => output,
            Err(_) => panic!("nothing came within {SOON:?}, awaited at {caller}"),
        }
    }
}

pub(crate) struct Peer {
    listener: TcpListener,
}

impl Peer {
    pub(crate) async fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    pub(crate) fn config(&self) -> ClientConfig {
        ClientConfig::new(format!("http://{}", self.address()).parse().unwrap())
    }

    pub(crate) async fn accept(&self) -> TcpStream {
        soon(self.listener.accept()).await.unwrap().0
    }

    /// A client and our end of its websocket, after the Engine.IO handshake.
    pub(crate) async fn connect(&self, config: ClientConfig) -> (Client, Wire<TcpStream>) {
        self.connect_as(config, HANDSHAKE).await
    }

    pub(crate) async fn connect_as(
        &self,
        config: ClientConfig,
        handshake: &str,
    ) -> (Client, Wire<TcpStream>) {
        let serve = async {
            let mut wire = Wire::accept(self.accept().await).await;
            wire.text(handshake).await;
            wire
        };
        let (client, wire) = tokio::join!(soon(Client::connect(config)), serve);
        (client.unwrap(), wire)
    }
}

/// Our end of a websocket.
pub(crate) struct Wire<S> {
    pub(crate) io: S,
    /// The client's request, as it came.
    pub(crate) request: String,
    decoder: Decoder,
    input: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) async fn accept(mut io: S) -> Self {
        let request = read_head(&mut io).await;
        Self::answer(io, request).await
    }

    /// Answers a request that has been read.
    pub(crate) async fn answer(mut io: S, request: String) -> Self {
        let key = header(&request, "sec-websocket-key").unwrap().to_owned();
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            ws::accept_key(key.as_bytes())
        );
        io.write_all(answer.as_bytes()).await.unwrap();
        let limits = Limits { message_bytes_max: 16 << 20, fragments_max: 1 };
        let decoder = Decoder::new(Role::Server, limits);
        Self { io, request, decoder, input: BytesMut::new() }
    }

    pub(crate) async fn frame(&mut self, opcode: Opcode, payload: &[u8]) {
        self.raw(&frame(opcode, payload)).await;
    }

    pub(crate) async fn text(&mut self, text: &str) {
        self.frame(Opcode::Text, text.as_bytes()).await;
    }

    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        soon(self.io.write_all(bytes)).await.unwrap();
    }

    pub(crate) async fn close(&mut self, code: u16) {
        self.frame(Opcode::Close, &close_payload(code, "")).await;
    }

    /// The next message of the client, `None` when it has hung up.
    #[track_caller]
    pub(crate) fn next(&mut self) -> impl Future<Output = Option<Message>> {
        soon(async move {
            loop {
                if let Some(message) = self.decoder.decode(&mut self.input).unwrap() {
                    return Some(message);
                }
                match self.io.read_buf(&mut self.input).await {
                    Ok(0) | Err(_) => return None,
                    Ok(_) => {}
                }
            }
        })
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        let next = self.next();
        async move {
            match next.await {
                Some(Message::Text(came)) => {
                    assert_eq!(String::from_utf8_lossy(&came), text, "at {caller}");
                }
                other => panic!("{text:?} was expected at {caller}, not {other:?}"),
            }
        }
    }

    /// The code of the client's close frame, which must come next, before it hangs up.
    pub(crate) async fn closed_with(&mut self) -> u16 {
        match self.next().await {
            Some(Message::Close(Some(close))) => close.code,
            other => panic!("a close frame was expected, not {other:?}"),
        }
    }
}

pub(crate) fn frame(opcode: Opcode, payload: &[u8]) -> BytesMut {
    let mut frame = BytesMut::new();
    ws::put_frame(&mut frame, opcode, &[payload], None);
    frame
}

/// Frames that leave in one write.
pub(crate) fn texts(texts: &[&str]) -> BytesMut {
    let mut all = BytesMut::new();
    for text in texts {
        all.extend_from_slice(&frame(Opcode::Text, text.as_bytes()));
    }
    all
}

/// A request's head, byte by byte so that nothing behind it is taken.
pub(crate) async fn read_head<S: AsyncRead + Unpin>(io: &mut S) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(io.read_u8()).await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}
