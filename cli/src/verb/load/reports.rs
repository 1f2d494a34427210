//! `--report` of `load`: the result as files, written whatever ends the run.

use std::str::FromStr;

use trialogue_loadtest::report::Format;
use trialogue_loadtest::result::Document;

use crate::exit::Failure;
use crate::out::Out;
use crate::reports::{Place, check, split};

/// A format and where it goes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Report {
    pub(super) format: Format,
    pub(super) place: Place,
}

impl FromStr for Report {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (format, place) = split(text, &Format::ALL, Format::name)?;
        Ok(Self { format, place })
    }
}

/// Whether all can be written.
pub(super) fn can_be_written(reports: &[Report], out: &Out) -> Result<(), Failure> {
    check(reports.iter().map(|report| &report.place), out)
}

/// Whether standard output is one of them.
pub(super) fn take_stdout(reports: &[Report]) -> bool {
    reports.iter().any(|report| report.place == Place::Stdout)
}

/// Writes all of them; answers why one could not be written, each in a sentence.
pub(super) fn write(reports: &[Report], document: &Document, out: &mut Out) -> Vec<String> {
    let write = |Report { format, place }: &Report| {
        place.write(format.write(document).map_err(anyhow::Error::from), out)
    };
    reports.iter().filter_map(write).collect()
}
