//! `deploy/roles.sql`: one role migrates, the other one serves and may change nothing but rows.

use std::time::Duration;

use serde_json::json;
use sqlx::{Connection, PgConnection};
use tokio::time::{Instant, sleep};
use trialogue_server::config::Secret;
use trialogue_server::embedded::Database;
use trialogue_server::operator;
use trialogue_server::store::{OpenError, Store};

use crate::database;
use crate::fixture::{Fixture, SOON};

const ROLES: &str = include_str!("../../../../deploy/roles.sql");

/// The database's address for another role.
fn url_as(database: &Database, role: &str) -> String {
    let mut url = url::Url::parse(&database.url()).unwrap();
    let query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    if query.iter().any(|(name, _)| name == "user") {
        let others = query.iter().filter(|(name, _)| name != "user");
        url.query_pairs_mut().clear().extend_pairs(others).append_pair("user", role);
    } else {
        url.set_username(role).unwrap();
    }
    url.into()
}

async fn refuses_ddl(server: &str) {
    let mut role = PgConnection::connect(server).await.unwrap();
    for ddl in [
        "create table mine (id int)",
        "alter table messages add column mine int",
        "drop table messages",
        "truncate messages",
        "create function mine() returns int language sql as 'select 1'",
        "create or replace function uuid_v7() returns uuid language sql as 'select null::uuid'",
        "create role mine",
        "create schema mine",
        "update _sqlx_migrations set success = false",
        "delete from _sqlx_migrations",
        "insert into _sqlx_migrations select * from _sqlx_migrations",
        "truncate _sqlx_migrations",
    ] {
        let refused = sqlx::raw_sql(ddl).execute(&mut role).await.unwrap_err();
        let code = refused.as_database_error().unwrap().code().unwrap().into_owned();
        assert_eq!(code, "42501", "{ddl}: {refused}");
    }
    role.close().await.unwrap();
}

/// Two servers by now, which say in their tables who is with them.
async fn says_who_is_there(admin: &mut PgConnection) {
    let deadline = Instant::now() + 6 * SOON;
    let said = "select count(*) from node_people";
    while sqlx::query_scalar::<_, i64>(said).fetch_one(&mut *admin).await.unwrap() == 0 {
        assert!(Instant::now() < deadline, "this role cannot say who is here");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_role_without_ddl_serves_what_another_role_has_migrated() {
    let database = database::empty().await;
    let mut admin = database::connect(&database).await;
    // Roles belong to the cluster, which other runs of this test share.
    sqlx::query("select pg_advisory_lock(7234)").execute(&mut admin).await.unwrap();
    for _ in 0..2 {
        sqlx::raw_sql(ROLES).execute(&mut admin).await.unwrap();
    }
    let (owner, server) =
        (url_as(&database, "trialogue_owner"), url_as(&database, "trialogue_server"));
    let serving = |url: &str| trialogue_server::store::StoreConfig {
        url: url.to_owned(),
        ..database::config(&database)
    };
    let early = Store::attach(&serving(&server)).await.err().unwrap();
    assert!(matches!(early, OpenError::NotMigrated), "{early}");
    assert!(early.to_string().contains("trialogue migrate"), "{early}");

    let migrated = operator::migrate(&Secret::new(&*owner)).await.unwrap();
    assert!(migrated.from == 0 && migrated.to >= 11, "{migrated:?}");
    let again = operator::migrate(&Secret::new(&*owner)).await.unwrap();
    assert_eq!(again.from, again.to);

    refuses_ddl(&server).await;
    sqlx::raw_sql(ROLES).execute(&mut admin).await.unwrap();
    refuses_ddl(&server).await;

    // Everything that a server does with a database, as that role: with and without `--no-migrate`.
    let mut first = None;
    for no_migrate in [true, false] {
        let server = Fixture::with(|config| {
            config.database_url = Some(Secret::new(&*server));
            config.no_migrate = no_migrate;
        })
        .await;
        let region = format!("with no_migrate {no_migrate}");
        let customer = server.register("customer").await;
        let provider = server.register_in("provider", &region).await;
        let lsm = server.register_in("lsm", &region).await;
        let chat = customer.book(&provider).await;
        let (ours, mut theirs) = (customer.enter(&chat).await, provider.enter(&chat).await);
        ours.send(&chat, "hello").await;
        assert_eq!(theirs.expect("new_message").await["message"], "hello");
        let read = theirs.request("mark_read", json!({ "chatId": chat })).await;
        assert_eq!(read["ok"], true, "{read}");
        let dispute = customer.dispute(&chat).await;
        assert_eq!(lsm.post(&format!("/disputes/{dispute}/join"), json!({})).await.0, 200);
        let resolution = json!({ "resolution": "done" });
        assert_eq!(lsm.post(&format!("/disputes/{dispute}/resolve"), resolution).await.0, 200);
        assert_eq!(customer.post("/notifications/read-all", json!({})).await.0, 200);
        assert_eq!(customer.post("/auth/logout", json!({})).await.0, 204);
        if first.is_some() {
            says_who_is_there(&mut admin).await;
        }
        first = first.or(Some(server));
    }
    let store = Store::attach(&serving(&server)).await.unwrap();
    for what in [
        trialogue_server::store::Kept::Notifications,
        trialogue_server::store::Kept::Sessions,
        trialogue_server::store::Kept::Endings,
    ] {
        assert_eq!(store.prune(what, Duration::from_hours(24)).await.unwrap(), 0);
    }
    store.close().await;
}
