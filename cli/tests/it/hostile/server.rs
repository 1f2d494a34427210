//! A server whose every word is a payload.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use trialogue_socketio::Outgoing;
use trialogue_socketio::server::{
    ConnectRequest, Events, Handler, Refusal, ResponseBody, Server as Sockets, ServerConfig, Socket,
};

/// The one chat.
pub(super) const CHAT: &str = "0190f3a2-1b2c-7def-8123-456789abcdef";
/// The last thing that is said in it.
pub(super) const END: &str = "this was the last";
const AT: &str = "2026-03-04T16:00:00.000Z";

/// What it does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Mood {
    /// Answers lists with an item for each payload.
    Lists,
    /// Answers with one thing that has all of them in each of its fields.
    OneThing,
    /// Refuses everything, in the contract's form.
    Refuses,
    /// Refuses everything, in no form that is known.
    RefusesOddly,
    /// Answers with what is not the contract's.
    Garbles,
}

/// Ends with the test's process.
pub(super) struct Server {
    address: SocketAddr,
    payloads: usize,
}

#[derive(Clone)]
struct Actor {
    mood: Mood,
    payloads: Arc<Vec<String>>,
}

impl Server {
    pub(super) fn start(mood: Mood, payloads: Vec<String>) -> Self {
        let count = payloads.len();
        let payloads = match mood {
            Mood::Lists => payloads,
            _ => vec![payloads.join("|")],
        };
        let actor = Actor { mood, payloads: Arc::new(payloads) };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().unwrap();
            runtime.block_on(serve(listener, actor));
        });
        Self { address, payloads: count }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn payloads(&self) -> usize {
        self.payloads
    }
}

async fn serve(listener: std::net::TcpListener, actor: Actor) {
    let listener = TcpListener::from_std(listener).unwrap();
    let sockets = Sockets::builder(ServerConfig::default());
    let sockets = sockets.namespace(&["/chat", "/"], actor.clone()).build();
    while let Ok((stream, peer)) = listener.accept().await {
        let (sockets, actor) = (sockets.clone(), actor.clone());
        tokio::spawn(async move {
            let serve =
                service_fn(move |request| answer(sockets.clone(), actor.clone(), request, peer));
            let http = hyper::server::conn::http1::Builder::new();
            // A client that goes away in the middle is no concern of this test.
            let _ = http.serve_connection(TokioIo::new(stream), serve).with_upgrades().await;
        });
    }
}

async fn answer(
    sockets: Sockets,
    actor: Actor,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Result<Response<Either<ResponseBody, Full<Bytes>>>, Infallible> {
    if sockets.handles(request.uri().path()) {
        return Ok(sockets.serve(request, peer).await.map(Either::Left));
    }
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let _ = request.into_body().collect().await;
    let (status, body) = actor.rest(&path, &query);
    let response = Response::builder().status(status).header("server", "hostile");
    Ok(response.body(Either::Right(Full::from(body))).unwrap())
}

/// A message with this payload in every field that can have one.
fn message(seq: usize, p: &str) -> Value {
    json!({"id": id(seq), "chatId": CHAT, "seq": seq, "sender_type": "customer",
        "sender_id": 2, "sender_name": p, "message": p, "message_type": "text",
        "created_at": AT})
}

fn id(n: usize) -> String {
    format!("0190f3a2-1b2c-7def-8123-{n:012}")
}

fn user(p: &str) -> Value {
    json!({"id": 1, "email": p, "firstName": p, "lastName": p, "role": "customer", "region": p,
        "businessName": p})
}

fn member(n: usize, p: &str) -> Value {
    json!({"userId": n + 2, "role": "customer", "name": p, "joinedAt": AT})
}

fn job(n: usize, p: &str) -> Value {
    json!({"id": n + 1, "chatId": CHAT, "customerId": 1, "providerId": 2, "title": p,
        "description": p, "location": p, "scheduledAt": AT, "budget": 1, "status": "open",
        "createdAt": AT})
}

fn chat(id: &str, p: &str, members: &[Value]) -> Value {
    json!({"id": id, "job": {"id": 1, "title": p, "status": "open"}, "members": members,
        "lastMessage": message(1, p), "unreadCount": 1, "lastSeq": 1, "lsmInvited": false,
        "lsmJoined": false, "lsmJoinedAt": null, "closed": false, "createdAt": AT})
}

fn dispute(n: usize, p: &str, status: &str) -> Value {
    json!({"id": n + 1, "chatId": CHAT, "jobId": 1, "raisedBy": 1, "description": p,
        "status": status, "lsm": {"id": 3, "name": p}, "resolution": p, "createdAt": AT,
        "resolvedAt": null})
}

fn notification(n: usize, p: &str) -> Value {
    json!({"id": id(n), "recipient_id": 1, "type": "job", "title": p, "message": p,
        "chatId": CHAT, "jobId": 1, "is_read": false, "created_at": AT})
}

impl Actor {
    fn each(&self, item: impl Fn(usize, &str) -> Value) -> Vec<Value> {
        self.payloads.iter().enumerate().map(|(n, p)| item(n, p)).collect()
    }

    fn rest(&self, path: &str, query: &str) -> (StatusCode, String) {
        let p = self.payloads[0].as_str();
        match self.mood {
            Mood::Lists | Mood::OneThing => (StatusCode::OK, self.good(path, query).to_string()),
            Mood::Refuses => {
                let body = json!({"statusCode": 409, "error": "conflict", "message": p,
                    "details": {p: p}});
                (StatusCode::CONFLICT, body.to_string())
            }
            Mood::RefusesOddly => match path.len() % 2 {
                0 => (StatusCode::IM_A_TEAPOT, p.to_owned()),
                _ => (StatusCode::FORBIDDEN, json!({"error": p, "message": [p]}).to_string()),
            },
            // What a parser complains about, it quotes.
            Mood::Garbles => {
                let body = json!({"user": {"id": p, "role": p}, "chats": p, "messages": [{"id": p}],
                    "jobId": p, "disputeId": p, "notifications": {p: p}, p: p});
                (StatusCode::OK, body.to_string())
            }
        }
    }

    fn good(&self, path: &str, query: &str) -> Value {
        let p = self.payloads[0].as_str();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match parts.as_slice() {
            ["auth", "register" | "login"] => {
                json!({"user": user(p), "accessToken": "a.b.c", "refreshToken": "r"})
            }
            ["auth", "me"] => json!({"user": user(p)}),
            ["openapi.json"] => json!({"info": {"version": p}}),
            ["providers"] => json!({"next": p, "providers": self.each(|n, p| {
                json!({"id": n + 1, "name": p, "businessName": p, "region": p})
            })}),
            ["jobs", "create"] => json!({"jobId": 1, "chatId": CHAT, "job": job(0, p),
                "chat": chat(CHAT, p, &[member(0, p)])}),
            ["jobs"] => json!({"jobs": self.each(job), "next": null}),
            ["jobs", _] => job(0, p),
            ["chat"] => {
                json!({"chats": self.each(|n, p| chat(&id(n), p, &[member(0, p)])), "next": null})
            }
            ["chat", _, "messages"] => {
                let all = self.each(|n, p| message(n + 1, p));
                // The last page of all of them is empty.
                let is_over = query.contains("afterSeq") && !query.contains("afterSeq=0");
                let messages = if is_over { Vec::new() } else { all };
                json!({"chatId": CHAT, "messages": messages, "hasMore": false, "epoch": p})
            }
            ["chat", _] => chat(CHAT, p, &self.each(member)),
            ["disputes"] if query.contains("joined") => {
                json!({"disputes": self.each(|n, p| dispute(n, p, "joined")), "next": null})
            }
            ["disputes"] if query.contains("status") => {
                // One that always has more to give is bounded elsewhere, and slow.
                let next = (self.mood == Mood::Lists).then_some(p);
                json!({"disputes": self.each(|n, p| dispute(n, p, "pending")), "next": next})
            }
            ["disputes"] => json!({"disputeId": 1, "chatId": CHAT, "lsmInvited": true,
                "lsm": {"id": 3, "name": p}}),
            ["disputes", _, "join"] => json!({"chatId": CHAT}),
            ["disputes", _, "resolve"] => dispute(0, p, "resolved"),
            ["notifications"] => {
                json!({"notifications": self.each(notification), "unreadCount": 1})
            }
            _ => json!({}),
        }
    }

    /// Everything that a server can say by itself, once for each payload.
    fn say_everything(&self, socket: &Socket) {
        let say = |name: &str, payload: &Value| {
            let _ = socket.emit(&Outgoing::new(name, payload).unwrap());
        };
        for (n, p) in self.payloads.iter().enumerate() {
            say(
                "user_joined",
                &json!({"userId": n, "chatId": CHAT, "role": "customer", "name": p}),
            );
            say("notification:created", &json!({"notification": notification(n, p)}));
            say("error", &json!({"code": "denied", "message": p, "event": p}));
            say("chat_updated", &json!({"chat": chat(CHAT, p, &[member(0, p)])}));
            say("user_typing", &json!({"userId": n, "chatId": CHAT, "isTyping": true}));
            say(&format!("event {p}"), &json!({p: p}));
            say("new_message", &message(n + 1, p));
        }
        say("new_message", &message(self.payloads.len() + 1, END));
    }
}

impl Handler for Actor {
    type Session = ();

    async fn connect(&self, _: ConnectRequest) -> Result<(), Refusal> {
        let p = self.payloads[0].clone();
        match self.mood {
            Mood::Lists | Mood::OneThing | Mood::Garbles => Ok(()),
            Mood::Refuses => Err(Refusal { message: p, data: Some(json!({"code": "denied"})) }),
            Mood::RefusesOddly => {
                let data = Some(json!({p.as_str(): p.as_str()}));
                Err(Refusal { message: p, data })
            }
        }
    }

    async fn run(&self, socket: Socket, mut events: Events, (): ()) {
        let p = self.payloads[0].as_str();
        let connected = json!({"message": p, "userId": 1, "protocol": 1, "epoch": p,
            "serverTime": now()});
        let _ = socket.emit(&Outgoing::new("connected", &connected).unwrap());
        while let Some(mut event) = events.recv().await {
            let name = event.name().to_owned();
            let payload: Value = event.args().get(0).unwrap_or_default();
            let reply = match (self.mood, name.as_str()) {
                (Mood::Garbles, _) => json!({"ok": p, p: p}),
                (_, "join_chat") => json!({"ok": true, "chatId": CHAT, "lastSeq": 0, "epoch": p,
                    "members": self.each(member), "messages": [], "hasMore": false}),
                (_, "send_message") => {
                    let mut message = message(1, p);
                    message["clientMessageId"] = payload["clientMessageId"].clone();
                    json!({"ok": true, "status": "stored", "message": message})
                }
                _ => json!({"ok": true, p: p}),
            };
            let _ = event.ack(&reply);
            if name == "join_chat" && self.mood == Mood::Lists {
                self.say_everything(&socket);
            }
        }
    }
}

fn now() -> Value {
    serde_json::to_value(trialogue_protocol::Timestamp::from(chrono::Utc::now())).unwrap()
}
