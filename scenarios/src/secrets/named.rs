//! Values beside the name of a secret in a text: `"password":"abc"`, `{token: 12}`, `?pin_token=x`.
//!
//! Many are too short, or too new, to be known as secrets: here their names give them away.

use std::sync::LazyLock;

use regex::Regex;

use super::{CUT, HIDDEN};

/// A name that [`super::is_secret`] knows, what ends it, and what follows it.
static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let words = "pass|secret|token|credential|private|api[_-]?key|authorization|cookie";
    let name = format!(r"(?i)(?:[\w-]*(?:{words})[\w-]*|[\w-]*[_-]pw|\bpw)");
    Regex::new(&format!(r#"{name}(?:(\\*["'])\s*:\s*|(:\s+)|(=))"#)).ok()
});

/// The text without them.
pub(super) fn hide(text: &str) -> String {
    let Some(name) = NAME.as_ref() else { return HIDDEN.to_owned() };
    let mut shown = String::new();
    let mut from = 0;
    while let Some(found) = name.captures_at(text, from) {
        let Some(whole) = found.get(0) else { break };
        let at = whole.end();
        // A name without quotes may be a word of a sentence.
        let kind = if found.get(1).is_some() {
            Beside::Json
        } else if found.get(2).is_some() {
            Beside::Yaml
        } else {
            Beside::Query
        };
        shown.push_str(&text[from..at]);
        from = at;
        let len = kind.length_of_value(&text[at..]);
        if len > 0 {
            shown.push_str(HIDDEN);
            from += len;
        }
    }
    shown.push_str(&text[from..]);
    shown
}

/// How the name stands there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Json,
    Yaml,
    Query,
}

impl Beside {
    /// Bytes of the value that a text begins with; none of what hides nothing.
    fn length_of_value(self, text: &str) -> usize {
        let end = |stop: fn(char) -> bool| text.find(stop).unwrap_or(text.len());
        let first = text.trim_start_matches('\\').chars().next().unwrap_or_default();
        match first {
            _ if text.starts_with(HIDDEN) => 0,
            _ if self == Self::Query => end(|c| !(c.is_alphanumeric() || "-_.~%+".contains(c))),
            '"' | '\'' => quoted(text),
            '0'..='9' | '-' => end(|c| !(c.is_ascii_alphanumeric() || "+-.".contains(c))),
            '[' | '{' if self == Self::Json => bracketed(text),
            _ => 0,
        }
    }
}

/// A text in quotes, which may be escaped themselves; of one that was cut all that is there.
fn quoted(text: &str) -> usize {
    let escapes = text.len() - text.trim_start_matches('\\').len();
    let quote = text[escapes..].chars().next().unwrap_or('"');
    let begin = escapes + 1;
    for (at, _) in text[begin..].match_indices(quote) {
        let inner = &text[begin..begin + at];
        let before = inner.len() - inner.trim_end_matches('\\').len();
        if before == escapes || (escapes == 0 && before.is_multiple_of(2)) {
            let is_name = inner.starts_with("${") || inner.trim_end_matches('\\').is_empty();
            return if is_name { 0 } else { begin + at + 1 };
        }
    }
    text.find(CUT).unwrap_or(text.len())
}

/// A list or an object, but for a matcher; of one that was cut all that is there.
fn bracketed(text: &str) -> usize {
    let inner = text[1..].trim_start_matches(['\\', '"']);
    if ["is", "contains", "matches", "min", "max"]
        .iter()
        .any(|word| inner.strip_prefix(word).is_some_and(|rest| rest.starts_with(['\\', '"'])))
    {
        return 0;
    }
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' if depth == 1 => return at + 1,
            ']' | '}' => depth -= 1,
            _ => {}
        }
    }
    text.find(CUT).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_beside_the_name_of_a_secret_is_hidden_however_short() {
        let check = |text: &str, expect: &str| assert_eq!(hide(text), expect, "{text}");
        check(r#"got {"password":"a\"b","n":1}"#, r#"got {"password":***,"n":1}"#);
        check(r#"in \"otp_token\": 12, \"x\": 3"#, r#"in \"otp_token\": ***, \"x\": 3"#);
        check(r#"\"PIN_PW\":\"abc\"}"#, r#"\"PIN_PW\":***}"#);
        check(r#"{"apiKeys":["k",{"v":"x"}],"n":[1]}"#, r#"{"apiKeys":***,"n":[1]}"#);
        check(r#"GET /x {token: "abc", n: 1}"#, "GET /x {token: ***, n: 1}");
        check("GET /x?reset_token=ab%20c&page=2", "GET /x?reset_token=***&page=2");
        check(r#"{"password":"hunt…"#, r#"{"password":***…"#);
        // Words of a sentence, what is asked of a secret, and where it comes from.
        check("customer's token: expire", "customer's token: expire");
        check(r#"{"accessToken":{"is":"string"}}"#, r#"{"accessToken":{"is":"string"}}"#);
        check(r#"password: "${env.PW}""#, r#"password: "${env.PW}""#);
        check(r#"{"hasToken":true,"token":null}"#, r#"{"hasToken":true,"token":null}"#);
        check("passed: all", "passed: all");
    }
}
