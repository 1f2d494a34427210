//! TAP 14: a subtest for each suite, a YAML block for what a line has no place for.

use std::fmt::Write as _;

use super::harmless::{block, line};
use super::junit::DIAGRAM_WIDTH;
use super::millis;
use crate::results::{Case, Outcome, Results, Suite};
use crate::terminal::{Style, plain};

const INDENT: &str = "    ";

pub(super) fn write(results: &Results) -> String {
    let mut tap = String::from("TAP version 14\n");
    for (number, suite) in (1..).zip(&results.suites) {
        write_suite(&mut tap, number, suite);
    }
    if results.complete {
        _ = writeln!(tap, "1..{}", results.suites.len());
    } else {
        tap.push_str("Bail out! The run was cut short.\n");
    }
    tap
}

fn write_suite(tap: &mut String, number: usize, suite: &Suite) {
    let name = description(&suite.name);
    _ = writeln!(tap, "# Subtest: {name}");
    for (fact, value) in &suite.facts {
        _ = writeln!(tap, "{INDENT}# {}: {}", line(fact), line(value));
    }
    for (number, case) in (1..).zip(&suite.cases) {
        write_case(tap, number, case);
    }
    _ = writeln!(tap, "{INDENT}1..{}", suite.cases.len());
    if let Some(story) = suite.story.as_ref().filter(|story| !story.is_empty()) {
        // What happened, as remarks: no reader of TAP stumbles over them.
        let drawn = plain(story, Style::new(DIAGRAM_WIDTH, true));
        drawn.lines().for_each(|drawn| _ = writeln!(tap, "{INDENT}# {}", line(drawn)));
    }
    let bad = suite.cases.iter().any(|case| case.outcome.is_bad());
    _ = writeln!(tap, "{} {number} - {name}", if bad { "not ok" } else { "ok" });
}

fn write_case(tap: &mut String, number: usize, case: &Case) {
    let word = if case.outcome.is_bad() { "not ok" } else { "ok" };
    let title = format!("{} {}", case.id, case.title);
    _ = write!(tap, "{INDENT}{word} {number} - {}", description(title.trim_end()));
    if case.outcome == Outcome::Skip {
        let why = case.message.lines().next().unwrap_or_default();
        _ = write!(tap, " # SKIP {}", description(why));
    }
    _ = writeln!(tap, "\n{INDENT}  ---");
    let mut field = |name: &str, value: &str| _ = writeln!(tap, "{INDENT}  {name}: {value}");
    field("outcome", case.outcome.name());
    field("duration_ms", &millis(case.took).to_string());
    for (name, text) in [("message", Some(&case.message)), ("output", case.output.as_ref())] {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            field(name, &quoted(text));
        }
    }
    if let Some(place) = &case.place {
        field("at", &format!("{{ file: {}, line: {} }}", quoted(&place.file), place.line));
    }
    _ = writeln!(tap, "{INDENT}  ...");
}

/// A description in which no `#` begins a directive.
fn description(text: &str) -> String {
    line(text).replace('\\', "\\\\").replace('#', "\\#")
}

/// A YAML scalar: every JSON string is one.
fn quoted(text: &str) -> String {
    serde_json::Value::from(block(text)).to_string()
}
