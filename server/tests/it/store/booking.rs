//! Booking: all or none, once per key.

use std::sync::Arc;

use trialogue_protocol::{JobStatus, Role};
use trialogue_server::store::{Booking, Ended, NewJob, Verdict};

use super::{World, at_once, job};

#[tokio::test]
async fn a_booking_is_stored_whole_or_not_at_all() {
    let world = World::new().await;
    let (customer, provider) =
        (world.person(Role::Customer).await, world.person(Role::Provider).await);
    let mut connection = world.connect().await;
    sqlx::raw_sql(
        "create function fail() returns trigger language plpgsql as
             $$ begin raise exception 'injected'; end $$;
         create trigger fail before insert on notifications for each row execute function fail()",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    assert!(world.store.book_job(job(customer, provider)).await.is_err());
    let rows = "select (select count(*) from jobs) + (select count(*) from chats)
                     + (select count(*) from chat_members) + (select count(*) from notifications)
                where $1::bigint is not null";
    assert_eq!(world.count_of(rows, customer).await, 0);
    sqlx::raw_sql("drop trigger fail on notifications").execute(&mut connection).await.unwrap();
    world.book(customer, provider).await;
    // A job, a chat, two members, the provider's notification.
    assert_eq!(world.count_of(rows, customer).await, 5);
    let told = world.store.notifications(provider, None, None, 10).await.unwrap();
    assert_eq!(told[0].message, "Some customer booked \"Leaking tap\"");
}

#[tokio::test]
async fn one_key_books_once_however_often_it_comes_at_once() {
    let world = Arc::new(World::new().await);
    let (customer, provider) =
        (world.person(Role::Customer).await, world.person(Role::Provider).await);
    let with_key = move |digest: u8| NewJob {
        key: Some(("key".to_owned(), [digest; 32])),
        ..job(customer, provider)
    };
    let bookings = at_once(32, |_| {
        let world = Arc::clone(&world);
        async move { world.store.book_job(with_key(1)).await.unwrap() }
    })
    .await;
    let mut told = 0;
    let mut chats = std::collections::HashSet::new();
    for booking in bookings {
        let Booking::Booked { chat_id, notices, .. } = booking else { panic!("{booking:?}") };
        told += notices.len();
        chats.insert(chat_id);
    }
    assert_eq!((told, chats.len()), (1, 1));
    let other = world.store.book_job(with_key(2)).await.unwrap();
    assert_eq!(other, Booking::KeyConflict);
}

#[tokio::test]
async fn only_a_customer_books_and_only_a_provider_is_booked() {
    let world = World::new().await;
    let (customer, provider, lsm) = (
        world.person(Role::Customer).await,
        world.person(Role::Provider).await,
        world.person(Role::Lsm).await,
    );
    let book = async |who, whom| world.store.book_job(job(who, whom)).await.unwrap();
    assert_eq!(book(provider, provider).await, Booking::Denied);
    assert_eq!(book(lsm, provider).await, Booking::Denied);
    assert_eq!(book(customer, customer).await, Booking::NoProvider);
    assert_eq!(book(customer, lsm).await, Booking::NoProvider);
    assert_eq!(book(customer, trialogue_protocol::UserId(-1)).await, Booking::NoProvider);
    let gone = "update users set disabled_at = now() where id = $1 returning 1::bigint";
    world.count_of(gone, provider).await;
    assert_eq!(book(customer, provider).await, Booking::NoProvider);
}

#[tokio::test]
async fn a_job_is_completed_by_its_provider_and_cancelled_by_its_customer() {
    let world = World::new().await;
    let booked = world.booking().await;
    let id = world.store.jobs(booked.customer, i64::MAX, 1).await.unwrap()[0].id;
    let end = async |who, status| world.store.end_job(who, id, status).await.unwrap();
    assert_eq!(end(booked.customer, JobStatus::Completed).await, Ended::Denied);
    assert_eq!(end(booked.provider, JobStatus::Cancelled).await, Ended::Denied);
    let done = end(booked.provider, JobStatus::Completed).await;
    assert!(matches!(&done, Ended::Done { notices, .. } if notices.len() == 1), "{done:?}");
    let again = end(booked.provider, JobStatus::Completed).await;
    assert!(matches!(&again, Ended::Done { notices, .. } if notices.is_empty()), "{again:?}");
    assert_eq!(end(booked.customer, JobStatus::Cancelled).await, Ended::Conflict);
    world.stored(booked.customer, booked.chat, "a completed job's chat stays open").await;
}

#[tokio::test]
async fn cancelling_closes_the_chat_for_every_message_after_it() {
    let world = Arc::new(World::new().await);
    for _ in 0..10 {
        let booked = world.booking().await;
        let id = world.store.jobs(booked.customer, i64::MAX, 1).await.unwrap()[0].id;
        let sending = {
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                let mut stored = 0;
                loop {
                    match world.say(booked.provider, booked.chat, "x", None).await {
                        Verdict::Stored(_) => stored += 1,
                        Verdict::Closed => return stored,
                        other => panic!("{other:?}"),
                    }
                }
            })
        };
        world.store.end_job(booked.customer, id, JobStatus::Cancelled).await.unwrap();
        let closed_at = world.store.last_seqs(&[booked.chat]).await.unwrap()[0].1;
        assert_eq!(sending.await.unwrap(), closed_at, "nothing is stored after the closing");
    }
}
