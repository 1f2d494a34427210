//! Secrets that went by: in a file the environment has them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::secrets::is_secret;

/// Most secrets of a recording; more log-ins than that are no session of people.
const SECRETS_MAX: usize = 10_000;
/// Shorter ones cannot be told from other text.
const SECRET_BYTES_MIN: usize = 4;

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
    /// Never shows this.
    pub(super) fn add(&mut self, field: &str, secret: &str) {
        if secret.len() < SECRET_BYTES_MIN
            || self.names.len() >= SECRETS_MAX
            || self.names.contains_key(secret)
        {
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
                    match value {
                        Value::String(secret) if is_secret(name) => self.add(name, secret),
                        other => self.learn(other),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.learn(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// Whether a secret is in the text.
    pub(super) fn is_in(&self, text: &str) -> bool {
        self.names.keys().any(|secret| text.contains(secret.as_str()))
    }

    /// The text as a scenario has it: secrets of the environment, and no names but those.
    pub(super) fn replace(&mut self, text: &str) -> String {
        // A secret that holds another goes first, or its rest would stay.
        let found = self.names.iter().filter(|(secret, _)| text.contains(secret.as_str()));
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
}
