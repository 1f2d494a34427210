//! `load --target A --target B --interleave`: two servers that take turns, and what the second does
//! otherwise.

use std::io::Write as _;

use trialogue_loadtest::plan::Plan;
use trialogue_loadtest::versus::{PAIRS_MAX, Turn, Versus, facts, interleave};
use trialogue_loadtest::{Progress, RunError, show};
use trialogue_report::terminal;
use trialogue_scenarios::file::Profile;

use super::reports::{self, Report};
use super::{Args, Ready, config_of, not_run};
use crate::exit::{Exit, Failure};
use crate::out::{Out, closed};
use crate::play::table_style;
use crate::verb::Context;
use crate::{measured, owned};

/// How two servers take turns.
#[derive(clap::Args)]
pub(super) struct TurnArgs {
    /// Let two targets take turns (A B, B A, A B ...) with the same plan and seeds, and tell what the
    /// second does otherwise, with intervals
    #[arg(long, requires = "targets", conflicts_with_all = ["workers", "find"])]
    pub(super) interleave: bool,
    /// So many turns of each; the time of --for is shared out among them
    #[arg(long, value_name = "COUNT", default_value_t = 6, requires = "interleave")]
    #[arg(value_parser = clap::value_parser!(u32).range(2..=i64::from(PAIRS_MAX)))]
    pairs: u32,
}

impl TurnArgs {
    /// Whether there are as many targets as take turns, and reports that can tell of them.
    pub(super) fn check(&self, targets: usize, reports: &[Report]) -> Result<(), Failure> {
        match (self.interleave, targets) {
            (true, 2) => {}
            (true, _) => {
                return Err(Failure::usage("--interleave is for two: --target A --target B"));
            }
            (false, 0 | 1) => return Ok(()),
            (false, _) => return Err(Failure::usage("two targets take turns with --interleave")),
        }
        measured::can_tell_two(reports.iter().map(|one| one.format))
    }
}

/// Exits as one run does, by the worse of both verdicts.
pub(super) async fn run(
    args: &Args,
    plan: &Plan,
    profiles: [&Profile; 2],
    context: &Context,
    out: &mut Out,
) -> anyhow::Result<Exit> {
    match compare(args, plan, profiles, context, out).await? {
        Ok(versus) => tell(args, &versus, context, out),
        // Before both had a turn.
        Err(_) if context.shutdown.is_cancelled() => Ok(context.stopped()),
        Err(error) => not_run(error, context, out),
    }
}

async fn compare(
    args: &Args,
    plan: &Plan,
    profiles: [&Profile; 2],
    context: &Context,
    out: &mut Out,
) -> anyhow::Result<Result<Versus, RunError>> {
    let stop = &context.shutdown;
    let mut ready = Vec::new();
    for profile in profiles {
        let cast = args.place.cast(Some(profile))?;
        let mut config = config_of(args, (Some(profile), None), context)?;
        config.only_ours = cast.is_alone();
        match Ready::make(plan, cast, config, stop, &mut |_| {}).await {
            Ok(one) => ready.push(one),
            Err(error @ (RunError::Stopped | RunError::Plan(_))) => return Ok(Err(error)),
            Err(error) => {
                let why = format!("{}: {error}", owned::shown(&profile.url));
                return Ok(Err(RunError::CannotRun(why)));
            }
        }
    }
    let [first, second] = ready.as_slice() else { anyhow::bail!("two targets take turns") };
    // As many rooms as both have.
    let rooms = first.plan.rooms.min(second.plan.rooms);
    let plan = Plan { rooms, workers: plan.workers.min(rooms), ..plan.clone() };
    let pairs = args.turns.pairs;
    let mut observer = |turn: Turn<'_>| match turn {
        Turn::Begins { pair, side } => {
            let target = profiles.get(side).map_or("", |profile| profile.url.as_str());
            out.say(&format!("pair {} of {pairs}: {target}", pair + 1));
        }
        Turn::Goes(progress @ Progress::Second(_)) => out.say(&show::progress(progress)),
        Turn::Goes(_) => {}
    };
    let side = |one: &Ready| one.rooms.iter().take(rooms as usize).cloned().collect::<Vec<_>>();
    let sides = [(&first.config, side(first)), (&second.config, side(second))];
    Ok(interleave(&plan, sides, pairs, stop, &mut observer).await)
}

fn tell(args: &Args, versus: &Versus, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let reports = args.reports.iter().map(|Report { format, place }| (*format, place));
    let faults = measured::write_two(reports, versus, out);
    if out.is_json() {
        out.json(versus)?;
    } else if !reports::take_stdout(&args.reports) {
        let table = terminal::facts(table_style(), &facts(versus));
        out.stdout().write_all(table.as_bytes()).map_err(closed)?;
    }
    if !faults.is_empty() {
        return Ok(out.verdict(Exit::INTERNAL, "no_report", &faults.join("; ")));
    }
    let (exit, code) = match context.shutdown.is_cancelled() {
        true => (context.stopped(), "stopped"),
        false => measured::exit_of(versus.verdict()),
    };
    Ok(out.verdict(exit, code, &versus.why().join("; ")))
}
