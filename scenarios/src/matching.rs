//! Whether what came is what was expected: objects partially, lists exactly, matchers as data.

use std::fmt;

use serde_json::{Map, Value};
use trialogue_protocol::Timestamp;
use uuid::Uuid;

/// Words that make an object a matcher when it holds nothing else.
pub(crate) const MATCHERS: &[&str] = &["is", "contains", "matches", "min", "max"];
/// What `is` knows.
pub(crate) const KINDS: &[&str] =
    &["uuid", "id", "string", "int", "number", "bool", "list", "object", "null", "time", "absent"];
/// Longest value that a message quotes, in characters.
const QUOTE_CHARS_MAX: usize = 120;
/// So much of an id tells it from the others of one run.
const ID_CHARS: usize = 8;

/// The first place where two documents differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Where: `$.user.id`.
    pub path: String,
    /// What was expected there.
    pub expected: String,
    /// What was there.
    pub got: String,
    /// How many fields matched before: the nearest miss is the one with most.
    pub matched: usize,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {} expected {}, got {}", self.path, self.expected, self.got)
    }
}

/// Compares; answers the first difference.
pub fn matches(pattern: &Value, actual: &Value) -> Result<(), Mismatch> {
    let mut walk = Walk { matched: 0 };
    walk.value(pattern, Some(actual), "$")
}

/// Compares an event: without any `where`, `{}`, whatever it carries fits, also no object.
pub(crate) fn fits(pattern: &Value, actual: &Value) -> Result<(), Mismatch> {
    match pattern {
        Value::Object(fields) if fields.is_empty() => Ok(()),
        pattern => matches(pattern, actual),
    }
}

struct Walk {
    matched: usize,
}

impl Walk {
    fn differ(&self, path: &str, expected: impl Into<String>, got: Option<&Value>) -> Mismatch {
        let got = got.map_or_else(|| "nothing".to_owned(), quote);
        Mismatch { path: path.to_owned(), expected: expected.into(), got, matched: self.matched }
    }

    fn value(
        &mut self,
        pattern: &Value,
        actual: Option<&Value>,
        path: &str,
    ) -> Result<(), Mismatch> {
        match (pattern, actual) {
            (Value::Object(fields), _) if is_matcher(fields) => {
                self.matcher(fields, actual, path)?;
            }
            (Value::Object(fields), Some(actual @ Value::Object(_))) => {
                for (name, pattern) in fields {
                    self.value(pattern, actual.get(name), &format!("{path}.{name}"))?;
                }
                return Ok(());
            }
            (Value::Array(patterns), Some(Value::Array(items))) => {
                if patterns.len() != items.len() {
                    let (want, have) = (patterns.len(), items.len());
                    let mut wrong = self.differ(path, format!("a list of {want}"), actual);
                    wrong.got = format!("a list of {have}: {}", wrong.got);
                    return Err(wrong);
                }
                for (n, (pattern, item)) in patterns.iter().zip(items).enumerate() {
                    self.value(pattern, Some(item), &format!("{path}[{n}]"))?;
                }
                return Ok(());
            }
            (Value::Number(a), Some(Value::Number(b))) if a.as_f64() == b.as_f64() => {}
            (pattern, Some(actual)) if pattern == actual => {}
            // What is absent is null to whoever asks for null.
            (Value::Null, None) => {}
            _ => return Err(self.differ(path, quote(pattern), actual)),
        }
        self.matched += 1;
        Ok(())
    }

    fn matcher(
        &mut self,
        fields: &Map<String, Value>,
        actual: Option<&Value>,
        path: &str,
    ) -> Result<(), Mismatch> {
        for (word, wanted) in fields {
            let holds = match word.as_str() {
                "is" => is_kind(wanted.as_str().unwrap_or_default(), actual),
                "contains" => self.contains(wanted, actual),
                "matches" => is_found(wanted, actual),
                "min" => at_least(actual, wanted),
                "max" => at_least(Some(wanted), actual.unwrap_or(&Value::Null)),
                _ => false,
            };
            if !holds {
                return Err(self.differ(path, format!("{word} {}", quote(wanted)), actual));
            }
        }
        Ok(())
    }

    /// Every wanted item is somewhere in the list; a wanted text is somewhere in the text.
    fn contains(&self, wanted: &Value, actual: Option<&Value>) -> bool {
        match (wanted, actual) {
            (Value::String(wanted), Some(Value::String(text))) => text.contains(wanted.as_str()),
            (Value::Array(wanted), Some(Value::Array(items))) => {
                wanted.iter().all(|wanted| items.iter().any(|item| matches(wanted, item).is_ok()))
            }
            (wanted, Some(Value::Array(items))) => {
                items.iter().any(|item| matches(wanted, item).is_ok())
            }
            _ => false,
        }
    }
}

fn is_matcher(fields: &Map<String, Value>) -> bool {
    is_matcher_of(fields.keys().map(String::as_str))
}

/// Whether an object with these fields is a matcher.
pub(crate) fn is_matcher_of<'a>(fields: impl Iterator<Item = &'a str>) -> bool {
    let mut known = fields.map(|name| MATCHERS.contains(&name)).peekable();
    known.peek().is_some() && known.all(|is_known| is_known)
}

/// Whether the regular expression is found in the text.
fn is_found(expression: &Value, actual: Option<&Value>) -> bool {
    let expression = expression.as_str().and_then(|text| regex::Regex::new(text).ok());
    match (expression, actual.and_then(Value::as_str)) {
        (Some(expression), Some(text)) => expression.is_match(text),
        _ => false,
    }
}

fn is_kind(kind: &str, actual: Option<&Value>) -> bool {
    let Some(actual) = actual else { return kind == "absent" };
    match kind {
        "uuid" => actual.as_str().is_some_and(|text| Uuid::try_parse(text).is_ok()),
        "id" => actual.as_i64().is_some_and(|id| id > 0),
        "string" => actual.is_string(),
        "int" => actual.is_i64() || actual.is_u64(),
        "number" => actual.is_number(),
        "bool" => actual.is_boolean(),
        "list" => actual.is_array(),
        "object" => actual.is_object(),
        "null" => actual.is_null(),
        "time" => serde_json::from_value::<Timestamp>(actual.clone()).is_ok(),
        _ => false,
    }
}

fn at_least(greater: Option<&Value>, smaller: &Value) -> bool {
    match (greater.and_then(Value::as_f64), smaller.as_f64()) {
        (Some(greater), Some(smaller)) => greater >= smaller,
        _ => false,
    }
}

/// A value as a message shows it, cut when it is long.
pub fn quote(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= QUOTE_CHARS_MAX {
        return text;
    }
    let head: String = text.chars().take(QUOTE_CHARS_MAX).collect();
    format!("{head}…")
}

/// A document in one short line for people: what tells first, ids last and short, cut when it is
/// long. `quote` is for what must be read to the letter.
pub fn brief(value: &Value) -> String {
    let text = telling(value);
    match text.char_indices().nth(QUOTE_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

fn telling(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            fields.sort_by_key(|(name, value)| rank(name, value));
            let fields = fields.iter().map(|(name, value)| format!("{name}: {}", telling(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(telling).collect::<Vec<_>>().join(", "))
        }
        Value::String(text) if is_long_id(text) => format!("{}…", &text[..ID_CHARS]),
        other => other.to_string(),
    }
}

/// What a person looks for first has the lowest.
fn rank(name: &str, value: &Value) -> u8 {
    match value {
        Value::String(text) if is_long_id(text) => 4,
        _ if name.ends_with("At") || name.ends_with("_at") => 3,
        Value::String(_) if ["message", "text", "code", "type", "status"].contains(&name) => 0,
        Value::Number(_) if name == "seq" => 0,
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => 1,
        Value::Object(_) | Value::Array(_) => 2,
    }
}

fn is_long_id(text: &str) -> bool {
    Uuid::try_parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check((pattern, actual): (Value, Value), expect: Option<&str>) {
        let got = matches(&pattern, &actual).map_err(|wrong| wrong.to_string());
        assert_eq!(got.err().as_deref(), expect, "{pattern} against {actual}");
    }

    #[test]
    fn objects_match_partially_and_lists_exactly() {
        check((json!({"a": 1}), json!({"a": 1, "b": 2})), None);
        check((json!({"a": {"b": 1}}), json!({"a": {"b": 2}})), Some("at $.a.b expected 1, got 2"));
        check((json!({"a": 1}), json!({})), Some("at $.a expected 1, got nothing"));
        check((json!({"a": null}), json!({})), None);
        check((json!({"a": 1}), json!([])), Some("at $ expected {\"a\":1}, got []"));
        check((json!([{"a": 1}]), json!([{"a": 1, "b": 2}])), None);
        check((json!([]), json!([1])), Some("at $ expected a list of 0, got a list of 1: [1]"));
        check((json!([1, 2]), json!([2, 1])), Some("at $[0] expected 1, got 2"));
        check((json!("1"), json!(1)), Some("at $ expected \"1\", got 1"));
        check((json!(1.0), json!(1)), None);
    }

    #[test]
    fn an_event_without_a_where_fits_whatever_it_carries() {
        for carried in [json!({"a": 1}), json!("text"), json!(3), json!([1]), json!(null)] {
            assert_eq!(fits(&json!({}), &carried), Ok(()), "{carried}");
        }
        assert!(fits(&json!({"a": 1}), &json!("text")).is_err());
    }

    #[test]
    fn the_short_line_begins_with_what_tells() {
        let event = json!({
            "chatId": "0190a0b0-0000-7000-8000-00000000abcd", "created_at": "2026-02-03T04:05:06Z",
            "sender": {"id": 7}, "message": "hello", "seq": 3, "sender_id": 7,
        });
        let expect = "{message: \"hello\", seq: 3, sender_id: 7, sender: {id: 7}, \
                      created_at: \"2026-02-03T04:05:06Z\", chatId: 0190a0b0…}";
        assert_eq!(brief(&event), expect);
        let long = brief(&json!({ "text": "x".repeat(500) }));
        assert_eq!(long.chars().count(), QUOTE_CHARS_MAX + 1, "{long}");
    }

    #[test]
    fn matchers_are_objects_of_nothing_but_matchers() {
        let uuid = "0190a0b0-0000-7000-8000-00000000abcd";
        check((json!({"is": "uuid"}), json!(uuid)), None);
        check((json!({"is": "uuid"}), json!("x")), Some("at $ expected is \"uuid\", got \"x\""));
        check((json!({"is": "id"}), json!(0)), Some("at $ expected is \"id\", got 0"));
        check((json!({"a": {"is": "absent"}}), json!({})), None);
        check((json!({"is": "time"}), json!("2026-02-03T04:05:06.789Z")), None);
        check((json!({"min": 2, "max": 3}), json!(3)), None);
        check((json!({"min": 2}), json!(1)), Some("at $ expected min 2, got 1"));
        check((json!({"min": 2}), json!("3")), Some("at $ expected min 2, got \"3\""));
        check((json!({"contains": [{"a": 2}, {"a": 1}]}), json!([{"a": 1}, {"a": 2}])), None);
        check((json!({"contains": "b"}), json!("abc")), None);
        check((json!({"matches": "^a.c$"}), json!("abc")), None);
        let odd = Some("at $ expected matches \"^b\", got \"abc\"");
        check((json!({"matches": "^b"}), json!("abc")), odd);
        check((json!({"is": "x", "b": 1}), json!({"is": "x", "b": 1})), None);
    }
}
