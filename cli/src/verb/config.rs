//! `trialogue config`: what `serve` would run with, and where each setting came from.

use std::collections::BTreeMap;
use std::io::Write as _;

use anyhow::Context as _;
use serde_json::json;
use trialogue_server::Running;
use trialogue_tui::model::settings::DEFAULT_FILE;

use crate::exit::{Exit, Failure};
use crate::human;
use crate::out::Out;
use crate::settings;
use crate::verb::{Context, chat, serve};

/// Arguments of `config`: those of `serve`.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    #[command(flatten)]
    serve: serve::Args,
    #[command(subcommand)]
    action: Option<Action>,
}

/// What else can be done.
#[derive(clap::Subcommand)]
enum Action {
    /// Write the settings of `chat`, each commented out at its default, beside this file
    Init,
}

/// Prints settings and limits; fails when `serve` would refuse them.
pub(crate) fn run(args: &Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    if let Some(Action::Init) = args.action {
        return init(out);
    }
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

/// A file that is there already is its owner's.
fn init(out: &mut Out) -> anyhow::Result<Exit> {
    let path = settings::beside(chat::FILE);
    let path = path.ok_or_else(|| Failure::usage("there is no home folder for settings"))?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let shown = path.display();
    let created = std::fs::File::create_new(&path)
        .and_then(|mut file| file.write_all(DEFAULT_FILE.as_bytes()));
    match created {
        Ok(()) => out.data(&shown.to_string()).map(|()| Exit::DONE),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Failure::usage(format!("{shown} is there already")).into())
        }
        Err(error) => Err(error).with_context(|| format!("cannot write {shown}")),
    }
}
