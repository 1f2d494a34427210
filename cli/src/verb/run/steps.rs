//! `--step`: every step waits for Enter.

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::sync::mpsc;
use trialogue_scenarios::Waiting;

use super::log::Log;

/// Shows each step that waits, and begins it when Enter is pressed; `c` begins all that follow.
pub(super) async fn answer(mut asked: mpsc::Receiver<Waiting>, log: &Log<'_>) {
    let mut keys = BufReader::new(tokio::io::stdin()).lines();
    let mut all = false;
    while let Some(Waiting { place, words, go, .. }) = asked.recv().await {
        if !all {
            log.ask(&format!("{place}  {words}\n  Enter: this step, c: all that follow > "));
            // An end of the keyboard is no reason to wait for ever.
            all = match keys.next_line().await {
                Ok(Some(line)) => line.trim() == "c",
                Ok(None) | Err(_) => true,
            };
        }
        // The scenario may have run out of time meanwhile.
        _ = go.send(());
    }
}
