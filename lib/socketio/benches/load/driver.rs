//! Clients that cost less than the server: they count frames and read no JSON.

use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use trialogue_socketio::ws::{Opcode, put_frame};

use crate::Failure;

/// The mask of all frames: a driver has no proxy in between to protect.
const MASK: [u8; 4] = [1, 2, 3, 4];
/// Stands in front of a message's number in its text.
const MARK: &[u8] = b"\"message\":\"m";
/// Digits of the number.
const DIGITS: usize = 9;

pub(crate) struct Client {
    stream: TcpStream,
    buffer: BytesMut,
}

/// A frame of the server, if one is complete: its payload.
fn frame(buffer: &mut BytesMut) -> Option<BytesMut> {
    let (header, length) = match *buffer.get(1)? {
        126 => (4, usize::from(u16::from_be_bytes([*buffer.get(2)?, *buffer.get(3)?]))),
        length => (2, usize::from(length)),
    };
    if buffer.len() < header + length {
        return None;
    }
    buffer.advance(header);
    Some(buffer.split_to(length))
}

impl Client {
    /// Opens a websocket and connects to `/chat`, up to the event `connected`.
    pub(crate) async fn connect(address: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut client = Self { stream, buffer: BytesMut::new() };
        let request = format!(
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {address}\r\n\
             Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        client.stream.write_all(request.as_bytes()).await?;
        loop {
            if let Some(end) = memchr::memmem::find(&client.buffer, b"\r\n\r\n") {
                client.buffer.advance(end + 4);
                break;
            }
            client.read().await?;
        }
        client.wait_for(b"0{").await?;
        client.send("40/chat,").await?;
        client.wait_for(b"42/chat,[\"connected\"").await?;
        Ok(client)
    }

    pub(crate) async fn join(&mut self, room: &str) -> Result<(), Failure> {
        self.send(&format!("42/chat,[\"join_chat\",{{\"chatId\":\"{room}\"}}]")).await?;
        self.wait_for(b"42/chat,[\"joined_chat\"").await
    }

    pub(crate) async fn send(&mut self, text: &str) -> Result<(), Failure> {
        let mut out = BytesMut::new();
        put_frame(&mut out, Opcode::Text, &[text.as_bytes()], Some(MASK));
        Ok(self.stream.write_all(&out).await?)
    }

    /// Sends message `number` with 100 bytes of text, without waiting.
    pub(crate) fn say(&self, room: &str, number: usize) -> Result<(), Failure> {
        let text = format!(
            "42/chat,[\"send_message\",{{\"chatId\":\"{room}\",\"message\":\"m{number:0DIGITS$}{:x<90}\"}}]",
            ""
        );
        let mut out = BytesMut::new();
        put_frame(&mut out, Opcode::Text, &[text.as_bytes()], Some(MASK));
        match self.stream.try_write(&out) {
            Ok(written) if written == out.len() => Ok(()),
            other => Err(format!("the server does not read: {other:?}").into()),
        }
    }

    async fn read(&mut self) -> io::Result<()> {
        self.buffer.reserve(1 << 10);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    async fn wait_for(&mut self, start: &[u8]) -> Result<(), Failure> {
        loop {
            while let Some(payload) = frame(&mut self.buffer) {
                if payload.starts_with(start) {
                    return Ok(());
                }
                if payload.starts_with(b"2") {
                    self.send("3").await?;
                }
            }
            self.read().await?;
        }
    }

    /// Frees the buffer of a client that will only wait.
    pub(crate) fn rest(&mut self) {
        self.buffer = BytesMut::new();
    }

    /// Reads for ever into a buffer that all clients share in turn; tells `got` the number of each
    /// message as it comes.
    pub(crate) async fn listen(&self, mut got: impl FnMut(usize)) -> Result<(), Failure> {
        let mut buffer = BytesMut::with_capacity(64 << 10);
        buffer.extend_from_slice(&self.buffer);
        loop {
            self.stream.readable().await?;
            buffer.reserve(32 << 10);
            match self.stream.try_read_buf(&mut buffer) {
                Ok(0) => return Err("the server has closed a connection".into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error.into()),
            }
            while let Some(payload) = frame(&mut buffer) {
                if *payload == *b"2" {
                    self.stream.try_write(b"\x81\x81\0\0\0\x003")?;
                } else if let Some(at) = memchr::memmem::find(&payload, MARK) {
                    let digits = payload.get(at + MARK.len()..at + MARK.len() + DIGITS);
                    let digits = std::str::from_utf8(digits.unwrap_or_default())?;
                    got(digits.parse()?);
                }
            }
        }
    }
}
