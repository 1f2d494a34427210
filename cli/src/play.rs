//! What `demo` and `run` have in common: a database and a server of their own, and a screen.
//!
//! Whoever plays owns everything that it needs, and nothing of it is left, whatever ends it.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use trialogue_faults::{LISTEN, ServerCommand};
use trialogue_report::diagram::{Row, Tone};
use trialogue_report::terminal::{Renderer, Style};
use trialogue_scenarios::file::Scenario;
use trialogue_scenarios::{Came, Observer, Report, cast};
use trialogue_server::embedded::{Cluster, Database, Options};

use crate::out::{Out, closed};

/// Longest time that dropping the database may take at the end.
const TIDY_WITHIN: Duration = Duration::from_secs(10);

/// Drops a database that nobody uses any more.
pub(crate) async fn drop_database(database: Database) {
    let tidied = tokio::time::timeout(TIDY_WITHIN, database.drop_database()).await;
    if !matches!(tidied, Ok(Ok(()))) {
        tracing::warn!("a database is left for the next start to drop");
    }
}

/// What comes of `work`, or nothing when the demo is told to stop first.
pub(crate) async fn until<T>(stop: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        came = work => Some(came),
        () = stop.cancelled() => None,
    }
}

/// The private PostgreSQL, or a server of somebody else's; what takes long is said aloud.
pub(crate) async fn cluster(database_url: Option<&str>, out: &mut Out) -> anyhow::Result<Cluster> {
    if let Some(url) = database_url {
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

/// This very program as a server, with this database.
pub(crate) fn server(database: &Database) -> anyhow::Result<ServerCommand> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let args = ["serve", "--json", "--exit-with-stdin", "--open-registration"];
    let listen =
        ["--listen", LISTEN, "--limits", "bench", "--ping-interval", "2s", "--ping-timeout", "6s"];
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

/// What the terminal can show.
pub(crate) fn style() -> Style {
    Style::from_env(width(), |name| std::env::var(name).ok())
}

/// Draws rows as they come.
pub(crate) struct Screen<'a, W: Write> {
    /// Absent where only the report is wanted.
    renderer: Option<Renderer>,
    out: &'a mut W,
    failed: Option<io::Error>,
    gone: CancellationToken,
}

impl<'a, W: Write> Screen<'a, W> {
    /// A screen for one scenario; without `drawn` it stays dark.
    pub(crate) fn new(scenario: &Scenario, drawn: bool, out: &'a mut W) -> Self {
        let renderer = drawn.then(|| Renderer::new(style(), cast(scenario)));
        Self { renderer, out, failed: None, gone: CancellationToken::new() }
    }

    /// Cancelled when nobody reads any more.
    pub(crate) fn gone(&self) -> CancellationToken {
        self.gone.clone()
    }

    /// The error of writing, when there was one.
    pub(crate) fn end(self) -> anyhow::Result<()> {
        self.failed.map_or(Ok(()), |error| Err(closed(error)))
    }
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

/// The table at the end.
pub(crate) fn table(report: &Report, took: Duration) -> Vec<(&str, String, Tone)> {
    let seconds = |duration: Duration| format!("{:.2} s", duration.as_secs_f64());
    let verdict = if report.passed() { Tone::Good } else { Tone::Bad };
    let checks = report.verdicts.iter().filter(|verdict| {
        // Counts and orders are many; they are in the sum, and by name where they fail.
        verdict.came != Came::Held || !matches!(verdict.name.as_str(), "count" | "order")
    });
    let mut rows: Vec<(&str, String, Tone)> = checks
        .map(|verdict| {
            let (word, tone) = match verdict.came {
                Came::Held => ("yes", Tone::Good),
                Came::Unimplemented | Came::NotReached => ("not tried", Tone::Plain),
                Came::Unknown => ("UNKNOWN", Tone::Bad),
                Came::Broken => ("NO", Tone::Bad),
            };
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

/// The report for programs.
pub(crate) fn as_json(report: &Report) -> Value {
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
