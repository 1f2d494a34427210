//! Checks of what people write, each naming its field and its bound.

use trialogue_protocol::{ErrorCode, LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX};

use crate::error::Error;

/// A single line: names, titles, regions. Trimmed; what cannot be seen counts as nothing.
pub(super) fn line(field: &'static str, text: &str, chars_max: usize) -> Result<String, Error> {
    line_if_any(field, Some(text), chars_max)?
        .ok_or_else(|| Error::field(field, format!("{field} is empty")))
}

/// The same for a field that may be missing; empty is missing.
pub(super) fn line_if_any(
    field: &'static str,
    text: Option<&str>,
    chars_max: usize,
) -> Result<Option<String>, Error> {
    let Some(text) = text else { return Ok(None) };
    // What was sent is looked at, not what is left of it: blanks at an end are no way around.
    bounded(field, text, chars_max)?;
    if text.chars().any(is_unwelcome) {
        return Err(Error::field(field, format!("{field} contains a control character")));
    }
    let text = text.trim();
    Ok((!text.chars().all(is_unseen)).then(|| text.to_owned()))
}

/// Several lines: descriptions. Kept as written, but for a NUL, which PostgreSQL cannot store.
pub(super) fn prose(field: &'static str, text: &str, chars_max: usize) -> Result<String, Error> {
    prose_if_any(field, Some(text), chars_max)?
        .ok_or_else(|| Error::field(field, format!("{field} is empty")))
}

/// The same for a field that may be missing; blanks alone count as missing.
pub(super) fn prose_if_any(
    field: &'static str,
    text: Option<&str>,
    chars_max: usize,
) -> Result<Option<String>, Error> {
    let Some(text) = text else { return Ok(None) };
    bounded(field, text, chars_max)?;
    if text.contains('\0') {
        return Err(Error::field(field, format!("{field} contains a NUL character")));
    }
    Ok((!text.trim().is_empty()).then(|| text.to_owned()))
}

fn bounded(field: &'static str, text: &str, chars_max: usize) -> Result<(), Error> {
    // Cheap first: a character has four bytes at most.
    if text.len() > 4 * chars_max || text.chars().count() > chars_max {
        let message = format!("{field} is over {chars_max} characters");
        return Err(Error::field(field, message));
    }
    Ok(())
}

/// Control characters, and those that turn the reading direction or hide a line's end: a name with
/// one of them can forge what a reader sees around it.
fn is_unwelcome(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}' | '\u{2029}' | '\u{FEFF}'
            | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Characters that take no place on a screen, whether Unicode ignores them by default or calls them
/// letters: a name of nothing else could not be told from none.
fn is_unseen(c: char) -> bool {
    c.is_whitespace()
        || matches!(c,
            '\u{AD}' | '\u{34F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200D}' | '\u{2060}'..='\u{206F}'
            | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FFA0}'
            | '\u{E0000}'..='\u{E0FFF}')
}

/// The length of a list: 1 to [`LIST_LIMIT_MAX`].
pub(super) fn limit(limit: Option<i64>) -> Result<i64, Error> {
    match limit {
        None => Ok(LIST_LIMIT_DEFAULT),
        Some(limit @ 1..=LIST_LIMIT_MAX) => Ok(limit),
        Some(_) => Err(Error::field("limit", format!("limit is not 1 to {LIST_LIMIT_MAX}"))),
    }
}

/// A cursor that a list has given out: a plain id in this form, of 1 to 18 digits.
pub(super) fn cursor(cursor: Option<&str>, from_start: i64) -> Result<i64, Error> {
    let Some(text) = cursor else { return Ok(from_start) };
    let digits = text.len() <= 18 && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or_else(bad_cursor)
}

/// A cursor that no list has given out.
pub(super) fn bad_cursor() -> Error {
    Error::field("cursor", "cursor is not one that a list has given")
}

/// What the protocol's own check of a message says.
pub(super) fn message_text(text: &str) -> Result<(), Error> {
    use trialogue_protocol::TextError;
    trialogue_protocol::check_message_text(text).map_err(|error| match error {
        TextError::TooLarge => Error::new(ErrorCode::TooLarge, error.to_string()),
        TextError::Empty | TextError::Nul => Error::field("message", error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line() {
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(line("firstName", text, 5).ok().as_deref(), expect, "{text:?}");
        };
        check("Ada", Some("Ada"));
        check(" Ada ", Some("Ada"));
        check("  Ada  ", None);
        check("Ada\n", None);
        check("ÄÖÜäö", Some("ÄÖÜäö"));
        check("ÄÖÜäöü", None);
        check("", None);
        check("  ", None);
        check("A\nda", None);
        check("A\0da", None);
        check("A\u{1b}da", None);
        check("A\u{202e}da", None);
        check("\u{200b}\u{3164}", None);
        check("A\u{200d}", Some("A\u{200d}"));
    }

    #[test]
    fn a_limit_is_named() {
        assert_eq!(limit(None), Ok(100));
        assert_eq!(limit(Some(1000)), Ok(1000));
        for wrong in [0, -1, 1001, i64::MAX] {
            assert!(limit(Some(wrong)).is_err_and(|e| e.message().contains("1000")));
        }
    }
}
