//! Exactly once (promise 3; C10, C11 of RELIABILITY): one key is one row, however often, whenever
//! and from wherever it is sent.

use serde_json::{Value, json};

use crate::fixture::{Fixture, Live, Person, SOON};

#[tokio::test]
async fn a_key_sent_32_times_at_once_is_one_row_one_answer_and_one_broadcast() {
    const KEYS: usize = 100;
    const COPIES: usize = 32;
    let server = Fixture::start().await;
    let (customer, provider, chat) = server.booking().await;
    let mut theirs = provider.enter(&chat).await;
    let mut devices = Vec::new();
    for _ in 0..4 {
        devices.push(customer.connect().await);
    }
    for key in 0..KEYS {
        let body = json!({ "chatId": chat, "message": "x", "clientMessageId": format!("k{key}") });
        let asked: Vec<_> =
            (0..COPIES).map(|n| devices[n % devices.len()].ask("send_message", &body)).collect();
        let mut stored = 0;
        let mut message = Value::Null;
        for ack in asked {
            let ack: Value = ack.within(SOON).await.unwrap().get(0).unwrap();
            assert_eq!(ack["ok"], true, "{ack}");
            stored += usize::from(ack["status"] == "stored");
            if message.is_null() {
                message = ack["message"].clone();
            }
            assert_eq!(ack["message"], message, "one answer for all");
        }
        assert_eq!(stored, 1, "k{key}");
        assert_eq!(message["seq"], key + 1);
        assert_eq!(theirs.expect("new_message").await["id"], message["id"]);
        // What a device hears of others must be taken from it.
        devices.iter_mut().for_each(|live| drop(live.take_all("notification:created")));
    }
    theirs.send(&chat, "marker").await;
    assert_eq!(theirs.expect("new_message").await["message"], "marker", "no second broadcast");
    let (_, history) = customer.get(&format!("/chat/{chat}/messages")).await;
    assert_eq!(history["messages"].as_array().unwrap().len(), KEYS + 1);
}

const OLDER: &str =
    "update messages set created_at = created_at - interval '30 days' where chat_id = $1";
const YOUNGER: &str =
    "update messages set created_at = created_at + interval '30 days' where chat_id = $1";

async fn send(live: &Live, chat: &str, text: &str) -> Value {
    let body = json!({ "chatId": chat, "message": text, "clientMessageId": "the-key" });
    live.request("send_message", body).await
}

#[tokio::test]
async fn a_key_stands_for_its_message_over_reconnects_refreshes_restarts_and_time() {
    let mut server = Fixture::start().await;
    let (customer, provider, chat) = server.booking().await;
    let first = send(&customer.connect().await, &chat, "once").await;
    assert_eq!(first["status"], "stored", "{first}");
    let message = first["message"].clone();
    let check = async |live: &Live, how: &str| {
        let again = send(live, &chat, "once").await;
        assert_eq!((&again["status"], &again["message"]), (&json!("duplicate"), &message), "{how}");
        let other = send(live, &chat, "twice").await;
        assert_eq!(other["error"]["code"], "idempotency_conflict", "{how}: {other}");
    };
    let live = customer.connect().await;
    check(&live, "reconnect").await;

    let body = json!({ "refreshToken": customer.refresh_token });
    let (status, fresh) = customer.post("/auth/refresh", body).await;
    assert_eq!(status, 200, "{fresh}");
    let token = fresh["accessToken"].as_str().unwrap().to_owned();
    let ack = live.request("refresh_auth", json!({ "token": token })).await;
    assert_eq!(ack["ok"], true, "{ack}");
    check(&live, "refresh of the living session").await;
    let refreshed = Person { token, ..customer.clone() };
    check(&refreshed.connect().await, "a new token").await;
    check(&customer.log_in("correct horse").await.connect().await, "another session").await;

    server.sql_of_chat(OLDER, &chat).await;
    let old = send(&customer.connect().await, &chat, "once").await;
    assert_eq!((&old["status"], &old["message"]["id"]), (&json!("duplicate"), &message["id"]));
    server.sql_of_chat(YOUNGER, &chat).await;

    server.stop().await;
    server.start_again().await;
    check(&customer.connect().await, "restart").await;

    let second = customer.book(&provider).await;
    let elsewhere = send(&customer.connect().await, &second, "twice").await;
    assert_eq!(elsewhere["status"], "stored", "another chat");
    let others = send(&provider.connect().await, &chat, "twice").await;
    assert_eq!(others["status"], "stored", "another sender");
    assert_eq!(others["message"]["seq"], 2);
}
