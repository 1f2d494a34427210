//! Notifications belong to their recipient.

use serde_json::{Value, json};

use super::{Trio, check_error};

#[tokio::test]
async fn notifications_are_listed_read_and_counted() {
    let trio = Trio::new().await;
    let live = trio.customer.enter(&trio.chat).await;
    for at in 0..4 {
        live.send(&trio.chat, &format!("number {at}")).await;
    }
    let list = async |query: &str| {
        let (status, body) = trio.provider.get(&format!("/notifications{query}")).await;
        assert_eq!(status, 200, "{body}");
        body
    };
    let all = list("").await;
    assert_eq!(all["unreadCount"], 5, "the booking and four messages");
    let newest = &all["notifications"][0];
    assert_eq!((&newest["type"], &newest["message"]), (&json!("message"), &json!("number 3")));
    assert_eq!((&newest["chatId"], &newest["jobId"]), (&json!(trio.chat), &json!(trio.job)));
    assert_eq!(
        (&newest["recipient_id"], &newest["is_read"]),
        (&json!(trio.provider.id), &json!(false))
    );

    let first = list("?limit=2").await;
    let last_id = first["notifications"][1]["id"].as_str().unwrap();
    assert_eq!(first["next"], last_id);
    let second = list(&format!("?limit=2&before={last_id}")).await;
    assert_eq!(second["notifications"][0]["message"], "number 1");
    assert_eq!(second, list(&format!("?limit=2&cursor={last_id}")).await);

    let id = newest["id"].as_str().unwrap();
    let (status, left) = trio.provider.post(&format!("/notifications/{id}/read"), json!({})).await;
    assert_eq!((status, &left["unreadCount"]), (200, &json!(4)));
    let (_, left) = trio.provider.post(&format!("/notifications/{id}/read"), json!({})).await;
    assert_eq!(left["unreadCount"], 4, "idempotent");
    let unread = list("?unread=true").await;
    assert_eq!(unread["notifications"].as_array().unwrap().len(), 4);
    let (status, left) = trio.provider.post("/notifications/read-all", json!({})).await;
    assert_eq!((status, &left["unreadCount"]), (200, &json!(0)));
    assert_eq!(list("?unread=true").await["notifications"], json!([]));
    assert_eq!(list("").await["notifications"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn a_notification_of_somebody_else_is_nobodys() {
    let trio = Trio::new().await;
    let (_, list) = trio.provider.get("/notifications").await;
    let id = list["notifications"][0]["id"].as_str().unwrap();
    let read =
        async |id: &str| trio.stranger.post(&format!("/notifications/{id}/read"), json!({})).await;
    let foreign = read(id).await;
    check_error(&foreign, "denied");
    assert_eq!(foreign, read(&uuid::Uuid::now_v7().to_string()).await);
    check_error(&read("x").await, "bad_request");
    assert_eq!(trio.provider.get("/notifications").await.1["unreadCount"], 1);
    for wrong in ["?limit=0", "?limit=1001", "?before=x", "?unread=perhaps"] {
        check_error(&trio.provider.get(&format!("/notifications{wrong}")).await, "bad_request");
    }
    assert_eq!(trio.stranger.get("/notifications").await.1["notifications"], Value::Array(vec![]));
}
