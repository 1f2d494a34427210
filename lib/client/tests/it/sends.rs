//! Messages on their way, over real sockets.

use serde_json::json;
use trialogue_client::journal::{FileJournal, OpenError};
use trialogue_client::{Error, LinkState, Outcome, Update, Via};
use trialogue_protocol::ErrorCode;

use crate::cast::{Client, quick, rest};
use crate::stage::{Stage, chat};

#[tokio::test]
async fn a_message_is_stored_once_and_shown_once_with_its_place() {
    let stage = Stage::open().await;
    let mut client = Client::in_chat(&stage).await;
    let id = client.handle.send(chat(), "hello").await.unwrap();
    let Outcome::Stored { message, duplicate } = client.end_of(&id).await else { panic!() };
    assert_eq!((message.seq, duplicate), (Some(1), false));
    stage.say("hi");
    let shown = client.shown(2).await;
    assert_eq!(shown[1], ("hi".to_owned(), Via::Live));
    assert_eq!(shown[0].0, "hello");
    // Its own echo came too, and shows in the raw events alone.
    let raw = |u: &&Update| matches!(u, Update::Event { name, .. } if name == "new_message");
    assert_eq!(client.told.iter().filter(raw).count(), 2);
}

#[tokio::test]
async fn an_eaten_acknowledgement_ends_as_one_row_and_one_line() {
    let stage = Stage::open().await;
    let mut client = Client::in_chat(&stage).await;
    {
        let mut play = stage.play();
        play.cues.eat_acks = 2;
        play.cues.lose_live = 1;
    }
    let id = client.handle.send(chat(), "once").await.unwrap();
    let Outcome::Stored { duplicate, .. } = client.end_of(&id).await else { panic!() };
    assert!(duplicate, "an earlier emit had stored it");
    assert_eq!(client.texts(1).await, ["once"]);
    assert_eq!(stage.play().messages.len(), 1);
    assert_eq!(stage.play().count("send_message"), 3);
}

#[tokio::test]
async fn a_refusal_is_told_and_the_next_message_goes_on() {
    let stage = Stage::open().await;
    let mut client = Client::in_chat(&stage).await;
    let no = json!({"code": "chat_closed", "message": "closed", "retryable": false});
    stage.play().cues.refuse_sends.push_back(no);
    let refused = client.handle.send(chat(), "a").await.unwrap();
    let stored = client.handle.send(chat(), "b").await.unwrap();
    let Outcome::Refused(refusal) = client.end_of(&refused).await else { panic!() };
    assert_eq!(refusal.code, ErrorCode::ChatClosed);
    assert!(matches!(client.end_of(&stored).await, Outcome::Stored { .. }));
    let kept = client.handle.kept().await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].refused, Some(refusal));
    client.handle.again(refused.clone()).await.unwrap();
    assert!(matches!(client.end_of(&refused).await, Outcome::Stored { .. }));
}

#[tokio::test]
async fn not_now_is_obeyed_and_not_told_as_an_end() {
    let stage = Stage::open().await;
    let mut client = Client::in_chat(&stage).await;
    let slow = json!({"code": "rate_limited", "message": "slow", "retryable": true,
        "retryAfterMs": 150});
    stage.play().cues.refuse_sends.push_back(slow);
    let begun = std::time::Instant::now();
    let id = client.handle.send(chat(), "patience").await.unwrap();
    assert!(matches!(client.end_of(&id).await, Outcome::Stored { .. }));
    assert!(begun.elapsed().as_millis() >= 150);
}

#[tokio::test]
async fn what_is_typed_offline_waits_and_keeps_its_order() {
    let mut stage = Stage::open().await;
    let mut client = Client::in_chat(&stage).await;
    stage.kill().await;
    client.until_link(|s| matches!(s, LinkState::Reconnecting { attempt: 2.., .. })).await;
    for n in 0..50 {
        client.handle.send(chat(), &n.to_string()).await.unwrap();
    }
    stage.revive().await;
    let expected: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    assert_eq!(client.texts(50).await, expected);
    client.until_link(|s| *s == LinkState::Connected).await;
    let stored: Vec<_> = stage.play().messages.iter().map(|m| m.message.clone()).collect();
    assert_eq!(stored, expected);
}

#[tokio::test]
async fn text_that_breaks_a_limit_is_refused_at_once() {
    let stage = Stage::open().await;
    let client = Client::start(quick(rest(&stage, "good")));
    for text in ["", "  ", "a\0b", &"x".repeat(4_001)] {
        let result = client.handle.send(chat(), text).await;
        assert!(matches!(result, Err(Error::Invalid(_))), "{result:?}");
    }
}

#[tokio::test]
async fn a_raw_request_gets_its_answer_as_it_came() {
    let stage = Stage::open().await;
    let mut client = Client::in_chat(&stage).await;
    let answer = client.handle.request("anything", r#"{"x":1}"#).await.unwrap();
    assert_eq!(answer.json(), r#"[{"ok":true}]"#);
    client.handle.emit("typing", r#"{"isTyping":true}"#).await.unwrap();
    assert!(matches!(client.handle.request("x", "{").await, Err(Error::Invalid(_))));
    client.handle.stop().await.unwrap();
    client.until_link(|s| *s == LinkState::Offline).await;
    assert_eq!(client.handle.request("x", "1").await, Err(Error::NotConnected));
}

#[tokio::test]
async fn what_waits_outlives_the_process_and_is_sent_once_by_the_next() {
    let mut stage = Stage::open().await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("account");
    let with_journal = |stage: &Stage| {
        let mut config = quick(rest(stage, "good"));
        config.journal = Some(FileJournal::open(&folder, &stage.url()).unwrap());
        config
    };
    stage.kill().await;
    let client = Client::start(with_journal(&stage));
    for text in ["a", "b", "c"] {
        client.handle.send(chat(), text).await.unwrap();
    }
    let busy = FileJournal::open(&folder, &stage.url());
    assert!(matches!(busy, Err(OpenError::Busy)), "two writers would send twice");
    client.handle.close().await;
    stage.revive().await;
    let mut client = Client::start(with_journal(&stage));
    let kept = client.handle.kept().await.unwrap();
    let last = kept.last().unwrap().draft.id.clone();
    assert!(matches!(client.end_of(&last).await, Outcome::Stored { .. }));
    client.handle.close().await;
    let stored: Vec<_> = stage.play().messages.iter().map(|m| m.message.clone()).collect();
    assert_eq!(stored, ["a", "b", "c"]);
    let opened = FileJournal::open(&folder, &stage.url()).unwrap();
    assert_eq!(opened.restored, [], "nothing is sent again");
}
