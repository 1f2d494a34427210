//! Disputes: one at a time, the right LSM, and nothing said by who is out.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection;
use tokio::time::timeout;
use trialogue_protocol::{DisputeId, JobStatus, Role, UserId};
use trialogue_server::store::{DisputeOpening, DisputeStep, Ended, RoleChange, Verdict};

use crate::access::locks::somebody_waits;
use crate::fixture::SOON;

use super::{Booked, World, at_once, dispute};

async fn open(world: &World, booked: Booked) -> (DisputeId, UserId) {
    match world.store.open_dispute(dispute(booked, booked.customer)).await.unwrap() {
        DisputeOpening::Opened { dispute_id, lsm, .. } => (dispute_id, lsm.id),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn eight_at_once_open_one_dispute() {
    let world = Arc::new(World::new().await);
    let lsm = world.person(Role::Lsm).await;
    let booked = world.booking().await;
    let openings = at_once(8, |index| {
        let world = Arc::clone(&world);
        let by = if index % 2 == 0 { booked.customer } else { booked.provider };
        async move { world.store.open_dispute(dispute(booked, by)).await.unwrap() }
    })
    .await;
    let opened: Vec<_> = openings
        .iter()
        .filter_map(|opening| match opening {
            DisputeOpening::Opened { lsm, notices, .. } => Some((lsm.id, notices.len())),
            other => {
                assert_eq!(*other, DisputeOpening::OpenAlready);
                None
            }
        })
        .collect();
    assert_eq!(opened, [(lsm, 2)], "the LSM and the other member are told");
    let chat = world.store.chat(booked.customer, booked.chat).await.unwrap().unwrap();
    assert!(chat.lsm_invited && !chat.lsm_joined);
}

#[tokio::test]
async fn the_lsm_of_the_region_with_the_fewest_open_disputes_is_asked() {
    let world = World::new().await;
    world.person_in(Role::Lsm, Some("South")).await;
    world.person_in(Role::Lsm, None).await;
    let first = world.booking().await;
    let refused = world.store.open_dispute(dispute(first, first.customer)).await.unwrap();
    assert_eq!(refused, DisputeOpening::NoLsm, "none in the provider's region");
    let one = world.person_in(Role::Lsm, Some(" NORTH ")).await;
    let two = world.person_in(Role::Lsm, Some("north")).await;
    let gone = world.person(Role::Lsm).await;
    let disable = "update users set disabled_at = now() where id = $1 returning 1::bigint";
    world.count_of(disable, gone).await;
    let (first_dispute, asked) = open(&world, first).await;
    assert_eq!(asked, one, "the one who is longest here");
    let second = world.booking().await;
    assert_eq!(open(&world, second).await.1, two);
    let third = world.booking().await;
    assert_eq!(open(&world, third).await.1, one);
    world.store.join_dispute(one, first_dispute).await.unwrap();
    world.store.resolve_dispute(one, first_dispute, "done".to_owned()).await.unwrap();
    let fourth = world.booking().await;
    assert_eq!(open(&world, fourth).await.1, one, "a resolved dispute is no load");
}

#[tokio::test]
async fn only_the_invited_lsm_joins_and_only_while_the_dispute_is_open() {
    let world = World::new().await;
    let lsm = world.person(Role::Lsm).await;
    let other = world.person_in(Role::Lsm, Some("South")).await;
    let booked = world.booking().await;
    let (id, asked) = open(&world, booked).await;
    assert_eq!(asked, lsm);
    assert_eq!(world.store.entry(lsm, booked.chat).await.unwrap(), None, "not before joining");
    let verdict = world.say(lsm, booked.chat, "x", None).await;
    assert!(matches!(verdict, Verdict::Denied), "{verdict:?}");
    for stranger in [other, booked.customer, booked.provider, UserId(-1)] {
        let step = world.store.join_dispute(stranger, id).await.unwrap();
        assert_eq!(step, DisputeStep::Denied);
        let step = world.store.accept_invite(stranger, booked.chat).await.unwrap();
        assert_eq!(step, DisputeStep::Denied);
    }
    let early = world.store.resolve_dispute(lsm, id, "x".to_owned()).await.unwrap();
    assert_eq!(early, DisputeStep::Conflict, "not joined yet");
    let joined = world.store.accept_invite(lsm, booked.chat).await.unwrap();
    assert!(matches!(&joined, DisputeStep::Done { notices, .. } if notices.len() == 2));
    let again = world.store.join_dispute(lsm, id).await.unwrap();
    assert_eq!(again, DisputeStep::Unchanged { chat_id: booked.chat });
    world.stored(lsm, booked.chat, "good day").await;
    let step = world.store.resolve_dispute(other, id, "x".to_owned()).await.unwrap();
    assert_eq!(step, DisputeStep::Denied);
    let step = world.store.resolve_dispute(lsm, id, "a new tap".to_owned()).await.unwrap();
    assert!(matches!(step, DisputeStep::Done { .. }));
    assert_eq!(world.store.entry(lsm, booked.chat).await.unwrap(), None);
    assert_eq!(world.store.accept_invite(lsm, booked.chat).await.unwrap(), DisputeStep::Denied);
    assert_eq!(world.store.join_dispute(lsm, id).await.unwrap(), DisputeStep::Denied);
    let step = world.store.resolve_dispute(lsm, id, "x".to_owned()).await.unwrap();
    assert_eq!(step, DisputeStep::Conflict);
    let ended = world.store.endings(60).await.unwrap();
    assert_eq!(ended.iter().filter(|ending| ending.user_id == lsm).count(), 1);
}

/// Resolving one dispute took the LSM out of every chat, and told everybody of it.
#[tokio::test]
async fn a_step_of_one_dispute_concerns_the_people_of_its_chat_alone() {
    let world = World::new().await;
    let lsm = world.person(Role::Lsm).await;
    let (one, two) = (world.booking().await, world.booking().await);
    let told = |step: DisputeStep| match step {
        DisputeStep::Done { notices, .. } => {
            let mut told: Vec<_> = notices.iter().map(|n| (n.recipient_id, n.chat_id)).collect();
            told.sort();
            told
        }
        other => panic!("{other:?}"),
    };
    let of = |booked: Booked| {
        [(booked.customer, Some(booked.chat)), (booked.provider, Some(booked.chat))]
    };
    let (first, _) = open(&world, one).await;
    let (second, _) = open(&world, two).await;
    assert_eq!(told(world.store.join_dispute(lsm, first).await.unwrap()), of(one));
    assert_eq!(told(world.store.join_dispute(lsm, second).await.unwrap()), of(two));
    let resolved = world.store.resolve_dispute(lsm, first, "done".to_owned()).await.unwrap();
    assert_eq!(told(resolved), of(one));
    assert_eq!(world.store.entry(lsm, one.chat).await.unwrap(), None);
    assert!(world.store.entry(lsm, two.chat).await.unwrap().is_some(), "still in the other one");
    world.stored(lsm, two.chat, "where were we?").await;

    let job = world.store.jobs(two.provider, i64::MAX, 1).await.unwrap()[0].id;
    let ended = world.store.end_job(two.provider, job, JobStatus::Completed).await.unwrap();
    let Ended::Done { notices, .. } = ended else { panic!("{ended:?}") };
    let told: Vec<_> = notices.iter().map(|notice| notice.recipient_id).collect();
    assert_eq!(told, [two.customer, lsm], "nobody of the first chat");
}

#[tokio::test]
async fn what_ending_a_dispute_once_did_to_other_chats_is_healed() {
    let world = World::new().await;
    let lsm = world.person(Role::Lsm).await;
    let (one, two) = (world.booking().await, world.booking().await);
    for booked in [one, two] {
        let (id, _) = open(&world, booked).await;
        world.store.join_dispute(lsm, id).await.unwrap();
        world.stored(booked.customer, booked.chat, "hello").await;
    }
    let unread = world.store.unread_counts(&[lsm, one.customer]).await.unwrap();
    // As the functions of before did.
    for damage in [
        "update chat_members m set removed_at = now(), notices_base = m.notices_base + c.last_seq
         from chats c where c.id = m.chat_id and m.user_id = $1",
        "insert into notifications (recipient_id, id, kind, chat_id, job_id, title, created_at)
         select m.user_id, gen_random_uuid(), 'dispute_resolved', m.chat_id, d.job_id, 'x', now()
         from chat_members m join disputes d on d.chat_id <> m.chat_id where d.lsm_id = $1",
    ] {
        let mut outside = world.connect().await;
        sqlx::query(damage).bind(lsm.0).execute(&mut outside).await.unwrap();
    }
    assert_eq!(world.store.entry(lsm, two.chat).await.unwrap(), None);
    let migration = include_str!("../../../../migrations/0010_one_chat_each.sql");
    sqlx::raw_sql(migration).execute(&mut world.connect().await).await.unwrap();
    assert!(world.store.entry(lsm, two.chat).await.unwrap().is_some());
    assert_eq!(world.store.unread_counts(&[lsm, one.customer]).await.unwrap(), unread);
}

#[tokio::test]
async fn a_dispute_that_was_left_to_nobody_is_healed() {
    let world = World::new().await;
    let (gone, booked) = (world.person(Role::Lsm).await, world.booking().await);
    let (id, _) = open(&world, booked).await;
    world.store.join_dispute(gone, id).await.unwrap();
    // As another role did before.
    let mut outside = world.connect().await;
    let demote = format!(
        "alter table users disable trigger user;
         update users set role = 'customer' where id = {gone};
         alter table users enable trigger user"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(demote)).execute(&mut outside).await.unwrap();
    let next = world.person(Role::Lsm).await;
    assert!(world.store.entry(gone, booked.chat).await.unwrap().is_some());
    let migration = include_str!("../../../../migrations/0012_moved_disputes.sql");
    let (_, healing) = migration.split_once("-- Disputes that were left to nobody").unwrap();
    let healing = healing.split_once('\n').unwrap().1;
    sqlx::raw_sql(healing).execute(&mut outside).await.unwrap();
    assert_eq!(world.store.entry(gone, booked.chat).await.unwrap(), None);
    assert!(matches!(world.store.join_dispute(next, id).await.unwrap(), DisputeStep::Done { .. }));
    let step = world.store.resolve_dispute(next, id, "done".to_owned()).await.unwrap();
    assert!(matches!(step, DisputeStep::Done { .. }), "{step:?}");
}

#[tokio::test]
async fn a_demoted_lsm_joins_and_resolves_nothing() {
    let world = World::new().await;
    let lsm = world.person(Role::Lsm).await;
    let (one, two) = (world.booking().await, world.booking().await);
    let (first, _) = open(&world, one).await;
    let (second, _) = open(&world, two).await;
    world.store.join_dispute(lsm, first).await.unwrap();
    let demote = "update users set role = 'customer' where id = $1 returning 1::bigint";
    world.count_of(demote, lsm).await;
    let step = world.store.resolve_dispute(lsm, first, "done".to_owned()).await.unwrap();
    assert_eq!(step, DisputeStep::Denied);
    assert_eq!(world.store.join_dispute(lsm, second).await.unwrap(), DisputeStep::Denied);
    assert_eq!(world.store.accept_invite(lsm, two.chat).await.unwrap(), DisputeStep::Denied);
}

#[tokio::test]
async fn nothing_is_said_after_the_lsm_is_out() {
    let world = Arc::new(World::new().await);
    world.person(Role::Lsm).await;
    let booked = world.booking().await;
    for _ in 0..20 {
        let (id, lsm) = open(&world, booked).await;
        world.store.join_dispute(lsm, id).await.unwrap();
        let sending = {
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                let mut last = 0;
                loop {
                    match world.say(lsm, booked.chat, "x", None).await {
                        Verdict::Stored(stored) => last = stored.message.seq.unwrap(),
                        Verdict::Denied => return last,
                        other => panic!("{other:?}"),
                    }
                }
            })
        };
        world.store.resolve_dispute(lsm, id, "done".to_owned()).await.unwrap();
        let end = world.store.last_seqs(&[booked.chat]).await.unwrap()[0].1;
        assert!(sending.await.unwrap() <= end);
        assert_eq!(world.store.last_seqs(&[booked.chat]).await.unwrap()[0].1, end);
    }
}

#[tokio::test]
async fn an_lsm_that_comes_in_while_the_role_is_taken_away_is_out_and_nobody_is_refused() {
    let world = Arc::new(World::new().await);
    let lsm = world.person_in(Role::Lsm, Some("north")).await;
    let booked = world.booking().await;
    let (dispute_id, _) = open(&world, booked).await;
    let mut holder = world.connect().await;
    let mut watcher = world.connect().await;
    let mut holding = holder.begin().await.unwrap();
    let hold = "select 1 from chats where id = $1 for no key update";
    sqlx::query(hold).bind(booked.chat.0).execute(&mut *holding).await.unwrap();
    let joining = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.store.join_dispute(lsm, dispute_id).await }
    });
    somebody_waits(&mut watcher, "who joins").await;
    let demoting = world.store.set_role(lsm, Role::Customer);
    let release = async {
        let sql = "select count(*) from pg_stat_activity where datname = current_database()
            and wait_event_type = 'Lock' and application_name = 'trialogue'";
        let both = async {
            while sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut watcher).await.unwrap() < 2 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(SOON, both).await.expect("both wait");
        holding.commit().await.unwrap();
    };
    let (demoted, ()) = tokio::join!(demoting, release);
    assert_eq!(demoted.unwrap(), RoleChange::Stored);
    assert!(matches!(joining.await.unwrap().unwrap(), DisputeStep::Done { .. }));
    let chat = world.store.chat(booked.customer, booked.chat).await.unwrap().unwrap();
    assert!(!chat.lsm_invited && !chat.lsm_joined);
    let said = world.say(lsm, booked.chat, "still here", None).await;
    assert!(matches!(said, Verdict::Denied));
}
