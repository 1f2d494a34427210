//! Chats as their members see them.

use serde_json::{Value, json};

use super::{Trio, check_error};

#[tokio::test]
async fn chats_are_listed_most_recently_active_first() {
    let trio = Trio::new().await;
    let second = trio.customer.book(&trio.provider).await;
    let third = trio.customer.book(&trio.provider).await;
    let live = trio.provider.enter(&trio.chat).await;
    live.send(&trio.chat, "the newest").await;
    let ids = |list: &Value| -> Vec<String> {
        let chats = list["chats"].as_array().unwrap();
        chats.iter().map(|chat| chat["id"].as_str().unwrap().to_owned()).collect()
    };
    let (_, list) = trio.customer.get("/chat").await;
    assert_eq!(ids(&list), [trio.chat.clone(), third.clone(), second.clone()]);
    assert_eq!(list["chats"][0]["lastMessage"]["message"], "the newest");
    assert_eq!((&list["chats"][0]["unreadCount"], &list["next"]), (&json!(1), &Value::Null));
    let (_, page) = trio.customer.get("/chat?limit=2").await;
    assert_eq!(ids(&page), [trio.chat.clone(), third]);
    let next = page["next"].as_str().unwrap();
    let (_, page) = trio.customer.get(&format!("/chat?limit=2&cursor={next}")).await;
    assert_eq!((ids(&page), &page["next"]), (vec![second], &Value::Null));
    assert_eq!(trio.stranger.get("/chat").await.1["chats"], json!([]));
    let own = trio.provider.get("/chat").await.1;
    assert_eq!(own["chats"][0]["unreadCount"], 0, "the own message is not unread");
}

#[tokio::test]
async fn a_chat_shows_its_members_and_who_is_online() {
    let trio = Trio::new().await;
    let _live = trio.provider.connect().await;
    let (status, chat) = trio.customer.get(&format!("/chat/{}", trio.chat)).await;
    assert_eq!(status, 200, "{chat}");
    let members = chat["members"].as_array().unwrap();
    let status_of = |person: i64| {
        let member = members.iter().find(|member| member["userId"] == person).unwrap();
        (member["role"].as_str().unwrap(), member["status"].as_str().unwrap())
    };
    assert_eq!(status_of(trio.customer.id), ("customer", "offline"));
    assert_eq!(status_of(trio.provider.id), ("service_provider", "online"));
    assert!(members.iter().all(|member| member.get("email").is_none()));
    assert_eq!(chat["job"]["id"], trio.job);
}

#[tokio::test]
async fn a_foreign_chat_and_a_missing_one_are_one_answer() {
    let trio = Trio::new().await;
    let missing = uuid::Uuid::now_v7();
    for tail in ["", "/messages", "/messages?limit=1"] {
        let foreign = trio.stranger.get(&format!("/chat/{}{tail}", trio.chat)).await;
        check_error(&foreign, "denied");
        assert_eq!(foreign, trio.stranger.get(&format!("/chat/{missing}{tail}")).await);
    }
    for wrong in ["x", "user:5", "%7B0190a0b0-0000-7000-8000-00000000abcd%7D", "1", "%00", "..%2Fx"]
    {
        check_error(&trio.customer.get(&format!("/chat/{wrong}")).await, "bad_request");
        check_error(&trio.customer.get(&format!("/chat/{wrong}/messages")).await, "bad_request");
    }
    let (status, _) = trio.customer.get(&format!("/chat/{}", trio.chat.to_uppercase())).await;
    assert_eq!(status, 200, "upper case is folded");
}
