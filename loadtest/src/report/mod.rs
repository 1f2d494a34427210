//! Results as files: for scripts, for CI, for plotters, for people.

mod cases;
mod html;
mod series;
mod story;
mod versus;

use trialogue_report::format::{Format as Common, FormatError};

use crate::result::{Document, Verdict};
use crate::versus::Versus;
use cases::results;

/// A format of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The document itself: see [`crate::result::SCHEMA`].
    Json,
    /// JUnit XML: a case for every objective, for every wrong, for the rig and for the verdict.
    Junit,
    /// Markdown, such as the summary of a CI job.
    Markdown,
    /// A row for every window.
    Csv,
    /// HdrHistogram's percentiles of `delivery` (of `iteration` where a scenario was the load) in
    /// milliseconds, for its plotter.
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

    /// Whether two servers that took turns can be told in it.
    pub const fn is_of_versus(self) -> bool {
        matches!(self, Self::Json | Self::Junit | Self::Markdown | Self::Html)
    }

    /// The text of a whole file on two servers that took turns; nothing where
    /// [`Format::is_of_versus`] says no.
    ///
    /// # Errors
    /// As [`Format::write`].
    pub fn write_versus(self, versus: &Versus) -> Option<Result<String, FormatError>> {
        Some(match self {
            Self::Json => serde_json::to_string(versus).map(|text| text + "\n").map_err(Into::into),
            Self::Junit => Common::Junit.write(&versus::results(versus)),
            Self::Markdown => Common::Markdown.write(&versus::results(versus)),
            Self::Html => Ok(versus::page(versus)),
            Self::Csv | Self::Hgrm | Self::Hlog => return None,
        })
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
