//! Promises 1 to 4: stored before seen, in order, once, and nothing lost.

use serde_json::{Value, json};

use crate::fixture::{Fixture, Live};

/// `seq` of the next so many messages of a socket.
async fn next_seqs(live: &mut Live, count: usize) -> Vec<i64> {
    let mut seqs = Vec::new();
    while seqs.len() < count {
        seqs.push(live.expect("new_message").await["seq"].as_i64().unwrap());
    }
    seqs
}

#[tokio::test]
async fn sixteen_senders_at_once_are_heard_in_one_order() {
    const SENDERS: usize = 16;
    /// All together fewer than a client takes in before it is read from.
    const EACH: usize = 15;
    let fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let mut listeners = [customer.enter(&chat).await, provider.enter(&chat).await];
    let mut sockets = Vec::new();
    for at in 0..SENDERS {
        sockets.push(if at % 2 == 0 { &customer } else { &provider }.enter(&chat).await);
    }
    let mut senders = Vec::new();
    for (at, live) in sockets.into_iter().enumerate() {
        let chat = chat.clone();
        senders.push(tokio::spawn(async move {
            let mut acks = Vec::new();
            for n in 0..EACH {
                let body = json!({ "chatId": chat, "message": format!("{at}/{n}") });
                acks.push(live.ask("send_message", body));
            }
            let mut seqs = Vec::new();
            for ack in acks {
                let ack: Value = ack.within(crate::fixture::SOON).await.unwrap().get(0).unwrap();
                seqs.push(ack["message"]["seq"].as_i64().unwrap());
            }
            (live, seqs)
        }));
    }
    let all: Vec<i64> = (1..=i64::try_from(SENDERS * EACH).unwrap()).collect();
    for listener in &mut listeners {
        assert_eq!(next_seqs(listener, all.len()).await, all);
    }
    for sender in senders {
        let (mut live, acked) = sender.await.unwrap();
        assert!(acked.is_sorted(), "one socket's messages keep their order: {acked:?}");
        assert_eq!(next_seqs(&mut live, all.len()).await, all, "a sender hears everybody");
    }
}

#[tokio::test]
async fn the_sender_is_acknowledged_before_the_room_hears() {
    let fixture = Fixture::start().await;
    let (customer, _, chat) = fixture.booking().await;
    // Over polling, because there the order of the frames themselves can be read.
    let poll = Poll::open(&fixture).await;
    poll.post(&format!("40/chat,{}", json!({ "token": customer.token }))).await;
    poll.until("connected").await;
    poll.post(&format!("42/chat,0[\"join_chat\",{}]", json!({ "chatId": chat }))).await;
    poll.until("joined_chat").await;
    for n in 1..=5 {
        let body = json!({ "chatId": chat, "message": "hi" });
        poll.post(&format!("42/chat,{n}[\"send_message\",{body}]")).await;
        let frames = poll.until("new_message").await;
        let at = |what: &str| frames.iter().position(|frame| frame.starts_with(what));
        let acked = at(&format!("43/chat,{n}[{{\"ok\":true")).expect("no acknowledgement");
        let heard = at("42/chat,[\"new_message\"").expect("no broadcast");
        assert!(acked < heard, "{frames:?}");
    }
}

/// A session over long polling, frame by frame.
struct Poll<'a> {
    fixture: &'a Fixture,
    url: String,
}

impl<'a> Poll<'a> {
    async fn open(fixture: &'a Fixture) -> Self {
        let mut url = format!("{}/socket.io/?EIO=4&transport=polling", fixture.url);
        let open = fixture.http.get(&url).send().await.unwrap().text().await.unwrap();
        let open: Value = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
        url.push_str("&sid=");
        url.push_str(open["sid"].as_str().unwrap());
        Self { fixture, url }
    }

    async fn post(&self, frame: &str) {
        let request = self.fixture.http.post(&self.url).body(frame.to_owned());
        assert_eq!(request.send().await.unwrap().text().await.unwrap(), "ok");
    }

    /// All frames up to the one that holds these words.
    async fn until(&self, words: &str) -> Vec<String> {
        let mut frames: Vec<String> = Vec::new();
        while !frames.iter().any(|frame| frame.contains(words)) {
            let request = self.fixture.http.get(&self.url).timeout(crate::fixture::SOON);
            let body = request.send().await.unwrap().text().await.unwrap();
            frames.extend(body.split('\u{1e}').map(str::to_owned));
        }
        frames
    }
}

#[tokio::test]
async fn a_message_that_is_sent_twice_is_one_message() {
    let fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let (ours, mut theirs) = (customer.enter(&chat).await, provider.enter(&chat).await);
    let body = json!({ "chatId": chat, "message": "once", "clientMessageId": "key" });
    let first = ours.request("send_message", &body).await;
    let second = ours.request("send_message", &body).await;
    assert_eq!((&first["status"], &second["status"]), (&json!("stored"), &json!("duplicate")));
    assert_eq!(first["message"], second["message"]);

    let other = json!({ "chatId": chat, "message": "else", "clientMessageId": "key" });
    let conflict = ours.request("send_message", other).await;
    assert_eq!(conflict["error"]["code"], "idempotency_conflict");

    let foreign = json!({ "chatId": chat, "message": "mine", "clientMessageId": "key" });
    let foreign = theirs.request("send_message", foreign).await;
    assert_eq!(foreign["status"], "stored", "a key belongs to its sender");
    assert_eq!(next_seqs(&mut theirs, 2).await, [1, 2]);
}

#[tokio::test]
async fn the_same_key_at_the_same_instant_is_one_row_and_one_broadcast() {
    let fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let mut theirs = provider.enter(&chat).await;
    let sockets = [customer.connect().await, customer.connect().await];
    for round in 1..=20_i64 {
        let body =
            json!({ "chatId": chat, "message": "x", "clientMessageId": format!("k{round}") });
        let asked: Vec<_> = (0..8).map(|n| sockets[n % 2].ask("send_message", &body)).collect();
        let mut statuses = Vec::new();
        for ack in asked {
            let ack: Value = ack.within(crate::fixture::SOON).await.unwrap().get(0).unwrap();
            assert_eq!(ack["message"]["seq"], round, "{ack}");
            statuses.push(ack["status"] == "stored");
        }
        assert_eq!(statuses.iter().filter(|stored| **stored).count(), 1);
    }
    let all: Vec<i64> = (1..=20).collect();
    assert_eq!(next_seqs(&mut theirs, 20).await, all);
}

/// A row as a crashed server leaves it: committed, told to nobody.
const BEHIND: &str = "
    with place as (update chats set last_seq = last_seq + 1 where id = $1 returning last_seq)
    insert into messages (chat_id, seq, id, sender_id, message_type, body, created_at)
    select $1, last_seq, gen_random_uuid(), (
        select user_id from chat_members where chat_id = $1 order by user_id limit 1
    ), 'text', 'from behind', now() from place";

#[tokio::test]
async fn a_message_that_nobody_broadcast_is_found_and_seen() {
    let fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let (mut ours, mut theirs) = (customer.enter(&chat).await, provider.enter(&chat).await);
    ours.send(&chat, "one").await;
    theirs.expect("new_message").await;
    fixture.sql_of_chat(BEHIND, &chat).await;
    let found = theirs.expect("new_message").await;
    assert_eq!((&found["seq"], &found["message"]), (&json!(2), &json!("from behind")));
    ours.send(&chat, "three").await;
    assert_eq!(next_seqs(&mut theirs, 1).await, [3]);
    assert_eq!(next_seqs(&mut ours, 3).await, [1, 2, 3]);
}

#[tokio::test]
async fn a_gap_is_read_before_what_follows_it_is_heard() {
    let fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let (ours, mut theirs) = (customer.enter(&chat).await, provider.enter(&chat).await);
    ours.send(&chat, "one").await;
    for _ in 0..3 {
        fixture.sql_of_chat(BEHIND, &chat).await;
    }
    ours.send(&chat, "five").await;
    assert_eq!(next_seqs(&mut theirs, 5).await, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn messages_keep_their_order_with_the_requests_behind_them() {
    let fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let (ours, mut theirs) = (customer.enter(&chat).await, provider.enter(&chat).await);
    ours.emit("send_message", json!({ "chatId": chat, "message": "last words" }));
    ours.emit("leave_chat", json!({ "chatId": chat }));
    let said = theirs.next_of(&["new_message", "user_left"]).await;
    assert_eq!(said.0, "new_message");
    assert_eq!(theirs.next_of(&["new_message", "user_left"]).await.0, "user_left");
}

#[tokio::test]
async fn a_closed_chat_takes_no_more_messages() {
    let fixture = Fixture::start().await;
    let (customer, _, chat) = fixture.booking().await;
    let live = customer.enter(&chat).await;
    live.send(&chat, "before").await;
    let (_, jobs) = customer.get("/jobs").await;
    let (status, body) =
        customer.post(&format!("/jobs/{}/cancel", jobs["jobs"][0]["id"]), json!({})).await;
    assert!((200..300).contains(&status), "{status} {body}");
    let body = json!({ "chatId": chat, "message": "after" });
    assert_eq!(live.request("send_message", body).await["error"]["code"], "chat_closed");
    let page = json!({ "chatId": chat, "afterSeq": 0, "limit": 10 });
    assert_eq!(live.request("fetch_messages", page).await["messages"].as_array().unwrap().len(), 1);
}
