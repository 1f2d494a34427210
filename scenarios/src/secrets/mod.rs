//! What nobody may read in a report: passwords, tokens, and what the environment calls a secret.

mod named;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::file::Scenario;
use crate::matching::is_matcher_of;
use crate::yaml::{Node, Value as Tree};

/// Stands where a secret stood.
const HIDDEN: &str = "***";
/// Stands where a text was cut.
const CUT: char = '…';
/// Shorter ones are hidden where they stand as words: every `abc` in every word hides nothing.
const SECRET_BYTES_MIN: usize = 4;
/// Shorter ones are hidden beside their names alone: a report without any `1` cannot be read.
const WORD_BYTES_MIN: usize = 2;
/// Most secrets of one run: 200 actors with a password and several pairs of tokens each. With more
/// nothing is shown any more.
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
pub struct Secrets(Arc<Mutex<Known>>);

#[derive(Clone, Default)]
struct Known {
    texts: BTreeSet<String>,
    /// There were more than can be remembered.
    is_over: bool,
}

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
    /// The same secrets, and from now on others: what one run learns is nothing to another.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self(Arc::new(Mutex::new(self.lock().clone())))
    }

    /// Never held over anything but a look.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hides this from now on, also as JSON and as URLs write it.
    pub fn add(&self, secret: &str) {
        let json = Value::from(secret).to_string();
        // A message that quotes a text that quotes it.
        let twice = Value::from(&json[1..json.len() - 1]).to_string();
        let url: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let mut known = self.lock();
        let bare = |quoted: &str| quoted[1..quoted.len() - 1].to_owned();
        let percent = url.replace('+', "%20");
        for form in [secret.to_owned(), bare(&json), bare(&twice), url, percent] {
            if form.len() < WORD_BYTES_MIN || known.texts.contains(&form) {
                continue;
            }
            if known.texts.len() < SECRETS_MAX {
                known.texts.insert(form);
            } else {
                known.is_over = true;
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
        match is_secret(name) || marked.iter().any(|own| own == name) {
            true => self.learn_below(node),
            false => self.learn_tree(node),
        }
    }

    /// Hides everything in a tree but what is asked of a secret: `{ is: string }` is none.
    fn learn_below(&self, node: &Node) {
        match &node.value {
            Tree::Text(text) => {
                // A name in it is hidden when it is filled in; its default stands here.
                match text.strip_prefix("${env.").and_then(|rest| rest.strip_suffix('}')) {
                    Some(env) => _ = env.split_once(":-").map(|(_, default)| self.add(default)),
                    None if text.contains("${") => {}
                    None => self.learn_header("authorization", text),
                }
            }
            Tree::Int(number) => self.add(&number.to_string()),
            Tree::Float(number) => self.add(&number.to_string()),
            Tree::List(items) => items.iter().for_each(|item| self.learn_below(item)),
            Tree::Map(fields) => {
                if !is_matcher_of(fields.iter().map(|(key, _)| key.name.as_str())) {
                    fields.iter().for_each(|(_, value)| self.learn_below(value));
                }
            }
            Tree::Null | Tree::Bool(_) => {}
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

    /// Hides everything in a document whose field is a secret by its name.
    pub fn learn(&self, document: &Value) {
        match document {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match is_secret(name) {
                        true => self.learn_value(value),
                        false => self.learn(value),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.learn(item)),
            _ => {}
        }
    }

    /// Hides the texts and numbers of a value that is a secret, whatever it is made of.
    pub(crate) fn learn_value(&self, value: &Value) {
        match value {
            Value::String(text) => self.add(text),
            Value::Number(number) => self.add(&number.to_string()),
            Value::Array(items) => items.iter().for_each(|item| self.learn_value(item)),
            Value::Object(fields) => fields.values().for_each(|value| self.learn_value(value)),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// The text without them.
    pub fn hide(&self, text: &str) -> String {
        let known = self.lock();
        if known.is_over {
            return if text.is_empty() { String::new() } else { HIDDEN.to_owned() };
        }
        let secrets = &known.texts;
        let mut found: Vec<&String> = secrets.iter().filter(|one| text.contains(*one)).collect();
        // A secret that holds another goes first, or its rest would stay.
        found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        let mut text = found.into_iter().fold(text.to_owned(), |text, secret| {
            match secret.len() < SECRET_BYTES_MIN {
                true => without_word(&text, secret),
                false => text.replace(secret, HIDDEN),
            }
        });
        // What was cut may end in the first part of one.
        let cuts: Vec<usize> = text.match_indices(CUT).map(|(at, _)| at).collect();
        for at in cuts.into_iter().rev() {
            let before = &text[..at];
            let begun = secrets.iter().filter_map(|secret| begun(before, secret)).max();
            if let Some(len) = begun {
                text.replace_range(at - len..at, HIDDEN);
            }
        }
        named::hide(&text)
    }

    /// Every text of a document without them, and no value of a name that is a secret's.
    pub fn hide_in(&self, document: &mut Value) {
        match document {
            Value::String(text) => *text = self.hide(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide_in(item)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    match is_secret(name) {
                        true => hide_value(value),
                        false => self.hide_in(value),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

fn hide_value(value: &mut Value) {
    match value {
        Value::String(text) if text.is_empty() => {}
        Value::String(_) | Value::Number(_) => *value = Value::from(HIDDEN),
        Value::Array(items) => items.iter_mut().for_each(hide_value),
        Value::Object(fields) => fields.values_mut().for_each(hide_value),
        Value::Null | Value::Bool(_) => {}
    }
}

/// The text without a word, where that is not the part of a longer one.
fn without_word(text: &str, word: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut from = 0;
    for (at, _) in text.match_indices(word) {
        let end = at + word.len();
        let before = text[..at].chars().next_back().is_some_and(char::is_alphanumeric);
        let after = text[end..].chars().next().is_some_and(char::is_alphanumeric);
        if !before && !after {
            shown.push_str(&text[from..at]);
            shown.push_str(HIDDEN);
            from = end;
        }
    }
    shown.push_str(&text[from..]);
    shown
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
        assert_eq!(hide("abc Ann e30.x.y abcd"), "*** Ann *** abcd");
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
    fn a_secret_may_be_short_a_number_or_several_things() {
        let secrets = Secrets::default();
        secrets.learn(&json!({
            "apiKeys": ["k-12345"], "otp_token": 123_456, "password": {"v": "deep-one", "is": true},
        }));
        let hide = |text: &str| secrets.hide(text);
        assert_eq!(hide("/x/123456?k=k-12345 deep-one true"), "/x/***?k=*** *** true");
        // Too short to be known anywhere else: beside its name.
        assert_eq!(hide("got {\"pw\":\"a\",\"n\":1}"), "got {\"pw\":***,\"n\":1}");
        let mut line = json!({"pin_token": 7, "deep": {"passwords": ["x", ""], "hasToken": true}});
        secrets.hide_in(&mut line);
        let hidden =
            json!({"pin_token": "***", "deep": {"passwords": ["***", ""], "hasToken": true}});
        assert_eq!(line, hidden);
    }

    #[test]
    fn what_is_too_much_to_remember_is_not_shown_either() {
        let profile = Secrets::default();
        profile.add("of-the-profile");
        let one = profile.apart();
        (0..=SECRETS_MAX).for_each(|n| one.add(&format!("secret-{n}")));
        assert_eq!(one.hide("secret-10000 and all else"), "***");
        assert_eq!(profile.apart().hide("secret-1, of-the-profile"), "secret-1, ***");
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
