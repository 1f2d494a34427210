//! The crash at a step boundary: the server is killed and started again, and everybody comes back.

use tokio::time::Instant;
use trialogue_client::LinkState;
use trialogue_report::diagram::{Row, Tone};

use super::stage::Stage;
use crate::actor::{Actor, Wrong};
use crate::file::{Scenario, ServerVerb, Verb};
use crate::record::link_of;

/// How many boundaries a scenario has: one before each of its own steps. A boundary inside a
/// `parallel`, a `repeat` or a fragment is none: there is no single moment between two steps.
pub fn boundaries(scenario: &Scenario) -> usize {
    scenario.steps.iter().filter(|step| !matches!(step.verb, Verb::Act { .. })).count()
}

impl Stage<'_> {
    /// Kills the server, starts it again, and waits until everybody who was there is back.
    pub(super) async fn crash(&self) -> Result<(), Wrong> {
        let there: Vec<&Actor> = self.actors.iter().filter(|actor| actor.wants_a_link()).collect();
        let from: Vec<usize> = there.iter().map(|actor| actor.inbox().len()).collect();
        let band = |text: &str, tone| Row::Band { at: self.now(), text: text.to_owned(), tone };
        self.row(&band("SIGKILL at a step boundary: the backend is gone", Tone::Bad));
        self.server.torment(ServerVerb::Kill).await?;
        self.server.torment(ServerVerb::Start).await?;
        self.row(&band("the backend is back online", Tone::Good));
        let back = || {
            let all = there.iter().zip(&from).all(|(actor, from)| {
                actor.inbox().with(|entries| {
                    let lost = entries[*from..].iter().any(|entry| entry.is_loss());
                    lost && matches!(link_of(entries), Some(LinkState::Connected))
                })
            });
            all.then_some(())
        };
        let deadline = Instant::now() + self.server.within();
        if self.around.bell.wait(deadline, back).await.is_none() {
            let away: Vec<String> = there
                .iter()
                .filter(|actor| !actor.is_online())
                .map(|actor| format!("{}: {}", actor.name(), actor.link_words()))
                .collect();
            return Err(Wrong::late("everybody back after the crash", away.join("; ")));
        }
        self.tell_links();
        Ok(())
    }
}
