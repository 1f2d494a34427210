//! From the first step to the last check, and what is still done when somebody ends that before.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use trialogue_report::diagram::{Row, Tone};

use super::observe::Came;
use super::stage::{Stage, Way};
use super::{Failure, Report, RunError};
use crate::actor::{Actor, Wrong};
use crate::file::{Step, Verb};

/// Steps at the end get this long even when the scenario's own time is up.
const ALWAYS_WITHIN: Duration = Duration::from_secs(15);
/// The same after somebody has ended the run, who waits at a terminal.
const ALWAYS_AFTER_STOP: Duration = Duration::from_secs(5);
/// Longer than any scenario may take (24 h).
const FOREVER: Duration = Duration::from_secs(24 * 3_600);

impl Stage<'_> {
    /// Everything from the first step to the last check; nothing is left afterwards. Whoever ends it
    /// before ends the steps and the checks, and not what is to be done in any case.
    pub(super) async fn play(self) -> Result<Report, RunError> {
        self.show_opening();
        // Whoever looks at every step takes the time that it takes.
        let limit = if self.pause.is_some() { FOREVER } else { self.scenario.timeout };
        let steps = self.within(Instant::now() + limit, self.steps(&self.scenario.steps));
        let mut failures = tokio::select! {
            biased;
            () = self.stop.cancelled() => Vec::new(),
            failures = steps => failures,
        };
        let always = self.within(Instant::now() + ALWAYS_WITHIN, self.steps(&self.scenario.always));
        let stopped = async {
            self.stop.cancelled().await;
            sleep(ALWAYS_AFTER_STOP).await;
        };
        tokio::select! {
            late = always => failures.extend(late),
            () = stopped => {}
        }
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(RunError::Stopped),
            report = self.judged(failures) => Ok(report),
        }
    }

    /// What all of it came to, after the checks.
    async fn judged(&self, mut failures: Vec<Failure>) -> Report {
        for failure in &failures {
            let text = format!("{} did not hold", failure.what);
            self.row(&Row::Band { at: self.now(), text, tone: Tone::Bad });
        }
        let complete = failures.is_empty() && !self.notes().ended;
        let (verdicts, broken) = self.check(complete).await;
        let steps = steps_of(&self.scenario.steps) + steps_of(&self.scenario.always);
        let of = steps + verdicts.len();
        let is_held = |verdict: &&super::Verdict| verdict.came == Came::Held;
        let held = self.notes().held + verdicts.iter().filter(is_held).count();
        failures.extend(broken);
        failures.extend(self.undone(&failures).await);
        let steps = self.all_done();
        let report = Report { held, of, steps, verdicts, failures, ..self.report() };
        if let Some(audience) = &self.audience {
            audience.judged(&report).await;
        }
        futures_util::future::join_all(self.actors.iter().map(Actor::close)).await;
        report
    }

    /// Steps until they are over, or the time of the scenario is.
    async fn within(&self, deadline: Instant, way: Way<'_>) -> Vec<Failure> {
        let way = self.watched(way);
        tokio::pin!(way);
        let (mut by, before) = (deadline, self.notes().waited);
        let came = loop {
            let came = timeout_at(by, &mut way).await;
            // What the server made somebody wait is not the scenario's time.
            let later = deadline + self.notes().waited.saturating_sub(before);
            if came.is_ok() || later <= by {
                break came;
            }
            by = later;
        };
        match came {
            Ok(Ok(())) => Vec::new(),
            Ok(Err(failures)) => failures,
            Err(_) => {
                let span = self.notes().current;
                let limit = self.scenario.timeout;
                let wrong =
                    Wrong::late(format!("the scenario to end within {limit:?}"), "this step");
                let failure = self.failure(span, "the scenario's time limit", wrong, &[]);
                vec![self.cut_short(span, failure)]
            }
        }
    }

    /// Shows what links do by themselves while something else goes on.
    async fn watched<T>(&self, way: impl Future<Output = T>) -> T {
        let forever = Instant::now() + FOREVER;
        let watch = self.around.bell.wait(forever, || {
            self.tell_links();
            None::<()>
        });
        tokio::select! {
            biased;
            came = way => came,
            _ = watch => std::future::pending().await,
        }
    }
}

/// Steps that count: a heading is none, and what a step holds counts by itself.
fn steps_of(steps: &[Step]) -> usize {
    let of = |step: &Step| {
        let inner: usize = step.verb.inner().into_iter().map(steps_of).sum();
        match &step.verb {
            Verb::Act { .. } => 0,
            Verb::Repeat { times, .. } => 1 + inner * usize::try_from(*times).unwrap_or(usize::MAX),
            _ => 1 + inner,
        }
    };
    steps.iter().map(of).sum()
}
