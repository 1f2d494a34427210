//! A websocket as cases see it: message by message, and byte by byte where it must be.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::wire::{BROKEN_FRAME, lost};
use super::{Outcome, failed};
use crate::client::stream::Stream;
use crate::client::websocket::read_some;
use crate::ws::{self, Decoder, Message, Opcode};

/// Most texts that may come before a pong that is waited for, and their bytes together: a few
/// packets are on their way, not a flood.
const PASSED_MAX: usize = 256;
const PASSED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What came over a websocket.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Text(String),
    Binary(Bytes),
    /// The end, with the code of the close frame if there was one.
    Closed(Option<u16>),
}

/// Our end of a websocket.
pub(super) struct Ws {
    io: Stream,
    frames: Decoder,
    input: BytesMut,
    /// Texts that came before a pong that was waited for.
    passed: VecDeque<Bytes>,
    patience: Duration,
}

impl Ws {
    /// `read` was read behind the answer to the websocket's request.
    pub(super) fn new(io: Stream, frames: Decoder, read: &[u8], patience: Duration) -> Self {
        Self { io, frames, input: read.into(), passed: VecDeque::new(), patience }
    }

    pub(super) async fn send(&mut self, text: &str) -> Outcome {
        self.send_frame(Opcode::Text, text.as_bytes()).await
    }

    pub(super) async fn send_frame(&mut self, opcode: Opcode, payload: &[u8]) -> Outcome {
        let mut frame = BytesMut::new();
        ws::put_frame(&mut frame, opcode, &[payload], Some(rand::random()));
        self.send_bytes(&frame).await
    }

    /// Bytes as they are. A server that has closed already may refuse them, which is not the point
    /// of any case.
    pub(super) async fn send_bytes(&mut self, bytes: &[u8]) -> Outcome {
        match timeout(self.patience, self.io.write_all(bytes)).await {
            Ok(_) => Ok(()),
            Err(_) => {
                failed(format!("{} bytes were not taken in {:?}", bytes.len(), self.patience))
            }
        }
    }

    /// The next message, or the end.
    pub(super) async fn next(&mut self) -> Outcome<Frame> {
        match timeout(self.patience, self.next_ever()).await {
            Ok(frame) => frame,
            Err(_) => failed(format!("nothing came within {:?}", self.patience)),
        }
    }

    async fn next_ever(&mut self) -> Outcome<Frame> {
        if let Some(text) = self.passed.pop_front() {
            return Ok(Frame::Text(String::from_utf8_lossy(&text).into_owned()));
        }
        loop {
            let message = self.frames.decode(&mut self.input);
            match message.map_err(|error| lost(BROKEN_FRAME, error))? {
                Some(Message::Text(text)) => {
                    return Ok(Frame::Text(String::from_utf8_lossy(&text).into_owned()));
                }
                Some(Message::Binary(data)) => return Ok(Frame::Binary(data)),
                Some(Message::Close(close)) => {
                    return Ok(Frame::Closed(close.map(|close| close.code)));
                }
                Some(Message::Ping(data)) => self.send_frame(Opcode::Pong, &data).await?,
                Some(Message::Pong(_)) => {}
                None => match poll_fn(|cx| read_some(&mut self.io, &mut self.input, cx)).await {
                    Ok(0) | Err(_) => return Ok(Frame::Closed(None)),
                    Ok(_) => {}
                },
            }
        }
    }

    /// The next message, which must be text.
    pub(super) async fn text(&mut self) -> Outcome<String> {
        match self.next().await? {
            Frame::Text(text) => Ok(text),
            frame => failed(format!("text was expected, {frame:?} came")),
        }
    }

    /// The next text that is not a ping; pings are answered.
    pub(super) async fn packet(&mut self) -> Outcome<String> {
        let within = self.patience;
        match timeout(within, self.packet_ever()).await {
            Ok(packet) => packet,
            Err(_) => failed(format!("nothing but pings came within {within:?}")),
        }
    }

    async fn packet_ever(&mut self) -> Outcome<String> {
        loop {
            match self.next().await? {
                Frame::Text(text) if text == "2" => self.send("3").await?,
                Frame::Text(text) => return Ok(text),
                frame => return failed(format!("a packet was expected, {frame:?} came")),
            }
        }
    }

    /// Keeps a text for later.
    fn pass(&mut self, text: Bytes) -> Outcome {
        let bytes = self.passed.iter().map(Bytes::len).sum::<usize>() + text.len();
        if self.passed.len() >= PASSED_MAX || bytes > PASSED_BYTES_MAX {
            return failed(format!(
                "more than {PASSED_MAX} texts or {PASSED_BYTES_MAX} bytes came instead of a pong"
            ));
        }
        self.passed.push_back(text);
        Ok(())
    }

    /// A pong with exactly these bytes comes next, besides text.
    pub(super) async fn pong(&mut self, payload: &[u8]) -> Outcome {
        let within = self.patience;
        let pong = async {
            loop {
                let message = self.frames.decode(&mut self.input);
                match message.map_err(|error| lost(BROKEN_FRAME, error))? {
                    Some(Message::Pong(data)) if &data[..] == payload => return Ok(()),
                    Some(Message::Pong(data)) => {
                        return failed(format!("a pong with {data:?} for {payload:?}"));
                    }
                    Some(Message::Close(_)) => return failed("closed instead of a pong"),
                    Some(Message::Text(text)) => self.pass(text)?,
                    Some(Message::Binary(_) | Message::Ping(_)) => {}
                    None => {
                        match poll_fn(|cx| read_some(&mut self.io, &mut self.input, cx)).await {
                            Ok(0) | Err(_) => {
                                return failed("the connection ended instead of a pong");
                            }
                            Ok(_) => {}
                        }
                    }
                }
            }
        };
        timeout(within, pong).await.unwrap_or_else(|_| failed("no pong came"))
    }

    /// The next text but pings must be exactly this.
    pub(super) async fn expect(&mut self, expected: &str) -> Outcome {
        let came = self.packet().await?;
        if came == expected {
            return Ok(());
        }
        failed(format!("{expected:?} was expected, {came:?} came"))
    }

    /// The next message must be exactly these bytes.
    pub(super) async fn expect_binary(&mut self, expected: &[u8]) -> Outcome {
        match self.next().await? {
            Frame::Binary(data) if data == expected => Ok(()),
            frame => failed(format!("the bytes {expected:?} were expected, {frame:?} came")),
        }
    }

    /// Reads until the server has closed; the code of its close frame.
    pub(super) async fn closes(&mut self) -> Outcome<Option<u16>> {
        let within = self.patience;
        let closed = async {
            loop {
                if let Frame::Closed(code) = self.next_ever().await? {
                    return Ok(code);
                }
            }
        };
        match timeout(within, closed).await {
            Ok(code) => code,
            Err(_) => failed(format!("still open after {within:?}")),
        }
    }

    /// Closes, and it may have been expected to have any of these codes.
    pub(super) async fn closes_with(&mut self, codes: &[u16]) -> Outcome {
        match self.closes().await? {
            Some(code) if codes.contains(&code) => Ok(()),
            Some(code) => super::non_strict(format!("closed with {code} instead of {codes:?}")),
            None => super::non_strict(format!("closed without a code instead of {codes:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::ws::{Limits, Role};

    /// What a wait for a pong comes to when these texts come before it.
    async fn after(texts: usize, bytes: usize) -> Outcome<usize> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut theirs, _) = listener.accept().await.unwrap();
        let sent = tokio::spawn(async move {
            let mut frames = BytesMut::new();
            let text = vec![b'x'; bytes];
            for _ in 0..texts {
                ws::put_frame(&mut frames, Opcode::Text, &[&text], None);
            }
            ws::put_frame(&mut frames, Opcode::Pong, &[b"here"], None);
            let _gone = theirs.write_all(&frames).await;
        });
        let frames = Decoder::new(Role::Client, Limits::default());
        let mut ws = Ws::new(Stream::Plain(ours), frames, b"", Duration::from_secs(30));
        let came = ws.pong(b"here").await;
        let passed = ws.passed.len();
        drop(ws);
        sent.await.unwrap();
        came.map(|()| passed)
    }

    #[tokio::test]
    async fn a_flood_before_a_pong_is_cut_off() {
        assert_eq!(after(PASSED_MAX, 1).await, Ok(PASSED_MAX));
        let flood = |came: Outcome<usize>| match came {
            Err(super::super::Stop::Failed(why)) => {
                assert!(why.contains("instead of a pong"), "{why}")
            }
            other => panic!("{other:?}"),
        };
        flood(after(PASSED_MAX + 1, 1).await);
        flood(after(128, PASSED_BYTES_MAX / 128 + 1).await);
    }
}
