//! What of an answer or an event is asserted: what another run has again. Ids that have a name,
//! words of the protocol, yes and no, and what somebody in the recording wrote; no times, no
//! counts, nothing of people whom another run replaces.

use serde_json::{Map, Value, json};

use super::{At, Story, is_too_long, is_word, names};
use crate::secrets::is_secret;

/// Most items of a list that are asserted.
const ITEMS_MAX: usize = 20;
/// Deepest place in a document that is asserted.
const DEPTH_MAX: usize = 6;
/// Fields whose words and flags stay the same.
const WORDS: &[&str] = &["status", "type", "role", "message_type", "code", "error", "event"];
/// Flags that depend on what else a server holds.
const FLAGS_LEFT: &[&str] = &["hasMore", "has_more"];
/// Words of one server or one connection, which clients say again.
const MARKS: &[&str] = &["epoch", "sid", "cursor", "next"];
/// Words that make an object a matcher.
const MATCHERS: &[&str] = &["is", "contains", "matches", "min", "max"];

impl Story {
    /// The part of a document that is asserted of a step at this place.
    pub(super) fn asserted(&mut self, document: &Value, at: At) -> Option<Value> {
        self.part(document, ("", ""), at, (0, false))
    }

    /// The named fields of an event that this tool knows: those that another run has again.
    pub(super) fn chosen(&mut self, event: &Value, fields: &[&str], at: At) -> Map<String, Value> {
        let mut chosen = Map::new();
        for field in fields {
            let value = &event[*field];
            let part = match value {
                Value::Number(number) if *field == "seq" => Some(json!(number)),
                value => self.part(value, (field, ""), at, (1, false)),
            };
            chosen.extend(part.map(|part| ((*field).to_owned(), part)));
        }
        chosen
    }

    fn part(
        &mut self,
        value: &Value,
        (name, parent): (&str, &str),
        at: At,
        (depth, in_list): (usize, bool),
    ) -> Option<Value> {
        if depth > DEPTH_MAX {
            return None;
        }
        if let Some(key) = names::key_of(name, parent, value) {
            return self.named(&key, at).map(Value::from);
        }
        // Another run has another one.
        if is_secret(name) && !value.is_boolean() {
            return None;
        }
        match value {
            Value::Object(fields) => {
                let mut parts = Map::new();
                let fields = fields.iter().filter(|(key, _)| !MATCHERS.contains(&key.as_str()));
                for (key, value) in fields {
                    if self.hidden.is_in(key) {
                        continue;
                    }
                    let part = self.part(value, (key, name), at, (depth + 1, in_list));
                    parts.extend(part.map(|part| (key.clone(), part)));
                }
                (!parts.is_empty()).then_some(Value::Object(parts))
            }
            Value::Array(items) => {
                let items = items.iter().take(ITEMS_MAX);
                let parts: Vec<Value> = items
                    .filter_map(|item| self.part(item, (name, name), at, (depth + 1, true)))
                    .collect();
                (!parts.is_empty()).then(|| json!({ "contains": parts }))
            }
            // Of the items of a list only which they are: the rest may have changed by then.
            _ if in_list || MARKS.contains(&name) => None,
            Value::Bool(flag) => (!FLAGS_LEFT.contains(&name)).then(|| json!(flag)),
            Value::String(text) if WORDS.contains(&name) && is_word(text) => {
                Some(Value::from(self.literal(text)))
            }
            Value::String(text) if self.said.contains(text) && !is_too_long(value) => {
                Some(Value::from(self.literal(text)))
            }
            Value::String(_) | Value::Number(_) | Value::Null => None,
        }
    }
}
