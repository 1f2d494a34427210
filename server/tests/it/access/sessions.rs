//! The life of a session on the wire: before it is known, at its end, and when what it rests on
//! changes in the middle (A1, A5, A6, A10, A11, A19, A20 of RELIABILITY).

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};

use super::forge::expired_token;
use super::log;
use super::raw::{Poll, Wire};
use crate::fixture::{Fixture, Person, SOON};
use crate::rest::check_error;

/// Time from a refused CONNECT to the end of the transport (CONTRACT §2), with a margin of two.
const CUT: Duration = Duration::from_secs(2 * 10);

/// What is no token, as the auth object of a CONNECT.
fn no_tokens(person: &Person) -> Vec<String> {
    vec![
        String::new(),
        "{}".to_owned(),
        r#"{"token":""}"#.to_owned(),
        r#"{"token":null}"#.to_owned(),
        r#"{"token":5}"#.to_owned(),
        r#"{"token":{"toString":"x"}}"#.to_owned(),
        json!({ "token": "x".repeat(5_000) }).to_string(),
        json!({ "token": person.refresh_token }).to_string(),
        json!({ "accessToken": person.token }).to_string(),
        json!({ "token": format!("{} ", person.token) }).to_string(),
    ]
}

#[tokio::test]
async fn who_has_no_token_hears_nothing_but_the_refusal_and_is_cut_in_time() {
    let server = Fixture::start().await;
    let person = server.register("customer").await;
    let over_websocket = async |auth: String| {
        let mut wire = Wire::open(&server).await;
        wire.reader.patience = CUT;
        wire.send(&[&format!("40/chat,{auth}")]).await;
        let said = wire.until("44/chat,").await;
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains(r#""code":"unauthenticated""#), "{auth}: {said:?}");
        let end = timeout(CUT, async { while !wire.until("44").await.is_empty() {} });
        end.await.unwrap_or_else(|_| panic!("still open: {auth}"));
    };
    let over_polling = async |auth: String| {
        let poll = Poll::open(&server).await;
        poll.post(&format!("40/chat,{auth}")).await;
        let said = poll.until("44/chat,").await;
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains(r#""code":"unauthenticated""#), "{auth}: {said:?}");
        let (end, said) = poll.ended(CUT).await;
        assert!(end, "still open: {auth}");
        assert!(said.iter().all(|frame| ["1", "6"].contains(&frame.as_str())), "{said:?}");
    };
    let tokens = no_tokens(&person);
    let begin = Instant::now();
    tokio::join!(
        join_all(tokens.iter().cloned().map(over_websocket)),
        join_all(tokens.iter().take(4).cloned().map(over_polling)),
    );
    assert!(begin.elapsed() < CUT, "{:?}", begin.elapsed());

    let huge = json!({ "token": "x".repeat(1_000_000) }).to_string();
    let mut wire = Wire::open(&server).await;
    // The server may close before all of it is sent.
    let _cut = wire.writer.write_all(&Wire::frames(&[&format!("40/chat,{huge}")])).await;
    let said = wire.until("44").await;
    assert!(said.iter().all(|text| text.contains("1009")), "{said:?}");
    person.connect().await;
}

#[tokio::test]
async fn events_in_the_segment_of_connect_are_done_after_it_and_never_lost() {
    const ROUNDS: usize = 150;
    let server = Fixture::start().await;
    let (customer, _, chat) = server.booking().await;
    let connect = format!("40/chat,{}", json!({ "token": customer.token }));
    let event = |id: usize, name: &str, body: Value| format!("42/chat,{id}[\"{name}\",{body}]");
    for round in 0..ROUNDS {
        let mut wire = Wire::open(&server).await;
        let said = json!({ "chatId": chat, "message": round.to_string() });
        wire.send(&[
            &connect,
            &event(1, "join_chat", json!({ "chatId": chat })),
            &event(2, "send_message", said),
            &event(3, "typing", json!({ "chatId": chat, "isTyping": false })),
        ])
        .await;
        let frames = wire.until("43/chat,3[").await;
        let at = |what: &str| {
            let found = frames.iter().position(|frame| frame.starts_with(what));
            found.unwrap_or_else(|| panic!("no {what} in {frames:?}"))
        };
        let order =
            ["40/chat,", "42/chat,[\"connected\"", "43/chat,1[", "43/chat,2[", "43/chat,3["];
        let places: Vec<_> = order.iter().map(|what| at(what)).collect();
        assert!(places.is_sorted(), "{frames:?}");
        assert!(frames[at("43/chat,2[")].contains(&format!("\"seq\":{}", round + 1)), "{frames:?}");
    }
}

#[tokio::test]
async fn at_its_end_a_session_is_over_idle_speaking_or_listening() {
    const TTL: Duration = Duration::from_secs(4);
    let server = Fixture::with(|config| config.access_ttl = TTL).await;
    let (customer, provider, chat) = server.booking().await;
    let mut idle = customer.connect().await;
    let mut listening = customer.enter(&chat).await;
    let Wire { reader: mut hearing, writer: mut speaking } =
        Wire::connect(&server, &customer.token).await;
    let begin = Instant::now();
    // The other one goes on, with a token that ends later.
    tokio::time::sleep(TTL / 2).await;
    let mut theirs = provider.log_in("correct horse").await.connect().await;

    let flood = async {
        let body = json!({ "chatId": chat, "message": "x" });
        let frames = Wire::frames(&[format!("42/chat,[\"send_message\",{body}]")]);
        while speaking.write_all(&frames).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let heard = async { hearing.until("never said").await };
    let talk = async {
        let body = json!({ "chatId": chat, "message": "still talking" });
        while begin.elapsed() < TTL + Duration::from_millis(500) {
            // On a slow machine this session may be over as well.
            let Ok(_) = theirs.ask("send_message", &body).within(SOON).await else { break };
            // What is not taken from a client stops it.
            let _ = (theirs.has(""), listening.has(""));
        }
    };
    let ended = timeout(4 * TTL, async { tokio::join!(flood, heard, talk, idle.closed()) });
    let ((), heard, (), reason) = ended.await.expect("a session outlives its token");
    assert!(reason.as_str().starts_with("transport"), "a plain client comes back: {reason}");
    assert!(idle.has("token_expiring"));
    assert_eq!(idle.expect_came("error")["code"], "token_expired");
    let end = heard.iter().position(|frame| frame.contains("token_expired"));
    let end = end.unwrap_or_else(|| panic!("no end is told: {:?}", heard.last()));
    let after = &heard[end + 1..];
    assert!(after.iter().all(|frame| !frame.starts_with("42")), "after its end: {after:?}");
    listening.closed().await;
    assert_eq!(listening.expect_came("error")["code"], "token_expired");
    let refused = customer.try_connect().await.unwrap_err();
    assert_eq!(refused.data.unwrap()["code"], "token_expired");
}

#[tokio::test]
async fn only_a_living_session_of_the_same_person_prolongs_a_socket() {
    let server = Fixture::start().await;
    let (person, other) = (server.register("customer").await, server.register("customer").await);
    let over = person.log_in("correct horse").await;
    assert_eq!(over.post("/auth/logout", json!({})).await.0, 204);
    let live = person.connect().await;
    for (token, code) in [
        (other.token.clone(), "denied"),
        (over.token.clone(), "unauthenticated"),
        (expired_token(&person.token), "token_expired"),
        (person.refresh_token.clone(), "unauthenticated"),
        (String::new(), "unauthenticated"),
    ] {
        let ack = live.request("refresh_auth", json!({ "token": token })).await;
        assert_eq!(ack["error"]["code"], code, "{ack}");
    }
    let again = person.log_in("correct horse").await;
    let ack = live.request("refresh_auth", json!({ "token": again.token })).await;
    assert_eq!(ack["ok"], true, "{ack}");
    // The socket belongs to the new session now, and ends with it.
    assert_eq!(person.post("/auth/logout", json!({})).await.0, 204);
    let ack = live.request("leave_chat", json!({ "chatId": uuid::Uuid::new_v4() })).await;
    assert_eq!(ack["error"]["code"], "denied", "alive: {ack}");
    let mut live = live;
    assert_eq!(again.post("/auth/logout", json!({})).await.0, 204);
    timeout(Duration::from_secs(2), live.closed()).await.expect("not within 2 s");
}

#[tokio::test]
async fn eight_refreshes_at_once_get_one_successor_and_nobody_is_logged_out() {
    let server = Fixture::start().await;
    let person = server.register("customer").await;
    let body = json!({ "refreshToken": person.refresh_token });
    let answers = join_all((0..8).map(|_| person.post("/auth/refresh", body.clone()))).await;
    for (status, pair) in &answers {
        assert_eq!(*status, 200, "{pair}");
        assert_eq!(pair["refreshToken"], answers[0].1["refreshToken"]);
        let token = pair["accessToken"].as_str().unwrap().to_owned();
        assert_eq!(Person { token, ..person.clone() }.get("/auth/me").await.0, 200);
    }
}

#[tokio::test]
async fn the_role_of_now_counts_and_not_that_of_the_token() {
    let server = Fixture::start().await;
    let lsm = server.register("lsm").await;
    let (customer, provider, chat) = server.booking().await;
    customer.dispute(&chat).await;
    let (ours, third) = (customer.connect().await, lsm.connect().await);
    server.sql_of("update users set role = 'service_provider' where id = $1", customer.id).await;
    server.sql_of("update users set role = 'customer' where id = $1", lsm.id).await;
    server.sql_of("update users set role = 'customer' where id = $1", provider.id).await;

    let (_, me) = customer.get("/auth/me").await;
    assert_eq!(me["user"]["role"], "service_provider");
    let body = json!({ "providerId": customer.id });
    check_error(&customer.post("/jobs/create", body.clone()).await, "denied");
    assert_eq!(provider.post("/jobs/create", body).await.0, 201, "a customer now");
    let ack = third.request("join_chat", json!({ "chatId": chat })).await;
    assert_eq!(ack["error"]["code"], "denied", "an invited LSM that is none any more: {ack}");
    ours.send(&chat, "a member is a member").await;
    let again = customer.log_in("correct horse").await;
    let role = &super::forge::payload_of(&again.token)["role"];
    assert_eq!(role, "service_provider");
}

#[tokio::test]
async fn a_token_in_a_query_is_not_read_and_not_logged() {
    let (log, _guard) = log::capture();
    let server = Fixture::start().await;
    let person = server.register("customer").await;
    let token = &person.token;
    let url = format!("{}/auth/me?token={token}&access_token={token}", server.url);
    let answer = server.http.get(url).timeout(SOON).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    let query =
        format!("&token={token}&auth=%7B%22token%22%3A%22{token}%22%7D&authorization={token}");
    let mut wire = Wire::upgrade(&server, &query, "").await.unwrap();
    wire.send(&["40/chat,"]).await;
    let said = wire.until("44/chat,").await;
    assert!(said.last().unwrap().contains("unauthenticated"), "{said:?}");
    let mut wire = Wire::upgrade(&server, "", &format!("cookie: token={token}\r\n")).await.unwrap();
    wire.send(&["40/chat,"]).await;
    assert!(wire.until("44/chat,").await.last().unwrap().contains("unauthenticated"));
    // In the header it is read.
    let bearer = format!("authorization: Bearer {token}\r\n");
    let mut wire = Wire::upgrade(&server, "", &bearer).await.unwrap();
    wire.send(&["40/chat,"]).await;
    assert!(wire.until("\"connected\"").await.len() > 1);
    let log = log.text();
    assert!(log.contains("token_refused"), "the log is the server's: {log}");
    assert!(!log.contains(token.as_str()) && !log.contains("access_token"), "{log}");
}

/// A library closes by itself when it is disconnected; this client stays.
#[tokio::test]
async fn who_stays_after_the_end_of_the_session_is_cut_off() {
    /// CONTRACT §1, with a margin of two.
    const ENDED: Duration = Duration::from_secs(2 * 2);
    let server = Fixture::start().await;
    let person = server.register("customer").await;
    let mut wire = Wire::connect(&server, &person.token).await;
    assert_eq!(person.post("/auth/logout", json!({})).await.0, 204);
    let said = timeout(ENDED, wire.until("never said")).await.expect("the transport stays open");
    assert!(said.iter().any(|text| text.contains("unauthenticated")), "{said:?}");
}
