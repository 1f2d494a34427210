//! `trialogue merge`: results of machines that ran side by side, or of a run that was repeated, as
//! one.

use std::io::Write as _;
use std::path::PathBuf;

use trialogue_loadtest::result::Document;
use trialogue_loadtest::{merge, show};
use trialogue_report::terminal::facts;

use crate::exit::{Exit, Failure};
use crate::measured;
use crate::out::{Out, closed};
use crate::play::table_style;
use crate::reports::{Place, check};

/// Arguments of `merge`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Results, as `load --report json=FILE` wrote them
    #[arg(required = true, num_args = 2.., value_name = "RESULT")]
    results: Vec<PathBuf>,
    /// Write the sum as json=FILE, junit=FILE, md=FILE, csv=FILE, hgrm=FILE, hlog=FILE or
    /// html=FILE; - is standard output
    #[arg(long = "report", value_name = "FORMAT=FILE", value_delimiter = ',')]
    reports: Vec<String>,
}

/// Exits as `load` does, by the verdict on the sum; 2 when the results cannot be merged.
pub(crate) fn run(args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    let reports = args.reports.iter().map(|word| measured::report(word));
    let reports = reports.collect::<Result<Vec<_>, _>>()?;
    check(reports.iter().map(|(_, place)| place), out)?;
    let documents = args.results.iter().map(|path| measured::read(path));
    let documents: Vec<Document> = documents.collect::<Result<_, _>>()?;
    let sum = merge::merge(&documents);
    let sum = sum.map_err(|why| Failure::usage(format!("these cannot be merged: {why}")))?;
    let faults = measured::write(&reports, &sum, out);
    if out.is_json() {
        out.json(&sum)?;
    } else if !reports.iter().any(|(_, place)| *place == Place::Stdout) {
        let table = facts(table_style(), &show::facts(&sum));
        out.stdout().write_all(table.as_bytes()).map_err(closed)?;
    }
    if !faults.is_empty() {
        return Ok(out.verdict(Exit::INTERNAL, "no_report", &faults.join("; ")));
    }
    let (exit, code) = measured::exit_of(sum.verdict);
    Ok(out.verdict(exit, code, &sum.why.join("; ")))
}
