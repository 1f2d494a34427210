//! The one layout of scenario files: blanks inside of braces, brackets and lists, after dashes and
//! colons, line ends. The words, comments and lines of whoever wrote the file stay.

use std::sync::Arc;

use super::flow::json;
use crate::source::{Diagnostics, Source};
use crate::yaml::parse;

/// Where a character stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum In {
    Plain,
    Single,
    Double,
}

/// The text of a file as it should be laid out. It says what it said before: a layout that this
/// does not understand is left as it is.
///
/// # Errors
/// When it is not YAML of this format at all.
pub fn tidy(source: &Arc<Source>) -> Result<String, Diagnostics> {
    let before = json(&parse(source)?);
    let tidied = lines(source.text());
    let again = parse(&Source::new(source.name(), tidied.clone()));
    match again {
        Ok(after) if json(&after) == before => Ok(tidied),
        Ok(_) | Err(_) => Ok(source.text().to_owned()),
    }
}

fn lines(text: &str) -> String {
    let mut tidied = String::with_capacity(text.len());
    let mut blank = 0;
    // Indentation of the line that began a block of text, whose lines are nobody's to change.
    let mut block: Option<usize> = None;
    let mut at = In::Plain;
    for line in text.lines() {
        let indent = line.len() - line.trim_start_matches(' ').len();
        if block.is_some_and(|begun| line.trim().is_empty() || indent > begun) {
            tidied.push_str(line);
            tidied.push('\n');
            continue;
        }
        block = None;
        if line.trim().is_empty() && at == In::Plain {
            blank += 1;
            continue;
        }
        if blank > 0 && !tidied.is_empty() {
            tidied.push('\n');
        }
        blank = 0;
        let tidy = match at {
            In::Plain => format!("{}{}", &line[..indent], spaced(&line[indent..], &mut at)),
            // A text in quotes goes on: its blanks are its own.
            In::Single | In::Double => spaced(line, &mut at),
        };
        let code = tidy.trim_end();
        if [": |", ": >", "- |", "- >"]
            .iter()
            .any(|end| code.trim_end_matches(['+', '-']).ends_with(end))
        {
            block = Some(indent);
        }
        tidied.push_str(code);
        tidied.push('\n');
    }
    tidied
}

/// One line with one blank inside of braces, none inside of brackets, and one after a comma and after
/// a colon.
fn spaced(line: &str, at: &mut In) -> String {
    let spaced = String::with_capacity(line.len() + 8);
    let mut line = Line { chars: line.chars().collect(), n: 0, spaced, depth: 0 };
    while let Some(c) = line.chars.get(line.n).copied() {
        match at {
            In::Plain => line.plain(c, at),
            In::Single | In::Double => line.quoted(c, at),
        }
    }
    line.spaced
}

/// A line on its way: what was read of it, and what came of that.
struct Line {
    chars: Vec<char>,
    n: usize,
    spaced: String,
    /// Braces and brackets that are open.
    depth: u32,
}

impl Line {
    fn rest(&self) -> &[char] {
        self.chars.get(self.n + 1..).unwrap_or_default()
    }

    fn push(&mut self, c: char) {
        self.spaced.push(c);
        self.n += 1;
    }

    /// What is read now and the blanks after it are this.
    fn become_text(&mut self, text: &str) {
        self.spaced.push_str(text);
        self.n += 1;
        while self.chars.get(self.n) == Some(&' ') {
            self.n += 1;
        }
    }

    /// No blanks at the end, but for those that a line begins with.
    fn trim(&mut self) {
        let kept = self.spaced.trim_end().len();
        if kept > 0 {
            self.spaced.truncate(kept);
        }
    }

    /// A character of a text in quotes.
    fn quoted(&mut self, c: char, at: &mut In) {
        let next = self.rest().first().copied();
        let pair = match (*at, c) {
            (In::Single, '\'') => next == Some('\''),
            (In::Double, '\\') => true,
            _ => false,
        };
        match (*at, c) {
            _ if pair => {
                self.push(c);
                if let Some(next) = next {
                    self.push(next);
                }
                return;
            }
            (In::Single, '\'') | (In::Double, '"') => *at = In::Plain,
            _ => {}
        }
        self.push(c);
    }

    fn plain(&mut self, c: char, at: &mut In) {
        let after_blank = self.spaced.chars().next_back().is_none_or(|c| c == ' ');
        let begins = starts_a_text(&self.spaced);
        match c {
            // The rest is a comment.
            '#' if after_blank => {
                self.spaced.extend(&self.chars[self.n..]);
                self.n = self.chars.len();
            }
            '\'' | '"' if begins => {
                *at = if c == '"' { In::Double } else { In::Single };
                self.push(c);
            }
            '{' | '[' if self.depth > 0 || begins => {
                self.depth += 1;
                self.become_text(if c == '{' { "{" } else { "[" });
                let next = self.chars.get(self.n);
                if c == '{' && next.is_some_and(|next| *next != '}') {
                    self.spaced.push(' ');
                }
            }
            '}' | ']' if self.depth > 0 => {
                self.depth -= 1;
                self.trim();
                if c == '}' && !self.spaced.ends_with('{') {
                    self.spaced.push(' ');
                }
                self.push(c);
            }
            ',' if self.depth > 0 => {
                self.trim();
                self.become_text(",");
                if self.n < self.chars.len() {
                    self.spaced.push(' ');
                }
            }
            // What stands before a comment is whoever wrote it's to align.
            ':' if self.rest().first() == Some(&' ') && says_more(self.rest()) => {
                self.trim();
                self.become_text(": ");
            }
            '-' if after_blank && begins_a_flow(self.rest()) => self.become_text("- "),
            _ => self.push(c),
        }
    }
}

/// Whether anything but a comment follows on the line.
fn says_more(rest: &[char]) -> bool {
    rest.iter().find(|c| **c != ' ').is_some_and(|c| *c != '#')
}

/// Whether blanks and then a value in braces or brackets follow: a block below would move with them.
fn begins_a_flow(rest: &[char]) -> bool {
    let blanks = rest.iter().take_while(|c| **c == ' ').count();
    blanks > 0 && matches!(rest.get(blanks), Some('{' | '['))
}

/// Whether a value begins here, so that a quote or a brace means something.
fn starts_a_text(before: &str) -> bool {
    let before = before.trim_end_matches(' ');
    before.is_empty() || before.ends_with([':', '-', ',', '{', '['])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expect: &str) {
        let once = tidy(&Source::new("t", text)).unwrap();
        assert_eq!(once, expect);
        assert_eq!(tidy(&Source::new("t", once.as_str())).unwrap(), expect, "twice");
    }

    #[test]
    fn blanks_are_where_they_belong_and_nothing_else_changes() {
        check(
            "a:   {b: 1,c: [ 1,2 , 3 ]}  \r\n\r\n\n\nd: {}\n",
            "a: { b: 1, c: [1, 2, 3] }\n\nd: {}\n",
        );
        check(
            "a: {b: \"{x,y}\", c: 'it''s [ a ]'} # {not,this}\n",
            "a: { b: \"{x,y}\", c: 'it''s [ a ]' } # {not,this}\n",
        );
        check("a: \"${chat}\"\nb: text, with { and [\n", "a: \"${chat}\"\nb: text, with { and [\n");
        check("a: |\n  {x,y}\n\n\n  z:  1\nb: [ 1 ]\n", "a: |\n  {x,y}\n\n\n  z:  1\nb: [1]\n");
        check("a: \"one \\\" {x,\n\n\n  two\"\n", "a: \"one \\\" {x,\n\n\n  two\"\n");
        check("- - {a: 1}\n  - [ {b: 2} ]\n", "- - { a: 1 }\n  - [{ b: 2 }]\n");
    }

    #[test]
    fn one_blank_follows_a_colon_and_a_dash_but_in_texts_and_before_comments() {
        check("name:   zz\n", "name: zz\n");
        check("a :  { b :   1, \"c\" :  2 }\n", "a: { b: 1, \"c\": 2 }\n");
        check("a:   # why\n  b: 1\n", "a:   # why\n  b: 1\n");
        check("a: \"x:   y\"\nb: 'x:   y'\nc: x:y\n", "a: \"x:   y\"\nb: 'x:   y'\nc: x:y\n");
        check("-   { a: 1 }\n-  [ 1 ]\n", "- { a: 1 }\n- [1]\n");
        check("-   a: 1\n    b:  2\n", "-   a: 1\n    b: 2\n");
        check("a: b -  { c\n", "a: b -  { c\n");
        check("url: http://x:80/  \nt: 10:30\n", "url: http://x:80/\nt: 10:30\n");
    }

    /// Every file of the repository that is in this format, as it is.
    fn files() -> Vec<Arc<Source>> {
        let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let folders = ["", "fragments", "../examples", "../examples/targets"];
        let mut files = Vec::new();
        for folder in folders {
            for entry in std::fs::read_dir(here.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|end| end == "yaml") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    files.push(Source::new(path.to_string_lossy(), text));
                }
            }
        }
        assert!(files.len() > 20, "{}", files.len());
        files
    }

    #[test]
    fn the_files_of_the_repository_are_laid_out_like_that() {
        for source in files() {
            assert_eq!(tidy(&source).unwrap(), source.text(), "{}", source.name());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// Blanks where a person may have typed them: whatever they make of the file, the tidy one
        /// says the same, and tidying it once more changes nothing.
        #[test]
        fn tidying_never_changes_what_a_file_says(
            which in any::<prop::sample::Index>(),
            blanks in prop::collection::vec((any::<prop::sample::Index>(), 1_usize..4), 1..12),
        ) {
            let files = files();
            let mut text = which.get(&files).text().to_owned();
            for (place, count) in blanks {
                let places: Vec<usize> = text
                    .char_indices()
                    .filter(|(_, c)| " :{}[],-\n\"#".contains(*c))
                    .map(|(at, c)| at + c.len_utf8())
                    .collect();
                text.insert_str(*place.get(&places), &" ".repeat(count));
            }
            let messy = Source::new("t", text);
            let Ok(before) = parse(&messy) else { return Ok(()) };
            let once = tidy(&messy).unwrap();
            let again = Source::new("t", once.as_str());
            prop_assert_eq!(json(&parse(&again).unwrap()), json(&before));
            prop_assert_eq!(tidy(&again).unwrap(), once);
        }
    }
}
