//! What `demo` and `run` have in common: a database and a server of their own, and a screen.
//!
//! Whoever plays owns everything that it needs, and nothing of it is left, whatever ends it.

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use trialogue_faults::{LISTEN, ServerCommand, Signal, pid_in, send_signal, wait_until_gone};
use trialogue_report::diagram::{Row, Tone};
use trialogue_report::terminal::{Renderer, Style};
use trialogue_scenarios::file::{DatabaseVerb, Scenario};
use trialogue_scenarios::{Came, Done, Observer, Report, cast};
use trialogue_server::embedded::{Cluster, Database, Options};

use crate::out::{Out, closed};

/// Longest time that dropping the database may take at the end.
const TIDY_WITHIN: Duration = Duration::from_secs(10);

/// How long a database may take to end, or to start again.
const DATABASE_WITHIN: Duration = Duration::from_secs(60);
/// Between two attempts to start it.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What helps where a server would not be asked so often.
pub(crate) const LIMITED_HINT: &str = "the server limits how often it is asked: wait a minute, or start one of your own with \
     `trialogue serve --limits bench`";

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

/// What servers of this process sign tokens with: nobody else knows it, and steps may sign too.
pub(crate) fn token_secret() -> &'static str {
    static SECRET: OnceLock<String> = OnceLock::new();
    SECRET.get_or_init(|| format!("{}{}", uuid::Uuid::new_v4(), uuid::Uuid::new_v4()))
}

/// This very program as a server, with this database.
pub(crate) fn server(database: &Database) -> anyhow::Result<ServerCommand> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let args = ["serve", "--json", "--exit-with-stdin", "--open-registration"];
    let listen =
        ["--listen", LISTEN, "--limits", "bench", "--ping-interval", "2s", "--ping-timeout", "6s"];
    let args = args.into_iter().chain(listen);
    // The URL goes by the environment: arguments are for everybody to see.
    let command = ServerCommand::new(program, args).env("DATABASE_URL", &database.url());
    Ok(command.env("TRIALOGUE_JWT_SECRET", token_secret()))
}

/// A throw-away PostgreSQL of one scenario, which its steps may stop and kill.
#[derive(Debug)]
pub(crate) struct OwnDatabase(pub(crate) Cluster);

impl OwnDatabase {
    async fn end(&self, signal: Signal) -> Result<(), String> {
        let file = self.0.pid_file().ok_or("it is somebody else's")?;
        let pid = pid_in(&file).map_err(|error| format!("it does not run: {error}"))?;
        send_signal(pid, signal).map_err(|error| error.to_string())?;
        match wait_until_gone(pid, DATABASE_WITHIN).await {
            true => Ok(()),
            false => Err(format!("it did not end within {DATABASE_WITHIN:?}")),
        }
    }

    /// The first attempts may find the last of the old processes in the way.
    async fn start(&self) -> Result<(), String> {
        let by = Instant::now() + DATABASE_WITHIN;
        loop {
            match self.0.revive().await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() >= by => return Err(error.to_string()),
                Err(_) => sleep(LOOK_EVERY).await,
            }
        }
    }
}

impl trialogue_scenarios::Database for OwnDatabase {
    fn torment(&self, verb: DatabaseVerb) -> Done<'_> {
        Box::pin(async move {
            match verb {
                DatabaseVerb::Stop => self.end(Signal::Interrupt).await,
                DatabaseVerb::Kill => self.end(Signal::Quit).await,
                DatabaseVerb::Start => self.start().await,
            }
        })
    }
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

/// The same for tables that a program may read line by line.
pub(crate) fn table_style() -> Style {
    if width().is_some() { style() } else { style().unbroken() }
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
