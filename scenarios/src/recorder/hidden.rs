//! Secrets that went by: in a file the environment has them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::secrets::is_secret;

/// Most secrets of a recording; more log-ins than that are no session of people.
const SECRETS_MAX: usize = 10_000;
/// Shorter ones cannot be told from other text: they are hidden where they have a name alone.
const SECRET_BYTES_MIN: usize = 4;
/// Before a secret in a path: `/reset/Ab3…`.
const BEFORE_SECRETS: &[&str] =
    &["reset", "verify", "confirm", "activate", "invite", "invitation", "magic", "unsubscribe"];
/// A part of a path that is as long and has digits was made by a machine.
const MADE_BYTES_MIN: usize = 16;

/// By what the environment calls them.
#[derive(Default)]
pub(super) struct Hidden {
    names: BTreeMap<String, String>,
    used: BTreeSet<String>,
    counts: BTreeMap<&'static str, usize>,
}

/// A list of secrets would be one.
impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hidden(***)")
    }
}

impl Hidden {
    /// Whether one more may be too much: nothing new is written then.
    pub(super) fn is_full(&self) -> bool {
        self.names.len() >= SECRETS_MAX
    }

    /// Never shows this.
    pub(super) fn add(&mut self, field: &str, secret: &str) {
        if secret.is_empty() || self.names.contains_key(secret) {
            return;
        }
        let field = field.to_ascii_lowercase();
        let kind = match () {
            () if field.contains("pass") || field.contains("pw") => "PASSWORD",
            () if field.contains("token") => "TOKEN",
            () => "SECRET",
        };
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        self.names.insert(secret.to_owned(), format!("{kind}_{count}"));
    }

    /// Never shows what a document holds under the name of a secret.
    pub(super) fn learn(&mut self, document: &Value) {
        match document {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match is_secret(name) {
                        true => self.learn_value(name, value),
                        false => self.learn(value),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.learn(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// The texts and numbers of a value that is a secret, whatever it is made of.
    fn learn_value(&mut self, name: &str, value: &Value) {
        match value {
            Value::String(secret) => self.add(name, secret),
            Value::Number(secret) => self.add(name, &secret.to_string()),
            Value::Array(items) => items.iter().for_each(|item| self.learn_value(name, item)),
            Value::Object(fields) => {
                fields.values().for_each(|value| self.learn_value(name, value));
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// A value that stands under the name of a secret, as a file has it.
    pub(super) fn stand_in(&mut self, field: &str, secret: &str) -> String {
        self.add(field, secret);
        match self.names.get(secret) {
            Some(name) => {
                self.used.insert(name.clone());
                format!("${{env.{name}}}")
            }
            None => String::new(),
        }
    }

    /// Whether a part of a path looks like a secret: what no name tells.
    pub(super) fn looks_secret(part: &str, before: &str) -> bool {
        let has_digits = part.contains(|c: char| c.is_ascii_digit());
        let has_letters = part.contains(|c: char| c.is_ascii_alphabetic());
        let is_announced =
            is_secret(before) || BEFORE_SECRETS.iter().any(|w| w.eq_ignore_ascii_case(before));
        // A plain number or an id is no secret, unless something says so before it.
        let is_id = uuid::Uuid::try_parse(part).is_ok();
        let is_made = has_digits && has_letters && part.len() >= MADE_BYTES_MIN && !is_id;
        is_made || (is_announced && (has_digits || part.len() >= MADE_BYTES_MIN))
    }

    /// Whether a secret is in the text.
    pub(super) fn is_in(&self, text: &str) -> bool {
        let long = |secret: &&String| secret.len() >= SECRET_BYTES_MIN;
        self.names.keys().filter(long).any(|secret| text.contains(secret.as_str()))
    }

    /// The text as a scenario has it: secrets of the environment, and no names but those.
    pub(super) fn replace(&mut self, text: &str) -> String {
        // A secret that holds another goes first, or its rest would stay.
        let is_in = |secret: &str| secret.len() >= SECRET_BYTES_MIN && text.contains(secret);
        let found = self.names.iter().filter(|(secret, _)| is_in(secret));
        let found = found.max_by_key(|(secret, _)| secret.len());
        let Some((secret, name)) = found.map(|(secret, name)| (secret.clone(), name.clone()))
        else {
            return text.replace("${", "$${");
        };
        let Some((before, after)) = text.split_once(&secret) else { return String::new() };
        let (before, after) = (self.replace(before), self.replace(after));
        let replaced = format!("{before}${{env.{name}}}{after}");
        self.used.insert(name);
        replaced
    }

    /// What the environment must have.
    pub(super) fn used(&self) -> impl Iterator<Item = &str> {
        self.used.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_is_the_environments_wherever_it_turns_up() {
        let mut hidden = Hidden::default();
        hidden.learn(&json!({"password": "hunter2", "deep": [{"accessToken": "hunter2-ab"}]}));
        hidden.add("apiKey", "abc");
        assert_eq!(hidden.replace("say hunter2!"), "say ${env.PASSWORD_1}!");
        assert_eq!(hidden.replace("hunter2-ab hunter2"), "${env.TOKEN_1} ${env.PASSWORD_1}");
        assert_eq!(hidden.replace("costs ${chat} abc"), "costs $${chat} abc");
        assert!(hidden.is_in("xhunter2") && !hidden.is_in("hunter"));
        assert_eq!(hidden.used().collect::<Vec<_>>(), ["PASSWORD_1", "TOKEN_1"]);
        assert!(!format!("{hidden:?}").contains("hunter2"));
    }

    #[test]
    fn a_part_of_a_path_may_be_a_secret_without_a_name() {
        let is = Hidden::looks_secret;
        assert!(is("sec-path-token-1", "reset") && is("k8Xq2", "Verify") && is("12345", "token"));
        assert!(is("Zk3r9Qw81LmX0aTb", "files"));
        for (part, before) in [
            ("forgot", "password"),
            ("42", "jobs"),
            ("0190a0b0-0000-7000-8000-00000000abcd", "chat"),
            ("messages", "chat"),
        ] {
            assert!(!is(part, before), "{part}");
        }
    }
}
