//! Losing the connection and coming back, over real sockets.

use serde_json::json;
use trialogue_client::{Begin, LinkState, Update, Via};

use crate::cast::{Client, quick, rest};
use crate::stage::{Stage, chat};

#[tokio::test]
async fn a_killed_server_is_waited_for_and_nothing_is_missed_or_shown_twice() {
    let mut stage = Stage::open().await;
    let mut client = Client::in_chat(&stage).await;
    stage.say("1");
    client.shown(1).await;
    stage.kill().await;
    client.until_link(|s| matches!(s, LinkState::Reconnecting { attempt: 3.., .. })).await;
    for n in 2..=8 {
        // Said by others, to a server that our client does not see.
        stage.say(&n.to_string());
    }
    stage.revive().await;
    client.until_link(|s| matches!(s, LinkState::Syncing { .. })).await;
    client.until_link(|s| *s == LinkState::Connected).await;
    stage.say("9");
    let shown = client.shown(9).await;
    let texts: Vec<_> = shown.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(texts, ["1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    assert_eq!((shown[1].1, shown[8].1), (Via::CatchUp, Via::Live));
    let again = |u: &&Update| matches!(u, Update::Joined { again: true, .. });
    assert_eq!(client.told.iter().filter(again).count(), 1);
}

#[tokio::test]
async fn five_hundred_messages_of_an_offline_hour_arrive_once_and_in_order() {
    let mut stage = Stage::open().await;
    let mut client = Client::in_chat(&stage).await;
    stage.kill().await;
    client.until_link(|s| matches!(s, LinkState::Reconnecting { .. })).await;
    let texts: Vec<String> = (0..500).map(|n| format!("message {n}")).collect();
    let mut last = None;
    for text in &texts {
        last = Some(client.handle.send(chat(), text).await.unwrap());
    }
    stage.revive().await;
    client.end_of(&last.unwrap()).await;
    let play = stage.play();
    let stored: Vec<_> = play.messages.iter().map(|row| row.message.as_str()).collect();
    assert_eq!(stored, texts);
    assert_eq!(play.count("send_message"), 500, "one each, at once");
}

#[tokio::test]
async fn an_abrupt_cut_heals_by_itself() {
    let stage = Stage::open().await;
    let mut client = Client::in_chat(&stage).await;
    for round in 0..5 {
        client.handle.abort().await.unwrap();
        client.until_link(|s| matches!(s, LinkState::Reconnecting { .. })).await;
        client.until_link(|s| *s == LinkState::Connected).await;
        stage.say(&round.to_string());
        client.shown(round + 1).await;
    }
}

#[tokio::test]
async fn a_lost_event_is_found_and_fetched() {
    let stage = Stage::open().await;
    let mut client = Client::in_chat(&stage).await;
    stage.play().cues.lose_live = 2;
    for text in ["a", "b", "c"] {
        stage.say(text);
    }
    assert_eq!(client.texts(3).await, ["a", "b", "c"]);
    // The tail: nothing follows that would show the gap but the server's positions.
    stage.play().cues.lose_live = 1;
    stage.say("d");
    stage.emit("positions", &json!({"chats": {(chat().to_string()): 4}, "epoch": "e1"}));
    assert_eq!(client.texts(4).await, ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn a_restored_database_is_noticed_and_shown_anew() {
    let mut stage = Stage::open().await;
    let mut client = Client::in_chat(&stage).await;
    (0..3).for_each(|n| stage.say(&n.to_string()));
    client.shown(3).await;
    stage.kill().await;
    {
        let mut play = stage.play();
        play.epoch = "e2".to_owned();
        play.messages.truncate(1);
    }
    stage.revive().await;
    client.until(|u| matches!(u, Update::Reset { .. })).await;
    assert_eq!(client.texts(4).await, ["0", "1", "2", "0"]);
}

#[tokio::test]
async fn a_chat_opens_with_its_newest_messages_and_older_ones_come_when_asked_for() {
    let stage = Stage::open().await;
    (1..=5).for_each(|n| stage.say(&n.to_string()));
    let mut client = Client::start(quick(rest(&stage, "good")));
    client.enter(Begin::Newest(2)).await;
    assert_eq!(client.texts(2).await, ["4", "5"]);
    client.handle.older(chat(), 50).await.unwrap();
    let older = client.until(|u| matches!(u, Update::Older { .. })).await;
    let Update::Older { messages, more, .. } = older else { panic!() };
    let texts: Vec<_> = messages.iter().map(|m| m.message.as_str()).collect();
    assert_eq!((texts, more), (vec!["2", "3"], true));
}

#[tokio::test]
async fn a_draining_server_is_given_its_time() {
    let mut stage = Stage::open().await;
    let mut client = Client::in_chat(&stage).await;
    stage.emit("server_draining", &json!({"reconnectInMs": 300}));
    client.until(|u| matches!(u, Update::Event { name, .. } if name == "server_draining")).await;
    stage.kill().await;
    let state = client.until_link(|s| matches!(s, LinkState::Reconnecting { .. })).await;
    let LinkState::Reconnecting { next_in, .. } = state else { panic!() };
    assert_eq!(next_in.as_millis(), 300);
}

#[tokio::test]
async fn a_server_that_never_says_connected_is_not_called_ready() {
    let stage = Stage::open().await;
    stage.play().cues.mute = true;
    let mut config = quick(rest(&stage, "good"));
    config.connect_timeout = std::time::Duration::from_millis(200);
    let mut client = Client::start(config);
    client.until_link(|s| matches!(s, LinkState::Reconnecting { .. })).await;
    stage.play().cues.mute = false;
    client.until_link(|s| *s == LinkState::Connected).await;
    assert!(client.told.iter().any(|u| matches!(u, Update::Ready(c) if c.user_id.0 == 1)));
}

#[tokio::test]
async fn a_face_that_does_not_read_stops_the_socket_and_loses_nothing() {
    let stage = Stage::open().await;
    let mut client = Client::in_chat(&stage).await;
    for n in 0..3_000 {
        stage.say(&n.to_string());
        if n % 200 == 0 {
            tokio::task::yield_now().await;
        }
    }
    // Commands are still served while updates wait.
    assert_eq!(client.handle.kept().await.unwrap(), []);
    let expected: Vec<String> = (0..3_000).map(|n| n.to_string()).collect();
    assert_eq!(client.texts(3_000).await, expected);
}

#[tokio::test]
async fn closing_ends_the_session_and_its_updates() {
    let stage = Stage::open().await;
    let mut client = Client::in_chat(&stage).await;
    let handle = client.handle.clone();
    tokio::spawn(async move { handle.close().await });
    client.until_link(|s| *s == LinkState::Closed).await;
    while client.next().await.is_some() {}
    assert_eq!(client.handle.typing(chat(), true).await, Err(trialogue_client::Error::Closed));
}
