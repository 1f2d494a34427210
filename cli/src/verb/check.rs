//! `trialogue check`: whether scenario files make sense, without a network.

use std::sync::Arc;

use serde_json::json;
use trialogue_scenarios::file::{self, Profile, Scenario};
use trialogue_scenarios::source::{Diagnostic, Diagnostics, Source, Span};
use trialogue_scenarios::{lacking_at_all, steps_in};

use super::Context;
use crate::exit::{Exit, Failure};
use crate::library::{find, load};
use crate::out::Out;
use crate::target;

/// Arguments of `check`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Names of bundled scenarios, files, or folders with `*.scn.yaml`
    #[arg(required = true, value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// Also check whether they make sense at this target: a profile, its name, or a URL
    #[arg(long, value_name = "TARGET", env = "TRIALOGUE_TARGET")]
    target: Option<String>,
    /// Let warnings count too
    #[arg(long)]
    strict: bool,
}

/// Exits 0 when every file makes sense, 2 when one does not, and with `--strict` 1 when there are only
/// warnings; says everything that is wrong in all of them.
pub(crate) fn run(args: &Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let target = args.target.as_deref();
    let profile = target.map(|word| target::find(word, context.global.dialect)).transpose()?;
    let (mut wrong, mut warned) = (0, 0);
    for place in find(&args.scenarios)? {
        let source = load(&place)?;
        let read = match file::is_fragment(&source) {
            true => file::read_fragment(&source),
            false => file::read(&source).and_then(|scenario| fits(scenario, profile.as_ref())),
        };
        match read {
            Ok(scenario) => {
                let doubts = file::warnings(&scenario);
                warned += doubts.len();
                tell(&source, &scenario, &doubts, out)?;
            }
            Err(mistakes) => {
                wrong += mistakes.found().len();
                if out.is_json() {
                    out.json(&json!({"file": source.name(), "ok": false, "mistakes":
                        mistakes.found().iter().map(|mistake| json!({
                            "place": mistakes.source().place(mistake.span),
                            "message": mistake.message,
                        })).collect::<Vec<_>>()}))?;
                } else {
                    out.complain(&mistakes.to_string());
                }
            }
        }
    }
    match wrong {
        0 if warned > 0 && args.strict => {
            Ok(out.verdict(Exit::FAILED, "failed", &format!("warnings: {warned} (--strict)")))
        }
        0 => Ok(Exit::DONE),
        1 => Err(Failure::usage("1 mistake").into()),
        n => Err(Failure::usage(format!("{n} mistakes")).into()),
    }
}

/// A file that makes sense, with what may go wrong in it all the same.
fn tell(
    file: &Arc<Source>,
    scenario: &Scenario,
    doubts: &[Diagnostic],
    out: &mut Out,
) -> anyhow::Result<()> {
    // A fragment is read inside of a scenario that uses it.
    let (source, is_fragment) = (&scenario.source, !Arc::ptr_eq(file, &scenario.source));
    if out.is_json() {
        let warnings = doubts
            .iter()
            .map(|doubt| json!({"place": source.place(doubt.span), "message": doubt.message}));
        let (steps, warnings) = (steps_in(scenario), warnings.collect::<Vec<_>>());
        return out.json(&json!({
            "file": file.name(), "ok": true, "fragment": is_fragment, "steps": steps,
            "warnings": warnings,
        }));
    }
    for doubt in doubts {
        out.say(&format!("{}: warning: {}", source.place(doubt.span), doubt.message));
        out.say(&source.excerpt(doubt.span));
    }
    let unset = file::unset(scenario, |name| std::env::var(name).ok());
    for unset in &unset {
        out.say(&format!("{}: note: {}", source.place(unset.span), unset.message));
    }
    let kind = if is_fragment { "a fragment, " } else { "" };
    out.say(&format!("{}: {kind}fine", file.name()));
    Ok(())
}

/// A scenario of which nothing makes sense at the target is a mistake, before it is run there.
fn fits(scenario: Scenario, profile: Option<&Profile>) -> Result<Scenario, Diagnostics> {
    let Some(profile) = profile else { return Ok(scenario) };
    let mut mistakes = Diagnostics::new(scenario.source.clone());
    match target::config(profile) {
        Ok(config) => {
            if let Some(why) = lacking_at_all(&scenario, &config) {
                let why = format!("makes no sense at {}: {why}", profile.url);
                mistakes.error(Span::default(), why);
            }
        }
        Err(error) => mistakes.error(Span::default(), format!("{error:#}")),
    }
    mistakes.verdict().map(|()| scenario)
}
