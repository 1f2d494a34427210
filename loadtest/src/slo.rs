//! Objectives: `delivery.p99<50ms && reach==1`. `&&` binds more closely than `||`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::recorder::Metric;
use crate::result::Document;
use crate::verdict::Fault;

/// Longest expression, in bytes.
const TEXT_MAX: usize = 1_000;
pub(crate) const FIGURES: [&str; 9] =
    ["count", "min", "mean", "p50", "p90", "p99", "p99.9", "p999", "max"];
pub(crate) const NUMBERS: [&str; 31] = [
    "join_rate",
    "reach",
    "rate",
    "delivery_rate",
    "sent",
    "acked",
    "refused",
    "rate_limited",
    "refused_share",
    "unanswered",
    "delivered",
    "cut",
    "cpu",
    "pages",
    "page_rate",
    "caught_up",
    "never_back",
    "failed_attempts",
    "iterations",
    "iteration_rate",
    "passed",
    "failed",
    "indeterminate",
    "in_transit",
    "foreign",
    "overlap",
    "typed_seen",
    "read_seen",
    "errors",
    "unsendable",
    "stalled",
];
/// Who names one of these has said how many refusals are fine.
pub(crate) const REFUSALS: [&str; 3] = ["refused", "rate_limited", "refused_share"];
/// What is measured besides where a scenario is the load; and its steps, by their ids.
const ITERATION: &str = "iteration";
const STEP: &str = "step:";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    Unequal,
}

/// Longer signs first: `<=` begins with `<`.
const SIGNS: [(&str, Compare); 6] = [
    ("<=", Compare::AtMost),
    (">=", Compare::AtLeast),
    ("==", Compare::Equal),
    ("!=", Compare::Unequal),
    ("<", Compare::Less),
    (">", Compare::More),
];

/// 99.9 % is no number of a computer's; counts and their quotients are farther apart than this.
const ERROR: f64 = 1e-9;

impl Compare {
    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Less => left < right,
            Self::AtMost => left <= right + ERROR,
            Self::More => left > right,
            Self::AtLeast => left >= right - ERROR,
            Self::Equal => (left - right).abs() <= ERROR,
            Self::Unequal => (left - right).abs() > ERROR,
        }
    }
}

/// `name sign value`.
#[derive(Debug, Clone, PartialEq)]
struct Term {
    name: String,
    compare: Compare,
    value: f64,
}

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Slo {
    text: String,
    /// One of these rows must hold in all its terms.
    rows: Vec<Vec<Term>>,
}

impl fmt::Display for Slo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// An expression and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// As it was written.
    pub expression: String,
    /// Whether it held; none when the values do not say.
    pub held: Option<bool>,
    /// Its names and what they were: durations in microseconds, none where nothing was measured.
    pub values: Vec<(String, Option<f64>)>,
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.expression)?;
        for (n, (name, value)) in self.values.iter().enumerate() {
            f.write_str(if n == 0 { " with " } else { ", " })?;
            match value {
                None => write!(f, "{name} unknown")?,
                Some(value) if is_duration(name) => write!(f, "{name} {:.3}ms", value / 1e3)?,
                Some(value) => write!(f, "{name} {}", (value * 1e6).round() / 1e6)?,
            }
        }
        Ok(())
    }
}

/// Whether a name is of a time.
pub(crate) fn is_duration(name: &str) -> bool {
    name.split_once('.').is_some_and(|(_, figure)| figure != "count")
}

/// Whether a late or busy rig makes its value void.
pub(crate) fn is_of_the_rig(name: &str) -> bool {
    let figure = name.contains('.') && !name.ends_with(".count");
    figure
        || ["rate", "join_rate", "delivery_rate", "page_rate", "iteration_rate", "late", "cut"]
            .contains(&name)
}

/// Whether what never came would be the slowest of it.
pub(crate) fn is_of_answers(name: &str) -> bool {
    let is_one = |one: &Metric| name.split('.').next() == Some(one.name());
    is_duration(name) && Metric::OF_ANSWERS.iter().any(is_one)
}

/// What makes values say too little.
#[derive(Debug, Clone, Copy, Default)]
struct Void {
    /// The rig was the limit.
    rig: bool,
    /// More than one message in a hundred never came.
    missing: bool,
}

pub(crate) fn is_name(name: &str) -> bool {
    match name.split_once('.') {
        Some((metric, figure)) => {
            let known = Metric::ALL.iter().any(|one| one.name() == metric);
            let of_story = metric == ITERATION || metric.starts_with(STEP);
            (known || of_story) && FIGURES.contains(&figure)
        }
        None => NUMBERS.contains(&name) || Fault::ALL.iter().any(|fault| fault.name() == name),
    }
}

/// A number with its unit: times in microseconds, parts of a hundred as parts of one.
pub(crate) fn value(text: &str, name: &str) -> Option<f64> {
    let end = text.find(|c: char| c.is_alphabetic() || c == '%').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number.trim().parse().ok().filter(|number: &f64| number.is_finite())?;
    let scale = match (unit, is_duration(name)) {
        ("us", true) => 1.0,
        ("ms", true) => 1e3,
        ("s", true) => 1e6,
        ("", false) => 1.0,
        ("%", false) => 0.01,
        _ => return None,
    };
    Some(number * scale)
}

impl FromStr for Term {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let sign = |at: usize| SIGNS.iter().find(|(sign, _)| text[at..].starts_with(sign));
        let found = text.char_indices().find_map(|(at, _)| sign(at).map(|sign| (at, sign)));
        let (at, (sign, compare)) =
            found.ok_or_else(|| format!("`{text}` compares nothing: delivery.p99<50ms"))?;
        let name = text[..at].trim();
        if !is_name(name) {
            let metrics = Metric::ALL.map(Metric::name).join(", ");
            let faults = Fault::ALL.map(Fault::name).join(", ");
            return Err(format!(
                "`{name}` is nothing that is measured: {metrics} with .{}; {}; {faults}",
                FIGURES.join(" ."),
                NUMBERS.join(", "),
            ));
        }
        let text = text[at + sign.len()..].trim();
        let what = if is_duration(name) { "a time as in 50ms" } else { "a number" };
        let value = value(text, name).ok_or_else(|| format!("`{text}` is not {what}"))?;
        Ok(Self { name: name.to_owned(), compare: *compare, value })
    }
}

impl FromStr for Slo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > TEXT_MAX {
            return Err(format!("longer than {TEXT_MAX} bytes"));
        }
        let row = |row: &str| row.split("&&").map(|term| term.trim().parse()).collect();
        let rows = text.split("||").map(row).collect::<Result<_, String>>()?;
        Ok(Self { text: text.trim().to_owned(), rows })
    }
}

impl Slo {
    /// What comes of it in a run.
    pub fn judge(&self, document: &Document) -> Judged {
        let void = Void { rig: document.rig.is_saturated(), missing: document.is_censored() };
        self.decide(|name| document.value(name), void)
    }

    /// What makes it undecided for ever, where only such names have values: one of each row.
    pub(crate) fn lacks(&self, is_measured: impl Fn(&str) -> bool) -> Option<&str> {
        let lacking = |row: &Vec<Term>| row.iter().position(|term| !is_measured(&term.name));
        let places = self.rows.iter().map(|row| lacking(row).map(|at| row[at].name.as_str()));
        places.collect::<Option<Vec<_>>>().and_then(|names| names.first().copied())
    }

    /// How it stands while a run goes on, by the values that are known.
    pub(crate) fn so_far(&self, of: impl Fn(&str) -> Option<f64>) -> Judged {
        self.decide(of, Void::default())
    }

    /// The first of these that holds while a run goes on: reason enough to end it.
    pub(crate) fn first_held(
        expressions: &[Self],
        of: impl Fn(&str) -> Option<f64>,
    ) -> Option<Judged> {
        expressions.iter().map(|one| one.so_far(&of)).find(|judged| judged.held == Some(true))
    }

    fn decide(&self, of: impl Fn(&str) -> Option<f64>, void: Void) -> Judged {
        let mut values: Vec<(String, Option<f64>)> = Vec::new();
        for term in self.rows.iter().flatten() {
            if !values.iter().any(|(name, _)| *name == term.name) {
                values.push((term.name.clone(), of(&term.name)));
            }
        }
        let term = |term: &Term| {
            let value = of(&term.name).filter(|_| !(void.rig && is_of_the_rig(&term.name)))?;
            let holds = term.compare.holds(value, term.value);
            (!(holds && void.missing && is_of_answers(&term.name))).then_some(holds)
        };
        // A row is false when any of its terms is, whatever the others are; rows the other way.
        let row = |row: &Vec<Term>| {
            let terms: Vec<Option<bool>> = row.iter().map(term).collect();
            match terms {
                terms if terms.contains(&Some(false)) => Some(false),
                terms if terms.contains(&None) => None,
                _ => Some(true),
            }
        };
        let rows: Vec<Option<bool>> = self.rows.iter().map(row).collect();
        let held = match rows {
            rows if rows.contains(&Some(true)) => Some(true),
            rows if rows.contains(&None) => None,
            _ => Some(false),
        };
        Judged { expression: self.text.clone(), held, values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(text: &str, rig: bool) -> Judged {
        decide_by(text, Void { rig, missing: false })
    }

    fn decide_by(text: &str, void: Void) -> Judged {
        let of = |name: &str| match name {
            "delivery.p99" => Some(40_000.0),
            "reach" => Some(0.999),
            "lost" => Some(3.0),
            _ => None,
        };
        text.parse::<Slo>().unwrap().decide(of, void)
    }

    #[test]
    fn expressions_hold_or_not_or_are_open() {
        let check = |text: &str, expect: Option<bool>| {
            assert_eq!(decide(text, false).held, expect, "{text}");
        };
        check("delivery.p99<50ms", Some(true));
        check("delivery.p99 < 0.03s", Some(false));
        check("delivery.p99<50ms && reach==1", Some(false));
        check("delivery.p99<50ms||reach==1", Some(true));
        check("reach>=99.9%", Some(true));
        check("lost!=3", Some(false));
        check("ack.p50<1s", None);
        check("ack.p50<1s && lost==0", Some(false));
        check("ack.p50<1s || lost<=3", Some(true));
    }

    #[test]
    fn a_saturated_rig_voids_what_depends_on_it_and_nothing_else() {
        let check = |text: &str, expect: Option<bool>| {
            assert_eq!(decide(text, true).held, expect, "{text}");
        };
        check("delivery.p99<50ms", None);
        check("lost==0", Some(false));
        check("lost==3 && reach<1", Some(true));
    }

    #[test]
    fn what_never_came_is_no_fast_answer() {
        let check = |text: &str, expect: Option<bool>| {
            let void = Void { rig: false, missing: true };
            assert_eq!(decide_by(text, void).held, expect, "{text}");
        };
        check("delivery.p99<50ms", None);
        check("delivery.p99<30ms", Some(false));
        check("lost==3", Some(true));
    }

    #[test]
    fn what_failed_is_shown_with_its_values() {
        let told = decide("delivery.p99<30ms && reach==1 && ack.p50<1s", false).to_string();
        let expect = "delivery.p99<30ms && reach==1 && ack.p50<1s with delivery.p99 40.000ms, \
                      reach 0.999, ack.p50 unknown";
        assert_eq!(told, expect);
    }

    #[test]
    fn nonsense_is_refused_with_what_would_make_sense() {
        let fault = |text: &str| text.parse::<Slo>().unwrap_err();
        assert!(fault("delivery.p99").contains("compares nothing"));
        assert!(fault("speed<1").contains("delivery_uncorrected"));
        assert!(fault("delivery.p98<1ms").contains("nothing that is measured"));
        assert!(fault("delivery.p99<50").contains("a time"));
        assert!(fault("lost<5ms").contains("a number"));
        assert!(fault("").contains("compares nothing"));
        assert!("delivery.p99.9<1ms".parse::<Slo>().is_ok());
        assert!("iteration.p99<1s && step:m1_seen.p50<1s && failed==0".parse::<Slo>().is_ok());
    }
}
