//! Storing: exactly once, in order, without holes, for members alone (promises 1, 2, 3 and 5).

use std::collections::HashMap;
use std::sync::Arc;

use trialogue_protocol::{ChatId, Role, UserId};
use trialogue_server::store::Verdict;
use uuid::Uuid;

use super::{World, at_once};

#[tokio::test]
async fn one_key_sent_32_times_at_once_is_one_row_with_one_seq() {
    let world = Arc::new(World::new().await);
    let booked = world.booking().await;
    for round in 1..=20 {
        let key = Uuid::new_v4().to_string();
        let verdicts = at_once(32, |_| {
            let (world, key) = (Arc::clone(&world), key.clone());
            async move { world.say(booked.customer, booked.chat, "hello", Some(&key)).await }
        })
        .await;
        let mut stored = 0;
        let mut ids = std::collections::HashSet::new();
        for verdict in verdicts {
            let message = match verdict {
                Verdict::Stored(new) => {
                    stored += 1;
                    new.message
                }
                Verdict::Duplicate(message) => message,
                other => panic!("{other:?}"),
            };
            assert_eq!(message.seq, Some(round));
            assert_eq!(message.client_message_id.as_ref().unwrap().as_str(), key);
            ids.insert((message.id, message.created_at));
        }
        assert_eq!((stored, ids.len()), (1, 1), "round {round}");
    }
    let last = world.store.last_seqs(&[booked.chat]).await.unwrap();
    assert_eq!(last, [(booked.chat, 20)]);
}

#[tokio::test]
async fn sixteen_writers_leave_no_hole_and_keep_their_own_order() {
    const WRITERS: usize = 16;
    const EACH: usize = 40;
    let world = Arc::new(World::new().await);
    let booked = world.booking().await;
    let seqs = at_once(WRITERS, |writer| {
        let world = Arc::clone(&world);
        async move {
            let sender = if writer % 2 == 0 { booked.customer } else { booked.provider };
            let mut seqs = Vec::new();
            for at in 0..EACH {
                seqs.push(world.stored(sender, booked.chat, &format!("{writer}/{at}")).await);
            }
            seqs
        }
    })
    .await;
    for own in &seqs {
        assert!(own.is_sorted_by(|a, b| a < b), "{own:?}");
    }
    let mut all: Vec<i64> = seqs.into_iter().flatten().collect();
    all.sort_unstable();
    assert_eq!(all, (1..=(WRITERS * EACH) as i64).collect::<Vec<_>>());
}

#[tokio::test]
async fn messages_put_in_line_in_a_row_are_stored_in_that_order() {
    let world = World::new().await;
    let booked = world.booking().await;
    let verdicts: Vec<_> = (0..1_000)
        .map(|at| world.put(booked.customer, booked.chat, &format!("{at}"), None))
        .collect();
    for (at, verdict) in verdicts.into_iter().enumerate() {
        let Verdict::Stored(stored) = verdict.await.unwrap().unwrap() else { panic!("{at}") };
        assert_eq!(stored.message.seq, Some(at as i64 + 1));
        assert_eq!(stored.message.message, format!("{at}"));
    }
}

#[tokio::test]
async fn a_key_belongs_to_one_sender_one_chat_and_one_text() {
    let world = World::new().await;
    let booked = world.booking().await;
    let other = world.book(booked.customer, booked.provider).await;
    let say = async |sender, chat, text| match world.say(sender, chat, text, Some("k")).await {
        Verdict::Stored(_) => "stored",
        Verdict::Duplicate(_) => "duplicate",
        Verdict::Conflict => "conflict",
        Verdict::Closed => "closed",
        Verdict::Denied => "denied",
    };
    assert_eq!(say(booked.customer, booked.chat, "hello").await, "stored");
    assert_eq!(say(booked.customer, booked.chat, "hello").await, "duplicate");
    assert_eq!(say(booked.customer, booked.chat, "hello!").await, "conflict");
    assert_eq!(say(booked.customer, other, "hello").await, "stored");
    assert_eq!(say(booked.provider, booked.chat, "hello!").await, "stored");
    world.run("update chats set closed = true where id = $1", booked.chat).await;
    assert_eq!(say(booked.customer, booked.chat, "hello").await, "duplicate", "stored before");
    assert_eq!(say(booked.customer, booked.chat, "hello!").await, "conflict");
}

#[tokio::test]
async fn a_key_that_comes_twice_in_one_batch_is_stored_once() {
    let world = World::new().await;
    let booked = world.booking().await;
    let put = |text: &str| world.put(booked.customer, booked.chat, text, Some("twin"));
    let verdicts = [put("hello"), put("hello"), put("other"), put("hello")];
    let behind = world.put(booked.customer, booked.chat, "behind", None);
    let mut words = Vec::new();
    for verdict in verdicts {
        words.push(match verdict.await.unwrap().unwrap() {
            Verdict::Stored(stored) => {
                assert_eq!(stored.message.message, "hello");
                "stored"
            }
            Verdict::Duplicate(message) => {
                assert_eq!(message.seq, Some(1));
                "duplicate"
            }
            Verdict::Conflict => "conflict",
            Verdict::Closed | Verdict::Denied => "refused",
        });
    }
    assert_eq!(words, ["stored", "duplicate", "conflict", "duplicate"]);
    assert!(matches!(behind.await.unwrap().unwrap(), Verdict::Stored(_)));
    assert_eq!(world.store.last_seqs(&[booked.chat]).await.unwrap(), [(booked.chat, 2)]);
}

#[tokio::test]
async fn one_refused_message_never_fails_its_batch() {
    let world = World::new().await;
    let booked = world.booking().await;
    let closed = world.booking().await;
    world.run("update chats set closed = true where id = $1", closed.chat).await;
    let stranger = world.person(Role::Customer).await;
    let missing = ChatId(Uuid::now_v7());
    let cases: Vec<(UserId, ChatId, &str)> = vec![
        (booked.customer, booked.chat, "stored"),
        (stranger, booked.chat, "denied"),
        (booked.customer, missing, "denied"),
        (closed.customer, closed.chat, "closed"),
        (closed.customer, booked.chat, "denied"),
        (UserId(-1), booked.chat, "denied"),
        (booked.provider, booked.chat, "stored"),
    ];
    let verdicts: Vec<_> =
        cases.iter().map(|(who, chat, _)| world.put(*who, *chat, "x", None)).collect();
    for (verdict, (who, chat, expect)) in verdicts.into_iter().zip(&cases) {
        let word = match verdict.await.unwrap().unwrap() {
            Verdict::Stored(_) => "stored",
            Verdict::Closed => "closed",
            Verdict::Denied => "denied",
            Verdict::Duplicate(_) | Verdict::Conflict => "key",
        };
        assert_eq!(word, *expect, "{who} in {chat}");
    }
    assert_eq!(world.store.last_seqs(&[booked.chat]).await.unwrap(), [(booked.chat, 2)]);
}

#[tokio::test]
async fn a_disabled_person_says_nothing() {
    let world = World::new().await;
    let booked = world.booking().await;
    world.stored(booked.customer, booked.chat, "before").await;
    let disable = "update users set disabled_at = now() where id = $1 returning 1::bigint";
    world.count_of(disable, booked.customer).await;
    let verdict = world.say(booked.customer, booked.chat, "after", None).await;
    assert!(matches!(verdict, Verdict::Denied), "{verdict:?}");
}

#[tokio::test]
async fn a_stored_message_brings_what_others_must_hear() {
    let world = World::new().await;
    let booked = world.booking().await;
    let text = "tab\t, quote \", bidi \u{202e}, crab 🦀, family 👨‍👩‍👧, e\u{301}, '; drop table";
    let verdict = world.say(booked.provider, booked.chat, text, None).await;
    let Verdict::Stored(stored) = verdict else { panic!("{verdict:?}") };
    let message = &stored.message;
    assert_eq!((message.seq, message.message.as_str()), (Some(1), text));
    assert_eq!((message.sender_type, message.sender_id), (Role::Provider, booked.provider));
    assert_eq!(message.sender_name, "Some provider");
    let recipients: HashMap<_, _> = stored.notifications.iter().copied().collect();
    assert_eq!(recipients.keys().collect::<Vec<_>>(), [&booked.customer]);
    let mut members = stored.members.clone();
    members.sort();
    assert_eq!(members, [booked.customer, booked.provider]);
    let read = world.store.missing(&[(booked.chat, 0, 10)], 10).await.unwrap();
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].message, *message);
    assert_eq!(read[0].notifications, stored.notifications);
}

/// What was missed is read within its time however much came to its author since.
#[tokio::test]
async fn missing_messages_of_somebody_with_many_notifications_are_read_in_time() {
    let world = World::new().await;
    let (booked, other) = (world.booking().await, world.booking().await);
    for _ in 0..200 {
        world.stored(booked.customer, booked.chat, "missed").await;
    }
    let mut outside = world.connect().await;
    let flood = "insert into notifications (recipient_id, id, kind, chat_id, seq, created_at)
                 select $1, uuid_v7(), 'message', $2, n, now() from generate_series(1, 60000) n";
    let flood = sqlx::query(flood).bind(booked.customer.0).bind(other.chat.0);
    flood.execute(&mut outside).await.unwrap();
    let read = world.store.missing(&[(booked.chat, 0, 1_000)], 1_000).await.unwrap();
    assert_eq!(read.len(), 200);
    for stored in read {
        let told: Vec<_> = stored.notifications.iter().map(|(person, _)| *person).collect();
        assert_eq!(told, [booked.provider]);
    }
}

#[tokio::test]
async fn many_chats_in_one_batch_count_each_for_itself() {
    let world = World::new().await;
    let mut chats = Vec::new();
    for _ in 0..10 {
        chats.push(world.booking().await);
    }
    let verdicts: Vec<_> = (0..200)
        .map(|at| {
            let booked = chats[at % chats.len()];
            let sender = if at % 3 == 0 { booked.customer } else { booked.provider };
            (booked.chat, at / chats.len(), world.put(sender, booked.chat, "x", None))
        })
        .collect();
    for (chat, at, verdict) in verdicts {
        let Verdict::Stored(stored) = verdict.await.unwrap().unwrap() else { panic!() };
        assert_eq!((stored.message.chat_id, stored.message.seq), (chat, Some(at as i64 + 1)));
    }
}
