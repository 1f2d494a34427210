//! The crash at a step boundary: the server is killed and started again, and everybody comes back.

use tokio::time::Instant;
use trialogue_client::LinkState;
use trialogue_report::diagram::{Row, Tone};

use super::Failure;
use super::stage::Stage;
use crate::actor::{Actor, Wrong};
use crate::file::{Scenario, ServerVerb, Step, Verb};
use crate::record::link_of;

/// How many boundaries a scenario has: one before each of its steps, also those in a `parallel`, a
/// `repeat` (before the first time) and a fragment.
pub fn boundaries(scenario: &Scenario) -> usize {
    steps(scenario).len()
}

/// The numbers of the steps that do something themselves, in the order of the file.
pub(super) fn steps(scenario: &Scenario) -> Vec<usize> {
    fn into(steps: &[Step], numbers: &mut Vec<usize>) {
        for step in steps {
            match &step.verb {
                Verb::Act { .. } => {}
                verb if verb.holds_steps() => {
                    verb.inner().into_iter().for_each(|steps| into(steps, numbers));
                }
                _ => numbers.push(step.number),
            }
        }
    }
    let mut numbers = Vec::new();
    into(&scenario.steps, &mut numbers);
    numbers
}

impl Stage<'_> {
    /// The crash, where it is to come before this step, once. Branches at the same time wait with
    /// what they ask of the server until everybody is back.
    pub(super) async fn crash_before(&self, step: &Step) -> Result<(), Vec<Failure>> {
        if self.crash_at != Some(step.number) || std::mem::replace(&mut self.notes().crashed, true)
        {
            return Ok(());
        }
        let _alone = self.asking.write().await;
        let crashed = self.crash().await;
        crashed.map_err(|wrong| {
            vec![self.failure(step.span, "the crash before this step", wrong, &[])]
        })
    }

    /// Kills the server, starts it again, and waits until everybody who was there is back.
    async fn crash(&self) -> Result<(), Wrong> {
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
