//! Results of `load` as files: read with their bounds, written where a verb is told to.

use std::path::Path;

use trialogue_loadtest::merge;
use trialogue_loadtest::report::Format;
use trialogue_loadtest::result::{Document, SCHEMA, Verdict};
use trialogue_loadtest::versus::{self, Versus};

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

/// The result of a text that `path` has, its verdict decided anew.
///
/// # Errors
/// It is none of this version, or contradicts itself.
pub(crate) fn parse(path: &Path, text: &str) -> Result<Document, Failure> {
    let fault = |why: String| Failure::usage(format!("{}: {why}", path.display()));
    match schema(text) {
        Some(schema) if schema == versus::SCHEMA => {
            return Err(fault("it is of two targets that took turns, and not of one".to_owned()));
        }
        Some(schema) if schema != SCHEMA => {
            return Err(fault(format!("its schema is {schema:?}, and not {SCHEMA}")));
        }
        Some(_) | None => {}
    }
    let mut document: Document =
        serde_json::from_str(text).map_err(|error| fault(format!("no result: {error}")))?;
    merge::check(&document).map_err(fault)?;
    merge::judge_anew(&mut document).map_err(fault)?;
    Ok(document)
}

/// Which shape a document says that it has.
pub(crate) fn schema(text: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Head {
        schema: String,
    }
    serde_json::from_str::<Head>(text).ok().map(|head| head.schema)
}

/// What two targets that took turns came to, of a text that `path` has.
///
/// # Errors
/// It is none, or its histograms cannot be read.
pub(crate) fn parse_two(path: &Path, text: &str) -> Result<Versus, Failure> {
    let fault = |why: String| Failure::usage(format!("{}: {why}", path.display()));
    let versus: Versus =
        serde_json::from_str(text).map_err(|error| fault(format!("no result: {error}")))?;
    merge::check(&versus.first).and_then(|()| merge::check(&versus.second)).map_err(fault)?;
    Ok(versus)
}

/// Whether all of these formats can tell of two targets.
///
/// # Errors
/// One cannot.
pub(crate) fn can_tell_two(mut formats: impl Iterator<Item = Format>) -> Result<(), Failure> {
    let Some(format) = formats.find(|format| !format.is_of_versus()) else { return Ok(()) };
    let can = Format::ALL.into_iter().filter(|format| format.is_of_versus());
    let can: Vec<&str> = can.map(Format::name).collect();
    let (can, name) = (can.join(", "), format.name());
    Err(Failure::usage(format!("of two targets there are reports as {can}, and not as {name}")))
}

/// Writes those that can tell of two targets; answers why one could not be written, each in a
/// sentence.
pub(crate) fn write_two<'a>(
    reports: impl Iterator<Item = (Format, &'a Place)>,
    versus: &Versus,
    out: &mut Out,
) -> Vec<String> {
    let write = |(format, place): (Format, &Place)| {
        let text = format.write_versus(versus)?;
        place.write(text.map_err(anyhow::Error::from), out)
    };
    reports.filter_map(write).collect()
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
