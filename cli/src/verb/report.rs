//! `trialogue report`: a JSON report told again in other formats.

use std::path::PathBuf;

use trialogue_report::format;

use super::Context;
use crate::exit::{Exit, Failure};
use crate::out::Out;
use crate::reports::ReportArgs;

/// Longest report that is read, in bytes (256 MiB).
const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Arguments of `report`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What --report json=FILE has written
    file: PathBuf,
    #[command(flatten)]
    reports: ReportArgs,
}

/// Writes the other formats; which ones is said by --report.
pub(crate) fn run(args: &Args, _: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let reports = args.reports.check(out)?;
    if reports.is_empty() {
        return Err(Failure::usage("say what to write, as in --report html=report.html").into());
    }
    let shown = args.file.display();
    let wrong = |error: &dyn std::fmt::Display| Failure::usage(format!("{shown}: {error}"));
    let size = std::fs::metadata(&args.file).map_err(|error| wrong(&error))?.len();
    if size > BYTES_MAX {
        return Err(wrong(&format!("it is over {BYTES_MAX} bytes")).into());
    }
    let text = std::fs::read_to_string(&args.file).map_err(|error| wrong(&error))?;
    let results = format::read(&text).map_err(|error| wrong(&error))?;
    let faults = reports.write(&results, out);
    match faults.is_empty() {
        true => Ok(Exit::DONE),
        false => Ok(out.verdict(Exit::INTERNAL, "internal", &faults.join("; "))),
    }
}
