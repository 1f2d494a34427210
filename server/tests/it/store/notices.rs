//! Notifications and unread counts: one per message and other member, counted exactly (promise 6).

use trialogue_protocol::{NotificationType, Role, UserId};
use trialogue_server::store::{DisputeOpening, DisputeStep, NewDispute, RoleChange};

use super::{Booked, World};

/// The count that the server shows is the count of the rows.
async fn check_counts(world: &World, people: &[UserId]) {
    let counts = world.store.unread_counts(people).await.unwrap();
    for (person, shown) in counts {
        let rows = "select count(*) from notifications where recipient_id = $1 and not is_read";
        assert_eq!(shown, world.count_of(rows, person).await, "notifications of {person}");
    }
    for person in people {
        let (chats, _) = world.store.chats(*person, None, 100).await.unwrap();
        for chat in chats {
            let mut connection = world.connect().await;
            let rows: i64 = sqlx::query_scalar(
                "select count(*) from messages s join chat_members m
                     on m.chat_id = s.chat_id and m.user_id = $2
                 where s.chat_id = $1 and s.seq > m.last_read_seq and s.sender_id <> $2",
            )
            .bind(chat.id.0)
            .bind(person.0)
            .fetch_one(&mut connection)
            .await
            .unwrap();
            assert_eq!(chat.unread_count, rows, "unread of {person} in {}", chat.id);
        }
    }
}

async fn open(world: &World, booked: Booked) -> trialogue_protocol::DisputeId {
    let dispute = NewDispute {
        raised_by: booked.customer,
        chat_id: Some(booked.chat),
        job_id: None,
        description: "it still leaks".to_owned(),
    };
    match world.store.open_dispute(dispute).await.unwrap() {
        DisputeOpening::Opened { dispute_id, .. } => dispute_id,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn unread_counts_are_those_of_the_rows_whatever_happens() {
    let world = World::new().await;
    let booked = world.booking().await;
    let lsm = world.person(Role::Lsm).await;
    let people = [booked.customer, booked.provider, lsm];
    let Booked { customer, provider, chat } = booked;
    for round in 0..3 {
        for _ in 0..3 {
            world.stored(customer, chat, "a").await;
            world.stored(provider, chat, "b").await;
            world.stored(provider, chat, "c").await;
        }
        check_counts(&world, &people).await;
        world.store.mark_read(provider, chat, Some(round * 5 + 2)).await.unwrap().unwrap();
        check_counts(&world, &people).await;
        let dispute = open(&world, booked).await;
        world.stored(provider, chat, "before the lsm").await;
        let joined = world.store.join_dispute(lsm, dispute).await.unwrap();
        assert!(matches!(joined, DisputeStep::Done { .. }), "{joined:?}");
        check_counts(&world, &people).await;
        world.stored(lsm, chat, "good day").await;
        world.stored(customer, chat, "d").await;
        world.stored(lsm, chat, "calm down").await;
        check_counts(&world, &people).await;
        let newest = world.store.notifications(lsm, Some(true), None, 1).await.unwrap();
        assert_eq!(world.store.read_notifications(lsm, Some(newest[0].id)).await.unwrap(), 1);
        assert_eq!(world.store.read_notifications(lsm, Some(newest[0].id)).await.unwrap(), 1);
        world.store.mark_read(customer, chat, None).await.unwrap().unwrap();
        world.store.mark_read(lsm, chat, Some(4)).await.unwrap().unwrap();
        check_counts(&world, &people).await;
        // Out with another role, and in again with the old one.
        for role in [Role::Customer, Role::Lsm] {
            let change = world.store.set_role(lsm, role).await.unwrap();
            assert_eq!(change, RoleChange::Stored);
            world.stored(customer, chat, "where is the lsm?").await;
            check_counts(&world, &people).await;
        }
        let back = world.store.join_dispute(lsm, dispute).await.unwrap();
        assert!(matches!(back, DisputeStep::Done { .. }), "{back:?}");
        world.stored(lsm, chat, "here again").await;
        check_counts(&world, &people).await;
        world.store.resolve_dispute(lsm, dispute, "a new tap".to_owned()).await.unwrap();
        check_counts(&world, &people).await;
        world.stored(customer, chat, "after the lsm").await;
        check_counts(&world, &people).await;
        if round == 1 {
            for person in people {
                world.store.read_notifications(person, None).await.unwrap();
            }
            let counts = world.store.unread_counts(&people).await.unwrap();
            assert!(counts.iter().all(|(_, count)| *count == 0), "{counts:?}");
        }
    }
}

#[tokio::test]
async fn reading_everything_while_messages_come_loses_no_count() {
    let world = World::new().await;
    let booked = world.booking().await;
    for _ in 0..20 {
        let verdicts: Vec<_> =
            (0..20).map(|_| world.put(booked.customer, booked.chat, "x", None)).collect();
        let (read, one) = tokio::join!(
            world.store.read_notifications(booked.provider, None),
            world.store.read_notifications(booked.provider, None)
        );
        read.unwrap();
        one.unwrap();
        for verdict in verdicts {
            verdict.await.unwrap().unwrap();
        }
    }
    check_counts(&world, &[booked.customer, booked.provider]).await;
}

#[tokio::test]
async fn there_is_one_notification_per_message_and_other_member() {
    let world = World::new().await;
    let booked = world.booking().await;
    for _ in 0..5 {
        world.stored(booked.customer, booked.chat, "to the provider").await;
    }
    world.stored(booked.provider, booked.chat, "to the customer").await;
    let kinds = "select count(*) from notifications where recipient_id = $1 and kind = 'message'";
    assert_eq!(world.count_of(kinds, booked.provider).await, 5);
    assert_eq!(world.count_of(kinds, booked.customer).await, 1);
    let list = world.store.notifications(booked.customer, None, None, 10).await.unwrap();
    assert_eq!(list.len(), 1);
    assert_eq!(list[0].kind, NotificationType::Message);
    assert_eq!(list[0].title, "New message from Some provider");
    assert_eq!(list[0].message, "to the customer");
    assert_eq!(list[0].chat_id, Some(booked.chat));
    assert!(list[0].job_id.is_some());
}

#[tokio::test]
async fn a_notification_is_an_excerpt_that_ends_between_characters() {
    let world = World::new().await;
    let booked = world.booking().await;
    world.stored(booked.customer, booked.chat, &"🦀".repeat(500)).await;
    let list = world.store.notifications(booked.provider, None, None, 10).await.unwrap();
    let shown = list.iter().find(|notice| notice.kind == NotificationType::Message).unwrap();
    assert_eq!(shown.message, "🦀".repeat(120));
}

#[tokio::test]
async fn who_is_put_out_reads_no_message_in_old_notifications() {
    let world = World::new().await;
    let booked = world.booking().await;
    let lsm = world.person(Role::Lsm).await;
    let dispute = open(&world, booked).await;
    world.store.join_dispute(lsm, dispute).await.unwrap();
    world.stored(booked.customer, booked.chat, "between us").await;
    let shown = async || {
        let list = world.store.notifications(lsm, None, None, 10).await.unwrap();
        list.iter().any(|notice| notice.message.contains("between us"))
    };
    assert!(shown().await);
    world.store.resolve_dispute(lsm, dispute, "done".to_owned()).await.unwrap();
    assert!(!shown().await);
}

#[tokio::test]
async fn a_mark_moves_forward_only_and_for_members_only() {
    let world = World::new().await;
    let booked = world.booking().await;
    for _ in 0..5 {
        world.stored(booked.customer, booked.chat, "x").await;
    }
    let mark = async |who, seq| world.store.mark_read(who, booked.chat, seq).await.unwrap();
    assert_eq!(mark(booked.provider, Some(3)).await, Some(3));
    assert_eq!(mark(booked.provider, Some(2)).await, Some(3));
    assert_eq!(mark(booked.provider, Some(99)).await, Some(5));
    assert_eq!(mark(booked.customer, None).await, Some(5));
    let stranger = world.person(Role::Provider).await;
    assert_eq!(mark(stranger, None).await, None);
}
