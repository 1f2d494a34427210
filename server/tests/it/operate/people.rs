//! Whoever loses rights by an operator's hand has no live socket two seconds later.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;
use trialogue_protocol::{ErrorCode, Register, Role, UserId};
use trialogue_server::config::Secret;
use trialogue_server::operator::{Filter, Operator, Who};

use crate::fixture::{Fixture, Person};

/// CONTRACT §1 and §2: other nodes' sockets, too.
const ENDED_WITHIN: Duration = Duration::from_secs(2);

async fn operator(server: &Fixture) -> Operator {
    Operator::attach(&Secret::new(server.database.url())).await.unwrap()
}

fn who(person: &Person) -> Who {
    Who::Id(UserId(person.id))
}

#[tokio::test]
async fn a_disabled_account_is_out_at_once_and_in_again_when_it_is_enabled() {
    let server = Fixture::start().await;
    let (person, other) = (server.register("customer").await, server.register("customer").await);
    let (mut live, theirs) = (person.connect().await, other.connect().await);
    let operator = operator(&server).await;
    assert!(operator.set_disabled(&who(&person), true).await.unwrap());
    timeout(ENDED_WITHIN, live.closed()).await.expect("not within 2 s");
    assert_eq!(live.expect_came("error")["code"], "unauthenticated");
    assert_eq!(person.get("/auth/me").await.0, 401);
    let login = json!({ "email": person.email, "password": "correct horse" });
    assert_eq!(person.post("/auth/login", login).await.0, 401);
    assert!(!operator.set_disabled(&who(&person), true).await.unwrap(), "it was so before");
    let ack = theirs.request("leave_chat", json!({ "chatId": uuid::Uuid::new_v4() })).await;
    assert_eq!(ack["error"]["code"], "denied", "others live on: {ack}");

    assert!(operator.set_disabled(&who(&person), false).await.unwrap());
    person.log_in("correct horse").await.connect().await;
    assert_eq!(person.get("/auth/me").await.0, 401, "old tokens stay dead");
}

#[tokio::test]
async fn another_role_and_another_password_end_the_sessions() {
    let server = Fixture::start().await;
    let person = server.register("customer").await;
    let operator = operator(&server).await;
    let mut live = person.connect().await;
    assert!(operator.set_role(&Who::Email(person.email.clone()), Role::Lsm).await.unwrap());
    timeout(ENDED_WITHIN, live.closed()).await.expect("not within 2 s");
    let promoted = person.log_in("correct horse").await;
    assert_eq!(promoted.get("/auth/me").await.1["user"]["role"], "local_service_manager");
    assert!(!operator.set_role(&who(&person), Role::Lsm).await.unwrap(), "it was so before");

    let mut live = promoted.connect().await;
    assert!(operator.set_password(&who(&person), "battery staple".to_owned()).await.unwrap());
    timeout(ENDED_WITHIN, live.closed()).await.expect("not within 2 s");
    person.log_in("battery staple").await;
}

#[tokio::test]
async fn an_operator_adds_anybody_and_is_told_what_is_wrong() {
    let server = Fixture::with(|config| config.open_registration = false).await;
    let operator = operator(&server).await;
    let lsm = |email: &str, password: &str| Register {
        email: email.to_owned(),
        password: password.to_owned(),
        first_name: "Lena".to_owned(),
        last_name: "Hart".to_owned(),
        role: Role::Lsm,
        region: Some("North".to_owned()),
        business_name: None,
    };
    let added = operator.add(lsm("lena@example.org", "correct horse")).await.unwrap();
    assert_eq!(added.user.role, Role::Lsm);
    let lena = server.newcomer("LENA@example.org").log_in("correct horse").await;
    assert_eq!(lena.id, added.user.id.0);
    let code = async |person| operator.add(person).await.unwrap_err().code();
    assert_eq!(code(lsm("Lena@Example.org", "correct horse")).await, ErrorCode::Conflict);
    assert_eq!(code(lsm("second@example.org", "short")).await, ErrorCode::BadRequest);
    assert_eq!(code(lsm("nowhere", "correct horse")).await, ErrorCode::BadRequest);
    let nobody = Who::Id(UserId(4_711));
    let error = operator.set_role(&nobody, Role::Customer).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotFound);
    let (all, more) = operator.list(Filter::default(), None).await.unwrap();
    assert_eq!((all.len(), more), (1, false));
    let shut = Filter { disabled: Some(true), role: None };
    assert!(operator.list(shut, None).await.unwrap().0.is_empty());
}

#[tokio::test]
async fn minted_tokens_work_and_each_has_a_session_of_its_own() {
    let server = Fixture::start().await;
    let (person, other) = (server.register("customer").await, server.register("provider").await);
    let operator = operator(&server).await;
    let secret = Secret::new("a secret of tests, known to everybody who reads them");
    let people = [who(&person), Who::Email(other.email.clone())];
    let hour = Duration::from_hours(1);
    let minted = operator.mint(&secret, &people, 600, hour).await.unwrap();
    assert_eq!(minted.len(), 1_200);
    let bearer = |at: usize| Person { token: minted[at].token.clone(), ..person.clone() };
    assert_eq!(bearer(0).get("/auth/me").await.1["user"]["id"], person.id);
    assert_eq!(bearer(1_199).get("/auth/me").await.1["user"]["id"], other.id);
    assert_eq!(bearer(0).post("/auth/logout", json!({})).await.0, 204);
    assert_eq!(bearer(0).get("/auth/me").await.0, 401);
    assert_eq!(bearer(599).get("/auth/me").await.0, 200, "the others live on");
    let foreign = Secret::new("another secret, of another server somewhere else");
    let token = operator.mint(&foreign, &people[..1], 1, hour).await.unwrap().remove(0).token;
    let stranger = Person { token, ..person.clone() };
    assert_eq!(stranger.get("/auth/me").await.0, 401);
    let code =
        async |count, ttl| operator.mint(&secret, &people, count, ttl).await.unwrap_err().code();
    assert_eq!(code(100_000, hour).await, ErrorCode::BadRequest);
    assert_eq!(code(1, Duration::from_hours(24 * 31)).await, ErrorCode::BadRequest);
    operator.set_disabled(&who(&person), true).await.unwrap();
    assert_eq!(code(1, hour).await, ErrorCode::Denied);
}
