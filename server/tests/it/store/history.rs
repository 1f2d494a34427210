//! Reading: pages by key without holes, bounded in bytes, for members alone.

use std::sync::Arc;

use trialogue_protocol::{ChatId, ErrorCode, Message, PageQuery, Role, UserId};
use trialogue_server::flow::encoded::Encoded;
use trialogue_server::flow::load_history;
use trialogue_server::store::Range;
use uuid::Uuid;

use super::{Booked, World};

/// A chat with `count` messages, stored behind the store's back.
async fn talk(world: &World, count: i64, body: &str) -> Booked {
    let booked = world.booking().await;
    let mut connection = world.connect().await;
    sqlx::query(
        "with said as (
             insert into messages (chat_id, seq, id, sender_id, message_type, body, created_at)
             select $1, n, gen_random_uuid(), $2, 'text', n || ' ' || $4, now()
             from generate_series(1, $3) n)
         update chats set last_seq = $3, said_customer = $3 where id = $1",
    )
    .bind(booked.chat.0)
    .bind(booked.customer.0)
    .bind(count)
    .bind(body)
    .execute(&mut connection)
    .await
    .unwrap();
    booked
}

async fn page(world: &World, booked: Booked, range: Range, bytes: usize) -> (Vec<i64>, i64) {
    let page = world.store.page(booked.provider, booked.chat, range, bytes).await.unwrap().unwrap();
    let seqs = page.messages.iter().map(|m| m.seq.unwrap()).collect();
    (seqs, page.last_seq)
}

#[tokio::test]
async fn a_page_is_the_range_that_was_named() {
    let world = World::new().await;
    let booked = talk(&world, 30, "x").await;
    let check = async |range, first: i64, last: i64| {
        let (seqs, _) = page(&world, booked, range, usize::MAX).await;
        assert_eq!(seqs, (first..=last).collect::<Vec<_>>(), "{range:?}");
    };
    let after = |seq, limit| Range::After { seq, limit };
    let before = |seq, limit| Range::Before { seq, limit };
    check(after(0, None), 1, 30).await;
    check(after(0, Some(10)), 1, 10).await;
    check(after(25, Some(10)), 26, 30).await;
    check(after(29, Some(1)), 30, 30).await;
    check(after(30, Some(10)), 1, 0).await;
    check(after(99, Some(10)), 1, 0).await;
    check(before(None, 10), 21, 30).await;
    check(before(Some(21), 10), 11, 20).await;
    check(before(Some(5), 10), 1, 4).await;
    check(before(Some(1), 10), 1, 0).await;
    check(before(Some(0), 10), 1, 0).await;
    check(before(Some(1_000), 10), 21, 30).await;
}

#[tokio::test]
async fn a_page_that_is_cut_is_cut_at_its_far_end() {
    let world = World::new().await;
    let booked = talk(&world, 20, &"x".repeat(1_000)).await;
    let forwards = Range::After { seq: 5, limit: Some(10) };
    assert_eq!(page(&world, booked, forwards, 3_000).await.0, [6, 7, 8]);
    let backwards = Range::Before { seq: Some(16), limit: 10 };
    assert_eq!(page(&world, booked, backwards, 3_000).await.0, [13, 14, 15]);
    assert_eq!(page(&world, booked, forwards, 1).await.0, [6], "one at least");
}

#[tokio::test]
async fn a_long_history_comes_whole_in_bounded_chunks() {
    let world = World::new().await;
    let booked = talk(&world, 2_345, &"y".repeat(500)).await;
    let encoded = Encoded::default();
    let read = async |query: PageQuery| {
        let reader = booked.provider;
        let open = load_history::open(&world.store, &encoded, reader, booked.chat, &query);
        let mut history = open.await.unwrap();
        let (mut seqs, mut chunks) = (Vec::new(), 0);
        while let Some(texts) = history.next().await.unwrap() {
            let bytes: usize = texts.iter().map(|text| text.len()).sum();
            assert!(bytes < 350 * 1024, "{bytes}");
            seqs.extend(seqs_of(&texts));
            chunks += 1;
        }
        (seqs, chunks, history.meta().clone())
    };
    let (seqs, chunks, meta) = read(PageQuery::default()).await;
    assert_eq!(seqs, (1..=2_345).collect::<Vec<_>>());
    assert!(chunks >= 4, "{chunks}");
    assert_eq!((meta.first_seq, meta.last_seq, meta.has_more), (Some(1), Some(2_345), false));
    let last_thousand = PageQuery { limit: Some(1_000), ..PageQuery::default() };
    let (seqs, _, meta) = read(last_thousand).await;
    assert_eq!(seqs, (1_346..=2_345).collect::<Vec<_>>());
    assert!(meta.has_more);
    let before = PageQuery { limit: Some(700), before_seq: Some(701), after_seq: None };
    let (seqs, _, meta) = read(before).await;
    assert_eq!(seqs, (1..=700).collect::<Vec<_>>());
    assert!(!meta.has_more);
    let after = PageQuery { limit: Some(1_000), before_seq: None, after_seq: Some(1_000) };
    let (seqs, _, meta) = read(after).await;
    assert_eq!(seqs, (1_001..=2_000).collect::<Vec<_>>());
    assert!(meta.has_more);
}

#[tokio::test]
async fn the_history_breaks_off_for_who_is_put_out_while_reading() {
    let world = World::new().await;
    let booked = talk(&world, 1_200, "z").await;
    let encoded = Encoded::default();
    let query = PageQuery::default();
    let open = async || {
        load_history::open(&world.store, &encoded, booked.provider, booked.chat, &query).await
    };
    // The second reading has everything in memory.
    let mut histories = [open().await.unwrap(), open().await.unwrap()];
    while histories[0].next().await.unwrap().is_some() {}
    assert!(histories[1].next().await.unwrap().is_some());
    world.run("update chat_members set removed_at = now() where chat_id = $1", booked.chat).await;
    assert_eq!(histories[1].next().await.unwrap_err().code(), ErrorCode::Denied);
    assert_eq!(open().await.err().map(|error| error.code()), Some(ErrorCode::Denied));
}

#[tokio::test]
async fn what_was_read_before_is_read_again_with_what_was_said_since() {
    let world = World::new().await;
    let booked = talk(&world, 200, "x").await;
    world.say(booked.customer, booked.chat, "mine", Some("my-key")).await;
    let encoded = Encoded::default();
    let read = async |reader, query: PageQuery| {
        let open = load_history::open(&world.store, &encoded, reader, booked.chat, &query);
        let mut history = open.await.unwrap();
        let mut all = Vec::new();
        while let Some(texts) = history.next().await.unwrap() {
            all.extend(texts.iter().flat_map(|text| messages_of(text)));
        }
        all
    };
    let everything = PageQuery::default;
    let first = read(booked.customer, everything()).await;
    assert_eq!(first, read(booked.customer, everything()).await);
    assert_eq!(first.len(), 201);
    assert_eq!(first[200].client_message_id.as_ref().map(|key| key.as_str()), Some("my-key"));
    // Another reader gets another text, and a page that cuts through stretches the right part.
    let theirs = read(booked.provider, everything()).await;
    assert_eq!(theirs[200].client_message_id, None);
    let page = PageQuery { limit: Some(100), before_seq: Some(150), after_seq: None };
    assert_eq!(read(booked.customer, page).await, first[49..149]);
    world.say(booked.customer, booked.chat, "more", None).await;
    let second = read(booked.customer, everything()).await;
    assert_eq!(second[..201], first);
    assert_eq!(second[201].message, "more");
}

/// The messages of a part of a history.
fn messages_of(text: &[u8]) -> Vec<Message> {
    let list = [b"[", text, b"]"].concat();
    serde_json::from_slice(&list).unwrap()
}

fn seqs_of(texts: &[Arc<[u8]>]) -> Vec<i64> {
    let messages = texts.iter().flat_map(|text| messages_of(text));
    messages.map(|message| message.seq.unwrap()).collect()
}

#[tokio::test]
async fn a_foreign_chat_and_a_missing_one_look_the_same() {
    let world = World::new().await;
    let booked = talk(&world, 3, "secret").await;
    let stranger = world.person(Role::Customer).await;
    let range = Range::After { seq: 0, limit: None };
    for (who, chat) in
        [(stranger, booked.chat), (stranger, ChatId(Uuid::now_v7())), (UserId(-1), booked.chat)]
    {
        assert_eq!(world.store.page(who, chat, range, 1_000).await.unwrap(), None);
        assert_eq!(world.store.chat(who, chat).await.unwrap(), None);
        assert_eq!(world.store.entry(who, chat).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_key_is_shown_to_its_sender_alone() {
    let world = World::new().await;
    let booked = world.booking().await;
    world.say(booked.customer, booked.chat, "hello", Some("my-key")).await;
    let range = Range::After { seq: 0, limit: None };
    let keys = async |who| {
        let page = world.store.page(who, booked.chat, range, 1_000).await.unwrap().unwrap();
        let chat = world.store.chat(who, booked.chat).await.unwrap().unwrap();
        let in_page = page.messages[0].client_message_id.clone();
        assert_eq!(in_page, chat.last_message.unwrap().client_message_id);
        in_page.map(|key| key.to_string())
    };
    assert_eq!(keys(booked.customer).await.as_deref(), Some("my-key"));
    assert_eq!(keys(booked.provider).await, None);
}

#[tokio::test]
async fn a_resume_from_another_history_begins_at_the_beginning() {
    let world = World::new().await;
    let booked = talk(&world, 10, "x").await;
    let resume = async |since, epoch: Option<&str>| {
        let missed =
            load_history::resume(&world.store, booked.provider, booked.chat, since, epoch, None)
                .await
                .unwrap();
        (missed.messages.len(), missed.has_more, missed.last_seq)
    };
    let epoch = world.store.epoch();
    assert_eq!(resume(7, None).await, (3, false, 10));
    assert_eq!(resume(7, Some(&epoch)).await, (3, false, 10));
    assert_eq!(resume(7, Some("another")).await, (10, false, 10));
    assert_eq!(resume(99, None).await, (0, false, 10));
}
