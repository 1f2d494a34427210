//! Joining, leaving, typing, reading, presence.

use serde_json::json;

use crate::fixture::{Fixture, connect};

#[tokio::test]
async fn a_booking_is_a_conversation_over_two_sockets() {
    let fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let mut ours = customer.connect().await;
    let joined = ours.request("join_chat", json!({ "chatId": chat })).await;
    assert_eq!(joined["ok"], true, "{joined}");
    assert_eq!(joined["lastSeq"], 0);
    assert_eq!(joined["members"].as_array().unwrap().len(), 2);
    assert!(joined.get("messages").is_none(), "nobody asked for messages: {joined}");
    assert_eq!(ours.expect("joined_chat").await["chatId"], *chat);

    let mut theirs = provider.connect().await;
    theirs.join(&chat).await;
    let came = ours.expect("user_joined").await;
    assert_eq!((&came["userId"], &came["role"]), (&json!(provider.id), &json!("service_provider")));

    let body = json!({ "chatId": chat, "message": "hello", "clientMessageId": "m-1" });
    let ack = ours.request("send_message", body).await;
    assert_eq!((&ack["ok"], &ack["status"]), (&json!(true), &json!("stored")), "{ack}");
    assert_eq!(ack["message"]["seq"], 1);
    assert_eq!(ack["message"]["clientMessageId"], "m-1");

    let own = ours.expect("new_message").await;
    assert_eq!(own, ack["message"], "the author's copy is the acknowledged message");
    let copy = theirs.expect("new_message").await;
    assert_eq!(copy["id"], own["id"]);
    assert_eq!(copy["message"], "hello");
    assert_eq!(copy["sender_type"], "customer");
    assert_eq!(copy["sender_id"], customer.id);
    assert!(copy.get("clientMessageId").is_none(), "only the author's copy has it: {copy}");

    let (_, history) = customer.get(&format!("/chat/{chat}/messages")).await;
    assert_eq!(history["messages"][0]["id"], own["id"]);
}

#[tokio::test]
async fn the_default_namespace_is_the_same_service() {
    let fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let mut one = customer.connect_at("/").await;
    one.join(&chat).await;
    let two = provider.enter(&chat).await;
    assert_eq!(one.expect("user_joined").await["userId"], provider.id);
    two.send(&chat, "over there").await;
    assert_eq!(one.expect("new_message").await["message"], "over there");
}

#[tokio::test]
async fn a_stranger_is_denied_and_hears_nothing() {
    let fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let (mut ours, mut theirs) = (customer.enter(&chat).await, provider.enter(&chat).await);
    let mut stranger = fixture.register("customer").await.connect().await;
    let missing = uuid::Uuid::new_v4().to_string();
    for chat in [&chat, &missing] {
        for (event, body) in [
            ("join_chat", json!({ "chatId": chat })),
            ("join_chat", json!({ "chatId": chat, "sinceSeq": 0 })),
            ("leave_chat", json!({ "chatId": chat })),
            ("send_message", json!({ "chatId": chat, "message": "let me in" })),
            ("fetch_messages", json!({ "chatId": chat, "afterSeq": 0, "limit": 10 })),
            ("typing", json!({ "chatId": chat, "isTyping": true })),
            ("mark_read", json!({ "chatId": chat })),
        ] {
            let ack = stranger.request(event, body).await;
            assert_eq!(ack["error"]["code"], "denied", "{event}: {ack}");
        }
    }
    ours.send(&chat, "between us").await;
    theirs.expect("new_message").await;
    ours.expect("new_message").await;
    for live in [&mut ours, &mut theirs] {
        let heard = live.has("user_typing") || live.has("messages_read");
        assert!(!heard, "the stranger reached the room");
    }
    // Everything sent to the stranger before this answer has come.
    stranger.request("typing", json!({ "chatId": chat, "isTyping": true })).await;
    assert!(stranger.came_nothing(), "{stranger:?}");
}

#[tokio::test]
async fn somebody_with_two_devices_comes_once_and_goes_once() {
    let fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let mut ours = customer.enter(&chat).await;
    let mut first = provider.enter(&chat).await;
    ours.expect("user_joined").await;
    let second = provider.enter(&chat).await;
    first.join(&chat).await;
    first.send(&chat, "marker").await;
    ours.expect("new_message").await;
    assert!(!ours.has("user_joined"), "a second device, and a second join, are no arrival");

    let left = second.request("leave_chat", json!({ "chatId": chat })).await;
    assert_eq!(left["ok"], true, "{left}");
    first.send(&chat, "marker").await;
    ours.expect("new_message").await;
    assert!(!ours.has("user_left"), "the first device is still here");
    first.abort();
    assert_eq!(ours.expect("user_left").await["userId"], provider.id);
}

#[tokio::test]
async fn who_left_hears_no_more() {
    let fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let (mut ours, mut theirs) = (customer.enter(&chat).await, provider.enter(&chat).await);
    let ack = theirs.request("leave_chat", json!({ "chatId": chat })).await;
    assert_eq!(ack["ok"], true, "{ack}");
    assert_eq!(theirs.expect("left_chat").await["chatId"], *chat);
    assert_eq!(ours.expect("user_left").await["userId"], provider.id);
    ours.send(&chat, "alone").await;
    ours.expect("new_message").await;
    let again = theirs.request("leave_chat", json!({ "chatId": chat })).await;
    assert_eq!(again["error"]["code"], "denied", "only a room that this socket is in: {again}");
    assert!(!theirs.has("new_message"));
}

#[tokio::test]
async fn typing_reaches_the_others_in_the_room_only() {
    let fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let (mut ours, mut theirs) = (customer.enter(&chat).await, provider.enter(&chat).await);
    let outside = customer.connect().await;
    let ack = outside.request("typing", json!({ "chatId": chat, "isTyping": true })).await;
    assert_eq!(ack["error"]["code"], "denied", "only from a socket in the room: {ack}");
    let ack = ours.request("typing", json!({ "chatId": chat, "isTyping": true })).await;
    assert_eq!(ack["ok"], true, "{ack}");
    let typing = theirs.expect("user_typing").await;
    assert_eq!(typing, json!({ "userId": customer.id, "chatId": chat, "isTyping": true }));
    theirs.send(&chat, "marker").await;
    ours.expect("new_message").await;
    assert!(!ours.has("user_typing"), "one's own typing comes back");
}

#[tokio::test]
async fn a_read_mark_is_stored_and_told_to_the_others() {
    let fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let (mut ours, mut theirs) = (customer.enter(&chat).await, provider.enter(&chat).await);
    for text in ["one", "two", "three"] {
        ours.send(&chat, text).await;
    }
    let (_, before) = provider.get(&format!("/chat/{chat}")).await;
    assert_eq!(before["unreadCount"], 3);
    let ack = theirs.request("mark_read", json!({ "chatId": chat, "seq": 2 })).await;
    assert_eq!(ack["ok"], true, "{ack}");
    let read = ours.expect("messages_read").await;
    assert_eq!(read, json!({ "userId": provider.id, "chatId": chat, "seq": 2 }));
    let (_, after) = provider.get(&format!("/chat/{chat}")).await;
    assert_eq!(after["unreadCount"], 1);
    assert!(!theirs.has("messages_read"), "not to the socket that has read");
    theirs.request("mark_read", json!({ "chatId": chat })).await;
    assert_eq!(ours.expect("messages_read").await["seq"], 3);
}

#[tokio::test]
async fn a_member_is_online_with_the_first_socket_and_offline_with_the_last() {
    let fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let mut ours = customer.enter(&chat).await;
    let first = provider.connect().await;
    let online = ours.expect("presence").await;
    assert_eq!(online["userId"], provider.id);
    assert_eq!((&online["chatId"], &online["status"]), (&json!(chat), &json!("online")));
    let second = provider.connect().await;
    first.abort();
    let (_, seen) = customer.get(&format!("/chat/{chat}")).await;
    let status = |chat: &serde_json::Value| {
        let members = chat["members"].as_array().unwrap().clone();
        members.into_iter().find(|m| m["userId"] == provider.id).unwrap()["status"].clone()
    };
    assert_eq!(status(&seen), "online");
    second.abort();
    let offline = ours.expect("presence").await;
    assert_eq!(offline["status"], "offline", "the first device's end is not told");
    assert!(offline["lastSeen"].is_string(), "{offline}");
}

#[tokio::test]
async fn a_token_that_is_not_ours_is_refused_with_its_code() {
    let fixture = Fixture::start().await;
    let person = fixture.register("customer").await;
    for wrong in ["", "x", "a.b.c", &person.refresh_token, &person.token[..person.token.len() - 4]]
    {
        let refused = connect(&fixture.url, wrong).await.expect_err("a wrong token connects");
        assert_eq!(refused.data.unwrap(), json!({ "code": "unauthenticated" }), "{wrong}");
    }
}

/// Typing is skipped where frames wait already; its end is not, or somebody would be seen typing on.
#[tokio::test]
async fn that_somebody_has_stopped_typing_is_always_said() {
    let fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let (ours, mut theirs) = (customer.enter(&chat).await, provider.enter(&chat).await);
    for _ in 0..20 {
        for is_typing in std::iter::repeat_n(true, 40).chain([false]) {
            ours.emit("typing", json!({ "chatId": chat, "isTyping": is_typing }));
        }
        while theirs.expect("user_typing").await["isTyping"] == true {}
    }
}

/// Two devices in the room and one outside: what one has read the others know, and all count alike.
#[tokio::test]
async fn the_devices_of_a_person_agree_on_what_is_read() {
    let fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let ours = customer.enter(&chat).await;
    let (mut phone, mut desk) = (provider.enter(&chat).await, provider.enter(&chat).await);
    let tablet = provider.log_in("correct horse").await;
    let mut outside = [tablet.connect().await, provider.connect().await];
    for text in ["one", "two", "three"] {
        ours.send(&chat, text).await;
    }
    for live in &mut outside {
        for before in 1..=3 {
            let pushed = live.expect("notification:created").await;
            assert_eq!(pushed["notification"]["type"], "message");
            // Pushes may be read together: each says how many there are by then.
            assert!(pushed["unreadCount"].as_i64().unwrap() > before, "{pushed}");
        }
    }
    let ack = phone.request("mark_read", json!({ "chatId": chat, "seq": 2 })).await;
    assert_eq!(ack["ok"], true, "{ack}");
    let read = json!({ "userId": provider.id, "chatId": chat, "seq": 2 });
    assert_eq!(desk.expect("messages_read").await, read, "the other device of the same person");
    // An older mark of a device that is behind takes nothing back.
    desk.request("mark_read", json!({ "chatId": chat, "seq": 1 })).await;
    for person in [&provider, &tablet] {
        let (_, view) = person.get(&format!("/chat/{chat}")).await;
        assert_eq!(view["unreadCount"], 1, "{view}");
        let me = view["members"].as_array().unwrap().iter().find(|m| m["userId"] == person.id);
        assert_eq!(me.unwrap()["lastReadSeq"], 2, "{view}");
    }
    assert!(!phone.has("notification:created") && !desk.has("notification:created"));
    let (status, left) = tablet.post("/notifications/read-all", json!({})).await;
    assert_eq!((status, &left["unreadCount"]), (200, &json!(0)), "{left}");
    assert_eq!(provider.get("/notifications").await.1["unreadCount"], 0);
}
