//! As much of Socket.IO as the driver needs, without an engine: the opening, CONNECT, two events.
//! What is sent to the room is as long as what the engine's chat sends.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use trialogue_socketio::ws;

/// Frames that may wait for one socket, as in the engine's chat.
pub(crate) const QUEUE_MAX: usize = 8_192;

pub(crate) const OPEN: &str = concat!(
    r#"0{"sid":"AAAAAAAAAAAAAAAAAAAAAA","upgrades":[],"pingInterval":25000,"#,
    r#""pingTimeout":20000,"maxPayload":65536}"#
);
const CONNECTED: &str = r#"42/chat,["connected",{"message":"Connected: userId=1","userId":1}]"#;
const JOINED: &str = r#"42/chat,["joined_chat",{"chatId":"room","message":"Joined the chat"}]"#;

/// What a client's text asks for.
pub(crate) enum Asked {
    /// Send this back.
    Answer(&'static str),
    /// Join the room, and send this back.
    Join(&'static str),
    /// Send this to the room.
    Say(Bytes),
    Nothing,
}

pub(crate) fn asked(text: &[u8]) -> Asked {
    if text.starts_with(b"40/chat,") {
        Asked::Answer(CONNECTED)
    } else if text.starts_with(b"42/chat,[\"join_chat\"") {
        Asked::Join(JOINED)
    } else if let Some(at) = memchr::memmem::find(text, b"\"message\":") {
        let mut out = BytesMut::with_capacity(512);
        out.extend_from_slice(
            br#"42/chat,["new_message",{"id":"00000000-0000-7000-8000-000000000000","chatId":"room","#,
        );
        out.extend_from_slice(br#""sender_type":"customer","sender_id":1,"message_type":"text","#);
        out.extend_from_slice(br#""created_at":"2026-01-01T00:00:00.000Z","#);
        out.extend_from_slice(&text[at..]);
        Asked::Say(out.freeze())
    } else {
        Asked::Nothing
    }
}

/// The members of the one room, by what waits for them.
pub(crate) struct Room<T> {
    members: Arc<Mutex<Vec<mpsc::Sender<T>>>>,
}

impl<T> Clone for Room<T> {
    fn clone(&self) -> Self {
        Self { members: Arc::clone(&self.members) }
    }
}

impl<T: Clone> Room<T> {
    fn new() -> Self {
        Self { members: Arc::default() }
    }

    pub(crate) fn join(&self, member: mpsc::Sender<T>) {
        self.members.lock().unwrap_or_else(PoisonError::into_inner).push(member);
    }

    /// To everybody; who does not keep up is forgotten.
    pub(crate) fn say(&self, frame: &T) {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.retain(|member| member.try_send(frame.clone()).is_ok());
    }
}

/// Accepts for ever; answers the handshake and hands the stream to `connection`.
pub(crate) async fn serve<T, F>(
    listener: TcpListener,
    connection: impl Fn(TcpStream, Room<T>) -> F + Copy + Send + 'static,
) where
    T: Clone + Send + 'static,
    F: Future<Output = Result<(), Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let room = Room::new();
    loop {
        let Ok((mut stream, _)) = listener.accept().await else { continue };
        let room = room.clone();
        tokio::spawn(async move {
            if handshake(&mut stream).await.is_some() {
                let _ended = connection(stream, room).await;
            }
        });
    }
}

async fn handshake(stream: &mut TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut head = BytesMut::with_capacity(512);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let at = memchr::memmem::find(&head, b"Sec-WebSocket-Key: ")? + 19;
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        ws::accept_key(head.get(at..at + 24)?)
    );
    stream.write_all(answer.as_bytes()).await.ok()
}
