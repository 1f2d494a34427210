//! `trialogue load`: measures a room broadcast against a server of its own, or one that is named.

mod args;
mod place;
mod reports;
mod stage;

use std::io::Write as _;

use trialogue_client::Dialect;
use trialogue_loadtest::find::{Search, Tried, Wanted};
use trialogue_loadtest::plan::Plan;
use trialogue_loadtest::remote::Far;
use trialogue_loadtest::result::{Document, Verdict};
use trialogue_loadtest::run::can_hold;
use trialogue_loadtest::target::Target;
use trialogue_loadtest::{Progress, RunConfig, RunError, run_in, show};
use trialogue_report::terminal::facts;
use trialogue_scenarios::file::Profile;

pub(crate) use args::Args;
use place::Cast;
use stage::Stage;

use super::Context;
use crate::account;
use crate::args::Global;
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
    let profile = args.place.profile(context.global.dialect)?;
    reports::can_be_written(&args.reports, out)?;
    let (plan, cast) = (args.plan.plan()?, args.place.cast(profile.as_ref())?);
    let far = args.place.far(profile.as_ref())?;
    // So many threads of every machine.
    let machines = u32::try_from(far.len()).unwrap_or(u32::MAX).max(1);
    let plan = Plan { workers: plan.workers.saturating_mul(machines), ..plan };
    let plan = cast.fit(plan);
    if args.dry_run {
        return dry_run(&plan, out);
    }
    let stage = match &profile {
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
    let place = (profile.as_ref(), stage.as_ref());
    let ran = play(&args, &plan, (cast, far), place, context, out).await;
    if let Some(stage) = stage {
        stage.end().await?;
    }
    tell(&args, ran?, context, out)
}

/// The run itself, or the search.
async fn play(
    args: &Args,
    plan: &Plan,
    (cast, far): (Cast, Vec<Far>),
    place: (Option<&Profile>, Option<&Stage>),
    context: &Context,
    out: &mut Out,
) -> anyhow::Result<Result<Ran, RunError>> {
    let (url, plain_http) = match place {
        (Some(profile), _) => (profile.url.clone(), profile.plain_http),
        (None, Some(stage)) => (stage.url()?, false),
        (None, None) => anyhow::bail!("there is neither a target nor a server"),
    };
    let plain_http = plain_http || context.global.plain_http;
    let http = account::http(&Global { plain_http, ..context.global.clone() }, &url)?;
    let dialect = place.0.map_or(Dialect::default(), |profile| profile.dialect);
    let mut target = Target::new(http, dialect);
    if let Some(profile) = place.0 {
        target.capabilities = profile.capabilities;
    }
    let tool = format!("trialogue {}", env!("TRIALOGUE_VERSION"));
    let mut config = RunConfig::new(target, tool);
    config.slos.clone_from(&args.slos);
    config.only_ours = cast.is_alone();
    config.far = far;
    let ran = measure(args.find, plan, cast, config, context, out).await;
    Ok(ran)
}

async fn measure(
    find: Option<Wanted>,
    plan: &Plan,
    cast: Cast,
    mut config: RunConfig,
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
    if config.far.is_empty() {
        can_hold(plan.sockets())?;
    }
    let all = plan.rooms as usize;
    let seats = cast.take_seats(&mut config.target, plan, |made| {
        observer(&Progress::Rooms(made, all.max(made)));
    });
    let (rooms, plan, renewal) = until(stop, seats).await.ok_or(RunError::Stopped)??;
    let (plan, config) = (&plan, &config);
    // Ends with this function.
    let mut kept = tokio::task::JoinSet::new();
    if let Some(renewal) = renewal {
        kept.spawn(renewal.keep());
    }
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
