//! `trialogue man DIR`: one page for the program and one per verb, made from the clap tree.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::CommandFactory;

use crate::args::Cli;
use crate::exit::{Exit, Failure};
use crate::out::Out;

/// Arguments of `man`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder to write into; made when it is missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Writes the pages and says where.
pub(crate) fn run(args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    let folder = &args.folder;
    let failed = || format!("cannot write man pages into {}", folder.display());
    if folder.exists() && !folder.is_dir() {
        return Err(Failure::usage(format!("{} is not a folder", folder.display())).into());
    }
    std::fs::create_dir_all(folder).with_context(failed)?;
    clap_mangen::generate_to(Cli::command(), folder).with_context(failed)?;
    if out.is_json() {
        out.json(&serde_json::json!({"folder": folder}))?;
    } else {
        out.say(&format!("man pages written into {}", folder.display()));
    }
    Ok(Exit::DONE)
}
