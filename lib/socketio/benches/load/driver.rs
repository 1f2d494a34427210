//! Clients that cost less than the server: they count frames and read no JSON.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use trialogue_socketio::ws::{Opcode, put_frame};

use crate::Failure;

/// The mask of all frames: a driver has no proxy in between to protect.
const MASK: [u8; 4] = [1, 2, 3, 4];
/// Stands in front of a message's number in its text.
const MARK: &[u8] = b"\"message\":\"m";
/// Digits of the number.
const DIGITS: usize = 9;
/// Bytes of the buffer that all clients read into.
const SHARED_BYTES: usize = 64 << 10;

thread_local! {
    /// Stays in the processor's cache however many clients there are.
    static SHARED: RefCell<Vec<u8>> = RefCell::new(vec![0; SHARED_BYTES]);
}

pub(crate) struct Client {
    stream: TcpStream,
    buffer: BytesMut,
}

/// One client's receiving side while it listens.
pub(crate) struct Listener {
    half: tokio::net::tcp::OwnedReadHalf,
    /// The beginning of a frame whose end has not come.
    partial: Vec<u8>,
}

/// One client's sending side while it listens.
pub(crate) struct Speaker(tokio::net::tcp::OwnedWriteHalf);

/// A frame of the server, if one is complete: the bytes of its header and of its payload.
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let (header, length) = match *bytes.get(1)? {
        126 => (4, usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))),
        length => (2, usize::from(length)),
    };
    (bytes.len() >= header + length).then_some((header, length))
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

    async fn read(&mut self) -> io::Result<()> {
        self.buffer.reserve(1 << 10);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    async fn wait_for(&mut self, start: &[u8]) -> Result<(), Failure> {
        loop {
            while let Some((header, length)) = frame(&self.buffer) {
                self.buffer.advance(header);
                let payload = self.buffer.split_to(length);
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

    /// Takes the client apart.
    pub(crate) fn into_parts(self) -> (Listener, Speaker) {
        let (half, write) = self.stream.into_split();
        (Listener { half, partial: self.buffer.to_vec() }, Speaker(write))
    }
}

impl Listener {
    /// Reads for ever; tells `got` the number of each message as it comes, and when that was.
    pub(crate) async fn listen(
        mut self,
        speaker: &Speaker,
        mut got: impl FnMut(usize, Instant),
    ) -> Result<(), Failure> {
        let listen = |context: &mut Context<'_>| {
            SHARED.with_borrow_mut(|shared| self.poll(context, shared, speaker, &mut got))
        };
        poll_fn(listen).await
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
        shared: &mut [u8],
        speaker: &Speaker,
        got: &mut impl FnMut(usize, Instant),
    ) -> Poll<Result<(), Failure>> {
        loop {
            let begun = self.partial.len();
            shared[..begun].copy_from_slice(&self.partial);
            let mut buffer = ReadBuf::new(&mut shared[begun..]);
            std::task::ready!(Pin::new(&mut self.half).poll_read(context, &mut buffer))?;
            let (now, read) = (Instant::now(), buffer.filled().len());
            if read == 0 {
                return Poll::Ready(Err("the server has closed a connection".into()));
            }
            let mut bytes = &shared[..begun + read];
            while let Some((header, length)) = frame(bytes) {
                let payload = &bytes[header..header + length];
                if *payload == *b"2" {
                    speaker.0.try_write(b"\x81\x81\0\0\0\x003")?;
                } else if let Some(at) = memchr::memmem::find(payload, MARK) {
                    let digits = payload.get(at + MARK.len()..at + MARK.len() + DIGITS);
                    let digits = std::str::from_utf8(digits.unwrap_or_default())?;
                    got(digits.parse()?, now);
                }
                bytes = &bytes[header + length..];
            }
            self.partial.clear();
            self.partial.extend_from_slice(bytes);
        }
    }
}

impl Speaker {
    /// Sends message `number` with 100 bytes of text, without waiting.
    pub(crate) fn say(&self, room: &str, number: usize) -> Result<(), Failure> {
        let text = format!(
            "42/chat,[\"send_message\",{{\"chatId\":\"{room}\",\"message\":\"m{number:0DIGITS$}{:x<90}\"}}]",
            ""
        );
        let mut out = BytesMut::new();
        put_frame(&mut out, Opcode::Text, &[text.as_bytes()], Some(MASK));
        match self.0.try_write(&out) {
            Ok(written) if written == out.len() => Ok(()),
            other => Err(format!("the server does not read: {other:?}").into()),
        }
    }
}
