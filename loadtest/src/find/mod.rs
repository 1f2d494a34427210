//! How much a server bears: doubles until an objective is missed, then halves the distance, and
//! believes only what holds three times. Pure: the caller does the runs.

use serde::{Deserialize, Serialize};

use crate::plan::{Pace, Plan};
use crate::result::{Document, Verdict};
use crate::slo::Slo;

/// Runs of one search, so that it ends.
const RUNS_MAX: u32 = 40;
/// How near the two sides have to come: a twentieth.
const NEAR: f64 = 0.05;
/// How often a value has to hold.
const CONFIRMED: u32 = 3;
/// What is tried when a value did not hold again.
const BACK: f64 = 0.9;
/// How often a value of which nothing followed is tried again: a machine that was busy for a moment is
/// no limit.
const AGAIN_MAX: u32 = 2;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// Messages a second.
    MaxRate,
    /// Sockets of a room.
    MaxMembers,
    /// Sockets, in as many more rooms of the same size.
    MaxConnections,
}

impl std::str::FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "max-rate" => Ok(Self::MaxRate),
            "max-members" => Ok(Self::MaxMembers),
            "max-connections" => Ok(Self::MaxConnections),
            _ => Err("it is max-rate, max-members or max-connections".to_owned()),
        }
    }
}

impl Wanted {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MaxRate => "max-rate",
            Self::MaxMembers => "max-members",
            Self::MaxConnections => "max-connections",
        }
    }

    /// What the plan has of it.
    pub fn of(self, plan: &Plan) -> f64 {
        match (self, &plan.pace) {
            (Self::MaxMembers, _) => f64::from(plan.members),
            (Self::MaxConnections, _) => plan.sockets() as f64,
            (Self::MaxRate, Pace::Open { stages, .. }) => {
                stages.iter().map(|stage| stage.from.max(stage.to)).fold(0.0, f64::max)
            }
            (Self::MaxRate, Pace::Closed { .. } | Pace::Silent { .. }) => 0.0,
        }
    }

    /// The plan with another value of it.
    #[must_use]
    pub fn with(self, plan: &Plan, value: f64) -> Plan {
        let mut plan = plan.clone();
        let part = value / self.of(&plan).max(1e-9);
        match (self, &mut plan.pace) {
            (Self::MaxMembers, _) => plan.members = value.round().max(1.0) as u32,
            (Self::MaxConnections, _) => {
                plan.rooms = (value / f64::from(plan.members.max(1))).round().max(1.0) as u32;
                plan.workers = plan.workers.min(plan.rooms);
            }
            (Self::MaxRate, Pace::Open { stages, .. }) => {
                for stage in stages {
                    stage.from *= part;
                    stage.to *= part;
                }
            }
            (Self::MaxRate, Pace::Closed { .. } | Pace::Silent { .. }) => {}
        }
        plan.senders = plan.senders.min(plan.members);
        plan
    }
}

/// Whether there is something to look for: the plan has it, and objectives can be decided in such runs;
/// `acks` when the server acknowledges.
///
/// # Errors
/// There is not: a sentence.
pub fn fits(wanted: Wanted, plan: &Plan, slos: &[Slo], acks: bool) -> Result<(), String> {
    if wanted.of(plan) <= 0.0 {
        return Err(format!("{}: nobody speaks at a rate in such a run", wanted.name()));
    }
    for slo in slos {
        if let Some(name) = slo.lacks(|name| plan.measures(name, acks)) {
            return Err(format!("`{slo}` is never decided: such a run does not measure {name}"));
        }
    }
    Ok(())
}

/// One run of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// The value.
    pub value: f64,
    /// What came of it.
    pub verdict: Verdict,
    /// Why it did not pass.
    pub why: Vec<String>,
}

impl Tried {
    /// A run that could not be done with it: why, and whether that was the rig's fault.
    pub fn not_run(value: f64, why: String, is_rig: bool) -> Self {
        let verdict = if is_rig { Verdict::Inconclusive } else { Verdict::Failed };
        Self { value, verdict, why: vec![why] }
    }

    /// A run with this value.
    pub fn new(value: f64, document: &Document) -> Self {
        Self { value, verdict: document.verdict, why: document.why.clone() }
    }
}

/// A search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Search {
    /// What is looked for.
    pub wanted: Wanted,
    /// Every run, in order.
    pub tried: Vec<Tried>,
    /// What held three times.
    pub found: Option<f64>,
    good: Option<f64>,
    bad: Option<f64>,
    confirming: Option<(f64, u32)>,
    /// A value of which nothing followed so far, and how often it was tried again.
    again: Option<(f64, u32)>,
    /// Which of `tried` had the lowest value that does not hold.
    broke: Option<usize>,
    /// Nothing lower is left.
    ended: bool,
    /// Why more than what held could not be tried: a bound of ours, not of the server.
    bound: Option<String>,
}

impl Search {
    /// A search that has not begun.
    pub fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            tried: Vec::new(),
            found: None,
            good: None,
            bad: None,
            confirming: None,
            again: None,
            broke: None,
            ended: false,
            bound: None,
        }
    }

    /// The next value to try; none at the end.
    pub fn next(&self, first: f64) -> Option<f64> {
        if self.found.is_some() || self.ended || self.tried.len() >= RUNS_MAX as usize {
            return None;
        }
        if let Some((value, _)) = self.again.or(self.confirming) {
            return Some(value);
        }
        let value = match (self.good, self.bad) {
            (None, None) => first,
            (Some(good), None) => good * 2.0,
            (None, Some(bad)) if self.wanted == Wanted::MaxRate => bad / 2.0,
            // Half of one is none.
            (None, Some(bad)) => (bad / 2.0).floor(),
            (Some(good), Some(bad)) => (good + bad) / 2.0,
        };
        let value = if self.wanted == Wanted::MaxRate { value } else { value.round() };
        // Less than one is nothing.
        (value >= 1.0 || self.wanted == Wanted::MaxRate && value >= 0.1).then_some(value)
    }

    /// The next value cannot be tried for this: what held so far is what is believed.
    pub fn bounded(&mut self, why: String) {
        self.bound = Some(why);
        match (self.good, self.confirming) {
            (Some(good), None) => self.confirming = Some((good, 1)),
            _ => self.ended = true,
        }
    }

    /// It has not come to an end within as many runs as it may have.
    fn is_worn_out(&self) -> bool {
        self.found.is_none() && self.tried.len() >= RUNS_MAX as usize
    }

    /// What came of it.
    pub fn came(&mut self, tried: Tried) {
        let (value, verdict) = (tried.value, tried.verdict);
        self.tried.push(tried);
        let times = self.again.take().map_or(0, |(_, times)| times);
        if verdict == Verdict::Inconclusive && times < AGAIN_MAX {
            self.again = Some((value, times + 1));
            return;
        }
        let passed = verdict == Verdict::Passed;
        if !passed {
            let lowest = self.broke().is_none_or(|broke| value <= broke.value);
            self.broke = if lowest { Some(self.tried.len() - 1) } else { self.broke };
        }
        match self.confirming.take() {
            Some((value, times)) if passed && times + 1 >= CONFIRMED => self.found = Some(value),
            Some((value, times)) if passed => self.confirming = Some((value, times + 1)),
            Some((value, _)) => {
                // It held once by luck.
                let back = self.whole(value * BACK);
                (self.bad, self.ended) = (Some(value), back >= value);
                self.confirming = Some((back, 0));
            }
            None if passed => self.good = Some(value),
            None => self.bad = Some(value),
        }
        if self.confirming.is_none()
            && let (Some(good), Some(bad)) = (self.good, self.bad)
        {
            let near =
                bad - good <= good * NEAR || (self.wanted != Wanted::MaxRate && bad - good <= 1.0);
            if near {
                // The run that found it was the first time.
                self.confirming = Some((good, 1));
            }
        }
    }

    fn whole(&self, value: f64) -> f64 {
        if self.wanted == Wanted::MaxRate { value } else { value.floor().max(1.0) }
    }

    /// Why the lowest value that did not pass did not: what broke first, or that it was the rig.
    pub fn broke(&self) -> Option<&Tried> {
        self.tried.get(self.broke?)
    }

    /// What follows: failed when nothing holds at all, inconclusive when the rig, or a bound of ours,
    /// was the limit, or when nothing ever followed.
    pub fn verdict(&self) -> Verdict {
        match (self.found, self.broke()) {
            (None, _) if self.is_worn_out() => Verdict::Inconclusive,
            (None, Some(broke)) if broke.verdict == Verdict::Failed => Verdict::Failed,
            (None, _) => Verdict::Inconclusive,
            (Some(_), None) if self.bound.is_some() => Verdict::Inconclusive,
            (Some(_), Some(broke)) if broke.verdict == Verdict::Inconclusive => {
                Verdict::Inconclusive
            }
            (Some(_), _) => Verdict::Passed,
        }
    }

    /// What was found, in a sentence.
    pub fn sentence(&self) -> String {
        let name = self.wanted.name();
        let found = match self.found {
            Some(found) => format!("{name}: {found:.1}, held {CONFIRMED} times"),
            None if self.is_worn_out() => {
                format!("{name}: nothing held {CONFIRMED} times in {RUNS_MAX} runs")
            }
            None => format!("{name}: nothing held {CONFIRMED} times"),
        };
        match (self.broke(), &self.bound) {
            (Some(Tried { value, why, .. }), _) => {
                format!("{found}; at {value:.1} broke first: {}", why.join("; "))
            }
            (None, Some(why)) => format!("{found}; more could not be tried: {why}"),
            (None, None) => found,
        }
    }
}

#[cfg(test)]
mod tests;
