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
    /// Plans of `load`, `*.load.yaml`
    #[cfg(unix)]
    Load,
    /// Results of `load`, as `--json` and `--report json=FILE` write them
    LoadResult,
    /// Profiles of servers, for `--target`
    Target,
    /// What `--report json=FILE` and `conform --json` write
    Result,
}

/// Prints a JSON Schema.
pub(crate) fn run(args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    match args.of {
        Kind::Scenario => out.data(trialogue_scenarios::SCHEMA.trim_end())?,
        Kind::Fragment => out.data(&trialogue_scenarios::fragment_schema())?,
        #[cfg(unix)]
        Kind::Load => out.data(&super::load::schema())?,
        Kind::LoadResult => out.data(trialogue_loadtest::result::JSON_SCHEMA.trim_end())?,
        Kind::Target => {
            out.data(&format!("{:#}", trialogue_scenarios::file::profile_schema()))?;
        }
        Kind::Result => out.data(&format!("{:#}", trialogue_report::format::result_schema()))?,
    }
    Ok(Exit::DONE)
}
