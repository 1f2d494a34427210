//! The deployed NestJS backend (DEPLOYED.md): what it can and cannot tell, over REST and socket.
//!
//! Everything is read with tolerance: extra fields, missing fields, two shapes of one thing. What
//! the server does not tell is left out or named as not told; nothing is guessed, except the one
//! thing that DEPLOYED says must be: which row of a history an own message became ([`confirm`]).

pub(crate) mod confirm;
mod lists;
mod read;
mod routes;
pub(super) mod socket;
#[cfg(test)]
mod tests;

pub(crate) use routes::*;

use std::time::Duration;

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
    members: false,
    stored_reads: false,
    unread_counts: false,
    dispute_push: false,
    dispute_by_provider: false,
    dispute_any_time: false,
    lsm_joins_by_socket: false,
    error_codes: false,
    refresh_auth: false,
    change_password: false,
};

/// Typing is hidden after so long without a renewal: its guide's advice (DEPLOYED §11.12).
pub(crate) const TYPING_EXPIRES: Duration = Duration::from_secs(3);

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

/// What this kind of server has no route for.
fn unsupported(what: &str) -> Error {
    Error::Unsupported(format!("this kind of server cannot {what}"))
}
