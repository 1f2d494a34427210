//! `trialogue run`: plays scenarios against a server of its own, or one that is named.
//!
//! What is played and judged is the engine's; here is what is chosen, shown and written, and what
//! the exit code is. Everything runs in one task: a scenario waits nearly all of its time.

mod choose;
mod judged;
mod log;
mod plan;
mod play;
mod steps;
mod verdict;
mod watch;

use std::time::{Instant, SystemTime};

use clap::ValueEnum;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use trialogue_report::results::Results;
use trialogue_scenarios::boundaries;
use trialogue_scenarios::file::Scenario;
use trialogue_server::embedded::Cluster;

use self::choose::{Chosen, Round};
use self::judged::Played;
use self::log::Log;
use super::Context;
use crate::exit::{Exit, Failure};
use crate::out::Out;
use crate::play::{cluster, until};
use crate::reports::{ReportArgs, Reports};

/// Most repetitions of one run.
const REPEAT_MAX: u32 = 10_000;
/// Of so many rounds everything is kept for the reports; of more, only where something went wrong.
const KEPT_MAX: usize = 200;
/// Most scenarios that a report names because nothing was begun of them.
const NOT_BEGUN_MAX: usize = 1_000;
/// Most scenarios at once: each has a server and a database.
const JOBS_MAX: u16 = 64;

/// Arguments of `run`.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    chosen: choose::ChooseArgs,
    /// Play against this server instead of one of our own: a URL, a profile, or the name of a
    /// profile in targets/
    #[arg(long, value_name = "TARGET", env = "TRIALOGUE_TARGET")]
    target: Option<String>,
    /// Make the databases on this PostgreSQL server instead of the private one
    #[arg(long, value_name = "URL", env = "TRIALOGUE_TEST_DATABASE_URL")]
    database_url: Option<String>,
    /// Play so many scenarios at once [default: one for each core]
    #[arg(long, short, value_name = "NUMBER", env = "TRIALOGUE_JOBS")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=i64::from(JOBS_MAX)))]
    jobs: Option<u16>,
    /// Decides everything random: the same number, the same delays
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Play everything so many times
    #[arg(long, value_name = "TIMES")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(REPEAT_MAX)))]
    repeat: Option<u32>,
    /// Repeat until something does not hold, at most as often as --repeat says [default: 10000]
    #[arg(long)]
    until_fail: bool,
    /// Kill the server and start it again before the step of this number, or once before `each`
    #[arg(long, value_name = "STEP|each", conflicts_with = "watch")]
    crash_at: Option<CrashAt>,
    /// Play only up to the step of this id, and what stands under `always`
    #[arg(long, value_name = "ID")]
    until: Option<String>,
    /// Let `exec` steps run programs of the file's own: only of files that you trust
    #[arg(long, env = "TRIALOGUE_ALLOW_EXEC")]
    allow_exec: bool,
    /// Say what would be played, by whom and until where, and start nothing
    #[arg(long, conflicts_with_all = ["watch", "step"])]
    dry_run: bool,
    /// Begin nothing new after the first scenario that does not hold; what is left is in the reports
    #[arg(long)]
    fail_fast: bool,
    /// Play again whenever a file changes
    #[arg(long, conflicts_with_all = ["repeat", "until_fail"])]
    watch: bool,
    /// Wait for Enter before each step
    #[arg(long, conflicts_with_all = ["watch", "until_fail"])]
    step: bool,
    /// Let what the target does not offer count as failed
    #[arg(long)]
    strict: bool,
    /// Exit 0 whatever comes of it, once it could be played
    #[arg(long)]
    exit_zero: bool,
    /// Draw what happens [default for a single scenario: ascii]
    #[arg(long, value_enum, value_name = "KIND", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "ascii")]
    diagram: Option<Diagram>,
    /// Keep a journal of everything that goes over the wire, of every run or of those that fail
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = TraceWhen::Off)]
    trace: TraceWhen,
    /// Where journals go
    #[arg(long, value_name = "FOLDER", default_value = "trialogue-traces")]
    trace_dir: std::path::PathBuf,
    #[command(flatten)]
    reports: ReportArgs,
}

/// What `--help` says below the flags.
const HELP: &str = "\
Without --target, every scenario gets a server and a database of its own, and nothing of them is \
left.\n\n\
Exit codes: 0 everything held (what a target does not offer is counted, and fails under --strict), \
1 something did not hold, 2 usage or a wrong file, 3 could not run: no server, no database, no \
account, 4 nothing follows from what was seen, or nothing was played, 5 internal, such as a report that cannot be \
written, 130 Ctrl-C, 143 SIGTERM. The worst of 5, 3, 1, 4 wins. Reports are written whatever ends \
the run.";

/// Where the server is to crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CrashAt {
    Each,
    Step(usize),
}

impl std::str::FromStr for CrashAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let step = || text.parse::<usize>().ok().and_then(|step| step.checked_sub(1));
        match text {
            "each" => Ok(Self::Each),
            _ => {
                step().map(Self::Step).ok_or_else(|| "a step's number from 1, or `each`".to_owned())
            }
        }
    }
}

/// The turns of one scenario: one without a crash, or one for each crash.
fn crashes(crash_at: Option<CrashAt>, scenario: &Scenario) -> Vec<Option<usize>> {
    match crash_at {
        None => vec![None],
        Some(CrashAt::Step(step)) => vec![Some(step)],
        Some(CrashAt::Each) => (0..boundaries(scenario)).map(Some).collect(),
    }
}

/// How a story is drawn on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Diagram {
    /// Characters, as it happens
    Ascii,
    /// Mermaid, at the end
    Mermaid,
    /// SVG, at the end
    Svg,
    /// Not at all
    None,
}

/// Which journals are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TraceWhen {
    /// Of every scenario
    On,
    /// Of scenarios that do not hold
    Failed,
    /// None
    Off,
}

/// Exits as [`HELP`] says.
pub(crate) async fn run(args: Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    if args.chosen.list {
        return choose::list(&args.chosen, out);
    }
    args.check()?;
    let reports = args.reports.check(out)?;
    loop {
        let changed = watch::Look::at(&args.chosen)?;
        let exit = match args.chosen.choose(&args, context, out) {
            Ok(chosen) if args.dry_run => return plan::show(&args, &chosen, out),
            Ok(chosen) => once(&args, &chosen, &reports, context, out).await?,
            // Whoever is writing a file makes mistakes in it.
            Err(error) if args.watch => out.error(&error),
            Err(error) => return Err(error),
        };
        if !args.watch || context.shutdown.is_cancelled() {
            return Ok(exit);
        }
        out.say("\nwaiting for a change (Ctrl-C ends)");
        if until(&context.shutdown, changed.wait()).await.is_none() {
            return Ok(context.stopped());
        }
        out.say("");
    }
}

/// All rounds, the reports, and the last line.
async fn once(
    args: &Args,
    chosen: &[Chosen],
    reports: &Reports,
    context: &Context,
    out: &mut Out,
) -> anyhow::Result<Exit> {
    if chosen.is_empty() {
        // `choose` has refused this, or was told that it is fine.
        out.say("no scenario to play");
        return Ok(Exit::DONE);
    }
    let (started, begin) = (SystemTime::now(), Instant::now());
    let mut played = Vec::new();
    let mut not_begun = Vec::new();
    let told = (&mut played, &mut not_begun);
    let shown = all(args, chosen, reports, context, out, told).await;
    let stopped = context.shutdown.is_cancelled().then(|| context.stopped());
    let results = Results {
        title: "trialogue run".to_owned(),
        tool: format!("trialogue {}", env!("TRIALOGUE_VERSION")),
        started,
        took: begin.elapsed(),
        complete: shown.is_ok() && stopped.is_none(),
        suites: judged::suites(&mut played, &not_begun, args.strict, started),
    };
    let mut faults = reports.write(&results, out);
    match shown {
        Err(error) if error.is::<crate::exit::ClosedPipe>() && faults.is_empty() => {
            return Err(error);
        }
        // No database, no such cluster: nobody could be asked anything.
        Err(error) if played.is_empty() && stopped.is_none() => {
            return Ok(out.verdict(Exit::COULD_NOT_RUN, "could_not_run", &format!("{error:#}")));
        }
        Err(error) if !error.is::<crate::exit::ClosedPipe>() => faults.push(format!("{error:#}")),
        Ok(()) | Err(_) => {}
    }
    let sum = verdict::sum(&played, &results, args.strict);
    if !out.is_json() && !reports.take_stdout() && played.len() > 1 {
        out.data(&sum)?;
    }
    let (exit, code, message) = verdict::decide(&played, args.strict, stopped, &faults);
    if args.exit_zero && [Exit::FAILED, Exit::INCONCLUSIVE].contains(&exit) {
        out.say(&format!("exit 0 (--exit-zero): {message}"));
        return Ok(Exit::DONE);
    }
    Ok(out.verdict(exit, code, &message))
}

/// Plays everything, so many at once; what was begun when the verb is told to stop ends early.
async fn all(
    args: &Args,
    chosen: &[Chosen],
    reports: &Reports,
    context: &Context,
    out: &mut Out,
    told: (&mut Vec<Played>, &mut Vec<String>),
) -> anyhow::Result<()> {
    let stop = &context.shutdown;
    let owned = match chosen.iter().any(|chosen| chosen.profile.is_none()) {
        true => match until(stop, cluster(args.database_url.as_deref(), out)).await {
            Some(cluster) => Some(cluster?),
            None => return Ok(()),
        },
        false => None,
    };
    let done = rounds(args, chosen, owned.as_ref(), reports, context, out, told).await;
    if let Some(cluster) = owned {
        cluster.stop().await?;
    }
    done
}

async fn rounds(
    args: &Args,
    chosen: &[Chosen],
    cluster: Option<&Cluster>,
    reports: &Reports,
    context: &Context,
    out: &mut Out,
    (played, not_begun): (&mut Vec<Played>, &mut Vec<String>),
) -> anyhow::Result<()> {
    let repeat = args.repeat.unwrap_or(if args.until_fail { REPEAT_MAX } else { 1 });
    let single = chosen.len() == 1 && repeat == 1 && args.crash_at.is_none();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cores = u16::try_from(cores).unwrap_or(1).min(JOBS_MAX);
    // Only one step at a time can be waited for, and a server that one scenario starts or torments
    // is the server of the others.
    let alone = args.step || {
        let crashes = args.crash_at.is_some();
        chosen.iter().any(|chosen| chosen.needs_the_server_alone(crashes))
    };
    let jobs = if alone { 1 } else { args.jobs.unwrap_or(cores) };
    let log = Log::new(args, single, reports.take_stdout(), chosen, out);
    let mut waiting = (1..=repeat).flat_map(|n| {
        chosen.iter().enumerate().flat_map(move |(at, of)| {
            let crashes = crashes(args.crash_at, &of.scenario).into_iter();
            crashes.map(move |crash_at| Round { of, n, repeat, crash_at, at })
        })
    });
    let mut going = FuturesUnordered::new();
    let mut failed = false;
    loop {
        let ends = context.shutdown.is_cancelled()
            || log.is_gone()
            || (failed && (args.fail_fast || args.until_fail));
        while !ends && going.len() < usize::from(jobs) {
            let Some(round) = waiting.next() else { break };
            going.push(play::one(args, round, cluster, context, &log));
        }
        let Some(mut one) = going.next().await else { break };
        failed |= one.is_bad(args.strict);
        log.played(&one);
        if played.len() >= KEPT_MAX && !one.is_bad(args.strict) {
            one.forget_the_story();
        }
        played.push(one);
    }
    if context.shutdown.is_cancelled() || (failed && args.fail_fast) {
        not_begun.extend(waiting.take(NOT_BEGUN_MAX).map(|round| round.name()));
    }
    played.sort_by_key(|played| played.place);
    drop(going);
    log.end()
}

impl Args {
    /// Why the arguments do not make sense together at this terminal.
    fn check(&self) -> Result<(), Failure> {
        let blind = self.step && !std::io::IsTerminal::is_terminal(&std::io::stdin());
        match blind {
            true => Err(Failure::usage("--step asks at the terminal, and there is none")),
            false => Ok(()),
        }
    }
}
