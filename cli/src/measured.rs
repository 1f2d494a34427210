//! Results of `load` as files: read with their bounds, written where a verb is told to.

use std::path::Path;

use trialogue_loadtest::report::Format;
use trialogue_loadtest::result::{Document, SCHEMA, Verdict};

use crate::exit::{Exit, Failure};
use crate::out::Out;
use crate::reports::{Place, split};

/// Longest result (256 MiB): a day of windows with their histograms.
const BYTES_MAX: u64 = 256 << 20;

/// The text of a result or of a report.
///
/// # Errors
/// It cannot be read, or is too long.
pub(crate) fn text(path: &Path) -> Result<String, Failure> {
    let fault = |why: String| Failure::usage(format!("{}: {why}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| fault(error.to_string()))?.len();
    if size > BYTES_MAX {
        return Err(fault(format!("it is over {BYTES_MAX} bytes")));
    }
    std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))
}

/// The result of a text that `path` has.
///
/// # Errors
/// It is none of this version.
pub(crate) fn parse(path: &Path, text: &str) -> Result<Document, Failure> {
    let fault = |why: String| Failure::usage(format!("{}: {why}", path.display()));
    let document: Document =
        serde_json::from_str(text).map_err(|error| fault(format!("no result: {error}")))?;
    match document.schema == SCHEMA {
        true => Ok(document),
        false => Err(fault(format!("its schema is not {SCHEMA}"))),
    }
}

/// A result.
///
/// # Errors
/// See [`text`] and [`parse`].
pub(crate) fn read(path: &Path) -> Result<Document, Failure> {
    parse(path, &text(path)?)
}

/// The format and the place of `html=FILE`.
///
/// # Errors
/// What it should be.
pub(crate) fn report(word: &str) -> Result<(Format, Place), Failure> {
    split(word, &Format::ALL, Format::name).map_err(Failure::usage)
}

/// Writes all of them; answers why one could not be written, each in a sentence.
pub(crate) fn write(
    reports: &[(Format, Place)],
    document: &Document,
    out: &mut Out,
) -> Vec<String> {
    let write = |(format, place): &(Format, Place)| {
        place.write(format.write(document).map_err(anyhow::Error::from), out)
    };
    reports.iter().filter_map(write).collect()
}

/// How a verb ends whose result has this verdict, and the word for it.
pub(crate) fn exit_of(verdict: Verdict) -> (Exit, &'static str) {
    match verdict {
        Verdict::Passed => (Exit::DONE, "passed"),
        Verdict::Failed => (Exit::FAILED, "failed"),
        Verdict::Inconclusive => (Exit::INCONCLUSIVE, "inconclusive"),
    }
}
