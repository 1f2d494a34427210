//! `trialogue run`: plays scenarios against a server of its own, or one that is named.

use std::io::Write;
use std::time::Duration;

use serde_json::json;
use trialogue_report::terminal::facts;
use trialogue_scenarios::file::{self, Scenario};
use trialogue_scenarios::{Report, RunConfig, Target, run as play};
use trialogue_server::embedded::Cluster;
use url::Url;

use super::Context;
use crate::exit::{Exit, Failure};
use crate::library::{find, load};
use crate::out::{Out, closed};
use crate::play::{Screen, as_json, cluster, drop_database, server, style, table, until};

/// Most repetitions of one run.
const REPEAT_MAX: u32 = 10_000;

/// Arguments of `run`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Names of bundled scenarios, files, or folders with `*.scn.yaml`
    #[arg(required = true, value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// Play against this server instead of one of our own
    #[arg(long, value_name = "URL")]
    target: Option<Url>,
    /// Make the databases on this PostgreSQL server instead of the private one
    #[arg(long, value_name = "URL", env = "TRIALOGUE_TEST_DATABASE_URL")]
    database_url: Option<String>,
    /// Decides everything random: the same number, the same delays
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Play everything so many times
    #[arg(long, value_name = "TIMES", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(REPEAT_MAX)))]
    repeat: u32,
    /// Stop at the first scenario that does not hold
    #[arg(long)]
    fail_fast: bool,
    /// Draw what happens: the default for a single scenario
    #[arg(long)]
    diagram: bool,
}

/// Exits 0 when everything held, 1 when something did not, 2 when a file makes no sense.
pub(crate) async fn run(args: Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let scenarios = read_all(&args, out)?;
    let stop = &context.shutdown;
    let owned = match &args.target {
        Some(_) => None,
        None => match until(stop, cluster(args.database_url.as_deref(), out)).await {
            Some(cluster) => Some(cluster?),
            None => return Ok(Exit::INTERRUPTED),
        },
    };
    let done = play_all(&args, &scenarios, owned.as_ref(), context, out).await;
    if let Some(cluster) = owned {
        cluster.stop().await?;
    }
    done
}

/// Every file, before anything is started: a mistake in the last one is told first.
fn read_all(args: &Args, out: &mut Out) -> anyhow::Result<Vec<Scenario>> {
    let mut scenarios = Vec::new();
    let mut wrong = 0;
    for place in find(&args.scenarios)? {
        match file::read(&load(&place)?) {
            Ok(scenario) => scenarios.push(scenario),
            Err(mistakes) => {
                wrong += mistakes.found().len();
                out.say(&mistakes.to_string());
            }
        }
    }
    if wrong > 0 {
        return Err(Failure::usage(format!("mistakes: {wrong}; nothing was run")).into());
    }
    Ok(scenarios)
}

async fn play_all(
    args: &Args,
    scenarios: &[Scenario],
    cluster: Option<&Cluster>,
    context: &Context,
    out: &mut Out,
) -> anyhow::Result<Exit> {
    let drawn = (args.diagram || (scenarios.len() == 1 && args.repeat == 1)) && !out.is_json();
    let (mut held, mut of) = (0, 0);
    for _ in 0..args.repeat {
        for scenario in scenarios {
            of += 1;
            let Some(report) = play_one(args, scenario, cluster, drawn, context, out).await? else {
                return Ok(Exit::INTERRUPTED);
            };
            tell(scenario, &report, drawn, out)?;
            held += usize::from(report.passed());
            if args.fail_fast && !report.passed() {
                anyhow::bail!("{} did not hold", scenario.name);
            }
        }
    }
    if held < of {
        anyhow::bail!("{} of {of} scenarios did not hold", of - held);
    }
    Ok(Exit::DONE)
}

/// One scenario, on a server and a database of its own; `None` when it was interrupted.
async fn play_one(
    args: &Args,
    scenario: &Scenario,
    cluster: Option<&Cluster>,
    drawn: bool,
    context: &Context,
    out: &mut Out,
) -> anyhow::Result<Option<Report>> {
    let mut database = None;
    let target = match (&args.target, cluster) {
        (Some(url), _) => Target::Url(url.clone()),
        (None, Some(cluster)) => {
            let fresh = cluster.fresh_database("run").await?;
            let command = server(&fresh);
            database = Some(fresh);
            Target::Child(command?)
        }
        (None, None) => anyhow::bail!("there is neither a target nor a database"),
    };
    let mut config = RunConfig::new(target);
    config.seed = args.seed;
    let mut screen = Screen::new(scenario, drawn, out.stdout());
    let gone = screen.gone();
    let report = until(&gone, until(&context.shutdown, play(scenario, config, &mut screen))).await;
    let written = screen.end();
    if let Some(database) = database {
        drop_database(database).await;
    }
    written?;
    report.flatten().transpose().map_err(Into::into)
}

fn tell(scenario: &Scenario, report: &Report, drawn: bool, out: &mut Out) -> anyhow::Result<()> {
    let took = report.took;
    if out.is_json() {
        let mut document = as_json(report);
        document["scenario"] = json!(scenario.name);
        document["tookMs"] = json!(took.as_secs_f64() * 1_000.0);
        out.json(&document)?;
    } else if drawn {
        let text = format!("\n{}", facts(style(), &table(report, took)));
        out.stdout().write_all(text.as_bytes()).map_err(closed)?;
    } else {
        out.data(&line(scenario, report, took))?;
    }
    for failure in &report.failures {
        out.say(&format!("\n{failure}"));
    }
    Ok(())
}

fn line(scenario: &Scenario, report: &Report, took: Duration) -> String {
    let word = if report.passed() { "ok  " } else { "FAIL" };
    let (name, held, of) = (&scenario.name, report.held, report.of);
    format!(
        "{word} {name} ({held} of {of} held, {:.2} s, seed {})",
        took.as_secs_f64(),
        report.seed
    )
}
