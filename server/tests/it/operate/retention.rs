//! What is old goes, and what is counted stays right.

use std::time::Duration;

use sqlx::Connection;
use tokio::time::{Instant, sleep};
use trialogue_server::store::{Kept, Store};

use crate::database;
use crate::fixture::{Fixture, Person};

const DAY: Duration = Duration::from_hours(24);

async fn count(server: &Fixture, sql: &'static str) -> i64 {
    let mut connection = database::connect(&server.database).await;
    let count = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    count
}

async fn unread(person: &Person) -> i64 {
    person.get("/notifications").await.1["unreadCount"].as_i64().unwrap()
}

#[tokio::test]
async fn old_notifications_go_and_the_unread_count_follows() {
    let server = Fixture::start().await;
    let (customer, provider, chat) = server.booking().await;
    let live = customer.enter(&chat).await;
    for at in 0..6 {
        live.send(&chat, &format!("message {at}")).await;
    }
    let (_, list) = provider.get("/notifications?limit=1").await;
    let newest = list["notifications"][0]["id"].as_str().unwrap();
    provider.post(&format!("/notifications/{newest}/read"), serde_json::json!({})).await;
    assert_eq!(unread(&provider).await, 6, "five messages and the booking");

    // The three oldest messages and the booking are from long ago.
    let old = "update notifications set created_at = now() - interval '2 days'
               where recipient_id = $1 and (seq <= 3 or seq is null)";
    server.sql_of(old, provider.id).await;
    let store = Store::open(&database::config(&server.database)).await.unwrap();
    assert_eq!(store.prune(Kept::Notifications, 3 * DAY).await.unwrap(), 0);
    assert_eq!(store.prune(Kept::Notifications, DAY).await.unwrap(), 4);
    assert_eq!(unread(&provider).await, 2);
    let (_, list) = provider.get("/notifications").await;
    assert_eq!(list["notifications"].as_array().unwrap().len(), 3);
    assert_eq!(provider.post("/notifications/read-all", serde_json::json!({})).await.0, 200);
    assert_eq!(unread(&provider).await, 0, "and never less");
    live.send(&chat, "one more").await;
    assert_eq!(unread(&provider).await, 1);
    let (_, history) = provider.get(&format!("/chat/{chat}/messages")).await;
    assert_eq!(history["messages"].as_array().unwrap().len(), 7, "no message goes");
    store.close().await;
}

#[tokio::test]
async fn sessions_go_with_their_refresh_tokens_when_they_have_long_been_over() {
    let server = Fixture::start().await;
    let (old, ended, living) = (
        server.register("customer").await,
        server.register("customer").await,
        server.register("customer").await,
    );
    server
        .sql_of(
            "update sessions set expires_at = now() - interval '2 days' where user_id = $1",
            old.id,
        )
        .await;
    ended.post("/auth/logout", serde_json::json!({})).await;
    let store = Store::open(&database::config(&server.database)).await.unwrap();
    assert_eq!(store.prune(Kept::Sessions, 3 * DAY).await.unwrap(), 0);
    assert_eq!(store.prune(Kept::Sessions, DAY).await.unwrap(), 1);
    assert_eq!(count(&server, "select count(*) from sessions").await, 2);
    assert_eq!(count(&server, "select count(*) from refresh_tokens").await, 2);
    assert_eq!(living.get("/auth/me").await.0, 200);
    assert_eq!(store.prune(Kept::Endings, DAY).await.unwrap(), 0, "fresh ones are still heeded");
    store.close().await;
}

#[tokio::test]
async fn a_bite_is_bounded_and_two_servers_take_turns() {
    let server = Fixture::start().await;
    let person = server.register("customer").await;
    server
        .sql_of(
            "insert into notifications (recipient_id, id, kind, title, body, created_at)
         select $1, uuid_v7(), 'system', 'x', 'y', now() - interval '2 days'
         from generate_series(1, 2500)",
            person.id,
        )
        .await;
    let store = Store::open(&database::config(&server.database)).await.unwrap();
    let mut other = database::connect(&server.database).await;
    let mut held = other.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(7234, 1)").execute(&mut *held).await.unwrap();
    assert_eq!(store.prune(Kept::Notifications, DAY).await.unwrap(), 0, "somebody else does it");
    held.rollback().await.unwrap();
    assert_eq!(store.prune(Kept::Notifications, DAY).await.unwrap(), 2_000);
    assert_eq!(store.prune(Kept::Notifications, DAY).await.unwrap(), 500);
    store.close().await;
}

/// One look used to stop at 20,000 rows: 333 a second, where the load tests make 18,000.
#[tokio::test]
async fn one_look_removes_all_that_is_old_however_much_it_is() {
    const OLD: &str = "insert into notifications (recipient_id, id, kind, title, body, created_at)
         select $1, uuid_v7(), 'system', 'x', 'y', now() - interval '100 days'
         from generate_series(1, 25000)";
    let mut server = Fixture::start().await;
    let person = server.register("customer").await;
    server.stop().await;
    server.sql_of(OLD, person.id).await;
    // It looks when it starts, and then a minute later.
    let deadline = Instant::now() + Duration::from_secs(55);
    server.start_again().await;
    while count(&server, "select count(*) from notifications").await > 0 {
        assert!(Instant::now() < deadline, "the rest waits for the next look");
        sleep(Duration::from_millis(100)).await;
    }
}
