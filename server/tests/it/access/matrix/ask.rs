//! How each operation is asked, and what its answer is called in the table.

use serde_json::{Value, json};
use trialogue_protocol::event::ClientEvent;

use super::cast::{Cast, PASSWORD, Thing};
use super::table::Table;
use crate::access::forge::expired_token;
use crate::access::raw::Poll;
use crate::fixture::{Live, Person, SOON};

/// What came back of a request, without what differs each time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Answer {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: String,
}

/// Operations that end the session that asks, or others of the same person.
pub(super) const SPENDS_ITS_SESSION: [&str; 2] = ["POST /auth/logout", "POST /auth/password"];

/// A `POST`'s body; `GET` has none.
fn body_of(operation: &str, cast: &Cast, who: &Person, thing: &Thing) -> Option<Value> {
    let body = match operation {
        "POST /auth/register" => json!({
            "email": format!("{}@test.example", uuid::Uuid::new_v4()), "password": PASSWORD,
            "firstName": "New", "lastName": "Comer", "role": "customer",
        }),
        "POST /auth/login" => json!({ "email": who.email, "password": PASSWORD }),
        "POST /auth/refresh" => json!({ "refreshToken": who.refresh_token }),
        "POST /auth/password" => json!({ "oldPassword": PASSWORD, "newPassword": PASSWORD }),
        "POST /jobs/create" => json!({ "providerId": cast.person("provider").id }),
        "POST /disputes" => json!({ "chatId": thing.chat, "description": "it leaks" }),
        "POST /disputes/{id}/resolve" => json!({ "resolution": "a new tap" }),
        "POST /auth/logout"
        | "POST /jobs/{id}/complete"
        | "POST /jobs/{id}/cancel"
        | "POST /disputes/{id}/join"
        | "POST /notifications/{id}/read"
        | "POST /notifications/read-all" => json!({}),
        get if get.starts_with("GET ") => return None,
        other => panic!("no body is known for {other}: write one"),
    };
    Some(body)
}

/// The path with the id of the thing in it.
fn path_of(path: &str, thing: &Thing) -> String {
    let id = match path.split('/').nth(1) {
        Some("jobs") => thing.job.to_string(),
        Some("chat") => thing.chat.clone(),
        Some("disputes") => thing.dispute.to_string(),
        Some("notifications") => thing.notification.clone(),
        _ => String::new(),
    };
    assert!(!path.contains('{') || !id.is_empty(), "no id is known for {path}: name one");
    path.replace("{id}", &id)
}

/// Asks a route.
pub(super) async fn rest(operation: &str, cast: &Cast, who: &Person, thing: &Thing) -> Answer {
    let (method, path) = operation.split_once(' ').unwrap();
    let list = if LISTS.iter().any(|(list, _)| *list == operation) { "?limit=1000" } else { "" };
    let url = format!("{}{}{list}", who.url, path_of(path, thing));
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = who.http.request(method, url).timeout(SOON);
    if !who.token.is_empty() {
        request = request.bearer_auth(&who.token);
    }
    if let Some(body) = body_of(operation, cast, who, thing) {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let fields = answer.headers().iter().filter(|(name, _)| !VARYING.contains(&name.as_str()));
    let mut headers: Vec<_> = fields
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    Answer { status, headers, body: answer.text().await.unwrap() }
}

/// Headers that name the one answer.
const VARYING: [&str; 2] = ["date", "x-request-id"];

/// Lists, and the field that holds one. Their rows say what is in them.
pub(super) const LISTS: [(&str, &str); 4] = [
    ("GET /jobs", "jobs"),
    ("GET /chat", "chats"),
    ("GET /disputes", "disputes"),
    ("GET /notifications", "notifications"),
];

/// The word for an answer.
pub(super) fn word_of(table: &Table, operation: &str, thing: &Thing, answer: &Answer) -> String {
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    if !(200..300).contains(&answer.status) {
        assert_eq!(body["statusCode"], answer.status, "{operation}: {answer:?}");
        return table.word_of(body["error"].as_str().unwrap_or("an answer without a code"));
    }
    let Some((_, field)) = LISTS.iter().find(|(list, _)| *list == operation) else {
        return answer.status.to_string();
    };
    let id = match *field {
        "jobs" => json!(thing.job),
        "chats" => json!(thing.chat),
        "disputes" => json!(thing.dispute),
        _ => json!(thing.notification),
    };
    let listed = body[*field].as_array().unwrap();
    if listed.iter().any(|one| one["id"] == id) { "shown" } else { "hidden" }.to_owned()
}

/// What is sent with an event.
pub(super) fn payload_of(
    event: &str,
    cast: &Cast,
    who: &Person,
    name: &str,
    thing: &Thing,
) -> Value {
    let chat = &thing.chat;
    match ClientEvent::of(event).unwrap() {
        ClientEvent::JoinChat | ClientEvent::LeaveChat | ClientEvent::MarkRead => {
            json!({ "chatId": chat })
        }
        ClientEvent::SendMessage => json!({ "chatId": chat, "message": "hello" }),
        ClientEvent::FetchMessages => json!({ "chatId": chat, "afterSeq": 0, "limit": 10 }),
        ClientEvent::Typing => json!({ "chatId": chat, "isTyping": true }),
        ClientEvent::RefreshAuth => {
            let token = match name {
                "own" => who.token.clone(),
                "foreign" => cast.person("foreign customer").token.clone(),
                "over" => expired_token(&cast.person("customer").token),
                _ => "junk".to_owned(),
            };
            json!({ "token": token })
        }
    }
}

/// Emits an event with an acknowledgement.
pub(super) async fn emit(live: &Live, event: &str, payload: &Value) -> Answer {
    let ack = live.request(event, payload).await;
    Answer { status: 0, headers: Vec::new(), body: ack.to_string() }
}

/// The word for an acknowledgement.
pub(super) fn word_of_ack(table: &Table, answer: &Answer) -> String {
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    match body["error"]["code"].as_str() {
        Some(code) => table.word_of(code),
        None => {
            assert_eq!(body["ok"], true, "{body}");
            "ok".to_owned()
        }
    }
}

/// Sends CONNECT and the event behind it, in one go; the code of the refusal. That the event is not
/// done shows when everything up to a later, good CONNECT of the same connection has come.
pub(super) async fn emit_unconnected(
    cast: &Cast,
    who: &Person,
    event: &str,
    payload: &Value,
) -> String {
    let auth = if who.token.is_empty() { json!({}) } else { json!({ "token": who.token }) };
    let poll = Poll::open(&cast.server).await;
    poll.post(&format!("40/chat,{auth}\u{1e}42/chat,7[{},{payload}]", json!(event))).await;
    let mut frames = poll.until("44/chat,").await;
    let witness = json!({ "token": cast.person("o-cust").token });
    poll.post(&format!("40{witness}")).await;
    frames.extend(poll.until("\"connected\"").await);
    let about = |frame: &&String| frame.contains("/chat");
    let said: Vec<&String> = frames.iter().filter(about).collect();
    let [refusal] = said[..] else { panic!("{event} was answered: {frames:?}") };
    let refusal: Value = serde_json::from_str(refusal.strip_prefix("44/chat,").unwrap()).unwrap();
    poll.close().await;
    refusal["data"]["code"].as_str().unwrap().to_owned()
}
