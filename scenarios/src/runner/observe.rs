//! Who is told what happens, and what came of every step.

use std::time::Duration;

use trialogue_report::diagram::{Arrow, Direction, Row, Tone, Wire};

use super::stage::Stage;
use super::{Failure, Report};
use crate::file::{ActorId, Scenario, Step, Verb, flow};
use crate::secrets::Secrets;
use crate::source::Span;

/// Is told what happens the moment it is known to be true. Must not block: the scenario waits
/// meanwhile.
pub trait Observer: Send {
    /// A row of the diagram.
    fn row(&mut self, row: &Row);

    /// A step is over.
    fn step(&mut self, _done: &StepDone) {}

    /// Somebody waits for what nobody but the server knows the reason of, in a sentence.
    fn waits(&mut self, _why: &str) {}
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
    /// It does nothing but sign somebody in: without that nothing can be tried at all.
    pub signs_in: bool,
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
    /// A scenario that begins without a heading gets its name for one.
    pub(super) fn show_opening(&self) {
        let first = self.scenario.steps.first();
        if !first.is_some_and(|step| matches!(step.verb, Verb::Act { .. })) {
            self.show_act(&self.scenario.name, None);
        }
    }

    /// The arrow of a step that did not hold, in the direction in which it should have gone.
    /// Whoever it held at has had it.
    pub(super) fn show_broken(&self, step: &Step, who: &[ActorId]) {
        let (direction, all) = match &step.verb {
            Verb::Receive { .. } | Verb::Never { .. } => (Direction::Out, &step.actors),
            Verb::Delivered { to, .. } => (Direction::Out, to),
            _ => (Direction::In, &step.actors),
        };
        if let Verb::Delivered { message, to, via } = &step.verb {
            let others: Vec<ActorId> = to.iter().filter(|id| !who.contains(id)).copied().collect();
            let had = self.arrived(&message.name, &others, self.via(*via), self.now());
            self.show_delivered(&message.name, &had);
        }
        let of = if who.is_empty() { all.as_slice() } else { who };
        let wire = match &step.verb {
            Verb::Http { .. } | Verb::Do { .. } | Verb::History(_) | Verb::Login => Wire::Http,
            _ => Wire::Socket,
        };
        let of: Vec<ActorId> = of.iter().copied().filter(|id| self.has_lane(*id)).collect();
        let (at, label) = (self.now(), flow::line(step, &self.scenario.actors));
        if of.is_empty() {
            let text = format!("{label} did not hold");
            return self.row(&Row::Band { at, text, tone: Tone::Bad });
        }
        let arrow = self.arrow(direction, wire, &of, at);
        let detail = "did not hold".to_owned();
        self.row(&Row::Arrow(Arrow { label, detail, failed: true, ..arrow }));
    }

    /// Remembers what came of a step, and tells it. What only holds other steps is told by them.
    pub(super) fn done(
        &self,
        step: &Step,
        began: Duration,
        came: Came,
        why: String,
        who: &[ActorId],
    ) {
        if is_heading(step) || step.verb.holds_steps() {
            return;
        }
        if came == Came::Broken {
            self.show_broken(step, who);
        }
        let took = self.now().saturating_sub(began);
        let mut done =
            StepDone { came, began, took, times: 1, why, ..untouched(self.scenario, step) };
        done.words = self.around.secrets.hide(&done.words);
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
    pub(super) fn cut_short(&self, span: Span, failure: Failure) -> Failure {
        let every = [&self.scenario.steps, &self.scenario.always];
        let step = every.into_iter().find_map(|steps| at(steps, span));
        let Some(step) = step else { return failure };
        self.done(step, self.now(), Came::Broken, why_of(&failure), &[]);
        Failure { excerpt: self.excerpt(step.verb_span), ..failure }
    }

    /// Every step of the file in its order, with what came of it.
    pub(super) fn all_done(&self) -> Vec<StepDone> {
        let mut all = all_untouched(self.scenario);
        let notes = self.notes();
        for step in &mut all {
            match notes.done.iter().find(|known| known.place == step.place) {
                Some(known) => step.clone_from(known),
                None => step.words = self.around.secrets.hide(&step.words),
            }
        }
        all
    }
}

/// How many steps a file has, each counted once, however often it is done.
pub fn steps_in(scenario: &Scenario) -> usize {
    all_untouched(scenario).len()
}

/// Every step of a file in its order, as nobody has begun it yet.
fn all_untouched(scenario: &Scenario) -> Vec<StepDone> {
    let mut all = Vec::new();
    collect(scenario, &scenario.steps, &mut all);
    collect(scenario, &scenario.always, &mut all);
    all
}

fn collect(scenario: &Scenario, steps: &[Step], all: &mut Vec<StepDone>) {
    for step in steps {
        match &step.verb {
            Verb::Act { .. } => {}
            verb if verb.holds_steps() => {
                verb.inner().into_iter().for_each(|steps| collect(scenario, steps, all));
            }
            _ => all.push(untouched(scenario, step)),
        }
    }
}

fn untouched(scenario: &Scenario, step: &Step) -> StepDone {
    StepDone {
        place: scenario.source.place(step.span),
        id: step.id.as_ref().map(|id| id.name.clone()),
        words: flow::line(step, &scenario.actors),
        signs_in: matches!(step.verb, Verb::Login) && step.expect.is_empty(),
        came: Came::NotReached,
        began: Duration::ZERO,
        took: Duration::ZERO,
        times: 0,
        why: String::new(),
    }
}

/// Every step of a file in its order, as nobody has begun it yet, without secrets.
#[must_use]
pub fn untouched_steps(scenario: &Scenario) -> Vec<StepDone> {
    let mut steps = all_untouched(scenario);
    let secrets = Secrets::default();
    secrets.learn_file(scenario);
    for step in &mut steps {
        step.words = secrets.hide(&step.words);
    }
    steps
}

/// The report of a scenario that needs what the target does not offer: nothing of it was begun.
pub(super) fn unimplemented(scenario: &Scenario, why: &str) -> Report {
    let mut steps = untouched_steps(scenario);
    for step in &mut steps {
        (step.came, step.why) = (Came::Unimplemented, why.to_owned());
    }
    Report { of: steps.len(), steps, ..Report::default() }
}

/// The step that stands there.
fn at(steps: &[Step], span: Span) -> Option<&Step> {
    steps.iter().find_map(|step| match step.span == span {
        true => Some(step),
        false => step.verb.inner().into_iter().find_map(|steps| at(steps, span)),
    })
}

fn is_heading(step: &Step) -> bool {
    matches!(step.verb, Verb::Act { .. })
}

impl Report {
    /// What came of all of it: the worst of steps and checks. What the target cannot do is nothing
    /// bad, and is counted.
    #[must_use]
    pub fn came(&self) -> Came {
        let checks = self.verdicts.iter().map(|verdict| verdict.came);
        let all = self.steps.iter().map(|step| step.came).chain(checks);
        let worst = all.filter(|came| *came > Came::Unimplemented).max();
        // Something may fail that is neither, such as the time of the whole scenario.
        let others = || self.failures.iter().map(|failure| Came::from(failure.kind)).max();
        worst.or_else(others).unwrap_or(Came::Held)
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
