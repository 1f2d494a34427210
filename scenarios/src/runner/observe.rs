//! Who is told what happens, and what came of every step.

use std::time::Duration;

use trialogue_report::diagram::Row;

use super::stage::Stage;
use super::{Failure, Report};
use crate::file::{Step, Verb, flow};
use crate::source::Span;

/// Is told what happens the moment it is known to be true. Must not block: the scenario waits
/// meanwhile.
pub trait Observer: Send {
    /// A row of the diagram.
    fn row(&mut self, row: &Row);

    /// A step is over.
    fn step(&mut self, _done: &StepDone) {}
}

/// What came of a step or of a check; the last ones are the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Came {
    /// As it should be.
    Held,
    /// A step before it failed, so that it was never begun.
    NotReached,
    /// The target does not offer what it takes.
    Unimplemented,
    /// Nothing follows from what was seen.
    Unknown,
    /// Wrong.
    Broken,
}

impl Came {
    /// Its name for programs: `held`, `not_reached`, `unimplemented`, `unknown`, `broken`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::NotReached => "not_reached",
            Self::Unimplemented => "unimplemented",
            Self::Unknown => "unknown",
            Self::Broken => "broken",
        }
    }
}

/// One step of the file, and what came of it. A step that is done several times is one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepDone {
    /// `file:line:column`.
    pub place: String,
    /// Its id, if it has one.
    pub id: Option<String>,
    /// The step in one line, as `fmt --as flow` writes it.
    pub words: String,
    /// What came of it.
    pub came: Came,
    /// Since the run began.
    pub began: Duration,
    /// How long it took, all its times together.
    pub took: Duration,
    /// How often it was done.
    pub times: u32,
    /// Why it came out like that; may be empty, and may have several lines.
    pub why: String,
}

impl Stage<'_> {
    /// A step as nobody has begun it yet.
    fn untouched(&self, step: &Step) -> StepDone {
        StepDone {
            place: self.scenario.source.place(step.span),
            id: step.id.as_ref().map(|id| id.name.clone()),
            words: flow::line(step, &self.scenario.actors),
            came: Came::NotReached,
            began: Duration::ZERO,
            took: Duration::ZERO,
            times: 0,
            why: String::new(),
        }
    }

    /// Remembers what came of a step, and tells it. What only holds other steps is told by them.
    pub(super) fn done(&self, step: &Step, began: Duration, came: Came, why: String) {
        if is_heading(step) || holds_steps(step) {
            return;
        }
        let took = self.now().saturating_sub(began);
        let done = StepDone { came, began, took, times: 1, why, ..self.untouched(step) };
        let mut notes = self.notes();
        notes.observer.step(&done);
        match notes.done.iter_mut().find(|known| known.place == done.place) {
            Some(known) => {
                known.took += done.took;
                known.times += 1;
                if done.came > known.came {
                    (known.came, known.why) = (done.came, done.why);
                }
            }
            None => notes.done.push(done),
        }
    }

    /// The step during which the time of the whole scenario was up.
    pub(super) fn cut_short(&self, span: Span, failure: &Failure) {
        let every = [&self.scenario.steps, &self.scenario.always];
        let step = every.into_iter().find_map(|steps| at(steps, span));
        if let Some(step) = step {
            self.done(step, self.now(), Came::Broken, why_of(failure));
        }
    }

    /// Every step of the file in its order, with what came of it.
    pub(super) fn all_done(&self) -> Vec<StepDone> {
        let mut all = Vec::new();
        self.collect(&self.scenario.steps, &mut all);
        self.collect(&self.scenario.always, &mut all);
        all
    }

    fn collect(&self, steps: &[Step], all: &mut Vec<StepDone>) {
        for step in steps {
            match &step.verb {
                Verb::Act { .. } => {}
                Verb::Parallel(branches) => branches.iter().for_each(|b| self.collect(b, all)),
                Verb::Repeat { steps, .. } => self.collect(steps, all),
                _ => {
                    let untouched = self.untouched(step);
                    let notes = self.notes();
                    let known = notes.done.iter().find(|known| known.place == untouched.place);
                    all.push(known.cloned().unwrap_or(untouched));
                }
            }
        }
    }
}

/// The step that stands there.
fn at(steps: &[Step], span: Span) -> Option<&Step> {
    steps.iter().find_map(|step| match &step.verb {
        _ if step.span == span => Some(step),
        Verb::Parallel(branches) => branches.iter().find_map(|branch| at(branch, span)),
        Verb::Repeat { steps, .. } => at(steps, span),
        _ => None,
    })
}

fn is_heading(step: &Step) -> bool {
    matches!(step.verb, Verb::Act { .. })
}

fn holds_steps(step: &Step) -> bool {
    matches!(step.verb, Verb::Parallel(_) | Verb::Repeat { .. })
}

impl Report {
    /// What came of all of it: the worst of steps and checks. What the target cannot do is nothing
    /// bad, and is counted.
    #[must_use]
    pub fn came(&self) -> Came {
        let checks = self.verdicts.iter().map(|verdict| verdict.came);
        let all = self.steps.iter().map(|step| step.came).chain(checks);
        let worst = all.filter(|came| *came > Came::Unimplemented).max();
        match worst {
            Some(worst) => worst,
            // Something failed that is neither, such as the time of the whole scenario.
            None if !self.failures.is_empty() => Came::Broken,
            None => Came::Held,
        }
    }

    /// Steps and checks that came out like that.
    #[must_use]
    pub fn count(&self, came: Came) -> usize {
        let checks = self.verdicts.iter().map(|verdict| verdict.came);
        self.steps.iter().map(|step| step.came).chain(checks).filter(|is| *is == came).count()
    }

    /// Whether everything held that the target can do.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.came() == Came::Held
    }
}

/// The reason of a failure in lines, without its place.
pub(super) fn why_of(failure: &Failure) -> String {
    let mut why = format!("expected  {}\ngot       {}", failure.expected, failure.got);
    for line in &failure.context {
        why.push('\n');
        why.push_str(line);
    }
    why
}
