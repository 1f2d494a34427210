//! Whoever loses rights by an operator's hand has no live socket two seconds later, and leaves
//! nothing behind that nobody could end.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;
use trialogue_protocol::{ErrorCode, Register, Role, UserId};
use trialogue_server::config::Secret;
use trialogue_server::operator::{Filter, Operator, Who};
use uuid::Uuid;

use crate::access::locks::somebody_waits;
use crate::database;
use crate::fixture::{Fixture, Live, Person};

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

/// The next `chat_updated` that says so of the LSM, and its members.
async fn until_lsm(live: &mut Live, invited: bool, joined: bool) -> Vec<i64> {
    loop {
        let chat = live.expect_within(ENDED_WITHIN, "chat_updated").await["chat"].take();
        if (&chat["lsmInvited"], &chat["lsmJoined"]) == (&json!(invited), &json!(joined)) {
            let members = chat["members"].as_array().unwrap();
            return members.iter().map(|member| member["userId"].as_i64().unwrap()).collect();
        }
    }
}

/// Nothing of the chat is open to this person.
async fn is_out(person: &Person, chat: &str, dispute: i64) {
    for path in [format!("/chat/{chat}"), format!("/chat/{chat}/messages")] {
        assert_eq!(person.get(&path).await.1["error"], "denied", "{path}");
    }
    assert_eq!(person.get("/disputes").await.1["disputes"], json!([]));
    for (path, body) in [("join", json!({})), ("resolve", json!({ "resolution": "mine" }))] {
        let path = format!("/disputes/{dispute}/{path}");
        assert_eq!(person.post(&path, body).await.1["error"], "denied", "{path}");
    }
    let live = person.connect().await;
    for (event, body) in [
        ("join_chat", json!({ "chatId": chat })),
        ("send_message", json!({ "chatId": chat, "message": "still here" })),
    ] {
        assert_eq!(live.request(event, body).await["error"]["code"], "denied", "{event}");
    }
}

/// An LSM who has joined goes, and the next one settles what the first one had begun.
async fn the_next_one_settles(is_demoted: bool) {
    let server = Fixture::start().await;
    let operator = operator(&server).await;
    let (customer, provider, chat) = server.booking().await;
    let first = server.register("lsm").await;
    let dispute = customer.dispute(&chat).await;
    let (mut ours, mut theirs) = (customer.enter(&chat).await, provider.enter(&chat).await);
    let mut gone = first.enter(&chat).await;
    until_lsm(&mut ours, true, true).await;
    let next = server.register("lsm").await;
    server.register_in("lsm", "south").await;
    let mut asked = next.connect().await;

    if is_demoted {
        assert!(operator.set_role(&who(&first), Role::Provider).await.unwrap());
    } else {
        assert!(operator.set_disabled(&who(&first), true).await.unwrap());
    }
    timeout(ENDED_WITHIN, gone.closed()).await.expect("not within 2 s");
    for live in [&mut ours, &mut theirs] {
        assert_eq!(live.expect_within(ENDED_WITHIN, "user_left").await["userId"], first.id);
    }
    assert_eq!(until_lsm(&mut ours, true, false).await, [customer.id, provider.id]);
    let told = asked.expect_within(ENDED_WITHIN, "notification:created").await;
    assert_eq!(told["notification"]["type"], "dispute", "{told}");
    assert_eq!(told["notification"]["chatId"], *chat);
    let (_, told) = provider.get("/notifications").await;
    assert_eq!(told["notifications"][0]["title"], "Another manager is asked", "{told}");
    if is_demoted {
        is_out(&first.log_in("correct horse").await, &chat, dispute).await;
    }
    let (_, view) = customer.get("/disputes?status=pending").await;
    assert_eq!(view["disputes"][0]["lsm"]["id"], next.id, "{view}");

    ours.send(&chat, "without the first one").await;
    let ack = asked.request("join_chat", json!({ "chatId": chat, "sinceSeq": 0 })).await;
    assert_eq!(ack["messages"][0]["message"], "without the first one", "{ack}");
    let resolution = json!({ "resolution": "a new washer" });
    let (status, resolved) = next.post(&format!("/disputes/{dispute}/resolve"), resolution).await;
    assert_eq!(status, 200, "{resolved}");
    customer.dispute(&chat).await;
    operator.close().await;
}

#[tokio::test]
async fn an_lsm_of_another_role_leaves_the_chat_and_the_next_one_settles() {
    the_next_one_settles(true).await;
}

#[tokio::test]
async fn a_disabled_lsm_leaves_the_chat_and_the_next_one_settles() {
    the_next_one_settles(false).await;
}

#[tokio::test]
async fn a_dispute_waits_for_the_next_lsm_of_its_region_however_that_one_comes() {
    let server = Fixture::start().await;
    let operator = operator(&server).await;
    let (customer, provider, chat) = server.booking().await;
    let first = server.register("lsm").await;
    let dispute = customer.dispute(&chat).await;
    let mut ours = customer.connect().await;
    let path = format!("/chat/{chat}");
    let is_invited = async || customer.get(&path).await.1["lsmInvited"].as_bool().unwrap();
    assert!(operator.set_role(&who(&first), Role::Customer).await.unwrap());
    until_lsm(&mut ours, false, false).await;
    assert!(!is_invited().await, "nobody can be asked");
    let first = first.log_in("correct horse").await;
    is_out(&first, &chat, dispute).await;
    let again = json!({ "chatId": chat, "description": "and now?" });
    assert_eq!(customer.post("/disputes", again).await.1["error"], "conflict", "it is open");
    let (_, told) = provider.get("/notifications").await;
    assert_eq!(told["notifications"][0]["title"], "The dispute waits", "{told}");

    // Appointed, shut, added elsewhere, opened again, added here.
    assert!(operator.set_role(&who(&first), Role::Lsm).await.unwrap());
    until_lsm(&mut ours, true, false).await;
    assert!(operator.set_disabled(&who(&first), true).await.unwrap());
    until_lsm(&mut ours, false, false).await;
    server.register_in("lsm", "south").await;
    assert!(!is_invited().await, "another region");
    assert!(operator.set_disabled(&who(&first), false).await.unwrap());
    assert!(is_invited().await, "back again");
    assert!(operator.set_role(&who(&first), Role::Customer).await.unwrap());
    let next = server.register("lsm").await;
    assert!(is_invited().await, "with the registration");
    assert_eq!(next.get("/notifications").await.1["unreadCount"], 1);
    for (path, body) in [("join", json!({})), ("resolve", json!({ "resolution": "done" }))] {
        let (status, body) = next.post(&format!("/disputes/{dispute}/{path}"), body).await;
        assert_eq!(status, 200, "{path}: {body}");
    }
    let (_, view) = customer.get("/disputes").await;
    assert_eq!(view["disputes"][0]["status"], "resolved", "{view}");
    // What is settled is nobody's to move.
    assert!(operator.set_role(&who(&next), Role::Customer).await.unwrap());
    assert!(!is_invited().await);
    operator.close().await;
}

#[tokio::test]
async fn open_jobs_keep_a_role_and_the_chats_of_ended_ones_stay() {
    let server = Fixture::start().await;
    let operator = operator(&server).await;
    let (customer, provider, chat) = server.booking().await;
    let job = customer.get("/jobs").await.1["jobs"][0]["id"].as_i64().unwrap();
    for (person, role) in [(&customer, Role::Provider), (&provider, Role::Lsm)] {
        let error = operator.set_role(&who(person), role).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::Conflict);
        assert!(error.message().contains(&format!("open jobs: {job};")), "{}", error.message());
        assert_eq!(person.get("/auth/me").await.0, 200, "and nothing has changed");
    }
    for _ in 0..11 {
        customer.book(&provider).await;
    }
    let error = operator.set_role(&who(&customer), Role::Lsm).await.unwrap_err();
    assert!(error.message().contains(" and 2 more; complete or cancel"), "{}", error.message());
    let (_, list) = customer.get("/jobs").await;
    for open in list["jobs"].as_array().unwrap() {
        let path = format!("/jobs/{}/complete", open["id"]);
        assert_eq!(provider.post(&path, json!({})).await.0, 200);
    }
    assert!(operator.set_role(&who(&customer), Role::Lsm).await.unwrap());

    let promoted = customer.log_in("correct horse").await;
    let said = promoted.enter(&chat).await.send(&chat, "as who I was here").await;
    assert_eq!(said["sender_type"], "customer");
    // Nobody settles the own dispute.
    let body = json!({ "chatId": chat, "description": "it leaks" });
    let (status, answer) = provider.post("/disputes", body.clone()).await;
    assert_eq!((status, &answer["error"]), (409, &json!("conflict")), "{answer}");
    let other = server.register("lsm").await;
    let (status, answer) = provider.post("/disputes", body).await;
    assert_eq!((status, &answer["lsm"]["id"]), (201, &json!(other.id)), "{answer}");
    operator.close().await;
}

/// Runs SQL with numbers as `$1` and `$2` in a transaction that is left open, while `other` waits
/// for it; what came of that.
async fn behind<T>(
    server: &Fixture,
    (sql, first, second): (&'static str, i64, i64),
    other: impl Future<Output = T>,
) -> T {
    let mut holder = database::connect(&server.database).await;
    let mut watcher: PgConnection = database::connect(&server.database).await;
    let mut open = holder.begin().await.unwrap();
    sqlx::query(sql).bind(first).bind(second).execute(&mut *open).await.unwrap();
    let release = async {
        somebody_waits(&mut watcher, sql).await;
        open.commit().await.unwrap();
    };
    let (came, ()) = tokio::join!(other, release);
    for outside in [holder, watcher] {
        outside.close().await.unwrap();
    }
    came
}

#[tokio::test]
async fn a_role_and_what_rests_on_it_wait_for_each_other() {
    const BOOK: &str = "select book_job($1, $2, null, null, null, null, null, null, null)";
    const CHANGE: &str = "select set_role($1, case $2 when 1 then 'customer' else
                          'local_service_manager' end, 1)";
    const OPEN: &str = "select open_dispute($1, null, $2, 'it leaks')";
    let server = Fixture::start().await;
    let operator = operator(&server).await;
    let (customer, provider) =
        (server.register("customer").await, server.register("provider").await);
    let code = |answer: (u16, Value)| answer.1["error"].as_str().unwrap_or_default().to_owned();
    let booking = json!({ "providerId": provider.id });

    let promoted = who(&provider);
    let to_lsm = operator.set_role(&promoted, Role::Lsm);
    let error = behind(&server, (BOOK, customer.id, provider.id), to_lsm).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Conflict, "the job that is being booked: {error}");
    server.sql_of("update jobs set status = 'completed' where provider_id = $1", provider.id).await;
    let book = customer.post("/jobs/create", booking.clone());
    assert_eq!(code(behind(&server, (CHANGE, provider.id, 2), book).await), "not_found");
    assert!(operator.set_role(&who(&provider), Role::Provider).await.unwrap());

    let lsm = server.register("lsm").await;
    let (_, booked) = customer.post("/jobs/create", booking).await;
    let (chat, job) = (booked["chatId"].as_str().unwrap(), booked["jobId"].as_i64().unwrap());
    let open = customer.post("/disputes", json!({ "chatId": chat, "description": "it leaks" }));
    assert_eq!(
        code(behind(&server, (CHANGE, lsm.id, 1), open).await),
        "conflict",
        "no LSM is left"
    );
    assert!(operator.set_role(&who(&lsm), Role::Lsm).await.unwrap());
    let shut = who(&lsm);
    let away = operator.set_disabled(&shut, true);
    assert!(behind(&server, (OPEN, customer.id, job), away).await.unwrap());
    let (_, view) = customer.get(&format!("/chat/{chat}")).await;
    assert_eq!(view["lsmInvited"], false, "the dispute that was being opened waits: {view}");
    let waiting: Uuid = chat.parse().unwrap();
    let mut outside = database::connect(&server.database).await;
    let asked = "select count(*) from disputes where chat_id = $1 and status = 'pending'";
    let count: i64 = sqlx::query_scalar(asked).bind(waiting).fetch_one(&mut outside).await.unwrap();
    assert_eq!(count, 1);
    outside.close().await.unwrap();
    operator.close().await;
}
