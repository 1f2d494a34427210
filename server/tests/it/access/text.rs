//! What people write comes back as they wrote it, to the byte, or is refused for a reason
//! (C1, C3, C7, C8, C9 of RELIABILITY).

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use sqlx::Connection;
use trialogue_protocol::check_message_text;

use super::raw::Wire;
use crate::database;
use crate::fixture::{Fixture, SOON};
use crate::rest::check_error;

/// Texts with a reason to be broken on their way.
const HARD: [&str; 24] = [
    "e\u{301} and \u{e9}",
    "\u{1e9b}\u{323}",
    "👨‍👩‍👧‍👦 🏳️‍🌈 👍🏽",
    "\u{202e}right to left\u{202c} עברית العربية",
    "\u{feff}bom",
    "\u{fffe}\u{ffff}\u{10ffff}",
    "\u{1}\u{1b}[2J\u{7f}\u{9b}31m",
    "\r\n\t line\u{2028}line\u{2029}line\u{85}",
    "\"quoted\" \\ back\\slash \\u0041 \\n",
    "'; DROP TABLE users; --",
    "' OR '1'='1",
    "$1 $$ %s %_% E'\\\\000' \\x41",
    "</script><!-- ]]> &amp; &#0;",
    "{\"json\":[1,2,{\"a\":null}]}",
    "null",
    " leading and trailing ",
    "\u{200b}zero\u{200d}width\u{2060}",
    "\u{d7ff}\u{e000}",
    "\u{1d}\u{1e}42[\"new_message\",{}]",
    "ﷺ Ω≈ç√∫ ﾟ･✿ヾ╲(｡◕‿◕｡)╱✿･ﾟ",
    "z\u{334}\u{322}\u{32b}a\u{337}\u{31b}l\u{335}g\u{338}o\u{336}",
    "\u{1f468}\u{200d}\u{1f4bb}\u{fe0f}\u{20e3}",
    "\u{e0001}\u{e0041}\u{e007f}tag",
    "ß ẞ ı İ ſ ǅ ﬃ",
];

fn texts(count: usize) -> Vec<String> {
    let mut runner = TestRunner::deterministic();
    let any_char = prop_oneof![
        any::<char>(),
        proptest::char::range('\u{0}', '\u{ff}'),
        proptest::char::range('\u{300}', '\u{36f}'),
        proptest::char::range('\u{1f300}', '\u{1faff}'),
        proptest::sample::select(vec!['"', '\\', '/', '\u{1e}', '\u{2028}', '\u{200d}']),
    ];
    let any_text = proptest::collection::vec(any_char, 1..60)
        .prop_map(|chars| chars.into_iter().collect::<String>())
        .prop_filter("a message", |text| check_message_text(text).is_ok());
    let random = (0..count).map(|_| any_text.new_tree(&mut runner).unwrap().current());
    HARD.into_iter().map(str::to_owned).chain(random).collect()
}

#[tokio::test]
async fn every_text_comes_back_to_the_byte_by_every_way() {
    let server = Fixture::start().await;
    let (customer, provider, chat) = server.booking().await;
    let (ours, mut theirs) = (customer.connect().await, provider.enter(&chat).await);
    let texts = texts(300);
    // Fewer at once than a client takes in before it is read from.
    for part in texts.chunks(50) {
        let asked: Vec<_> = part
            .iter()
            .map(|text| ours.ask("send_message", json!({ "chatId": chat, "message": text })))
            .collect();
        for (ack, text) in asked.into_iter().zip(part) {
            let ack: Value = ack.within(SOON).await.unwrap().get(0).unwrap();
            assert_eq!(ack["message"]["message"], *text, "acknowledged: {ack}");
            assert_eq!(theirs.expect("new_message").await["message"], *text, "broadcast");
        }
    }
    let said = |page: &Value| -> Vec<String> {
        let messages = page["messages"].as_array().unwrap().iter();
        messages.map(|message| message["message"].as_str().unwrap().to_owned()).collect()
    };
    let (_, history) = provider.get(&format!("/chat/{chat}/messages")).await;
    assert!(said(&history) == texts, "the history of REST");
    let page = json!({ "chatId": chat, "afterSeq": 0, "limit": 1_000 });
    let page = theirs.request("fetch_messages", page).await;
    assert!(texts.starts_with(&said(&page)) && said(&page).len() > 100, "the page of the socket");
    let mut outside = database::connect(&server.database).await;
    let rows: Vec<Vec<u8>> =
        sqlx::query_scalar("select convert_to(body, 'UTF8') from messages order by seq")
            .fetch_all(&mut outside)
            .await
            .unwrap();
    outside.close().await.unwrap();
    assert!(rows.iter().map(Vec::as_slice).eq(texts.iter().map(String::as_bytes)), "the rows");
    let (_, told) = provider.get("/notifications?limit=1000").await;
    for (notice, text) in told["notifications"].as_array().unwrap().iter().zip(texts.iter().rev()) {
        let start: String = text.chars().take(120).collect();
        assert_eq!(notice["message"], start, "an excerpt is cut between characters");
    }

    for text in &HARD {
        let body = json!({ "providerId": provider.id, "description": text });
        let (status, booked) = customer.post("/jobs/create", body).await;
        assert_eq!((status, &booked["job"]["description"]), (201, &json!(text)), "{text:?}");
    }
}

#[tokio::test]
async fn a_message_is_bounded_in_characters_and_in_bytes() {
    let server = Fixture::start().await;
    let (customer, provider, chat) = server.booking().await;
    let (ours, mut theirs) = (customer.connect().await, provider.enter(&chat).await);
    let marks = format!("a{}", "\u{301}".repeat(3_999));
    for (text, code) in [
        (String::new(), "bad_request"),
        (" \t\r\n\u{a0}\u{3000}".to_owned(), "bad_request"),
        ("\0".to_owned(), "bad_request"),
        ("a\0".to_owned(), "bad_request"),
        ("x".to_owned(), ""),
        ("x".repeat(4_000), ""),
        ("x".repeat(4_001), "too_large"),
        ("é".repeat(4_000), ""),
        ("🦀".repeat(4_000), ""),
        ("🦀".repeat(4_001), "too_large"),
        (marks.clone(), ""),
        (marks + "\u{301}", "too_large"),
        ("x".repeat(16_385), "too_large"),
        ("x".repeat(50_000), "too_large"),
    ] {
        let body = json!({ "chatId": chat, "message": text });
        let ack = ours.request("send_message", body).await;
        assert_eq!(ack["error"]["code"].as_str().unwrap_or_default(), code, "{} bytes", text.len());
        match code {
            "" => assert_eq!(theirs.expect("new_message").await["message"], text),
            "too_large" => {
                let said = ack["error"]["message"].as_str().unwrap();
                assert!(said.contains("4000") && said.contains("16384"), "names the limit: {said}");
            }
            _ => {}
        }
    }
    // A cluster of four bytes a character across the end of an excerpt.
    let crabs = format!("{}👨‍👩‍👧", "🦀".repeat(118));
    ours.send(&chat, &crabs).await;
    let (_, told) = provider.get("/notifications?limit=1").await;
    let excerpt = told["notifications"][0]["message"].as_str().unwrap();
    assert!(crabs.starts_with(excerpt) && excerpt.chars().count() == 120, "{excerpt}");
}

#[tokio::test]
async fn a_key_has_one_shape() {
    let server = Fixture::start().await;
    let (customer, _, chat) = server.booking().await;
    let live = customer.enter(&chat).await;
    for good in ["k".to_owned(), "k".repeat(64), "A-z_0.9:".to_owned()] {
        let body = json!({ "chatId": chat, "message": "x", "clientMessageId": good });
        let ack = live.request("send_message", body).await;
        assert_eq!(ack["message"]["clientMessageId"], good, "{ack}");
    }
    for wrong in [
        json!(""),
        json!("k".repeat(65)),
        json!("k".repeat(50_000)),
        json!("a b"),
        json!("a\n"),
        json!("\u{0}"),
        json!("é"),
        json!("\u{202e}"),
        json!("a/b"),
        json!(7),
        json!(true),
        json!({}),
        json!(["k"]),
    ] {
        let body = json!({ "chatId": chat, "message": "x", "clientMessageId": wrong });
        let ack = live.request("send_message", body).await;
        assert_eq!(ack["error"]["code"], "bad_request", "{wrong:.80}: {ack}");
    }
    let body = json!({ "chatId": chat, "message": "x", "clientMessageId": null });
    assert_eq!(live.request("send_message", body).await["status"], "stored", "null is none");
    let (_, history) = customer.get(&format!("/chat/{chat}/messages")).await;
    assert_eq!(history["messages"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn text_that_is_no_unicode_is_refused_and_harms_nobody() {
    let server = Fixture::start().await;
    let (customer, provider, chat) = server.booking().await;
    let mut theirs = provider.enter(&chat).await;
    let mut wire = Wire::connect(&server, &customer.token).await;
    let send = |id: usize, text: &str| {
        format!("42/chat,{id}[\"send_message\",{{\"chatId\":\"{chat}\",\"message\":\"{text}\"}}]")
    };
    for (id, half) in [r"\ud800", r"a\udfffb", r"\udc00\ud800", r"\ud800\u0041"].iter().enumerate()
    {
        wire.send(&[&send(id, half)]).await;
        let frames = wire.until(&format!("43/chat,{id}[")).await;
        assert!(frames.last().unwrap().contains(r#""code":"bad_request""#), "{half}: {frames:?}");
    }
    wire.send(&[&send(9, r"\ud83e\udd80")]).await;
    let frames = wire.until("43/chat,9[").await;
    assert!(frames.last().unwrap().contains("🦀"), "a pair is a character: {frames:?}");
    // Bytes that are no UTF-8, in a text frame: overlong, a surrogate, a byte of Latin-1.
    for bytes in [&b"\xc0\x80"[..], b"\xed\xa0\x80", b"caf\xe9", b"\xf8\x88\x80\x80\x80"] {
        let mut wire = Wire::connect(&server, &customer.token).await;
        let mut text = send(1, "@").into_bytes();
        let at = text.iter().position(|byte| *byte == b'@').unwrap();
        text.splice(at..=at, bytes.iter().copied());
        wire.send_bytes(&text).await;
        let end = wire.until("43/").await;
        assert!(end.last().is_some_and(|text| text.contains("1007")), "{bytes:?}: {end:?}");
        let url = format!("{}/disputes", server.url);
        let body = [&b"{\"description\":\""[..], bytes, b"\"}"].concat();
        let request = server.http.post(url).header("content-type", "application/json").body(body);
        check_error(&customer.answer(request).await, "bad_request");
    }
    assert_eq!(theirs.expect("new_message").await["message"], "🦀");
    assert!(!theirs.has("new_message"), "nothing else was said");
}

#[tokio::test]
async fn a_name_can_be_seen() {
    let server = Fixture::start().await;
    let register = async |name: &str| {
        let body = json!({
            "email": format!("{}@x.example", uuid::Uuid::new_v4()), "password": "correct horse",
            "firstName": name, "lastName": "Lovelace", "role": "customer",
        });
        server.nobody().post("/auth/register", body).await
    };
    for name in ["Ada", "Zoë", "李", "O'Neil", "🦀", "عمر", "Ada\u{200d}"] {
        let (status, body) = register(name).await;
        assert_eq!((status, &body["user"]["firstName"]), (201, &json!(name)), "{name:?}");
    }
    for name in [
        "",
        " ",
        "\u{200b}",
        "\u{200b}\u{2060}\u{200d}",
        "\u{ad}",
        "\u{3164}",
        "\u{e0041}",
        "a\nb",
        "\u{1b}[31mred",
        "\u{202e}evil",
        "\u{feff}x",
        &"x".repeat(101),
        &"x".repeat(60_000),
    ] {
        let answer = register(name).await;
        check_error(&answer, "bad_request");
        assert_eq!(answer.1["details"]["fields"][0], "firstName", "{name:?}");
    }
}
