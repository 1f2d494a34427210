//! `trialogue db url|stop|reset`: the private PostgreSQL, for people.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;
use trialogue_server::embedded::{self, Options};

use super::Context;
use crate::exit::{Exit, Failure};
use crate::out::Out;

/// Arguments of `db`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
    /// Folder that holds the database
    #[arg(long, global = true, value_name = "DIR", env = "TRIALOGUE_DATA_DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Subcommand)]
enum What {
    /// Print the address of the running database, for psql
    Url,
    /// Stop the database, for instance one whose owner hangs
    Stop {
        /// Even while it is in use
        #[arg(long)]
        force: bool,
    },
    /// Remove the database and all that is stored in it
    Reset {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// Does it; none of the three starts a database.
pub(crate) async fn run(args: Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let mut options = Options::from_env();
    options.data = args.data_dir;
    match args.what {
        What::Url => url(&options, out),
        What::Stop { force } => stop(&options, force, out).await,
        What::Reset { yes } => reset(&options, yes, context, out).await,
    }
}

fn url(options: &Options, out: &mut Out) -> anyhow::Result<Exit> {
    let Some(found) = embedded::running(options)?.into_iter().next() else {
        anyhow::bail!("no private database runs; `trialogue serve` starts one");
    };
    if out.is_json() {
        out.json(&json!({"url": found.url, "folder": found.folder, "version": found.major}))?;
    } else {
        out.data(&found.url)?;
    }
    Ok(Exit::DONE)
}

async fn stop(options: &Options, force: bool, out: &mut Out) -> anyhow::Result<Exit> {
    let stopped = embedded::halt(options, force).await?;
    if out.is_json() {
        out.json(&json!({"stopped": stopped}))?;
    } else if stopped.is_empty() {
        out.say("no private database runs");
    } else {
        out.say("stopped");
    }
    Ok(Exit::DONE)
}

async fn reset(
    options: &Options,
    yes: bool,
    context: &Context,
    out: &mut Out,
) -> anyhow::Result<Exit> {
    if !yes && !confirmed(context, out)? {
        return Ok(Exit::DONE);
    }
    let removed = embedded::reset(options).await?;
    if out.is_json() {
        out.json(&json!({"removed": removed}))?;
    } else if removed.is_empty() {
        out.say("there is no private database");
    } else {
        out.say("removed");
    }
    Ok(Exit::DONE)
}

/// Asks at a terminal; elsewhere nobody is there to answer.
fn confirmed(context: &Context, out: &mut Out) -> anyhow::Result<bool> {
    let (stdin, stderr) = (std::io::stdin(), std::io::stderr());
    let global = &context.global;
    if global.no_input || global.json || !stdin.is_terminal() || !stderr.is_terminal() {
        let why = "this removes every stored chat: add --yes";
        return Err(Failure::usage(why).into());
    }
    out.say("This removes every stored chat. Type `yes` to go on:");
    let mut answer = String::new();
    stdin.read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}
