//! The session on a server that acknowledges nothing and says no by an event without a reference.

use std::collections::BTreeMap;
use std::convert::Infallible;
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
use trialogue_client::{
    Begin, Credentials, Dialect, Http, HttpConfig, LinkState, Outcome, Rest, SessionConfig, Update,
};
use trialogue_protocol::TokenPair;
use trialogue_socketio::Outgoing;
use trialogue_socketio::server::{
    ConnectRequest, Events, Handler, Refusal, Server, ServerConfig, Socket,
};
use uuid::Uuid;

use crate::cast::{Client, quick};
use crate::stage::{ME, chat};

mod left;
mod routes;

#[derive(Default)]
struct Play {
    rows: Vec<Value>,
    /// Tokens as they were presented.
    presented: Vec<String>,
    /// Messages that arrived.
    arrived: u32,
    /// Of those to come, so many vanish.
    vanish: u32,
    /// So many are stored and called a failure.
    call_failed: u32,
    /// So many looks at the history see nothing.
    hide_history: u32,
    /// Looks at the history.
    histories: u32,
    /// Stored so long after they arrived.
    slow: Duration,
    notices: Vec<Value>,
    /// What else is answered, by path and query.
    routes: BTreeMap<String, (u16, Value)>,
    /// Bodies of registrations.
    registered: Vec<Value>,
    /// Looks at the notices.
    looks: u32,
}

#[derive(Clone, Default)]
struct Backend {
    play: Arc<Mutex<Play>>,
}

impl Backend {
    fn play(&self) -> MutexGuard<'_, Play> {
        self.play.lock().unwrap()
    }

    /// Messages that arrived, and rows.
    fn counts(&self) -> (u32, usize) {
        let play = self.play();
        (play.arrived, play.rows.len())
    }

    /// Waits until it is so: what the backend sees tells nobody.
    async fn until(&self, so: impl Fn(&Play) -> bool) {
        let look = async {
            while !so(&self.play()) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), look).await.unwrap();
    }

    fn rest(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let mut play = self.play();
        if let Some((status, answer)) = play.routes.get(path).cloned() {
            return (status.try_into().unwrap(), answer);
        }
        let path = path.split('?').next().unwrap();
        let history = format!("/chat/{}/messages", chat());
        match path {
            "/auth/refresh" => {
                (StatusCode::OK, json!({"accessToken": "good", "refreshToken": "refresh"}))
            }
            "/health" => (StatusCode::OK, json!({"status": "ok"})),
            "/auth/register" => {
                play.registered.push(body);
                let user = json!({"id": ME, "firstName": "A", "lastName": "B", "role": "customer"});
                let tokens = json!({"user": user, "accessToken": "good", "refreshToken": "r"});
                (StatusCode::CREATED, tokens)
            }
            "/notifications" => {
                play.looks += 1;
                (StatusCode::OK, json!({"notifications": play.notices, "unreadCount": 1}))
            }
            path if path == history && play.hide_history > 0 => {
                play.histories += 1;
                play.hide_history -= 1;
                (StatusCode::OK, json!({"chatId": chat(), "messages": []}))
            }
            path if path == history => {
                play.histories += 1;
                (StatusCode::OK, json!({"chatId": chat(), "messages": play.rows}))
            }
            _ => (StatusCode::NOT_FOUND, json!({"statusCode": 404, "message": "no"})),
        }
    }

    fn store(&self, sender: i64, text: &Value) {
        let row = json!({"id": Uuid::now_v7(), "chatId": chat(), "sender_type": "customer",
            "sender_id": sender, "sender_name": "N", "message": text, "message_type": "text",
            "created_at": chrono::Utc::now().to_rfc3339()});
        self.play().rows.push(row);
    }

    fn hear(&self, socket: &Socket, name: &str, body: &Value) {
        let say = |event: &str, body: Value| {
            let _ = socket.emit(&Outgoing::new(event, &body).unwrap());
        };
        match name {
            "join_chat" if body["chatId"] == json!(chat()) => {
                say("joined_chat", json!({"chatId": body["chatId"], "message": "in"}));
            }
            "join_chat" => say("error", json!({"message": "Access denied to this chat"})),
            "send_message" => {
                self.play().arrived += 1;
                if self.play().vanish > 0 {
                    self.play().vanish -= 1;
                    return;
                }
                let slow = self.play().slow;
                if !slow.is_zero() {
                    let (backend, text) = (self.clone(), body["message"].clone());
                    // On, whatever becomes of the connection.
                    drop(tokio::spawn(async move {
                        tokio::time::sleep(slow).await;
                        backend.store(ME, &text);
                    }));
                    return;
                }
                self.store(ME, &body["message"]);
                if self.play().call_failed > 0 {
                    self.play().call_failed -= 1;
                    say("error", json!({"message": "Failed to send message"}));
                }
            }
            _ => {}
        }
    }

    async fn open(&self) -> (String, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Server::builder(ServerConfig::default());
        let server = server.namespace(&["/chat"], self.clone()).build();
        let backend = self.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, peer) = listener.accept().await.unwrap();
                let (server, backend) = (server.clone(), backend.clone());
                connections.spawn(async move {
                    let serve = service_fn(move |request: Request<Incoming>| {
                        let (server, backend) = (server.clone(), backend.clone());
                        async move {
                            let path = request.uri().path_and_query().unwrap().to_string();
                            if server.handles(request.uri().path()) {
                                let response = server.serve(request, peer).await;
                                return Ok::<_, Infallible>(response.map(Either::Left));
                            }
                            let body = request.into_body().collect().await.unwrap().to_bytes();
                            let body = serde_json::from_slice(&body).unwrap_or_default();
                            let (status, body) = backend.rest(&path, body);
                            let body = Full::<bytes::Bytes>::from(body.to_string());
                            let response = Response::builder().status(status);
                            Ok(response.body(Either::Right(body)).unwrap())
                        }
                    });
                    let http = hyper::server::conn::http1::Builder::new();
                    let stream = TokioIo::new(stream);
                    drop(http.serve_connection(stream, serve).with_upgrades().await);
                });
            }
        });
        (url, tasks)
    }
}

impl Handler for Backend {
    type Session = String;

    async fn connect(&self, request: ConnectRequest) -> Result<String, Refusal> {
        let auth = request.auth.map(|auth| serde_json::from_str::<Value>(auth.get()).unwrap());
        let token = auth.and_then(|auth| Some(auth.get("token")?.as_str()?.to_owned()));
        Ok(token.unwrap_or_default())
    }

    async fn run(&self, socket: Socket, mut events: Events, token: String) {
        self.play().presented.push(token.clone());
        if token != "good" {
            let body = json!({"message": "Authentication failed"});
            let _ = socket.emit(&Outgoing::new("error", &body).unwrap());
            socket.disconnect();
            return;
        }
        let body = json!({"message": "hi", "userId": ME});
        let _ = socket.emit(&Outgoing::new("connected", &body).unwrap());
        while let Some(event) = events.recv().await {
            let body: Value = event.args().get(0).unwrap_or_default();
            let name = event.name().to_owned();
            self.hear(&socket, &name, &body);
        }
    }
}

fn settings(url: &str, token: &str) -> SessionConfig {
    let http = Http::new(HttpConfig::new(url.parse().unwrap())).unwrap();
    let tokens = TokenPair { access_token: token.to_owned(), refresh_token: "refresh".to_owned() };
    let credentials = Credentials::in_memory(Some(tokens));
    let mut config = quick(Rest::new(http, Dialect::Stm, credentials));
    config.outbox.ack_timeout = Duration::from_secs(60);
    config.look_for = Duration::from_millis(500);
    config
}

async fn in_chat(url: &str) -> Client {
    let mut client = Client::start(settings(url, "good"));
    client.enter(Begin::Newest(50)).await;
    client
}

#[tokio::test]
async fn connect_then_error_then_disconnect_means_a_fresh_token() {
    let backend = Backend::default();
    let (url, _tasks) = backend.open().await;
    let mut client = Client::start(settings(&url, "old"));
    client.until_link(|state| *state == LinkState::Connected).await;
    assert_eq!(backend.play().presented, ["old", "good"]);
}

#[tokio::test]
async fn a_message_that_vanished_leaves_again_and_one_that_is_only_called_failed_does_not() {
    let backend = Backend::default();
    let (url, _tasks) = backend.open().await;
    let mut client = in_chat(&url).await;
    backend.play().call_failed = 1;
    let failed = client.handle.send(chat(), "called failed").await.unwrap();
    assert!(matches!(client.end_of(&failed).await, Outcome::Stored { .. }));
    assert_eq!(backend.play().arrived, 1);
    // The same text once more is another message.
    let again = client.handle.send(chat(), "called failed").await.unwrap();
    assert!(matches!(client.end_of(&again).await, Outcome::Stored { .. }));
    assert_eq!(backend.counts(), (2, 2));
    // One that never arrived is looked for, missed, and leaves again.
    backend.play().vanish = 1;
    let vanished = client.handle.send(chat(), "vanished").await.unwrap();
    backend.until(|play| play.arrived == 3).await;
    assert!(matches!(client.end_of(&vanished).await, Outcome::Stored { .. }));
    assert_eq!(backend.counts(), (4, 3));
    assert_eq!(client.texts(3).await, ["called failed", "called failed", "vanished"]);
}

#[tokio::test]
async fn a_refused_join_is_told_and_the_next_request_is_not_blamed() {
    let backend = Backend::default();
    let (url, _tasks) = backend.open().await;
    let mut client = in_chat(&url).await;
    let other = trialogue_protocol::ChatId(Uuid::from_u128(9));
    client.handle.join(other, Begin::Now).await.unwrap();
    let failed = client.until(|u| matches!(u, Update::JoinFailed { .. })).await;
    assert!(matches!(failed, Update::JoinFailed { chat, .. } if chat == other));
    let id = client.handle.send(chat(), "fine").await.unwrap();
    assert!(matches!(client.end_of(&id).await, Outcome::Stored { .. }));
}

#[tokio::test]
async fn notices_that_nobody_pushes_are_polled_and_each_is_told_once() {
    let backend = Backend::default();
    let (url, _tasks) = backend.open().await;
    let notice = |n: u128| {
        json!({"id": Uuid::from_u128(n), "recipient_id": ME, "type": "system",
            "title": format!("notice {n}"), "message": "m", "is_read": false,
            "created_at": "2026-01-01T00:00:00.000Z"})
    };
    backend.play().notices = vec![notice(1)];
    let mut config = settings(&url, "good");
    config.notices_every = Duration::from_millis(20);
    let mut client = Client::start(config);
    client.until(|u| matches!(u, Update::Ready(_))).await;
    // What the first look finds is no news.
    backend.until(|play| play.looks >= 2).await;
    for n in [2, 3] {
        backend.play().notices.insert(0, notice(n));
        let told = client.until(|u| matches!(u, Update::Notification { .. })).await;
        let Update::Notification { notification, .. } = told else { unreachable!() };
        assert_eq!(notification.title, format!("notice {n}"));
    }
}
