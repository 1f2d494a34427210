//! A scenario file as text, places in it, and what is wrong at a place.

use std::fmt;
use std::sync::Arc;

use trialogue_client::sanitize::is_hazard;

/// A place in a file: bytes from `start` up to, and without, `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// Byte after the last one.
    pub end: usize,
}

/// A file and its name.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    name: String,
    text: String,
}

impl Source {
    /// `name` is what messages call the file.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), text: text.into() })
    }

    /// What messages call the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Line and column of a byte, both from 1, the column in characters.
    pub fn line_column(&self, at: usize) -> (usize, usize) {
        let before = self.before(at);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }

    /// `file:line:column` of a place, as editors and CI understand it.
    pub fn place(&self, span: Span) -> String {
        let (line, column) = self.line_column(span.start);
        format!("{}:{line}:{column}", self.name)
    }

    /// The line of a place with a caret under it; no line end after the last line.
    pub fn excerpt(&self, span: Span) -> String {
        let (number, column) = self.line_column(span.start);
        let line = self.text.lines().nth(number - 1).unwrap_or_default();
        let marked = self.text.get(span.start..span.end).unwrap_or_default();
        let marked = marked.lines().next().unwrap_or_default().chars().count();
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
        let mut at = at.min(self.text.len());
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
}
