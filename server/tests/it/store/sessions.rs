//! Sessions: a refresh token works once, with a grace; its reuse ends the family.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection;
use trialogue_protocol::Role;
use trialogue_server::store::{Ending, NewUser, PersonDetails, Refreshed, SessionTokens};

use super::{World, at_once, tokens};

const GRACE: Duration = Duration::from_secs(10);

async fn opened(world: &World) -> (trialogue_protocol::UserId, SessionTokens) {
    let user = world.person(Role::Customer).await;
    let tokens = tokens();
    assert!(world.store.open_session(user, "none".to_owned(), None, tokens.clone()).await.unwrap());
    (user, tokens)
}

#[tokio::test]
async fn parallel_refreshes_get_one_successor() {
    let world = Arc::new(World::new().await);
    let (user, tokens) = opened(&world).await;
    let results = at_once(8, |_| {
        let world = Arc::clone(&world);
        let hash = tokens.refresh_hash;
        async move { world.store.refresh_session(hash, [7; 32], GRACE).await.unwrap() }
    })
    .await;
    for result in results {
        let Refreshed::Next { session, user_id, .. } = result else { panic!("{result:?}") };
        assert_eq!((session, user_id), (tokens.session, user));
    }
    let successor = world.store.refresh_session([7; 32], [8; 32], GRACE).await.unwrap();
    assert!(matches!(successor, Refreshed::Next { .. }));
}

/// The session's row is the lock: what is found behind it decides.
#[tokio::test]
async fn a_refresh_waits_for_the_end_of_its_session() {
    let world = Arc::new(World::new().await);
    let (_, tokens) = opened(&world).await;
    let mut outside = world.connect().await;
    let mut ending = outside.begin().await.unwrap();
    sqlx::query("update sessions set ended_at = clock_timestamp() where id = $1")
        .bind(tokens.session)
        .execute(&mut *ending)
        .await
        .unwrap();
    let refresh = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.store.refresh_session(tokens.refresh_hash, [7; 32], GRACE).await }
    });
    let waiting = "select count(*) from pg_stat_activity
                   where datname = current_database() and wait_event_type = 'Lock'";
    let mut watching = world.connect().await;
    while !refresh.is_finished() {
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&mut watching).await.unwrap();
        if waiting > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    ending.commit().await.unwrap();
    assert_eq!(refresh.await.unwrap().unwrap(), Refreshed::Refused);
}

#[tokio::test]
async fn a_token_used_after_the_grace_ends_its_family_and_no_other() {
    let world = World::new().await;
    let (user, stolen) = opened(&world).await;
    let (_, other) = opened(&world).await;
    world.store.refresh_session(stolen.refresh_hash, [7; 32], GRACE).await.unwrap();
    let reused =
        world.store.refresh_session(stolen.refresh_hash, [7; 32], Duration::ZERO).await.unwrap();
    assert_eq!(reused, Refreshed::Reused { session: stolen.session, user_id: user });
    let dead = world.store.refresh_session([7; 32], [8; 32], GRACE).await.unwrap();
    assert_eq!(dead, Refreshed::Refused, "the successor died with the family");
    assert_eq!(world.store.person_of_session(stolen.session, user).await.unwrap(), None);
    let alive = world.store.refresh_session(other.refresh_hash, [9; 32], GRACE).await.unwrap();
    assert!(matches!(alive, Refreshed::Next { .. }));
}

#[tokio::test]
async fn an_ended_expired_or_foreign_session_is_nobodys() {
    let world = World::new().await;
    let (user, tokens) = opened(&world).await;
    let someone = world.person(Role::Provider).await;
    let person = async |session, user| world.store.person_of_session(session, user).await.unwrap();
    let known = person(tokens.session, user).await.unwrap();
    assert_eq!((known.id, known.role), (user, Role::Customer));
    assert_eq!(person(tokens.session, someone).await, None);
    assert_eq!(person(uuid::Uuid::now_v7(), user).await, None);
    assert!(!world.store.end_session(someone, tokens.session).await.unwrap());
    assert!(world.store.end_session(user, tokens.session).await.unwrap());
    assert!(!world.store.end_session(user, tokens.session).await.unwrap());
    assert_eq!(person(tokens.session, user).await, None);
    let (user, tokens) = opened(&world).await;
    let expire = "update sessions set expires_at = now() where user_id = $1 returning 1::bigint";
    world.count_of(expire, user).await;
    assert_eq!(person(tokens.session, user).await, None);
    let refused = world.store.refresh_session(tokens.refresh_hash, [7; 32], GRACE).await.unwrap();
    assert_eq!(refused, Refreshed::Refused);
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let world = World::new().await;
    let (user, mine) = opened(&world).await;
    let other = tokens();
    world.store.open_session(user, "none".to_owned(), None, other.clone()).await.unwrap();
    let change = async |checked: &str, new: &str| {
        world
            .store
            .change_password(user, mine.session, checked.to_owned(), new.to_owned())
            .await
            .unwrap()
    };
    assert!(!change("stale", "new").await, "the password was changed meanwhile");
    assert!(change("none", "new").await);
    assert!(world.store.person_of_session(mine.session, user).await.unwrap().is_some());
    assert_eq!(world.store.person_of_session(other.session, user).await.unwrap(), None);
    let late = world.store.open_session(user, "none".to_owned(), None, tokens()).await.unwrap();
    assert!(!late, "a login that was checked against the old password");
}

#[tokio::test]
async fn an_address_is_taken_in_any_spelling() {
    let world = World::new().await;
    let register = async |email: &str| {
        let details = PersonDetails {
            first_name: "A".to_owned(),
            last_name: "B".to_owned(),
            role: Role::Customer,
            region: None,
            business_name: None,
        };
        let password_hash = "none".to_owned();
        let user = NewUser { email: email.to_owned(), password_hash, details };
        world.store.register_user(user, tokens()).await.unwrap()
    };
    assert!(register("Ada@Example.org").await.is_some());
    assert_eq!(register("ada@example.ORG").await, None);
    let known = world.store.credentials(" ADA@example.org ").await.unwrap().unwrap();
    assert_eq!(known.user.email.as_deref(), Some("Ada@Example.org"));
}

/// CONTRACT §1: the live sockets end within 2 s on every node, and this is how nodes hear of it.
#[tokio::test]
async fn other_nodes_are_told_of_every_session_that_ends() {
    let world = World::new().await;
    let (left, left_tokens) = opened(&world).await;
    assert!(world.store.end_session(left, left_tokens.session).await.unwrap());
    let (changed, mine) = opened(&world).await;
    let (old, new) = ("none".to_owned(), "new".to_owned());
    assert!(world.store.change_password(changed, mine.session, old, new).await.unwrap());
    let (robbed, stolen) = opened(&world).await;
    for grace in [GRACE, Duration::ZERO] {
        world.store.refresh_session(stolen.refresh_hash, [7; 32], grace).await.unwrap();
    }
    let endings = world.store.endings(60).await.unwrap();
    let told: Vec<_> = endings.iter().map(|ending| (ending.user_id, ending.what)).collect();
    for expect in [
        (left, Ending::Session(left_tokens.session)),
        (changed, Ending::Sessions { except: Some(mine.session) }),
        (robbed, Ending::Session(stolen.session)),
    ] {
        assert!(told.contains(&expect), "{expect:?} is not in {told:?}");
    }
}
