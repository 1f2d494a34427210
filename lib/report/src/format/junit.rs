//! JUnit XML as CI systems read it.

use chrono::{DateTime, Utc};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::FormatError;
use super::harmless::{block, line};
use crate::results::{Case, Outcome, Results, Suite};
use crate::terminal::{Style, plain};

/// Columns of a diagram in a file.
pub(super) const DIAGRAM_WIDTH: usize = 100;

pub(super) fn write(results: &Results) -> Result<String, FormatError> {
    let mut report = Report::new(line(&results.title));
    report.set_timestamp(DateTime::<Utc>::from(results.started)).set_time(results.took);
    report.add_test_suites(results.suites.iter().map(|of| suite(results, of)));
    Ok(report.to_string()? + "\n")
}

fn suite(results: &Results, of: &Suite) -> TestSuite {
    let mut suite = TestSuite::new(line(&of.name));
    let began = results.started + of.began.unwrap_or_default();
    suite.set_timestamp(DateTime::<Utc>::from(began)).set_time(of.took());
    suite.add_property(("tool", &*line(&results.tool)));
    suite.add_property(("complete", if results.complete { "true" } else { "false" }));
    for (name, value) in &of.facts {
        suite.add_property((&*line(name), &*line(value)));
    }
    if let Some(story) = of.story.as_ref().filter(|story| !story.is_empty()) {
        suite.set_system_out(block(&plain(story, Style::new(DIAGRAM_WIDTH, true))));
    }
    suite.add_test_cases(of.cases.iter().map(|of_case| case(&of.name, of_case)));
    suite
}

fn status(of: &Case) -> TestCaseStatus {
    let mut status = match of.outcome {
        Outcome::Pass | Outcome::NonStrict => return TestCaseStatus::success(),
        Outcome::Skip => TestCaseStatus::skipped(),
        Outcome::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Outcome::Error => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    let first = of.message.lines().next().unwrap_or_default();
    status.set_message(line(first));
    if of.message.lines().nth(1).is_some() {
        status.set_description(block(&of.message));
    }
    status
}

fn case(suite: &str, of: &Case) -> TestCase {
    // The title is part of the name, since the name is all that most viewers show.
    let name = match of.title.is_empty() {
        true => of.id.clone(),
        false => format!("{}: {}", of.id, of.title),
    };
    let mut case = TestCase::new(line(&name), status(of));
    case.set_classname(line(suite)).set_time(of.took);
    if let Some(place) = &of.place {
        case.extra.insert("file".into(), line(&place.file).into());
        case.extra.insert("line".into(), place.line.to_string().into());
        if place.column > 0 {
            case.extra.insert("column".into(), place.column.to_string().into());
        }
    }
    let remark = (of.outcome == Outcome::NonStrict).then(|| format!("non-strict: {}", of.message));
    let output: Vec<&str> = remark.as_deref().into_iter().chain(of.output.as_deref()).collect();
    if !output.is_empty() {
        case.set_system_out(block(&output.join("\n")));
    }
    case
}
