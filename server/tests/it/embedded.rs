//! The private PostgreSQL: what its owners may do to it, and what is left when they are gone.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use trialogue_server::embedded::{Cluster, Options};

/// More than a stop needs on a machine that is busy building.
const SOON: Duration = Duration::from_secs(20);

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

/// Settings whose data and temporary folders are the test's own.
fn options(home: &Path) -> Options {
    let mut options = Options::from_env();
    options.data = Some(home.join("data"));
    options
}

#[tokio::test]
async fn a_throw_away_cluster_takes_statements_and_leaves_no_folder() {
    let cluster = Cluster::throwaway(false).await.unwrap();
    let database = cluster.fresh_database("first").await.unwrap();
    assert_eq!(text(&database.url(), "SELECT current_database()::text").await, database.name());
    assert_eq!(text(&database.url(), "SELECT current_setting('fsync')").await, "off");
    assert_eq!(text(&database.url(), "SELECT current_setting('listen_addresses')").await, "");
    let folder = sockets(&database.url()).parent().unwrap().to_owned();
    assert!(folder.is_dir());
    database.drop_database().await.unwrap();
    cluster.stop().await.unwrap();
    assert!(!folder.exists(), "{folder:?} is left");
}

#[tokio::test]
async fn a_persistent_cluster_keeps_its_data_and_starts_durable() {
    let home = tempfile::tempdir().unwrap();
    let options = options(home.path());
    let start = Instant::now();
    let cluster = Cluster::persistent_with(&options).await.unwrap();
    println!("first start {:?}", start.elapsed());
    let url = cluster.own_database().await.unwrap();
    assert_eq!(text(&url, "SELECT current_setting('fsync')").await, "on");
    assert_eq!(text(&url, "SELECT current_setting('synchronous_commit')").await, "on");
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::query("CREATE TABLE kept AS SELECT 'here' AS word")
        .execute(&mut connection)
        .await
        .unwrap();
    drop(connection);
    cluster.stop().await.unwrap();
    assert!(!sockets(&url).exists());

    let start = Instant::now();
    let cluster = Cluster::persistent_with(&options).await.unwrap();
    println!("second start {:?}", start.elapsed());
    let url = cluster.own_database().await.unwrap();
    assert_eq!(text(&url, "SELECT word FROM kept").await, "here");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn the_last_of_two_owners_stops_the_cluster() {
    let home = tempfile::tempdir().unwrap();
    let options = options(home.path());
    let first = Cluster::persistent_with(&options).await.unwrap();
    let second = Cluster::persistent_with(&options).await.unwrap();
    let url = second.own_database().await.unwrap();
    assert_eq!(first.own_database().await.unwrap(), url, "one cluster, not two");
    first.stop().await.unwrap();
    assert_eq!(text(&url, "SELECT 'still here'").await, "still here");
    second.stop().await.unwrap();
    until("the end of the socket's folder", || !sockets(&url).exists()).await;
    assert!(PgConnection::connect(&url).await.is_err());
}
