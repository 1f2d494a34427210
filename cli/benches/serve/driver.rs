//! A client that costs less than the server: it looks at the start of each frame and at the number
//! in its text, and reads no JSON.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use trialogue_socketio::ws::{Opcode, put_frame};

use crate::Failure;

/// The mask of all frames: a driver has no proxy in between to protect.
const MASK: [u8; 4] = [1, 2, 3, 4];
const MESSAGE: &[u8] = b"42/chat,[\"new_message\"";
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

/// The receiving side of a client.
pub(crate) struct Listener {
    half: OwnedReadHalf,
    /// The beginning of a frame whose end has not come.
    partial: Vec<u8>,
}

/// The sending side of a client.
pub(crate) struct Speaker(OwnedWriteHalf);

/// A frame of the server, if one is complete: the bytes of its header and of its payload.
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let (header, length) = match *bytes.get(1)? {
        126 => (4, usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))),
        length => (2, usize::from(length)),
    };
    (bytes.len() >= header + length).then_some((header, length))
}

/// Opens a websocket, connects to `/chat` with the token, joins the chat.
pub(crate) async fn join(
    address: &str,
    token: &str,
    chat: &str,
) -> Result<(Listener, Speaker), Failure> {
    let (mut listener, mut speaker) = connect(address, token).await?;
    speaker.send(&format!("42/chat,[\"join_chat\",{{\"chatId\":\"{chat}\"}}]")).await?;
    listener.wait_for(b"42/chat,[\"joined_chat\"").await?;
    Ok((listener, speaker))
}

/// The same for a client that was there before: the numbers of what it has missed.
pub(crate) async fn resume(
    address: &str,
    token: &str,
    chat: &str,
    since: usize,
) -> Result<(Listener, Speaker, Vec<usize>), Failure> {
    let (mut listener, mut speaker) = connect(address, token).await?;
    let body = format!("{{\"chatId\":\"{chat}\",\"sinceSeq\":{since}}}");
    speaker.send(&format!("42/chat,1[\"join_chat\",{body}]")).await?;
    let ack = listener.wait_for(b"43/chat,1[").await?;
    let mut missed = Vec::new();
    for at in memchr::memmem::find_iter(&ack, MARK) {
        let digits = ack.get(at + MARK.len()..at + MARK.len() + DIGITS).unwrap_or_default();
        missed.push(std::str::from_utf8(digits)?.parse()?);
    }
    Ok((listener, speaker, missed))
}

/// Opens a websocket and connects to `/chat` with the token.
async fn connect(address: &str, token: &str) -> Result<(Listener, Speaker), Failure> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (half, write) = stream.into_split();
    let mut listener = Listener { half, partial: Vec::new() };
    let mut speaker = Speaker(write);
    let request = format!(
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {address}\r\n\
         Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    speaker.0.write_all(request.as_bytes()).await?;
    loop {
        if let Some(end) = memchr::memmem::find(&listener.partial, b"\r\n\r\n") {
            listener.partial.drain(..end + 4);
            break;
        }
        listener.fill().await?;
    }
    listener.wait_for(b"0{").await?;
    speaker.send(&format!("40/chat,{{\"token\":\"{token}\"}}")).await?;
    listener.wait_for(b"42/chat,[\"connected\"").await?;
    Ok((listener, speaker))
}

impl Speaker {
    async fn send(&mut self, text: &str) -> Result<(), Failure> {
        let mut out = BytesMut::new();
        put_frame(&mut out, Opcode::Text, &[text.as_bytes()], Some(MASK));
        Ok(self.0.write_all(&out).await?)
    }

    /// Sends message `number` with 100 bytes of text, without waiting.
    pub(crate) fn say(&self, chat: &str, number: usize) -> Result<(), Failure> {
        let text = format!(
            "42/chat,[\"send_message\",{{\"chatId\":\"{chat}\",\"message\":\"m{number:0DIGITS$}{:x<90}\"}}]",
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

impl Listener {
    async fn fill(&mut self) -> Result<(), Failure> {
        match self.half.read_buf(&mut self.partial).await? {
            0 => Err("the server has closed a connection".into()),
            _ => Ok(()),
        }
    }

    /// Reads up to the frame that begins so, and answers that one.
    async fn wait_for(&mut self, start: &[u8]) -> Result<Vec<u8>, Failure> {
        loop {
            while let Some((header, length)) = frame(&self.partial) {
                let found = self.partial[header..].starts_with(start);
                if self.partial[header..].starts_with(b"42/chat,[\"error\"") {
                    let text = &self.partial[header..header + length];
                    return Err(String::from_utf8_lossy(text).into_owned().into());
                }
                let payload = self.partial.drain(..header + length).skip(header).collect();
                if found {
                    return Ok(payload);
                }
            }
            self.fill().await?;
        }
    }

    /// Waits for one message.
    pub(crate) async fn message(&mut self) -> Result<(), Failure> {
        self.wait_for(MESSAGE).await.map(drop)
    }

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
            ready!(Pin::new(&mut self.half).poll_read(context, &mut buffer))?;
            let (now, read) = (Instant::now(), buffer.filled().len());
            if read == 0 {
                return Poll::Ready(Err("the server has closed a connection".into()));
            }
            let mut bytes = &shared[..begun + read];
            while let Some((header, length)) = frame(bytes) {
                let payload = &bytes[header..header + length];
                if *payload == *b"2" {
                    speaker.0.try_write(b"\x81\x81\0\0\0\x003")?;
                } else if payload.starts_with(MESSAGE)
                    && let Some(at) = memchr::memmem::find(payload, MARK)
                {
                    let digits = payload.get(at + MARK.len()..at + MARK.len() + DIGITS);
                    let digits = std::str::from_utf8(digits.unwrap_or_default())?;
                    got(digits.parse()?, now);
                } else if payload.starts_with(b"42/chat,[\"error\"") {
                    let text = String::from_utf8_lossy(payload).into_owned();
                    return Poll::Ready(Err(text.into()));
                }
                bytes = &bytes[header + length..];
            }
            self.partial.clear();
            self.partial.extend_from_slice(bytes);
        }
    }
}
