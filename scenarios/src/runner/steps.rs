//! The way through lists of steps: one after the other, at the same time, again and again.

use futures_util::future::join_all;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::observe::{Came, why_of};
use super::stage::{Stage, Way};
use super::{Failure, Pause, Waiting};
use crate::actor::{Reply, Wrong};
use crate::file::{Step, Verb, flow};

impl Stage<'_> {
    /// Steps one after the other, up to the first that fails.
    pub(super) fn steps<'s>(&'s self, steps: &'s [Step]) -> Way<'s> {
        Box::pin(async move {
            for (n, step) in steps.iter().enumerate() {
                self.one(step, &steps[n..]).await?;
            }
            Ok(())
        })
    }

    /// The first of these.
    async fn one(&self, step: &Step, ahead: &[Step]) -> Result<(), Vec<Failure>> {
        self.notes().current = step.span;
        self.learn();
        self.wait_for_word(step).await;
        let began = self.now();
        if let Some(why) = self.lacking(step) {
            self.done(step, began, Came::Unimplemented, why, &[]);
            return Ok(());
        }
        let done = if step.verb.holds_steps() {
            let done = self.container(step).await.map(|()| None);
            let mut notes = self.notes();
            if matches!(step.verb, Verb::Parallel { .. }) && notes.acted > began {
                notes.acted = began;
            }
            drop(notes);
            done
        } else {
            self.crash_before(step, ahead).await?;
            let _asking = match self.crash_at.is_some() && asks(step) {
                true => Some(self.asking.read().await),
                false => None,
            };
            if acts(step) {
                self.notes().acted = self.now();
            }
            match (self.step(step).await, self.too_much()) {
                (Err(_), Some((who, wrong))) => Err(vec![self.fail(step, wrong, &[who])]),
                (done, _) => done,
            }
        };
        match &done {
            Ok(None) => self.done(step, began, Came::Held, String::new(), &[]),
            Ok(Some(why)) => self.done(step, began, Came::Unimplemented, (*why).to_owned(), &[]),
            Err(failures) => match failures.first() {
                Some(failure) => {
                    let (came, why) = (failure.kind.into(), why_of(failure));
                    self.done(step, began, came, why, &failure.who);
                }
                // Given up because of another branch.
                None => self.done(step, began, Came::NotReached, String::new(), &[]),
            },
        }
        let is_held = done?.is_none() && !matches!(step.verb, Verb::Act { .. });
        self.notes().held += usize::from(is_held);
        let is_last = step.id.as_ref().is_some_and(|id| self.until.as_ref() == Some(&id.name));
        if is_last && !std::mem::replace(&mut self.notes().ended, true) {
            // Nothing of the rest is begun, and nothing has failed.
            return Err(Vec::new());
        }
        Ok(())
    }

    /// Waits until whoever looks at each step has seen this one.
    async fn wait_for_word(&self, step: &Step) {
        let asks = !step.verb.holds_steps() && !self.stop.is_cancelled();
        let Some(Pause(ask)) = self.pause.as_ref().filter(|_| asks) else { return };
        let (go, gone) = oneshot::channel();
        let place = self.scenario.source.place(step.span);
        let words = self.around.secrets.hide(&flow::line(step, &self.scenario.actors));
        let is_heading = matches!(step.verb, Verb::Act { .. });
        // Nobody looks any more: the rest goes on by itself.
        if ask.send(Waiting { place, words, is_heading, go }).await.is_ok() {
            _ = gone.await;
        }
    }

    /// A step that holds steps; its own limit is over all of them.
    async fn container(&self, step: &Step) -> Result<(), Vec<Failure>> {
        let sent = self.now();
        let inside = async {
            match &step.verb {
                Verb::Parallel { number, branches, barriers } => {
                    self.parallel(*number, branches, barriers).await
                }
                Verb::Repeat { times, steps } => {
                    for _ in 0..*times {
                        self.steps(steps).await?;
                    }
                    Ok(())
                }
                Verb::Use { steps, .. } => self.steps(steps).await.map_err(|failures| {
                    let used = format!("used at {}", self.scenario.source.place(step.span));
                    let add = |mut failure: Failure| {
                        failure.context.insert(0, used.clone());
                        failure
                    };
                    failures.into_iter().map(add).collect()
                }),
                _ => Ok(()),
            }
        };
        match step.within {
            None => inside.await?,
            Some(within) => match timeout_at(Instant::now() + within, inside).await {
                Ok(done) => done?,
                Err(_) => {
                    let wrong = Wrong::late(format!("all of it within {within:?}"), "a part of it");
                    return Err(vec![self.fail(step, wrong, &[])]);
                }
            },
        }
        self.remember(step, sent, &Vec::new());
        Ok(())
    }

    /// All branches at the same time. One that fails does not end the others, but nobody waits for
    /// it at a barrier; what fails in each is told.
    async fn parallel(
        &self,
        number: usize,
        branches: &[Vec<Step>],
        barriers: &[(String, usize)],
    ) -> Result<(), Vec<Failure>> {
        {
            let mut notes = self.notes();
            notes.abandoned.remove(&number);
            for (name, of) in barriers {
                notes.barriers.insert((number, name.clone()), (*of, 0));
            }
        }
        let ways = branches.iter().map(|branch| async {
            let done = self.steps(branch).await;
            if done.is_err() {
                self.notes().abandoned.insert(number);
                self.around.bell.ring();
            }
            done
        });
        let ended = join_all(ways).await;
        if ended.iter().all(Result::is_ok) {
            return Ok(());
        }
        Err(ended.into_iter().filter_map(Result::err).flatten().collect())
    }

    /// Waits until as many branches came as have the barrier. Nothing, when one of them failed.
    pub(super) async fn barrier(
        &self,
        name: &str,
        parallel: usize,
        deadline: Instant,
    ) -> Result<Option<Reply>, Wrong> {
        let sent = self.now();
        let key = (parallel, name.to_owned());
        let (of, wanted) = {
            let mut notes = self.notes();
            let (of, came) = notes.barriers.entry(key.clone()).or_insert((1, 0));
            *came += 1;
            // A barrier in a `repeat` is passed in rounds.
            (*of, came.div_ceil(*of) * *of)
        };
        self.around.bell.ring();
        let came = || self.notes().barriers.get(&key).map_or(0, |(_, came)| *came);
        let look = || {
            let abandoned = self.notes().abandoned.contains(&parallel);
            (came() >= wanted || abandoned).then_some(())
        };
        if self.around.bell.wait(deadline, look).await.is_none() {
            let missing = wanted - came();
            let expected = format!("{of} branches at the barrier `{name}`");
            return Err(Wrong::late(expected, format!("{missing} of them did not come")));
        }
        let all = came() >= wanted;
        Ok(all.then(|| Reply { sent, at: self.now(), ..Reply::default() }))
    }
}

/// Whether a step asks something of the server, and is over once that has answered. Others wait for
/// what comes by itself, for each other or for time.
fn asks(step: &Step) -> bool {
    !matches!(
        step.verb,
        Verb::Act { .. }
            | Verb::Wait(_)
            | Verb::Exec { .. }
            | Verb::Barrier { .. }
            | Verb::Receive { .. }
            | Verb::Never { .. }
            | Verb::Delivered { .. }
            | Verb::State { .. }
            | Verb::Reconnected { .. }
    )
}

/// Whether a step does anything that somebody may hear of; others look and wait.
fn acts(step: &Step) -> bool {
    match &step.verb {
        Verb::Exec { .. } => true,
        Verb::Http { method, .. } => method.as_str() != "GET",
        Verb::History(_) | Verb::Login => false,
        _ => asks(step),
    }
}
