//! `trialogue report`: a JSON report, or a result of `load`, told again in other formats.

use std::path::PathBuf;
use std::time::Duration;

use trialogue_loadtest::{merge, versus};
use trialogue_report::format;
use trialogue_server::config::parse_duration;

use super::Context;
use crate::exit::{Exit, Failure};
use crate::measured;
use crate::out::Out;
use crate::reports::{ReportArgs, check};

/// How the schema of a result of `load` begins.
const LOAD: &str = "trialogue-load/";
/// What no part can be taken of.
const NO_PART: &str = "--from and --to are for results of one run of load";

/// Arguments of `report`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What --report json=FILE has written
    file: PathBuf,
    /// Write it as junit=FILE, json=FILE, tap=FILE, md=FILE or html=FILE, or as github; a result of
    /// load as csv=FILE, hgrm=FILE and hlog=FILE too, and not as tap or github; - is standard output
    /// [default: md=-]
    #[arg(long = "report", value_name = "FORMAT=FILE", value_delimiter = ',')]
    reports: Vec<String>,
    /// The same as --report html=FILE
    #[arg(long, value_name = "FILE")]
    html: Option<String>,
    /// The same as --report md=FILE
    #[arg(long, value_name = "FILE")]
    md: Option<String>,
    /// The same as --report junit=FILE
    #[arg(long, value_name = "FILE")]
    junit: Option<String>,
    /// The same as --report csv=FILE
    #[arg(long, value_name = "FILE")]
    csv: Option<String>,
    /// The same as --report hgrm=FILE
    #[arg(long, value_name = "FILE")]
    hgrm: Option<String>,
    /// The same as --report hlog=FILE
    #[arg(long, value_name = "FILE")]
    hlog: Option<String>,
    /// Of a result of load only what was measured after this time of the run
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    from: Option<Duration>,
    /// Of a result of load only what was measured until this time of the run
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    to: Option<Duration>,
}

impl Args {
    /// As `--report` has them.
    fn words(&self) -> Vec<String> {
        let Self { html, md, junit, csv, hgrm, hlog, .. } = self;
        let short = [
            ("html", html),
            ("md", md),
            ("junit", junit),
            ("csv", csv),
            ("hgrm", hgrm),
            ("hlog", hlog),
        ];
        let short = short
            .into_iter()
            .filter_map(|(format, place)| place.as_ref().map(|place| format!("{format}={place}")));
        self.reports.iter().cloned().chain(short).collect()
    }
}

/// Writes the other formats.
pub(crate) fn run(args: &Args, _: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let mut words = args.words();
    if words.is_empty() {
        // What a person reads who names nothing.
        words.push("md=-".to_owned());
    }
    let text = measured::text(&args.file)?;
    let faults = match measured::schema(&text) {
        Some(schema) if schema.starts_with(LOAD) => load(args, &text, &words, out)?,
        Some(schema) if schema == versus::SCHEMA => two(args, &text, &words, out)?,
        Some(_) | None => results(args, &text, &words, out)?,
    };
    match faults.is_empty() {
        true => Ok(Exit::DONE),
        false => Ok(out.verdict(Exit::INTERNAL, "internal", &faults.join("; "))),
    }
}

fn two(args: &Args, text: &str, words: &[String], out: &mut Out) -> anyhow::Result<Vec<String>> {
    let reports = words.iter().map(|word| measured::report(word));
    let reports = reports.collect::<Result<Vec<_>, _>>()?;
    measured::can_tell_two(reports.iter().map(|(format, _)| *format))?;
    check(reports.iter().map(|(_, place)| place), out)?;
    if args.from.is_some() || args.to.is_some() {
        return Err(Failure::usage(NO_PART).into());
    }
    let versus = measured::parse_two(&args.file, text)?;
    let reports = reports.iter().map(|(format, place)| (*format, place));
    Ok(measured::write_two(reports, &versus, out))
}

fn load(args: &Args, text: &str, words: &[String], out: &mut Out) -> anyhow::Result<Vec<String>> {
    let reports = words.iter().map(|word| measured::report(word));
    let reports = reports.collect::<Result<Vec<_>, _>>()?;
    check(reports.iter().map(|(_, place)| place), out)?;
    let wrong = |why: String| Failure::usage(format!("{}: {why}", args.file.display()));
    let mut document = measured::parse(&args.file, text)?;
    if args.from.is_some() || args.to.is_some() {
        let (from, to) = (args.from.unwrap_or_default(), args.to.unwrap_or(Duration::MAX));
        document = merge::cut(&document, from, to).map_err(wrong)?;
    }
    Ok(measured::write(&reports, &document, out))
}

fn results(
    args: &Args,
    text: &str,
    words: &[String],
    out: &mut Out,
) -> anyhow::Result<Vec<String>> {
    if args.from.is_some() || args.to.is_some() {
        return Err(Failure::usage(NO_PART).into());
    }
    let reports = ReportArgs::of(words).map_err(Failure::usage)?.check(out)?;
    let wrong =
        |error: &dyn std::fmt::Display| Failure::usage(format!("{}: {error}", args.file.display()));
    let results = format::read(text).map_err(|error| wrong(&error))?;
    Ok(reports.write(&results, out))
}
