//! `trialogue load`: measures a room broadcast against a server of its own, or one that is named.

mod args;
mod stage;

use std::io::Write as _;

use trialogue_loadtest::plan::Plan;
use trialogue_loadtest::result::{Document, Verdict};
use trialogue_loadtest::target::Target;
use trialogue_loadtest::{Progress, RunConfig, RunError, run as measure, show};
use trialogue_report::terminal::facts;

pub(crate) use args::Args;
use stage::Stage;

use super::Context;
use crate::account;
use crate::exit::{Exit, Failure};
use crate::out::{Out, closed};
use crate::play::{style, until};

/// Rooms and sockets are told in steps of so many parts of a hundred.
const STEP: u64 = 25;

/// Exits as [`args`] says.
pub(crate) async fn run(args: Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    args.place.check()?;
    let plan = args.plan.plan()?;
    if args.dry_run {
        return dry_run(&plan, out);
    }
    let stage = match &args.place.target {
        Some(_) => None,
        None => {
            let set = Stage::set(args.place.database_url.as_deref(), out);
            match until(&context.shutdown, set).await {
                None => return Ok(context.stopped()),
                Some(Ok(stage)) => Some(stage),
                Some(Err(error)) => {
                    let why = format!("no server of our own: {error:#}");
                    return Ok(out.verdict(Exit::COULD_NOT_RUN, "no_server", &why));
                }
            }
        }
    };
    let ran = play(&args, &plan, stage.as_ref(), context, out).await;
    if let Some(stage) = stage {
        stage.end().await?;
    }
    tell(ran?, context, out)
}

/// The run itself.
async fn play(
    args: &Args,
    plan: &Plan,
    stage: Option<&Stage>,
    context: &Context,
    out: &mut Out,
) -> anyhow::Result<Result<Document, RunError>> {
    let url = match (&args.place.target, stage) {
        (Some(url), _) => url.clone(),
        (None, Some(stage)) => stage.url()?,
        (None, None) => anyhow::bail!("there is neither a target nor a server"),
    };
    let http = account::http(&context.global, &url)?;
    let dialect = context.global.dialect.unwrap_or_default();
    let tool = format!("trialogue {}", env!("TRIALOGUE_VERSION"));
    let mut config = RunConfig::new(Target { http, dialect }, tool);
    config.slos.clone_from(&args.slos);
    let mut told = 0;
    let mut observer = |progress: &Progress| {
        if is_news(progress, &mut told) {
            out.say(&show::progress(progress));
        }
    };
    Ok(measure(plan, &config, &context.shutdown, &mut observer).await)
}

/// Whether a progress is worth a line; `told` is the step that was told last.
fn is_news(progress: &Progress, told: &mut u64) -> bool {
    let (done, all) = match progress {
        Progress::Rooms(done, all) => (*done as u64, *all as u64),
        Progress::Sockets(done, all) => (*done, *all),
        Progress::Second(_) | Progress::Draining => return true,
    };
    let step = done * 100 / all.max(1) / STEP;
    step != std::mem::replace(told, step) && step > 0
}

fn dry_run(plan: &Plan, out: &mut Out) -> anyhow::Result<Exit> {
    if out.is_json() {
        out.json(plan)?;
        return Ok(Exit::DONE);
    }
    for line in show::plan_lines(plan) {
        out.data(&line)?;
    }
    Ok(Exit::DONE)
}

fn tell(ran: Result<Document, RunError>, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let stopped = context.shutdown.is_cancelled();
    let document = match ran {
        Ok(document) => document,
        Err(RunError::Stopped) => return Ok(context.stopped()),
        Err(RunError::Plan(error)) => return Err(Failure::usage(error.to_string()).into()),
        Err(error @ (RunError::Cast(_) | RunError::CannotRun(_))) => {
            let why = error.to_string();
            return Ok(out.verdict(Exit::COULD_NOT_RUN, "could_not_run", &why));
        }
    };
    if out.is_json() {
        out.json(&document)?;
    } else {
        let table = facts(style(), &show::facts(&document));
        out.stdout().write_all(table.as_bytes()).map_err(closed)?;
    }
    let (exit, code) = match document.verdict {
        _ if stopped => (context.stopped(), "stopped"),
        Verdict::Passed => (Exit::DONE, "passed"),
        Verdict::Failed => (Exit::FAILED, "failed"),
        Verdict::Inconclusive => (Exit::INCONCLUSIVE, "inconclusive"),
    };
    Ok(out.verdict(exit, code, &document.why.join("; ")))
}
