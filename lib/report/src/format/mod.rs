//! Results as files: JSON, which all others can be made of, JUnit for CI, TAP, Markdown, GitHub's
//! annotations, and one page of HTML for people.

pub mod chart;
mod github;
mod harmless;
mod html;
mod json;
mod junit;
mod markdown;
mod mermaid;
mod schema;
pub mod sheet;
mod story;
mod svg;
mod tap;
#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use chrono::{DateTime, SecondsFormat, Utc};

use crate::results::Results;

pub use mermaid::write as mermaid;
pub use schema::result_schema;
pub use svg::write as svg;

/// A format of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// JUnit XML. A case that is not strict passes and says so in its `system-out`; one that was
    /// cut short is told by the property `complete` of every suite.
    Junit,
    /// One JSON document; `schema` names its shape and version (see [`SCHEMA`]).
    Json,
    /// TAP 14, a subtest for each suite; a run that was cut short bails out.
    Tap,
    /// Markdown for people, such as the summary of a CI job; at most 900 KB.
    Markdown,
    /// One page of HTML that opens without a network.
    Html,
    /// Workflow commands of GitHub, which annotate lines of files.
    Github,
}

/// The shape of [`Format::Json`], in its field `schema`. The number grows when a field changes its
/// meaning or goes; new fields may come without.
///
/// ```text
/// {schema, title, tool, started: RFC 3339, tookMs, complete, counts: Counts, suites: [{
///     name, facts: {name: text}, counts: Counts, tookMs, cases: [{
///         id, title, outcome: pass|non-strict|skip|fail|error, beganMs?, tookMs, message, output?,
///         place?: {file, line, column?}}],
///     story?: {lanes: [{title, detail}], rows: [Row]}, wire?: [{atMs, who, title, body}]}]}
/// Row: {type: act, title, lanes: [index]} | {type: gap} | {type: alive, lane, alive}
///    | {type: arrow, atMs, hub, spokes: [index], direction: in|out, wire: http|socket|store,
///       label, detail, failed}
///    | {type: note, atMs, lane, text, tone: plain|good|bad} | {type: band, atMs, text, tone}
/// Counts {cases, pass, nonStrict, skip, fail, error}
/// ```
pub const SCHEMA: &str = "trialogue-results/1";

/// Why results could not be written.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// The XML writer gave up.
    #[error("cannot write JUnit XML")]
    Junit(#[from] quick_junit::SerializeError),
    /// The JSON writer gave up.
    #[error("cannot write JSON")]
    Json(#[from] serde_json::Error),
    /// Another writer gave up.
    #[error("cannot write it: {0}")]
    Other(#[from] std::io::Error),
}

/// Why a document is not read as results.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not JSON of this shape.
    #[error("this is no JSON report")]
    Json(#[from] serde_json::Error),
    /// Its `schema` is another one.
    #[error("its schema is {0:?}, not {SCHEMA:?}")]
    Schema(String),
    /// Its `started` is no time.
    #[error("{0:?} is no time")]
    Started(String),
    /// A case came out in a way that nobody knows.
    #[error("{0:?} is no outcome")]
    Outcome(String),
}

/// Reads the document of [`Format::Json`] again.
///
/// # Errors
/// See [`ReadError`].
pub fn read(text: &str) -> Result<Results, ReadError> {
    json::read(text)
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Junit, Self::Json, Self::Tap, Self::Markdown, Self::Html, Self::Github];

    /// Its name on a command line: `junit`, `json`, `tap`, `md`, `html`, `github`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Junit => "junit",
            Self::Json => "json",
            Self::Tap => "tap",
            Self::Markdown => "md",
            Self::Html => "html",
            Self::Github => "github",
        }
    }

    /// The text of a whole file, with a newline at its end.
    ///
    /// # Errors
    /// When a writer of a library gives up, which none has a reason to.
    pub fn write(self, results: &Results) -> Result<String, FormatError> {
        match self {
            Self::Junit => junit::write(results),
            Self::Json => json::write(results),
            Self::Tap => Ok(tap::write(results)),
            Self::Markdown => Ok(markdown::write(results)),
            Self::Html => Ok(html::write(results)),
            Self::Github => Ok(github::write(results)),
        }
    }
}

/// Milliseconds with their fraction, to the microsecond.
fn millis(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e6).round() / 1e3
}

/// `2026-02-28T12:00:00.000Z`.
fn moment(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Millis, true)
}
