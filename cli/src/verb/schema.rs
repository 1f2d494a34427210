//! `trialogue schema`: what editors need to complete and check our files.

use clap::ValueEnum;

use crate::exit::Exit;
use crate::out::Out;

/// Arguments of `schema`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Of which files
    #[arg(value_enum)]
    of: Kind,
}

/// Files that have a schema.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// Scenario files, `*.scn.yaml`
    Scenario,
    /// Fragments that scenario files use
    Fragment,
}

/// Prints a JSON Schema.
pub(crate) fn run(args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    match args.of {
        Kind::Scenario => out.data(trialogue_scenarios::SCHEMA.trim_end())?,
        Kind::Fragment => out.data(&trialogue_scenarios::fragment_schema())?,
    }
    Ok(Exit::DONE)
}
