//! Finds what was committed but not put out: after a crash between the two, after news that were
//! lost, after commits of another node (CONTRACT §3.4: visible within 2.5 s).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;
use trialogue_protocol::{ChatId, Seq};

use super::Op;
use crate::store::Store;

/// Between the beginnings of two sweeps: with the statement and the reading of what was found
/// everything is visible within 2.5 s.
const SWEEP_INTERVAL: Duration = Duration::from_millis(1_500);
/// Time for the one statement of a sweep; then the next sweep asks again.
const SWEEP_TIMEOUT: Duration = Duration::from_secs(5);

/// Sweeps for ever.
pub(crate) async fn run(shards: Arc<[mpsc::Sender<Op>]>, store: Store) {
    let mut tick = tokio::time::interval(SWEEP_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let swept = tokio::time::timeout(SWEEP_TIMEOUT, sweep(&shards, &store)).await;
        if swept.is_err() {
            tracing::warn!("a sweep took too long");
        }
    }
}

/// One statement for all rooms that somebody is in.
async fn sweep(shards: &[mpsc::Sender<Op>], store: &Store) {
    let mut seen: Vec<Vec<(ChatId, Seq)>> = Vec::with_capacity(shards.len());
    for shard in shards {
        let (answer, answered) = oneshot::channel();
        let asked = shard.send(Op::Survey(answer)).await.is_ok();
        seen.push(if asked { answered.await.unwrap_or_default() } else { Vec::new() });
    }
    let chats: Vec<_> = seen.iter().flatten().map(|(chat_id, _)| *chat_id).collect();
    if chats.is_empty() {
        return;
    }
    let last: std::collections::HashMap<_, _> = match store.last_seqs(&chats).await {
        Ok(last) => last.into_iter().collect(),
        // The database is away: whoever asks for something is told so, and we come again.
        Err(_) => return,
    };
    for (shard, seen) in shards.iter().zip(seen) {
        let found: Vec<_> = seen
            .into_iter()
            .filter_map(|(chat_id, seq)| Some((chat_id, seq, *last.get(&chat_id)?)))
            .filter(|(_, seq, last_seq)| seq != last_seq)
            .collect();
        if !found.is_empty() && shard.send(Op::Found(found)).await.is_err() {
            return;
        }
    }
}
