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
use tokio::task::AbortHandle;
use trialogue_client::{Dialect, Http, HttpConfig};
use trialogue_loadtest::target::Target;
use trialogue_loadtest::{RunConfig, cast};
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
    /// It is not answered.
    Mute,
    /// It is neither answered nor told to anybody.
    Swallow,
    /// Nobody is ever told to be in a room.
    NoJoined,
    /// One in five is not let in at all.
    RefuseSome,
    /// It says to be of another chat.
    Misfile,
    /// Nothing is read any more once somebody has spoken.
    Deaf,
    /// No message is ever answered.
    MuteForAll,
    /// Every message of a sender takes a tenth of a second.
    Slow,
    /// Who comes back is not told of some of what was said meanwhile.
    LoseInGap,
    /// Who comes back is told of some of it twice.
    DoubleInGap,
    /// Who comes back is told of what it knew, too.
    OldInGap,
    /// Who comes back is told of it live as well: nothing wrong.
    Overlap,
    /// Nobody who went away is let in again.
    ShutOut,
    /// Who has left a room still hears it.
    AfterLeave,
    /// Pages of history miss a message.
    PageHole,
    /// Two messages of a page change places.
    PageSwap,
    /// Pages of history are of another room.
    PageOfOthers,
}

/// What is known of a room.
#[derive(Default)]
struct Room {
    seq: u64,
    /// What waits for its place.
    held: Vec<Outgoing>,
    /// Everything that was said.
    all: Vec<Value>,
}

pub(crate) struct Double {
    quirk: Quirk,
    begun: Instant,
    messages: AtomicU64,
    users: AtomicU64,
    known: Mutex<HashMap<String, Room>>,
    /// Rooms that were joined.
    joined: Mutex<BTreeSet<String>>,
}

impl Handler for Double {
    type Session = u64;

    async fn connect(&self, _: ConnectRequest) -> Result<u64, Refusal> {
        let user = self.users.fetch_add(1, Ordering::Relaxed) + 1;
        match self.quirk == Quirk::RefuseSome && user.is_multiple_of(5) {
            true => Err(Refusal { message: "full".to_owned(), data: None }),
            false => Ok(user),
        }
    }

    async fn run(&self, socket: Socket, mut events: Events, user: u64) {
        let hello = Outgoing::new("connected", &json!({"userId": user})).unwrap();
        let _closed = socket.emit(&hello);
        while let Some(mut event) = events.recv().await {
            let body: Value = event.args().get(0).unwrap_or_default();
            let chat = body["chatId"].as_str().unwrap_or_default().to_owned();
            match event.name() {
                "join_chat" => self.join(&socket, &chat, &body, &mut event),
                "leave_chat" => {
                    if self.quirk != Quirk::AfterLeave {
                        socket.leave(&chat);
                    }
                    let left = Outgoing::new("left_chat", &json!({"chatId": chat})).unwrap();
                    let _closed = socket.emit(&left);
                }
                "fetch_messages" => self.fetch(&chat, &body, &mut event),
                "typing" => {
                    let body = json!({"userId": user, "chatId": chat, "isTyping": true});
                    let typing = Outgoing::new("user_typing", &body).unwrap();
                    socket.namespace().emit_except(&chat, socket.id(), &typing);
                }
                "mark_read" => {
                    let body = json!({"userId": user, "chatId": chat, "seq": body["seq"]});
                    let read = Outgoing::new("messages_read", &body).unwrap();
                    socket.namespace().emit_except(&chat, socket.id(), &read);
                }
                "send_message" => {
                    if self.quirk == Quirk::Stall {
                        self.stall().await;
                    }
                    if self.quirk == Quirk::Deaf {
                        std::future::pending::<()>().await;
                    }
                    if self.quirk == Quirk::Slow {
                        tokio::time::sleep(STALL).await;
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

    fn join(&self, socket: &Socket, chat: &str, body: &Value, event: &mut Event) {
        if self.quirk == Quirk::NoJoined {
            return;
        }
        let since = body["sinceSeq"].as_u64();
        if since.is_some() && self.quirk == Quirk::ShutOut {
            let no = json!({"ok": false, "error": {"code": "unavailable", "message": "no"}});
            let _closed = event.ack(&no);
            return;
        }
        // The room is entered before it is read, under one lock: nothing falls between.
        let known = self.known.lock().unwrap();
        socket.join(chat);
        self.joined.lock().unwrap().insert(chat.to_owned());
        let room = known.get(chat);
        let last = room.map_or(0, |room| room.seq);
        let joined = json!({"chatId": chat, "lastSeq": last});
        let _closed = socket.emit(&Outgoing::new("joined_chat", &joined).unwrap());
        let Some(since) = since else { return };
        let skip = match self.quirk {
            Quirk::OldInGap => since.saturating_sub(1),
            _ => since,
        };
        let missed = room.map_or(&[][..], |room| &room.all[skip as usize..]);
        let mut page = missed.to_vec();
        match self.quirk {
            Quirk::LoseInGap if !page.is_empty() => drop(page.remove(0)),
            Quirk::DoubleInGap => page.extend(missed.first().cloned()),
            Quirk::Overlap => {
                for message in missed {
                    let live = Outgoing::new("new_message", message).unwrap();
                    let _closed = socket.emit(&live);
                }
            }
            _ => {}
        }
        // In two pages, so that the second one has to be asked for.
        let rest = page.split_off(page.len().div_ceil(2));
        let has_more = !rest.is_empty() && self.quirk == Quirk::Nothing;
        if !has_more {
            page.extend(rest);
        }
        let answer = json!({"ok": true, "chatId": chat, "messages": page, "hasMore": has_more});
        let _closed = event.ack(&answer);
    }

    fn fetch(&self, chat: &str, body: &Value, event: &mut Event) {
        let known = self.known.lock().unwrap();
        let other = known.keys().find(|room| *room != chat).map_or(chat, String::as_str);
        let chat = if self.quirk == Quirk::PageOfOthers { other } else { chat };
        let all = known.get(chat).map_or(&[][..], |room| &room.all[..]);
        let limit = body["limit"].as_u64().unwrap() as usize;
        let cut = |seq: u64| (seq as usize).min(all.len());
        let (mut page, has_more) = match (body["afterSeq"].as_u64(), body["beforeSeq"].as_u64()) {
            (Some(after), _) => {
                let rest = &all[cut(after)..];
                (rest[..limit.min(rest.len())].to_vec(), rest.len() > limit)
            }
            (None, Some(before)) => {
                let rest = &all[..cut(before - 1)];
                (rest[rest.len().saturating_sub(limit)..].to_vec(), rest.len() > limit)
            }
            (None, None) => panic!("no end of a page is named"),
        };
        match self.quirk {
            Quirk::PageHole if page.len() > 2 => drop(page.remove(1)),
            Quirk::PageSwap if page.len() > 2 => page.swap(0, 1),
            _ => {}
        }
        let answer = json!({"ok": true, "chatId": chat, "messages": page, "hasMore": has_more});
        let _closed = event.ack(&answer);
    }

    fn say(&self, rooms: &Namespace, socket: &Socket, chat: &str, text: &Value, event: &mut Event) {
        let number = self.messages.fetch_add(1, Ordering::Relaxed) + 1;
        let is_met = number.is_multiple_of(EVERY);
        let quirk = if is_met { self.quirk } else { Quirk::Nothing };
        if quirk == Quirk::Swallow {
            return;
        }
        let refusal = |code: &str| json!({"ok": false, "error": {"code": code, "message": "no"}});
        let answer = match quirk {
            Quirk::RefuseAndSend => refusal("denied"),
            Quirk::Limit => refusal("rate_limited"),
            _ => Value::Null,
        };
        let mut known = self.known.lock().unwrap();
        let Room { seq, held, all } = known.entry(chat.to_owned()).or_default();
        *seq += 1;
        let mut text = text.as_str().unwrap_or_default().to_owned();
        if quirk == Quirk::Change {
            text.push('y');
        }
        let file = if quirk == Quirk::Misfile { "another" } else { chat };
        let body = json!({"id": number, "chatId": file, "seq": *seq, "message": text});
        let message = Outgoing::new("new_message", &body).unwrap();
        let stored = json!({"ok": true, "status": "stored", "message": body});
        all.push(body);
        if quirk != Quirk::Mute && self.quirk != Quirk::MuteForAll {
            let _closed = event.ack(if answer.is_null() { &stored } else { &answer });
        }
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
    start_with(quirk, lifted()).await
}

/// The same with other limits.
pub(crate) async fn start_with(quirk: Quirk, limits: ServerConfig) -> RunConfig {
    serve(quirk, limits).await.0
}

/// The same, until it is aborted: then nobody answers there any more.
pub(crate) async fn start_for_a_while(quirk: Quirk) -> (RunConfig, AbortHandle) {
    serve(quirk, lifted()).await
}

async fn serve(quirk: Quirk, limits: ServerConfig) -> (RunConfig, AbortHandle) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let double = Double {
        quirk,
        begun: Instant::now(),
        messages: AtomicU64::new(0),
        users: AtomicU64::new(0),
        known: Mutex::default(),
        joined: Mutex::default(),
    };
    let server = Server::builder(limits).namespace(&["/chat"], double).build();
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(server.clone(), stream));
        }
    });
    let url = format!("http://{address}").parse().unwrap();
    let http = Http::new(HttpConfig::new(url)).unwrap();
    (RunConfig::new(Target::new(http, Dialect::Trialogue), "test"), serving.abort_handle())
}

pub(crate) fn lifted() -> ServerConfig {
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
pub(crate) fn rooms(count: u32) -> Vec<cast::Room> {
    let room = |_| cast::Room { chat: Uuid::new_v4().to_string(), tokens: vec!["t".into()] };
    (0..count).map(room).collect()
}
