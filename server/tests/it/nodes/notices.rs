//! Notifications for people whose sockets are at another server.

use std::time::Duration;

use super::{SEEN, SWEPT, marker, two, two_deaf, within};
use crate::fixture::Fixture;
use crate::nodes::Node;

async fn notices_find_their_sockets(fixture: &Fixture, node: &Node) {
    let (customer, provider) =
        (fixture.register("customer").await, fixture.register("provider").await);
    let there = node.sees(&provider);
    let mut outside = there.connect().await;
    let chat = customer.book(&provider).await;
    let pushed = within(SEEN, &mut outside, "notification:created").await;
    assert_eq!(pushed["notification"]["type"], "job");
    assert_eq!(pushed["unreadCount"], 1);

    // Nobody at that server is in the room, then somebody is.
    let mut here = customer.enter(&chat).await;
    let sent = here.send(&chat, "are you there?").await;
    let pushed = within(SEEN, &mut outside, "notification:created").await;
    assert_eq!(pushed["notification"]["message"], sent["message"]);
    assert_eq!(pushed["notification"]["chatId"], *chat);
    assert_eq!(pushed["unreadCount"], 2);
    let mut inside = there.enter(&chat).await;
    within(SEEN, &mut here, "user_joined").await;
    marker(&here, &mut inside, &chat).await;
    let pushed = within(SEEN, &mut outside, "notification:created").await;
    assert_eq!(pushed["notification"]["message"], "marker");

    // The sweep finds the same notifications and has nothing to add.
    outside.expect_none_within(SWEPT, &["notification:created"]).await;
    assert!(!outside.has("new_message"), "that socket is not in the room");
    assert!(!inside.has("notification:created"), "the message itself is there: {inside:?}");

    let (_, list) = provider.get("/notifications").await;
    assert_eq!(list["notifications"].as_array().unwrap().len(), 3, "one for each: {list}");
}

#[tokio::test]
async fn a_notification_is_pushed_at_the_server_where_its_reader_is() {
    let (fixture, node) = two().await;
    notices_find_their_sockets(&fixture, &node).await;
}

#[tokio::test]
async fn without_hints_notifications_are_found_in_the_table() {
    let (fixture, node) = two_deaf().await;
    notices_find_their_sockets(&fixture, &node).await;
}

#[tokio::test]
async fn whoever_connects_later_is_not_pushed_what_the_list_has() {
    let (fixture, node) = two().await;
    let (customer, provider, chat) = fixture.booking().await;
    let here = customer.connect().await;
    here.send(&chat, "said before").await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let mut late = node.sees(&provider).connect().await;
    late.expect_none_within(2 * SWEPT, &["notification:created"]).await;
}
