//! What nobody may read in a report: passwords, tokens, and what the environment calls a secret.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::file::Scenario;
use crate::yaml::{Node, Value as Tree};

/// Stands where a secret stood.
const HIDDEN: &str = "***";
/// Stands where a text was cut.
const CUT: char = '…';
/// Shorter ones are left: hiding every `a` hides nothing and makes a report unreadable.
const SECRET_BYTES_MIN: usize = 4;
/// Most secrets of one run: 200 actors with a password and several pairs of tokens each.
const SECRETS_MAX: usize = 10_000;
/// Parts of names whose values are secrets, in capitals.
const SECRET_WORDS: &[&str] = &[
    "PASS",
    "SECRET",
    "TOKEN",
    "CREDENTIAL",
    "PRIVATE",
    "APIKEY",
    "API_KEY",
    "AUTHORIZATION",
    "COOKIE",
];

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
    let name = name.to_ascii_uppercase().replace('-', "_");
    SECRET_WORDS.iter().any(|word| name.contains(word)) || name == "PW" || name.ends_with("_PW")
}

impl Secrets {
    /// Hides this from now on, also as JSON and as URLs write it.
    pub fn add(&self, secret: &str) {
        let json = Value::from(secret).to_string();
        // A message that quotes a text that quotes it.
        let twice = Value::from(&json[1..json.len() - 1]).to_string();
        let url: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let mut secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bare = |quoted: &str| quoted[1..quoted.len() - 1].to_owned();
        let percent = url.replace('+', "%20");
        for form in [secret.to_owned(), bare(&json), bare(&twice), url, percent] {
            if form.len() >= SECRET_BYTES_MIN && secrets.len() < SECRETS_MAX {
                secrets.insert(form);
            }
        }
    }

    /// Hides a header that says who somebody is: whole, and what is in it.
    pub fn learn_header(&self, name: &str, value: &str) {
        if !is_secret(name) {
            return;
        }
        self.add(value);
        if let Some((_, credentials)) = value.split_once(' ') {
            self.add(credentials.trim());
        }
        // Of cookies, each value.
        for pair in value.split(';') {
            if let Some((_, value)) = pair.split_once('=') {
                self.add(value.trim());
            }
        }
    }

    /// Hides what a file itself says in places whose names say that it is a secret.
    pub(crate) fn learn_file(&self, scenario: &Scenario) {
        for (key, node) in &scenario.vars {
            self.learn_named(&key.name, node, &scenario.secrets);
        }
        for node in scenario.actors.iter().filter_map(|actor| actor.password.as_ref()) {
            self.learn_named("password", node, &[]);
        }
        scenario.walk(&mut |step| {
            step.nodes().into_iter().for_each(|node| self.learn_tree(node));
            for (name, node) in step.named_nodes() {
                self.learn_named(name, node, &[]);
            }
        });
    }

    fn learn_named(&self, name: &str, node: &Node, marked: &[String]) {
        match &node.value {
            Tree::Text(text) if is_secret(name) || marked.iter().any(|own| own == name) => {
                // A name in it is hidden when it is filled in; its default stands here.
                match text.strip_prefix("${env.").and_then(|rest| rest.strip_suffix('}')) {
                    Some(env) => _ = env.split_once(":-").map(|(_, default)| self.add(default)),
                    None if text.contains("${") => {}
                    None => self.learn_header("authorization", text),
                }
            }
            _ => self.learn_tree(node),
        }
    }

    fn learn_tree(&self, node: &Node) {
        match &node.value {
            Tree::Map(fields) => {
                fields.iter().for_each(|(key, node)| self.learn_named(&key.name, node, &[]));
            }
            Tree::List(items) => items.iter().for_each(|item| self.learn_tree(item)),
            _ => {}
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
        let mut text =
            found.into_iter().fold(text.to_owned(), |text, secret| text.replace(secret, HIDDEN));
        // What was cut may end in the first part of one.
        let cuts: Vec<usize> = text.match_indices(CUT).map(|(at, _)| at).collect();
        for at in cuts.into_iter().rev() {
            let before = &text[..at];
            let begun = secrets.iter().filter_map(|secret| begun(before, secret)).max();
            if let Some(len) = begun {
                text.replace_range(at - len..at, HIDDEN);
            }
        }
        text
    }

    /// Every text of a document without them.
    pub fn hide_in(&self, document: &mut Value) {
        match document {
            Value::String(text) => *text = self.hide(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide_in(item)),
            Value::Object(fields) => fields.values_mut().for_each(|value| self.hide_in(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// How many bytes at the end of a text are the beginning of a secret, where these tell anything.
fn begun(text: &str, secret: &str) -> Option<usize> {
    let most = secret.len().min(text.len());
    (SECRET_BYTES_MIN..=most).rev().find(|len| {
        secret.get(..*len).is_some_and(|head| text.as_bytes().ends_with(head.as_bytes()))
    })
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
        // As others write it, and where a message was cut in the middle of it.
        secrets.add("p\"ss wörd");
        assert_eq!(hide("{\"p\": \"p\\\"ss wörd\"}"), "{\"p\": \"***\"}");
        assert_eq!(hide("?p=p%22ss+w%C3%B6rd&q"), "?p=***&q");
        assert_eq!(hide("at e30.x… and at hunt…, hun…"), "at ***… and at ***…, hun…");
        secrets.learn_header("Cookie", "sid=12345678; theme=dark-blue");
        secrets.learn_header("X-Trace", "not-secret");
        assert_eq!(hide("12345678 dark-blue not-secret"), "*** *** not-secret");
    }

    #[test]
    fn a_name_says_whether_its_value_is_a_secret() {
        for name in [
            "CUSTOMER_PW",
            "PW",
            "DB_PASSWORD",
            "accessToken",
            "refresh_token",
            "Set-Cookie",
            "X-Api-Key",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["HOME", "CUSTOMER_EMAIL", "PWD", "clientMessageId"] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
