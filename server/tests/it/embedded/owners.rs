//! Starting, sharing, and leaving a cluster.

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use trialogue_server::embedded::Cluster;

use super::{options, sockets, text, until};

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
    let cluster = Cluster::persistent_with(&options).await.unwrap();
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
    // Promised: 0.5 s; on a machine that is busy, twice that.
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
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
