//! The log of `serve`: one JSON object per line where no terminal is, with security events and
//! without a word of what people say or of what opens a door.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use trialogue_server::embedded::{Cluster, Database};
use trialogue_socketio::Outgoing;
use trialogue_socketio::client::{Client, ClientConfig};

use crate::binary::trialogue;

/// A loaded machine may take a moment to write.
const SOON: Duration = Duration::from_secs(20);

struct Served {
    child: Child,
    url: String,
    log: tempfile::NamedTempFile,
}

impl Served {
    fn start(database: &Database, args: &[&str]) -> Self {
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut command = trialogue();
        command.args(["serve", "--listen", "127.0.0.1:0", "--unsafe-durability"]);
        command
            .args(args)
            .env("DATABASE_URL", database.url())
            .env("TRIALOGUE_LOG", "trialogue=trace");
        command.env("TRIALOGUE_JWT_SECRET", "canary-secret-0123456789-0123456789");
        let stderr = log.reopen().unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let url = ready.trim().strip_prefix("serving at ").expect("a ready line").to_owned();
        Self { child, url, log }
    }

    fn lines(&self) -> Vec<String> {
        let lines = BufReader::new(File::open(self.log.path()).unwrap()).lines();
        lines.map_while(Result::ok).collect()
    }

    /// The security events, once there are as many as expected of each.
    fn wait_for_events(&self, expect: &[(&str, usize)]) -> Vec<Value> {
        let deadline = Instant::now() + SOON;
        loop {
            let lines = self.lines();
            let parsed = lines.iter().filter_map(|line| serde_json::from_str(line).ok());
            let events: Vec<Value> =
                parsed.filter(|line: &Value| line["fields"]["event"].is_string()).collect();
            let count =
                |event: &str| events.iter().filter(|e| e["fields"]["event"] == event).count();
            if expect.iter().all(|(event, wanted)| count(event) >= *wanted) {
                for (event, wanted) in expect {
                    assert_eq!(count(event), *wanted, "{event} in {events:#?}");
                }
                return events;
            }
            assert!(Instant::now() < deadline, "not {expect:?} but {events:#?}");
            std::thread::yield_now();
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody who talks HTTP.
struct Speaker {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Speaker {
    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let request = self.http.post(format!("{}{path}", self.url)).bearer_auth(&self.token);
        let answer = request.json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    async fn register(&self, role: &str) -> (Speaker, Value) {
        let body = json!({
            "email": format!("canary-{role}@mail.example"), "password": "canary-password",
            "firstName": "Canaryfirst", "lastName": "X", "role": role,
        });
        let (status, session) = self.post("/auth/register", body).await;
        assert_eq!(status, 201, "{session}");
        let token = session["accessToken"].as_str().unwrap().to_owned();
        (Speaker { http: self.http.clone(), url: self.url.clone(), token }, session)
    }
}

#[tokio::test]
async fn security_events_are_logged_once_and_no_canary_sings() {
    let cluster = Cluster::for_tests().await.unwrap();
    let database = cluster.fresh_database("logs").await.unwrap();
    let server = Served::start(&database, &["--limit", "requests-per-user=1/m:12"]);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let nobody = Speaker { http: http.clone(), url: server.url.clone(), token: String::new() };
    let (customer, session) = nobody.register("customer").await;
    let (provider, theirs) = nobody.register("provider").await;
    let body = json!({
        "providerId": theirs["user"]["id"], "title": "canary-title", "description": "canary-text",
    });
    let (_, booked) = customer.post("/jobs/create", body).await;
    let chat = booked["chatId"].as_str().unwrap();

    let wrong = json!({ "email": "canary-customer@mail.example", "password": "canary-guess" });
    assert_eq!(nobody.post("/auth/login", wrong).await.0, 401);
    let query = format!("{}/chat?cursor=canary-query&token={}", server.url, customer.token);
    assert_eq!(http.get(&query).send().await.unwrap().status(), 401);
    let foreign = "0190a0b0-0000-7000-8000-00000000abcd";
    let request = http.get(format!("{}/chat/{foreign}", server.url)).bearer_auth(&provider.token);
    assert_eq!(request.send().await.unwrap().status(), 403);

    let client = Client::connect(ClientConfig::new(server.url.parse().unwrap())).await.unwrap();
    let auth = json!({ "token": customer.token });
    let socket = client.namespace("/chat", Some(&auth)).await.unwrap();
    let ask = async |event: &str, body: Value| -> Value {
        let asked = socket.sender().emit_for_ack(&Outgoing::new(event, &body).unwrap()).unwrap();
        asked.within(SOON).await.unwrap().get(0).unwrap()
    };
    let said =
        json!({ "chatId": chat, "message": "canary-message", "clientMessageId": "canary-id" });
    assert_eq!(ask("join_chat", json!({ "chatId": chat })).await["ok"], true);
    assert_eq!(ask("send_message", said).await["ok"], true);
    assert_eq!(ask("canary-event\n{}", json!({ "x": "canary-field" })).await["ok"], false);
    let (status, _) = customer.post("/auth/logout", json!({})).await;
    assert_eq!(status, 204);

    let me = format!("{}/auth/me", server.url);
    let mut limited = false;
    for _ in 0..20 {
        let answer = http.get(&me).bearer_auth(&provider.token).send().await.unwrap();
        limited = limited || answer.status() == 429;
    }
    assert!(limited);

    let events = server.wait_for_events(&[
        ("logged_in", 2),
        ("login_failed", 1),
        ("token_refused", 1),
        ("denied", 1),
        ("bad_packet", 1),
        ("revoked", 1),
        ("sockets_ended", 1),
    ]);
    let of =
        |event: &str| &events.iter().find(|e| e["fields"]["event"] == event).unwrap()["fields"];
    assert_eq!(of("denied")["user"], theirs["user"]["id"]);
    assert_eq!(of("denied")["address"], "127.0.0.1");
    assert_eq!(of("denied")["code"], "denied");
    assert_eq!(of("bad_packet")["user"], session["user"]["id"]);
    assert_eq!(of("bad_packet")["address"], "127.0.0.1");
    assert_eq!(of("revoked")["user"], session["user"]["id"]);
    assert_eq!(of("login_failed")["code"], "unauthenticated");
    assert_eq!(of("limited")["code"], "rate_limited");
    assert_eq!(of("limited")["user"], theirs["user"]["id"]);

    let refresh = session["refreshToken"].as_str().unwrap();
    assert_no_canary(&server.lines(), &[&customer.token, &provider.token, refresh]);
}

/// Every line is JSON, and none has anything that was said or that opens a door.
fn assert_no_canary(lines: &[String], secrets: &[&str]) {
    for line in lines {
        let json: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        assert!(json["timestamp"].is_string() && json["level"].is_string(), "{line}");
        assert!(!line.to_lowercase().contains("canary"), "{line}");
        for secret in secrets {
            let signature = secret.rsplit('.').next().unwrap();
            assert!(!line.contains(signature), "{line}");
        }
    }
}

#[tokio::test]
async fn the_format_of_the_log_can_be_chosen() {
    let cluster = Cluster::for_tests().await.unwrap();
    let database = cluster.fresh_database("logs").await.unwrap();
    let server = Served::start(&database, &["--log-format", "text"]);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    http.get(format!("{}/auth/me", server.url)).send().await.unwrap();
    let deadline = Instant::now() + SOON;
    let line = loop {
        let lines = server.lines();
        if let Some(line) = lines.iter().find(|line| line.contains("security event")) {
            break line.clone();
        }
        assert!(Instant::now() < deadline, "{lines:#?}");
        std::thread::yield_now();
    };
    assert!(
        line.contains("event=\"token_refused\"") && line.contains("address=127.0.0.1"),
        "{line}"
    );
    assert!(serde_json::from_str::<Value>(&line).is_err(), "{line}");
}
