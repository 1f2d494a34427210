//! Opening: migrations by several servers at once, durability, identity.

use trialogue_server::embedded::Cluster;
use trialogue_server::store::{OpenError, Store, StoreConfig};

use super::World;
use crate::database;

#[tokio::test]
async fn servers_that_start_at_once_migrate_once() {
    let empty = database::empty().await;
    let config = database::config(&empty);
    let (a, b, c) = tokio::join!(Store::open(&config), Store::open(&config), Store::open(&config));
    for store in [a.unwrap(), b.unwrap(), c.unwrap()] {
        store.ready().await.unwrap();
        store.close().await;
    }
    let again = Store::open(&config).await.unwrap();
    again.ready().await.unwrap();
}

#[tokio::test]
async fn a_database_that_forgets_commits_is_refused() {
    let database = database::empty().await;
    let strict = StoreConfig { unsafe_durability: false, ..database::config(&database) };
    match Store::open(&strict).await {
        Err(OpenError::NotDurable("fsync is off")) => {}
        Err(other) => panic!("{other}"),
        // Tests may run against a durable server of somebody's.
        Ok(_) => assert!(std::env::var("TRIALOGUE_TEST_DATABASE_URL").is_ok()),
    }
    let mut connection = database::connect(&database).await;
    let mine = "do $$ begin execute format(
        'alter database %I set synchronous_commit = off', current_database()); end $$";
    sqlx::raw_sql(mine).execute(&mut connection).await.unwrap();
    let refused = Store::open(&strict).await.err().unwrap();
    assert!(matches!(refused, OpenError::NotDurable(_)), "{refused}");
}

#[tokio::test]
async fn a_durable_cluster_is_accepted() {
    let cluster = Cluster::throwaway(true).await.unwrap();
    let database = cluster.fresh_database("durable").await.unwrap();
    let config = StoreConfig { url: database.url(), connections: 2, unsafe_durability: false };
    let store = Store::open(&config).await.unwrap();
    store.ready().await.unwrap();
    store.close().await;
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn each_database_has_an_epoch_that_stays() {
    let (one, two) = (World::new().await, World::new().await);
    assert_ne!(one.store.epoch(), two.store.epoch());
    let again = Store::open(&database::config(&one.database)).await.unwrap();
    assert_eq!(one.store.epoch(), again.epoch());
}

#[tokio::test]
async fn a_refusal_to_open_names_no_password() {
    let database = database::empty().await;
    let wrong = |url: String| StoreConfig { url, ..database::config(&database) };
    let refused = Store::open(&wrong("no url".to_owned())).await.err().unwrap();
    assert!(matches!(refused, OpenError::Url), "{refused}");
    let mut url = url::Url::parse(&database.url()).unwrap();
    url.set_path("/no_such_database");
    // On a socket PostgreSQL asks for no password, so one can be given.
    let _ = url.set_password(Some("hunter2"));
    let refused = Store::open(&wrong(url.into())).await.err().unwrap();
    let text = refused.to_string();
    assert!(text.contains("no_such_database") && !text.contains("hunter2"), "{text}");
}
