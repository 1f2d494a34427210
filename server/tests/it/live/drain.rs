//! A graceful stop: told, finished, closed, within its time.

use std::time::Duration;

use serde_json::{Value, json};

use crate::fixture::{Fixture, SOON};

#[tokio::test]
async fn a_stop_is_announced_and_closes_transports() {
    let mut fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let (mut ours, mut theirs) = (customer.enter(&chat).await, provider.enter(&chat).await);
    let took = fixture.stop().await;
    assert!(took < Duration::from_secs(10), "{took:?}");
    for live in [&mut ours, &mut theirs] {
        let reason = live.closed().await;
        assert!(live.expect_came("server_draining")["reconnectInMs"].is_u64());
        let name = reason.to_string();
        assert!(name.starts_with("transport"), "a plain client would not come back: {name}");
    }
    fixture.start_again().await;
    ours = customer.enter(&chat).await;
    ours.send(&chat, "back").await;
    ours.expect("new_message").await;
}

#[tokio::test]
async fn what_was_acknowledged_before_a_stop_is_there_after_it() {
    let mut fixture = Fixture::start().await;
    let (customer, _, chat) = fixture.booking().await;
    let live = customer.enter(&chat).await;
    let body = json!({ "chatId": chat, "message": "x" });
    let acks: Vec<_> = (0..200).map(|_| live.ask("send_message", &body)).collect();
    fixture.stop().await;
    let mut acked = 0;
    for ack in acks {
        let Ok(ack) = ack.within(SOON).await else { continue };
        let ack: Value = ack.get(0).unwrap();
        match ack["error"]["code"].as_str() {
            None => acked = ack["message"]["seq"].as_i64().unwrap(),
            Some(code) => assert_eq!(code, "draining"),
        }
    }
    fixture.start_again().await;
    let (_, history) = customer.get(&format!("/chat/{chat}/messages")).await;
    let stored = history["messages"].as_array().unwrap().len();
    assert!(stored >= usize::try_from(acked).unwrap(), "{stored} stored, {acked} acknowledged");
}
