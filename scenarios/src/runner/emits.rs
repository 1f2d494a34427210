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
        (event, data, acked): (&Node, Option<&Node>, bool),
        deadline: Instant,
    ) -> Result<Reply, Wrong> {
        let actor = self.actor(id);
        let event = self.text(event, id)?;
        let data = data.map(|data| self.value(data, id)).transpose()?.unwrap_or_default();
        if self.capabilities.acks || !acked {
            return actor.emit(&event, &data, acked).await;
        }
        let refused = step.expect.error.is_some();
        actor.emit_unanswered(&event, &data, refused, deadline).await
    }
}
