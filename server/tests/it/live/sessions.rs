//! Sessions end: by time, by logout, by a new password. And they have limits.

use std::time::Duration;

use serde_json::json;
use trialogue_server::config::LimitsProfile;

use crate::fixture::Fixture;

#[tokio::test]
async fn a_token_that_ends_is_announced_and_closes_the_transport() {
    let fixture = Fixture::with(|c| c.access_ttl = Duration::from_secs(2)).await;
    let person = fixture.register("customer").await;
    let mut live = person.connect().await;
    assert!(live.expect("token_expiring").await["expiresAt"].is_string());
    let error = live.expect("error").await;
    assert_eq!(error["code"], "token_expired");
    live.closed().await;
    let refused = person.try_connect().await.expect_err("an expired token connects");
    assert_eq!(refused.data.unwrap()["code"], "token_expired");
}

#[tokio::test]
async fn a_fresh_token_of_the_same_user_lengthens_the_session() {
    let fixture = Fixture::with(|c| c.access_ttl = Duration::from_secs(3)).await;
    let (person, other) = (fixture.register("customer").await, fixture.register("customer").await);
    let mut live = person.connect().await;
    for wrong in ["nonsense", &person.refresh_token] {
        let ack = live.request("refresh_auth", json!({ "token": wrong })).await;
        assert_eq!(ack["error"]["code"], "unauthenticated", "{ack}");
    }
    let foreign = live.request("refresh_auth", json!({ "token": other.token })).await;
    assert_eq!(foreign["error"]["code"], "denied", "{foreign}");

    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let body = json!({ "refreshToken": person.refresh_token });
    let (status, fresh) = person.post("/auth/refresh", body).await;
    assert_eq!(status, 200, "{fresh}");
    let ack = live.request("refresh_auth", json!({ "token": fresh["accessToken"] })).await;
    assert_eq!(ack["ok"], true, "{ack}");
    // Past the end of the first token.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let ack = live.request("leave_chat", json!({ "chatId": uuid::Uuid::new_v4() })).await;
    assert_eq!(ack["error"]["code"], "denied", "alive: {ack}");
    assert_eq!(live.expect("error").await["code"], "token_expired");
    live.closed().await;
}

#[tokio::test]
async fn logout_ends_the_live_sockets_of_its_family_alone() {
    let fixture = Fixture::start().await;
    let person = fixture.register("customer").await;
    let elsewhere = person.log_in("correct horse").await;
    let (mut ours, theirs) = (person.connect().await, elsewhere.connect().await);
    let (status, body) = person.post("/auth/logout", json!({})).await;
    assert_eq!(status, 204, "{body}");
    tokio::time::timeout(Duration::from_secs(2), ours.closed()).await.expect("not within 2 s");
    assert_eq!(ours.expect_came("error")["code"], "unauthenticated");
    assert!(person.try_connect().await.is_err(), "the token of an ended session connects");
    let ack = theirs.request("leave_chat", json!({ "chatId": uuid::Uuid::new_v4() })).await;
    assert_eq!(ack["error"]["code"], "denied", "the other session is alive: {ack}");
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let fixture = Fixture::start().await;
    let person = fixture.register("customer").await;
    let elsewhere = person.log_in("correct horse").await;
    let (ours, mut theirs) = (person.connect().await, elsewhere.connect().await);
    let body = json!({ "oldPassword": "correct horse", "newPassword": "battery staple" });
    let (status, answer) = person.post("/auth/password", body).await;
    assert_eq!(status, 204, "{answer}");
    tokio::time::timeout(Duration::from_secs(2), theirs.closed()).await.expect("not within 2 s");
    let ack = ours.request("leave_chat", json!({ "chatId": uuid::Uuid::new_v4() })).await;
    assert_eq!(ack["error"]["code"], "denied", "this session is alive: {ack}");
}

#[tokio::test]
async fn a_flood_is_refused_with_the_time_to_come_back() {
    let fixture = Fixture::with(|c| c.limits = LimitsProfile::Default).await;
    let (customer, provider, chat) = fixture.booking().await;
    let (ours, mut theirs) = (customer.enter(&chat).await, provider.enter(&chat).await);
    let body = json!({ "chatId": chat, "message": "flood" });
    let acks: Vec<_> = (0..40).map(|_| ours.ask("send_message", &body)).collect();
    let (mut stored, mut refused) = (0, 0);
    for ack in acks {
        let ack: serde_json::Value =
            ack.within(crate::fixture::SOON).await.unwrap().get(0).unwrap();
        if ack["ok"] == true {
            stored += 1;
        } else {
            assert_eq!(ack["error"]["code"], "rate_limited", "{ack}");
            assert_eq!(ack["error"]["retryable"], true);
            assert!(ack["error"]["retryAfterMs"].as_u64().unwrap() <= 1_000, "{ack}");
            refused += 1;
        }
    }
    assert!((20..=25).contains(&stored), "{stored} stored, {refused} refused");
    for seq in 1..=stored {
        assert_eq!(theirs.expect("new_message").await["seq"], seq);
    }
}

#[tokio::test]
async fn a_user_has_so_many_sockets_and_no_more() {
    let fixture = Fixture::with(|c| c.limits = LimitsProfile::Default).await;
    let person = fixture.register("customer").await;
    let mut sockets = Vec::new();
    for _ in 0..20 {
        sockets.push(person.connect().await);
    }
    let refused = person.try_connect().await.expect_err("a 21st socket");
    assert_eq!(refused.data.unwrap()["code"], "rate_limited");
    assert!(refused.message.contains("20"), "{}", refused.message);
}

#[tokio::test]
async fn a_session_that_another_process_ends_is_over_within_two_seconds() {
    let fixture = Fixture::start().await;
    let person = fixture.register("customer").await;
    let mut live = person.connect().await;
    fixture
        .sql_of(
            "with ended as (
                update sessions set ended_at = clock_timestamp() where user_id = $1 returning id)
             insert into endings (user_id, session_id) select $1, id from ended",
            person.id,
        )
        .await;
    let end = tokio::time::timeout(Duration::from_secs(2), live.closed()).await;
    end.expect("not within 2 s");
    assert_eq!(live.expect_came("error")["code"], "unauthenticated");
}

#[tokio::test]
async fn the_demo_users_are_there_again_and_again() {
    let mut fixture = Fixture::with(|c| c.seed_demo = true).await;
    fixture.stop().await;
    fixture.start_again().await;
    let nobody = fixture.newcomer("lsm@demo.example");
    let lsm = nobody.log_in("trialogue demo").await;
    let (_, me) = lsm.get("/auth/me").await;
    assert_eq!(me["user"]["role"], "local_service_manager");
}
