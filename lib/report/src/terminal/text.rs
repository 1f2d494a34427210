//! Measuring, cleaning and breaking text for cells of a terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::Style;

/// Makes `text` harmless and showable: no control characters, none that change the direction of
/// writing, and ASCII only where the terminal asks for it.
pub(super) fn clean(text: &str, style: Style) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => cleaned.push(' '),
            c if c.is_ascii() && !c.is_ascii_control() => cleaned.push(c),
            c if c.is_control() => cleaned.push('?'),
            // Zero width: joiners, marks, and the characters that turn text around.
            c if c.width().unwrap_or(0) == 0 => {}
            c if style.unicode() => cleaned.push(c),
            '…' => cleaned.push_str("..."),
            '→' => cleaned.push_str("->"),
            '–' | '—' => cleaned.push('-'),
            '·' => cleaned.push('.'),
            _ => cleaned.push('?'),
        }
    }
    cleaned
}

/// Columns that cleaned text takes.
pub(super) fn columns(text: &str) -> usize {
    text.width()
}

/// Breaks cleaned text into at most `lines_max` lines of at most `width` columns, at blanks where
/// it can; what does not fit ends in an ellipsis.
pub(super) fn wrap(text: &str, width: usize, lines_max: usize, style: Style) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut rest = word;
        while !rest.is_empty() {
            let last = lines.last_mut().map_or(0, |line| columns(line));
            let blank = usize::from(last > 0);
            if last + blank + columns(rest) <= width {
                push(&mut lines, blank, rest);
                break;
            }
            if last > 0 {
                lines.push(String::new());
                continue;
            }
            // A word longer than a line is cut where the line ends.
            let (head, tail) = cut(rest, width);
            push(&mut lines, 0, head);
            lines.push(String::new());
            rest = tail;
        }
    }
    lines.retain(|line| !line.is_empty());
    if lines.len() > lines_max {
        lines.truncate(lines_max);
        if let Some(last) = lines.last_mut() {
            let more = if style.unicode() { "…" } else { "..." };
            let (head, _) = cut(last, width.saturating_sub(columns(more)));
            *last = format!("{}{more}", head.trim_end());
        }
    }
    lines
}

fn push(lines: &mut [String], blank: usize, word: &str) {
    if let Some(line) = lines.last_mut() {
        line.extend(std::iter::repeat_n(' ', blank));
        line.push_str(word);
    }
}

/// The longest head of `text` within `width` columns, but never nothing, and the rest.
fn cut(text: &str, width: usize) -> (&str, &str) {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > width && at > 0 {
            return text.split_at(at);
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, width: usize, lines_max: usize, expect: &[&str]) {
        assert_eq!(wrap(text, width, lines_max, Style::new(80, false)), expect);
    }

    #[test]
    fn text_breaks_at_blanks_and_then_anywhere() {
        check("", 10, 3, &[]);
        check("one two three", 20, 3, &["one two three"]);
        check("one two three", 7, 3, &["one two", "three"]);
        check("notification:created", 8, 3, &["notifica", "tion:cre", "ated"]);
        check("a notification:created", 8, 3, &["a", "notifica", "tion:..."]);
        check("one two three four", 9, 1, &["one tw..."]);
        check("水水水水", 4, 3, &["水水", "水水"]);
    }

    #[test]
    fn hostile_text_becomes_harmless() {
        let ascii = Style::new(80, false);
        let unicode = Style::new(80, true);
        assert_eq!(clean("a\x1b[31mb\u{9b}c\u{202e}d\ne", unicode), "a?[31mb?cd e");
        assert_eq!(clean("née → 🦀…", unicode), "née → 🦀…");
        assert_eq!(clean("née → 🦀…", ascii), "n?e -> ?...");
    }
}
