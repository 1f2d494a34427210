//! `trialogue check`: whether scenario files make sense, without a network.

use serde_json::json;
use trialogue_scenarios::file::{self, Profile, Scenario};
use trialogue_scenarios::source::{Diagnostic, Diagnostics, Span};
use trialogue_scenarios::{RunConfig, Target, lacking_at_all};

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
        match file::read(&source).and_then(|scenario| fits(scenario, profile.as_ref())) {
            Ok(scenario) => {
                let races = file::races(&scenario);
                warned += races.len();
                tell(&scenario, &races, out)?;
            }
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
        0 if warned > 0 && args.strict => {
            Ok(out.verdict(Exit::FAILED, "failed", &format!("warnings: {warned} (--strict)")))
        }
        0 => Ok(Exit::DONE),
        1 => Err(Failure::usage("1 mistake").into()),
        n => Err(Failure::usage(format!("{n} mistakes")).into()),
    }
}

/// A file that makes sense, with what may go wrong in it all the same.
fn tell(scenario: &Scenario, races: &[Diagnostic], out: &mut Out) -> anyhow::Result<()> {
    let source = &scenario.source;
    if out.is_json() {
        let warnings = races
            .iter()
            .map(|race| json!({"place": source.place(race.span), "message": race.message}));
        let (steps, warnings) = (scenario.steps.len(), warnings.collect::<Vec<_>>());
        return out.json(
            &json!({"file": source.name(), "ok": true, "steps": steps, "warnings": warnings}),
        );
    }
    for race in races {
        out.say(&format!("{}: warning: {}", source.place(race.span), race.message));
        out.say(&source.excerpt(race.span));
    }
    out.say(&format!("{}: fine", source.name()));
    Ok(())
}

/// A scenario of which nothing makes sense at the target is a mistake, before it is run there.
fn fits(scenario: Scenario, profile: Option<&Profile>) -> Result<Scenario, Diagnostics> {
    let Some(profile) = profile else { return Ok(scenario) };
    let mut config = RunConfig::new(Target::Url(profile.url.clone()));
    config.dialect = profile.dialect;
    config.capabilities = Some(profile.capabilities);
    let mut mistakes = Diagnostics::new(scenario.source.clone());
    if let Some(why) = lacking_at_all(&scenario, &config) {
        mistakes.error(Span::default(), format!("makes no sense at {}: {why}", profile.url));
    }
    mistakes.verdict().map(|()| scenario)
}
