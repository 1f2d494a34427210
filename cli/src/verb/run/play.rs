//! One scenario, from its server to its end.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use trialogue_scenarios::trace::{SCHEMA, Trace};
use trialogue_scenarios::{
    Pause, Report, RunConfig, RunError, Target, lacking_at_all, run as play, untouched_steps,
};
use trialogue_server::embedded::{Cluster, Database};

use super::super::Context;
use super::choose::Round;
use super::judged::{Ended, Played};
use super::log::{Log, Watcher};
use super::steps;
use super::{Args, TraceWhen};
use crate::play::{OwnDatabase, drop_database, server, token_secret, until};
use crate::target;

/// Plays it on a server and a database of its own, or on the target; whatever happens is an answer.
pub(super) async fn one(
    args: &Args,
    round: Round<'_>,
    cluster: Option<&Cluster>,
    context: &Context,
    log: &Log<'_>,
) -> Played {
    let (begin, began) = (Instant::now(), SystemTime::now());
    let mut watcher = log.watcher(&round);
    let journal = match args.trace {
        TraceWhen::Off => None,
        TraceWhen::On | TraceWhen::Failed => Some(Journal::begin(args, &round)),
    };
    let (journal, trace_fault) = match journal {
        Some(Err(error)) => (None, Some(format!("no journal: {error:#}"))),
        Some(Ok(journal)) => (Some(journal), None),
        None => (None, None),
    };
    watcher.trace = journal.as_ref().map(Journal::trace);
    let ended = stage(args, &round, cluster, context, log, &mut watcher).await;
    let Watcher { steps, story, .. } = watcher;
    let cut = matches!(ended, Ended::CutShort);
    let mut played = Played {
        name: round.name(),
        place: (round.n, round.at),
        file: round.of.scenario.source.name().to_owned(),
        description: round.of.scenario.description.clone(),
        target: round.of.profile.as_ref().map(|profile| profile.url.to_string()),
        ended,
        steps,
        all_steps: match cut {
            true => untouched_steps(&round.of.scenario),
            false => Vec::new(),
        },
        story,
        began,
        took: begin.elapsed(),
        trace: None,
        wire: Vec::new(),
        faults: trace_fault.into_iter().collect(),
    };
    if let Some(journal) = journal {
        let keep = args.trace == TraceWhen::On || played.is_bad(args.strict);
        match journal.end(&played, keep) {
            Ok((trace, wire)) => (played.trace, played.wire) = (trace, wire),
            Err(error) => played.faults.push(format!("the journal was not written: {error:#}")),
        }
    }
    played
}

/// With everything that it needs, and without leaving anything.
async fn stage(
    args: &Args,
    round: &Round<'_>,
    cluster: Option<&Cluster>,
    context: &Context,
    log: &Log<'_>,
    watcher: &mut Watcher<'_>,
) -> Ended {
    let mut database: Option<Database> = None;
    // A database that steps stop and kill is nobody else's, whatever is at hand.
    let own = match round.of.profile.is_none() && round.of.scenario.torments_the_database() {
        true => match Cluster::throwaway(true).await {
            Ok(cluster) => Some(Arc::new(OwnDatabase(cluster))),
            Err(error) => return Ended::NotRun(format!("{error:#}")),
        },
        false => None,
    };
    let cluster = own.as_ref().map_or(cluster, |own| Some(&own.0));
    let config = match (&round.of.profile, cluster) {
        (Some(profile), _) => target::config(profile),
        (None, Some(cluster)) => match cluster.fresh_database("run").await {
            Ok(fresh) => {
                let command = server(&fresh);
                database = Some(fresh);
                command.map(|command| RunConfig::new(Target::Child(command)))
            }
            Err(error) => Err(anyhow::Error::from(error)),
        },
        (None, None) => Err(anyhow::anyhow!("there is neither a target nor a database")),
    };
    let ended = match config {
        Err(error) => Ended::NotRun(format!("{error:#}")),
        Ok(mut config) => {
            config.database = own.clone().map(|own| own as Arc<dyn trialogue_scenarios::Database>);
            playing(args, round, config, context, log, watcher).await
        }
    };
    if let Some(database) = database {
        drop_database(database).await;
    }
    if let Some(own) = own.and_then(Arc::into_inner)
        && let Err(error) = own.0.stop().await
    {
        tracing::warn!(%error, "the private database did not stop by itself");
    }
    ended
}

async fn playing(
    args: &Args,
    round: &Round<'_>,
    mut config: RunConfig,
    context: &Context,
    log: &Log<'_>,
    watcher: &mut Watcher<'_>,
) -> Ended {
    config.seed = args.seed;
    config.crash_at = round.crash_at;
    config.token_secret = round.of.profile.is_none().then(|| token_secret().to_owned());
    config.trace.clone_from(&watcher.trace);
    config.allow_exec = args.allow_exec;
    config.until.clone_from(&args.until);
    let scenario = &round.of.scenario;
    let (gone, stop) = (log.gone(), context.shutdown.child_token());
    config.stop = stop.clone();
    let playing = async {
        // Of a scenario that makes no sense there, nothing is asked of the target either.
        if let (Some(profile), None) = (&round.of.profile, lacking_at_all(scenario, &config))
            && profile.launch.is_none()
        {
            let answers = until(&stop, target::answers(profile)).await;
            answers.unwrap_or(Err(RunError::Stopped.into()))?;
        }
        if !args.step {
            return Ok(play(scenario, config, watcher).await?);
        }
        let (ask, asked) = mpsc::channel(1);
        config.pause = Some(Pause(ask));
        let (came, ()) = tokio::join!(play(scenario, config, watcher), steps::answer(asked, log));
        Ok(came?)
    };
    tokio::pin!(playing);
    // Whatever was started is ended before this is over, whoever ends it.
    let came: anyhow::Result<Report> = tokio::select! {
        came = &mut playing => came,
        () = gone.cancelled() => {
            stop.cancel();
            playing.await
        }
    };
    match came {
        Ok(report) => Ended::Report(Box::new(report)),
        Err(error) if matches!(error.downcast_ref(), Some(RunError::Stopped)) => Ended::CutShort,
        Err(error) => Ended::NotRun(format!("{error:#}")),
    }
}

/// The journal of one run: a file that grows while it is played.
struct Journal {
    path: PathBuf,
    file: Arc<Mutex<BufWriter<File>>>,
}

impl Journal {
    fn begin(args: &Args, round: &Round<'_>) -> anyhow::Result<Self> {
        fs::create_dir_all(&args.trace_dir)?;
        let path = args.trace_dir.join(format!("{}.trace.ndjson", round.file_name()));
        let file = Arc::new(Mutex::new(BufWriter::new(File::create(&path)?)));
        let journal = Self { path, file };
        let started = chrono::DateTime::<chrono::Utc>::from(SystemTime::now());
        journal.trace().line(json!({
            "type": "trace", "schema": SCHEMA, "scenario": round.name(),
            "file": round.of.scenario.source.name(), "started": started.to_rfc3339(),
        }));
        Ok(journal)
    }

    fn trace(&self) -> Trace {
        let file = Arc::clone(&self.file);
        Trace::new(move |line| {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            // A full disk is told at the end, when the file is flushed.
            _ = writeln!(file, "{line}");
        })
    }

    /// The last line; answers where the file is, and its lines for the report.
    fn end(
        self,
        played: &Played,
        keep: bool,
    ) -> anyhow::Result<(Option<PathBuf>, Vec<trialogue_report::results::WireLine>)> {
        if let Ended::Report(report) = &played.ended {
            let took = report.took.as_secs_f64() * 1e3;
            let end = json!({
                "type": "end", "came": report.came().name(), "tookMs": took, "seed": report.seed,
            });
            self.trace().line(end);
        }
        self.file.lock().unwrap_or_else(PoisonError::into_inner).flush()?;
        if !keep {
            fs::remove_file(&self.path)?;
            return Ok((None, Vec::new()));
        }
        let text = fs::read_to_string(&self.path)?;
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let lines = lines.filter(|line| !crate::trace::is_folded(line));
        let wire = lines.filter_map(|line| crate::trace::wire_line(&line)).collect();
        Ok((Some(self.path), wire))
    }
}
