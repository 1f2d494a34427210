//! `trialogue completions SHELL`: made from the clap tree, so they cannot lag behind it.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;
use crate::exit::{Exit, Failure};
use crate::out::{self, Out};
use crate::verb::Context;

/// Arguments of `completions`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which shell
    shell: Shell,
}

/// Prints the script that the shell has to read.
pub(crate) fn run(args: &Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    if context.global.json {
        return Err(Failure::usage("completions are a shell script, there is no --json").into());
    }
    let mut script = Vec::new();
    let mut command = Cli::command();
    clap_complete::generate(args.shell, &mut command, "trialogue", &mut script);
    out.stdout().write_all(&script).map_err(out::closed)?;
    Ok(Exit::DONE)
}
