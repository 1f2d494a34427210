//! A stage: a small chat server that speaks CONTRACT over real sockets and misbehaves on cue.
//!
//! One chat, one signed-in user ([`ME`]); everybody else speaks through [`Stage::say`].

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use trialogue_protocol::{ChatId, Message, MessageId, MessageType, Role, UserId};
use trialogue_socketio::Outgoing;
use trialogue_socketio::server::{
    ConnectRequest, Event, Events, Handler, Refusal, ResponseBody, Server, ServerConfig, Socket,
};
use uuid::Uuid;

/// The user whose client is tested.
pub(crate) const ME: i64 = 1;

/// What the stage is told to do wrong, each so many times.
#[derive(Default)]
pub(crate) struct Cues {
    /// Stored, but not acknowledged.
    pub(crate) eat_acks: u32,
    /// Answers to the next sends, before anything is stored.
    pub(crate) refuse_sends: VecDeque<Value>,
    /// `new_message` events that reach nobody.
    pub(crate) lose_live: u32,
    /// Accept CONNECT and never say `connected`.
    pub(crate) mute: bool,
    /// Refuse refresh tokens.
    pub(crate) refuse_refresh: bool,
}

pub(crate) struct Play {
    pub(crate) cues: Cues,
    pub(crate) epoch: String,
    pub(crate) messages: Vec<Message>,
    /// The one access token that is good.
    pub(crate) token: String,
    pub(crate) refreshes: u32,
    /// Every CONNECT: the token that it carried.
    pub(crate) presented: Vec<String>,
    /// Every event of a client: name and payload.
    pub(crate) heard: Vec<(String, Value)>,
    /// What `connected` says that the user is.
    pub(crate) role: Role,
    /// Disputes that wait for the user's word.
    pub(crate) invitations: Vec<Value>,
    /// What an answer to a join tells.
    pub(crate) members: Value,
}

impl Play {
    fn store(&mut self, sender: i64, text: &str, key: Option<&str>) -> (Message, bool) {
        let known = self
            .messages
            .iter()
            .find(|m| key.is_some() && m.client_message_id.as_ref().map(|k| k.as_str()) == key);
        if let Some(known) = known {
            return (known.clone(), true);
        }
        let message = Message {
            id: MessageId(Uuid::now_v7()),
            chat_id: chat(),
            seq: Some(i64::try_from(self.messages.len()).unwrap() + 1),
            sender_type: Role::Customer,
            sender_id: UserId(sender),
            sender_name: "Somebody".to_owned(),
            message: text.to_owned(),
            message_type: MessageType::Text,
            client_message_id: key.map(|k| k.parse().unwrap()),
            created_at: chrono::DateTime::UNIX_EPOCH.into(),
        };
        self.messages.push(message.clone());
        (message, false)
    }

    /// What follows `after`, at most `most` of it.
    fn page(&self, after: i64, most: usize) -> (Vec<Message>, bool) {
        let rest = || self.messages.iter().filter(|m| m.seq.unwrap() > after);
        (rest().take(most).cloned().collect(), rest().count() > most)
    }

    pub(crate) fn count(&self, event: &str) -> usize {
        self.heard.iter().filter(|(name, _)| name == event).count()
    }
}

pub(crate) fn chat() -> ChatId {
    ChatId(Uuid::from_u128(0xC0FFEE))
}

/// The server; clones share it.
#[derive(Clone)]
struct Actor {
    play: Arc<Mutex<Play>>,
    /// Messages on one page.
    page: usize,
}

pub(crate) struct Stage {
    actor: Actor,
    address: SocketAddr,
    server: Server,
    tasks: JoinSet<()>,
}

impl Stage {
    pub(crate) async fn open() -> Self {
        let play = Play {
            cues: Cues::default(),
            epoch: "e1".to_owned(),
            messages: Vec::new(),
            token: "good".to_owned(),
            refreshes: 0,
            presented: Vec::new(),
            heard: Vec::new(),
            role: Role::Customer,
            invitations: Vec::new(),
            members: json!([]),
        };
        let actor = Actor { play: Arc::new(Mutex::new(play)), page: 2 };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = server_of(&actor);
        let mut stage = Self { actor, address, server, tasks: JoinSet::new() };
        stage.serve(listener);
        stage
    }

    fn serve(&mut self, listener: TcpListener) {
        let (server, actor) = (self.server.clone(), self.actor.clone());
        self.tasks.spawn(async move {
            // Dropped with this task, and every connection with it: a killed process.
            let mut connections = JoinSet::new();
            loop {
                let (stream, peer) = listener.accept().await.unwrap();
                let (server, actor) = (server.clone(), actor.clone());
                connections.spawn(async move {
                    let serve = service_fn(move |request| {
                        answer(server.clone(), actor.clone(), request, peer)
                    });
                    let http = hyper::server::conn::http1::Builder::new();
                    let _ =
                        http.serve_connection(TokioIo::new(stream), serve).with_upgrades().await;
                });
            }
        });
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn play(&self) -> MutexGuard<'_, Play> {
        self.actor.play.lock().unwrap()
    }

    /// Somebody else says something.
    pub(crate) fn say(&self, text: &str) {
        let mut play = self.play();
        let (message, _) = play.store(2, text, None);
        broadcast(&mut play, &self.server, &message);
    }

    pub(crate) fn emit(&self, event: &str, payload: &Value) {
        let room = self.server.namespace("/chat").unwrap();
        room.emit("all", &Outgoing::new(event, payload).unwrap());
    }

    /// Kills the server: every connection is cut, the port is closed.
    pub(crate) async fn kill(&mut self) {
        self.tasks.shutdown().await;
        self.server.close(Duration::ZERO).await;
    }

    /// Starts it again on the same port, with what it had stored.
    pub(crate) async fn revive(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.server = server_of(&self.actor);
        self.serve(listener);
    }
}

fn server_of(actor: &Actor) -> Server {
    let server = Server::builder(ServerConfig::default());
    server.namespace(&["/chat", "/"], actor.clone()).build()
}

fn broadcast(play: &mut Play, server: &Server, message: &Message) {
    if play.cues.lose_live > 0 {
        play.cues.lose_live -= 1;
        return;
    }
    let room = server.namespace("/chat").unwrap();
    room.emit("chat", &Outgoing::new("new_message", message).unwrap());
}

async fn answer(
    server: Server,
    actor: Actor,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Result<Response<Either<ResponseBody, Full<bytes::Bytes>>>, Infallible> {
    if server.handles(request.uri().path()) {
        return Ok(server.serve(request, peer).await.map(Either::Left));
    }
    let path = request.uri().path().to_owned();
    let bearer = request.headers().get("authorization").cloned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let (status, answer) = actor.rest(&path, bearer.as_ref().and_then(|b| b.to_str().ok()), &body);
    let response = Response::builder().status(status);
    Ok(response.body(Either::Right(Full::from(answer.to_string()))).unwrap())
}

impl Actor {
    fn play(&self) -> MutexGuard<'_, Play> {
        self.play.lock().unwrap()
    }

    fn rest(&self, path: &str, bearer: Option<&str>, body: &Value) -> (StatusCode, Value) {
        let mut play = self.play();
        let refused = || {
            let error = json!({"statusCode": 401, "error": "unauthenticated", "message": "no"});
            (StatusCode::UNAUTHORIZED, error)
        };
        match path {
            "/auth/refresh" => {
                play.refreshes += 1;
                if play.cues.refuse_refresh || body["refreshToken"] != "refresh" {
                    return refused();
                }
                let tokens = json!({"accessToken": play.token, "refreshToken": "refresh"});
                (StatusCode::OK, tokens)
            }
            "/auth/me" if bearer == Some(&format!("Bearer {}", play.token)) => {
                let me = json!({"id": ME, "firstName": "A", "lastName": "B", "role": "customer"});
                (StatusCode::OK, json!({"user": me}))
            }
            "/disputes" => (StatusCode::OK, json!({"disputes": play.invitations, "next": null})),
            "/moved" => (StatusCode::FOUND, Value::Null),
            _ => refused(),
        }
    }

    /// The acknowledgement of an event; `None`: there is none.
    fn act(&self, server_socket: &Socket, name: &str, payload: &Value) -> Option<Value> {
        let mut play = self.play();
        match name {
            "join_chat" => {
                server_socket.join("chat");
                let since = payload["sinceSeq"].as_i64();
                let (messages, more) = play.page(since.unwrap_or(i64::MAX), self.page);
                let last = play.messages.len();
                Some(json!({"ok": true, "chatId": chat(), "members": play.members, "lastSeq": last,
                    "epoch": play.epoch, "messages": messages, "hasMore": more}))
            }
            "fetch_messages" => {
                let (after, before) = (payload["afterSeq"].as_i64(), payload["beforeSeq"].as_i64());
                let after = after
                    .unwrap_or_else(|| before.unwrap_or(1) - 1 - i64::try_from(self.page).unwrap());
                let (messages, more) = play.page(after, self.page);
                Some(json!({"ok": true, "chatId": chat(), "messages": messages,
                    "hasMore": more, "epoch": play.epoch}))
            }
            "send_message" => {
                if let Some(no) = play.cues.refuse_sends.pop_front() {
                    return Some(json!({"ok": false, "error": no}));
                }
                let text = payload["message"].as_str().unwrap();
                let (message, old) = play.store(ME, text, payload["clientMessageId"].as_str());
                if play.cues.eat_acks > 0 {
                    play.cues.eat_acks -= 1;
                    return None;
                }
                let status = if old { "duplicate" } else { "stored" };
                Some(json!({"ok": true, "status": status, "message": message}))
            }
            _ => Some(json!({"ok": true})),
        }
    }
}

impl Handler for Actor {
    type Session = ();

    async fn connect(&self, request: ConnectRequest) -> Result<(), Refusal> {
        let auth: Value =
            request.auth.map_or(Value::Null, |a| serde_json::from_str(a.get()).unwrap());
        let token = auth["token"].as_str().unwrap_or_default().to_owned();
        let mut play = self.play();
        play.presented.push(token.clone());
        if token == play.token {
            return Ok(());
        }
        let data = Some(json!({"code": "token_expired"}));
        Err(Refusal { message: "the token is over".to_owned(), data })
    }

    async fn run(&self, socket: Socket, mut events: Events, (): ()) {
        if !self.play().cues.mute {
            let connected = json!({"message": "Connected: userId=1", "userId": ME,
                "protocol": 1, "role": self.play().role, "epoch": self.play().epoch});
            let _ = socket.emit(&Outgoing::new("connected", &connected).unwrap());
        }
        socket.join("all");
        while let Some(event) = events.recv().await {
            self.hear(&socket, event);
        }
    }
}

impl Actor {
    fn hear(&self, socket: &Socket, mut event: Event) {
        let payload: Value = event.args().get(0).unwrap_or_default();
        let name = event.name().to_owned();
        self.play().heard.push((name.clone(), payload.clone()));
        let before = self.play().messages.len();
        let Some(ack) = self.act(socket, &name, &payload) else { return };
        let _ = event.ack(&ack);
        // Stored, acknowledged, then broadcast; a duplicate is not broadcast again.
        let stored = self.play().messages.get(before).cloned();
        if let Some(message) = stored {
            let lost = {
                let mut play = self.play();
                let lost = play.cues.lose_live > 0;
                play.cues.lose_live = play.cues.lose_live.saturating_sub(1);
                lost
            };
            if !lost {
                let _ = socket.emit(&Outgoing::new("new_message", &message).unwrap());
            }
        }
    }
}
