//! Clients that send exactly what a test tells them to: bytes over TCP, frames over long polling
//! and over a websocket.

use std::time::Duration;

use bytes::BytesMut;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;
use trialogue_socketio::ws::{Decoder, Limits, Message, Opcode, Role, put_frame};

use crate::fixture::{Fixture, SOON};

/// Host and port of a server.
pub(super) fn host(server: &Fixture) -> &str {
    server.url.strip_prefix("http://").unwrap()
}

/// Connects, sends these bytes, and reads until the server closes.
pub(super) async fn exchange(server: &Fixture, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(host(server)).await.unwrap();
    // A server that refuses may close before everything is sent.
    let _refused = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let end = timeout(SOON, stream.read_to_end(&mut answer)).await;
    let text = String::from_utf8_lossy(&answer).into_owned();
    // A reset is an end too.
    let _reset = end.unwrap_or_else(|_| panic!("the connection stays open behind: {text}"));
    text
}

/// A session over long polling, frame by frame.
pub(super) struct Poll {
    http: reqwest::Client,
    url: String,
}

impl Poll {
    pub(super) async fn open(server: &Fixture) -> Self {
        let url = format!("{}/socket.io/?EIO=4&transport=polling", server.url);
        let answer = server.http.get(&url).timeout(SOON).send().await.unwrap();
        let open = answer.text().await.unwrap();
        let open: Value = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
        let url = format!("{url}&sid={}", open["sid"].as_str().unwrap());
        Self { http: server.http.clone(), url }
    }

    /// Sends frames, joined by the record separator where there are several.
    pub(super) async fn post(&self, frames: &str) {
        let request = self.http.post(&self.url).timeout(SOON).body(frames.to_owned());
        assert_eq!(request.send().await.unwrap().text().await.unwrap(), "ok", "{frames}");
    }

    /// The status of the answer to a `POST` of these frames.
    pub(super) async fn status(&self, frames: &str) -> u16 {
        let request = self.http.post(&self.url).timeout(SOON).body(frames.to_owned());
        request.send().await.unwrap().status().as_u16()
    }

    /// All frames up to the batch with one that holds these words.
    pub(super) async fn until(&self, words: &str) -> Vec<String> {
        let mut frames: Vec<String> = Vec::new();
        while !frames.iter().any(|frame| frame.contains(words)) {
            let request = self.http.get(&self.url).timeout(SOON);
            let answer = request.send().await.unwrap_or_else(|_| panic!("no {words}: {frames:?}"));
            let body = answer.text().await.unwrap();
            frames.extend(body.split('\u{1e}').map(str::to_owned));
        }
        frames
    }

    /// Whether the server ends the session within this time, and what it says until then.
    pub(super) async fn ended(&self, within: Duration) -> (bool, Vec<String>) {
        let mut frames = Vec::new();
        let ended = timeout(within, async {
            while let Ok(answer) = self.http.get(&self.url).send().await {
                if !answer.status().is_success() {
                    break;
                }
                frames.extend(answer.text().await.unwrap().split('\u{1e}').map(str::to_owned));
            }
        });
        (ended.await.is_ok(), frames)
    }

    /// Says goodbye.
    pub(super) async fn close(&self) {
        self.post("1").await;
    }
}

/// A websocket, whose two halves may be used by themselves.
pub(super) struct Wire {
    pub(super) reader: Reader,
    pub(super) writer: OwnedWriteHalf,
}

/// What comes in on a websocket.
pub(super) struct Reader {
    stream: OwnedReadHalf,
    decoder: Decoder,
    input: BytesMut,
    /// How long nothing may come before that is a failure.
    pub(super) patience: Duration,
}

/// The mask of all frames.
const MASK: [u8; 4] = [9, 8, 7, 6];

impl Wire {
    /// Opens a session with a websocket.
    pub(super) async fn open(server: &Fixture) -> Self {
        let mut wire = Self::upgrade(server, "", "").await.unwrap();
        wire.until("0{\"sid\"").await;
        wire
    }

    /// Opens one with more in the query and more headers; else the answer that came instead.
    pub(super) async fn upgrade(
        server: &Fixture,
        query: &str,
        headers: &str,
    ) -> Result<Self, String> {
        let host = host(server);
        let mut stream = TcpStream::connect(host).await.unwrap();
        let request = format!(
            "GET /socket.io/?EIO=4&transport=websocket{query} HTTP/1.1\r\nhost: {host}\r\n\
             connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n{headers}\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut input = BytesMut::new();
        let end = loop {
            if let Some(at) = input.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            let read = timeout(SOON, stream.read_buf(&mut input)).await.unwrap().unwrap();
            assert_ne!(read, 0, "no answer");
        };
        let head = String::from_utf8(input.split_to(end).to_vec()).unwrap();
        if !head.starts_with("HTTP/1.1 101") {
            return Err(head);
        }
        let limits = Limits { message_bytes_max: 1 << 24, fragments_max: 1 };
        let decoder = Decoder::new(Role::Client, limits);
        let (stream, writer) = stream.into_split();
        let reader = Reader { stream, decoder, input, patience: SOON };
        Ok(Self { reader, writer })
    }

    /// Opens a session, connects to `/chat`, and waits until that is done.
    pub(super) async fn connect(server: &Fixture, token: &str) -> Self {
        let mut wire = Self::open(server).await;
        let auth = serde_json::json!({ "token": token });
        wire.send(&[&format!("40/chat,{auth}")]).await;
        assert!(wire.until("\"connected\"").await.len() > 1, "not connected");
        wire
    }

    /// The bytes of text frames.
    pub(super) fn frames<T: AsRef<str>>(texts: &[T]) -> Vec<u8> {
        let mut bytes = BytesMut::new();
        for text in texts {
            put_frame(&mut bytes, Opcode::Text, &[text.as_ref().as_bytes()], Some(MASK));
        }
        bytes.to_vec()
    }

    /// Sends text frames in one segment.
    pub(super) async fn send(&mut self, texts: &[&str]) {
        self.writer.write_all(&Self::frames(texts)).await.unwrap();
    }

    /// Sends a text frame whose bytes are no text.
    pub(super) async fn send_bytes(&mut self, payload: &[u8]) {
        let mut bytes = BytesMut::new();
        put_frame(&mut bytes, Opcode::Text, &[payload], Some(MASK));
        self.writer.write_all(&bytes).await.unwrap();
    }

    /// See [`Reader::until`].
    pub(super) async fn until(&mut self, words: &str) -> Vec<String> {
        self.reader.until(words).await
    }
}

impl Reader {
    /// The next message; `None` when the server has closed, in whatever way.
    async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.decoder.decode(&mut self.input).unwrap() {
                return Some(message);
            }
            let read = timeout(self.patience, self.stream.read_buf(&mut self.input)).await;
            match read.expect("nothing came") {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// All texts up to the one that holds these words; those before the end when it never comes.
    pub(super) async fn until(&mut self, words: &str) -> Vec<String> {
        let mut texts = Vec::new();
        while let Some(message) = self.next().await {
            match message {
                Message::Text(text) => texts.push(String::from_utf8(text.to_vec()).unwrap()),
                Message::Close(frame) => {
                    texts.push(format!("closed with {:?}", frame.map(|frame| frame.code)));
                    break;
                }
                _ => continue,
            }
            if texts.last().is_some_and(|text| text.contains(words)) {
                break;
            }
        }
        texts
    }
}
