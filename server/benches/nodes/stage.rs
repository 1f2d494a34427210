//! A durable PostgreSQL of its own, servers in runtimes of their own, people with sockets.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, Row};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use trialogue_server::config::{Config, LimitsProfile, Secret};
use trialogue_server::embedded::{Cluster, Database};
use trialogue_server::{Running, accept};
use trialogue_socketio::Outgoing;
use trialogue_socketio::client::{Client, ClientConfig, ClientSender, Received};

/// Ticks of the processor's time in `/proc`, per second (Linux has it so everywhere).
const TICKS: f64 = 100.0;

/// After which a message counts as answered in any case.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(50);

/// See the module.
pub(crate) struct Stage {
    cluster: Cluster,
    database: Database,
    servers: Vec<Server>,
    http: reqwest::Client,
}

struct Server {
    url: String,
    shutdown: CancellationToken,
    runtime: Runtime,
}

/// What was spent up to a moment.
pub(crate) struct Costs {
    at: Instant,
    seconds: f64,
    statements: f64,
    wal_bytes: f64,
    database: f64,
    servers: f64,
    nodes: usize,
}

impl Costs {
    pub(crate) const HEADER: &str = "what                            statements/s  WAL kB/s  \
        PostgreSQL CPU %  CPU % per server   p50 ms   p99 ms";

    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            at: self.at,
            seconds: (self.at - before.at).as_secs_f64(),
            statements: self.statements - before.statements,
            wal_bytes: self.wal_bytes - before.wal_bytes,
            database: self.database - before.database,
            servers: self.servers - before.servers,
            nodes: self.nodes,
        }
    }

    pub(crate) fn row(&self, what: &str, delays: &mut [Duration]) -> String {
        let seconds = self.seconds;
        delays.sort_unstable();
        let at = |part: usize| {
            let delay = delays.get(delays.len().saturating_sub(1) * part / 100);
            delay.map_or("-".to_owned(), |delay| format!("{:.1}", delay.as_secs_f64() * 1e3))
        };
        format!(
            "{what:<32}{:>12.1}{:>10.1}{:>18.1}{:>18.1}{:>9}{:>9}",
            self.statements / seconds,
            self.wal_bytes / seconds / 1024.0,
            100.0 * self.database / seconds,
            100.0 * self.servers / seconds / self.nodes as f64,
            at(50),
            at(99),
        )
    }
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let cluster = Cluster::throwaway(true).await.unwrap();
        let database = cluster.fresh_database("nodes").await.unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { cluster, database, servers: Vec::new(), http }
    }

    pub(crate) fn len(&self) -> usize {
        self.servers.len()
    }

    /// Starts one more server.
    pub(crate) async fn start(&mut self) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("bench-server")
            .enable_all()
            .build()
            .unwrap();
        let config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            database_url: Some(Secret::new(self.database.url())),
            jwt_secret: Some(Secret::new("a secret of benchmarks, known to everybody")),
            limits: LimitsProfile::Bench,
            open_registration: true,
            ..Config::default()
        };
        let shutdown = CancellationToken::new();
        let (started, starting) = tokio::sync::oneshot::channel();
        let stop = shutdown.clone();
        runtime.spawn(async move {
            let listener = accept::listen(config.listen).unwrap();
            let running = Running::start(listener, config).await.unwrap();
            started.send(running.url()).unwrap();
            running.serve(stop).await;
        });
        let url = starting.await.unwrap();
        self.servers.push(Server { url, shutdown, runtime });
    }

    /// What was spent until now.
    pub(crate) async fn costs(&self) -> Costs {
        let mut connection = PgConnection::connect(&self.database.url()).await.unwrap();
        // A backend reports what it did at most once a second.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let sql =
            "select s.xact_commit::float8, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8,
                          (select array_agg(pid) from pg_stat_activity where pid is not null)
                   from pg_stat_database s where s.datname = current_database()";
        let row = sqlx::query(sql).fetch_one(&mut connection).await.unwrap();
        let pids: Vec<i32> = row.get(2);
        let postmaster = parent(pids[0]);
        let costs = Costs {
            at: Instant::now(),
            seconds: 0.0,
            statements: row.get(0),
            wal_bytes: row.get(1),
            database: children(postmaster).map(|pid| seconds(&format!("/proc/{pid}/stat"))).sum(),
            servers: threads_of_servers().map(|path| seconds(&path)).sum(),
            nodes: self.servers.len(),
        };
        connection.close().await.unwrap();
        costs
    }

    /// How many messages are in the table.
    pub(crate) async fn stored(&self) -> usize {
        let mut connection = PgConnection::connect(&self.database.url()).await.unwrap();
        let sql = "select count(*) from messages";
        let count: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        usize::try_from(count).unwrap()
    }

    async fn post(&self, path: &str, token: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.servers[0].url);
        let answer = self.http.post(url).bearer_auth(token).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap()
    }

    async fn person(&self, role: &str) -> (i64, String) {
        let body = json!({
            "email": format!("{}@bench.example", uuid::Uuid::new_v4()), "password": "correct horse",
            "firstName": "Bench", "lastName": role, "role": role,
        });
        let session = self.post("/auth/register", "", body).await;
        let token = session["accessToken"].as_str().unwrap().to_owned();
        (session["user"]["id"].as_i64().unwrap(), token)
    }

    /// So many chats, the customer at the first server, the provider at the last one.
    pub(crate) async fn pairs(&self, count: usize) -> Vec<Pair> {
        let mut pairs = Vec::with_capacity(count);
        let (first, last) = (&self.servers[0].url, &self.servers[self.servers.len() - 1].url);
        for _ in 0..count {
            let (_, customer) = self.person("customer").await;
            let (id, provider) = self.person("provider").await;
            let job = self.post("/jobs/create", &customer, json!({ "providerId": id })).await;
            let chat = job["chatId"].as_str().unwrap().to_owned();
            pairs.push(Pair::new(chat, (first, &customer), (last, &provider)).await);
        }
        pairs
    }

    pub(crate) async fn end(self) {
        for server in self.servers {
            server.shutdown.cancel();
            server.runtime.shutdown_background();
        }
        self.cluster.stop().await.unwrap();
    }
}

/// Two people in a room, one of whom talks to the other.
pub(crate) struct Pair {
    chat: String,
    speaker: ClientSender,
    reader: ClientSender,
    /// When something was said, and when something came.
    said: Mutex<Vec<Instant>>,
    came: Arc<Mutex<Vec<Instant>>>,
    /// How often the speaker was answered, whatever the answer.
    answered: Arc<AtomicUsize>,
    tasks: Vec<JoinHandle<()>>,
}

impl Pair {
    async fn new(chat: String, speaker: (&str, &str), reader: (&str, &str)) -> Self {
        let came = Arc::new(Mutex::new(Vec::new()));
        let (speaker, one) = enter(speaker, &chat, None).await;
        let (reader, two) = enter(reader, &chat, Some(Arc::clone(&came))).await;
        let answered = Arc::default();
        let tasks = vec![one, two];
        Self { chat, speaker, reader, said: Mutex::default(), came, answered, tasks }
    }

    pub(crate) fn forget(&self) {
        self.said.lock().unwrap().clear();
        self.came.lock().unwrap().clear();
        self.answered.store(0, Ordering::Relaxed);
    }

    pub(crate) fn say(&self) {
        self.said.lock().unwrap().push(Instant::now());
        let body = json!({ "chatId": self.chat, "message": "x".repeat(100) });
        let message = Outgoing::new("send_message", &body).unwrap();
        let answer = self.speaker.emit_for_ack(&message).unwrap();
        let answered = Arc::clone(&self.answered);
        tokio::spawn(async move {
            let _ = answer.within(ANSWER_TIMEOUT).await;
            answered.fetch_add(1, Ordering::Relaxed);
        });
    }

    pub(crate) fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// From each word to its arrival.
    pub(crate) fn delays(&self) -> Vec<Duration> {
        let (said, came) = (self.said.lock().unwrap(), self.came.lock().unwrap());
        came.iter().zip(said.iter()).map(|(came, said)| *came - *said).collect()
    }

    pub(crate) async fn leave_and_join(&self) {
        for event in ["leave_chat", "join_chat"] {
            let body = json!({ "chatId": self.chat });
            let ask = self.reader.emit_for_ack(&Outgoing::new(event, &body).unwrap()).unwrap();
            ask.within(Duration::from_secs(5)).await.unwrap();
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn enter(
    (url, token): (&str, &str),
    chat: &str,
    came: Option<Arc<Mutex<Vec<Instant>>>>,
) -> (ClientSender, JoinHandle<()>) {
    let client = Client::connect(ClientConfig::new(url.parse().unwrap())).await.unwrap();
    let mut socket = client.namespace("/chat", Some(&json!({ "token": token }))).await.unwrap();
    let sender = socket.sender();
    let join = Outgoing::new("join_chat", &json!({ "chatId": chat })).unwrap();
    let ack = sender.emit_for_ack(&join).unwrap().within(Duration::from_secs(5)).await.unwrap();
    assert_eq!(ack.get::<Value>(0).unwrap()["ok"], true);
    let task = tokio::spawn(async move {
        while let Received::Event(event) = socket.recv().await {
            if event.name() == "new_message"
                && let Some(came) = &came
            {
                came.lock().unwrap().push(Instant::now());
            }
        }
    });
    (sender, task)
}

fn stat(path: &str) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(path).ok()?;
    // Behind the name, which may have anything in it.
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// Processor time of a process or a thread.
fn seconds(path: &str) -> f64 {
    let Some(stat) = stat(path) else { return 0.0 };
    (stat[11].parse::<f64>().unwrap() + stat[12].parse::<f64>().unwrap()) / TICKS
}

fn parent(pid: i32) -> i32 {
    stat(&format!("/proc/{pid}/stat")).unwrap()[1].parse().unwrap()
}

fn children(of: i32) -> impl Iterator<Item = i32> {
    let all = std::fs::read_dir("/proc").unwrap();
    let pids = all.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    pids.filter(move |pid| {
        stat(&format!("/proc/{pid}/stat")).is_some_and(|stat| stat[1] == of.to_string())
    })
}

fn threads_of_servers() -> impl Iterator<Item = String> {
    let all = std::fs::read_dir("/proc/self/task").unwrap();
    let paths = all.map(|entry| entry.unwrap().path());
    let named = |path: &std::path::PathBuf| {
        std::fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == "bench-server")
    };
    paths.filter(named).map(|path| path.join("stat").to_str().unwrap().to_owned())
}
