//! `trialogue completions SHELL`: the script that makes a shell ask this program.

use std::io::Write;

use anyhow::Context as _;
use clap_complete::Shell;

use crate::complete;
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
    let shell = args.shell.to_string();
    let script = complete::script(&shell).context("this shell is not known")??;
    out.stdout().write_all(&script).map_err(out::closed)?;
    Ok(Exit::DONE)
}
