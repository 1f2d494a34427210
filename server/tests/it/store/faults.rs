//! Trouble: locked rows, lost connections, callers that go away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::Connection;
use trialogue_server::store::{StoreError, Verdict};

use super::{World, job};

#[tokio::test]
async fn one_locked_chat_stalls_no_other_and_keeps_its_order() {
    let world = World::new().await;
    let (locked, free) = (world.booking().await, world.booking().await);
    let mut outside = world.connect().await;
    let mut transaction = outside.begin().await.unwrap();
    sqlx::query("select 1 from chats where id = $1 for update")
        .bind(locked.chat.0)
        .execute(&mut *transaction)
        .await
        .unwrap();
    let waiting: Vec<_> =
        (0..5).map(|at| world.put(locked.customer, locked.chat, &format!("{at}"), None)).collect();
    // The lock is held all the while: what waited behind it would never be stored.
    for _ in 0..20 {
        world.stored(free.customer, free.chat, "not my lock").await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let late: Vec<_> =
        (5..10).map(|at| world.put(locked.customer, locked.chat, &format!("{at}"), None)).collect();
    transaction.rollback().await.unwrap();
    for (at, verdict) in waiting.into_iter().chain(late).enumerate() {
        let Verdict::Stored(stored) = verdict.await.unwrap().unwrap() else { panic!("{at}") };
        assert_eq!(stored.message.seq, Some(at as i64 + 1));
        assert_eq!(stored.message.message, format!("{at}"));
    }
    assert_eq!(world.stored(locked.provider, locked.chat, "free again").await, 11);
}

/// A message that has waited long and one that has not must not take different ways.
#[tokio::test]
async fn a_younger_message_of_a_locked_chat_overtakes_no_older_one() {
    let world = World::new().await;
    for locked_ms in [60, 120, 180] {
        let locked = world.booking().await;
        let mut outside = world.connect().await;
        let mut transaction = outside.begin().await.unwrap();
        sqlx::query("select 1 from chats where id = $1 for update")
            .bind(locked.chat.0)
            .execute(&mut *transaction)
            .await
            .unwrap();
        // One message each few milliseconds, so that some are on either side of the lane's patience.
        let mut waiting = Vec::new();
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(locked_ms) {
            let text = waiting.len().to_string();
            waiting.push(world.put(locked.customer, locked.chat, &text, None));
            tokio::time::sleep(Duration::from_millis(7)).await;
        }
        transaction.rollback().await.unwrap();
        for (at, verdict) in waiting.into_iter().enumerate() {
            let Verdict::Stored(stored) = verdict.await.unwrap().unwrap() else { panic!("{at}") };
            assert_eq!(stored.message.seq, Some(at as i64 + 1), "locked for {locked_ms} ms");
        }
    }
}

#[tokio::test]
async fn a_chat_that_stays_locked_is_unavailable_and_then_works_again() {
    let world = World::new().await;
    let locked = world.booking().await;
    let mut outside = world.connect().await;
    let mut transaction = outside.begin().await.unwrap();
    sqlx::query("select 1 from chats where id = $1 for update")
        .bind(locked.chat.0)
        .execute(&mut *transaction)
        .await
        .unwrap();
    let begin = Instant::now();
    let verdict = world.put(locked.customer, locked.chat, "x", Some("k")).await.unwrap();
    assert!(matches!(verdict, Err(StoreError::Unavailable(_))), "{verdict:?}");
    let waited = begin.elapsed();
    assert!((Duration::from_secs(1)..Duration::from_secs(15)).contains(&waited), "{waited:?}");
    transaction.rollback().await.unwrap();
    let verdict = world.say(locked.customer, locked.chat, "x", Some("k")).await;
    assert!(matches!(verdict, Verdict::Stored(_)), "certainly not stored before: {verdict:?}");
}

/// M1 of RELIABILITY: whatever was answered is in the table, however many callers went away.
#[tokio::test]
async fn callers_that_go_away_lose_nothing_that_was_answered() {
    let world = Arc::new(World::new().await);
    let booked = world.booking().await;
    let mut answered = 0;
    for round in 0..300_u64 {
        let dropped = {
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                let _ = world.store.book_job(job(booked.customer, booked.provider)).await;
                let _ = world.store.chats(booked.customer, None, 10).await;
                let _ = world.say(booked.customer, booked.chat, "perhaps", None).await;
            })
        };
        tokio::time::sleep(Duration::from_micros(round * 37 % 5_000)).await;
        dropped.abort();
        if let Verdict::Stored(_) = world.say(booked.provider, booked.chat, "surely", None).await {
            answered += 1;
        }
    }
    let surely = "select count(*) from messages where sender_id = $1 and body = 'surely'";
    assert_eq!(world.count_of(surely, booked.provider).await, answered);
    assert_eq!(answered, 300);
    let open = "select count(*) from pg_stat_activity
                where datname = current_database() and state like 'idle in transaction%'
                    and $1::bigint is not null";
    assert_eq!(world.count_of(open, booked.provider).await, 0);
    let whole = "select count(*) from jobs j where j.customer_id = $1
                     and not exists (select from chats c join chat_members m on m.chat_id = c.id
                                     where c.job_id = j.id)";
    assert_eq!(world.count_of(whole, booked.customer).await, 0);
}

#[tokio::test]
async fn terminated_backends_are_replaced_and_answers_stay_true() {
    let world = World::new().await;
    let booked = world.booking().await;
    let mut outside = world.connect().await;
    let mut stored = 0;
    for round in 0..40 {
        let pending: Vec<_> = (0..5)
            .map(|at| {
                let key = format!("{round}-{at}");
                (world.put(booked.customer, booked.chat, "x", Some(&key)), key)
            })
            .collect();
        sqlx::query(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid()
                 and application_name = 'trialogue'",
        )
        .execute(&mut outside)
        .await
        .unwrap();
        for (verdict, key) in pending {
            match verdict.await.unwrap() {
                Ok(Verdict::Stored(_)) => stored += 1,
                Ok(other) => panic!("{other:?}"),
                Err(StoreError::Broken(cause)) => panic!("{cause}"),
                Err(StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_)) => {
                    // The same key again: stored once, whatever had happened.
                    let again = retry(&world, booked, &key).await;
                    assert!(matches!(again, Verdict::Stored(_) | Verdict::Duplicate(_)));
                    stored += 1;
                }
            }
        }
    }
    let rows = "select count(*) from messages where sender_id = $1";
    assert_eq!(world.count_of(rows, booked.customer).await, stored);
    assert_eq!(world.store.last_seqs(&[booked.chat]).await.unwrap(), [(booked.chat, stored)]);
}

async fn retry(world: &World, booked: super::Booked, key: &str) -> Verdict {
    for _ in 0..20 {
        let verdict = world.put(booked.customer, booked.chat, "x", Some(key)).await.unwrap();
        if let Ok(verdict) = verdict {
            return verdict;
        }
    }
    panic!("the store does not recover");
}
