//! What exchanges are called in the diagram.

use std::time::Duration;

use serde_json::json;

use crate::actor::Reply;
use crate::record::HttpExchange;

/// Longest text of a message that is shown, in characters.
const TEXT_CHARS_MAX: usize = 48;

pub(super) fn millis(duration: Duration) -> String {
    match duration.as_millis() {
        0 => "<1 ms".to_owned(),
        ms => format!("{ms} ms"),
    }
}

pub(super) fn answer_words(exchange: &HttpExchange) -> String {
    let status = exchange.status.map_or_else(|| "no answer".to_owned(), |s| s.to_string());
    format!("{status} ({})", millis(exchange.took))
}

/// A path without the ids that nobody reads: `/chat/:id/messages`.
pub(super) fn short_path(path: &str) -> String {
    let path = path.split('?').next().unwrap_or(path);
    let is_id = |part: &str| part.len() == 36 || part.bytes().all(|byte| byte.is_ascii_digit());
    let parts = path.split('/').map(|part| match part {
        "" => "",
        part if is_id(part) => ":id",
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

/// What the database was asked and what it answered, as far as the answer proves it.
pub(super) fn stored_words(exchange: &HttpExchange, reply: &Reply) -> (&'static str, String) {
    match (exchange.method.as_str(), reply.json["messages"].as_array()) {
        ("GET", Some(messages)) => ("query messages", format!("{} messages", messages.len())),
        ("GET", None) => ("query", "rows".to_owned()),
        _ if reply.json["chat"].is_string() => {
            let (job, chat) = (&reply.json["job"], reply.json["chat"].as_str().unwrap_or_default());
            let chat = chat.get(..8).unwrap_or(chat);
            ("create job and chat records", format!("jobId {job}, chatId {chat}…"))
        }
        _ => ("store", "stored".to_owned()),
    }
}

pub(super) fn answer_detail(reply: &Reply) -> String {
    if let Some(error) = &reply.error {
        return error["code"].as_str().unwrap_or_default().to_owned();
    }
    match &reply.json {
        json if json["messages"].is_array() => {
            let count = json["messages"].as_array().map_or(0, Vec::len);
            format!("{{ messages: {count} }}")
        }
        json if json["lsmInvited"] == json!(true) => "lsm_invited = true".to_owned(),
        json if json["chat"].is_string() && json["job"].is_number() => {
            "{ jobId, chatId }".to_owned()
        }
        _ => String::new(),
    }
}

pub(super) fn quoted(text: &str) -> String {
    let head: String = text.chars().take(TEXT_CHARS_MAX).collect();
    let more = if head.len() < text.len() { "…" } else { "" };
    format!("\"{head}{more}\"")
}
