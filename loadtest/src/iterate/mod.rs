//! A scenario as load: whole stories with people of their own, begun at planned moments whatever the
//! server does, each judged by its own checks.
//!
//! An iteration's latency counts from its intended moment, as that of a message does.

mod tally;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;
use trialogue_checker::Micros;
use trialogue_report::diagram::Row;
use trialogue_scenarios::file::Scenario;
use trialogue_scenarios::{Observer, Report, RunConfig as PlayConfig};

use crate::plan::{Due, Plan, Schedule};
use crate::result::Document;
use crate::run::{Progress, RunConfig, RunError};
use tally::Tally;

/// Most stories at once: each has a client for everybody in it.
const AT_ONCE_MAX: usize = 1_000;
/// How often it is told how far they are.
const TICK: Duration = Duration::from_secs(1);
/// After a stop, stories that are being told may take so much longer.
const GRACE: Duration = Duration::from_secs(10);

/// How one iteration went.
struct Told {
    due: Due,
    n: u64,
    /// Since the begin: when it was begun, and when it was over.
    begun: Micros,
    ended: Micros,
    /// The report, or why there is none.
    report: Result<Box<Report>, String>,
}

/// Iterations that are being told. All by one task: what takes time is the clients', which have their
/// own.
type Playing = FuturesUnordered<LocalBoxFuture<'static, Told>>;

/// Nobody looks at the rows of a thousand diagrams.
struct Blind;

impl Observer for Blind {
    fn row(&mut self, _: &Row) {}
}

fn micros(of: Duration) -> Micros {
    Micros::try_from(of.as_micros()).unwrap_or(Micros::MAX)
}

/// Plays the scenario at the moments of the plan, of which only the pace and the seed count; `play` says
/// where and how. After a stop nothing more is begun.
///
/// # Errors
/// [`RunError`]: not a single iteration could be played.
pub async fn iterate(
    plan: &Plan,
    (scenario, play): (Arc<Scenario>, PlayConfig),
    config: &RunConfig,
    stop: &CancellationToken,
    observer: &mut (dyn FnMut(&Progress) + Send),
) -> Result<Document, RunError> {
    plan.check()?;
    let stage = Stage { begin: Instant::now(), seed: plan.seed, scenario, play };
    let started = SystemTime::now();
    let mut tally = Tally::new(plan, &stage.scenario, stage.begin);
    let halt = stop.child_token();
    let complete = stage.play_all(plan, config, &halt, &mut tally, observer).await;
    if let Some(why) = tally.could_not_run() {
        return Err(RunError::CannotRun(why));
    }
    Ok(tally.document(config, complete, started))
}

struct Stage {
    begin: Instant,
    seed: u64,
    scenario: Arc<Scenario>,
    play: PlayConfig,
}

impl Stage {
    /// Begins iterations when they are due, and waits for the last one; answers whether all of the
    /// plan was done.
    async fn play_all(
        &self,
        plan: &Plan,
        config: &RunConfig,
        halt: &CancellationToken,
        tally: &mut Tally,
        observer: &mut (dyn FnMut(&Progress) + Send),
    ) -> bool {
        let mut schedule = Schedule::of(plan, 0, u32::try_from(plan.speakers()).unwrap_or(1));
        let mut next = schedule.next();
        let mut playing = Playing::new();
        let mut ticks = tokio::time::interval(TICK);
        ticks.tick().await;
        while next.is_some() || !playing.is_empty() {
            let due = next.filter(|_| playing.len() < AT_ONCE_MAX);
            let moment = due.map(|due| self.begin + Duration::from_micros(due.at));
            tokio::select! {
                () = halt.cancelled() => {
                    self.see_off(&mut playing, tally).await;
                    return false;
                }
                () = at(moment), if moment.is_some() => {
                    if let Some(due) = due {
                        playing.push(Box::pin(self.iteration(due, tally.begins())));
                    }
                    next = schedule.next();
                }
                Some(told) = playing.next() => tally.take(told),
                _ = ticks.tick() => {
                    observer(&tally.second(playing.len() as u64));
                    if tally.aborts(&config.aborts) {
                        halt.cancel();
                    }
                }
            }
        }
        true
    }

    /// What is being told may come to its end, for a while.
    async fn see_off(&self, playing: &mut Playing, tally: &mut Tally) {
        let rest = async {
            while let Some(told) = playing.next().await {
                tally.take(told);
            }
        };
        let _over = tokio::time::timeout(GRACE, rest).await;
        tally.cut_short(playing.len() as u64);
    }

    fn iteration(&self, due: Due, n: u64) -> impl Future<Output = Told> + 'static {
        let (begin, scenario) = (self.begin, self.scenario.clone());
        let play = PlayConfig { seed: Some(self.seed.wrapping_add(n)), ..self.play.clone() };
        async move {
            let begun = micros(begin.elapsed());
            let played = trialogue_scenarios::run(&scenario, play, &mut Blind).await;
            let report = played.map(Box::new).map_err(|error| chain(&error));
            Told { due, n, begun, ended: micros(begin.elapsed()), report }
        }
    }
}

async fn at(moment: Option<Instant>) {
    if let Some(moment) = moment {
        tokio::time::sleep_until(moment.into()).await;
    }
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
