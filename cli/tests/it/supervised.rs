//! Tasks of a server that fail while it serves (RELIABILITY F17). Only debug builds can be told to
//! have one fail.
#![cfg(debug_assertions)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use trialogue_server::embedded::{Cluster, Database};
use trialogue_socketio::Outgoing;
use trialogue_socketio::client::{Client, ClientConfig, ClientSocket};

use crate::binary::trialogue;

/// A loaded machine may take a while to start ten tasks again.
const SOON: Duration = Duration::from_secs(60);
/// Every task that begins with the server, and how many of each one with metrics has.
const TASKS: [(&str, u64); 10] = [
    ("accept", 2),
    ("keeper", 1),
    ("line", 1),
    ("listener", 1),
    ("notices", 1),
    ("retention", 1),
    ("shard", 4),
    ("sweep", 1),
    ("tidy", 1),
    ("whisper", 1),
];

/// The one that begins when somebody keeps a chat locked, for this chat.
const LOCKED: &str = "locked_chat";

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn f17_every_task_that_panics_is_started_again_logged_and_counted() {
    let cluster = Cluster::for_tests().await.unwrap();
    let database = cluster.fresh_database("supervised").await.unwrap();
    let log = tempfile::NamedTempFile::new().unwrap();
    let names = [&TASKS.map(|(name, _)| name)[..], &[LOCKED]].concat().join(",");
    let mut command = trialogue();
    command.args(["--json", "serve", "--listen", "127.0.0.1:0", "--metrics-addr", "127.0.0.1:0"]);
    command.args(["--unsafe-durability", "--open-registration", "--log-format", "json"]);
    command.env("DATABASE_URL", database.url()).env("TRIALOGUE_FAIL_TASKS", names);
    command.env("TRIALOGUE_JWT_SECRET", "0123456789-0123456789-0123456789");
    command.stdout(Stdio::piped()).stderr(log.reopen().unwrap());
    let mut server = Ended(command.spawn().unwrap());
    let mut ready = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    let ready: Value = serde_json::from_str(&ready).expect("a ready line");
    let (url, metrics) = (ready["url"].as_str().unwrap(), ready["metrics"].as_str().unwrap());

    let http = reqwest::Client::builder().no_proxy().timeout(SOON).build().unwrap();
    let expect = TASKS.map(|(task, times)| {
        format!("trialogue_tasks_restarted_total{{task=\"{task}\"}} {times}\n")
    });
    until_metrics(&http, metrics, &expect).await;
    let log = std::fs::read_to_string(log.path()).unwrap();
    for (task, times) in TASKS {
        let is_said = |line: &&str| {
            line.contains("a task has failed") && line.contains(&format!("\"{task}\""))
        };
        assert_eq!(log.lines().filter(is_said).count() as u64, times, "{task}: {log}");
    }

    // And it serves: a person, a booking, a message through the line that had to begin again.
    let post = async |path: &str, token: &str, body: Value| {
        let request = http.post(format!("{url}{path}")).bearer_auth(token).json(&body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap_or_default())
    };
    let mut people = Vec::new();
    for role in ["customer", "provider"] {
        let body = json!({
            "email": format!("{role}@mail.example"), "password": "correct horse battery",
            "firstName": "Amna", "lastName": "Khan", "role": role,
        });
        let (status, session) = post("/auth/register", "", body).await;
        assert_eq!(status, 201, "{session}");
        people.push(session);
    }
    let token = people[0]["accessToken"].as_str().unwrap();
    let job = json!({
        "providerId": people[1]["user"]["id"], "title": "a tap", "description": "it drips",
    });
    let (status, booked) = post("/jobs/create", token, job).await;
    assert_eq!(status, 201, "{booked}");
    let client = Client::connect(ClientConfig::new(url.parse().unwrap())).await.unwrap();
    let auth = json!({ "token": token });
    let socket = client.namespace("/chat", Some(&auth)).await.unwrap();
    let chat = &booked["chatId"];
    let ask = |event: &str, body: &Value| {
        socket.sender().emit_for_ack(&Outgoing::new(event, body).unwrap()).unwrap()
    };
    let message = json!({ "chatId": chat, "message": "hello" });
    for (event, body) in [("join_chat", &json!({ "chatId": chat })), ("send_message", &message)] {
        let answer: Value = ask(event, body).within(SOON).await.unwrap().get(0).unwrap();
        assert_eq!(answer["ok"], true, "{event}: {answer}");
    }
    locked(&database, &socket, &message, async |restarted| {
        until_metrics(&http, metrics, &[restarted]).await;
    })
    .await;
}

/// A chat of one message is locked by somebody else, and the task that waits it out fails as well.
async fn locked(
    database: &Database,
    socket: &ClientSocket,
    message: &Value,
    until_counted: impl AsyncFnOnce(String),
) {
    let send = || {
        let message = Outgoing::new("send_message", message).unwrap();
        socket.sender().emit_for_ack(&message).unwrap()
    };
    let mut outside = PgConnection::connect(&database.url()).await.unwrap();
    let mut holding = outside.begin().await.unwrap();
    sqlx::query("select from chats for update").execute(&mut *holding).await.unwrap();
    let waiting: Vec<_> = (0..3).map(|_| send()).collect();
    until_counted(format!("trialogue_tasks_restarted_total{{task=\"{LOCKED}\"}} 1\n")).await;
    holding.commit().await.unwrap();
    for (at, answer) in waiting.into_iter().enumerate() {
        let answer: Value = answer.within(SOON).await.unwrap().get(0).unwrap();
        assert_eq!(answer["message"]["seq"], at + 2, "stored, and in order: {answer}");
    }
    // And the chat is one of the common line again.
    let answer: Value = send().within(SOON).await.unwrap().get(0).unwrap();
    assert_eq!(answer["message"]["seq"], 5, "{answer}");
}

/// Waits until the metrics have all of these lines.
async fn until_metrics(http: &reqwest::Client, metrics: &str, lines: &[String]) {
    let deadline = Instant::now() + SOON;
    loop {
        let text = http.get(metrics).send().await.unwrap().text().await.unwrap();
        let missing: Vec<_> = lines.iter().filter(|line| !text.contains(*line)).collect();
        if missing.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "{missing:?} not in {text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
