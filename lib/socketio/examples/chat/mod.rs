//! A bare chat without accounts and without storage: whoever connects to `/chat` may join any
//! room, and what one says there is sent to all in it. For load drivers: it costs a server
//! nothing but Socket.IO.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use tokio::net::{TcpListener, TcpStream};
use trialogue_socketio::Outgoing;
use trialogue_socketio::server::{
    ConnectRequest, Event, Events, Handler, Namespace, Refusal, Server, ServerConfig, Socket,
};

/// How long a client may take to send the head of a request: from the first of thousands of half ones
/// to the end of the last, opening them included, 12 s should pass at the most.
const HEADER_TIMEOUT: Duration = Duration::from_secs(8);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Room {
    chat_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Say<'a> {
    chat_id: String,
    /// Passed on as it came.
    #[serde(borrow)]
    message: &'a RawValue,
}

#[derive(Serialize)]
struct NewMessage<'a> {
    id: &'a str,
    #[serde(rename = "chatId")]
    chat_id: &'a str,
    sender_type: &'a str,
    sender_id: u64,
    message: &'a RawValue,
    message_type: &'a str,
    created_at: &'a str,
}

/// The handler of `/chat`.
#[derive(Default)]
struct Chat {
    users: AtomicU64,
    messages: AtomicU64,
}

impl Handler for Chat {
    /// The number of the user.
    type Session = u64;

    async fn connect(&self, _: ConnectRequest) -> Result<u64, Refusal> {
        Ok(self.users.fetch_add(1, Ordering::Relaxed) + 1)
    }

    async fn run(&self, socket: Socket, mut events: Events, user: u64) {
        let rooms = &socket.namespace();
        let hello = json!({"message": format!("Connected: userId={user}"), "userId": user});
        if let Ok(hello) = Outgoing::new("connected", &hello) {
            let _closed = socket.emit(&hello);
        }
        while let Some(mut event) = events.recv().await {
            let done = match event.name() {
                "join_chat" => join(rooms, &socket, user, &event),
                "send_message" => self.say(rooms, user, &event),
                _ => None,
            };
            let _closed = event.ack(&json!({"ok": done.is_some()}));
        }
    }
}

fn join(rooms: &Namespace, socket: &Socket, user: u64, event: &Event) -> Option<()> {
    let Room { chat_id } = event.args().get(0).ok()?;
    let room = format!("chat:{chat_id}");
    socket.join(&room);
    let joined = json!({"chatId": chat_id, "message": "Joined the chat"});
    socket.emit(&Outgoing::new("joined_chat", &joined).ok()?).ok()?;
    let joined = Outgoing::new("user_joined", &json!({"userId": user, "chatId": chat_id})).ok()?;
    rooms.emit_except(&room, socket.id(), &joined);
    Some(())
}

impl Chat {
    fn say(&self, rooms: &Namespace, user: u64, event: &Event) -> Option<()> {
        let say: Say<'_> = event.args().get(0).ok()?;
        let number = self.messages.fetch_add(1, Ordering::Relaxed);
        let message = NewMessage {
            id: &format!("00000000-0000-7000-8000-{number:012x}"),
            chat_id: &say.chat_id,
            sender_type: "customer",
            sender_id: user,
            message: say.message,
            message_type: "text",
            created_at: &Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
        };
        let event = Outgoing::new("new_message", &message).ok()?;
        rooms.emit(&format!("chat:{}", say.chat_id), &event);
        Some(())
    }
}

/// For load from one machine: limits on numbers lifted, those on memory in place.
#[allow(dead_code, reason = "one of its users wants the default")]
pub(crate) fn lifted() -> ServerConfig {
    ServerConfig {
        queue_frames_max: 8_192,
        sessions_max: usize::MAX,
        unclaimed_max: usize::MAX,
        unclaimed_per_address_max: usize::MAX,
        ..ServerConfig::default()
    }
}

/// Serves for ever.
pub(crate) async fn serve(listener: TcpListener, config: ServerConfig) {
    let server = Server::builder(config).namespace(&["/chat", "/"], Chat::default()).build();
    loop {
        // A failed accept concerns one connection, or passes with the load.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        tokio::spawn(connection(server.clone(), stream));
    }
}

async fn connection(server: Server, stream: TcpStream) {
    let Ok(peer) = stream.peer_addr() else { return };
    let service = service_fn(|request| {
        let answer = server.serve(request, peer);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let _broken = connection.await;
}
