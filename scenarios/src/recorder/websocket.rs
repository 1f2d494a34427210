//! A WebSocket that passes: bytes as they come, and the messages in them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split};
use trialogue_socketio::engine::EnginePacket;
use trialogue_socketio::ws::{Decoder, Limits, Message, Role};

use super::Shared;
use super::story::Ender;
use super::wire::Way;

/// Bytes that are passed on at once.
const CHUNK_BYTES_MAX: usize = 16 * 1024;
/// Longest message that is read, in bytes: that of the official servers. A longer one passes, but
/// the rest of its connection is not read.
const MESSAGE_BYTES_MAX: usize = 1_000_000;
/// How long the other end has to answer a close.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// One connection.
pub(super) struct Passage {
    pub(super) shared: Arc<Shared>,
    pub(super) line: u64,
    /// It is the session's transport, and not one that is only tried.
    pub(super) is_whole: bool,
}

/// What is read of one way.
struct Tap {
    decoder: Option<Decoder>,
    buffer: BytesMut,
    way: Way,
}

impl Tap {
    fn new(way: Way) -> Self {
        let limits = Limits { message_bytes_max: MESSAGE_BYTES_MAX, ..Limits::default() };
        let role = if way == Way::Up { Role::Server } else { Role::Client };
        Self { decoder: Some(Decoder::new(role, limits)), buffer: BytesMut::new(), way }
    }
}

impl Passage {
    /// Carries both ways until either end is done.
    pub(super) async fn carry<C, S>(mut self, client: C, server: S)
    where
        C: AsyncRead + AsyncWrite + Unpin,
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut from_client, mut to_client) = split(client);
        let (mut from_server, mut to_server) = split(server);
        let (mut up, mut down) = (Tap::new(Way::Up), Tap::new(Way::Down));
        let (mut one, mut other) = (vec![0; CHUNK_BYTES_MAX], vec![0; CHUNK_BYTES_MAX]);
        let mut ender = None;
        // One loop for both ways: what is noted first is passed on first.
        while ender.is_none() {
            ender = tokio::select! {
                read = from_client.read(&mut one) => {
                    self.pass(read, &one, &mut up, &mut to_server).await
                }
                read = from_server.read(&mut other) => {
                    self.pass(read, &other, &mut down, &mut to_client).await
                }
            };
        }
        // The other end still answers a close; whatever it does, this ends.
        let rest = async {
            if ender == Some(Ender::Client) {
                _ = tokio::io::copy(&mut from_server, &mut to_client).await;
            } else {
                _ = tokio::io::copy(&mut from_client, &mut to_server).await;
            }
        };
        _ = tokio::time::timeout(CLOSE_WITHIN, rest).await;
        _ = (to_client.shutdown().await, to_server.shutdown().await);
    }

    /// Notes what was read, then passes it on; answers who ended the connection, once it is over.
    async fn pass(
        &mut self,
        read: io::Result<usize>,
        bytes: &[u8],
        tap: &mut Tap,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Option<Ender> {
        let (from, beyond) = match tap.way {
            Way::Up => (Ender::Client, Ender::Line),
            Way::Down => (Ender::Line, Ender::Client),
        };
        let Some(bytes) = read.ok().filter(|read| *read > 0).and_then(|read| bytes.get(..read))
        else {
            return Some(self.over(from));
        };
        // Before it is passed on: the server tells others of it at once.
        let ended = self.look(tap, bytes).then(|| self.over(from));
        let passed = async {
            to.write_all(bytes).await?;
            to.flush().await
        }
        .await;
        ended.or_else(|| passed.is_err().then(|| self.over(beyond)))
    }

    /// The connection is over, where it was the session's.
    fn over(&self, ender: Ender) -> Ender {
        if self.is_whole {
            self.shared.note(|story, wires| wires.end(self.line, ender, story));
        }
        ender
    }

    fn look(&mut self, tap: &mut Tap, bytes: &[u8]) -> bool {
        let Some(decoder) = &mut tap.decoder else { return false };
        tap.buffer.extend_from_slice(bytes);
        let (line, way) = (self.line, tap.way);
        loop {
            match decoder.decode(&mut tap.buffer) {
                Ok(Some(Message::Text(text))) => match EnginePacket::decode(&text) {
                    Ok(packet) => {
                        self.is_whole |= packet == EnginePacket::Upgrade && way == Way::Up;
                        self.shared.note(|story, wires| wires.packet(line, way, packet, story));
                    }
                    Err(_) => self.shared.note(|story, wires| wires.blind(line, story)),
                },
                Ok(Some(Message::Binary(bytes))) => {
                    self.shared.note(|story, wires| wires.binary(line, way, bytes, story));
                }
                Ok(Some(Message::Close(_))) => return true,
                Ok(Some(Message::Ping(_) | Message::Pong(_))) => {}
                Ok(None) => return false,
                Err(_) => {
                    self.shared.note(|story, wires| wires.blind(line, story));
                    tap.decoder = None;
                    tap.buffer = BytesMut::new();
                    return false;
                }
            }
        }
    }
}
