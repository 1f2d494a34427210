//! `trialogue check`: whether scenario files make sense, without a network.

use serde_json::json;
use trialogue_scenarios::file;

use super::Context;
use crate::exit::{Exit, Failure};
use crate::library::{find, load};
use crate::out::Out;

/// Arguments of `check`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Names of bundled scenarios, files, or folders with `*.scn.yaml`
    #[arg(required = true, value_name = "SCENARIO")]
    scenarios: Vec<String>,
}

/// Exits 0 when every file makes sense; says everything that is wrong in all of them.
pub(crate) fn run(args: &Args, _: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let mut wrong = 0;
    for place in find(&args.scenarios)? {
        let source = load(&place)?;
        match file::read(&source) {
            Ok(scenario) if out.is_json() => {
                let steps = scenario.steps.len();
                out.json(&json!({"file": source.name(), "ok": true, "steps": steps}))?;
            }
            Ok(_) => out.say(&format!("{}: fine", source.name())),
            Err(mistakes) => {
                wrong += mistakes.found().len();
                if out.is_json() {
                    out.json(&json!({"file": source.name(), "ok": false, "mistakes":
                        mistakes.found().iter().map(|mistake| json!({
                            "place": source.place(mistake.span),
                            "message": mistake.message,
                        })).collect::<Vec<_>>()}))?;
                } else {
                    out.say(&mistakes.to_string());
                }
            }
        }
    }
    match wrong {
        0 => Ok(Exit::DONE),
        1 => Err(Failure::usage("1 mistake").into()),
        n => Err(Failure::usage(format!("{n} mistakes")).into()),
    }
}
