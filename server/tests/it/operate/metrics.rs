//! What `/metrics` says after something has happened, on an address of its own.

use std::collections::HashMap;

use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use trialogue_server::config::{Config, LimitsProfile, Secret};
use trialogue_server::embedded::Database;
use trialogue_server::{Running, accept};

use crate::database;
use crate::fixture::{Person, SOON};

/// A server that is watched.
struct Watched {
    url: String,
    metrics: String,
    http: reqwest::Client,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
    _database: Database,
}

impl Watched {
    async fn start() -> Self {
        let database = database::migrated().await;
        let config = Config {
            database_url: Some(Secret::new(database.url())),
            database_connections: 4,
            jwt_secret: Some(Secret::new("s".repeat(32))),
            limits: LimitsProfile::Bench,
            open_registration: true,
            unsafe_durability: true,
            metrics_addr: Some(([127, 0, 0, 1], 0).into()),
            ..Config::default()
        };
        let listener = accept::listen(([127, 0, 0, 1], 0).into()).unwrap();
        let running = Running::start(listener, config).await.unwrap();
        let (url, shutdown) = (running.url(), CancellationToken::new());
        let metrics = format!("http://{}", running.metrics_address().unwrap());
        let task = tokio::spawn(running.serve(shutdown.clone()));
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { url, metrics, http, shutdown, task, _database: database }
    }

    async fn register(&self, role: &str) -> Person {
        let email = format!("{}@test.example", uuid::Uuid::new_v4());
        let nobody = Person {
            id: 0,
            email: email.clone(),
            token: String::new(),
            refresh_token: String::new(),
            url: self.url.clone(),
            http: self.http.clone(),
        };
        let body = json!({
            "email": email, "password": "correct horse", "firstName": "Test", "lastName": role,
            "role": role,
        });
        let (status, session) = nobody.post("/auth/register", body).await;
        assert_eq!(status, 201, "{session}");
        nobody.with_session(&session)
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let request = self.http.get(format!("{}{path}", self.metrics));
        let answer = request.timeout(SOON).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Every sample, by name and labels.
    async fn samples(&self) -> HashMap<String, f64> {
        let (status, text) = self.get("/metrics").await;
        assert_eq!(status, 200);
        assert!(text.ends_with("# EOF\n"), "{text}");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| {
                let (name, value) = line.rsplit_once(' ').unwrap();
                (name.strip_prefix("trialogue_").unwrap().to_owned(), value.parse().unwrap())
            })
            .collect()
    }

    /// Waits until a sample has this value: what a task counts, it counts a moment later.
    async fn expect(&self, name: &str, value: f64) {
        let deadline = Instant::now() + SOON;
        loop {
            let samples = self.samples().await;
            let found = *samples.get(name).unwrap_or_else(|| panic!("no {name} in {samples:#?}"));
            if found == value {
                return;
            }
            assert!(Instant::now() < deadline, "{name} is {found}, not {value}");
            sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn traffic_shows_in_the_metrics() {
    let server = Watched::start().await;
    let (customer, provider) =
        (server.register("customer").await, server.register("provider").await);
    let chat = customer.book(&provider).await;
    let (ours, theirs) = (customer.enter(&chat).await, provider.enter(&chat).await);
    for at in 0..5 {
        ours.send(&chat, &format!("message {at}")).await;
    }
    let twice = json!({ "chatId": chat, "message": "twice", "clientMessageId": "twice" });
    for status in ["stored", "duplicate"] {
        let ack = ours.request("send_message", &twice).await;
        assert_eq!(ack["status"], status);
    }
    server.expect("messages_stored_total", 6.0).await;
    server.expect("messages_duplicate_total", 1.0).await;
    server.expect("messages_acked_total", 7.0).await;
    server.expect("messages_published_total", 6.0).await;
    server.expect("deliveries_total", 12.0).await;
    server.expect("store_seconds_count", 7.0).await;
    server.expect("fanout_seconds_count", 6.0).await;
    server.expect("sockets", 2.0).await;
    server.expect("people", 2.0).await;
    server.expect("sessions", 2.0).await;
    // Known with the next sweep.
    server.expect("rooms", 1.0).await;
    server.expect("sweeper_finds_total", 0.0).await;
    server.expect("database_connections{state=\"max\"}", 4.0).await;
    let samples = server.samples().await;
    for queue in ["store", "statements", "publish", "passwords"] {
        assert!(samples.contains_key(&format!("queue_depth{{queue=\"{queue}\"}}")), "{queue}");
    }
    assert!(samples["resident_memory_bytes"] > 1e6 && samples["open_files"] > 4.0);
    assert!(samples["rest_seconds_count"] >= 3.0);
    assert!(samples["http_connections"] >= 1.0, "the one that asks for jobs is kept open");
    for never in ["slow_cuts_total", "gaps_filled_total"] {
        assert_eq!(samples[never], 0.0, "{never}");
    }

    // A reader who comes back and catches up.
    theirs.abort();
    server.expect("sockets", 1.0).await;
    server.expect("sessions", 1.0).await;
    let again = provider.connect().await;
    let ack = again.request("join_chat", json!({ "chatId": chat, "sinceSeq": 2 })).await;
    assert_eq!(ack["messages"].as_array().unwrap().len(), 4);
    server.expect("messages_resumed_total", 4.0).await;
    assert_eq!(server.samples().await["sockets_connected_total"], 3.0);
    server.shutdown.cancel();
    server.task.await.unwrap();
}

#[tokio::test]
async fn refusals_and_security_events_are_counted_by_what_they_are() {
    let server = Watched::start().await;
    let (customer, provider) =
        (server.register("customer").await, server.register("provider").await);
    let chat = customer.book(&provider).await;
    let stranger = server.register("customer").await;
    assert_eq!(stranger.get(&format!("/chat/{chat}")).await.0, 403);
    let live = stranger.connect().await;
    let ack = live.request("join_chat", json!({ "chatId": chat })).await;
    assert_eq!(ack["error"]["code"], "denied");
    let ack = live.request("typing", json!({ "chatId": chat, "isTyping": true })).await;
    assert_eq!(ack["error"]["code"], "denied");
    live.request("no_such_event", json!({})).await;
    let wrong = json!({ "email": stranger.email, "password": "wrong horse" });
    assert_eq!(stranger.post("/auth/login", wrong).await.0, 401);
    let nobody = Person { token: "x.y.z".to_owned(), ..stranger.clone() };
    assert_eq!(nobody.get("/auth/me").await.0, 401);
    nobody.try_connect().await.expect_err("a wrong token connects");
    server.expect("refused_total{code=\"denied\"}", 3.0).await;
    server.expect("refused_total{code=\"bad_request\"}", 1.0).await;
    server.expect("refused_total{code=\"unauthenticated\"}", 3.0).await;
    server.expect("security_events_total{event=\"denied\"}", 3.0).await;
    server.expect("security_events_total{event=\"bad_packet\"}", 1.0).await;
    server.expect("security_events_total{event=\"login_failed\"}", 1.0).await;
    server.expect("security_events_total{event=\"token_refused\"}", 2.0).await;
    server.expect("security_events_total{event=\"logged_in\"}", 3.0).await;
    server.expect("sockets_refused_total", 1.0).await;
    assert_eq!(stranger.post("/auth/logout", json!({})).await.0, 204);
    server.expect("security_events_total{event=\"revoked\"}", 1.0).await;
    server.expect("security_events_total{event=\"sockets_ended\"}", 1.0).await;
}

#[tokio::test]
async fn the_metrics_address_has_metrics_and_health_and_nothing_else() {
    let server = Watched::start().await;
    let person = server.register("customer").await;
    assert_eq!(person.get("/metrics").await.0, 404, "not on the public address");
    assert_eq!(server.get("/health/live").await.0, 200);
    assert_eq!(server.get("/health/ready").await.0, 200);
    for path in ["/", "/auth/me", "/openapi.json", "/socket.io/?EIO=4&transport=polling"] {
        assert_eq!(server.get(path).await.0, 404, "{path}");
    }
    let post = server.http.post(format!("{}/metrics", server.metrics)).send().await.unwrap();
    assert_eq!(post.status(), 405);
}
