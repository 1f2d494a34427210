//! `trialogue config`: what `serve` would run with, and where each setting came from.

use std::collections::BTreeMap;

use serde_json::json;
use trialogue_server::Running;

use crate::exit::{Exit, Failure};
use crate::human;
use crate::out::Out;
use crate::verb::{Context, serve};

/// Arguments of `config`: those of `serve`.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    #[command(flatten)]
    serve: serve::Args,
}

/// Prints settings and limits; fails when `serve` would refuse them.
pub(crate) fn run(args: &Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let settings = context.settings.of_serve();
    let config = args.serve.config();
    let limits = config.limits().table();
    if out.is_json() {
        let limits: BTreeMap<_, _> = limits.into_iter().collect();
        out.json(&json!({ "settings": settings, "limits": limits }))?;
    } else {
        out.data(&human::settings(&settings))?;
        let rows: Vec<[String; 2]> =
            limits.into_iter().map(|(name, value)| [name.to_owned(), value]).collect();
        out.data("")?;
        out.data(&human::table(["LIMIT", "VALUE"], &rows))?;
    }
    Running::check(config, config.listen).map_err(|error| Failure::usage(error.to_string()))?;
    Ok(Exit::DONE)
}
