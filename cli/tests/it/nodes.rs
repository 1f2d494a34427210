//! Two processes on one database are one service, and what is left when one of them is killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};
use trialogue_socketio::Outgoing;
use trialogue_socketio::client::{Client, ClientConfig, ClientSocket, Received};

use crate::binary::trialogue;

/// How long anything may take that should happen.
const SOON: Duration = Duration::from_secs(30);
/// The same for what waits for a lease, 6 s, and the next look at it.
const LEASE: Duration = Duration::from_secs(60);

/// A `serve` with its data in `home`, which it shares with others there.
struct Served {
    child: Child,
    url: String,
}

impl Served {
    fn start(home: &Path) -> Self {
        let mut command = trialogue();
        for name in ["TRIALOGUE_PG_BIN", "TRIALOGUE_PG_MIRROR"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.env("TRIALOGUE_DATA_DIR", home).env_remove("DATABASE_URL");
        command.args(["serve", "--json", "--listen", "127.0.0.1:0", "--open-registration"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        Self { child, url: ready["url"].as_str().unwrap().to_owned() }
    }

    async fn post(&self, path: &str, token: &str, body: &Value) -> Value {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.post(format!("{}{path}", self.url)).bearer_auth(token).json(body);
        let answer = request.timeout(SOON).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        answer.json().await.unwrap()
    }

    async fn register(&self, role: &str) -> (i64, String) {
        let body = json!({
            "email": format!("{role}@example.org"), "password": "correct horse", "role": role,
            "firstName": "Test", "lastName": role,
        });
        let session = self.post("/auth/register", "", &body).await;
        let token = session["accessToken"].as_str().unwrap().to_owned();
        (session["user"]["id"].as_i64().unwrap(), token)
    }

    /// A socket in a chat's room.
    async fn enter(&self, token: &str, chat: &str) -> Live {
        let client = Client::connect(ClientConfig::new(self.url.parse().unwrap())).await.unwrap();
        let socket = client.namespace("/chat", Some(&json!({ "token": token }))).await.unwrap();
        let live = Live(socket);
        let ack = live.request("join_chat", &json!({ "chatId": chat })).await;
        assert_eq!(ack["ok"], true, "{ack}");
        live
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // One that was killed already is no mistake.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Live(ClientSocket);

impl Live {
    async fn request(&self, event: &str, body: &Value) -> Value {
        let ask = self.0.sender().emit_for_ack(&Outgoing::new(event, body).unwrap()).unwrap();
        ask.within(SOON).await.unwrap().get(0).unwrap()
    }

    async fn say(&self, chat: &str, text: &str) -> Value {
        let ack = self.request("send_message", &json!({ "chatId": chat, "message": text })).await;
        assert_eq!(ack["status"], "stored", "{ack}");
        ack["message"].clone()
    }

    /// The next event of that name.
    async fn expect(&mut self, name: &str, within: Duration) -> Value {
        let deadline = Instant::now() + within;
        loop {
            let came = timeout_at(deadline, self.0.recv()).await;
            match came.unwrap_or_else(|_| panic!("no {name} within {within:?}")) {
                Received::Event(event) if event.name() == name => {
                    return event.args().get(0).unwrap();
                }
                Received::Event(_) => {}
                Received::Closed(reason) => panic!("closed: {reason}"),
            }
        }
    }
}

#[tokio::test]
async fn two_servers_are_one_service_and_one_of_them_may_be_killed() {
    let home = tempfile::tempdir().unwrap();
    let (mut first, second) = (Served::start(home.path()), Served::start(home.path()));
    let (_, customer) = first.register("customer").await;
    let (provider_id, provider) = second.register("provider").await;
    let job = json!({ "providerId": provider_id });
    let booked = first.post("/jobs/create", &customer, &job).await;
    let chat = booked["chatId"].as_str().unwrap();

    let mut here = second.enter(&customer, chat).await;
    let mut there = first.enter(&provider, chat).await;
    assert_eq!(here.expect("user_joined", SOON).await["userId"], provider_id);
    for text in ["one", "two", "three"] {
        let sent = there.say(chat, text).await;
        while here.expect("new_message", SOON).await["id"] != sent["id"] {}
        let sent = here.say(chat, text).await;
        while there.expect("new_message", SOON).await["id"] != sent["id"] {}
    }

    // The one that has started their database.
    first.child.kill().unwrap(); // SIGKILL
    first.child.wait().unwrap();
    assert_eq!(here.expect("user_left", LEASE).await["userId"], provider_id);
    let mut back = second.enter(&provider, chat).await;
    assert_eq!(here.expect("user_joined", SOON).await["userId"], provider_id);
    let sent = here.say(chat, "still here").await;
    assert_eq!(sent["seq"], 7);
    assert_eq!(back.expect("new_message", SOON).await["id"], sent["id"]);
}
