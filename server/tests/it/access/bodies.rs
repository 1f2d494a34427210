//! Requests and events whose form is wrong, not their fields (C6, C13, C14 of RELIABILITY).

use serde_json::{Value, json};

use super::raw::{Wire, exchange, host};
use crate::fixture::{Fixture, SOON};
use crate::rest::check_error;

#[tokio::test]
async fn arguments_too_many_or_too_few_are_answered_and_names_that_are_none_end_the_connection() {
    let server = Fixture::start().await;
    let (customer, _, chat) = server.booking().await;
    let body = json!({ "chatId": chat });
    let mut wire = Wire::connect(&server, &customer.token).await;
    for (id, (event, code)) in [
        (format!(r#"["join_chat",{body},"more",{{}},null]"#), ""),
        (r#"["join_chat"]"#.to_owned(), "bad_request"),
        (format!(r#"["join_chat",null,{body}]"#), "bad_request"),
        // A list is no object, though a reader of fields by place might take it.
        (format!(r#"["join_chat",["{chat}"]]"#), "bad_request"),
        (format!(r#"["send_message",["{chat}","by place"]]"#), "bad_request"),
        (format!(r#"["send_message",["{chat}","by place","text","k"]]"#), "bad_request"),
        (format!(r#"["mark_read",["{chat}"]]"#), "bad_request"),
        (format!(r#"["typing",["{chat}",true]]"#), "bad_request"),
        (r#"["refresh_auth",["x"]]"#.to_owned(), "bad_request"),
        (format!(r#"["send_message","{chat}","hello"]"#), "bad_request"),
        (r#"[""]"#.to_owned(), "bad_request"),
        (r#"["error",{}]"#.to_owned(), "bad_request"),
        (r#"["new_message",{}]"#.to_owned(), "bad_request"),
        (r#"["__proto__",{}]"#.to_owned(), "bad_request"),
        (r#"["constructor",{}]"#.to_owned(), "bad_request"),
        (format!(r#"["{}",{{}}]"#, "x".repeat(256)), "bad_request"),
    ]
    .into_iter()
    .enumerate()
    {
        wire.send(&[&format!("42/chat,{id}{event}")]).await;
        let frames = wire.until(&format!("43/chat,{id}[")).await;
        let ack = frames.last().unwrap();
        let ack: Value = serde_json::from_str(&ack[ack.find('[').unwrap()..]).unwrap();
        assert_eq!(ack[0]["error"]["code"].as_str().unwrap_or_default(), code, "{event}: {ack}");
    }
    // Nobody asked for an answer, so it comes as an event.
    wire.send(&["42/chat,[\"join_chat\"]"]).await;
    let said = wire.until("\"error\"").await;
    assert!(said.last().unwrap().contains(r#""event":"join_chat""#), "{said:?}");

    let deep = format!("[\"typing\",{}1{}]", "[".repeat(200), "]".repeat(200));
    for packet in [
        r#"42/chat,[{"toString":"x"}]"#.to_owned(),
        "42/chat,[7]".to_owned(),
        "42/chat,[null,{}]".to_owned(),
        "42/chat,[]".to_owned(),
        "42/chat,{}".to_owned(),
        "42/chat,1".to_owned(),
        "42/chat,[\"join_chat\",".to_owned(),
        r#"42/chat,["connect",{}]"#.to_owned(),
        r#"42/chat,["disconnect",{}]"#.to_owned(),
        format!(r#"42/chat,["{}",{{}}]"#, "x".repeat(257)),
        format!(r#"42/chat,["{}",{{}}]"#, "x".repeat(100_000)),
        format!("42/chat,1{deep}"),
        format!("42/chat,1[\"typing\",{}", "[".repeat(50_000)),
    ] {
        let mut wire = Wire::connect(&server, &customer.token).await;
        wire.send(&[&packet]).await;
        let said = wire.until("43/").await;
        let ended = said.last().is_none_or(|text| text.starts_with("closed") || text == "1");
        assert!(ended, "{packet:.60}: {said:?}");
    }
    customer.enter(&chat).await.send(&chat, "still here").await;
}

#[tokio::test]
async fn what_was_sent_is_not_repeated_to_a_socket_either() {
    let server = Fixture::start().await;
    let (customer, _, chat) = server.booking().await;
    let mut wire = Wire::connect(&server, &customer.token).await;
    for (id, (event, argument, expect)) in [
        (
            "typing",
            json!({ "chatId": chat, "isTyping": "<canary>" }),
            "isTyping has the wrong type",
        ),
        (
            "send_message",
            json!({ "chatId": chat, "message": ["<canary>"] }),
            "message has the wrong type",
        ),
        ("join_chat", json!({ "chatId": "<canary>" }), "chatId: not a valid ChatId"),
        ("join_chat", json!({ "sinceSeq": 1 }), "chatId is missing"),
        ("refresh_auth", json!({ "token": 4711 }), "token has the wrong type"),
    ]
    .into_iter()
    .enumerate()
    {
        wire.send(&[&format!("42/chat,{id}[\"{event}\",{argument}]")]).await;
        let frames = wire.until(&format!("43/chat,{id}[")).await;
        let ack = frames.last().unwrap();
        assert!(ack.contains(&format!("\"message\":\"{expect}\"")), "{argument}: {ack}");
        assert!(!ack.contains("canary") && !ack.contains("4711"), "{ack}");
    }
}

#[tokio::test]
async fn what_is_no_json_by_its_head_is_not_read() {
    let server = Fixture::start().await;
    let person = server.register("customer").await;
    let text = json!({ "email": person.email, "password": "correct horse" }).to_string();
    let log_in = async |headers: &[(&str, &str)], body: Vec<u8>| {
        let mut request = server.http.post(format!("{}/auth/login", server.url)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        server.nobody().answer(request).await
    };
    let json = ("content-type", "application/json");
    assert_eq!(log_in(&[json], text.clone().into()).await.0, 200);
    for kind in [
        "application/json; charset=utf-16",
        "application/json;charset=latin1",
        "application/jsonp",
        "text/json",
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "*/*",
    ] {
        let answer = log_in(&[("content-type", kind)], text.clone().into()).await;
        check_error(&answer, "unsupported_media_type");
    }
    // Nothing is ever unpacked, neither a bomb nor what only claims to be packed.
    for coding in ["gzip", "deflate", "br", "zstd", "gzip, gzip"] {
        let answer = log_in(&[json, ("content-encoding", coding)], text.clone().into()).await;
        check_error(&answer, "unsupported_media_type");
    }
    let answer = log_in(&[json, ("content-encoding", "identity")], text.into()).await;
    assert_eq!(answer.0, 200, "{}", answer.1);
    check_error(&log_in(&[json], b"\x1f\x8b\x08\x00".to_vec()).await, "bad_request");
}

#[tokio::test]
async fn a_method_is_one_of_ours_or_refused() {
    let server = Fixture::start().await;
    let person = server.register("customer").await;
    for method in ["TRACE", "CONNECT", "PUT", "DELETE", "PATCH", "LOCK", "get", "GETX"] {
        for path in ["/auth/me", "/chat", "/socket.io/?EIO=4&transport=polling", "/nothing"] {
            let request = format!(
                "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\
                 x-echo: secret\r\nconnection: close\r\n\r\n",
                host(&server),
                person.token
            );
            let answer = exchange(&server, request.as_bytes()).await;
            let status = answer.split(' ').nth(1).unwrap_or_default();
            assert!(["400", "404", "405"].contains(&status), "{method} {path}: {answer}");
            assert!(!answer.contains("secret") && !answer.contains(&person.token), "{answer}");
        }
    }
    let head = server.http.head(format!("{}/auth/me", server.url));
    let head = head.bearer_auth(&person.token).timeout(SOON).send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.text().await.unwrap().len()), (200, 0));
    let bare = server.http.head(format!("{}/auth/me", server.url)).send().await.unwrap();
    assert_eq!(bare.status(), 401, "HEAD shows no more than GET");
}

#[tokio::test]
async fn a_page_over_the_socket_is_bounded_and_its_keys_are_positions() {
    let server = Fixture::start().await;
    let (customer, _, chat) = server.booking().await;
    let live = customer.enter(&chat).await;
    for text in ["one", "two", "three"] {
        live.send(&chat, text).await;
    }
    for (event, page) in [
        ("fetch_messages", json!({})),
        ("fetch_messages", json!({ "afterSeq": 0, "beforeSeq": 3 })),
        ("fetch_messages", json!({ "afterSeq": -1 })),
        ("fetch_messages", json!({ "beforeSeq": -1 })),
        ("fetch_messages", json!({ "afterSeq": i64::MAX })),
        ("fetch_messages", json!({ "afterSeq": 9_223_372_036_854_775_808_u64 })),
        ("fetch_messages", json!({ "afterSeq": 1e300 })),
        ("fetch_messages", json!({ "afterSeq": "0" })),
        ("fetch_messages", json!({ "afterSeq": 0, "limit": 0 })),
        ("fetch_messages", json!({ "afterSeq": 0, "limit": -1 })),
        ("fetch_messages", json!({ "afterSeq": 0, "limit": 1_001 })),
        ("fetch_messages", json!({ "afterSeq": 0, "limit": 1e9 })),
        ("fetch_messages", json!({ "afterSeq": 0, "limit": "all" })),
        ("join_chat", json!({ "sinceSeq": -1 })),
        ("join_chat", json!({ "sinceSeq": i64::MAX })),
        ("join_chat", json!({ "sinceSeq": 0, "limit": 0 })),
        ("join_chat", json!({ "sinceSeq": 0, "limit": 1_001 })),
        ("mark_read", json!({ "seq": -1 })),
    ] {
        let mut body = page.clone();
        body["chatId"] = json!(chat);
        let ack = live.request(event, body).await;
        assert_eq!(ack["error"]["code"], "bad_request", "{event} {page}: {ack}");
    }
    for (page, expect) in [
        (json!({ "afterSeq": 0, "limit": 2 }), vec!["one", "two"]),
        (json!({ "afterSeq": 3 }), vec![]),
        (json!({ "afterSeq": 1_000_000 }), vec![]),
        (json!({ "beforeSeq": 3, "limit": 1 }), vec!["two"]),
        (json!({ "beforeSeq": 0 }), vec![]),
        (json!({ "beforeSeq": 1 }), vec![]),
        (json!({ "beforeSeq": 1_000_000, "limit": 1_000 }), vec!["one", "two", "three"]),
    ] {
        let mut body = page.clone();
        body["chatId"] = json!(chat);
        let ack = live.request("fetch_messages", body).await;
        let said: Vec<_> =
            ack["messages"].as_array().unwrap().iter().map(|m| m["message"].clone()).collect();
        assert_eq!(said, expect, "{page}: {ack}");
    }
    // A mark lies in the chat, wherever a client thinks that it is.
    let far = live.request("mark_read", json!({ "chatId": chat, "seq": i64::MAX })).await;
    assert_eq!(far["seq"], 3, "{far}");
    let back = live.request("mark_read", json!({ "chatId": chat, "seq": 1 })).await;
    assert_eq!(back["seq"], 3, "never back: {back}");
}
