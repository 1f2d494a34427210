//! The LSM: invited, in, heard, and out again.

use serde_json::json;

use crate::fixture::Fixture;

#[tokio::test]
async fn an_lsm_is_invited_joins_talks_and_is_put_out() {
    let fixture = Fixture::start().await;
    let lsm = fixture.register("lsm").await;
    let (customer, provider, chat) = fixture.booking().await;
    let (mut ours, mut theirs) = (customer.enter(&chat).await, provider.enter(&chat).await);
    let mut third = lsm.connect().await;
    let denied = third.request("join_chat", json!({ "chatId": chat })).await;
    assert_eq!(denied["error"]["code"], "denied", "before the dispute: {denied}");

    ours.send(&chat, "it leaks").await;
    let dispute = customer.dispute(&chat).await;
    let invited = third.expect("notification:created").await;
    assert_eq!(invited["notification"]["type"], "dispute");
    assert_eq!(invited["notification"]["chatId"], *chat);
    assert_eq!(invited["unreadCount"], 1);
    assert_eq!(ours.expect("chat_updated").await["chat"]["lsmInvited"], true);

    let ack = third.request("join_chat", json!({ "chatId": chat, "sinceSeq": 0 })).await;
    assert_eq!(ack["ok"], true, "the invited one accepts by joining: {ack}");
    assert_eq!(ack["messages"][0]["message"], "it leaks", "the whole history is open");
    for live in [&mut ours, &mut theirs] {
        let came = live.expect("user_joined").await;
        if came["userId"] != lsm.id {
            let came = live.expect("user_joined").await;
            assert_eq!(came["userId"], lsm.id);
        }
    }
    assert_eq!(theirs.expect("notification:created").await["notification"]["type"], "dispute");
    third.send(&chat, "let me see").await;
    ours.expect("new_message").await;
    assert_eq!(ours.expect("new_message").await["sender_type"], "local_service_manager");

    let body = json!({ "resolution": "a new washer" });
    let (status, resolved) = lsm.post(&format!("/disputes/{dispute}/resolve"), body).await;
    assert_eq!(status, 200, "{resolved}");
    assert_eq!(third.expect("left_chat").await["chatId"], *chat);
    assert_eq!(ours.expect("user_left").await["userId"], lsm.id);
    ours.send(&chat, "between us again").await;
    theirs.expect("new_message").await;
    for (event, body) in [
        ("join_chat", json!({ "chatId": chat })),
        ("fetch_messages", json!({ "chatId": chat, "afterSeq": 0, "limit": 5 })),
        ("send_message", json!({ "chatId": chat, "message": "one more thing" })),
        ("typing", json!({ "chatId": chat, "isTyping": true })),
    ] {
        let ack = third.request(event, body).await;
        assert_eq!(ack["error"]["code"], "denied", "{event}: {ack}");
    }
    let heard = third.take_all("new_message");
    assert!(heard.iter().all(|m| m["message"] != "between us again"), "{heard:?}");
}

#[tokio::test]
async fn joining_by_the_dispute_is_joining_once() {
    let fixture = Fixture::start().await;
    let lsm = fixture.register("lsm").await;
    let (customer, provider, chat) = fixture.booking().await;
    let mut theirs = provider.enter(&chat).await;
    let dispute = customer.dispute(&chat).await;
    // Waited for: two changes in one instant may be told at once, since what is told is the state.
    assert_eq!(theirs.expect("chat_updated").await["chat"]["lsmInvited"], true);
    for _ in 0..2 {
        let (status, body) = lsm.post(&format!("/disputes/{dispute}/join"), json!({})).await;
        assert_eq!((status, &body["chatId"]), (200, &json!(chat)), "{body}");
    }
    assert_eq!(theirs.expect("chat_updated").await["chat"]["lsmJoined"], true);
    let first = lsm.enter(&chat).await;
    theirs.expect("user_joined").await;
    lsm.enter(&chat).await;
    first.send(&chat, "marker").await;
    theirs.expect("new_message").await;
    assert!(!theirs.has("user_joined") && !theirs.has("chat_updated"));
}

#[tokio::test]
async fn an_lsm_of_another_region_is_not_asked_and_not_let_in() {
    let fixture = Fixture::start().await;
    let (ours, other) = (fixture.register("lsm").await, fixture.register_in("lsm", "south").await);
    let (customer, _, chat) = fixture.booking().await;
    customer.dispute(&chat).await;
    let (_, asked) = ours.get("/disputes?status=pending").await;
    assert_eq!(asked["disputes"].as_array().unwrap().len(), 1);
    let denied = other.connect().await.request("join_chat", json!({ "chatId": chat })).await;
    assert_eq!(denied["error"]["code"], "denied", "{denied}");
}

#[tokio::test]
async fn a_member_whom_another_process_removes_hears_no_more() {
    let fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let (ours, mut theirs) = (customer.enter(&chat).await, provider.enter(&chat).await);
    fixture
        .sql_of_chat(
            "update chat_members set removed_at = clock_timestamp()
             where chat_id = $1 and role = 'service_provider'",
            &chat,
        )
        .await;
    ours.send(&chat, "only for me").await;
    assert_eq!(theirs.expect("left_chat").await["chatId"], *chat, "with the next message");
    assert!(!theirs.has("new_message"));
}

#[tokio::test]
async fn a_member_whom_another_node_removes_is_out_before_anybody_speaks() {
    let fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let (mut ours, mut theirs) = (customer.enter(&chat).await, provider.enter(&chat).await);
    fixture
        .sql_of_chat(
            "with removed as (
                update chat_members set removed_at = clock_timestamp()
                where chat_id = $1 and role = 'service_provider'
                returning user_id, chat_id
             )
             insert into endings (user_id, chat_id) select user_id, chat_id from removed",
            &chat,
        )
        .await;
    assert_eq!(theirs.expect("left_chat").await["chatId"], *chat, "by the sweep");
    assert_eq!(ours.expect("user_left").await["userId"], provider.id);
}
