//! What is said at one server is heard at the other.

use serde_json::json;

use super::{SEEN, SWEPT, cut_listeners, two, two_deaf, until, within};
use crate::fixture::SOON;

#[tokio::test]
async fn a_conversation_over_two_servers_is_one_conversation() {
    let (fixture, node) = two().await;
    let (customer, provider, chat) = fixture.booking().await;
    let mut ours = customer.enter(&chat).await;
    let mut theirs = node.sees(&provider).enter(&chat).await;
    for round in 0..20 {
        let (from, to) = if round % 2 == 0 { (&ours, &mut theirs) } else { (&theirs, &mut ours) };
        let body =
            json!({ "chatId": chat, "message": "word", "clientMessageId": "k".repeat(round + 1) });
        let ack = from.request("send_message", body).await;
        assert_eq!(ack["status"], "stored", "{ack}");
        let came = within(SEEN, to, "new_message").await;
        assert_eq!((&came["id"], &came["seq"]), (&ack["message"]["id"], &json!(round + 1)));
        assert!(came.get("clientMessageId").is_none(), "only the author's copy has it: {came}");
        let from = if round % 2 == 0 { &mut ours } else { &mut theirs };
        let own = from.expect("new_message").await;
        assert_eq!(own["clientMessageId"], "k".repeat(round + 1));
    }
    let (_, history) = customer.get(&format!("/chat/{chat}/messages")).await;
    let (_, same) = node.sees(&provider).get(&format!("/chat/{chat}/messages")).await;
    assert_eq!(history["messages"].as_array().unwrap().len(), 20);
    assert_eq!(history["lastSeq"], same["lastSeq"]);
}

#[tokio::test]
async fn what_is_whispered_is_seen_before_the_sweep_finds_it() {
    let (fixture, node) = two().await;
    let (customer, provider, chat) = fixture.booking().await;
    let mut ours = customer.enter(&chat).await;
    let mut theirs = node.sees(&provider).enter(&chat).await;
    within(SEEN, &mut ours, "user_joined").await;
    let before = node.counted("sweeper_finds_total").await;
    for _ in 0..40 {
        let sent = ours.send(&chat, "word").await;
        assert_eq!(within(SEEN, &mut theirs, "new_message").await["id"], sent["id"]);
    }
    // One by one, so that a server that hears nothing has the sweep find all of them.
    let found = node.counted("sweeper_finds_total").await - before;
    assert!(found <= 20.0, "the sweep found {found} of 40 messages first");
    assert!(node.counted("gaps_filled_total").await >= 40.0);
}

#[tokio::test]
async fn without_hints_a_message_is_seen_with_the_sweep() {
    let (fixture, node) = two_deaf().await;
    let (customer, provider, chat) = fixture.booking().await;
    let ours = customer.enter(&chat).await;
    let mut theirs = node.sees(&provider).enter(&chat).await;
    for seq in 1..=3 {
        ours.send(&chat, "word").await;
        assert_eq!(within(SEEN, &mut theirs, "new_message").await["seq"], seq);
    }
}

#[tokio::test]
async fn a_cut_listener_costs_no_message_and_hears_again() {
    let (fixture, node) = two().await;
    let (customer, provider, chat) = fixture.booking().await;
    let ours = customer.enter(&chat).await;
    let mut theirs = node.sees(&provider).enter(&chat).await;
    for round in 1..=5 {
        let listeners = until(SOON, || async {
            // Both, so that neither is cut while it comes back.
            match cut_listeners(&fixture).await {
                0 => Err("nobody listens".to_owned()),
                cut => Ok(cut),
            }
        });
        listeners.await;
        ours.send(&chat, "into the silence").await;
        assert_eq!(within(SEEN, &mut theirs, "new_message").await["seq"], round);
    }
}

#[tokio::test]
async fn typing_and_read_marks_reach_the_other_server() {
    let (fixture, node) = two().await;
    let (customer, provider, chat) = fixture.booking().await;
    let mut ours = customer.enter(&chat).await;
    let mut theirs = node.sees(&provider).enter(&chat).await;
    ours.send(&chat, "one").await;
    theirs.expect("new_message").await;
    // Each server has to know that the other has somebody in the room.
    ours.expect("user_joined").await;

    let typing = json!({ "chatId": chat, "isTyping": true });
    assert_eq!(theirs.request("typing", &typing).await["ok"], true);
    let came = within(SEEN, &mut ours, "user_typing").await;
    assert_eq!(came, json!({ "userId": provider.id, "chatId": chat, "isTyping": true }));

    assert_eq!(theirs.request("mark_read", json!({ "chatId": chat })).await["ok"], true);
    let read = within(SEEN, &mut ours, "messages_read").await;
    assert_eq!(read, json!({ "userId": provider.id, "chatId": chat, "seq": 1 }));
    // The sweep finds the same mark and has nothing to add.
    ours.expect_none_within(SWEPT, &["messages_read"]).await;
}

#[tokio::test]
async fn a_read_mark_is_told_to_whoever_was_here_when_it_moved() {
    let (fixture, node) = two_deaf().await;
    let (customer, provider, chat) = fixture.booking().await;
    let mut ours = customer.enter(&chat).await;
    ours.send(&chat, "word").await;
    let theirs = node.sees(&provider).connect().await;
    theirs.request("mark_read", json!({ "chatId": chat })).await;
    // Who comes now knows it from the list of members; the first one does not.
    let _later = customer.enter(&chat).await;
    assert_eq!(within(SEEN, &mut ours, "messages_read").await["seq"], 1);
}

#[tokio::test]
async fn without_hints_read_marks_are_found_in_the_table() {
    let (fixture, node) = two_deaf().await;
    let (customer, provider, chat) = fixture.booking().await;
    let mut ours = customer.enter(&chat).await;
    for _ in 0..3 {
        ours.send(&chat, "word").await;
    }
    // Not even in the room: over REST there would be no socket at all.
    let theirs = node.sees(&provider).connect().await;
    for seq in [1, 3] {
        let ack = theirs.request("mark_read", json!({ "chatId": chat, "seq": seq })).await;
        assert_eq!(ack["ok"], true, "{ack}");
        let read = within(SEEN, &mut ours, "messages_read").await;
        assert_eq!(read, json!({ "userId": provider.id, "chatId": chat, "seq": seq }));
    }
}
