//! The journal of a run: everything that went over the wire, one JSON object a line, without
//! secrets.
//!
//! ```text
//! {type: trace, schema, scenario, place, seed, started}     the first line
//! {type: http, atMs, actor, method, path, request, status, json, tookMs}
//! {type: link, atMs, actor, state}
//! {type: event, atMs, actor, name, data}                     received
//! {type: packet, atMs, actor, way: in|out, packet}           as it was framed
//! {type: saw, atMs, actor, what}                             what the client made of it
//! {type: step, atMs, place, words, came, tookMs, why}
//! {type: end, came, tookMs}                                  absent when the run was cut short
//! ```

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::record::What;
use crate::runner::StepDone;
use crate::secrets::Secrets;
use crate::words::words_of;

/// The shape of the lines, in the field `schema` of the first one.
pub const SCHEMA: &str = "trialogue-trace/1";

/// Names of fields whose values are nobody's business.
const SECRETS: &[&str] = &[
    "password",
    "oldPassword",
    "newPassword",
    "token",
    "accessToken",
    "refreshToken",
    "authorization",
];

/// Is told every line. Cheap to clone.
#[derive(Clone)]
pub struct Trace {
    tell: Arc<dyn Fn(&Value) + Send + Sync>,
    secrets: Secrets,
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trace")
    }
}

impl Trace {
    /// `tell` is called with every line, from several tasks; it must not block for long.
    pub fn new(tell: impl Fn(&Value) + Send + Sync + 'static) -> Self {
        Self { tell: Arc::new(tell), secrets: Secrets::default() }
    }

    /// The same, without these secrets wherever they turn up.
    #[must_use]
    pub fn hiding(&self, secrets: &Secrets) -> Self {
        Self { secrets: secrets.clone(), ..self.clone() }
    }

    /// A line that is ready, without its secrets.
    pub fn line(&self, mut line: Value) {
        redact(&mut line);
        self.secrets.hide_in(&mut line);
        (self.tell)(&line);
    }

    /// Something that an actor saw.
    pub fn saw(&self, at: Duration, actor: &str, what: &What) {
        let at = millis(at);
        self.line(match what {
            What::Http(http) => json!({
                "type": "http", "atMs": at, "actor": actor, "method": http.method,
                "path": http.path, "request": http.request, "status": http.status, "json": http.json,
                "tookMs": millis(http.took),
            }),
            What::Link(state) => {
                json!({"type": "link", "atMs": at, "actor": actor, "state": words_of(state)})
            }
            What::Event { name, data } => {
                json!({"type": "event", "atMs": at, "actor": actor, "name": name, "data": data})
            }
            What::Ready(data) => {
                json!({"type": "saw", "atMs": at, "actor": actor, "what": "connected", "data": data})
            }
            // In words: these follow from the events before them.
            other => {
                let entry =
                    crate::record::Entry { at: Duration::ZERO, connection: 0, taken: false, what: other.clone() };
                let words = entry.to_string();
                let words = words.split_once("s  ").map_or(words.as_str(), |(_, words)| words);
                json!({"type": "saw", "atMs": at, "actor": actor, "what": words})
            }
        });
    }

    /// A step that is over.
    pub fn step(&self, done: &StepDone) {
        self.line(json!({
            "type": "step", "atMs": millis(done.began), "place": done.place, "words": done.words,
            "came": done.came.name(), "tookMs": millis(done.took), "why": done.why,
        }));
    }
}

/// Milliseconds with their fraction, to the microsecond.
fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// Replaces every secret in a document by `***`, whatever it is.
pub fn redact(document: &mut Value) {
    match document {
        Value::Object(fields) => {
            for (name, value) in fields {
                let secret = SECRETS.iter().any(|secret| secret.eq_ignore_ascii_case(name));
                match secret && !value.is_null() {
                    true => *value = Value::from("***"),
                    false => redact(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_no_secret_however_deep() {
        let mut document = json!({
            "a": [{"accessToken": "x", "refreshToken": ["y"], "Password": "z"}],
            "token": null, "tokens": 2, "text": "token",
        });
        redact(&mut document);
        let expect = json!({
            "a": [{"accessToken": "***", "refreshToken": "***", "Password": "***"}],
            "token": null, "tokens": 2, "text": "token",
        });
        assert_eq!(document, expect);
    }
}
