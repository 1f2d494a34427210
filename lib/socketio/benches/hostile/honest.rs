//! A client that does nothing wrong: it opens a websocket, connects to `/chat` and leaves.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use trialogue_socketio::ws::{Decoder, Limits, Message, Opcode, Role, put_frame};

use crate::Failure;
use crate::target::Target;

/// The mask of all frames: nobody is in between.
const MASK: [u8; 4] = [1, 2, 3, 4];
/// From one visit to the next.
const PAUSE: Duration = Duration::from_millis(20);
/// A visit that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// The request that opens a websocket.
pub(crate) const UPGRADE: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n\
    Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// These texts as frames of a client.
pub(crate) fn frames(texts: &[&str]) -> BytesMut {
    let mut out = BytesMut::new();
    for text in texts {
        put_frame(&mut out, Opcode::Text, &[text.as_bytes()], Some(MASK));
    }
    out
}

/// A websocket that is being read.
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    input: BytesMut,
    decoder: Decoder,
}

impl Wire {
    pub(crate) const fn new(stream: TcpStream, input: BytesMut) -> Self {
        let limits = Limits { message_bytes_max: 1 << 20, fragments_max: 1 };
        Self { stream, input, decoder: Decoder::new(Role::Client, limits) }
    }

    /// Reads the head of the answer, which must be 101.
    pub(crate) async fn upgraded(mut self) -> Result<Self, Failure> {
        loop {
            if let Some(end) = memchr::memmem::find(&self.input, b"\r\n\r\n") {
                if !self.input.starts_with(b"HTTP/1.1 101") {
                    let head = String::from_utf8_lossy(&self.input[..end]);
                    return Err(head.lines().next().unwrap_or_default().into());
                }
                self.input.advance(end + 4);
                return Ok(self);
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err("closed before an answer".into());
            }
        }
    }

    /// The next text that begins in one of these ways.
    pub(crate) async fn text(&mut self, starts: &[&str]) -> Result<String, Failure> {
        loop {
            match self.decoder.decode(&mut self.input)? {
                Some(Message::Text(text)) => {
                    let text = String::from_utf8_lossy(&text).into_owned();
                    if starts.iter().any(|start| text.starts_with(start)) {
                        return Ok(text);
                    }
                }
                Some(Message::Close(close)) => return Err(format!("closed: {close:?}").into()),
                Some(_) => {}
                None if self.stream.read_buf(&mut self.input).await? == 0 => {
                    return Err("closed".into());
                }
                None => {}
            }
        }
    }
}

/// One visit. A server that wants a token answers 44, and has answered.
async fn visit(target: &Target, from: Ipv4Addr) -> Result<(), Failure> {
    let mut stream = target.connect(from).await?;
    stream.write_all(UPGRADE.as_bytes()).await?;
    let mut wire = Wire::new(stream, BytesMut::new()).upgraded().await?;
    wire.text(&["0{"]).await?;
    wire.stream.write_all(&frames(&["40/chat,"])).await?;
    wire.text(&["40/chat,", "44/chat,"]).await?;
    Ok(())
}

/// How its visits went.
#[derive(Default)]
pub(crate) struct Visits {
    took: Vec<Duration>,
    /// Why some were in vain: the first reason, and how many.
    failed: Option<(String, usize)>,
}

impl Visits {
    fn note(&mut self, begun: Instant, done: Result<(), Failure>) {
        match (done, &mut self.failed) {
            (Ok(()), _) => self.took.push(begun.elapsed()),
            (Err(_), Some((_, count))) => *count += 1,
            (Err(error), none) => *none = Some((error.to_string(), 1)),
        }
    }
}

impl std::fmt::Display for Visits {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut took = self.took.clone();
        took.sort_unstable();
        let quantile = |per_cent: usize| {
            let at = (took.len() * per_cent / 100).min(took.len().saturating_sub(1));
            took.get(at).copied().unwrap_or_default().as_secs_f64() * 1_000.0
        };
        let (median, late, last) = (quantile(50), quantile(99), quantile(100));
        write!(
            formatter,
            "honest client: {} visits, p50 {median:.1} ms, p99 {late:.1} ms, at most {last:.1} ms",
            took.len()
        )?;
        match &self.failed {
            Some((why, count)) => write!(formatter, "; {count} in vain, first: {why}"),
            None => Ok(()),
        }
    }
}

/// Visits that go on until they are asked for.
pub(crate) struct Visiting {
    stop: Arc<Notify>,
    task: tokio::task::JoinHandle<Visits>,
}

impl Visiting {
    /// Begins to visit from that address.
    pub(crate) fn begin(target: &Target, from: Ipv4Addr) -> Self {
        let stop = Arc::new(Notify::new());
        let target = target.seen();
        let task = tokio::spawn({
            let stop = Arc::clone(&stop);
            async move {
                let mut visits = Visits::default();
                loop {
                    let begun = Instant::now();
                    let done = timeout(PATIENCE, visit(&target, from)).await;
                    visits.note(begun, done.unwrap_or_else(|_| Err("no answer in time".into())));
                    tokio::select! {
                        () = stop.notified() => return visits,
                        () = sleep(PAUSE) => {}
                    }
                }
            }
        });
        Self { stop, task }
    }

    pub(crate) async fn end(self) -> Result<Visits, Failure> {
        self.stop.notify_one();
        Ok(self.task.await?)
    }

    /// Visits for so long and no longer.
    pub(crate) async fn for_a_while(
        target: &Target,
        from: Ipv4Addr,
        time: Duration,
    ) -> Result<Visits, Failure> {
        let visiting = Self::begin(target, from);
        sleep(time).await;
        visiting.end().await
    }
}
