//! Every field that a client may fill, filled with what it should not be (C2, C4, C5 of
//! RELIABILITY): the answer is 4xx and names what is wrong, or the text comes back as it was; never
//! a 5xx, never silence.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::database;
use crate::fixture::{Fixture, Live, Person};

/// What a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Flag,
}
use Kind::{Flag, Number, Text};

/// An operation, its field, what that takes, and whether it may be left out.
type Field = (&'static str, &'static str, Kind, bool);

const ROUTES: [Field; 24] = [
    ("/auth/register", "email", Text, false),
    ("/auth/register", "password", Text, false),
    ("/auth/register", "firstName", Text, false),
    ("/auth/register", "lastName", Text, false),
    ("/auth/register", "role", Text, false),
    ("/auth/register", "region", Text, true),
    ("/auth/register", "businessName", Text, true),
    ("/auth/login", "email", Text, false),
    ("/auth/login", "password", Text, false),
    ("/auth/refresh", "refreshToken", Text, false),
    ("/auth/password", "oldPassword", Text, false),
    ("/auth/password", "newPassword", Text, false),
    ("/jobs/create", "providerId", Number, false),
    ("/jobs/create", "title", Text, true),
    ("/jobs/create", "description", Text, true),
    ("/jobs/create", "location", Text, true),
    ("/jobs/create", "scheduledAt", Text, true),
    ("/jobs/create", "budget", Number, true),
    ("/disputes", "chatId", Text, false),
    ("/disputes", "jobId", Number, false),
    ("/disputes", "description", Text, false),
    ("/disputes/999/resolve", "resolution", Text, false),
    ("/disputes/999/join", "", Text, true),
    ("/jobs/999/cancel", "", Text, true),
];

const EVENTS: [Field; 19] = [
    ("join_chat", "chatId", Text, false),
    ("join_chat", "sinceSeq", Number, true),
    ("join_chat", "epoch", Text, true),
    ("join_chat", "limit", Number, true),
    ("leave_chat", "chatId", Text, false),
    ("send_message", "chatId", Text, false),
    ("send_message", "message", Text, false),
    ("send_message", "message_type", Text, true),
    ("send_message", "clientMessageId", Text, true),
    ("fetch_messages", "chatId", Text, false),
    ("fetch_messages", "afterSeq", Number, false),
    ("fetch_messages", "beforeSeq", Number, false),
    ("fetch_messages", "limit", Number, true),
    ("typing", "chatId", Text, false),
    ("typing", "isTyping", Flag, false),
    ("mark_read", "chatId", Text, false),
    ("mark_read", "seq", Number, true),
    ("refresh_auth", "token", Text, false),
    ("refresh_auth", "", Text, true),
];

/// JSON of every type, as text: some of it no library would write.
const VALUES: [(&str, Option<Kind>); 23] = [
    ("true", Some(Flag)),
    ("false", Some(Flag)),
    ("0", Some(Number)),
    ("-0", Some(Number)),
    ("-1", Some(Number)),
    ("1.5", Some(Number)),
    ("9007199254740993", Some(Number)),
    ("9223372036854775807", Some(Number)),
    ("9223372036854775808", Some(Number)),
    ("-9223372036854775809", Some(Number)),
    ("1e400", Some(Number)),
    (r#""""#, Some(Text)),
    (r#"" ""#, Some(Text)),
    (r#""x""#, Some(Text)),
    (r#""1""#, Some(Text)),
    (r#""true""#, Some(Text)),
    ("[]", None),
    (r#"["x"]"#, None),
    ("{}", None),
    (r#"{"__proto__":{"x":1}}"#, None),
    (r#"{"toString":"x","length":1}"#, None),
    ("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", None),
    (r#"[{"$ne":null}]"#, None),
];

/// Texts that somebody else's language would read. Each stands in a JSON string.
const TEXTS: [&str; 22] = [
    r"a\u0000b",
    r"\u0000",
    r"\ud800",
    r"x\udfff",
    r"\udc00\ud800",
    r"'; DROP TABLE users; --",
    r"' OR '1'='1",
    r"\\'; select pg_sleep(10); --",
    r"$1",
    r"$$ || $body$",
    r"E'\\000'",
    r"%_%",
    r"%00",
    r"../../etc/passwd",
    r"${jndi:ldap://127.0.0.1/a}",
    r"{{7*7}}",
    r"<script>alert(1)</script>",
    r"\u001b]52;c;eA==\u0007",
    r"\u202eabc",
    r"\u200b",
    r"\ufeff",
    r"1e9",
];

/// Fields whose text is only compared: a wrong one is wrong, whatever is in it.
const COMPARED: [(&str, &str); 6] = [
    ("/auth/login", "email"),
    ("/auth/login", "password"),
    ("/auth/refresh", "refreshToken"),
    ("/auth/password", "oldPassword"),
    ("join_chat", "epoch"),
    ("refresh_auth", "token"),
];

/// A body that is good but for the things that a test puts into it.
fn body_of(path: &str, provider: i64, chat: &str) -> Value {
    match path {
        "/auth/register" => json!({
            "email": format!("{}@test.example", uuid::Uuid::new_v4()), "password": "correct horse",
            "firstName": "A", "lastName": "B", "role": "customer", "region": "r",
            "businessName": "c",
        }),
        "/auth/login" => json!({ "email": "a@b", "password": "correct horse" }),
        "/auth/refresh" => json!({ "refreshToken": "x" }),
        "/auth/password" => json!({ "oldPassword": "wrong horse", "newPassword": "other horse" }),
        "/jobs/create" => json!({
            "providerId": provider, "title": "t", "description": "d", "location": "l",
            "scheduledAt": "2030-01-01T00:00:00Z", "budget": 1,
        }),
        "/disputes" => json!({ "chatId": chat, "description": "d" }),
        "/disputes/999/resolve" => json!({ "resolution": "r" }),
        "join_chat" | "leave_chat" => json!({ "chatId": chat }),
        "send_message" => json!({ "chatId": chat, "message": "m" }),
        "fetch_messages" => json!({ "chatId": chat, "afterSeq": 0 }),
        "typing" => json!({ "chatId": chat, "isTyping": true }),
        "mark_read" => json!({ "chatId": chat }),
        "refresh_auth" => json!({ "token": "x" }),
        _ => json!({}),
    }
}

/// The body as text, with this text of JSON in the field.
fn filled(mut body: Value, field: &str, json: &str) -> String {
    let field = if field.is_empty() { "unknown" } else { field };
    // One of two that go alone.
    for (one, other) in [("jobId", "chatId"), ("beforeSeq", "afterSeq")] {
        if field == one {
            body.as_object_mut().unwrap().remove(other);
        }
    }
    body[field] = json!("@@");
    body.to_string().replace("\"@@\"", json)
}

struct Client {
    server: Fixture,
    customer: Person,
    provider: Person,
    live: Live,
    chat: String,
}

impl Client {
    async fn new() -> Self {
        let server = Fixture::start().await;
        let (customer, provider, chat) = server.booking().await;
        let live = customer.enter(&chat).await;
        Self { server, customer, provider, live, chat }
    }

    /// What a route or an event says to a field: a status, or 200 and 400 for an event, and a code.
    async fn ask(&mut self, (what, field, ..): Field, json: &str) -> (u16, String) {
        let text = filled(body_of(what, self.provider.id, &self.chat), field, json);
        if !what.starts_with('/') {
            return self.emit(what, &text).await;
        }
        let request = self.server.http.post(format!("{}{what}", self.server.url));
        let request = request.header("content-type", "application/json").body(text);
        let (status, body) = self.customer.answer(request).await;
        (status, body["error"].as_str().unwrap_or_default().to_owned())
    }

    async fn emit(&mut self, event: &str, text: &str) -> (u16, String) {
        // What is not taken from a client stops it.
        let _ = self.live.has("");
        let ack = self.live.request(event, RawValue::from_string(text.to_owned()).unwrap()).await;
        let code = ack["error"]["code"].as_str().unwrap_or_default().to_owned();
        if event == "leave_chat" && code.is_empty() {
            self.live.join(&self.chat.clone()).await;
        }
        (if code.is_empty() { 200 } else { 400 }, code)
    }
}

/// Codes that a wrong field may lead to.
const NO_BUG: [&str; 8] = [
    "",
    "bad_request",
    "unauthenticated",
    "denied",
    "not_found",
    "conflict",
    "idempotency_conflict",
    "too_large",
];

#[tokio::test]
async fn a_field_of_a_wrong_type_is_a_bad_request_everywhere() {
    let mut client = Client::new().await;
    for field in ROUTES.into_iter().chain(EVENTS) {
        let (what, name, kind, optional) = field;
        for (json, is) in VALUES {
            let (status, code) = client.ask(field, json).await;
            assert!(
                status < 500 && NO_BUG.contains(&code.as_str()),
                "{what} {name} {json}: {code}"
            );
            if is != Some(kind) && !name.is_empty() {
                assert_eq!(code, "bad_request", "{what} {name} {json}");
            }
        }
        let (_, code) = client.ask(field, "null").await;
        assert_eq!(code == "bad_request", !optional, "{what} {name} null: {code:?}");
        if !name.is_empty() {
            let again = format!("{},\"{name}\":1", json!("x"));
            let (_, code) = client.ask(field, &again).await;
            assert_eq!(code, "bad_request", "{what} {name} twice");
        }
    }
    client.live.send(&client.chat, "still here").await;
}

#[tokio::test]
async fn no_text_in_any_field_does_harm_and_a_nul_is_always_refused() {
    let mut client = Client::new().await;
    let mut outside = database::connect(&client.server.database).await;
    let tables = "select string_agg(relname::text, ',' order by relname) from pg_class
                  where relnamespace = 'public'::regnamespace";
    let before: String = sqlx::query_scalar(tables).fetch_one(&mut outside).await.unwrap();
    let fields = ROUTES.into_iter().chain(EVENTS).filter(|(.., kind, _)| *kind == Text);
    for field in fields {
        let (what, name, ..) = field;
        for text in TEXTS {
            let (status, code) = client.ask(field, &format!("\"{text}\"")).await;
            assert!(
                status < 500 && NO_BUG.contains(&code.as_str()),
                "{what} {name} {text}: {code}"
            );
            let refused = match () {
                () if name.is_empty() => false,
                () if text.contains(r"\ud") => true,
                // What is compared and never stored needs no rule of its own.
                () => text.contains(r"\u0000") && !COMPARED.contains(&(what, name)),
            };
            if refused {
                assert_eq!(code, "bad_request", "{what} {name} {text}");
            }
        }
    }
    // Without JSON around them: paths, queries, headers.
    for text in
        ["%00", "a%00b", "%27%3B%20DROP", "%FF%FE", "%ED%A0%80", "%F0%9F%A6%80", "%2e%2e%2f"]
    {
        for path in [
            format!("/jobs/{text}"),
            format!("/chat/{text}"),
            format!("/chat/{text}/messages"),
            format!("/providers?q={text}"),
            format!("/providers?region={text}"),
            format!("/providers?cursor={text}"),
            format!("/chat?cursor={text}"),
            format!("/jobs?cursor={text}&limit={text}"),
            format!("/disputes?status={text}"),
            format!("/notifications?before={text}"),
            format!("/notifications?unread={text}"),
            format!("/chat/{}/messages?afterSeq={text}", client.chat),
            format!("/{text}"),
        ] {
            let (status, body) = client.customer.get(&path).await;
            assert!(status < 500, "{path}: {body}");
            if text.contains("%00") && path != format!("/{text}") {
                assert_eq!(body["error"], "bad_request", "{path}: {body}");
            }
        }
    }
    let after: String = sqlx::query_scalar(tables).fetch_one(&mut outside).await.unwrap();
    assert_eq!(before, after);
    client.live.send(&client.chat, "still here").await;
}
