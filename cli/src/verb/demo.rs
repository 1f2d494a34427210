//! `trialogue demo`: the whole flow, on a real database, between real processes, in one command.
//!
//! Owns everything that it needs: the database in the private PostgreSQL, and a `serve` of this
//! very program as a child. Nothing of it is left, whatever ends the demo.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use trialogue_report::terminal::facts;
use trialogue_scenarios::{Report, RunConfig, Target, bundled, file, run as play};
use trialogue_server::embedded::Database;

use crate::exit::Exit;
use crate::out::{Out, closed};
use crate::play::{Screen, as_json, cluster, drop_database, server, style, table, until};
use crate::verb::Context;

/// Arguments of `demo`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Make the demo's database on this PostgreSQL server instead of the private one
    #[arg(long, value_name = "URL", env = "TRIALOGUE_TEST_DATABASE_URL")]
    database_url: Option<String>,
    /// Decides every delay of a reconnect: the same number, the same delays
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Play it yourself: customer, provider and LSM side by side, with lines that can be cut
    #[arg(long, conflicts_with = "seed")]
    tui: bool,
    /// With --tui: a scenario plays the three, step by step (F8) or by itself (F9); a file or a
    /// name, dispute-join when none is given
    #[arg(long, value_name = "FILE|NAME", requires = "tui", num_args = 0..=1)]
    #[arg(default_missing_value = "dispute-join")]
    script: Option<String>,
}

impl Args {
    /// Whether it draws on the whole terminal.
    pub(crate) fn is_drawn(&self) -> bool {
        self.tui
    }
}

/// Plays the flow; exits 0 when every step held.
pub(crate) async fn run(args: Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    if args.tui {
        crate::verb::chat::may_draw(&context.global)?;
        let script = args.script.as_deref().map(crate::trio::read).transpose()?;
        return crate::trio::run(args.database_url.as_deref(), script, context, out).await;
    }
    let begin = Instant::now();
    let stop = &context.shutdown;
    let Some(cluster) = until(stop, cluster(args.database_url.as_deref(), out)).await else {
        return Ok(Exit::INTERRUPTED);
    };
    let cluster = cluster?;
    let database = cluster.fresh_database("demo").await?;
    out.say(&format!("PostgreSQL is ready ({:.2} s)", begin.elapsed().as_secs_f64()));
    let exit = until(stop, show(&args, &database, begin, out)).await;
    // The server is gone by now, however the show ended; so is nobody else in this database.
    drop_database(database).await;
    cluster.stop().await?;
    exit.unwrap_or(Ok(Exit::INTERRUPTED))
}

/// The scenario itself, drawn as it happens.
async fn show(
    args: &Args,
    database: &Database,
    begin: Instant,
    out: &mut Out,
) -> anyhow::Result<Exit> {
    let source = bundled("demo").context("the demo is not part of this program")?;
    let scenario = file::read(&source)?;
    let mut config = RunConfig::new(Target::Child(server(database)?));
    config.seed = args.seed;
    let drawn = !out.is_json();
    let mut screen = Screen::new(&scenario, drawn, out.stdout());
    let report = until(&screen.gone(), play(&scenario, config, &mut screen)).await;
    screen.end()?;
    let report = report.context("nobody reads any more")??;
    finish(&report, begin.elapsed(), out)
}

/// The table at the end, and every failure.
fn finish(report: &Report, took: Duration, out: &mut Out) -> anyhow::Result<Exit> {
    if out.is_json() {
        out.json(&as_json(report))?;
    } else {
        let text = format!("\n{}", facts(style(), &table(report, took)));
        out.stdout().write_all(text.as_bytes()).map_err(closed)?;
        out.stdout().flush().map_err(closed)?;
        if std::io::stderr().is_terminal() {
            out.say("to play the three yourself: trialogue demo --tui");
        }
    }
    for failure in &report.failures {
        out.say(&format!("\n{failure}"));
    }
    if report.passed() {
        return Ok(Exit::DONE);
    }
    anyhow::bail!("{} of {} steps and checks held", report.held, report.of)
}
