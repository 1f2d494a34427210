//! Patterns of `where` and `expect`: matchers that no value can ever meet are mistakes.

use super::fields::word_of;
use crate::matching::{KINDS, is_matcher_of};
use crate::source::Diagnostics;
use crate::yaml::{Node, Value};

/// Complains about matchers that are wrong in themselves, wherever they stand in a pattern.
pub(super) fn check(pattern: &Node, diag: &mut Diagnostics) {
    let fields = match &pattern.value {
        Value::List(items) => return items.iter().for_each(|item| check(item, diag)),
        Value::Map(fields) => fields,
        _ => return,
    };
    if !is_matcher_of(fields.iter().map(|(key, _)| key.name.as_str())) {
        return fields.iter().for_each(|(_, value)| check(value, diag));
    }
    let bound = |name: &str| {
        let value = fields.iter().find(|(key, _)| key.name == name).map(|(_, node)| &node.value);
        match value {
            Some(Value::Int(number)) => Some(*number as f64),
            Some(Value::Float(number)) => Some(*number),
            _ => None,
        }
    };
    if bound("min").zip(bound("max")).is_some_and(|(min, max)| min > max) {
        diag.error(pattern.span, "`min` is over `max`");
    }
    for (key, value) in fields {
        let text = match &value.value {
            // It is known when the step runs.
            Value::Text(text) if text.contains("${") => continue,
            Value::Text(text) => Some(text),
            _ => None,
        };
        match key.name.as_str() {
            "is" => {
                let words: Vec<(&str, ())> = KINDS.iter().map(|kind| (*kind, ())).collect();
                let _known = word_of(value, "is", &words, diag);
            }
            "matches" => match text.map(|text| regex::Regex::new(text)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    let why = error.to_string();
                    let why = why.lines().last().unwrap_or_default().trim();
                    let why = why.strip_prefix("error: ").unwrap_or(why);
                    diag.error(value.span, format!("`matches` is no regular expression: {why}"));
                }
                None => diag.error(value.span, "`matches` is a regular expression, a text"),
            },
            "min" | "max" if !matches!(value.value, Value::Int(_) | Value::Float(_)) => {
                let (name, kind) = (&key.name, value.value.kind());
                diag.error(value.span, format!("`{name}` is {kind}, not a number"));
            }
            "contains" => check(value, diag),
            _ => {}
        }
    }
}
