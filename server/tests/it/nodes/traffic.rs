//! One chat, twenty writers, two servers: one order, nothing twice, nothing lost (F14, F15).

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Node, SEEN, cut_listeners, disputed, two, two_deaf, within};
use crate::fixture::{Fixture, Live, Person, SOON};

/// Messages of each writer.
const EACH: usize = 15;

/// A writer at one server who says everything again at the other, with the same keys.
async fn write(first: Live, second: Live, chat: String, name: String) -> Vec<(String, i64)> {
    let mut said = Vec::new();
    for n in 0..EACH {
        let key = format!("{name}-{n}");
        let text = format!("{key} says this");
        let body = json!({ "chatId": chat, "message": text, "clientMessageId": key });
        // At once at both, then once more: whoever is first stores it.
        let (one, two) = tokio::join!(
            first.request("send_message", &body),
            second.request("send_message", &body)
        );
        let again = second.request("send_message", &body).await;
        let acks = [&one, &two, &again];
        assert!(acks.iter().all(|ack| ack["ok"] == true), "{acks:?}");
        let stored = acks.iter().filter(|ack| ack["status"] == "stored").count();
        assert_eq!(stored, 1, "{acks:?}");
        assert!(acks.iter().all(|ack| ack["message"]["id"] == one["message"]["id"]), "{acks:?}");
        said.push((key, one["message"]["seq"].as_i64().unwrap()));
    }
    said
}

/// Everything that a reader was shown, until it has all.
async fn hear(mut live: Live, all: usize) -> (Live, Vec<i64>) {
    let mut seqs = Vec::new();
    while seqs.len() < all {
        seqs.push(within(4 * SOON, &mut live, "new_message").await["seq"].as_i64().unwrap());
    }
    (live, seqs)
}

async fn traffic(fixture: &Fixture, node: &Node, disturb: impl Future<Output = ()>) {
    let (customer, provider, lsm, chat, _) = disputed(fixture).await;
    lsm.enter(&chat).await.abort();
    let people: [&Person; 3] = [&customer, &provider, &lsm];
    let all = 20 * EACH;
    let mut readers = Vec::new();
    for person in people {
        readers.push(tokio::spawn(hear(person.enter(&chat).await, all)));
        readers.push(tokio::spawn(hear(node.sees(person).enter(&chat).await, all)));
    }
    let mut writers = Vec::new();
    for n in 0..20 {
        let person = people[n % 3];
        let (here, there) = (person.connect().await, node.sees(person).connect().await);
        let (first, second) = if n % 2 == 0 { (here, there) } else { (there, here) };
        writers.push(tokio::spawn(write(first, second, chat.clone(), format!("w{n}"))));
    }
    disturb.await;
    let mut said = HashMap::new();
    for writer in writers {
        let own = writer.await.unwrap();
        assert!(own.is_sorted_by_key(|(_, seq)| *seq), "a writer's messages changed places");
        said.extend(own);
    }
    assert_eq!(said.len(), all);
    assert_eq!(said.values().collect::<HashSet<_>>().len(), all, "two messages in one place");
    for reader in readers {
        let (mut live, seqs) = reader.await.unwrap();
        let expect: Vec<i64> = (1..=i64::try_from(all).unwrap()).collect();
        assert_eq!(seqs, expect, "order, holes, doubles");
        let more = timeout(Duration::from_millis(50), live.expect("new_message")).await;
        assert!(more.is_err(), "{more:?}");
    }
    let (_, history) = customer.get(&format!("/chat/{chat}/messages")).await;
    let rows = history["messages"].as_array().unwrap();
    assert_eq!(rows.len(), all);
    for row in rows {
        let key = row["message"].as_str().unwrap().strip_suffix(" says this").unwrap();
        assert_eq!(said[key], row["seq"], "{row}");
    }
}

#[tokio::test]
async fn twenty_writers_over_two_servers_make_one_order_and_nothing_twice() {
    let (fixture, node) = two().await;
    traffic(&fixture, &node, async {}).await;
}

#[tokio::test]
async fn twenty_writers_do_so_while_the_listeners_are_cut_again_and_again() {
    let (fixture, node) = two().await;
    let cuts = async {
        for _ in 0..10 {
            cut_listeners(&fixture).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    traffic(&fixture, &node, cuts).await;
}

#[tokio::test]
async fn twenty_writers_do_so_without_any_hint() {
    let (fixture, node) = two_deaf().await;
    traffic(&fixture, &node, async {}).await;
}

/// Says a thing until it is stored, at whichever server answers.
async fn insist(person: &Person, other: &Person, chat: &str, key: &str) -> i64 {
    let body = json!({ "chatId": chat, "message": key, "clientMessageId": key });
    for _ in 0..200 {
        for at in [person, other] {
            // The killed server accepts nothing, or hangs up in the middle of it.
            let attempt = async {
                let live = at.reach().await?;
                let ack = live.ask("send_message", &body).within(SOON).await.ok()?;
                let ack: Value = ack.get(0).ok()?;
                assert_eq!(ack["ok"], true, "{ack}");
                ack["message"]["seq"].as_i64()
            };
            if let Ok(Some(seq)) = timeout(SOON, attempt).await {
                return seq;
            }
        }
    }
    panic!("{key} is not stored");
}

#[tokio::test]
async fn a_killed_server_loses_nothing_of_what_it_acknowledged() {
    let (fixture, node) = two().await;
    let (customer, provider, chat) = fixture.booking().await;
    let mut here = customer.enter(&chat).await;
    let there = node.sees(&provider);
    let talk = there.connect().await;
    let mut acknowledged = Vec::new();
    let body = |n: usize| {
        let key = format!("k{n}");
        json!({ "chatId": chat, "message": key, "clientMessageId": key })
    };
    // In flight when it dies: answered or not, stored or not.
    let mut acks: Vec<_> = (0..100).map(|n| talk.ask("send_message", body(n))).collect();
    for (n, ack) in acks.drain(..40).enumerate() {
        let ack: Value = ack.within(SOON).await.unwrap().get(0).unwrap();
        acknowledged.push((n, ack["message"]["seq"].as_i64().unwrap()));
    }
    node.kill();
    for (n, ack) in acks.into_iter().enumerate() {
        if let Ok(args) = ack.within(SOON).await {
            let ack: Value = args.get(0).unwrap();
            acknowledged.push((n + 40, ack["message"]["seq"].as_i64().unwrap()));
        }
    }
    // What was stored and not put out by anybody is seen by who is at the other server.
    let (_, history) = customer.get(&format!("/chat/{chat}/messages")).await;
    let stored = history["lastSeq"].as_i64().unwrap();
    for (n, seq) in &acknowledged {
        let row = &history["messages"][usize::try_from(*seq).unwrap() - 1];
        assert_eq!(row["message"], format!("k{n}"), "acknowledged, then lost");
    }
    for seq in 1..=stored {
        assert_eq!(within(SEEN, &mut here, "new_message").await["seq"], seq);
    }
    // Said again at the other server with the same keys, everything is there once.
    for n in 0..100 {
        insist(&provider, &there, &chat, &format!("k{n}")).await;
    }
    let (_, history) = customer.get(&format!("/chat/{chat}/messages")).await;
    let rows = history["messages"].as_array().unwrap();
    assert_eq!(rows.len(), 100);
    let texts: HashSet<_> = rows.iter().map(|row| row["message"].as_str().unwrap()).collect();
    assert_eq!(texts.len(), 100);
    for seq in stored + 1..=100 {
        assert_eq!(within(SEEN, &mut here, "new_message").await["seq"], seq);
    }
}
