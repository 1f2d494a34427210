//! Keeps tasks at work that nobody waits for. One that panics is started again after a pause, said
//! in the log and counted in `tasks_restarted` (RELIABILITY F17): a server that looks ready never
//! goes without its sweep, its lease or its accept loop.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::metrics::Restarts;

/// Before a task begins again for the first time. What it does is late by so much.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The pause doubles up to this: a task that always fails must not fill the log.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Who was at work for so long before it failed begins with the shortest pause again.
const CALM: Duration = Duration::from_mins(1);
/// In debug builds: names of tasks, by comma, that panic when they begin for the first time.
const FAIL: &str = "TRIALOGUE_FAIL_TASKS";

/// Work that goes on until there is none left, usually for ever.
pub(crate) trait Task: Send + 'static {
    /// Its name in the log and in the metrics.
    const NAME: &'static str;

    /// Works. Returning is the end of the task; after a panic this is called again, so what must
    /// outlive one is kept in `self` and is right at every `await`.
    fn run(&mut self) -> impl Future<Output = ()> + Send;

    /// After a panic, before the pause: gives up what is not true any more.
    fn failed(&mut self) {}
}

/// Runs a task to its end, through every panic of it.
pub(crate) async fn keep<T: Task>(mut task: T, restarts: Restarts) {
    let restarted = restarts.of(T::NAME);
    let mut must_fail = must_fail(T::NAME);
    let mut pause = None;
    loop {
        let began = Instant::now();
        let work = async {
            assert!(!std::mem::take(&mut must_fail), "a task is told to fail");
            task.run().await;
        };
        if AssertUnwindSafe(work).catch_unwind().await.is_ok() {
            return;
        }
        restarted.inc();
        tracing::error!(task = T::NAME, "a task has failed and begins again");
        if catch_unwind(AssertUnwindSafe(|| task.failed())).is_err() {
            tracing::error!(task = T::NAME, "and has failed to give up what it had");
        }
        let next = pause.map_or(PAUSE_MIN, |last| next_pause(last, began.elapsed()));
        sleep(next).await;
        pause = Some(next);
    }
}

/// The pause after one that has `worked` for so long since the pause before.
fn next_pause(last: Duration, worked: Duration) -> Duration {
    if worked > CALM { PAUSE_MIN } else { PAUSE_MAX.min(2 * last) }
}

fn must_fail(name: &str) -> bool {
    cfg!(debug_assertions)
        && std::env::var(FAIL).is_ok_and(|names| names.split(',').any(|told| told == name))
}

/// Tasks that end together.
#[derive(Clone, Default)]
pub(crate) struct Supervisor {
    tracker: TaskTracker,
    stop: CancellationToken,
    restarts: Restarts,
}

impl Supervisor {
    /// Nobody works yet.
    pub(crate) fn new(restarts: Restarts) -> Self {
        Self { restarts, ..Self::default() }
    }

    /// Has a task work until [`Supervisor::stop`].
    pub(crate) fn keep<T: Task>(&self, task: T) {
        let kept = keep(task, self.restarts.clone());
        self.tracker.spawn(self.stop.clone().run_until_cancelled_owned(kept));
    }

    /// Tells all of them to end, wherever they wait.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
    }

    /// Waits until they have.
    pub(crate) async fn ended(&self) {
        self.tracker.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use tokio::time::timeout;

    use super::*;

    /// Adds up what comes, and panics at 0.
    struct Sum {
        numbers: mpsc::Receiver<u64>,
        sums: mpsc::Sender<u64>,
        sum: u64,
        failures: u64,
    }

    impl Task for Sum {
        const NAME: &'static str = "sum";

        async fn run(&mut self) {
            while let Some(number) = self.numbers.recv().await {
                assert!(number > 0, "nothing to add");
                self.sum += number;
                self.sums.send(self.sum + 100 * self.failures).await.unwrap();
            }
        }

        fn failed(&mut self) {
            self.failures += 1;
            assert!(self.failures < 2, "cannot even give up");
        }
    }

    #[tokio::test]
    async fn f17_a_task_that_panics_is_started_again_with_what_it_kept_and_counted() {
        let (restarts, far) = (Restarts::default(), Duration::from_mins(1));
        let supervisor = Supervisor::new(restarts.clone());
        let ((to, numbers), (sums, mut from)) = (mpsc::channel(8), mpsc::channel(8));
        supervisor.keep(Sum { numbers, sums, sum: 0, failures: 0 });
        for number in [1, 0, 2, 0, 3] {
            to.send(number).await.unwrap();
        }
        for sum in [1, 103, 206] {
            assert_eq!(timeout(far, from.recv()).await.unwrap(), Some(sum));
        }
        assert_eq!(restarts.of(Sum::NAME).get(), 2);
        supervisor.stop();
        timeout(far, supervisor.ended()).await.unwrap();
        assert!(to.is_closed());
    }

    #[test]
    fn a_task_that_always_fails_does_so_every_few_seconds_at_most() {
        let mut pauses = vec![PAUSE_MIN];
        for _ in 0..7 {
            pauses.push(next_pause(pauses[pauses.len() - 1], Duration::from_secs(1)));
        }
        let millis: Vec<_> = pauses.iter().map(Duration::as_millis).collect();
        assert_eq!(millis, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        assert_eq!(next_pause(PAUSE_MAX, 2 * CALM), PAUSE_MIN, "it was well meanwhile");
    }
}
