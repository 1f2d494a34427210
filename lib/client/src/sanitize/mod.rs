//! Hostile text to harmless text: the one gate between what a person typed elsewhere and a
//! terminal (RELIABILITY §3.8).
//!
//! Names, titles, messages, notifications and the server's own sentences all pass here before a
//! face shows them. What could steer a terminal, reorder its text or hide in it becomes visible;
//! nothing that people write in their languages changes. A text that passed once passes
//! unchanged again, and grows at most threefold.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

/// Marks that one character may carry. Living languages need three; a thousand of them paint over
/// the lines above.
const MARKS_MAX: usize = 8;

/// Text of several lines: newlines and tabs stay.
///
/// A face must indent every line but the first, or a message could forge the next one's sender.
pub fn text(raw: &str) -> Cow<'_, str> {
    harmless(raw, |c| match c {
        '\n' | '\t' => Fate::Kept,
        other => fate(other),
    })
}

/// Text of one line, such as a name: a newline becomes `␊`, a tab a space.
pub fn line(raw: &str) -> Cow<'_, str> {
    harmless(raw, |c| match c {
        '\t' => Fate::Shown(' '),
        other => fate(other),
    })
}

/// Whether a character steers a terminal, reorders text or carries invisible text: C0, DEL, C1,
/// bidirectional controls, line and paragraph separators, byte order mark, tags.
pub fn is_hazard(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f'
        | '\u{7f}'..='\u{9f}'
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        | '\u{2028}' | '\u{2029}'
        | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}')
}

/// What happens to a character.
enum Fate {
    Kept,
    Shown(char),
    Dropped,
}

fn fate(c: char) -> Fate {
    match c {
        // Control pictures: the reader sees what was meant to be invisible.
        '\0'..='\x1f' => Fate::Shown(char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}')),
        '\u{7f}' => Fate::Shown('\u{2421}'),
        hazard if is_hazard(hazard) => Fate::Shown('\u{fffd}'),
        // Zero width space and word joiner only split words that look whole. The joiners that
        // languages and emoji need (U+200C, U+200D) stay.
        '\u{200b}' | '\u{2060}' => Fate::Dropped,
        _ => Fate::Kept,
    }
}

fn harmless(raw: &str, fate: impl Fn(char) -> Fate) -> Cow<'_, str> {
    let mut marks = 0;
    let mut cleaned: Option<String> = None;
    for (at, c) in raw.char_indices() {
        marks = if c.width() == Some(0) { marks + 1 } else { 0 };
        let fate = if marks > MARKS_MAX { Fate::Dropped } else { fate(c) };
        if matches!(fate, Fate::Dropped) {
            // What is dropped here is not there when the text passes again.
            marks -= 1;
        }
        match (&mut cleaned, fate) {
            (None, Fate::Kept) => {}
            (Some(cleaned), Fate::Kept) => cleaned.push(c),
            (cleaned, Fate::Shown(shown)) => {
                cleaned.get_or_insert_with(|| raw[..at].to_owned()).push(shown);
                marks = 0;
            }
            (cleaned, Fate::Dropped) => {
                cleaned.get_or_insert_with(|| raw[..at].to_owned());
            }
        }
    }
    cleaned.map_or(Cow::Borrowed(raw), Cow::Owned)
}

#[cfg(test)]
mod tests;
