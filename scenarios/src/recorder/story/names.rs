//! Ids and the names that stand for them: each is the value of the answer that showed it first.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use uuid::Uuid;

/// Most ids that are remembered.
const IDS_MAX: usize = 50_000;
/// Most ids that are looked for in one answer.
const IDS_OF_ANSWER_MAX: usize = 500;
/// Deepest place in an answer where an id is looked for.
const DEPTH_MAX: usize = 8;

/// Words that mean a user, whatever its part.
const USERS: &[&str] =
    &["user", "customer", "provider", "lsm", "sender", "recipient", "member", "raisedby"];
/// What has a meaning of its own in a scenario.
const TAKEN: &[&str] = &["self", "env", "server", "database", "run", "seed"];

/// An id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// Unique by itself.
    Uuid(String),
    /// A number of this kind of things.
    Number(String, i64),
    /// A client's own name of a message.
    Text(String),
}

#[derive(Debug)]
struct Known {
    step: usize,
    /// What stands in `${…}`; a step that only might be asked has none yet.
    expression: Option<String>,
    hint: String,
    path: String,
}

/// Where a name comes from.
pub(super) struct Origin {
    pub(super) step: usize,
    /// Name and path to save there, when it has not been needed before.
    pub(super) first_use: Option<(String, String)>,
}

/// Everything that has a name.
#[derive(Debug)]
pub(super) struct Names {
    known: BTreeMap<Key, Known>,
    taken: BTreeSet<String>,
}

impl Default for Names {
    fn default() -> Self {
        let taken = TAKEN.iter().map(|word| (*word).to_owned()).collect();
        Self { known: BTreeMap::new(), taken }
    }
}

impl Names {
    /// A name that nothing else has.
    pub(super) fn take(&mut self, hint: &str) -> String {
        let mut name = hint.to_owned();
        let mut n = 1;
        while !self.taken.insert(name.clone()) {
            n += 1;
            name = format!("{hint}_{n}");
        }
        name
    }

    /// A step gives this id by this name.
    pub(super) fn fix(&mut self, key: Key, step: usize, expression: String) {
        let is_free = self.known.get(&key).is_none_or(|known| known.expression.is_none());
        if self.known.len() < IDS_MAX && is_free {
            let (hint, path) = (String::new(), String::new());
            self.known.insert(key, Known { step, expression: Some(expression), hint, path });
        }
    }

    /// A step gives nothing after all.
    pub(super) fn forget(&mut self, step: usize) {
        self.known.retain(|_, known| known.step != step);
    }

    /// The step that gives an id, whatever it is called.
    pub(super) fn step_of(&self, key: &Key) -> Option<usize> {
        self.known.get(key).map(|known| known.step)
    }

    pub(super) fn find(&mut self, key: &Key) -> Option<(String, Origin)> {
        let known = self.known.get_mut(key)?;
        let step = known.step;
        if let Some(expression) = &known.expression {
            return Some((expression.clone(), Origin { step, first_use: None }));
        }
        let (hint, path) = (known.hint.clone(), known.path.clone());
        let name = self.take(&hint);
        self.known.entry(key.clone()).and_modify(|known| known.expression = Some(name.clone()));
        Some((name.clone(), Origin { step, first_use: Some((name, path)) }))
    }

    /// A step's answer holds this id here.
    pub(super) fn learn_at(&mut self, key: Key, step: usize, path: &str) {
        if self.known.len() < IDS_MAX && !self.known.contains_key(&key) {
            let hint = path.trim_start_matches("$.").to_owned();
            self.known.insert(key, Known { step, expression: None, hint, path: path.to_owned() });
        }
    }

    /// Remembers where the answer of a step shows ids that nothing showed before.
    pub(super) fn learn(&mut self, step: usize, answer: &Value) {
        let mut left = IDS_OF_ANSWER_MAX;
        self.look(step, answer, ("", ""), "$", 0, &mut left);
    }

    fn look(
        &mut self,
        step: usize,
        value: &Value,
        (name, parent): (&str, &str),
        path: &str,
        depth: usize,
        left: &mut usize,
    ) {
        if depth > DEPTH_MAX || *left == 0 {
            return;
        }
        match value {
            Value::Object(fields) => {
                for (key, value) in fields.iter().filter(|(key, _)| is_plain(key)) {
                    let path = format!("{path}.{key}");
                    self.look(step, value, (key, name), &path, depth + 1, left);
                }
            }
            Value::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    let path = format!("{path}[{n}]");
                    // What a list is called says of what kind its items are.
                    self.look(step, item, (name, name), &path, depth + 1, left);
                }
            }
            _ => {
                let Some(key) = key_of(name, parent, value) else { return };
                *left -= 1;
                if self.known.len() < IDS_MAX && !self.known.contains_key(&key) {
                    let hint = hint_of(&key, name, parent);
                    let path = path.to_owned();
                    self.known.insert(key, Known { step, expression: None, hint, path });
                }
            }
        }
    }
}

/// Whether a path can name the field.
fn is_plain(field: &str) -> bool {
    !field.is_empty() && field.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The id that a field holds, if it holds one.
pub(super) fn key_of(name: &str, parent: &str, value: &Value) -> Option<Key> {
    match value {
        Value::String(text) if text.len() == 36 && Uuid::try_parse(text).is_ok() => {
            Some(Key::Uuid(text.to_ascii_lowercase()))
        }
        Value::String(text) if name == "clientMessageId" => Some(Key::Text(text.clone())),
        Value::Number(number) => Some(Key::Number(kind_of(name, parent)?, number.as_i64()?)),
        _ => None,
    }
}

/// Of what kind the thing is that a field names by its number.
fn kind_of(name: &str, parent: &str) -> Option<String> {
    let kind = match name {
        "id" => parent.strip_suffix('s').unwrap_or(parent),
        "raisedBy" => "user",
        name => name.strip_suffix("Id").or_else(|| name.strip_suffix("_id"))?,
    };
    let kind = kind.to_ascii_lowercase();
    if kind.is_empty() {
        return None;
    }
    Some(if USERS.contains(&kind.as_str()) { "user".to_owned() } else { kind })
}

fn hint_of(key: &Key, name: &str, parent: &str) -> String {
    let kind = match key {
        Key::Number(kind, _) => kind.clone(),
        Key::Text(_) => "client_message".to_owned(),
        Key::Uuid(_) => kind_of(name, parent).unwrap_or_default(),
    };
    let kind: String = kind.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let kind = kind.trim_start_matches(|c: char| !c.is_ascii_lowercase()).to_owned();
    if kind.is_empty() { "id".to_owned() } else { kind }
}
