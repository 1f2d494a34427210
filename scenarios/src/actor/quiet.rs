//! What an actor does at a server that acknowledges nothing.

use serde_json::Value;
use tokio::time::Instant;

use super::{Actor, Reply, Wrong};
use crate::record::What;

impl Actor {
    /// Emits an event to a server that acknowledges nothing. With `refused` the next `error` is
    /// waited for, which names no request: such steps are done one at a time.
    pub async fn emit_unanswered(
        &self,
        event: &str,
        data: &Value,
        refused: bool,
        deadline: Instant,
    ) -> Result<Reply, Wrong> {
        let sent = self.clock.now();
        let from = self.inbox.len();
        if event == "send_message" {
            _ = self.says(data);
        }
        let emitted = self.session()?.emit(event, &data.to_string()).await;
        emitted.map_err(|error| Wrong::new(format!("to emit `{event}`"), error.to_string()))?;
        if !refused {
            return Ok(Reply { sent, at: self.clock.now(), ..Reply::default() });
        }
        let look = || {
            self.inbox.with(|entries| {
                let entry = entries.iter_mut().skip(from).find(
                    |entry| matches!(&entry.what, What::Event { name, .. } if name == "error"),
                )?;
                entry.taken = true;
                match &entry.what {
                    What::Event { data, .. } => Some((entry.at, data.clone())),
                    _ => None,
                }
            })
        };
        match self.bell.wait(deadline, look).await {
            Some((at, error)) => Ok(Reply { sent, at, error: Some(error), ..Reply::default() }),
            None => Err(Wrong::late("an event `error`", self.link_words())),
        }
    }
}
