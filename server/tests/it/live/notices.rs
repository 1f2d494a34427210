//! Notifications: always stored, pushed where the message itself is not.

use std::time::Duration;

use serde_json::json;
use sqlx::Connection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::database;
use crate::fixture::{Fixture, SOON};

#[tokio::test]
async fn a_message_is_pushed_as_a_notification_only_outside_its_room() {
    let fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let ours = customer.enter(&chat).await;
    let (mut inside, mut outside) = (provider.enter(&chat).await, provider.connect().await);
    let sent = ours.send(&chat, "are you there?").await;
    let pushed = outside.expect("notification:created").await;
    let notification = &pushed["notification"];
    assert_eq!(notification["type"], "message");
    assert_eq!(notification["recipient_id"], provider.id);
    assert_eq!(notification["message"], "are you there?");
    assert_eq!(notification["chatId"], *chat);
    assert_eq!(pushed["unreadCount"], 2, "the booking and the message");
    assert!(!outside.has("new_message"), "that socket is not in the room");

    assert_eq!(inside.expect("new_message").await["id"], sent["id"]);
    ours.send(&chat, "marker").await;
    inside.expect("new_message").await;
    assert!(!inside.has("notification:created"), "the message itself is there already");

    let (_, list) = provider.get("/notifications").await;
    let stored = list["notifications"].as_array().unwrap();
    let of_messages = stored.iter().filter(|n| n["type"] == "message").count();
    assert_eq!(of_messages, 2, "stored in any case, once per message: {list}");
    assert!(stored.iter().any(|n| n == notification), "what was pushed is what is stored");
}

#[tokio::test]
async fn the_provider_hears_of_a_booking() {
    let fixture = Fixture::start().await;
    let (customer, provider) =
        (fixture.register("customer").await, fixture.register("provider").await);
    let mut live = provider.connect().await;
    let mut stranger = fixture.register("provider").await.connect().await;
    let chat = customer.book(&provider).await;
    let pushed = live.expect("notification:created").await;
    assert_eq!(pushed["notification"]["type"], "job");
    assert_eq!(pushed["notification"]["chatId"], *chat);
    stranger.request("leave_chat", json!({ "chatId": chat })).await;
    assert!(stranger.came_nothing());
}

#[tokio::test]
async fn the_provider_hears_of_a_booking_whose_caller_hung_up() {
    let fixture = Fixture::start().await;
    let (customer, provider) =
        (fixture.register("customer").await, fixture.register("provider").await);
    let mut live = provider.connect().await;
    let mut outside = database::connect(&fixture.database).await;
    let host = fixture.url.strip_prefix("http://").unwrap();
    let body = json!({ "providerId": provider.id, "title": "Leaking tap" }).to_string();
    let request = format!(
        "POST /jobs/create HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        customer.token,
        body.len(),
    );
    for round in 0..10 {
        // The write is held until the server has let go of the connection.
        let mut holding = outside.begin().await.unwrap();
        sqlx::query("lock table jobs in share mode").execute(&mut *holding).await.unwrap();
        let mut caller = TcpStream::connect(host).await.unwrap();
        caller.write_all(request.as_bytes()).await.unwrap();
        let is_held = "select exists (select from pg_locks
                                      where relation = 'jobs'::regclass and not granted)";
        let held = async {
            while !sqlx::query_scalar::<_, bool>(is_held).fetch_one(&mut *holding).await.unwrap() {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(SOON, held).await.expect("nobody books");
        caller.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let ended = timeout(SOON, caller.read_to_end(&mut answer)).await;
        ended.expect("the server holds on to the connection").unwrap();
        assert!(answer.is_empty(), "answered before it was booked, in round {round}");
        holding.rollback().await.unwrap();
        let pushed = live.expect("notification:created").await;
        assert_eq!(pushed["notification"]["type"], "job");
        assert_eq!(pushed["unreadCount"], round + 1);
    }
}
