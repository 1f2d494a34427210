//! Sessions: a refresh token works once, with a grace; its reuse ends the family.

use std::sync::Arc;
use std::time::Duration;

use trialogue_protocol::Role;
use trialogue_server::store::{NewUser, PersonDetails, Refreshed, SessionTokens};

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
