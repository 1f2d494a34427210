//! `trialogue load`: measures a room broadcast against a server of its own, or one that is named.

mod args;
mod file;
mod live;
mod outage;
mod phase;
mod place;
mod reports;
mod stage;
mod story;
mod unrest;
mod versus;
mod watch;

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use trialogue_client::Dialect;
use trialogue_loadtest::cast::{self, Room};
use trialogue_loadtest::find::{self, Search, Tried, Wanted};
use trialogue_loadtest::plan::Plan;
use trialogue_loadtest::remote::Far;
use trialogue_loadtest::result::{Document, Verdict};
use trialogue_loadtest::run::can_hold;
use trialogue_loadtest::target::Target;
use trialogue_loadtest::users::Renewal;
use trialogue_loadtest::{Outage, Progress, RunConfig, RunError, run_in, show};
use trialogue_report::terminal::facts;
use trialogue_scenarios::file::{Profile, Scenario};

pub(crate) use args::Args;
pub(crate) use file::schema;
use outage::Commands;
use place::Cast;
use stage::Stage;
use watch::Watchers;

use super::Context;
use crate::account;
use crate::args::Global;
use crate::exit::{Exit, Failure};
use crate::out::{Out, closed};
use crate::owned;
use crate::play::{table_style, until};

/// What is shown at the end.
enum Ran {
    One(Box<Document>),
    Search(Search),
}

/// Exits as [`args`] says; every report is written, whatever happens.
pub(crate) async fn run(args: Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let (args, given) = file::complete(args, context, out)?;
    args.turns.check(args.place.targets.len(), &args.reports)?;
    let profiles = args.place.profiles(context.global.dialect)?;
    let profile = profiles.first();
    reports::can_be_written(&args.reports, out)?;
    args.place.can_bind()?;
    let (plan, cast) = (args.plan.plan()?, args.place.cast(profile)?);
    let scenario = args.scenario.as_deref().map(|word| story::read(word, out)).transpose()?;
    let plan = if scenario.is_some() { story::plan(plan) } else { cast.fit(plan) };
    plan.check().map_err(|error| Failure::usage(error.to_string()))?;
    if let Some(path) = &args.write_plan {
        return write_plan(path, &file::write(&given, plan.seed), out);
    }
    args.plan.fits(&file::given(&context.settings))?;
    if let Some(wanted) = args.find {
        let acks = profile.is_none_or(|profile| profile.capabilities.acks);
        find::fits(wanted, &plan, &args.slos, acks).map_err(Failure::usage)?;
    }
    let far = args.place.far(profile)?;
    // So many threads of every machine.
    let machines = u32::try_from(far.len()).unwrap_or(u32::MAX).max(1);
    let plan = Plan { workers: plan.workers.saturating_mul(machines), ..plan };
    let plan = cast.fit(plan);
    if args.dry_run {
        return dry_run(&args, (&plan, &profiles), out);
    }
    if let [first, second] = profiles.as_slice() {
        return versus::run(&args, &plan, [first, second], context, out).await;
    }
    let stage = match profile {
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
    let place = (profile, stage.as_ref());
    let ran = match scenario {
        Some(scenario) => tell_story(&args, &plan, scenario, place, context, out).await,
        None => play(&args, &plan, (cast, far), place, context, out).await,
    };
    if let Some(stage) = stage {
        stage.end().await?;
    }
    tell(&args, ran?, context, out)
}

/// How a run against this server is made.
fn config_of(
    args: &Args,
    place: (Option<&Profile>, Option<&Stage>),
    context: &Context,
) -> anyhow::Result<RunConfig> {
    let (url, plain_http) = match place {
        (Some(profile), _) => (profile.url.clone(), profile.plain_http),
        (None, Some(stage)) => (stage.url()?, false),
        (None, None) => anyhow::bail!("there is neither a target nor a server"),
    };
    let plain_http = plain_http || context.global.plain_http;
    let http = account::http(&Global { plain_http, ..context.global.clone() }, &url)?;
    let dialect = place.0.map_or(Dialect::default(), |profile| profile.dialect);
    let mut target = Target::new(http, dialect);
    target.bind.clone_from(&args.place.bind);
    if let Some(profile) = place.0 {
        target.capabilities = profile.capabilities;
    }
    let tool = format!("trialogue {}", env!("TRIALOGUE_VERSION"));
    let mut config = RunConfig::new(target, tool);
    config.slos.clone_from(&args.slos);
    config.aborts.clone_from(&args.aborts);
    config.outage = outage(args, place.1);
    Ok(config)
}

/// Who takes the server away for a storm; nobody where connections are cut.
fn outage(args: &Args, stage: Option<&Stage>) -> Option<Arc<dyn Outage>> {
    let unrest = &args.plan.unrest;
    match (&unrest.end_with, &unrest.start_with, stage) {
        (Some(end), Some(start), _) => {
            Some(Arc::new(Commands { end: end.clone(), start: start.clone() }))
        }
        (_, _, Some(stage)) if !unrest.cut_only => Some(stage.server()),
        _ => None,
    }
}

/// A whole scenario as load.
async fn tell_story(
    args: &Args,
    plan: &Plan,
    scenario: Arc<Scenario>,
    place: (Option<&Profile>, Option<&Stage>),
    context: &Context,
    out: &mut Out,
) -> anyhow::Result<Result<Ran, RunError>> {
    let config = config_of(args, place, context)?;
    let told = story::play(scenario, plan, &config, place.0, context, out).await;
    Ok(told.map(|document| Ran::One(Box::new(document))))
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
    let mut config = config_of(args, place, context)?;
    config.only_ours = cast.is_alone();
    config.far = far;
    if let Some(wanted) = args.find {
        return Ok(search(wanted, plan, cast, config, context, out).await);
    }
    // Whoever looks at the screen may end the run without ending the program.
    let stop = context.shutdown.child_token();
    let own = place.1.and_then(Stage::pid);
    let mut watchers = Watchers::begin(&args.watch, (plan, &mut config), own, &stop, out).await?;
    let mut observer = |progress: &Progress| watchers.see(progress, out);
    let mut ran = measure(plan, cast, config, &stop, &mut observer).await;
    watchers.end(ran.as_mut().ok(), out).await;
    Ok(ran.map(|document| Ran::One(Box::new(document))))
}

/// Everybody has a room, and a token that is kept fresh as long as this is there.
struct Ready {
    rooms: Vec<Room>,
    /// The plan that fits them.
    plan: Plan,
    config: RunConfig,
    kept: JoinSet<()>,
}

impl Ready {
    async fn make(
        plan: &Plan,
        cast: Cast,
        mut config: RunConfig,
        stop: &CancellationToken,
        observer: &mut (dyn FnMut(&Progress) + Send),
    ) -> Result<Self, RunError> {
        if config.far.is_empty() {
            can_hold(plan.connections(), config.target.bind.len())?;
        }
        let all = plan.rooms as usize;
        let seats = cast.take_seats(&mut config.target, plan, |made| {
            observer(&Progress::Rooms(made, all.max(made)));
        });
        let (rooms, plan, renewal) = until(stop, seats).await.ok_or(RunError::Stopped)??;
        let mut kept = JoinSet::new();
        let lasts = renewal.as_ref().and_then(Renewal::lasts).filter(|_| !config.far.is_empty());
        if let Some(left) = lasts.filter(|left| left.as_micros() < u128::from(plan.length())) {
            return Err(RunError::CannotRun(format!(
                "a token ends in {} s, before the run does, and workers elsewhere get no newer one",
                left.as_secs()
            )));
        }
        if let Some(renewal) = renewal {
            kept.spawn(renewal.keep());
        }
        Ok(Self { rooms, plan, config, kept })
    }
}

/// Everybody takes a seat, and the run.
async fn measure(
    plan: &Plan,
    cast: Cast,
    config: RunConfig,
    stop: &CancellationToken,
    observer: &mut (dyn FnMut(&Progress) + Send),
) -> Result<Document, RunError> {
    let ready = Ready::make(plan, cast, config, stop, observer).await?;
    run_in(&ready.plan, &ready.config, ready.rooms.clone(), stop, observer).await
}

/// Tries values until one has held often enough. Rooms that more connections need are made on the way,
/// unless they are somebody else's.
async fn search(
    wanted: Wanted,
    plan: &Plan,
    cast: Cast,
    config: RunConfig,
    context: &Context,
    out: &mut Out,
) -> Result<Ran, RunError> {
    let stop = &context.shutdown;
    let mut ready = Ready::make(plan, cast, config, stop, &mut |_| {}).await?;
    let mut search = Search::new(wanted);
    while let Some(value) = search.next(wanted.of(&ready.plan)) {
        let plan = wanted.with(&ready.plan, value);
        let lacking =
            plan.rooms.saturating_sub(u32::try_from(ready.rooms.len()).unwrap_or(u32::MAX));
        // More than a plan may be, or than the rooms that are given, is more than can be found.
        if let Err(error) = plan.check() {
            search.bounded(error.to_string());
            continue;
        }
        if lacking > 0 && !ready.config.only_ours {
            search.bounded(format!("{} rooms are given", ready.rooms.len()));
            continue;
        }
        if lacking > 0 {
            let more = Plan { rooms: lacking, workers: 1, ..plan.clone() };
            let made = cast::make(&ready.config.target, &more, |_| {});
            let made = until(stop, made).await.ok_or(RunError::Stopped)??;
            ready.kept.spawn(made.renewal.keep());
            ready.rooms.extend(made.rooms);
        }
        let rooms = ready.rooms[..plan.rooms as usize].to_vec();
        let tried = match run_in(&plan, &ready.config, rooms, stop, &mut |_| {}).await {
            Ok(document) => Tried::new(value, &document),
            // What lets no more in is at its limit.
            Err(RunError::CannotRun(why)) => Tried::not_run(value, why, false),
            Err(RunError::NoRoom(why)) => Tried::not_run(value, why, true),
            Err(error) => return Err(error),
        };
        if stop.is_cancelled() {
            break;
        }
        out.say(&show::tried(wanted, &tried));
        search.came(tried);
    }
    Ok(Ran::Search(search))
}

fn write_plan(path: &Path, text: &str, out: &mut Out) -> anyhow::Result<Exit> {
    if path == Path::new("-") {
        out.data(text.trim_end())?;
    } else {
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(Exit::DONE)
}

fn dry_run(
    args: &Args,
    (plan, profiles): (&Plan, &[Profile]),
    out: &mut Out,
) -> anyhow::Result<Exit> {
    if out.is_json() {
        out.json(plan)?;
        return Ok(Exit::DONE);
    }
    for profile in profiles {
        let (url, dialect) = (owned::shown(&profile.url), profile.dialect);
        out.data(&format!("target {url} ({dialect})"))?;
    }
    let own_echo = profiles.iter().all(|profile| profile.capabilities.own_echo);
    for line in show::plan_lines(plan, own_echo) {
        out.data(&line)?;
    }
    for slo in &args.slos {
        out.data(&format!("objective {slo}"))?;
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
        Err(error) => return not_run(error, context, out),
    };
    let (exit, code) = match verdict {
        _ if stopped => (context.stopped(), "stopped"),
        Verdict::Passed => (Exit::DONE, "passed"),
        Verdict::Failed => (Exit::FAILED, "failed"),
        Verdict::Inconclusive => (Exit::INCONCLUSIVE, "inconclusive"),
    };
    Ok(out.verdict(exit, code, &why))
}

/// How it ends when there is no result.
fn not_run(error: RunError, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    match error {
        RunError::Stopped => Ok(context.stopped()),
        RunError::Plan(error) => Err(Failure::usage(error.to_string()).into()),
        error @ (RunError::Cast(_) | RunError::CannotRun(_) | RunError::NoRoom(_)) => {
            Ok(out.verdict(Exit::COULD_NOT_RUN, "could_not_run", &error.to_string()))
        }
    }
}

fn show_document(args: &Args, document: &Document, out: &mut Out) -> anyhow::Result<()> {
    if out.is_json() {
        return out.json(document);
    }
    if reports::take_stdout(&args.reports) {
        return Ok(());
    }
    let table = facts(table_style(), &show::facts(document));
    out.stdout().write_all(table.as_bytes()).map_err(closed)
}
