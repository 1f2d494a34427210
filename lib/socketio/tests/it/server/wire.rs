//! A client that sends exactly what a test tells it to.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use trialogue_socketio::ws::{CloseFrame, Decoder, Limits, Message, Opcode, Role, put_frame};

use crate::peer::soon;

/// The mask of all frames.
pub(crate) const MASK: [u8; 4] = [9, 8, 7, 6];

/// A websocket.
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    decoder: Decoder,
    input: BytesMut,
}

/// Sends a request on a connection of its own; the status and the body of the answer.
pub(crate) async fn http(
    address: SocketAddr,
    method: &str,
    query: &str,
    body: impl AsRef<[u8]>,
) -> (u16, String) {
    http_with(address, method, query, "", body).await
}

pub(crate) async fn http_with(
    address: SocketAddr,
    method: &str,
    query: &str,
    headers: &str,
    body: impl AsRef<[u8]>,
) -> (u16, String) {
    let answer = soon(raw_http(address, method, query, headers, body.as_ref())).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_default(), body.to_owned())
}

/// The whole answer, head included.
pub(crate) async fn raw_http(
    address: SocketAddr,
    method: &str,
    query: &str,
    headers: &str,
    body: &[u8],
) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "{method} /socket.io/?{query} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\
         {headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    // A server that refuses a body may close before all of it is sent.
    let _refused = stream.write_all(&[head.as_bytes(), body].concat()).await;
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

/// Opens a polling session; its id.
pub(crate) async fn open_polling(address: SocketAddr) -> String {
    let (status, body) = http(address, "GET", "EIO=4&transport=polling", "").await;
    assert_eq!(status, 200, "{body}");
    let handshake: serde_json::Value = serde_json::from_str(&body[1..]).unwrap();
    handshake["sid"].as_str().unwrap().to_owned()
}

impl Wire {
    /// Opens a session with a websocket.
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let mut wire = Self::upgrade(address, "EIO=4&transport=websocket").await.unwrap();
        wire.expect_start("0{\"sid\":").await;
        wire
    }

    /// Opens a websocket with this query; else the answer that came instead.
    pub(crate) async fn upgrade(address: SocketAddr, query: &str) -> Result<Self, String> {
        Self::upgrade_with(address, query, "").await
    }

    pub(crate) async fn upgrade_with(
        address: SocketAddr,
        query: &str,
        headers: &str,
    ) -> Result<Self, String> {
        let stream = TcpStream::connect(address).await.unwrap();
        Self::upgrade_on(stream, query, headers, &[]).await
    }

    /// The same with bytes right behind the request, in one piece with it.
    pub(crate) async fn upgrade_on(
        mut stream: TcpStream,
        query: &str,
        headers: &str,
        early: &[u8],
    ) -> Result<Self, String> {
        let request = format!(
            "GET /socket.io/?{query} HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n{headers}\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(&[request.as_bytes(), early].concat()).await.unwrap();
        let mut input = BytesMut::new();
        let end = loop {
            if let Some(end) = memchr::memmem::find(&input, b"\r\n\r\n") {
                break end + 4;
            }
            assert_ne!(soon(stream.read_buf(&mut input)).await.unwrap(), 0, "no answer");
        };
        let head = String::from_utf8(input.split_to(end).to_vec()).unwrap();
        if !head.starts_with("HTTP/1.1 101") {
            return Err(head);
        }
        assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        let limits = Limits { message_bytes_max: 1 << 24, fragments_max: 1 };
        Ok(Self { stream, decoder: Decoder::new(Role::Client, limits), input })
    }

    pub(crate) async fn text(&mut self, text: &str) {
        self.bytes(&frames(&[text])).await;
    }

    /// Sends bytes as they are.
    pub(crate) async fn bytes(&mut self, bytes: &[u8]) {
        soon(self.stream.write_all(bytes)).await.unwrap();
    }

    /// The next message; `None` when the server has closed, in whatever way.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.decoder.decode(&mut self.input).unwrap() {
                return Some(message);
            }
            match soon(self.stream.read_buf(&mut self.input)).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next text, pings of the server aside.
    pub(crate) async fn next_text(&mut self) -> String {
        loop {
            match self.next().await {
                Some(Message::Text(text)) if *text == *b"2" => self.text("3").await,
                Some(Message::Text(text)) => return String::from_utf8(text.to_vec()).unwrap(),
                other => panic!("no text but {other:?}"),
            }
        }
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, expect: &str) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            assert_eq!(self.next_text().await, expect, "expected at {caller}");
        }
    }

    pub(crate) async fn expect_start(&mut self, start: &str) -> String {
        let text = self.next_text().await;
        assert!(text.starts_with(start), "{text} does not start with {start}");
        text
    }

    pub(crate) async fn expect_binary(&mut self, expect: &[u8]) {
        assert_eq!(self.next().await, Some(Message::Binary(Bytes::copy_from_slice(expect))));
    }

    /// Reads until the server closes; the code of its close frame, if it sent one.
    pub(crate) async fn until_closed(&mut self) -> Option<u16> {
        let mut code = None;
        while let Some(message) = self.next().await {
            if let Message::Close(Some(CloseFrame { code: sent, .. })) = message {
                code = Some(sent);
            }
        }
        code
    }
}

/// These texts as frames in one piece.
pub(crate) fn frames<T: AsRef<str>>(texts: &[T]) -> BytesMut {
    let mut out = BytesMut::new();
    for text in texts {
        put_frame(&mut out, Opcode::Text, &[text.as_ref().as_bytes()], Some(MASK));
    }
    out
}
