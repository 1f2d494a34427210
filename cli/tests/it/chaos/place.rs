//! Where a run takes place: a durable PostgreSQL of its own and the server's binary before it, both
//! of which can be killed, stopped, frozen and started again.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep};
use trialogue_faults::{
    LISTEN, ServerCommand, ServerProcess, Signal, pid_in, send_signal, wait_until_gone,
};
use trialogue_server::embedded::{Cluster, Database, Options};

/// A start on a machine that is busy with other things.
pub(super) const START_WITHIN: Duration = Duration::from_secs(90);
/// Twice what is promised of a graceful stop (RELIABILITY §2.11).
pub(super) const STOP_WITHIN: Duration = Duration::from_secs(20);
/// A killed database is gone at once, an asked one when its children are.
const GONE_WITHIN: Duration = Duration::from_secs(60);
/// Between two looks at something that tells nobody.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Signs the tokens, so that a restarted server knows them.
const SECRET: &str = "a secret of tests, known to everybody who reads them";

/// See the module.
pub(super) struct Place {
    database: Database,
    pub(super) server: ServerProcess,
    /// Of a database that nobody else uses.
    own: Option<Own>,
}

/// A cluster that may be killed.
struct Own {
    cluster: Cluster,
    /// Of the database.
    data: PathBuf,
    /// Removed last, when nothing is in it any more.
    _home: tempfile::TempDir,
}

/// The cluster of those who do it no harm; it ends with this process.
async fn shared() -> &'static Cluster {
    static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
    CLUSTER.get_or_init(async || Cluster::throwaway(true).await.unwrap()).await
}

impl Place {
    /// On a cluster whose commits stay, and which others use too.
    pub(super) async fn open() -> Self {
        Self::on(shared().await).await
    }

    /// On a cluster of its own, which can be killed.
    pub(super) async fn apart() -> Self {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        Self::apart_in(home, &data).await
    }

    /// The same, with the cluster in that folder.
    pub(super) async fn apart_in(home: tempfile::TempDir, data: &Path) -> Self {
        // As root the database runs as somebody else, who has to pass through.
        std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let mut options = Options::from_env();
        options.data = Some(data.to_owned());
        let cluster = Cluster::persistent_with(&options).await.unwrap();
        let mut place = Self::on(&cluster).await;
        let mut outside = place.outside().await;
        let data: String =
            sqlx::query_scalar("show data_directory").fetch_one(&mut outside).await.unwrap();
        outside.close().await.unwrap();
        place.own = Some(Own { cluster, data: data.into(), _home: home });
        place
    }

    async fn on(cluster: &Cluster) -> Self {
        let database = cluster.fresh_database("chaos").await.unwrap();
        // Refused unless every commit stays.
        let server = ServerProcess::start(&command(&database.url()), START_WITHIN).await.unwrap();
        Self { database, server, own: None }
    }

    /// Makes the database forget what it has committed in the last seconds before it is killed. A
    /// server refuses that (F19); starts one that was told to put up with it.
    pub(super) async fn forget(&mut self) {
        let mut outside = self.outside().await;
        let forget = "do $$ begin execute format(
            'alter database %I set synchronous_commit = off', current_database()); end $$";
        sqlx::raw_sql(forget).execute(&mut outside).await.unwrap();
        sqlx::raw_sql("alter system set wal_writer_delay = '10s'")
            .execute(&mut outside)
            .await
            .unwrap();
        sqlx::raw_sql("select pg_reload_conf()").execute(&mut outside).await.unwrap();
        outside.close().await.unwrap();
        let mut command = command(&self.database.url());
        let refused = ServerProcess::start(&command, START_WITHIN).await.unwrap_err();
        assert!(refused.to_string().contains("synchronous_commit is off"), "{refused}");
        command.args.push("--unsafe-durability".to_owned());
        self.server = ServerProcess::start(&command, START_WITHIN).await.unwrap();
    }

    fn own(&mut self) -> &mut Own {
        self.own.as_mut().expect("others use this database")
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
        self.restart_server().await;
    }

    /// Starts a server again that has ended.
    pub(super) async fn restart_server(&mut self) {
        self.server.restart(START_WITHIN).await.unwrap();
    }

    /// Asks the server to stop, which it does in time and with success, and starts it again.
    pub(super) async fn drain_server(&mut self) {
        let status = self.server.stop(STOP_WITHIN).await.unwrap();
        assert!(status.success(), "a graceful stop is no failure: {status}");
        self.restart_server().await;
    }

    /// The process id of the database, when it has one.
    fn postmaster(&mut self) -> Option<u32> {
        pid_in(&self.own().data.join("postmaster.pid")).ok()
    }

    /// Ends the database with a signal and waits until it is gone.
    pub(super) async fn end_database(&mut self, signal: Signal) {
        let postmaster = self.postmaster().unwrap();
        send_signal(postmaster, signal).unwrap();
        assert!(wait_until_gone(postmaster, GONE_WITHIN).await, "the database does not end");
    }

    /// Starts the database again, as its owner does, until it serves. The first attempts may find
    /// the last of the old processes in the way, or a database that is on its way out.
    pub(super) async fn revive_database(&mut self) {
        let by = Instant::now() + START_WITHIN;
        loop {
            let revived = self.own().cluster.revive().await;
            let connected = PgConnection::connect(&self.database.url()).await;
            if connected.is_ok() {
                return;
            }
            assert!(Instant::now() < by, "{revived:?}, {connected:?}");
            sleep(LOOK_EVERY).await;
        }
    }

    /// Freezes every process of the database: connections stay, and nothing is answered.
    pub(super) async fn freeze_database(&mut self, how_long: Duration) {
        let mut outside = self.outside().await;
        let postmaster = self.postmaster().unwrap();
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

    /// Stops everything.
    pub(super) async fn close(mut self) {
        let status = self.server.stop(STOP_WITHIN).await.unwrap();
        assert!(status.success(), "{status}");
        self.database.drop_database().await.unwrap();
        if let Some(own) = self.own {
            own.cluster.stop().await.unwrap();
        }
    }
}

/// The binary as an operator starts it, but for rates and who may register.
fn command(database_url: &str) -> ServerCommand {
    let args = ["--json", "serve", "--exit-with-stdin", "--listen", LISTEN];
    let more = ["--open-registration", "--limits", "bench", "--access-ttl", "6h"];
    let command = ServerCommand::new(env!("CARGO_BIN_EXE_trialogue"), args.into_iter().chain(more));
    clean(command).env("DATABASE_URL", database_url).env("TRIALOGUE_JWT_SECRET", SECRET)
}

/// Nothing of the tester's own environment shines through.
pub(super) fn clean(mut command: ServerCommand) -> ServerCommand {
    for (name, _) in std::env::vars() {
        // What finds the database's programs is needed.
        if name.starts_with("TRIALOGUE_") && !name.starts_with("TRIALOGUE_PG_") {
            command = command.without_env(&name);
        }
    }
    command
}
