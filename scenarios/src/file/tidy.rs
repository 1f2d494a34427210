//! The one layout of scenario files: blanks inside of braces, brackets and lists, line ends. The
//! words, comments and lines of whoever wrote the file stay.

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

/// One line with one blank inside of braces, none inside of brackets, and one after a comma.
fn spaced(line: &str, at: &mut In) -> String {
    let mut spaced = String::with_capacity(line.len() + 8);
    let mut depth = 0_u32;
    let chars: Vec<char> = line.chars().collect();
    let mut n = 0;
    while n < chars.len() {
        let c = chars[n];
        let next = chars.get(n + 1).copied();
        let after_blank = spaced.chars().next_back().is_none_or(|c| c == ' ');
        match (*at, c) {
            (In::Single, '\'') if next == Some('\'') => {
                spaced.push_str("''");
                n += 2;
                continue;
            }
            (In::Single, '\'') | (In::Double, '"') => *at = In::Plain,
            (In::Double, '\\') => {
                spaced.push(c);
                spaced.extend(next);
                n += 2;
                continue;
            }
            (In::Single | In::Double, _) => {}
            // The rest is a comment.
            (In::Plain, '#') if after_blank => {
                spaced.extend(&chars[n..]);
                return spaced;
            }
            (In::Plain, '\'' | '"') if starts_a_text(&spaced) => {
                *at = if c == '"' { In::Double } else { In::Single };
            }
            (In::Plain, '{' | '[') if depth > 0 || starts_a_text(&spaced) => {
                depth += 1;
                spaced.push(c);
                n += 1;
                while chars.get(n) == Some(&' ') {
                    n += 1;
                }
                let empty = chars.get(n) == Some(&closing(c));
                if c == '{' && !empty && n < chars.len() {
                    spaced.push(' ');
                }
                continue;
            }
            (In::Plain, '}' | ']') if depth > 0 => {
                depth -= 1;
                let kept = spaced.trim_end().len();
                spaced.truncate(kept);
                if c == '}' && !spaced.ends_with('{') {
                    spaced.push(' ');
                }
            }
            (In::Plain, ',') if depth > 0 => {
                let kept = spaced.trim_end().len();
                spaced.truncate(kept);
                spaced.push(',');
                n += 1;
                while chars.get(n) == Some(&' ') {
                    n += 1;
                }
                if n < chars.len() {
                    spaced.push(' ');
                }
                continue;
            }
            (In::Plain, _) => {}
        }
        spaced.push(c);
        n += 1;
    }
    spaced
}

fn closing(opening: char) -> char {
    if opening == '{' { '}' } else { ']' }
}

/// Whether a value begins here, so that a quote or a brace means something.
fn starts_a_text(before: &str) -> bool {
    let before = before.trim_end_matches(' ');
    before.is_empty() || before.ends_with([':', '-', ',', '{', '['])
}

#[cfg(test)]
mod tests {
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
            "a:   { b: 1, c: [1, 2, 3] }\n\nd: {}\n",
        );
        check(
            "a: {b: \"{x,y}\", c: 'it''s [ a ]'} # {not,this}\n",
            "a: { b: \"{x,y}\", c: 'it''s [ a ]' } # {not,this}\n",
        );
        check("a: \"${chat}\"\nb: text, with { and [\n", "a: \"${chat}\"\nb: text, with { and [\n");
        check("a: |\n  {x,y}\n\n\n  z  \nb: [ 1 ]\n", "a: |\n  {x,y}\n\n\n  z  \nb: [1]\n");
        check("a: \"one \\\" {x,\n\n\n  two\"\n", "a: \"one \\\" {x,\n\n\n  two\"\n");
        check("- - {a: 1}\n  - [ {b: 2} ]\n", "- - { a: 1 }\n  - [{ b: 2 }]\n");
    }

    #[test]
    fn the_bundled_scenarios_are_laid_out_like_that() {
        for name in crate::bundled_names() {
            let source = crate::bundled(name).unwrap();
            assert_eq!(tidy(&source).unwrap(), source.text(), "{name}");
        }
    }
}
