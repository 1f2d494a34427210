//! The crash at a step boundary: the server is killed and started again, and everybody comes back.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use trialogue_client::LinkState;
use trialogue_report::diagram::{Row, Tone};

use super::events::waits_for_taking;
use super::server::LOOK_EVERY;
use super::stage::Stage;
use super::{Failure, RunError};
use crate::actor::{Actor, Wrong};
use crate::file::{DatabaseVerb, Scenario, ServerVerb, Step, Verb};
use crate::record::link_of;
use crate::source::Span;

/// How long a server that does not answer may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(2);

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

/// The number of the step of a boundary.
pub(super) fn step_of(
    scenario: &Scenario,
    crash_at: Option<usize>,
) -> Result<Option<usize>, RunError> {
    let Some(at) = crash_at else { return Ok(None) };
    let steps = steps(scenario);
    let no_step = || RunError::NoStep { asked: at + 1, of: steps.len() };
    steps.get(at).copied().map(Some).ok_or_else(no_step)
}

/// Whether nothing can crash at a boundary: the file itself has taken the server or its database
/// down there, or may have, where that happens in a `parallel`.
pub(super) fn is_down(scenario: &Scenario, boundary: usize) -> bool {
    fn takes_down(step: &Step) -> Option<bool> {
        match &step.verb {
            Verb::Server(verb) => {
                Some(!matches!(verb, ServerVerb::Start | ServerVerb::Restart | ServerVerb::Resume))
            }
            Verb::Database(verb) => Some(*verb != DatabaseVerb::Start),
            _ => None,
        }
    }
    fn into(steps: &[Step], down: &mut bool, at_boundaries: &mut Vec<bool>) {
        for step in steps {
            match &step.verb {
                Verb::Act { .. } => {}
                verb @ Verb::Parallel { .. } => {
                    let from = at_boundaries.len();
                    let mut torments = *down;
                    for steps in verb.inner() {
                        into(steps, down, at_boundaries);
                        steps.iter().for_each(|step| {
                            torments |= takes_down(step).is_some();
                        });
                    }
                    at_boundaries[from..].iter_mut().for_each(|is_down| *is_down |= torments);
                }
                verb if verb.holds_steps() => {
                    verb.inner().into_iter().for_each(|steps| into(steps, down, at_boundaries));
                }
                _ => {
                    at_boundaries.push(*down);
                    *down = takes_down(step).unwrap_or(*down);
                }
            }
        }
    }
    let mut at_boundaries = Vec::new();
    into(&scenario.steps, &mut false, &mut at_boundaries);
    at_boundaries.get(boundary).copied().unwrap_or(false)
}

impl Stage<'_> {
    /// The last words of a server that ended by itself, also of one that was killed a moment ago: who
    /// answers is not dying, and who does not may need a moment to be gone.
    async fn ended_lately(&self) -> Option<String> {
        let is_dying = self.server.is_up()
            && self.server.rest(GONE_WITHIN).ok()?.raw("GET", "/", None).await.is_err();
        let by = Instant::now() + GONE_WITHIN;
        loop {
            let ended = self.server.ended_by_itself();
            if ended.is_some() || !is_dying || Instant::now() >= by {
                return ended;
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// What nobody told yet at the end: a server that ended by itself, a crash that did not come.
    pub(super) async fn undone(&self, failures: &[Failure]) -> Option<Failure> {
        // Whatever failed has the server's last words with it.
        if !failures.is_empty() {
            return None;
        }
        if let Some(words) = self.ended_lately().await {
            let wrong = Wrong::new("a server that runs to the end", words);
            return Some(self.failure(Span::default(), "the server", wrong, &[]));
        }
        let is_missing = {
            let notes = self.notes();
            self.crash_at.is_some() && !notes.crashed && !notes.ended
        };
        let wrong = || {
            let got = "it did not come: that step was not begun";
            Wrong::new("the crash that was asked for", got)
        };
        is_missing.then(|| self.failure(Span::default(), "the crash", wrong(), &[]))
    }

    /// The crash, where it is to come before this step, once. Branches at the same time wait with
    /// what they ask of the server until everybody is back.
    pub(super) async fn crash_before(
        &self,
        step: &Step,
        ahead: &[Step],
    ) -> Result<(), Vec<Failure>> {
        if self.crash_at != Some(step.number) || std::mem::replace(&mut self.notes().crashed, true)
        {
            return Ok(());
        }
        self.hear_what_is_told_once(ahead).await;
        let _alone = self.asking.write().await;
        let crashed = self.crash().await;
        crashed.map_err(|wrong| {
            vec![self.failure(step.span, "the crash before this step", wrong, &[])]
        })
    }

    /// A message that a crash overtakes is fetched by who missed it. All other events are told once,
    /// to those who are there: what the next steps wait for has to come before the crash.
    async fn hear_what_is_told_once(&self, ahead: &[Step]) {
        let deadline = Instant::now() + self.scenario.defaults.within;
        let looks =
            |step: &&Step| matches!(step.verb, Verb::Receive { .. } | Verb::Delivered { .. });
        for step in ahead.iter().take_while(looks) {
            let Verb::Receive { event, pattern, .. } = &step.verb else { continue };
            for id in &step.actors {
                let awaited = (self.text(event, *id), self.pattern(pattern.as_ref(), *id));
                let (Ok(event), Ok(pattern)) = awaited else { continue };
                if event == "new_message" {
                    continue;
                }
                let inbox = self.actor(*id).inbox();
                let came = || {
                    inbox.with(|entries| waits_for_taking(entries, &event, &pattern).then_some(()))
                };
                // Whether it comes at all is that step's to say.
                _ = self.around.bell.wait(deadline, came).await;
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::read;
    use crate::source::Source;

    #[test]
    fn nothing_crashes_where_the_file_has_it_down_already() {
        let text = "scenario: 1
name: t
actors: { a: { role: customer } }
steps:
  - { as: a, login: true }
  - { server: kill }
  - { wait: 1s }
  - { server: start }
  - { as: a, get: /health/live }
  - parallel: [[{ database: stop }, { database: start }], [{ wait: 1s }]]
  - { server: pause }
  - { server: resume }
";
        let scenario = read(&Source::new("t", text)).unwrap();
        let down: Vec<usize> =
            (0..boundaries(&scenario)).filter(|at| is_down(&scenario, *at)).collect();
        assert_eq!(down, [2, 3, 5, 6, 7, 9]);
        assert_eq!(step_of(&scenario, None).unwrap(), None);
        assert!(step_of(&scenario, Some(9)).unwrap().is_some());
        let wrong = step_of(&scenario, Some(10)).unwrap_err().to_string();
        assert_eq!(wrong, "there is no step 11 to crash before: 10 steps do something");
    }
}
