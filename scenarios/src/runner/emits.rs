//! A bare event, and what the server makes of it.

use tokio::time::Instant;

use super::stage::Stage;
use crate::actor::{Reply, Wrong};
use crate::file::{ActorId, Step};
use crate::yaml::Node;

impl Stage<'_> {
    /// Emits it; where the server acknowledges, that is waited for.
    pub(super) async fn emit(
        &self,
        step: &Step,
        id: ActorId,
        (event, data): (&Node, Option<&Node>),
        deadline: Instant,
    ) -> Result<Reply, Wrong> {
        let actor = self.actor(id);
        let event = self.text(event, id)?;
        let data = data.map(|data| self.value(data, id)).transpose()?.unwrap_or_default();
        let reply = if self.capabilities.acks {
            actor.emit(&event, &data).await?
        } else {
            let refused = step.expect.error.is_some();
            actor.emit_unanswered(&event, &data, refused, deadline).await?
        };
        if event == "send_message" && reply.error.is_none() {
            self.handed(id, &data);
        }
        Ok(reply)
    }
}
