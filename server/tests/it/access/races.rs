//! Two things at once: joining, leaving and closing beside people who speak (B8, B9 of RELIABILITY).
//!
//! What a race may not show is shown by its outcome: whatever came first, the rows and the answers
//! tell one story.

use std::collections::VecDeque;

use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::database;
use crate::fixture::{Fixture, Live, Person, SOON};

/// A number behind the server's back, with a chat and a person as `$1` and `$2`.
async fn count(sql: &'static str, chat: &str, person: i64, outside: &mut PgConnection) -> i64 {
    let chat: Uuid = chat.parse().unwrap();
    sqlx::query_scalar(sql).bind(chat).bind(person).fetch_one(outside).await.unwrap()
}

/// Speaks, two messages under way at a time, until one is refused so; the places of what was stored.
///
/// `begun` is told when `enough` of them are stored, so that what ends the talk comes in the middle
/// of it however fast either is. Behind the first refusal nothing may be stored. The `listener`
/// takes what comes meanwhile: a client stops reading when nobody does.
async fn speak(
    live: &mut Live,
    listener: &mut Live,
    (chat, refusal): (&str, &str),
    (enough, begun): (usize, &Notify),
) -> Vec<i64> {
    const AT_MOST: usize = 10_000;
    let body = json!({ "chatId": chat, "message": "in time?" });
    let mut asked = VecDeque::from([(); 2].map(|()| live.ask("send_message", &body)));
    let (mut stored, mut refused) = (Vec::new(), false);
    while let Some(ack) = asked.pop_front() {
        if stored.len() == enough {
            begun.notify_one();
        }
        let ack: Value = ack.within(SOON).await.unwrap().get(0).unwrap();
        for live in [&mut *live, &mut *listener] {
            live.take_in();
        }
        match ack["error"]["code"].as_str() {
            None => {
                assert!(!refused, "stored behind a refusal: {ack}");
                stored.push(ack["message"]["seq"].as_i64().unwrap());
                assert!(stored.len() < AT_MOST, "nothing ends the talk");
                asked.push_back(live.ask("send_message", &body));
            }
            Some(code) => {
                assert_eq!(code, refusal, "{ack}");
                refused = true;
            }
        }
    }
    stored
}

#[tokio::test]
async fn eight_disputes_at_once_are_one_with_one_lsm_who_comes_once() {
    let server = Fixture::start().await;
    let lsm = server.register("lsm").await;
    let (customer, provider, chat) = server.booking().await;
    let mut theirs = provider.enter(&chat).await;
    let body = json!({ "chatId": chat, "description": "it still leaks" });
    let opened = join_all((0..8).map(|at| {
        let by: &Person = if at % 2 == 0 { &customer } else { &provider };
        by.post("/disputes", body.clone())
    }))
    .await;
    let mut statuses: Vec<_> = opened.iter().map(|(status, _)| *status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
    let dispute = opened.iter().find_map(|(_, body)| body["disputeId"].as_i64()).unwrap();

    let sockets = [lsm.connect().await, lsm.connect().await, lsm.connect().await];
    let path = format!("/disputes/{dispute}/join");
    let joins = join_all((0..4).map(|_| lsm.post(&path, json!({}))));
    let request = json!({ "chatId": chat });
    let entries = join_all(sockets.iter().map(|live| live.request("join_chat", &request)));
    let (joins, entries) = tokio::join!(joins, entries);
    assert!(joins.iter().all(|(status, _)| *status == 200), "{joins:?}");
    assert!(entries.iter().all(|ack| ack["ok"] == true), "{entries:?}");
    sockets[0].send(&chat, "marker").await;
    theirs.expect("new_message").await;
    let came = theirs.take_all("user_joined");
    assert_eq!(came.iter().filter(|user| user["userId"] == lsm.id).count(), 1, "{came:?}");

    let mut outside = database::connect(&server.database).await;
    for (sql, person, expect) in [
        ("select count(*) from disputes where chat_id = $1 and lsm_id = $2", lsm.id, 1),
        ("select count(*) from chat_members where chat_id = $1 and user_id = $2", lsm.id, 1),
        (
            "select count(*) from notifications
             where chat_id = $1 and recipient_id = $2 and kind = 'dispute'",
            lsm.id,
            1,
        ),
        (
            "select count(*) from notifications
             where chat_id = $1 and recipient_id = $2 and kind = 'dispute_joined'",
            customer.id,
            1,
        ),
    ] {
        assert_eq!(count(sql, &chat, person, &mut outside).await, expect, "{sql}");
    }
    outside.close().await.unwrap();
}

#[tokio::test]
async fn nothing_is_stored_of_an_lsm_after_the_end_of_the_dispute() {
    const ROUNDS: usize = 25;
    let server = Fixture::start().await;
    let lsm = server.register("lsm").await;
    let (customer, _, chat) = server.booking().await;
    let (mut ours, mut third) = (customer.connect().await, lsm.connect().await);
    let mut all = Vec::new();
    for round in 0..ROUNDS {
        let dispute = customer.dispute(&chat).await;
        third.join(&chat).await;
        let begun = Notify::new();
        let resolve = async {
            begun.notified().await;
            let path = format!("/disputes/{dispute}/resolve");
            lsm.post(&path, json!({ "resolution": "done" })).await
        };
        // Early in some rounds, late in others.
        let what = (chat.as_str(), "denied");
        let speak = speak(&mut third, &mut ours, what, (round, &begun));
        let (resolved, stored) = tokio::join!(resolve, speak);
        assert_eq!(resolved.0, 200, "{}", resolved.1);
        let marker = ours.send(&chat, "alone again").await["seq"].as_i64().unwrap();
        assert!(stored.iter().all(|seq| *seq < marker), "{stored:?}, and then {marker}");
        all.extend(stored);
        // What is not taken from a client stops it.
        ours.take_all("notification:created");
        ours.take_all("new_message");

        third.expect("left_chat").await;
        for (event, body) in [
            ("send_message", json!({ "chatId": chat, "message": "one more thing" })),
            ("join_chat", json!({ "chatId": chat, "sinceSeq": marker - 1 })),
            ("fetch_messages", json!({ "chatId": chat, "afterSeq": 0, "limit": 1 })),
        ] {
            let ack = third.request(event, body).await;
            assert_eq!(ack["error"]["code"], "denied", "{event}: {ack}");
        }
        let heard = third.take_all("new_message");
        assert!(heard.iter().all(|m| m["seq"].as_i64().unwrap() < marker), "{heard:?}");
    }
    let mut outside = database::connect(&server.database).await;
    let rows = "select count(*) from messages where chat_id = $1 and sender_id = $2";
    let rows = count(rows, &chat, lsm.id, &mut outside).await;
    assert_eq!(usize::try_from(rows).unwrap(), all.len(), "stored and acknowledged");
    let late = "select count(*) from messages s
                join chat_members m on m.chat_id = s.chat_id and m.user_id = s.sender_id
                where s.chat_id = $1 and m.user_id = $2 and s.created_at > m.removed_at";
    assert_eq!(count(late, &chat, lsm.id, &mut outside).await, 0);
    outside.close().await.unwrap();
}

#[tokio::test]
async fn nothing_is_stored_in_a_chat_after_it_was_closed() {
    const ROUNDS: usize = 15;
    let server = Fixture::start().await;
    let (customer, provider) =
        (server.register("customer").await, server.register("provider").await);
    let (mut theirs, mut ours) = (provider.connect().await, customer.connect().await);
    for round in 0..ROUNDS {
        let body = json!({ "providerId": provider.id });
        let (_, booked) = customer.post("/jobs/create", body).await;
        let (chat, job) = (booked["chatId"].as_str().unwrap(), &booked["jobId"]);
        let begun = Notify::new();
        let cancel = async {
            begun.notified().await;
            let path = format!("/jobs/{job}/cancel");
            let (status, body) = customer.post(&path, json!({})).await;
            assert_eq!(status, 200, "{body}");
            customer.get(&format!("/chat/{chat}/messages")).await.1
        };
        let what = (chat, "chat_closed");
        let speak = speak(&mut theirs, &mut ours, what, (round, &begun));
        let (then, stored) = tokio::join!(cancel, speak);
        let (_, now) = customer.get(&format!("/chat/{chat}/messages")).await;
        assert_eq!(then["messages"], now["messages"], "stored after the end");
        // However the race went: it is over now.
        let ack =
            theirs.request("send_message", json!({ "chatId": chat, "message": "late" })).await;
        assert_eq!(ack["error"]["code"], "chat_closed", "{ack}");
        let seqs = now["messages"].as_array().unwrap().iter().map(|m| m["seq"].as_i64().unwrap());
        assert_eq!(seqs.collect::<Vec<_>>(), stored);
    }
}
