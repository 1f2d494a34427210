//! Where a run takes place: a durable PostgreSQL of its own and the server's binary before it, both
//! of which can be killed, stopped, frozen and started again.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio::time::{Instant, sleep};
use trialogue_faults::{
    LISTEN, ServerCommand, ServerProcess, Signal, pid_in, send_signal, wait_until_gone,
};
use trialogue_server::embedded::{Cluster, Database, Options};

/// A start on a machine that is busy with other things.
pub(super) const START_WITHIN: Duration = Duration::from_secs(90);
/// Twice what is promised of a graceful stop (RELIABILITY §2.11).
const STOP_WITHIN: Duration = Duration::from_secs(20);
/// A killed database is gone at once, an asked one when its children are.
const GONE_WITHIN: Duration = Duration::from_secs(60);
/// Between two looks at something that tells nobody.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Signs the tokens, so that a restarted server knows them.
const SECRET: &str = "a secret of tests, known to everybody who reads them";

/// See the module.
pub(super) struct Place {
    options: Options,
    /// Every entry keeps the cluster alive; a restart of the database adds one.
    clusters: Vec<Cluster>,
    database: Database,
    /// Of the cluster.
    data: PathBuf,
    pub(super) server: ServerProcess,
    /// Last, so that everything in it is gone before.
    _home: tempfile::TempDir,
}

impl Place {
    /// A cluster whose commits stay, and a server that was asked for nothing less.
    pub(super) async fn open() -> Self {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        Self::open_at(home, &data).await
    }

    /// The same, with the database in that folder.
    pub(super) async fn open_at(home: tempfile::TempDir, data: &Path) -> Self {
        // As root the database runs as somebody else, who has to pass through.
        std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let mut options = Options::from_env();
        options.data = Some(data.to_owned());
        let cluster = Cluster::persistent_with(&options).await.unwrap();
        let database = cluster.fresh_database("chaos").await.unwrap();
        let server = ServerProcess::start(&command(&database.url()), START_WITHIN).await.unwrap();
        let mut outside = PgConnection::connect(&database.url()).await.unwrap();
        let data: String =
            sqlx::query_scalar("show data_directory").fetch_one(&mut outside).await.unwrap();
        outside.close().await.unwrap();
        Self { options, clusters: vec![cluster], database, data: data.into(), server, _home: home }
    }

    pub(super) fn database_url(&self) -> String {
        self.database.url()
    }

    /// A connection that is not the server's.
    pub(super) async fn outside(&self) -> PgConnection {
        PgConnection::connect(&self.database.url()).await.unwrap()
    }

    /// Kills the server without a warning and starts it again.
    pub(super) async fn kill_server(&mut self) {
        self.server.kill().await.unwrap();
        self.server.restart(START_WITHIN).await.unwrap();
    }

    /// Asks the server to stop, which it does in time and with success, and starts it again.
    pub(super) async fn drain_server(&mut self) {
        let status = self.server.stop(STOP_WITHIN).await.unwrap();
        assert!(status.success(), "a graceful stop is no failure: {status}");
        self.server.restart(START_WITHIN).await.unwrap();
    }

    /// The process id of the database.
    fn postmaster(&self) -> u32 {
        pid_in(&self.data.join("postmaster.pid")).unwrap()
    }

    /// Ends the database with a signal and waits until it is gone.
    pub(super) async fn end_database(&self, signal: Signal) {
        let postmaster = self.postmaster();
        send_signal(postmaster, signal).unwrap();
        assert!(wait_until_gone(postmaster, GONE_WITHIN).await, "the database does not end");
    }

    /// Starts the database again, as the next owner of it does.
    pub(super) async fn revive_database(&mut self) {
        let by = Instant::now() + START_WITHIN;
        loop {
            // The first attempts may find the last of the old processes in the way.
            match Cluster::persistent_with(&self.options).await {
                Ok(cluster) => break self.clusters.push(cluster),
                Err(error) if Instant::now() >= by => panic!("{error}"),
                Err(_) => sleep(LOOK_EVERY).await,
            }
        }
        // It may still be recovering.
        while let Err(error) = PgConnection::connect(&self.database.url()).await {
            assert!(Instant::now() < by, "{error}");
            sleep(LOOK_EVERY).await;
        }
    }

    /// Freezes every process of the database: connections stay, and nothing is answered.
    pub(super) async fn freeze_database(&self, how_long: Duration) {
        let mut outside = self.outside().await;
        let postmaster = self.postmaster();
        // First the one that starts others.
        send_signal(postmaster, Signal::Pause).unwrap();
        let sql = "select pid from pg_stat_activity where pid <> pg_backend_pid()";
        let children: Vec<i32> = sqlx::query_scalar(sql).fetch_all(&mut outside).await.unwrap();
        let all = || children.iter().map(|pid| u32::try_from(*pid).unwrap()).chain([postmaster]);
        for pid in all() {
            // One that has just ended is as silent as a frozen one.
            let _ = send_signal(pid, Signal::Pause);
        }
        sleep(how_long).await;
        for pid in all() {
            let _ = send_signal(pid, Signal::Resume);
        }
    }

    /// Waits until the server says that it is ready to serve.
    pub(super) async fn ready(&self) {
        let by = Instant::now() + START_WITHIN;
        let http = reqwest::Client::builder().no_proxy().timeout(START_WITHIN).build().unwrap();
        loop {
            let answer = http.get(format!("{}/health/ready", self.server.url())).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            assert!(Instant::now() < by, "the server does not get ready again");
            sleep(LOOK_EVERY).await;
        }
    }

    /// Stops everything.
    pub(super) async fn close(mut self) {
        let status = self.server.stop(STOP_WITHIN).await.unwrap();
        assert!(status.success(), "{status}");
        for cluster in self.clusters {
            cluster.stop().await.unwrap();
        }
    }
}

/// The binary as an operator starts it, but for rates and who may register.
fn command(database_url: &str) -> ServerCommand {
    let args = ["--json", "serve", "--exit-with-stdin", "--listen", LISTEN];
    let more = ["--open-registration", "--limits", "bench", "--access-ttl", "6h"];
    let mut command =
        ServerCommand::new(env!("CARGO_BIN_EXE_trialogue"), args.into_iter().chain(more));
    for (name, _) in std::env::vars() {
        if name.starts_with("TRIALOGUE_") {
            command = command.without_env(&name);
        }
    }
    command.env("DATABASE_URL", database_url).env("TRIALOGUE_JWT_SECRET", SECRET)
}
