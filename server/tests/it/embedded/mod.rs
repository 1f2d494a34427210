//! The private PostgreSQL: what its owners may do to it, and what is left when they are gone.

mod download;
mod killed;
mod owners;
mod process;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use trialogue_server::embedded::Options;

/// More than a stop needs on a machine that is busy building.
const SOON: Duration = Duration::from_secs(20);

/// The one text that a statement answers.
async fn text(url: &str, sql: &'static str) -> String {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar::<_, String>(sql).fetch_one(&mut connection).await.unwrap()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < SOON, "{what} did not happen within {SOON:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The folder of the socket in a URL of ours.
fn sockets(url: &str) -> PathBuf {
    let url = url::Url::parse(url).unwrap();
    let (_, host) = url.query_pairs().find(|(name, _)| name == "host").unwrap();
    PathBuf::from(host.into_owned())
}

/// Settings whose data folder is the test's own.
fn options(home: &Path) -> Options {
    let mut options = Options::from_env();
    options.data = Some(home.join("data"));
    options
}

/// The folder of the persistent cluster of [`options`].
fn cluster_folder(home: &Path) -> PathBuf {
    let entries = std::fs::read_dir(home.join("data")).unwrap().flatten();
    let mut folders = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("pg"))
        .map(|entry| entry.path());
    folders.next().unwrap()
}

/// The process id of the database in a cluster's folder.
fn postmaster(folder: &Path) -> u32 {
    let file = std::fs::read_to_string(folder.join("data/postmaster.pid")).unwrap();
    file.lines().next().unwrap().parse().unwrap()
}
