//! Two results side by side: what changed, and by how much. Pure.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::merge::plan_differs;
use crate::plan::{Pace, Unrest};
use crate::result::Document;
use crate::slo::{FIGURES, NUMBERS, is_duration, is_name, is_of_answers, is_of_the_rig, value};
use crate::verdict::Fault;

/// Another word for 99.9 %, which is told once.
const TWICE: &str = "p999";

/// One thing that both have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Its name, as in expressions.
    pub name: String,
    /// Before and after; times in microseconds.
    pub before: f64,
    /// See `before`.
    pub after: f64,
}

impl Change {
    /// How much more it is, in parts of what it was; nothing when it was 0 and is.
    pub fn part(&self) -> f64 {
        match self.after - self.before {
            same if same.abs() < f64::EPSILON => 0.0,
            more if self.before.abs() < f64::EPSILON => more.signum() * f64::INFINITY,
            more => more / self.before.abs(),
        }
    }

    /// The change in a line: times in milliseconds.
    pub fn line(&self) -> String {
        let Self { name, before, after } = self;
        let percent = self.part() * 100.0;
        match is_duration(name) {
            true => {
                format!("{name}: {:.3} -> {:.3} ms ({percent:+.1} %)", before / 1e3, after / 1e3)
            }
            false => format!("{name}: {before:.4} -> {after:.4} ({percent:+.1} %)"),
        }
    }
}

/// Everything that both documents have; what is 0 in both is left out.
pub fn changes(before: &Document, after: &Document) -> Vec<Change> {
    let metrics = before.metrics.iter().map(|one| one.name.as_str());
    let figures = metrics.flat_map(|one| FIGURES.map(|figure| format!("{one}.{figure}")));
    let figures = figures.filter(|name| !name.ends_with(TWICE));
    let numbers = NUMBERS.into_iter().chain(Fault::ALL.map(Fault::name)).map(str::to_owned);
    let names = numbers.chain(figures);
    let change = names.filter_map(|name| {
        let (before, after) = (before.value(&name)?, after.value(&name)?);
        (before != 0.0 || after != 0.0).then_some(Change { name, before, after })
    });
    change.collect()
}

/// What makes two results two different things: they can be held against each other, and whoever does
/// should know.
pub fn differs(before: &Document, after: &Document) -> Vec<String> {
    let mut told = Vec::new();
    let both = [
        ("workload", workload(before), workload(after)),
        ("target", before.target.clone(), after.target.clone()),
        ("dialect", before.dialect.clone(), after.dialect.clone()),
    ];
    let other = both.into_iter().filter(|(_, was, is)| was != is);
    told.extend(other.map(|(what, was, is)| format!("{what}: {was}, then {is}")));
    let (was, is) = (before.plan.sockets(), after.plan.sockets());
    if was != is {
        told.push(format!("sockets: {was}, then {is}"));
    }
    let plan = plan_differs(&before.plan, &after.plan);
    told.extend(plan.into_iter().map(|field| format!("the plan has another {field}")));
    let has = |document: &Document, name: &str| document.metrics.iter().any(|one| one.name == name);
    let only = after.metrics.iter().filter(|one| !has(before, &one.name));
    told.extend(only.map(|one| format!("{}: measured in the second alone", one.name)));
    let only = before.metrics.iter().filter(|one| !has(after, &one.name));
    told.extend(only.map(|one| format!("{}: measured in the first alone", one.name)));
    for (which, document) in [("first", before), ("second", after)] {
        if document.rig.is_saturated() {
            let why = document.rig.reasons.join("; ");
            told.push(format!("the {which} was limited by its rig: {why}"));
        }
        if !document.complete {
            told.push(format!("the {which} was cut short"));
        }
    }
    told
}

/// Whether the second measured the same as the first, but for the dice; else what differs. Two servers of
/// this machine are the same: one of our own has another port every time.
///
/// # Errors
/// It did not: a sentence.
pub fn is_again(before: &Document, after: &Document) -> Result<(), String> {
    let is_here = |document: &Document| {
        document.target.parse().is_ok_and(|url| trialogue_client::http::is_loopback(&url))
    };
    let is_there = before.target == after.target || is_here(before) && is_here(after);
    let rooms = |document: &Document| document.plan.rooms;
    let same = [
        ("workload", workload(before) == workload(after)),
        ("target", is_there),
        ("dialect", before.dialect == after.dialect),
        ("number of rooms", rooms(before) == rooms(after)),
    ];
    let other = same.into_iter().find(|(_, same)| !same).map(|(what, _)| what.to_owned());
    match other.or_else(|| plan_differs(&before.plan, &after.plan).into_iter().next()) {
        None => Ok(()),
        Some(what) => Err(format!("not the same measurement: another {what}")),
    }
}

/// What kind of load it was, in a word; of a scenario its name.
fn workload(of: &Document) -> String {
    let word = match (&of.scenario, &of.plan.pace, of.plan.unrest) {
        (Some(scenario), ..) => return format!("scenario {}", scenario.name),
        (None, Pace::Silent { length: 0 }, _) => "connect",
        (None, Pace::Silent { .. }, _) => "idle",
        (None, _, Unrest::Calm) => "broadcast",
        (None, _, Unrest::Apart) => "ack",
        (None, _, Unrest::Jitter(_)) => "jitter",
        (None, _, Unrest::Churn(_)) => "churn",
        (None, _, Unrest::Storm { .. }) => "storm",
        (None, _, Unrest::History { .. }) => "history",
    };
    word.to_owned()
}

/// Why a limit on this name says nothing about these two.
fn is_void(name: &str, before: &Document, after: &Document) -> Option<String> {
    let (was, is) = (workload(before), workload(after));
    if was != is {
        return Some(format!("{was} and {is} are two things"));
    }
    let either = |of: &dyn Fn(&Document) -> bool| of(before) || of(after);
    let why = match is_of_the_rig(name) {
        true if either(&|one| one.rig.is_saturated()) => "the rig of one of the two was the limit",
        true if either(&|one| !one.complete) => "one of the two was cut short",
        true if is_of_answers(name) && either(&Document::is_censored) => {
            "of one of the two too much never came"
        }
        _ => return None,
    };
    Some(why.to_owned())
}

/// What a change must not be: `delivery.p99>+10%`, `reach<-0.1%`, `delivery.p99>+5ms`, `lost>+0`.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    text: String,
    name: String,
    /// Worse is more, or less.
    more: bool,
    by: By,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum By {
    /// Parts of what it was.
    Part(f64),
    /// Of its own unit; microseconds.
    Value(f64),
}

const FORM: &str = "delivery.p99>+10%, delivery.p99>+5ms or reach<-0.1%";

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || format!("`{text}` is not of the form {FORM}");
        let at = text.find(['<', '>']).ok_or_else(form)?;
        let (name, more) = (text[..at].trim(), text[at..].starts_with('>'));
        if !is_name(name) {
            return Err(format!("`{name}` is nothing that is measured"));
        }
        let (number, sign) = match text[at + 1..].trim().strip_prefix('-') {
            Some(number) => (number, -1.0),
            None => (text[at + 1..].trim().trim_start_matches('+'), 1.0),
        };
        let by = match number.strip_suffix('%') {
            Some(part) => By::Part(part.trim().parse::<f64>().map_err(|_| form())? / 100.0 * sign),
            None => By::Value(value(number, name).ok_or_else(form)? * sign),
        };
        let (By::Part(most) | By::Value(most)) = by;
        // `-0%` is less than nothing.
        if !most.is_finite() || most.is_sign_negative() == more {
            return Err(form());
        }
        Ok(Self { text: text.to_owned(), name: name.to_owned(), more, by })
    }
}

impl Limit {
    /// The change that is beyond the limit, in a sentence; an error when it cannot be told.
    ///
    /// # Errors
    /// One of the two has not measured it, or has measured something else, or its rig; a sentence.
    pub fn judge(&self, before: &Document, after: &Document) -> Result<Option<String>, String> {
        let (Some(was), Some(is)) = (before.value(&self.name), after.value(&self.name)) else {
            return Err(format!("{}: not measured in both", self.text));
        };
        if let Some(why) = is_void(&self.name, before, after) {
            return Err(format!("{}: {why}", self.text));
        }
        let change = Change { name: self.name.clone(), before: was, after: is };
        let (change_by, most) = match self.by {
            By::Part(part) => (change.part(), part),
            By::Value(value) => (is - was, value),
        };
        let beyond = if self.more { change_by > most } else { change_by < most };
        Ok(beyond.then(|| format!("{} with {}", self.text, change.line())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(before: f64, after: f64) -> Change {
        Change { name: "delivery.p99".to_owned(), before, after }
    }

    #[test]
    fn a_change_is_a_part_of_what_was() {
        assert_eq!(change(100.0, 110.0).part(), 0.1);
        assert_eq!(change(0.0, 0.0).part(), 0.0);
        assert_eq!(change(0.0, 3.0).part(), f64::INFINITY);
        assert_eq!(change(1_000.0, 1_100.0).line(), "delivery.p99: 1.000 -> 1.100 ms (+10.0 %)");
    }

    #[test]
    fn a_limit_has_a_direction() {
        let check =
            |text: &str, fine: bool| assert_eq!(text.parse::<Limit>().is_ok(), fine, "{text}");
        check("delivery.p99>+10%", true);
        check("delivery.p99 > 0%", true);
        check("reach<-0.1%", true);
        check("reach>-0.1%", false);
        check("reach<5%", false);
        check("speed>1%", false);
        check("delivery.p99>10", false);
        check("delivery.p99>+5ms", true);
        check("lost>+0", true);
        check("delivery.p99>-5ms", false);
        check("reach<-0%", true);
        check("delivery.p99", false);
        let limit: Limit = "delivery.p99>+5ms".parse().unwrap();
        assert_eq!((limit.by, limit.more), (By::Value(5_000.0), true));
    }
}
