//! Markdown for people: the counts, then everything that is not as it should be.
//!
//! Messages stand in code spans, where they are no link, no mention and no markup.

use std::fmt::Write as _;

use super::harmless::{block, line};
use super::{mermaid, millis, moment};
use crate::results::{Case, Outcome, Results, Suite};

/// Longest text in bytes: a summary over 1 MiB is dropped whole by the best known CI.
const BYTES_MAX: usize = 900 * 1000;

pub(super) fn write(results: &Results) -> String {
    let mut text = format!("# {}\n\n", plain(&results.title));
    let (tool, started) = (plain(&results.tool), moment(results.started));
    _ = writeln!(text, "{tool}, {started}, {:.1} s\n", results.took.as_secs_f64());
    if !results.complete {
        text.push_str("**The run was cut short: what follows is not everything.**\n\n");
    }
    text.push_str("| suite | cases | pass | non-strict | skip | fail | error |\n");
    text.push_str("|:--|--:|--:|--:|--:|--:|--:|\n");
    for suite in &results.suites {
        _ = write!(text, "| {} | {} |", plain(&suite.name), suite.cases.len());
        for outcome in Outcome::ALL {
            match suite.count(outcome) {
                bad if bad > 0 && outcome.is_bad() => _ = write!(text, " **{bad}** |"),
                count => _ = write!(text, " {count} |"),
            }
        }
        text.push('\n');
    }
    for suite in &results.suites {
        if !write_suite(&mut text, suite) {
            text.push_str("\nThere is more than fits here.\n");
            break;
        }
    }
    text
}

/// Everything of a suite that did not simply pass; answers whether all of it found room.
fn write_suite(text: &mut String, suite: &Suite) -> bool {
    let mut sections = vec![format!("\n## {}\n", plain(&suite.name))];
    if !suite.facts.is_empty() {
        sections.push("\n".to_owned());
    }
    let facts = suite.facts.iter();
    sections.extend(facts.map(|(name, value)| format!("- {}: {}\n", plain(name), span(value))));
    for (outcome, heading) in [
        (Outcome::Error, "Could not be tried"),
        (Outcome::Fail, "Failed"),
        (Outcome::NonStrict, "Not strict"),
        (Outcome::Skip, "Skipped"),
    ] {
        let mut cases = suite.cases.iter().filter(|case| case.outcome == outcome).peekable();
        if cases.peek().is_some() {
            sections.push(format!("\n**{heading}**\n\n"));
            sections.extend(cases.map(item));
        }
    }
    let bad = suite.cases.iter().any(|case| case.outcome.is_bad());
    if let Some(story) = suite.story.as_ref().filter(|story| bad && !story.is_empty()) {
        sections.push(format!("\n```mermaid\n{}```\n", mermaid(story)));
    }
    for section in sections {
        if text.len() + section.len() > BYTES_MAX {
            return false;
        }
        text.push_str(&section);
    }
    true
}

fn item(case: &Case) -> String {
    let mut item = format!("- {}", span(&case.id));
    if !case.title.is_empty() {
        _ = write!(item, " {}", plain(&case.title));
    }
    if let Some(place) = &case.place {
        let column = if place.column > 0 { format!(":{}", place.column) } else { String::new() };
        _ = write!(item, ", {}", span(&format!("{}:{}{column}", place.file, place.line)));
    }
    _ = write!(item, ", {} ms", millis(case.took));
    match case.message.trim() {
        "" => {}
        message if !message.contains('\n') => _ = write!(item, ": {}", span(message)),
        message => return item + "\n\n" + &fenced(message) + "\n",
    }
    item + "\n"
}

/// Text in which nothing is markup, in a cell of a table or out of it.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in line(text).chars() {
        if "\\`*_[]<>#|~&".contains(c) {
            plain.push('\\');
        }
        plain.push(c);
    }
    plain
}

/// Lines as they are, inside of an item: their fence is longer than any run of backticks inside.
fn fenced(text: &str) -> String {
    let text = block(text);
    let fence = "`".repeat(backticks(&text).max(2) + 1);
    let mut fenced = format!("  {fence}text\n");
    text.lines().for_each(|line| _ = writeln!(fenced, "  {line}"));
    fenced + "  " + &fence + "\n"
}

/// The longest run of them.
fn backticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// A code span: its fence is longer than any run of backticks inside.
fn span(text: &str) -> String {
    let text = line(text.trim());
    if text.is_empty() {
        return String::new();
    }
    let fence = "`".repeat(backticks(&text) + 1);
    // A blank on both sides is no part of the span, and parts it from backticks of its own.
    let blank = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{blank}{text}{blank}{fence}")
}
