//! Results as files that other programs read: JUnit for CI, JSON for scripts, TAP, Markdown.

mod harmless;
mod json;
mod junit;
mod markdown;
mod tap;
#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use chrono::{DateTime, SecondsFormat, Utc};

use crate::results::Results;

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
}

/// The shape of [`Format::Json`], in its field `schema`. The number grows when a field changes its
/// meaning or goes; new fields may come without.
///
/// ```text
/// {schema, title, tool, started: RFC 3339, tookMs, complete, counts: Counts, suites: [{
///     name, facts: {name: text}, counts: Counts, tookMs, cases: [{
///         id, title, outcome: pass|non-strict|skip|fail|error, tookMs, message, output?,
///         place?: {file, line}}]}]}
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
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Junit, Self::Json, Self::Tap, Self::Markdown];

    /// Its name on a command line: `junit`, `json`, `tap`, `md`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Junit => "junit",
            Self::Json => "json",
            Self::Tap => "tap",
            Self::Markdown => "md",
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
