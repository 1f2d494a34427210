//! Foreign text to text that no reader of a file stumbles over.
//!
//! What steers a terminal, reorders text, hides in it or may not stand in XML is written as
//! `\u{1b}`: it can be seen and traced back, and nothing is left out in silence.

use std::borrow::Cow;

/// Longest text of one place, in characters: a failure may quote a whole answer.
const CHARS_MAX: usize = 16 * 1024;

/// Text of one line.
pub(super) fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false)
}

/// Text of several lines: newlines and tabs stay.
pub(super) fn block(text: &str) -> Cow<'_, str> {
    escaped(text, |c| matches!(c, '\n' | '\t'))
}

/// Text of a page or a picture: one line in which nothing is markup.
pub(super) fn html(text: &str) -> String {
    markup(&line(text))
}

/// The same for several lines.
pub(super) fn html_block(text: &str) -> String {
    markup(&block(text))
}

fn markup(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

fn escaped(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    let cut = text.char_indices().nth(CHARS_MAX);
    if cut.is_none() && !text.chars().any(|c| is_harmful(c) && !stays(c)) {
        return Cow::Borrowed(text);
    }
    let mut harmless = String::with_capacity(text.len() + 16);
    for c in text.chars().take(CHARS_MAX) {
        match c {
            c if !is_harmful(c) || stays(c) => harmless.push(c),
            '\n' => harmless.push_str("\\n"),
            '\r' => harmless.push_str("\\r"),
            '\t' => harmless.push_str("\\t"),
            c => harmless.extend(c.escape_unicode()),
        }
    }
    if let Some((at, _)) = cut {
        harmless.push_str(&format!("… ({} bytes more)", text.len() - at));
    }
    Cow::Owned(harmless)
}

/// Controls, everything bidirectional, separators of lines, what has no width, tags, and what XML
/// 1.0 knows no character for.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}'
            | '\u{feff}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}')
}
