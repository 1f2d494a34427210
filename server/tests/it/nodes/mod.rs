//! Two servers on one database are one service: what CONTRACT §2 and §3 promise holds whichever of
//! them a socket is at, whether or not they hear each other, and when one is killed.

mod alone;
mod endings;
mod messages;
mod notices;
mod people;
mod traffic;

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::Connection;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use trialogue_server::config::Config;
use trialogue_server::{Running, accept};

use crate::database;
use crate::fixture::{self, Fixture, Live, Person, config};

/// How long a test waits for what is promised within 2.5 s (committed anywhere, seen everywhere) or
/// 2 s (logout, a new password, removal): whether it happens is tested here, on machines of any
/// speed, and not how fast they are.
const SEEN: Duration = Duration::from_secs(30);
/// The same for what waits for the lease of a killed node, 6 s.
const GONE: Duration = Duration::from_secs(60);
/// When a lease is certainly over, and the next look at it too.
const LEASE_OVER: Duration = Duration::from_secs(6 + 3);

/// A server beside the fixture's, in a runtime of its own, so that it can be killed.
struct Node {
    url: String,
    metrics: String,
    shutdown: CancellationToken,
    runtime: Option<Runtime>,
    ended: oneshot::Receiver<()>,
}

impl Node {
    /// Starts one on the fixture's database.
    async fn beside(fixture: &Fixture, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config(&fixture.database);
        config.metrics_addr = Some(([127, 0, 0, 1], 0).into());
        change(&mut config);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let shutdown = CancellationToken::new();
        let (started, starting) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let stop = shutdown.clone();
        runtime.spawn(async move {
            let listener = accept::listen(config.listen).unwrap();
            let running = Running::start(listener, config).await.unwrap();
            let metrics = running.metrics_address().unwrap();
            started.send((running.url(), format!("http://{metrics}/metrics"))).unwrap();
            running.serve(stop).await;
            let _ = end.send(());
        });
        let starting = timeout(SEEN, starting).await;
        let (url, metrics) = starting.expect("no second server").unwrap();
        Self { url, metrics, shutdown, runtime: Some(runtime), ended }
    }

    /// The same person, talking to this server.
    fn sees(&self, person: &Person) -> Person {
        Person { url: self.url.clone(), ..person.clone() }
    }

    /// A sample of what it counts.
    async fn counted(&self, name: &str) -> f64 {
        fixture::counted(&self.metrics, name).await
    }

    /// Lets nothing of it run, as SIGSTOP does, until the answer is dropped.
    async fn stall(&self) -> std::sync::mpsc::Sender<()> {
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (begin, begun) = oneshot::channel();
        self.runtime.as_ref().unwrap().spawn(async move {
            let _ = begin.send(());
            // Its only worker waits here.
            let _ = released.recv();
        });
        timeout(SEEN, begun).await.expect("does not stall").unwrap();
        release
    }

    /// Ends it as SIGKILL does: nothing of it runs any more, nobody was told.
    fn kill(mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }

    /// Stops it as SIGTERM does.
    async fn stop(mut self) {
        self.shutdown.cancel();
        timeout(SEEN, &mut self.ended).await.expect("did not stop").unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.shutdown.cancel();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Two servers that know each other.
async fn two() -> (Fixture, Node) {
    two_with(|_| ()).await
}

/// Two servers with the same settings.
async fn two_with(change: impl Fn(&mut Config)) -> (Fixture, Node) {
    let fixture = Fixture::with(&change).await;
    let node = Node::beside(&fixture, &change).await;
    meet(&fixture, &node).await;
    (fixture, node)
}

/// Two servers that hear no hints of each other.
async fn two_deaf() -> (Fixture, Node) {
    two_with(|config| config.no_notify = true).await
}

/// Waits until each server sees who is online at the other.
async fn meet(fixture: &Fixture, node: &Node) {
    let (customer, provider, chat) = fixture.booking().await;
    let _here = customer.connect().await;
    let _there = node.sees(&provider).connect().await;
    until_status(&customer, &chat, provider.id, "online").await;
    until_status(&node.sees(&provider), &chat, customer.id, "online").await;
}

/// Asks until it is so.
async fn until<T, F: Future<Output = Result<T, String>>>(
    within: Duration,
    ask: impl Fn() -> F,
) -> T {
    let deadline = Instant::now() + within;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(reason) => assert!(Instant::now() < deadline, "not within {within:?}: {reason}"),
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until a member list over REST shows somebody so.
async fn until_status(asker: &Person, chat: &str, user: i64, status: &str) {
    until(SEEN, || async {
        let found = status_of(&asker.get(&format!("/chat/{chat}")).await.1, user);
        if found == status { Ok(()) } else { Err(format!("{user} is {found}")) }
    })
    .await;
}

/// The status of a member in anything with a list of members.
fn status_of(body: &Value, user: i64) -> String {
    let members = body["members"].as_array().unwrap_or_else(|| panic!("no members: {body}"));
    let member = members.iter().find(|member| member["userId"] == user).unwrap();
    member["status"].as_str().unwrap().to_owned()
}

/// An event within a time.
async fn within(time: Duration, live: &mut Live, event: &str) -> Value {
    live.expect_within(time, event).await
}

/// Long enough for a sweep to find again what was told already.
const SWEPT: Duration = Duration::from_secs(2);

/// A message from one socket to another: everything that was put out at the second one's server
/// before it has come.
async fn marker(from: &Live, to: &mut Live, chat: &str) {
    let sent = from.send(chat, "marker").await;
    while to.expect("new_message").await["id"] != sent["id"] {}
}

/// Cuts every connection that listens for hints.
async fn cut_listeners(fixture: &Fixture) -> i64 {
    let mut connection = database::connect(&fixture.database).await;
    let sql = "select count(pg_terminate_backend(pid)) from pg_stat_activity
               where datname = current_database() and application_name = 'trialogue-listen'";
    let cut: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    cut
}

/// A customer and a provider with a chat, and the region's LSM with an open dispute in it.
async fn disputed(fixture: &Fixture) -> (Person, Person, Person, String, i64) {
    let lsm = fixture.register("lsm").await;
    let (customer, provider, chat) = fixture.booking().await;
    let dispute = customer.dispute(&chat).await;
    (customer, provider, lsm, chat, dispute)
}

/// Settles a dispute.
async fn resolve(lsm: &Person, dispute: i64) {
    let path = format!("/disputes/{dispute}/resolve");
    let (status, body) = lsm.post(&path, json!({ "resolution": "settled" })).await;
    assert_eq!(status, 200, "{body}");
}
