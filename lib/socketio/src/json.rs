//! Walks JSON text and checks its syntax without building anything from it.
//!
//! Payloads stay text until an application asks for a typed argument, so a packet costs one pass
//! over its bytes and no tree. The walk is iterative: hostile nesting costs no stack.

use std::ops::Range;

/// What is wrong with a JSON text; the position is not kept, because no peer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonError {
    #[error("not valid JSON")]
    Syntax,
    #[error("nested deeper than the limit")]
    TooDeep,
}

/// The deepest nesting that the walk can hold: one bit of a `u128` per open container.
pub(crate) const NESTING_CEILING: u32 = 128;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    CommaOrEnd,
}

/// The containers that are open: the lowest bit is the innermost, 1 means an object.
struct Open {
    kinds: u128,
    depth: u32,
    max: u32,
}

impl Open {
    fn push(&mut self, object: bool) -> Result<(), JsonError> {
        if self.depth == self.max {
            return Err(JsonError::TooDeep);
        }
        self.depth += 1;
        self.kinds = (self.kinds << 1) | u128::from(object);
        Ok(())
    }

    fn pop(&mut self) {
        self.kinds >>= 1;
        self.depth -= 1;
    }

    fn in_object(&self) -> bool {
        self.kinds & 1 == 1
    }
}

/// Returns the index behind the whitespace that starts at `at`.
pub(crate) fn skip_space(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// Returns the index behind the one value that starts at `at` (leading whitespace allowed).
pub(crate) fn skip_value(text: &[u8], at: usize, nesting_max: u32) -> Result<usize, JsonError> {
    let mut open = Open { kinds: 0, depth: 0, max: nesting_max.min(NESTING_CEILING) };
    let mut want = Want::Value;
    let mut at = at;
    loop {
        at = skip_space(text, at);
        let byte = *text.get(at).ok_or(JsonError::Syntax)?;
        let mut complete = true;
        match (want, byte) {
            (Want::Value | Want::ValueOrEnd, b'{' | b'[') => {
                open.push(byte == b'{')?;
                at += 1;
                want = if byte == b'{' { Want::KeyOrEnd } else { Want::ValueOrEnd };
                complete = false;
            }
            (Want::ValueOrEnd, b']') | (Want::KeyOrEnd, b'}') => {
                open.pop();
                at += 1;
            }
            (Want::Value | Want::ValueOrEnd, _) => at = skip_scalar(text, at)?,
            (Want::Key | Want::KeyOrEnd, b'"') => {
                at = skip_space(text, skip_string(text, at)?);
                if text.get(at) != Some(&b':') {
                    return Err(JsonError::Syntax);
                }
                at += 1;
                want = Want::Value;
                complete = false;
            }
            (Want::CommaOrEnd, b',') => {
                at += 1;
                want = if open.in_object() { Want::Key } else { Want::Value };
                complete = false;
            }
            (Want::CommaOrEnd, b'}') if open.in_object() => {
                open.pop();
                at += 1;
            }
            (Want::CommaOrEnd, b']') if !open.in_object() => {
                open.pop();
                at += 1;
            }
            _ => return Err(JsonError::Syntax),
        }
        if complete {
            if open.depth == 0 {
                return Ok(at);
            }
            want = Want::CommaOrEnd;
        }
    }
}

fn skip_scalar(text: &[u8], at: usize) -> Result<usize, JsonError> {
    let literal: &[u8] = match text[at] {
        b'"' => return skip_string(text, at),
        b'-' | b'0'..=b'9' => return skip_number(text, at),
        b't' => b"true",
        b'f' => b"false",
        b'n' => b"null",
        _ => return Err(JsonError::Syntax),
    };
    if text[at..].starts_with(literal) { Ok(at + literal.len()) } else { Err(JsonError::Syntax) }
}

fn skip_digits(text: &[u8], mut at: usize) -> Result<usize, JsonError> {
    let first = at;
    while matches!(text.get(at), Some(b'0'..=b'9')) {
        at += 1;
    }
    if at == first { Err(JsonError::Syntax) } else { Ok(at) }
}

fn skip_number(text: &[u8], mut at: usize) -> Result<usize, JsonError> {
    if text[at] == b'-' {
        at += 1;
    }
    at = if text.get(at) == Some(&b'0') { at + 1 } else { skip_digits(text, at)? };
    if text.get(at) == Some(&b'.') {
        at = skip_digits(text, at + 1)?;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1;
        if matches!(text.get(at), Some(b'+' | b'-')) {
            at += 1;
        }
        at = skip_digits(text, at)?;
    }
    Ok(at)
}

/// Returns the index behind the string whose opening quote is at `at`.
pub(crate) fn skip_string(text: &[u8], at: usize) -> Result<usize, JsonError> {
    let mut at = at + 1;
    loop {
        let rest = text.get(at..).ok_or(JsonError::Syntax)?;
        let length = memchr::memchr2(b'"', b'\\', rest).ok_or(JsonError::Syntax)?;
        // A fold without an early exit is vectorised; control characters are rare and fatal.
        if rest[..length].iter().fold(false, |found, byte| found | (*byte < 0x20)) {
            return Err(JsonError::Syntax);
        }
        at += length;
        if text[at] == b'"' {
            return Ok(at + 1);
        }
        at = match text.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at + 2,
            Some(b'u') if is_hex(text.get(at + 2..at + 6)) => at + 6,
            _ => return Err(JsonError::Syntax),
        };
    }
}

fn is_hex(digits: Option<&[u8]>) -> bool {
    digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// Where the elements of an array lie in a text, found one at a time.
///
/// `next` gives the range of the next element, `None` behind the last one; then [`Self::end`] is
/// the index behind the closing bracket.
pub(crate) struct Elements<'a> {
    text: &'a [u8],
    at: usize,
    first: bool,
    done: bool,
    nesting_max: u32,
}

impl<'a> Elements<'a> {
    /// Starts at the opening bracket at `at`; the array itself counts as one level.
    pub(crate) fn new(text: &'a [u8], at: usize, nesting_max: u32) -> Result<Self, JsonError> {
        if text.get(at) != Some(&b'[') {
            return Err(JsonError::Syntax);
        }
        let nesting_max = nesting_max.saturating_sub(1);
        Ok(Self { text, at: at + 1, first: true, done: false, nesting_max })
    }

    pub(crate) fn next(&mut self) -> Result<Option<Range<usize>>, JsonError> {
        if self.done {
            return Ok(None);
        }
        self.at = skip_space(self.text, self.at);
        match (self.text.get(self.at), self.first) {
            (Some(b']'), _) => {
                self.at += 1;
                self.done = true;
                return Ok(None);
            }
            (Some(b','), false) => self.at = skip_space(self.text, self.at + 1),
            (Some(_), true) => {}
            _ => return Err(JsonError::Syntax),
        }
        self.first = false;
        let start = self.at;
        self.at = skip_value(self.text, start, self.nesting_max)?;
        Ok(Some(start..self.at))
    }

    pub(crate) fn end(&self) -> usize {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn accepts(text: &[u8]) -> bool {
        skip_value(text, 0, 128).is_ok_and(|end| skip_space(text, end) == text.len())
    }

    #[test]
    fn agrees_with_serde_json_on_hand_picked_texts() {
        for text in [
            "1",
            "-0",
            "01",
            "1.",
            "1.5e+3",
            "1e",
            "-",
            ".5",
            "true",
            "tru",
            "null",
            "nul",
            "\"a\"",
            "\"a",
            "\"\\u12\"",
            "\"\\u12ag\"",
            "\"\\x\"",
            "\"\u{1}\"",
            "[]",
            "[",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{}",
            "{\"a\":1}",
            "{\"a\":1,}",
            "{\"a\"}",
            "{1:2}",
            "[}",
            "{]",
            "[[1],{}]",
            " [ 1 , 2 ] ",
            "{\"a\":[{\"b\":null}]}",
            "",
            " ",
            "1 2",
            "{\"a\":1 \"b\":2}",
            "[]]",
            "nan",
            "1e400",
            "\"\\ud800\"",
            "[\"\\\\\"]",
            "\u{feff}1",
        ] {
            let reference = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
            assert_eq!(accepts(text.as_bytes()), reference, "{text:?}");
        }
    }

    #[test]
    fn nesting_is_limited_without_using_the_stack() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(skip_value(deep(64).as_bytes(), 0, 64).is_ok());
        assert_eq!(skip_value(deep(65).as_bytes(), 0, 64), Err(JsonError::TooDeep));
        assert_eq!(skip_value(&vec![b'['; 1_000_000], 0, 500), Err(JsonError::TooDeep));
        assert_eq!(skip_value(deep(100_000).as_bytes(), 0, 128), Err(JsonError::TooDeep));
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(6, 48, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                proptest::collection::vec((any::<String>(), inner), 0..6)
                    .prop_map(|pairs| serde_json::Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_valid_json_is_accepted(value in json()) {
            prop_assert!(accepts(value.to_string().as_bytes()));
            let pretty = serde_json::to_vec_pretty(&value).unwrap();
            prop_assert!(accepts(&pretty));
        }

        #[test]
        fn a_mutated_text_gets_the_verdict_of_serde_json(
            value in json(), position in any::<prop::sample::Index>(), byte in 0u8..128,
        ) {
            let mut text = value.to_string().into_bytes();
            let position = position.index(text.len());
            text[position] = byte;
            if let Ok(text) = std::str::from_utf8(&text) {
                let reference = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
                prop_assert_eq!(accepts(text.as_bytes()), reference, "{:?}", text);
            }
        }
    }
}
