//! Signing in where a server has had too many log-ins for now: it says when to come back, and a
//! short while is waited for. Nothing has begun by then, so that nothing is judged wrongly.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};
use trialogue_protocol::ErrorCode;

use super::stage::Stage;
use crate::actor::{Reply, Wrong};
use crate::file::{ActorId, Step};

/// Longest that one log-in waits for a server that has had too many of them, all its waits together:
/// what a limit of 20 a minute asks of the log-ins and registrations of three people and a few more.
const PATIENCE: Duration = Duration::from_secs(30);
/// Shortest wait between two tries, whatever the server says.
const WAIT_MIN: Duration = Duration::from_millis(100);

impl Stage<'_> {
    /// The time of the step is that of its tries: what anybody waits since the scenario had waited
    /// that long in all (`waited`) comes on top.
    pub(super) async fn login(
        &self,
        step: &Step,
        id: ActorId,
        deadline: Instant,
        waited: Duration,
    ) -> Result<Reply, Wrong> {
        let actor = self.actor(id);
        let until = Instant::now() + PATIENCE;
        loop {
            let by = deadline + self.notes().waited.saturating_sub(waited);
            let tried = timeout_at(by, actor.login(&self.accounts[id.0])).await;
            let late = || Wrong::late("an answer", "no answer in time to a log-in");
            let reply = tried.map_err(|_| late())??;
            // Where a refusal is what must come, there it is.
            let awaited = step.expect.error.is_some() || step.expect.status.is_some();
            let wait = retry_after(&reply).filter(|_| !awaited);
            match wait.filter(|wait| Instant::now() + *wait <= until) {
                Some(wait) => {
                    self.waits(actor.name(), wait);
                    sleep(wait).await;
                }
                None => {
                    if let Some(user) = actor.user() {
                        self.notes().scope.set_of(actor.name(), "userId", json!(user));
                    }
                    return Ok(reply);
                }
            }
        }
    }

    /// Tells of a wait, and takes it off the time of the scenario; waits at the same time are one.
    fn waits(&self, who: &str, wait: Duration) {
        let now = Instant::now();
        let mut notes = self.notes();
        let from = notes.waits_until.unwrap_or(now).max(now);
        notes.waited += (now + wait).saturating_duration_since(from);
        notes.waits_until = Some(from.max(now + wait));
        let seconds = wait.as_secs_f64();
        let why = format!("the server has had too many log-ins: {who} waits {seconds:.1} s for it");
        notes.observer.waits(&why);
    }
}

/// When to come back, where the server has had too many requests and says so.
fn retry_after(reply: &Reply) -> Option<Duration> {
    let error = reply.error.as_ref()?;
    let limited = error["code"] == json!(ErrorCode::RateLimited);
    let millis = error.get("retryAfterMs").and_then(Value::as_u64).filter(|_| limited)?;
    Some(Duration::from_millis(millis).max(WAIT_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_was_told_when_to_come_back_waits() {
        let check = |error: Value, expect: Option<u64>| {
            let reply = Reply { error: Some(error.clone()), ..Reply::default() };
            assert_eq!(retry_after(&reply), expect.map(Duration::from_millis), "{error}");
        };
        check(json!({"code": "rate_limited", "retryAfterMs": 3000}), Some(3000));
        check(json!({"code": "rate_limited", "retryAfterMs": 0}), Some(100));
        check(json!({"code": "rate_limited"}), None);
        check(json!({"code": "unavailable", "retryAfterMs": 3000}), None);
        assert_eq!(retry_after(&Reply::default()), None);
    }
}
