//! Takes the server away for a while, in the middle of a run.

use std::fmt;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::plan::{Plan, Unrest};

/// Who can end a server and start it again.
pub trait Outage: fmt::Debug + Send + Sync {
    /// Ends it, without a warning. The error is a sentence.
    fn end(&self) -> BoxFuture<'_, Result<(), String>>;

    /// Starts it again and waits until it serves. The error is a sentence.
    fn start(&self) -> BoxFuture<'_, Result<(), String>>;
}

/// Ends the server when it is time and starts it again; `tell` has the moment. After a stop it is
/// started at once, so that sockets can come back.
pub(super) async fn blow(
    plan: &Plan,
    outage: Option<&dyn Outage>,
    begin: Instant,
    tell: &watch::Sender<Option<Instant>>,
    stop: &CancellationToken,
) -> Result<(), String> {
    let (Some(outage), Unrest::Storm { at, down }) = (outage, plan.unrest) else { return Ok(()) };
    let moment = tokio::time::Instant::from(begin + Duration::from_micros(at));
    if stop.run_until_cancelled(tokio::time::sleep_until(moment)).await.is_none() {
        return Ok(());
    }
    tell.send_replace(Some(Instant::now()));
    outage.end().await.map_err(|why| format!("the server was not ended: {why}"))?;
    let _stopped = stop.run_until_cancelled(tokio::time::sleep(Duration::from_micros(down))).await;
    outage.start().await.map_err(|why| format!("the server was not started again: {why}"))
}
