//! What is kept no longer: looked for once a minute, removed in small bites.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, sleep};

use crate::state::AppState;
use crate::store::{Kept, PRUNED_ROWS_MAX};
use crate::supervise::Task;

/// Between two looks.
const INTERVAL: Duration = Duration::from_mins(1);
/// Statements of one look for one kind of rows: [`MADE_MAX`] twice, and an end to it.
const BITES_MAX: usize = 1_080;
/// Between two bites, so that people's statements come in between.
const BITE_PAUSE: Duration = Duration::from_millis(10);
/// Notifications that one look must be able to remove: 9,000 messages a second (the target of the
/// load tests) make 2 each.
const MADE_MAX: u64 = 9_000 * 2 * INTERVAL.as_secs();
const _: () = assert!(BITES_MAX as u64 * PRUNED_ROWS_MAX as u64 >= 2 * MADE_MAX);
/// Every node has heeded an ending within seconds; a day is for who looks into what happened.
const KEEP_ENDINGS: Duration = Duration::from_hours(24);

/// The task.
pub(crate) struct Retention(pub(crate) AppState);

impl Task for Retention {
    const NAME: &'static str = "retention";

    async fn run(&mut self) {
        run(&self.0).await;
    }
}

/// Removes for ever.
async fn run(state: &AppState) {
    let mut tick = tokio::time::interval(INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        for (what, keep) in [
            (Kept::Notifications, state.config.keep_notifications),
            (Kept::Sessions, state.config.keep_sessions),
            (Kept::Endings, KEEP_ENDINGS),
        ] {
            prune(state, what, keep).await;
        }
    }
}

async fn prune(state: &AppState, what: Kept, keep: Duration) {
    for _ in 0..BITES_MAX {
        match state.store.prune(what, keep).await {
            Ok(removed) => {
                state.metrics.pruned(what.word(), removed.unsigned_abs());
                if removed < i64::from(PRUNED_ROWS_MAX) {
                    return;
                }
                sleep(BITE_PAUSE).await;
            }
            Err(error) => {
                tracing::debug!(%error, what = what.word(), "nothing was removed");
                return;
            }
        }
    }
}
