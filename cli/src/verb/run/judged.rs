//! What came of each scenario: its suite for the reports, and whether it is a success.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use trialogue_report::diagram::Story;
use trialogue_report::results::{Case, Outcome, Place, Suite, WireLine};
use trialogue_scenarios::{Came, Report, StepDone, Verdict};

use super::verdict::{not_let_in, was_not_played};

/// How a run ended.
pub(super) enum Ended {
    /// It was played to its end.
    Report(Box<Report>),
    /// It could not be played.
    NotRun(String),
    /// The verb was told to stop.
    CutShort,
}

/// One scenario that was played.
pub(super) struct Played {
    /// Its name, and which time it was.
    pub(super) name: String,
    /// Which round, and which scenario of it: reports are in this order, whatever ended first.
    pub(super) place: (u32, usize),
    /// The file's name.
    pub(super) file: String,
    /// One sentence.
    pub(super) description: String,
    /// Where it was played, if not on a server of our own.
    pub(super) target: Option<String>,
    /// How it ended.
    pub(super) ended: Ended,
    /// Steps that were begun, as they were told: all that is known of a run that was cut short.
    pub(super) steps: Vec<StepDone>,
    /// Every step of the file, as nobody has begun it yet.
    pub(super) all_steps: Vec<StepDone>,
    /// What happened.
    pub(super) story: Story,
    /// When that was.
    pub(super) began: SystemTime,
    /// How long it took, with its server.
    pub(super) took: Duration,
    /// Where its journal is.
    pub(super) trace: Option<PathBuf>,
    /// What is in it.
    pub(super) wire: Vec<WireLine>,
    /// What could not be written of it.
    pub(super) faults: Vec<String>,
}

impl Played {
    /// Whether it makes the exit code bad.
    pub(super) fn is_bad(&self, strict: bool) -> bool {
        match &self.ended {
            Ended::Report(report) => {
                !report.passed() || (strict && report.count(Came::Unimplemented) > 0)
            }
            Ended::NotRun(_) => true,
            Ended::CutShort => false,
        }
    }

    /// Keeps what came of it, and not how it went.
    pub(super) fn forget_the_story(&mut self) {
        self.story = Story::default();
        self.wire = Vec::new();
    }

    pub(super) fn report(&self) -> Option<&Report> {
        match &self.ended {
            Ended::Report(report) => Some(report),
            Ended::NotRun(_) | Ended::CutShort => None,
        }
    }

    /// Why it could not be tried: there was no server, or it lets nobody in.
    pub(super) fn not_run(&self) -> Option<String> {
        match &self.ended {
            Ended::NotRun(why) => Some(why.clone()),
            Ended::Report(report) => not_let_in(report),
            Ended::CutShort => None,
        }
    }

    /// What came of all of it: what counts as failed under `--strict` is no success then, and a
    /// scenario of which nothing was played is none at all.
    pub(super) fn came(&self, strict: bool) -> Came {
        let Some(report) = self.report() else { return Came::Broken };
        match report.came() {
            Came::Held if strict && report.count(Came::Unimplemented) > 0 => Came::Broken,
            Came::Held if was_not_played(report) => Came::Unimplemented,
            came => came,
        }
    }

    /// Whether anything of it was: somebody was let in, and the target offers what that takes.
    pub(super) fn is_played(&self) -> bool {
        self.not_run().is_none() && self.report().is_some_and(|report| !was_not_played(report))
    }

    /// Names of what did not hold: steps by their id or place, checks by their word.
    pub(super) fn wrong(&self, strict: bool) -> Vec<String> {
        let bad = |came: Came| came == Came::Broken || (strict && came == Came::Unimplemented);
        let Some(report) = self.report() else { return Vec::new() };
        let steps = report.steps.iter().filter(|step| bad(step.came)).map(step_name);
        let checks = report.verdicts.iter().filter(|verdict| bad(verdict.came));
        let mut all: Vec<String> =
            steps.chain(checks.map(|verdict| verdict.name.clone())).collect();
        if all.is_empty() && report.came() == Came::Broken {
            all.extend(report.failures.iter().map(|failure| failure.what.clone()));
        }
        all
    }

    fn suite(&mut self, strict: bool, started: SystemTime) -> Suite {
        let mut facts = vec![("file".to_owned(), self.file.clone())];
        let mut fact = |name: &str, value: String| facts.push((name.to_owned(), value));
        if !self.description.is_empty() {
            fact("description", self.description.clone());
        }
        fact("target", self.target.clone().unwrap_or_else(|| "a server of its own".to_owned()));
        let mut cases = Vec::new();
        match &self.ended {
            Ended::Report(report) => {
                fact("seed", report.seed.to_string());
                let (sent, stored, shown) = (report.sent, report.stored, report.delivered);
                fact("messages", format!("{sent} sent, {stored} stored, shown {shown} times"));
                if let Some(slowest) = report.slowest {
                    fact("slowest message", format!("{:.1} ms", slowest.as_secs_f64() * 1e3));
                }
                if let Some(recovery) = report.recovery {
                    let (took, failed) = (recovery.took.as_secs_f64(), recovery.failed_attempts);
                    fact(
                        "recovery",
                        format!(
                            "{took:.2} s after {failed} failed attempt{}",
                            if failed == 1 { "" } else { "s" }
                        ),
                    );
                }
                cases.extend(report.steps.iter().map(|step| step_case(step, strict)));
                let mut orders = 0;
                cases.extend(report.verdicts.iter().map(|of| check_case(of, &mut orders, strict)));
            }
            Ended::NotRun(why) => cases.push(Case {
                id: "run".to_owned(),
                title: "the scenario can be played".to_owned(),
                outcome: Outcome::Error,
                took: self.took,
                message: why.clone(),
                ..Case::default()
            }),
            Ended::CutShort => {
                // What was begun, and what was not: a step is known by its place.
                cases.extend(self.all_steps.iter().map(|step| {
                    let begun = self.steps.iter().find(|begun| begun.place == step.place);
                    step_case(begun.unwrap_or(step), strict)
                }));
                cases.push(cut_short("the scenario was told to end before it was over", self.took));
            }
        }
        if let Some(trace) = &self.trace {
            fact("trace", trace.display().to_string());
        }
        let wire = std::mem::take(&mut self.wire);
        let story = (!self.story.is_empty()).then(|| std::mem::take(&mut self.story));
        let began = self.began.duration_since(started).ok();
        Suite { name: self.name.clone(), facts, began, cases, story, wire }
    }
}

/// The suites of everything that was played; their stories move there. What was to be played and
/// was not begun is named.
pub(super) fn suites(
    played: &mut [Played],
    not_begun: &[String],
    strict: bool,
    started: SystemTime,
) -> Vec<Suite> {
    let not_begun = not_begun.iter().map(|name| Suite {
        name: name.clone(),
        cases: vec![Case {
            id: "run".to_owned(),
            title: "the scenario is played".to_owned(),
            outcome: Outcome::Skip,
            message: "not begun: the run ended before".to_owned(),
            ..Case::default()
        }],
        ..Suite::default()
    });
    played.iter_mut().map(|played| played.suite(strict, started)).chain(not_begun).collect()
}

/// Never green: nobody knows what would have come of it.
fn cut_short(what: &str, took: Duration) -> Case {
    Case {
        id: "cut short".to_owned(),
        title: "the scenario is played to its end".to_owned(),
        outcome: Outcome::Error,
        took,
        message: what.to_owned(),
        ..Case::default()
    }
}

fn step_name(step: &StepDone) -> String {
    match (&step.id, Place::parse(&step.place)) {
        (Some(id), _) => id.clone(),
        (None, Some(place)) => format!("line {}", place.line),
        (None, None) => step.words.clone(),
    }
}

fn outcome(came: Came, strict: bool) -> Outcome {
    match came {
        Came::Held => Outcome::Pass,
        Came::Unimplemented if strict => Outcome::Fail,
        Came::NotReached | Came::Unimplemented => Outcome::Skip,
        // Never green: it could not be found out.
        Came::Unknown => Outcome::Error,
        Came::Broken => Outcome::Fail,
    }
}

fn message(came: Came, why: &str) -> String {
    match came {
        Came::Held => String::new(),
        Came::NotReached if why.is_empty() => "not reached".to_owned(),
        Came::NotReached => format!("not reached: {why}"),
        Came::Unimplemented => format!("unimplemented: {why}"),
        Came::Unknown | Came::Broken => why.to_owned(),
    }
}

fn step_case(step: &StepDone, strict: bool) -> Case {
    let times = if step.times > 1 { format!(" ({} times)", step.times) } else { String::new() };
    Case {
        id: step_name(step),
        title: format!("{}{times}", step.words),
        place: Place::parse(&step.place),
        outcome: outcome(step.came, strict),
        began: (step.times > 0).then_some(step.began),
        took: step.took,
        message: message(step.came, &step.why),
        output: None,
    }
}

fn check_case(verdict: &Verdict, orders: &mut usize, strict: bool) -> Case {
    let id = match verdict.name.as_str() {
        // Lines of these have no names of their own.
        name @ ("order" | "count") => {
            *orders += 1;
            format!("{name} {orders}")
        }
        name => format!("check {name}"),
    };
    Case {
        id,
        title: verdict.promise.clone(),
        place: Place::parse(&verdict.place),
        outcome: outcome(verdict.came, strict),
        message: message(verdict.came, &verdict.why),
        ..Case::default()
    }
}
