//! `trialogue conform`: how well a Socket.IO server keeps to the protocol, ours or any other.
//!
//! The cases and their verdicts are `trialogue_socketio::conform`'s; here is only what runs them,
//! shows them and turns them into an exit code.

mod command;
mod judged;
mod show;
mod target;

use std::time::{Duration, Instant, SystemTime};

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use futures_util::StreamExt as _;
use glob::Pattern;
use trialogue_report::results::Results;
use trialogue_server::config::parse_duration;
use trialogue_socketio::conform::{Case, PROFILE, Subject, Suite, Target, cases, check_all};

use self::judged::Judged;
use self::show::Screen;
use super::Context;
use crate::exit::{ClosedPipe, Exit, Failure};
use crate::out::Out;
use crate::reports::ReportArgs;

/// Most cases at once: a server may count the connections of one address.
const JOBS_MAX: u16 = 16;
/// Longest `--patience`: nobody waits longer for one answer.
const PATIENCE_MAX: Duration = Duration::from_secs(600);

/// Arguments of `conform`.
#[derive(clap::Args)]
#[command(after_long_help = help())]
pub(crate) struct Args {
    #[command(flatten)]
    target: target::TargetArgs,
    /// Only these collections: the cases of the public suites for Engine.IO v4 and Socket.IO v5, or
    /// ours beyond them
    #[arg(long, value_name = "SUITE", value_delimiter = ',')]
    #[arg(value_parser = PossibleValuesParser::new(Suite::ALL.map(Suite::name)).map(|name| suite(&name)))]
    only: Vec<Suite>,
    /// Only cases whose name fits, such as 'sio5.connect.*'; again for more
    #[arg(long = "case", value_name = "GLOB")]
    case: Vec<Pattern>,
    /// List the cases and try nothing
    #[arg(long)]
    list: bool,
    /// How long an answer may take, and the longest heartbeat that is waited for: cases about a
    /// longer one do not apply (servers usually need 60s)
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = patience)]
    patience: Duration,
    /// Try so many cases at once; one after the other disturbs a server least
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=i64::from(JOBS_MAX)))]
    jobs: u16,
    /// Start the server with this command of a shell, and end it and its children afterwards
    #[arg(short = 'c', long, value_name = "COMMAND")]
    command: Option<String>,
    /// Let what is unimplemented and what is not strict count as failed
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    reports: ReportArgs,
}

/// What `--help` says below the flags.
fn help() -> String {
    format!(
        "Verdicts: ok; non-strict: not to the letter, and clients cope with it; unimplemented: the \
         server does not offer what the case needs; failed: against the protocol.\n\n\
         Exit codes: 0 no case failed, 1 a case failed, 2 usage, 3 a server could not be reached \
         or started, or refuses the log-in, 4 nothing could be judged, 5 a report could not be \
         written, 130 Ctrl-C, 143 SIGTERM\n\n\
         Any server can be checked. For every case to apply, it must be set up like this:\n\n\
         {PROFILE}"
    )
}

fn patience(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("no server answers in no time".to_owned()),
        long if long > PATIENCE_MAX => Err(format!("at most {}s", PATIENCE_MAX.as_secs())),
        patience => Ok(patience),
    }
}

fn suite(name: &str) -> Suite {
    // The parser before this one lets nothing else through.
    Suite::ALL.into_iter().find(|suite| suite.name() == name).unwrap_or(Suite::Ext)
}

impl Args {
    fn cases(&self) -> Result<Vec<Case>, Failure> {
        let mut cases = cases();
        cases.retain(|case| {
            let named = self.case.is_empty() || self.case.iter().any(|glob| glob.matches(case.id));
            named && (self.only.is_empty() || self.only.contains(&case.suite))
        });
        match cases.is_empty() {
            true => Err(Failure::usage("no case has such a name: --list shows them all")),
            false => Ok(cases),
        }
    }
}

/// Exits as [`help`] says; every report is written, whatever happens.
pub(crate) async fn run(args: Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let cases = args.cases()?;
    if args.list {
        return show::list(&cases, out);
    }
    let reports = args.reports.check(out)?;
    let targets = args.target.targets(args.patience, context)?;
    let (started, begin) = (SystemTime::now(), Instant::now());
    let mut judged = Vec::new();
    let mut screen = Screen::new(out, reports.take_stdout());
    // A reader that went away ends the check, but not before the reports are written.
    let shown = judge_all(&args, targets, &cases, context, &mut screen, &mut judged).await;
    let stopped = context.shutdown.is_cancelled().then(|| context.stopped());
    let results = Results {
        title: "trialogue conform".to_owned(),
        tool: format!("trialogue {}", env!("TRIALOGUE_VERSION")),
        started,
        took: begin.elapsed(),
        complete: shown.is_ok() && stopped.is_none(),
        suites: judged::suites(&judged, args.strict),
    };
    let mut faults = reports.write(&results, out);
    match shown {
        Err(error) if error.is::<ClosedPipe>() && faults.is_empty() => return Err(error),
        Err(error) if !error.is::<ClosedPipe>() => faults.push(format!("{error:#}")),
        Ok(()) | Err(_) => {}
    }
    let verdict = judged::decide(&judged, args.strict, stopped);
    let (exit, code, message) = judged::untold(&faults, verdict);
    Ok(out.verdict(exit, code, &message))
}

/// One target after the other; stops where it is when the verb is asked to.
async fn judge_all(
    args: &Args,
    targets: Vec<Target>,
    cases: &[Case],
    context: &Context,
    screen: &mut Screen<'_>,
    judged: &mut Vec<Judged>,
) -> anyhow::Result<()> {
    let command = match &args.command {
        None => None,
        Some(command) => match command::start(command, &targets, &context.shutdown).await {
            Ok(command) => Some(command),
            Err(why) => {
                judged.extend(targets.iter().map(|target| Judged::unreachable(target, &why)));
                let told = targets.iter().map(|target| screen.unreachable(&target.url, &why));
                return told.collect();
            }
        },
    };
    let mut shown = Ok(());
    for target in targets {
        if shown.is_err() || context.shutdown.is_cancelled() {
            break;
        }
        let (one, told) = judge(args, target, cases, context, screen).await;
        judged.extend(one);
        shown = told;
    }
    if let Some(command) = command {
        command.end().await;
    }
    shown?;
    screen.differences(judged)
}

/// What came of one target, and whether it could be shown; nothing when it was not even begun.
async fn judge(
    args: &Args,
    mut target: Target,
    cases: &[Case],
    context: &Context,
    screen: &mut Screen<'_>,
) -> (Option<Judged>, anyhow::Result<()>) {
    let stop = &context.shutdown;
    let (unreachable, url) = (Judged::unreachable(&target, ""), target.url.clone());
    let discovered = async {
        // Not before: the server may have been started just now.
        args.target.sign_in(&mut target, context).await?;
        Subject::discover(target).await
    };
    let subject = match stop.run_until_cancelled(discovered).await {
        None => return (None, Ok(())),
        Some(Err(why)) => {
            let told = screen.unreachable(&url, &why);
            return (Some(Judged { unreachable: Some(why), ..unreachable }), told);
        }
        Some(Ok(subject)) => subject,
    };
    let mut judged = Judged::new(&subject, cases.len());
    let mut told = screen.target(&judged);
    let mut stream = Box::pin(check_all(&subject, cases.to_vec(), usize::from(args.jobs)));
    while told.is_ok()
        && let Some(Some(checked)) = stop.run_until_cancelled(stream.next()).await
    {
        told = screen.case(&judged, &checked);
        judged.checked.push(checked);
    }
    told = told.and_then(|()| screen.summary(&judged));
    (Some(judged), told)
}
