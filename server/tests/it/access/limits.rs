//! Every limit answers with an error that names it, to who is over it and to nobody else
//! (promises 8 and 9).

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use trialogue_server::config::LimitsProfile;
use trialogue_server::limits::{BODY_BYTES_MAX, Limits};

use super::raw::{Poll, Wire, exchange, host};
use crate::fixture::{Fixture, Live, SOON};
use crate::rest::check_error;

/// Asks the same many times at once; how many of the first were not refused as too many, and what
/// the first refusal says.
async fn flood(live: &Live, count: usize, event: &str, body: &Value) -> (usize, Value) {
    let asked: Vec<_> = (0..count).map(|_| live.ask(event, body)).collect();
    let mut passed = None;
    let mut refusal = Value::Null;
    for (at, ack) in asked.into_iter().enumerate() {
        let ack: Value = ack.within(SOON).await.unwrap().get(0).unwrap();
        if ack["error"]["code"] == "rate_limited" && passed.is_none() {
            passed = Some(at);
            refusal = ack["error"].clone();
        }
    }
    (passed.unwrap_or(count), refusal)
}

#[tokio::test]
async fn each_rate_of_a_socket_has_its_burst_and_says_its_name() {
    let server = Fixture::with(|config| config.limits = LimitsProfile::Default).await;
    let (customer, provider, chat) = server.booking().await;
    let mut theirs = provider.enter(&chat).await;
    let limits = Limits::standard();
    let nowhere = json!({ "chatId": uuid::Uuid::new_v4() });
    for (event, body, rate, name) in [
        ("nonsense", json!({}), limits.events, "events"),
        ("mark_read", json!({}), limits.events, "events"),
        ("leave_chat", nowhere.clone(), limits.joins, "joins"),
        ("join_chat", json!({}), limits.joins, "joins"),
        ("typing", json!({}), limits.typing, "typing"),
        ("fetch_messages", json!({}), limits.fetches, "pages"),
        ("send_message", json!({}), limits.messages, "messages"),
    ] {
        // A socket of its own each, as a socket's allowances are its own.
        let live = customer.connect().await;
        let burst = rate.burst as usize;
        let (passed, refusal) = flood(&live, burst + 15, event, &body).await;
        assert!((burst..burst + 15).contains(&passed), "{event}: {passed} of {burst}");
        let said = refusal["message"].as_str().unwrap();
        let limit = rate.count.to_string();
        assert!(said.contains(name) && said.contains(&limit), "{event}: {said}");
        let wait = refusal["retryAfterMs"].as_u64().unwrap();
        assert!((1..=1_000).contains(&wait) && refusal["retryable"] == true, "{refusal}");
    }
    // The messages of a user are counted over all sockets.
    let (passed, _) = flood(&customer.connect().await, 20, "send_message", &json!({})).await;
    assert!(passed < 20, "a new socket brings no new burst: {passed}");
    theirs.send(&chat, "not my flood").await;
    assert_eq!(theirs.expect("new_message").await["message"], "not my flood");
}

#[tokio::test]
async fn a_socket_is_in_128_rooms_and_no_more() {
    let server = Fixture::start().await;
    let (customer, provider) =
        (server.register("customer").await, server.register("provider").await);
    let max = Limits::standard().rooms_per_socket_max;
    let live = customer.connect().await;
    let mut chats = Vec::new();
    for _ in 0..=max {
        chats.push(customer.book(&provider).await);
    }
    let join = async |chat: &str| live.request("join_chat", json!({ "chatId": chat })).await;
    for chat in &chats[..max] {
        assert_eq!(join(chat).await["ok"], true);
    }
    let refused = join(&chats[max]).await;
    assert_eq!(refused["error"]["code"], "too_large", "{refused}");
    assert!(refused["error"]["message"].as_str().unwrap().contains(&max.to_string()), "{refused}");
    assert_eq!(join(&chats[0]).await["ok"], true, "one that it is in already");
    live.request("leave_chat", json!({ "chatId": chats[0] })).await;
    assert_eq!(join(&chats[max]).await["ok"], true, "there is room again");
}

#[tokio::test]
async fn what_is_over_64_kib_is_not_taken_on_any_way_in() {
    let server = Fixture::start().await;
    let (customer, provider, chat) = server.booking().await;
    let event = |bytes: usize| {
        let head = format!("42/chat,1[\"send_message\",{{\"chatId\":\"{chat}\",\"message\":\"");
        let tail = "\"}]";
        format!("{head}{}{tail}", "x".repeat(bytes - head.len() - tail.len()))
    };
    let mut wire = Wire::connect(&server, &customer.token).await;
    wire.send(&[&event(BODY_BYTES_MAX)]).await;
    let ack = wire.until("43/chat,1[").await;
    assert!(ack.last().unwrap().contains("too_large"), "read, and then too long: {ack:?}");
    // The server may close before all of it is sent.
    let _cut = wire.writer.write_all(&Wire::frames(&[event(BODY_BYTES_MAX + 1)])).await;
    let end = wire.until("43/").await;
    assert!(end.last().is_none_or(|text| text.contains("1009")), "{end:?}");

    let poll = Poll::open(&server).await;
    let auth = json!({ "token": customer.token });
    poll.post(&format!("40/chat,{auth}")).await;
    poll.until("\"connected\"").await;
    assert_eq!(poll.status(&event(BODY_BYTES_MAX + 1)).await, 413);

    let body = json!({ "providerId": provider.id, "unknown": "x".repeat(BODY_BYTES_MAX) });
    let answer = customer.post("/jobs/create", body).await;
    check_error(&answer, "too_large");
    assert!(answer.1["message"].as_str().unwrap().contains("65536"), "{}", answer.1);
    // The same without a word of how long it is.
    let chunks = vec![Ok::<_, std::io::Error>("x".repeat(BODY_BYTES_MAX)), Ok("x".to_owned())];
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    let request = server.http.post(format!("{}/jobs/create", server.url)).body(body);
    let answer = customer.answer(request.header("content-type", "application/json")).await;
    check_error(&answer, "too_large");
    customer.enter(&chat).await.send(&chat, "still here").await;
}

#[tokio::test]
async fn a_body_that_is_announced_as_too_long_is_refused_before_it_comes() {
    let server = Fixture::start().await;
    // Nothing of it is ever sent: who waits for it says after a while that it did not arrive.
    let head = format!(
        "POST /auth/login HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
         Content-Length: 999999999\r\n\r\n",
        host(&server)
    );
    let answer = exchange(&server, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("too_large") && answer.contains("65536"), "{answer}");
}

#[tokio::test]
async fn a_socket_that_does_not_read_is_cut_alone_and_loses_nothing_after_it_is_back() {
    const MESSAGES: usize = 400;
    let server =
        Fixture::with(|config| config.metrics_addr = Some(([127, 0, 0, 1], 0).into())).await;
    let (customer, provider, chat) = server.booking().await;
    let mut ours = customer.enter(&chat).await;
    let mut stalled = Wire::connect(&server, &provider.token).await;
    stalled.send(&[&format!("42/chat,0[\"join_chat\",{}]", json!({ "chatId": chat }))]).await;
    stalled.until("43/chat,0[").await;
    ours.expect("user_joined").await;
    let body = json!({ "chatId": chat, "message": "🦀".repeat(4_000) });
    let mut sent = 0;
    // 6.4 MB in all: the queue, the kernel and the network between hold less.
    while sent < MESSAGES && !ours.has("user_left") {
        let asked: Vec<_> = (0..10).map(|_| ours.ask("send_message", &body)).collect();
        for ack in asked {
            let ack: Value = ack.within(SOON).await.unwrap().get(0).unwrap();
            assert_eq!(ack["ok"], true, "who speaks is not held up: {ack}");
            sent += 1;
        }
        ours.take_all("new_message");
    }
    assert!(sent < MESSAGES, "not cut by what waits for it");
    assert_eq!(ours.expect("user_left").await["userId"], provider.id);
    assert!(sent > 64, "cut after {sent} messages: less than 1 MiB");
    server.expect_counted("slow_cuts_total", 1.0).await;
    server.expect_counted("sessions_closed_total{reason=\"slow\"}", 1.0).await;

    let back = provider.connect().await;
    let mut seqs = Vec::new();
    loop {
        let since = seqs.last().copied().unwrap_or(0);
        let ack = back.request("join_chat", json!({ "chatId": chat, "sinceSeq": since })).await;
        let page = ack["messages"].as_array().unwrap();
        seqs.extend(page.iter().map(|m| m["seq"].as_i64().unwrap()));
        if ack["hasMore"] == false {
            break;
        }
    }
    assert_eq!(seqs, (1..=i64::try_from(sent).unwrap()).collect::<Vec<_>>());
}
