//! What nobody may read in a report: passwords, tokens, and what the environment calls a secret.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

/// Stands where a secret stood.
const HIDDEN: &str = "***";
/// Shorter ones are left: hiding every `a` hides nothing and makes a report unreadable.
const SECRET_BYTES_MIN: usize = 4;
/// Most secrets of one run: 200 actors with a password and several pairs of tokens each.
const SECRETS_MAX: usize = 10_000;
/// Parts of names whose values are secrets, in capitals.
const SECRET_WORDS: &[&str] =
    &["PASS", "SECRET", "TOKEN", "CREDENTIAL", "PRIVATE", "APIKEY", "API_KEY", "AUTHORIZATION"];

/// The secrets of a run; all clones know the same.
#[derive(Clone, Default)]
pub struct Secrets(Arc<Mutex<BTreeSet<String>>>);

/// A list of secrets would be one.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(***)")
    }
}

/// Whether a value of this name is a secret.
pub(crate) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    SECRET_WORDS.iter().any(|word| name.contains(word)) || name == "PW" || name.ends_with("_PW")
}

impl Secrets {
    /// Hides this from now on.
    pub fn add(&self, secret: &str) {
        let mut secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if secret.len() >= SECRET_BYTES_MIN && secrets.len() < SECRETS_MAX {
            secrets.insert(secret.to_owned());
        }
    }

    /// Hides every text of a document whose field is a secret by its name.
    pub fn learn(&self, document: &Value) {
        match document {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        Value::String(secret) if is_secret(name) => self.add(secret),
                        other => self.learn(other),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.learn(item)),
            _ => {}
        }
    }

    /// The text without them.
    pub fn hide(&self, text: &str) -> String {
        let secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<&String> = secrets.iter().filter(|one| text.contains(*one)).collect();
        // A secret that holds another goes first, or its rest would stay.
        found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        found.into_iter().fold(text.to_owned(), |text, secret| text.replace(secret, HIDDEN))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_is_nowhere_to_be_read() {
        let secrets = Secrets::default();
        secrets.add("abc");
        secrets.add("hunter2");
        secrets.add("hunter2-and-more");
        secrets.learn(&json!({"user": {"name": "Ann"}, "tokens": [{"accessToken": "e30.x.y"}]}));
        let hide = |text: &str| secrets.hide(text);
        assert_eq!(hide("say hunter2-and-more, hunter2!"), "say ***, ***!");
        assert_eq!(hide("abc Ann e30.x.y"), "abc Ann ***");
        assert!(!format!("{secrets:?}").contains("hunter2"));
    }

    #[test]
    fn a_name_says_whether_its_value_is_a_secret() {
        for name in ["CUSTOMER_PW", "PW", "DB_PASSWORD", "accessToken", "refresh_token"] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["HOME", "CUSTOMER_EMAIL", "PWD", "clientMessageId"] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
