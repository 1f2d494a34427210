//! Tells hints to the other nodes: what has come together within a moment, with one statement.
//!
//! Never in a transaction that stores something: `NOTIFY` takes a lock of the whole database at its
//! commit (RELIABILITY §2.14). Hints that cannot be told are dropped.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::{Nodes, lock};
use crate::store::Store;
use crate::supervise::Task;

/// Between two statements. The first hint after a silence is told at once.
const PAUSE: Duration = Duration::from_millis(20);
/// A hint that comes later than this is no better than the sweep.
const TELL_TIMEOUT: Duration = Duration::from_secs(1);

/// The task.
pub(super) struct Whisperer {
    pub(super) nodes: Nodes,
    pub(super) store: Store,
}

impl Task for Whisperer {
    const NAME: &'static str = "whisper";

    async fn run(&mut self) {
        run(&self.nodes, &self.store).await;
    }
}

/// Whispers for ever.
async fn run(nodes: &Nodes, store: &Store) {
    loop {
        nodes.inside.whisperer.notified().await;
        let hints = std::mem::take(&mut *lock(&nodes.inside.hints));
        if hints.is_empty() {
            continue;
        }
        let texts = hints.into_values().map(|hint| hint.text(nodes.inside.id)).collect();
        if !matches!(timeout(TELL_TIMEOUT, store.tell_nodes(texts)).await, Ok(Ok(()))) {
            tracing::debug!("hints were not told; other nodes will sweep");
        }
        sleep(PAUSE).await;
    }
}
