//! One PostgreSQL for all tests of this binary, and a migrated database of its own for each.

use sqlx::{Connection, PgConnection};
use tokio::sync::OnceCell;
use trialogue_server::embedded::{Cluster, Database};
use trialogue_server::store::{Store, StoreConfig};

/// The cluster and a migrated template. Never dropped: its guard stops it with this process.
static CLUSTER: OnceCell<(Cluster, Database)> = OnceCell::const_new();

async fn cluster() -> &'static (Cluster, Database) {
    CLUSTER
        .get_or_init(|| async {
            let cluster = Cluster::for_tests().await.unwrap();
            let template = cluster.fresh_database("template").await.unwrap();
            Store::open(&config(&template)).await.unwrap().close().await;
            (cluster, template)
        })
        .await
}

/// A copy of the template.
pub(crate) async fn migrated() -> Database {
    let (cluster, template) = cluster().await;
    cluster.copy_database(template.name(), "test").await.unwrap()
}

/// A database without anything in it.
pub(crate) async fn empty() -> Database {
    cluster().await.0.fresh_database("empty").await.unwrap()
}

/// How to open it: the cluster of tests may forget commits.
pub(crate) fn config(database: &Database) -> StoreConfig {
    StoreConfig { url: database.url(), connections: 4, unsafe_durability: true }
}

/// A connection behind the server's back.
pub(crate) async fn connect(database: &Database) -> PgConnection {
    PgConnection::connect(&database.url()).await.unwrap()
}
