//! The deployed NestJS backend (DEPLOYED.md): what it can and cannot tell, over REST and socket.
//!
//! Everything is read with tolerance: extra fields, missing fields, two shapes of one thing. What
//! the server does not tell is left out or named as not told; nothing is guessed, except the one
//! thing that DEPLOYED says must be: which row of a history an own message became
//! ([`crate::outbox::Search`]).

mod lists;
mod offer;
mod read;
mod routes;
pub(super) mod socket;
#[cfg(test)]
mod tests;

pub(crate) use offer::{accept_provider, begin_job, bookable};
pub(crate) use routes::*;

use trialogue_protocol::{ErrorCode, UserId};

use super::Capabilities;
use crate::error::{Error, Refusal};
use crate::http::Answer;
use serde_json::Value;

pub(super) const CAPABILITIES: Capabilities = Capabilities {
    acks: false,
    own_echo: false,
    client_message_ids: false,
    seq: false,
    order: false,
    resume: false,
    pages: false,
    presence: false,
    typing_stops: false,
    members: false,
    stored_reads: false,
    unread_counts: false,
    dispute_push: false,
    quiet_rooms: false,
    dispute_by_provider: false,
    dispute_any_time: false,
    lsm_joins_by_socket: false,
    error_codes: false,
    refresh_auth: false,
    change_password: false,
};

/// Longest packet in bytes that its socket takes, JSON escapes included (DEPLOYED §3): one more, and
/// it hangs up without a word of why.
pub(super) const FRAME_BYTES_MAX: usize = 1_000_000;
/// Bytes of such a packet around a message's text (256): names of fields, the chat's id and the kind.
const FRAME_ROOM: usize = 256;

/// Routes and queries of our own contract (CONTRACT §1) that it does not have (DEPLOYED §2, §4 to
/// §6, §8); `:` stands for one segment.
const LACKED_ROUTES: [(&str, &str); 15] = [
    ("POST", "/auth/password"),
    ("GET", "/providers"),
    ("GET", "/jobs"),
    ("GET", "/jobs/:"),
    ("POST", "/jobs/:/complete"),
    ("POST", "/jobs/:/cancel"),
    ("GET", "/chat"),
    ("GET", "/chat/:"),
    ("GET", "/disputes"),
    ("POST", "/disputes"),
    ("POST", "/disputes/:/join"),
    ("POST", "/disputes/:/resolve"),
    ("POST", "/notifications/:/read"),
    ("POST", "/notifications/read-all"),
    ("GET", "/notifications?unread"),
];

/// Whether the route is one of ours alone.
pub(super) fn lacks_route(method: &str, path: &str) -> bool {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let asks = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    LACKED_ROUTES.iter().any(|(verb, route)| {
        let (route, asked) = route.split_once('?').unwrap_or((route, ""));
        let same = |(a, b): (&str, &str)| a == b || (a == ":" && !b.is_empty());
        *verb == method
            && route.split('/').count() == path.split('/').count()
            && route.split('/').zip(path.split('/')).all(same)
            && (asked.is_empty() || asks(asked))
    })
}

/// A user whom the server does not name, where our shapes need one.
pub(super) const NOT_TOLD: UserId = UserId(0);

/// The JSON of an answer that is a success; else the refusal that it is.
fn json(answer: &Answer) -> Result<Value, Error> {
    let body = serde_json::from_slice::<Value>(&answer.body);
    if answer.status.is_success() {
        return body.map_err(|e| Error::Garbled(e.to_string()));
    }
    let status = answer.status.as_u16();
    let body = body.unwrap_or_default();
    let mut refusal = Refusal::new(super::trialogue::code_of(status), sentence(&body, status));
    refusal.status = Some(status);
    refusal.retry_after = answer.retry_after;
    Err(Error::Refused(refusal))
}

/// The sentence of an error body: `message` is a string or an array of them, or stands inside
/// `error` (DEPLOYED §1).
fn sentence(body: &Value, status: u16) -> String {
    let message = body.get("message").or_else(|| body.get("error")?.get("message"));
    match message {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(lines)) => {
            let lines: Vec<&str> = lines.iter().filter_map(Value::as_str).collect();
            lines.join("; ")
        }
        _ => format!("the server said {status}"),
    }
}

/// The code that comes nearest to the sentence of an `error` event, which has none of its own
/// (DEPLOYED §3.1); only fragments of it are stable.
fn code_of_sentence(sentence: &str) -> ErrorCode {
    let sentence = sentence.to_lowercase();
    let classes = [
        ("authentication", ErrorCode::Unauthenticated),
        ("required", ErrorCode::BadRequest),
        ("not found", ErrorCode::Denied),
        ("denied", ErrorCode::Denied),
        ("no longer active", ErrorCode::ChatClosed),
        ("role", ErrorCode::Denied),
    ];
    let known = classes.iter().find(|(fragment, _)| sentence.contains(fragment));
    // "Failed to ...": it may have happened all the same.
    known.map_or(ErrorCode::OutcomeUnknown, |(_, code)| *code)
}

/// Any text but none, a packet's length of it (DEPLOYED §3.1); its database takes no NUL.
pub(super) fn check_text(text: &str) -> Result<(), Error> {
    let escaped = || serde_json::to_string(text).map_or(usize::MAX, |escaped| escaped.len());
    let wrong = if text.is_empty() {
        "message is empty".to_owned()
    } else if text.contains('\0') {
        "message contains a NUL".to_owned()
    } else if text.len() > FRAME_BYTES_MAX || escaped() > FRAME_BYTES_MAX - FRAME_ROOM {
        format!("message is over the {FRAME_BYTES_MAX} bytes that this server takes in a packet")
    } else {
        return Ok(());
    };
    Err(Error::Invalid(wrong))
}

/// What this kind of server has no route for.
fn unsupported(what: &str) -> Error {
    Error::Unsupported(format!("this kind of server cannot {what}"))
}
