//! How wide text is, and how it is cut and wrapped: the one place that measures.
//!
//! Counted in columns of a terminal and cut between graphemes, never inside one: never bytes, never
//! characters (complaint 14 of TUI.md). The width of a grapheme is the drawing library's own, so that
//! what is measured is what is drawn.

use ratatui::buffer::CellWidth as _;
use trialogue_client::sanitize;
use unicode_segmentation::UnicodeSegmentation as _;

/// Longest text of one message that is kept, in bytes: four times what our own server takes.
/// A foreign server must not fill the memory with one line.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Longest name or title that is kept, in bytes.
pub const LINE_BYTES_MAX: usize = 1024;
/// What a tab becomes: a terminal's own stops would break the columns.
const TAB: &str = "    ";

/// Columns that `text` takes; it holds no line break.
pub fn width(text: &str) -> usize {
    if text.is_ascii() {
        return text.bytes().filter(|b| !b.is_ascii_control()).count();
    }
    text.graphemes(true).map(columns).sum()
}

fn columns(grapheme: &str) -> usize {
    if grapheme.contains(char::is_control) { 0 } else { usize::from(grapheme.cell_width()) }
}

/// The beginning of `text` that fits into `most` columns, in bytes, and its columns.
fn head(text: &str, most: usize) -> (usize, usize) {
    let (mut end, mut taken) = (0, 0);
    for (at, grapheme) in text.grapheme_indices(true) {
        let next = taken + columns(grapheme);
        if next > most {
            break;
        }
        (end, taken) = (at + grapheme.len(), next);
    }
    (end, taken)
}

/// `text` cut to at most `most` columns; what is cut is replaced by `mark`, where that fits.
pub fn cut(text: &str, most: usize, mark: &str) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let room = most.saturating_sub(width(mark));
    let (end, _) = head(text, room);
    let mark = if width(mark) <= most { mark } else { "" };
    format!("{}{mark}", &text[..end])
}

/// The same, then filled with spaces to exactly `columns`.
pub fn fit(text: &str, columns: usize, mark: &str) -> String {
    let mut fitted = cut(text, columns, mark);
    let blank = columns.saturating_sub(width(&fitted));
    fitted.extend(std::iter::repeat_n(' ', blank));
    fitted
}

/// Lines of at most `most` columns (a single wider grapheme stands alone), as byte ranges. Words
/// stay whole where they can; the space or newline at a break belongs to no line.
pub fn wrap(text: &str, most: usize) -> Vec<std::ops::Range<usize>> {
    let most = most.max(1);
    let mut lines = Vec::new();
    let mut from = 0;
    for paragraph in text.split('\n') {
        wrap_paragraph(paragraph, from, most, &mut lines);
        from += paragraph.len() + 1;
    }
    lines
}

fn wrap_paragraph(text: &str, offset: usize, most: usize, lines: &mut Vec<std::ops::Range<usize>>) {
    if text.len() <= most && text.is_ascii() {
        lines.push(offset..offset + text.len());
        return;
    }
    let (mut start, mut taken) = (0, 0);
    // The last space on this line, and the columns up to and with it.
    let mut space: Option<(usize, usize)> = None;
    'graphemes: for (at, grapheme) in text.grapheme_indices(true) {
        let wide = columns(grapheme);
        // Twice at most: what follows a space may fill a line alone.
        while taken + wide > most && at > start {
            if grapheme == " " {
                lines.push(offset + start..offset + at);
                (start, taken, space) = (at + 1, 0, None);
                continue 'graphemes;
            }
            match space.take() {
                Some((end, before)) => {
                    lines.push(offset + start..offset + end);
                    start = end + 1;
                    taken -= before;
                }
                None => {
                    lines.push(offset + start..offset + at);
                    (start, taken) = (at, 0);
                }
            }
        }
        taken += wide;
        if grapheme == " " {
            space = Some((at, taken));
        }
    }
    lines.push(offset + start..offset + text.len());
}

/// A name or title from elsewhere as one harmless line.
pub fn line(raw: &str) -> String {
    sanitize::line(bounded(raw, LINE_BYTES_MAX)).into_owned()
}

/// A message from elsewhere as harmless text of several lines.
pub fn block(raw: &str) -> String {
    let clean = sanitize::text(bounded(raw, TEXT_BYTES_MAX));
    if clean.contains('\t') { clean.replace('\t', TAB) } else { clean.into_owned() }
}

/// What the user typed or pasted: line breaks of every system become one, tabs become spaces, and
/// what could steer the terminal is dropped.
pub fn typed(raw: &str) -> String {
    let raw = raw.replace("\r\n", "\n").replace('\r', "\n").replace('\t', TAB);
    raw.chars().filter(|c| *c == '\n' || !sanitize::is_hazard(*c)).collect()
}

fn bounded(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// The first word of a name: `Amna` of `Amna Khan`.
pub fn first_name(name: &str) -> &str {
    name.split_whitespace().next().unwrap_or(name)
}

/// Whether the letters of `needle` come in this order in `text`, without regard to case; and how
/// far apart they are: less is better.
pub fn fuzzy(text: &str, needle: &str) -> Option<usize> {
    let text = text.to_lowercase();
    let needle = needle.to_lowercase();
    if let Some(at) = text.find(&needle) {
        return Some(at);
    }
    let mut rest = text.chars().enumerate();
    let mut first = None;
    let mut last = 0;
    for wanted in needle.chars() {
        let (at, _) = rest.find(|(_, c)| *c == wanted)?;
        first.get_or_insert(at);
        last = at;
    }
    // Anything in a row is better than anything spread.
    Some(text.len() + last - first.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(text: &str, most: usize) -> Vec<&str> {
        wrap(text, most).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn words_stay_whole_where_they_can() {
        let check = |text: &str, most, expect: &[&str]| assert_eq!(lines(text, most), expect);
        check("", 5, &[""]);
        check("one two", 7, &["one two"]);
        check("one two", 6, &["one", "two"]);
        check("one two three", 7, &["one two", "three"]);
        check("abcdefgh ij", 4, &["abcd", "efgh", "ij"]);
        check("a\n\nb", 4, &["a", "", "b"]);
        check("日本語です", 4, &["日本", "語で", "す"]);
        check("👨‍👩‍👧👨‍👩‍👧", 2, &["👨‍👩‍👧", "👨‍👩‍👧"]);
        check("界", 1, &["界"]);
    }

    #[test]
    fn what_is_cut_says_so() {
        let check = |text, most, expect: &str| assert_eq!(fit(text, most, "…"), expect);
        check("Kitchen sink leak", 14, "Kitchen sink …");
        check("short", 7, "short  ");
        check("日本語", 5, "日本…");
        check("日本語", 4, "日… ");
        check("x", 0, "");
    }

    #[test]
    fn letters_in_order_are_found_and_close_ones_first() {
        assert!(fuzzy("Kitchen sink leak", "ksl").is_some());
        assert!(fuzzy("Kitchen sink leak", "lks").is_none());
        assert!(fuzzy("Kitchen sink leak", "SINK") < fuzzy("some kind of ink", "sink"));
    }

    proptest! {
        #[test]
        fn what_is_fitted_is_exactly_as_wide_as_asked(text in "\\PC*", columns in 0usize..60) {
            let fitted = fit(&line(&text), columns, "…");
            prop_assert_eq!(width(&fitted), columns);
        }

        #[test]
        fn wrapped_lines_fit_and_lose_nothing_but_the_breaks(
            text in "[ a-z日👍é\n]{0,120}",
            most in 2usize..20,
        ) {
            let ranges = wrap(&text, most);
            for range in &ranges {
                prop_assert!(width(&text[range.clone()]) <= most, "{:?}", &text[range.clone()]);
            }
            let kept: String = ranges.iter().map(|r| &text[r.clone()]).collect();
            let bare = |s: &str| s.replace([' ', '\n'], "");
            prop_assert_eq!(bare(&kept), bare(&text));
        }
    }
}
