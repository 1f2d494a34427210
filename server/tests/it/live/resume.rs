//! Coming back: `sinceSeq`, pages, and the seam between history and what comes live.

use serde_json::{Value, json};

use crate::fixture::{Fixture, Live, SOON};

fn seqs(page: &Value) -> Vec<i64> {
    page["messages"].as_array().unwrap().iter().map(|m| m["seq"].as_i64().unwrap()).collect()
}

async fn say(live: &Live, chat: &str, count: usize) {
    let body = json!({ "chatId": chat, "message": "word" });
    let acks: Vec<_> = (0..count).map(|_| live.ask("send_message", &body)).collect();
    for ack in acks {
        assert_eq!(ack.within(SOON).await.unwrap().get::<Value>(0).unwrap()["ok"], true);
    }
}

#[tokio::test]
async fn a_resume_gives_what_was_missed_and_the_rest_comes_live() {
    let fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let ours = customer.enter(&chat).await;
    say(&ours, &chat, 5).await;
    let mut theirs = provider.connect().await;
    let ack = theirs.request("join_chat", json!({ "chatId": chat, "sinceSeq": 2 })).await;
    assert_eq!(seqs(&ack), [3, 4, 5]);
    assert_eq!((&ack["hasMore"], &ack["lastSeq"]), (&json!(false), &json!(5)));
    say(&ours, &chat, 1).await;
    assert_eq!(theirs.expect("new_message").await["seq"], 6);
}

#[tokio::test]
async fn a_long_absence_comes_back_page_by_page() {
    let fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let ours = customer.connect().await;
    for _ in 0..11 {
        say(&ours, &chat, 100).await;
    }
    let theirs = provider.connect().await;
    let mut all = Vec::new();
    loop {
        let since = all.last().copied().unwrap_or(0);
        let ack = theirs.request("join_chat", json!({ "chatId": chat, "sinceSeq": since })).await;
        let page = seqs(&ack);
        assert!(page.len() <= 500, "a page has {} messages", page.len());
        all.extend(page);
        if ack["hasMore"] == false {
            break;
        }
    }
    assert_eq!(all, (1..=1_100).collect::<Vec<_>>());
    let few = json!({ "chatId": chat, "sinceSeq": 0, "limit": 7 });
    let few = theirs.request("join_chat", few).await;
    assert_eq!((seqs(&few).len(), &few["hasMore"]), (7, &json!(true)));
}

#[tokio::test]
async fn a_page_ends_at_256_kib() {
    let fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let ours = customer.connect().await;
    let body = json!({ "chatId": chat, "message": "🦀".repeat(4_000) });
    let acks: Vec<_> = (0..20).map(|_| ours.ask("send_message", &body)).collect();
    for ack in acks {
        assert_eq!(ack.within(SOON).await.unwrap().get::<Value>(0).unwrap()["ok"], true);
    }
    let theirs = provider.connect().await;
    let ack = theirs.request("join_chat", json!({ "chatId": chat, "sinceSeq": 0 })).await;
    let page = seqs(&ack);
    assert!((10..20).contains(&page.len()), "16 KiB each: {}", page.len());
    assert_eq!(ack["hasMore"], true);
}

#[tokio::test]
async fn another_epoch_counts_for_nothing() {
    let fixture = Fixture::start().await;
    let (customer, _, chat) = fixture.booking().await;
    let ours = customer.enter(&chat).await;
    say(&ours, &chat, 3).await;
    let body = json!({ "chatId": chat, "sinceSeq": 3, "epoch": "of another database" });
    let ack = ours.request("join_chat", body).await;
    assert_eq!(seqs(&ack), [1, 2, 3]);
    let body = json!({ "chatId": chat, "sinceSeq": 3, "epoch": ack["epoch"] });
    assert_eq!(seqs(&ours.request("join_chat", body).await), Vec::<i64>::new());
}

#[tokio::test]
async fn whoever_joins_in_the_middle_of_it_has_neither_a_hole_nor_a_double() {
    /// Fewer than a client takes in before it is read from.
    const ALL: i64 = 240;
    let fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let ours = customer.connect().await;
    // Who says to have seen two messages must not come before there are any.
    say(&ours, &chat, 4).await;
    let talk = tokio::spawn({
        let chat = chat.clone();
        async move {
            for _ in 1..(ALL / 4) {
                say(&ours, &chat, 4).await;
            }
            ours
        }
    });
    let mut joined = Vec::new();
    for since in [0, 0, 1, 2, 0, 0] {
        let live = provider.connect().await;
        let body = json!({ "chatId": chat, "sinceSeq": since, "limit": 500 });
        let ack = live.request("join_chat", body).await;
        assert_eq!(ack["ok"], true, "{ack}");
        joined.push((since, live, ack));
    }
    let _ours = talk.await.unwrap();
    for (since, mut live, ack) in joined {
        let mut all = seqs(&ack);
        let mut last = ack["lastSeq"].as_i64().unwrap();
        if ack["hasMore"] == true {
            all.extend(all.last().copied().unwrap() + 1..=last);
        }
        while last < ALL {
            last = live.expect("new_message").await["seq"].as_i64().unwrap();
            all.push(last);
        }
        assert_eq!(all, (since + 1..=ALL).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_restart_loses_nothing() {
    let mut fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let ours = customer.enter(&chat).await;
    say(&ours, &chat, 3).await;
    fixture.stop().await;
    fixture.start_again().await;
    let (ours, mut theirs) = (customer.enter(&chat).await, provider.connect().await);
    let ack = theirs.request("join_chat", json!({ "chatId": chat, "sinceSeq": 1 })).await;
    assert_eq!(seqs(&ack), [2, 3]);
    say(&ours, &chat, 1).await;
    assert_eq!(theirs.expect("new_message").await["seq"], 4);
}
