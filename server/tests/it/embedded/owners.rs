//! Starting, sharing, and leaving a cluster.

use sqlx::{Connection, PgConnection};
use trialogue_server::embedded::{Cluster, running};

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

    let cluster = Cluster::persistent_with(&options).await.unwrap();
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

#[tokio::test]
async fn on_a_foreign_server_only_databases_of_our_making_are_touched() {
    const NAMES: &str = "SELECT coalesce(string_agg(datname, ' ' ORDER BY datname), '') \
        FROM pg_database WHERE datname LIKE 'trialogue_tmp%' OR datname LIKE 'theirs%'";
    // The part in the middle is the time of making: one second after the beginning of 1970.
    const LEFT: &str = "trialogue_tmp_demo_00000001_12345678";
    const THEIRS: &str = "theirs_00000001_12345678";
    let server = Cluster::throwaway(false).await.unwrap();
    for name in [LEFT, THEIRS] {
        server.ensure_database(name).await.unwrap();
    }
    let url = server.url_of("postgres");
    let cluster = Cluster::external(&url).await.unwrap();
    assert_eq!(text(&url, NAMES).await, THEIRS, "only the old one of ours is gone");
    let database = cluster.fresh_database("demo").await.unwrap();
    assert_eq!(text(&database.url(), "SELECT current_database()::text").await, database.name());
    let next = Cluster::external(&url).await.unwrap();
    assert_eq!(text(&url, NAMES).await, format!("{THEIRS} {}", database.name()));
    database.drop_database().await.unwrap();
    assert_eq!(text(&url, NAMES).await, THEIRS);
    for cluster in [cluster, next, server] {
        cluster.stop().await.unwrap();
    }
}

#[tokio::test]
async fn owners_that_come_while_the_last_one_goes_find_a_running_database() {
    const OWNERS: usize = 4;
    const ROUNDS: usize = 4;
    let home = tempfile::tempdir().unwrap();
    let options = options(home.path());
    // Each stops its hold at once, so that starts, adoptions and stops meet in every order.
    let mut owners = tokio::task::JoinSet::new();
    for _ in 0..OWNERS {
        let options = options.clone();
        owners.spawn(async move {
            for _ in 0..ROUNDS {
                let cluster = Cluster::persistent_with(&options).await.unwrap();
                let url = cluster.own_database().await.unwrap();
                assert_eq!(text(&url, "SELECT 'up'").await, "up");
                cluster.stop().await.unwrap();
            }
        });
    }
    while let Some(owner) = owners.join_next().await {
        owner.unwrap();
    }
    let left = running(&options).unwrap();
    assert!(left.is_empty(), "{left:?}");
}
