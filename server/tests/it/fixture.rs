//! A server of its own for every test, on a database of its own, with people who talk to it.
//!
//! Whatever a test waits for has a time limit, and says at its end what came instead.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::Connection;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use trialogue_server::config::{Config, LimitsProfile, Secret};
use trialogue_server::embedded::Database;
use trialogue_server::{Running, accept};
use trialogue_socketio::client::Refused;

use crate::database;
use crate::socket::reach;
pub(crate) use crate::socket::{Live, connect, connect_at};

/// How long anything that should happen may take.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// How long a server may take to stop.
pub(crate) const STOP: Duration = Duration::from_secs(12);
/// Signs the tokens of every test, so that a restarted server knows them.
pub(crate) const SECRET: &str = "a secret of tests, known to everybody who reads them";

/// A running server.
pub(crate) struct Fixture {
    pub(crate) url: String,
    address: SocketAddr,
    metrics: Option<SocketAddr>,
    config: Config,
    pub(crate) database: Database,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
    pub(crate) http: reqwest::Client,
}

impl Fixture {
    /// A server for tests: anybody may register as anything, rates out of the way.
    pub(crate) async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// The same with other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let database = database::migrated().await;
        let mut config = config(&database);
        change(&mut config);
        let (running, shutdown, task) = serve(&config).await;
        let (address, metrics) = running;
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://{address}");
        Self { url, address, metrics, config, database, shutdown, task, http }
    }

    /// Stops the server as SIGTERM does; answers how long that took.
    pub(crate) async fn stop(&mut self) -> Duration {
        let start = Instant::now();
        self.shutdown.cancel();
        timeout(STOP, &mut self.task).await.expect("the server did not stop").unwrap();
        start.elapsed()
    }

    /// Starts it again at the same address.
    pub(crate) async fn start_again(&mut self) {
        self.config.listen = self.address;
        let (running, shutdown, task) = serve(&self.config).await;
        ((self.address, self.metrics), self.shutdown, self.task) = (running, shutdown, task);
    }

    /// Waits until a sample of what a server with `metrics_addr` counts has this value: what a task
    /// counts, it counts a moment later.
    pub(crate) async fn expect_counted(&self, name: &str, value: f64) {
        let metrics = format!("http://{}/metrics", self.metrics.unwrap());
        let deadline = Instant::now() + SOON;
        loop {
            let found = counted(&metrics, name).await;
            if found == value {
                return;
            }
            assert!(Instant::now() < deadline, "{name} is {found}, not {value}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Runs SQL behind the server's back, with the id of a chat as `$1`.
    pub(crate) async fn sql_of_chat(&self, sql: &'static str, chat: &str) {
        let mut connection = database::connect(&self.database).await;
        let chat: uuid::Uuid = chat.parse().unwrap();
        sqlx::query(sql).bind(chat).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// The same with the id of a person as `$1`.
    pub(crate) async fn sql_of(&self, sql: &'static str, person: i64) {
        let mut connection = database::connect(&self.database).await;
        sqlx::query(sql).bind(person).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Somebody with an address and nothing else, who may log in.
    pub(crate) fn newcomer(&self, email: &str) -> Person {
        Person {
            id: 0,
            email: email.to_owned(),
            token: String::new(),
            refresh_token: String::new(),
            url: self.url.clone(),
            http: self.http.clone(),
        }
    }

    /// Registers somebody new, in the north.
    pub(crate) async fn register(&self, role: &str) -> Person {
        self.register_in(role, "north").await
    }

    /// Registers somebody new in a region.
    pub(crate) async fn register_in(&self, role: &str, region: &str) -> Person {
        let email = format!("{}@test.example", uuid::Uuid::new_v4());
        let body = json!({
            "email": email, "password": "correct horse", "firstName": "Test", "lastName": role,
            "role": role, "region": region,
        });
        let nobody = self.newcomer(&email);
        let (status, session) = nobody.post("/auth/register", body).await;
        assert_eq!(status, 201, "{session}");
        nobody.with_session(&session)
    }

    /// A customer and a provider with a chat.
    pub(crate) async fn booking(&self) -> (Person, Person, String) {
        let (customer, provider) =
            (self.register("customer").await, self.register("provider").await);
        let chat = customer.book(&provider).await;
        (customer, provider, chat)
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// What a server for tests is told.
pub(crate) fn config(database: &Database) -> Config {
    Config {
        listen: ([127, 0, 0, 1], 0).into(),
        database_url: Some(Secret::new(database.url())),
        database_connections: 4,
        jwt_secret: Some(Secret::new(SECRET)),
        limits: LimitsProfile::Bench,
        open_registration: true,
        unsafe_durability: true,
        ..Config::default()
    }
}

/// A sample of what the server with these metrics counts.
pub(crate) async fn counted(metrics: &str, name: &str) -> f64 {
    let client = reqwest::Client::builder().no_proxy().timeout(SOON).build().unwrap();
    let text = client.get(metrics).send().await.unwrap().text().await.unwrap();
    let sample = |line: &str| {
        line.strip_prefix("trialogue_")?.strip_prefix(name)?.strip_prefix(' ')?.parse().ok()
    };
    text.lines().find_map(sample).unwrap_or_else(|| panic!("no {name}: {text}"))
}

/// Where it answers and where its metrics do, how to stop it, and its task.
type Served = ((SocketAddr, Option<SocketAddr>), CancellationToken, JoinHandle<()>);

async fn serve(config: &Config) -> Served {
    let listener = accept::listen(config.listen).unwrap();
    let running = Running::start(listener, config.clone()).await.unwrap();
    let addresses = (running.address(), running.metrics_address());
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(running.serve(shutdown.clone()));
    (addresses, shutdown, task)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

/// Somebody who is registered and logged in.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) id: i64,
    pub(crate) email: String,
    pub(crate) token: String,
    pub(crate) refresh_token: String,
    pub(crate) url: String,
    pub(crate) http: reqwest::Client,
}

impl Person {
    /// A `GET`; the status and the body.
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.answer(self.http.get(format!("{}{path}", self.url))).await
    }

    /// A `POST`; the status and the body, null when there is none.
    pub(crate) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.answer(self.http.post(format!("{}{path}", self.url)).json(&body)).await
    }

    pub(crate) async fn answer(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let signed = if self.token.is_empty() { request } else { request.bearer_auth(&self.token) };
        let answer = signed.timeout(SOON).send().await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.bytes().await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// The person that an answer with a session names.
    pub(crate) fn with_session(&self, session: &Value) -> Self {
        Self {
            id: session["user"]["id"].as_i64().unwrap(),
            token: text(&session["accessToken"]),
            refresh_token: text(&session["refreshToken"]),
            ..self.clone()
        }
    }

    /// Logs in once more: another session of the same person.
    pub(crate) async fn log_in(&self, password: &str) -> Self {
        let body = json!({ "email": self.email, "password": password });
        let (status, session) = self.post("/auth/login", body).await;
        assert_eq!(status, 200, "{session}");
        self.with_session(&session)
    }

    /// Books a job; the chat's id.
    pub(crate) async fn book(&self, provider: &Person) -> String {
        let body = json!({ "providerId": provider.id, "title": "Leaking tap" });
        let (status, body) = self.post("/jobs/create", body).await;
        assert_eq!(status, 201, "{body}");
        text(&body["chatId"])
    }

    /// Opens a dispute; its id.
    pub(crate) async fn dispute(&self, chat: &str) -> i64 {
        let body = json!({ "chatId": chat, "description": "it still leaks" });
        let (status, body) = self.post("/disputes", body).await;
        assert_eq!(status, 201, "{body}");
        body["disputeId"].as_i64().unwrap()
    }

    /// Connects and waits for `connected`.
    pub(crate) async fn connect(&self) -> Live {
        self.connect_at("/chat").await
    }

    /// Connects to a namespace and waits for `connected`.
    pub(crate) async fn connect_at(&self, namespace: &str) -> Live {
        let mut live = connect_at(&self.url, namespace, &self.token).await.unwrap();
        let connected = live.next().await;
        assert_eq!(connected.0, "connected");
        assert_eq!(connected.1["userId"], self.id);
        live
    }

    /// Connects, or says why not.
    pub(crate) async fn try_connect(&self) -> Result<Live, Refused> {
        connect(&self.url, &self.token).await
    }

    /// Connects, unless nobody is there.
    pub(crate) async fn reach(&self) -> Option<Live> {
        reach(&self.url, &self.token).await
    }

    /// Connects and joins a chat.
    pub(crate) async fn enter(&self, chat: &str) -> Live {
        let mut live = self.connect().await;
        live.join(chat).await;
        live
    }
}
