//! `trialogue demo`: the whole flow, on a real database, between real processes, in one command.
//!
//! Owns everything that it needs: the database in the private PostgreSQL, and a `serve` of this
//! very program as a child. Nothing of it is left, whatever ends the demo.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use trialogue_faults::{LISTEN, ServerCommand};
use trialogue_report::diagram::{Row, Tone};
use trialogue_report::terminal::{Renderer, Style, facts};
use trialogue_scenarios::{Observer, Report, RunConfig, Target, bundled, cast, file, run as play};
use trialogue_server::embedded::{Cluster, Database, Options};

use crate::exit::Exit;
use crate::out::{Out, closed};
use crate::verb::Context;

/// Longest time that dropping the database may take at the end.
const TIDY_WITHIN: Duration = Duration::from_secs(10);

/// Arguments of `demo`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Make the demo's database on this PostgreSQL server instead of the private one
    #[arg(long, value_name = "URL", env = "TRIALOGUE_TEST_DATABASE_URL")]
    database_url: Option<String>,
    /// Decides every delay of a reconnect: the same number, the same delays
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

/// Plays the flow; exits 0 when every step held.
pub(crate) async fn run(args: Args, context: &Context, out: &mut Out) -> anyhow::Result<Exit> {
    let begin = Instant::now();
    let stop = &context.shutdown;
    let Some(cluster) = until(stop, cluster(&args, out)).await else {
        return Ok(Exit::INTERRUPTED);
    };
    let cluster = cluster?;
    let database = cluster.fresh_database("demo").await?;
    out.say(&format!("PostgreSQL is ready ({:.2} s)", begin.elapsed().as_secs_f64()));
    let exit = until(stop, show(&args, &database, begin, out)).await;
    // The server is gone by now, however the show ended; so is nobody else in this database.
    let tidied = tokio::time::timeout(TIDY_WITHIN, database.drop_database()).await;
    if !matches!(tidied, Ok(Ok(()))) {
        tracing::warn!("the demo's database is left for the next start to drop");
    }
    cluster.stop().await?;
    exit.unwrap_or(Ok(Exit::INTERRUPTED))
}

/// What comes of `work`, or nothing when the demo is told to stop first.
async fn until<T>(stop: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        came = work => Some(came),
        () = stop.cancelled() => None,
    }
}

/// The private PostgreSQL, or a server of somebody else's; what takes long is said aloud.
async fn cluster(args: &Args, out: &mut Out) -> anyhow::Result<Cluster> {
    if let Some(url) = &args.database_url {
        return Ok(Cluster::external(url).await?);
    }
    // A handful of notices at most; one that finds no room is in the log anyway.
    let (tell, mut told) = mpsc::channel(8);
    let options = Options::from_env().with_listener(move |notice| {
        if tell.try_send(notice.to_string()).is_err() {
            tracing::info!("{notice}");
        }
    });
    let start = Cluster::persistent_with(&options);
    tokio::pin!(start);
    loop {
        tokio::select! {
            cluster = &mut start => return Ok(cluster?),
            Some(notice) = told.recv() => out.say(&notice),
        }
    }
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
    let style = Style::from_env(width(), |name| std::env::var(name).ok());
    let json = out.is_json();
    let gone = CancellationToken::new();
    let mut screen = Screen {
        renderer: (!json).then(|| Renderer::new(style, cast(&scenario))),
        out: out.stdout(),
        failed: None,
        gone: gone.clone(),
    };
    let report = until(&gone, play(&scenario, config, &mut screen)).await;
    if let Some(error) = screen.failed {
        return Err(closed(error));
    }
    let report = report.context("nobody reads any more")??;
    finish(&report, style, begin.elapsed(), out)
}

/// This very program as a server, with this database.
fn server(database: &Database) -> anyhow::Result<ServerCommand> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let args = ["serve", "--json", "--exit-with-stdin", "--open-registration"];
    let listen = ["--listen", LISTEN, "--limits", "bench", "--ping-interval", "5s"];
    let args = args.into_iter().chain(listen);
    // The URL goes by the environment: arguments are for everybody to see.
    Ok(ServerCommand::new(program, args).env("DATABASE_URL", &database.url()))
}

/// Columns of the terminal, where there is one.
fn width() -> Option<usize> {
    #[cfg(unix)]
    if io::stdout().is_terminal() {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
        return (size.ws_col > 0).then_some(usize::from(size.ws_col));
    }
    None
}

/// Draws rows as they come.
struct Screen<'a, W: Write> {
    /// Absent where only the report is wanted.
    renderer: Option<Renderer>,
    out: &'a mut W,
    failed: Option<io::Error>,
    gone: CancellationToken,
}

impl<W: Write + Send> Observer for Screen<'_, W> {
    fn row(&mut self, row: &Row) {
        let Some(renderer) = &mut self.renderer else { return };
        let text = renderer.row(row);
        let written = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        if let Err(error) = written {
            self.failed.get_or_insert(error);
            self.gone.cancel();
        }
    }
}

/// The table at the end, and every failure.
fn finish(report: &Report, style: Style, took: Duration, out: &mut Out) -> anyhow::Result<Exit> {
    if out.is_json() {
        out.json(&as_json(report))?;
    } else {
        let text = format!("\n{}", facts(style, &table(report, took)));
        out.stdout().write_all(text.as_bytes()).map_err(closed)?;
        out.stdout().flush().map_err(closed)?;
    }
    for failure in &report.failures {
        out.say(&format!("\n{failure}"));
    }
    if report.passed() {
        return Ok(Exit::DONE);
    }
    anyhow::bail!("{} of {} steps and checks held", report.held, report.of)
}

fn table(report: &Report, took: Duration) -> Vec<(&str, String, Tone)> {
    let seconds = |duration: Duration| format!("{:.2} s", duration.as_secs_f64());
    let verdict = if report.passed() { Tone::Good } else { Tone::Bad };
    let checks = report.verdicts.iter().filter(|verdict| {
        // Counts and orders are many; they are in the sum, and by name where they fail.
        !verdict.held || !matches!(verdict.name.as_str(), "count" | "order")
    });
    let mut rows: Vec<(&str, String, Tone)> = checks
        .map(|verdict| {
            let (word, tone) = if verdict.held { ("yes", Tone::Good) } else { ("NO", Tone::Bad) };
            (verdict.name.as_str(), format!("{word}: {}", verdict.promise), tone)
        })
        .collect();
    rows.extend([
        ("steps and checks", format!("{} of {} held", report.held, report.of), verdict),
        (
            "messages",
            format!(
                "{} sent, {} stored, shown {} times",
                report.sent, report.stored, report.delivered
            ),
            Tone::Plain,
        ),
    ]);
    if let Some(slowest) = report.slowest {
        let text = format!("{} ms from sender to last reader", slowest.as_millis());
        rows.push(("slowest message", text, Tone::Plain));
    }
    if let Some(recovery) = report.recovery {
        let text = format!(
            "everybody back {} after the restart ({} failed attempts in {} without a server)",
            seconds(recovery.took),
            recovery.failed_attempts,
            seconds(recovery.down)
        );
        rows.push(("recovery", text, Tone::Plain));
    }
    rows.push(("time", format!("{}, seed {}", seconds(took), report.seed), Tone::Plain));
    rows
}

fn as_json(report: &Report) -> serde_json::Value {
    let millis = |duration: Duration| duration.as_secs_f64() * 1_000.0;
    json!({
        "type": "report",
        "passed": report.passed(),
        "held": report.held,
        "of": report.of,
        "sent": report.sent,
        "stored": report.stored,
        "delivered": report.delivered,
        "slowestMs": report.slowest.map(millis),
        "recoveryMs": report.recovery.map(|recovery| millis(recovery.took)),
        "failedAttempts": report.recovery.map(|recovery| recovery.failed_attempts),
        "seed": report.seed,
        "failures": report.failures.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
