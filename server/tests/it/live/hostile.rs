//! What a client may send without harm: never silence, never a crash, never somebody else's room.

use serde_json::{Value, json};

use crate::fixture::Fixture;

#[tokio::test]
async fn nonsense_is_answered_and_the_server_goes_on() {
    let fixture = Fixture::start().await;
    let (customer, _, chat) = fixture.booking().await;
    let mut live = customer.enter(&chat).await;
    let wrong = [
        json!(null),
        json!(5),
        json!("text"),
        json!([]),
        json!({}),
        json!({ "chatId": null }),
        json!({ "chatId": 5 }),
        json!({ "chatId": { "toString": "x" } }),
        json!({ "chatId": "user:5" }),
        json!({ "chatId": format!("chat:{chat}") }),
        json!({ "chatId": format!("{{{chat}}}") }),
        json!({ "chatId": chat, "message": 5, "isTyping": "yes", "seq": "x", "sinceSeq": {},
                "token": 5, "afterSeq": 1e300, "limit": "all" }),
    ];
    for event in ["send_message", "fetch_messages", "typing", "refresh_auth", "leave_chat"] {
        for body in &wrong {
            if event == "leave_chat" && body["chatId"] == *chat {
                continue;
            }
            let ack = live.request(event, body).await;
            assert_eq!(ack["error"]["code"], "bad_request", "{event} {body}: {ack}");
        }
    }
    for event in ["join_chat", "mark_read"] {
        for body in &wrong {
            let ack = live.request(event, body).await;
            assert_eq!(ack["error"]["code"], "bad_request", "{event} {body}: {ack}");
        }
    }
    for event in ["nonsense", "connected", "new_message", "__proto__", "", "join_chat "] {
        let ack = live.request(event, json!({})).await;
        assert_eq!(ack["error"]["code"], "bad_request", "{event}: {ack}");
    }
    live.send(&chat, "still here").await;
    assert_eq!(live.expect("new_message").await["message"], "still here");
}

#[tokio::test]
async fn a_failure_without_an_acknowledgement_arrives_as_an_error() {
    let fixture = Fixture::start().await;
    let (customer, _, chat) = fixture.booking().await;
    let mut stranger = fixture.register("provider").await.connect().await;
    let mut ours = customer.enter(&chat).await;
    let body = json!({ "chatId": chat, "message": "x", "clientMessageId": "mine" });
    stranger.emit("send_message", body);
    let error = stranger.expect("error").await;
    assert_eq!(error["code"], "denied");
    assert_eq!(error["event"], "send_message");
    assert_eq!(error["chatId"], *chat);
    assert_eq!(error["clientMessageId"], "mine");
    stranger.emit("jump", json!([1, 2]));
    let error = stranger.expect("error").await;
    assert_eq!((&error["code"], &error["event"]), (&json!("bad_request"), &json!("jump")));
    ours.send(&chat, "marker").await;
    ours.expect("new_message").await;
    assert!(!ours.has("error"), "an error goes to who caused it");
}

#[tokio::test]
async fn texts_are_bounded_and_come_back_byte_for_byte() {
    let fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let (ours, mut theirs) = (customer.enter(&chat).await, provider.enter(&chat).await);
    let check = |text: String| {
        let body = json!({ "chatId": chat, "message": text });
        let ack = ours.request("send_message", body);
        async move { ack.await["error"]["code"].as_str().map(str::to_owned) }
    };
    assert_eq!(check(String::new()).await.as_deref(), Some("bad_request"));
    assert_eq!(check("  \n".to_owned()).await.as_deref(), Some("bad_request"));
    assert_eq!(check("a\0b".to_owned()).await.as_deref(), Some("bad_request"));
    assert_eq!(check("x".repeat(4_001)).await.as_deref(), Some("too_large"));
    assert_eq!(check("👨‍👩‍👧".repeat(1_000)).await.as_deref(), Some("too_large"));
    for text in ["x".repeat(4_000), "🦀".repeat(4_000), "e\u{301}é\u{202e}\u{1b}[2J'; DROP".into()]
    {
        assert_eq!(check(text.clone()).await, None);
        assert_eq!(theirs.expect("new_message").await["message"], Value::String(text));
    }
}

#[tokio::test]
async fn what_a_sender_claims_about_itself_is_ignored() {
    let fixture = Fixture::start().await;
    let (customer, provider, chat) = fixture.booking().await;
    let (ours, mut theirs) = (customer.enter(&chat).await, provider.enter(&chat).await);
    let body = json!({
        "chatId": chat, "message": "hi", "sender_id": provider.id, "sender_type": "admin",
        "seq": 99, "id": uuid::Uuid::nil(), "created_at": "1970-01-01T00:00:00.000Z",
    });
    assert_eq!(ours.request("send_message", body).await["ok"], true);
    let heard = theirs.expect("new_message").await;
    assert_eq!((&heard["sender_id"], &heard["seq"]), (&json!(customer.id), &json!(1)));
    assert_eq!(heard["sender_type"], "customer");
    assert_ne!(heard["id"], json!(uuid::Uuid::nil()));
    assert!(heard["created_at"].as_str().unwrap() > "2020");
}

#[tokio::test]
async fn a_page_of_a_foreign_origin_is_not_served() {
    let fixture =
        Fixture::with(|c| c.allow_origin = vec!["https://ok.example".parse().unwrap()]).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/socket.io/?EIO=4&transport=polling", fixture.url);
    let check = |origin: &'static str| {
        let request = http.get(&url).header("origin", origin);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(check("https://ok.example").await, 200);
    assert_eq!(check("http://localhost:5173").await, 200);
    for foreign in
        ["https://evil.example", "https://ok.example.evil.com", "null", "http://ok.example"]
    {
        assert_eq!(check(foreign).await, 403, "{foreign}");
    }
}

#[tokio::test]
async fn rest_obeys_the_same_list_of_origins() {
    let fixture =
        Fixture::with(|c| c.allow_origin = vec!["https://ok.example".parse().unwrap()]).await;
    let url = format!("{}/auth/me", fixture.url);
    let header = |answer: &reqwest::Response| {
        let header = answer.headers().get("access-control-allow-origin");
        header.map(|value| value.to_str().unwrap().to_owned())
    };
    for origin in ["https://ok.example", "http://localhost:5173"] {
        let preflight = fixture
            .http
            .request(reqwest::Method::OPTIONS, &url)
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization");
        let answer = preflight.send().await.unwrap();
        assert_eq!((answer.status().as_u16(), header(&answer).as_deref()), (204, Some(origin)));
        assert!(
            answer.headers()["access-control-allow-headers"].to_str().unwrap().contains("auth")
        );
        let answer = fixture.http.get(&url).header("origin", origin).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), header(&answer).as_deref()), (401, Some(origin)));
    }
    for origin in ["https://evil.example", "null"] {
        let answer = fixture.http.get(&url).header("origin", origin).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), header(&answer)), (403, None), "{origin}");
    }
    let answer = fixture.http.get(&url).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), header(&answer)), (401, None), "no page at all");
}

#[tokio::test]
async fn half_a_request_head_is_closed_in_time() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let fixture = Fixture::start().await;
    let address = fixture.url.strip_prefix("http://").unwrap();
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /auth/me HTTP/1.1\r\nhost: x\r\nx-slow: ").await.unwrap();
        slow.push(stream);
    }
    fixture.booking().await;
    let end = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    for mut stream in slow {
        let mut rest = Vec::new();
        let closed = tokio::time::timeout_at(end, stream.read_to_end(&mut rest)).await;
        // What it says before it closes, or whether it resets, does not matter.
        let _ = closed.expect("still open after twice the time");
    }
}
