//! Results as files: for scripts, for CI, for plotters, for people.

mod html;
mod series;
mod versus;

use std::time::{Duration, SystemTime};

use chrono::DateTime;
use trialogue_report::format::{Format as Common, FormatError};
use trialogue_report::results::{Case, Outcome, Results, Suite};

use crate::result::{Document, Verdict};
use crate::verdict::Fault;

pub use versus::page as versus_page;

/// A format of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The document itself: see [`crate::result::SCHEMA`].
    Json,
    /// JUnit XML: a case for every objective, for every wrong and for the rig.
    Junit,
    /// Markdown, such as the summary of a CI job.
    Markdown,
    /// A row for every window.
    Csv,
    /// HdrHistogram's percentiles of `delivery` in milliseconds, for its plotter.
    Hgrm,
    /// HdrHistogram's log of intervals, in microseconds: every window of every metric.
    Hlog,
    /// One page with charts.
    Html,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Json, Self::Junit, Self::Markdown, Self::Csv, Self::Hgrm, Self::Hlog, Self::Html];

    /// Its name on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Markdown => "md",
            Self::Csv => "csv",
            Self::Hgrm => "hgrm",
            Self::Hlog => "hlog",
            Self::Html => "html",
        }
    }

    /// The text of a whole file.
    ///
    /// # Errors
    /// When a writer of a library gives up, which none has a reason to.
    pub fn write(self, document: &Document) -> Result<String, FormatError> {
        match self {
            Self::Json => Ok(serde_json::to_string(document)? + "\n"),
            Self::Junit => Common::Junit.write(&results(document)),
            Self::Markdown => Common::Markdown.write(&results(document)),
            Self::Csv => Ok(series::csv(document)),
            Self::Hgrm => Ok(series::hgrm(document)),
            Self::Hlog => Ok(series::hlog(document)?),
            Self::Html => Ok(html::write(document)),
        }
    }
}

/// The document as cases that held or not.
fn results(document: &Document) -> Results {
    let took = Duration::from_micros(document.took);
    let case = |id: String, title: String, outcome, message: String| Case {
        id,
        title,
        place: None,
        outcome,
        began: None,
        took: Duration::ZERO,
        message,
        output: None,
    };
    let mut cases = Vec::new();
    for fault in Fault::ALL {
        let count = document.counts.of(fault);
        let examples = document.examples.iter().filter(|example| example.fault == fault);
        let told: Vec<&str> = examples.map(|example| example.text.as_str()).collect();
        let outcome = if count == 0 { Outcome::Pass } else { Outcome::Fail };
        let message =
            if count == 0 { String::new() } else { format!("{count}: {}", told.join("; ")) };
        cases.push(case(
            fault.name().to_owned(),
            format!("nothing is {}", fault.name()),
            outcome,
            message,
        ));
    }
    for slo in &document.slos {
        let outcome = match slo.held {
            Some(true) => Outcome::Pass,
            Some(false) => Outcome::Fail,
            None => Outcome::Error,
        };
        cases.push(case(
            slo.expression.clone(),
            "an objective".to_owned(),
            outcome,
            slo.to_string(),
        ));
    }
    let rig = if document.rig.is_saturated() { Outcome::Error } else { Outcome::Pass };
    let why = document.rig.reasons.join("; ");
    cases.push(case("rig".to_owned(), "the rig was not the limit".to_owned(), rig, why));
    let facts = crate::show::facts(document);
    let facts = facts.into_iter().map(|(name, value, _)| (name.to_owned(), value)).collect();
    let suite = Suite { name: document.target.clone(), facts, cases, ..Suite::default() };
    let started = DateTime::parse_from_rfc3339(&document.started);
    Results {
        title: "trialogue load".to_owned(),
        tool: document.tool.clone(),
        started: started.map_or(SystemTime::UNIX_EPOCH, SystemTime::from),
        took,
        complete: document.complete,
        suites: vec![suite],
    }
}

/// The word of a verdict.
pub(crate) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::Inconclusive => "inconclusive",
    }
}
