//! GitHub annotations: workflow commands that put what is wrong beside its line of code.

use std::fmt::Write as _;

use super::harmless::line;
use crate::results::{Case, Outcome, Results, Suite};

/// A step shows ten errors and drops the rest in silence: nine, and one that counts the rest.
const SHOWN_MAX: usize = 9;

pub(super) fn write(results: &Results) -> String {
    let mut text = String::new();
    let bad: Vec<(&Suite, &Case)> = cases(results, |outcome| outcome.is_bad());
    // What could not be tried is worse than what is wrong.
    let (errors, failures): (Vec<_>, Vec<_>) =
        bad.iter().partition(|(_, case)| case.outcome == Outcome::Error);
    for (suite, case) in errors.into_iter().chain(failures).take(SHOWN_MAX) {
        command(&mut text, "error", suite, case);
    }
    if let Some(more) = bad.len().checked_sub(SHOWN_MAX).filter(|more| *more > 0) {
        _ = writeln!(text, "::error title=and {more} more::the report has all of them");
    }
    let skipped = cases(results, |outcome| outcome == Outcome::Skip);
    if !skipped.is_empty() {
        let names: Vec<String> =
            skipped.iter().take(SHOWN_MAX).map(|(suite, case)| name(suite, case)).collect();
        let count = skipped.len();
        let names = data(&names.join(", "));
        _ = writeln!(text, "::warning title={count} not tried::{names}");
    }
    if !results.complete {
        text.push_str("::warning title=cut short::the run was cut short: this is not everything\n");
    }
    text
}

fn cases(results: &Results, wanted: impl Fn(Outcome) -> bool) -> Vec<(&Suite, &Case)> {
    let all = results.suites.iter();
    let all = all.flat_map(|suite| suite.cases.iter().map(move |case| (suite, case)));
    all.filter(|(_, case)| wanted(case.outcome)).collect()
}

fn name(suite: &Suite, case: &Case) -> String {
    format!("{}: {}", suite.name, case.id)
}

fn command(text: &mut String, word: &str, suite: &Suite, case: &Case) {
    _ = write!(text, "::{word} title={}", property(&name(suite, case)));
    if let Some(place) = &case.place {
        _ = write!(text, ",file={},line={}", property(&place.file), place.line);
        if place.column > 0 {
            _ = write!(text, ",col={}", place.column);
        }
    }
    let mut message = case.title.clone();
    if !case.message.is_empty() {
        _ = write!(message, "\n{}", case.message);
    }
    _ = writeln!(text, "::{}", data(message.trim()));
}

/// Newlines are spelled; nothing else of a text can end a command.
fn data(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|part| line(part).replace('%', "%25")).collect();
    lines.join("%0A")
}

fn property(text: &str) -> String {
    line(text).replace('%', "%25").replace(':', "%3A").replace(',', "%2C")
}
