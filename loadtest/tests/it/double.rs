//! A chat server on our engine that does what is wrong on purpose.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use trialogue_client::{Dialect, Http, HttpConfig};
use trialogue_loadtest::RunConfig;
use trialogue_loadtest::cast::Room;
use trialogue_loadtest::target::Target;
use trialogue_socketio::Outgoing;
use trialogue_socketio::server::{
    ConnectRequest, Event, Events, Handler, Namespace, Refusal, Server, ServerConfig, Socket,
};
use uuid::Uuid;

/// Every so manieth message meets the quirk.
pub(crate) const EVERY: u64 = 20;
/// How long a stalling server stalls, and how often.
pub(crate) const STALL: Duration = Duration::from_millis(100);
const STALL_EVERY: Duration = Duration::from_secs(1);

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quirk {
    Nothing,
    /// One member does not get it.
    Lose,
    /// Nobody gets it, although it is acknowledged.
    LoseForAll,
    /// Everybody gets it twice.
    Double,
    /// Two messages change places.
    Swap,
    /// Another room gets it, too.
    Leak,
    /// Its text is another one.
    Change,
    /// It is refused, and broadcast all the same.
    RefuseAndSend,
    /// It is refused for its rate.
    Limit,
    /// Everything waits 100 ms every second.
    Stall,
    /// Its sender is cut off instead.
    Cut,
}

pub(crate) struct Double {
    quirk: Quirk,
    begun: Instant,
    messages: AtomicU64,
    users: AtomicU64,
    /// By room: how far it is, and what waits for its place.
    rooms: Mutex<HashMap<String, (u64, Vec<Outgoing>)>>,
    /// Rooms that were joined.
    joined: Mutex<BTreeSet<String>>,
}

impl Handler for Double {
    type Session = u64;

    async fn connect(&self, _: ConnectRequest) -> Result<u64, Refusal> {
        Ok(self.users.fetch_add(1, Ordering::Relaxed) + 1)
    }

    async fn run(&self, socket: Socket, mut events: Events, user: u64) {
        let hello = Outgoing::new("connected", &json!({"userId": user})).unwrap();
        let _closed = socket.emit(&hello);
        while let Some(mut event) = events.recv().await {
            let body: Value = event.args().get(0).unwrap_or_default();
            let chat = body["chatId"].as_str().unwrap_or_default().to_owned();
            match event.name() {
                "join_chat" => {
                    socket.join(&chat);
                    self.joined.lock().unwrap().insert(chat.clone());
                    let joined = Outgoing::new("joined_chat", &json!({"chatId": chat})).unwrap();
                    let _closed = socket.emit(&joined);
                }
                "send_message" => {
                    if self.quirk == Quirk::Stall {
                        self.stall().await;
                    }
                    let rooms = socket.namespace();
                    self.say(&rooms, &socket, &chat, &body["message"], &mut event);
                }
                _ => {}
            }
        }
    }
}

impl Double {
    async fn stall(&self) {
        let into = self.begun.elapsed().as_micros() % STALL_EVERY.as_micros();
        let left = STALL.as_micros().saturating_sub(into);
        tokio::time::sleep(Duration::from_micros(left as u64)).await;
    }

    fn say(&self, rooms: &Namespace, socket: &Socket, chat: &str, text: &Value, event: &mut Event) {
        let number = self.messages.fetch_add(1, Ordering::Relaxed) + 1;
        let is_met = number.is_multiple_of(EVERY);
        let quirk = if is_met { self.quirk } else { Quirk::Nothing };
        let refusal = |code: &str| json!({"ok": false, "error": {"code": code, "message": "no"}});
        let answer = match quirk {
            Quirk::RefuseAndSend => refusal("denied"),
            Quirk::Limit => refusal("rate_limited"),
            _ => json!({"ok": true, "status": "stored"}),
        };
        let mut known = self.rooms.lock().unwrap();
        let (seq, held) = known.entry(chat.to_owned()).or_default();
        *seq += 1;
        let mut text = text.as_str().unwrap_or_default().to_owned();
        if quirk == Quirk::Change {
            text.push('y');
        }
        let body = json!({"id": number, "chatId": chat, "seq": *seq, "message": text});
        let message = Outgoing::new("new_message", &body).unwrap();
        let _closed = event.ack(&answer);
        let emit = |room: &str, message: &Outgoing| {
            rooms.emit(room, message);
        };
        match quirk {
            Quirk::Lose => {
                rooms.emit_except(chat, socket.id(), &message);
                return;
            }
            Quirk::Swap => return held.push(message),
            Quirk::Limit | Quirk::LoseForAll => return,
            Quirk::Cut => return socket.disconnect(),
            Quirk::Double => emit(chat, &message),
            Quirk::Leak => {
                let joined = self.joined.lock().unwrap();
                joined.iter().find(|room| *room != chat).iter().for_each(|r| emit(r, &message));
            }
            _ => {}
        }
        emit(chat, &message);
        held.drain(..).for_each(|message| emit(chat, &message));
    }
}

/// A server at a port of its own, for as long as the test's runtime lives.
pub(crate) async fn start(quirk: Quirk) -> RunConfig {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let double = Double {
        quirk,
        begun: Instant::now(),
        messages: AtomicU64::new(0),
        users: AtomicU64::new(0),
        rooms: Mutex::default(),
        joined: Mutex::default(),
    };
    let server = Server::builder(lifted()).namespace(&["/chat"], double).build();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(server.clone(), stream));
        }
    });
    let url = format!("http://{address}").parse().unwrap();
    let http = Http::new(HttpConfig::new(url)).unwrap();
    RunConfig::new(Target::new(http, Dialect::Trialogue), "test")
}

fn lifted() -> ServerConfig {
    ServerConfig {
        queue_frames_max: 8_192,
        sessions_max: usize::MAX,
        unclaimed_max: usize::MAX,
        unclaimed_per_address_max: usize::MAX,
        ..ServerConfig::default()
    }
}

async fn connection(server: Server, stream: TcpStream) {
    let Ok(peer) = stream.peer_addr() else { return };
    let service = service_fn(|request| {
        let answer = server.serve(request, peer);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let connection =
        http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
    let _broken = connection.await;
}

/// Rooms that nobody has to make.
pub(crate) fn rooms(count: u32) -> Vec<Room> {
    let room = |_| Room { chat: Uuid::new_v4().to_string(), tokens: vec!["t".into()] };
    (0..count).map(room).collect()
}
