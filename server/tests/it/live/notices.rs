//! Notifications: always stored, pushed where the message itself is not.

use serde_json::json;

use crate::fixture::Fixture;

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
