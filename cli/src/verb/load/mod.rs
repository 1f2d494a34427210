//! `trialogue load`: measures a room broadcast against a server of its own, or one that is named.

mod args;
mod reports;
mod stage;

use std::io::Write as _;

use trialogue_loadtest::cast::{self, Room};
use trialogue_loadtest::find::{Search, Tried, Wanted};
use trialogue_loadtest::plan::Plan;
use trialogue_loadtest::result::{Document, Verdict};
use trialogue_loadtest::target::Target;
use trialogue_loadtest::{Progress, RunConfig, RunError, run_in, seats, show};
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

/// What is shown at the end.
enum Ran {
    One(Box<Document>),
    Search(Search),
}

/// Exits as [`args`] says; every report is written, whatever happens.
pub(crate) async fn run(args: Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    args.place.check()?;
    reports::can_be_written(&args.reports, out)?;
    let (plan, rooms) = (args.plan.plan()?, args.place.seats()?);
    let plan = rooms.as_ref().map_or(plan.clone(), |rooms| seats::fit(plan, rooms));
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
    let ran = play(&args, &plan, rooms, stage.as_ref(), context, out).await;
    if let Some(stage) = stage {
        stage.end().await?;
    }
    tell(&args, ran?, context, out)
}

/// The run itself, or the search.
async fn play(
    args: &Args,
    plan: &Plan,
    rooms: Option<Vec<Room>>,
    stage: Option<&Stage>,
    context: &Context,
    out: &mut Out,
) -> anyhow::Result<Result<Ran, RunError>> {
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
    config.only_ours = rooms.is_none();
    let ran = measure(args.find, plan, rooms, &config, context, out).await;
    Ok(ran)
}

async fn measure(
    find: Option<Wanted>,
    plan: &Plan,
    rooms: Option<Vec<Room>>,
    config: &RunConfig,
    context: &Context,
    out: &mut Out,
) -> Result<Ran, RunError> {
    let stop = &context.shutdown;
    let mut told = 0;
    let mut observer = |progress: &Progress| {
        if is_news(progress, &mut told) {
            out.say(&show::progress(progress));
        }
    };
    let rooms = match rooms {
        Some(rooms) => rooms,
        None => {
            let all = plan.rooms as usize;
            let made = cast::make(&config.target, plan, |made| {
                observer(&Progress::Rooms(made, all));
            });
            until(stop, made).await.ok_or(RunError::Stopped)??
        }
    };
    let Some(wanted) = find else {
        let document = run_in(plan, config, rooms, stop, &mut observer).await?;
        return Ok(Ran::One(Box::new(document)));
    };
    let mut search = Search::new(wanted);
    while let Some(value) = search.next(wanted.of(plan)) {
        let plan = wanted.with(plan, value);
        // More than a plan may be is more than can be found.
        if plan.check().is_err() {
            break;
        }
        let document = run_in(&plan, config, rooms.clone(), stop, &mut |_| {}).await?;
        if stop.is_cancelled() {
            break;
        }
        let tried = Tried::new(value, &document);
        out.say(&show::tried(wanted, &tried));
        search.came(tried);
    }
    Ok(Ran::Search(search))
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

fn tell(
    args: &Args,
    ran: Result<Ran, RunError>,
    context: &Context,
    out: &mut Out,
) -> anyhow::Result<Exit> {
    let stopped = context.shutdown.is_cancelled();
    let (verdict, why) = match ran {
        Ok(Ran::One(document)) => {
            let faults = reports::write(&args.reports, &document, out);
            show_document(args, &document, out)?;
            if !faults.is_empty() {
                return Ok(out.verdict(Exit::INTERNAL, "no_report", &faults.join("; ")));
            }
            (document.verdict, document.why.join("; "))
        }
        Ok(Ran::Search(search)) => {
            let sentence = search.sentence();
            if out.is_json() {
                out.json(&search)?
            } else {
                out.data(&sentence)?
            }
            (search.verdict(), sentence)
        }
        Err(RunError::Stopped) => return Ok(context.stopped()),
        Err(RunError::Plan(error)) => return Err(Failure::usage(error.to_string()).into()),
        Err(error @ (RunError::Cast(_) | RunError::CannotRun(_))) => {
            let why = error.to_string();
            return Ok(out.verdict(Exit::COULD_NOT_RUN, "could_not_run", &why));
        }
    };
    let (exit, code) = match verdict {
        _ if stopped => (context.stopped(), "stopped"),
        Verdict::Passed => (Exit::DONE, "passed"),
        Verdict::Failed => (Exit::FAILED, "failed"),
        Verdict::Inconclusive => (Exit::INCONCLUSIVE, "inconclusive"),
    };
    Ok(out.verdict(exit, code, &why))
}

fn show_document(args: &Args, document: &Document, out: &mut Out) -> anyhow::Result<()> {
    if out.is_json() {
        return out.json(document);
    }
    if reports::take_stdout(&args.reports) {
        return Ok(());
    }
    let table = facts(style(), &show::facts(document));
    out.stdout().write_all(table.as_bytes()).map_err(closed)
}
