//! The journal of a run: everything that went over the wire, one JSON object a line, without
//! secrets. The README says what every field is.

mod packets;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::record::What;
use crate::runner::StepDone;
use crate::secrets::{Secrets, is_secret};
use crate::words::words_of;

/// The shape of the lines, in the field `schema` of the first one.
pub const SCHEMA: &str = "trialogue-trace/1";

/// The kinds of lines, in the field `type`, and the other fields of each; those without a value are
/// `null` or absent.
pub const LINES: &[(&str, &[&str])] = &[
    ("trace", &["schema", "scenario", "file", "started"]),
    (
        "http",
        &[
            "atMs",
            "actor",
            "method",
            "path",
            "request",
            "requestBytes",
            "status",
            "json",
            "bytes",
            "tookMs",
        ],
    ),
    (
        "packet",
        &[
            "atMs",
            "actor",
            "connection",
            "transport",
            "way",
            "kind",
            "bytes",
            "namespace",
            "name",
            "ack",
            "data",
            "cut",
            "reason",
        ],
    ),
    ("event", &["atMs", "actor", "name", "data"]),
    ("link", &["atMs", "actor", "state"]),
    ("saw", &["atMs", "actor", "what", "data"]),
    ("step", &["atMs", "place", "words", "came", "tookMs", "why"]),
    ("end", &["came", "tookMs", "seed"]),
];

/// The kinds of packets, in the field `kind`.
pub const PACKETS: &[&str] = &[
    "open",
    "ping",
    "pong",
    "upgrade",
    "noop",
    "close",
    "connect",
    "connect_error",
    "disconnect",
    "event",
    "ack",
    "binary",
    "message",
    "end",
];

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
                "path": without_secrets(&http.path), "request": http.request,
                "requestBytes": http.request_bytes, "status": http.status, "json": http.json,
                "bytes": http.bytes, "tookMs": millis(http.took),
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

/// A path whose query holds no secret by its name, whatever it is.
fn without_secrets(path: &str) -> String {
    let Some((path, query)) = path.split_once('?') else { return path.to_owned() };
    let hide = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}=***"),
        _ => pair.to_owned(),
    };
    let query: Vec<String> = query.split('&').map(hide).collect();
    format!("{path}?{}", query.join("&"))
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
        let path = without_secrets("/a?limit=1&access_token=x%20y&token=&q");
        assert_eq!(path, "/a?limit=1&access_token=***&token=***&q");
        assert_eq!(without_secrets("/a"), "/a");
    }

    /// The section of the README about the journal.
    #[test]
    fn the_readme_names_every_kind_of_line_and_field() {
        let readme = include_str!("../../README.md");
        let section = readme.split("\n## Trace\n").nth(1).unwrap();
        let section = section.split("\n## ").next().unwrap();
        let rows = section.lines().filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split(" | ");
            let kind = cells.next()?.trim_end_matches('`').to_owned();
            let words = cells.next()?.split('`').skip(1).step_by(2);
            Some((kind, words.map(ToOwned::to_owned).collect::<Vec<_>>()))
        });
        let rows: Vec<(String, Vec<String>)> = rows.collect();
        let known = LINES.iter().map(|(kind, fields)| {
            ((*kind).to_owned(), fields.iter().map(|field| (*field).to_owned()).collect())
        });
        assert_eq!(rows, known.collect::<Vec<(String, Vec<String>)>>());
        let kinds = section.lines().find_map(|line| line.strip_prefix("Kinds of packets: "));
        let kinds: Vec<&str> = kinds.unwrap().split('`').skip(1).step_by(2).collect();
        assert_eq!(kinds, PACKETS);
    }
}
