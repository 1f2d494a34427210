//! A scenario file as text, places in it, and what is wrong at a place.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use trialogue_client::sanitize::is_hazard;

/// A place in a file: bytes from `start` up to, and without, `end`. Places in fragments that the
/// file uses come after its own end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// Byte after the last one.
    pub end: usize,
}

/// A file and its name, with the fragments that it uses.
#[derive(Debug)]
pub struct Source {
    own: Part,
    is_bundled: bool,
    fragments: Mutex<Vec<Part>>,
}

/// A text with a name and the number of its first byte.
#[derive(Debug, Clone)]
struct Part {
    name: Arc<str>,
    text: Arc<str>,
    start: usize,
}

/// The text that a file's bytes are.
///
/// # Errors
/// `LINE:COLUMN: it is not UTF-8 …` names the first byte that is none, columns counted in characters.
pub fn utf8_of(bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let (before, rest) = error.as_bytes().split_at(at);
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let tail = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let column = 1 + String::from_utf8_lossy(tail).chars().count();
        let byte = rest.first().copied().unwrap_or_default();
        let hint = match before.is_empty() && matches!(byte, 0xfe | 0xff) {
            true => " (UTF-16?)",
            false => "",
        };
        format!("{line}:{column}: it is not UTF-8: byte 0x{byte:02x} at offset {at}{hint}")
    })
}

impl Source {
    /// `name` is what messages call the file.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Arc<Self> {
        Self::of(name.into(), text.into(), false)
    }

    /// One that is part of the program.
    pub(crate) fn bundled(name: &str, text: &str) -> Arc<Self> {
        Self::of(name.into(), text.into(), true)
    }

    fn of(name: Arc<str>, text: Arc<str>, is_bundled: bool) -> Arc<Self> {
        let own = Part { name, text, start: 0 };
        Arc::new(Self { own, is_bundled, fragments: Mutex::default() })
    }

    /// Whether it is part of the program, and so nowhere in the file system.
    pub fn is_bundled(&self) -> bool {
        self.is_bundled
    }

    /// What messages call the file.
    pub fn name(&self) -> &str {
        &self.own.name
    }

    /// The whole text, without fragments.
    pub fn text(&self) -> &str {
        &self.own.text
    }

    /// Adds a fragment. Answers the number of its first byte: a place in it is that much further.
    pub(crate) fn include(&self, name: &str, text: &str) -> usize {
        let mut fragments = self.lock();
        // Used twice it is one text, and a mistake in it one mistake.
        if let Some(known) = fragments.iter().find(|part| *part.name == *name) {
            return known.start;
        }
        let last = fragments.last().unwrap_or(&self.own);
        // One byte apart: the end of one text is not the beginning of the next.
        let start = last.start + last.text.len() + 1;
        fragments.push(Part { name: name.into(), text: text.into(), start });
        start
    }

    /// Never held over anything but a look.
    fn lock(&self) -> MutexGuard<'_, Vec<Part>> {
        self.fragments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn part(&self, at: usize) -> Part {
        let fragments = self.lock();
        fragments.iter().rev().find(|part| part.start <= at).unwrap_or(&self.own).clone()
    }

    /// Line and column of a byte, both from 1, the column in characters.
    pub fn line_column(&self, at: usize) -> (usize, usize) {
        self.part(at).line_column(at)
    }

    /// `file:line:column` of a place, as editors and CI understand it.
    pub fn place(&self, span: Span) -> String {
        let part = self.part(span.start);
        let (line, column) = part.line_column(span.start);
        format!("{}:{line}:{column}", part.name)
    }

    /// What stands at a place.
    pub(crate) fn slice(&self, span: Span) -> String {
        self.part(span.start).slice(span).to_owned()
    }

    /// The same place without what stands on its further lines.
    pub fn first_line(&self, span: Span) -> Span {
        let part = self.part(span.start);
        let text = part.slice(span);
        let end = text.find('\n').map_or(span.end, |len| span.start + len);
        Span { start: span.start, end }
    }

    /// The line of a place with a caret under it; no line end after the last line.
    pub fn excerpt(&self, span: Span) -> String {
        self.part(span.start).excerpt(span)
    }
}

impl Part {
    fn slice(&self, span: Span) -> &str {
        let of = |at: usize| at.saturating_sub(self.start);
        self.text.get(of(span.start)..of(span.end)).unwrap_or_default()
    }

    fn line_column(&self, at: usize) -> (usize, usize) {
        let before = self.before(at);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }

    fn excerpt(&self, span: Span) -> String {
        let (number, column) = self.line_column(span.start);
        let line = self.text.lines().nth(number - 1).unwrap_or_default();
        let marked = self.slice(span).lines().next().unwrap_or_default().chars().count();
        let room = line.chars().count().saturating_sub(column - 1);
        let carets = "^".repeat(marked.clamp(1, room.max(1)));
        // Tabs keep their width only when the line below has them too.
        let indent: String =
            line.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let line: String =
            line.chars().map(|c| if is_hazard(c) && c != '\t' { '?' } else { c }).collect();
        let gutter = number.to_string();
        format!("{gutter:>5} | {line}\n{blank:>5} | {indent}{carets}", blank = "")
    }

    fn before(&self, at: usize) -> &str {
        let mut at = at.saturating_sub(self.start).min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        &self.text[..at]
    }
}

/// Something wrong in a file, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where.
    pub span: Span,
    /// What, as a sentence: lower case, no final stop.
    pub message: String,
}

/// Everything that is wrong in one file: all of it at once, in the order of the file.
#[derive(Debug, Clone)]
pub struct Diagnostics {
    source: Arc<Source>,
    found: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Nothing wrong so far.
    pub fn new(source: Arc<Source>) -> Self {
        Self { source, found: Vec::new() }
    }

    /// Adds something that is wrong.
    pub fn error(&mut self, span: Span, message: impl Into<String>) {
        self.found.push(Diagnostic { span, message: message.into() });
    }

    /// What was found, in the order of the file.
    pub fn found(&self) -> &[Diagnostic] {
        &self.found
    }

    /// The file.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// `Err` when anything is wrong.
    pub fn verdict(mut self) -> Result<(), Self> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort_by_key(|diagnostic| diagnostic.span);
        self.found.dedup();
        Err(self)
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, found) in self.found.iter().enumerate() {
            if n > 0 {
                writeln!(f)?;
            }
            writeln!(f, "{}: error: {}", self.source.place(found.span), found.message)?;
            write!(f, "{}", self.source.excerpt(found.span))?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// The candidate that `word` was most likely meant to be, when there is one near enough: at most
/// a third of its characters away.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = word.chars().count().max(3) / 3;
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `; did you mean ...?`, or nothing.
pub(crate) fn hint<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// Edits that turn one word into the other: insert, delete, replace, swap of neighbours.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replace = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_word() {
        let check = |word, expect| {
            assert_eq!(nearest(word, ["receive", "never", "send", "state"]), expect, "{word}");
        };
        check("recieve", Some("receive"));
        check("sned", Some("send"));
        check("recv", None);
        check("xyz", None);
        check("stat", Some("state"));
    }

    #[test]
    fn a_caret_stands_under_its_place() {
        let source = Source::new("a.yaml", "one\n\tzwei: drei\n");
        let span = Span { start: 5, end: 9 };
        assert_eq!(source.place(span), "a.yaml:2:2");
        assert_eq!(source.excerpt(span), "    2 | \tzwei: drei\n      | \t^^^^");
        let end = Span { start: 16, end: 16 };
        assert_eq!(source.excerpt(end), "    3 | \n      | ^");
    }

    #[test]
    fn a_place_in_a_fragment_is_told_with_its_own_file() {
        let source = Source::new("a.yaml", "one\n");
        let first = source.include("f.yaml", "two\ndrei: vier\n");
        let second = source.include("g.yaml", "five");
        let span = Span { start: first + 4, end: first + 14 };
        assert_eq!(source.place(span), "f.yaml:2:1");
        assert_eq!(source.excerpt(span), "    2 | drei: vier\n      | ^^^^^^^^^^");
        assert_eq!(source.place(Span { start: second, end: second }), "g.yaml:1:1");
        assert_eq!(source.place(Span { start: 4, end: 4 }), "a.yaml:2:1", "its own end");
    }
}
