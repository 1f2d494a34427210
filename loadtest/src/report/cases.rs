//! The document as cases that held or not, for formats of tests.

use std::time::{Duration, SystemTime};

use chrono::DateTime;
use trialogue_report::results::{Case, Outcome, Results, Suite};

use crate::result::{Document, Iterations, Verdict};
use crate::verdict::Fault;

/// The whole as results of one suite.
pub(super) fn results(document: &Document) -> Results {
    let started = DateTime::parse_from_rfc3339(&document.started);
    Results {
        title: "trialogue load".to_owned(),
        tool: document.tool.clone(),
        started: started.map_or(SystemTime::UNIX_EPOCH, SystemTime::from),
        took: Duration::from_micros(document.took),
        complete: document.complete,
        suites: vec![suite(document)],
    }
}

/// What was judged, and last the verdict: whatever made it bad, no reader sees it green.
pub(super) fn suite(document: &Document) -> Suite {
    let mut cases = match &document.scenario {
        Some(scenario) => vec![story(scenario)],
        None => Fault::ALL.into_iter().map(|fault| wrong(document, fault)).collect(),
    };
    for slo in &document.slos {
        let outcome = match slo.held {
            Some(true) => Outcome::Pass,
            Some(false) => Outcome::Fail,
            None => Outcome::Error,
        };
        cases.push(case(&slo.expression, "an objective", outcome, slo.to_string()));
    }
    let rig = if document.rig.is_saturated() { Outcome::Error } else { Outcome::Pass };
    cases.push(case("rig", "the rig was not the limit", rig, document.rig.reasons.join("; ")));
    let verdict = outcome_of(document.verdict);
    cases.push(case("verdict", "the run passed", verdict, document.why.join("; ")));
    let facts = crate::show::facts(document);
    let facts = facts.into_iter().map(|(name, value, _)| (name.to_owned(), value)).collect();
    Suite { name: document.target.clone(), facts, cases, ..Suite::default() }
}

/// As formats of tests know it.
pub(super) fn outcome_of(verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Passed => Outcome::Pass,
        Verdict::Failed => Outcome::Fail,
        Verdict::Inconclusive => Outcome::Error,
    }
}

pub(super) fn case(id: &str, title: &str, outcome: Outcome, message: String) -> Case {
    Case { id: id.to_owned(), title: title.to_owned(), outcome, message, ..Case::default() }
}

/// A wrong: found or not, and held against the server or only told.
fn wrong(document: &Document, fault: Fault) -> Case {
    let title = format!("nothing is {}", fault.name());
    let count = document.counts.of(fault);
    if count == 0 {
        return case(fault.name(), &title, Outcome::Pass, String::new());
    }
    let outcome = match (document.is_wrong(fault), fault) {
        (true, _) => Outcome::Fail,
        // Of what a late rig says nothing follows.
        (false, Fault::Late) => Outcome::Error,
        (false, _) => Outcome::NonStrict,
    };
    let examples = document.examples.iter().filter(|example| example.fault == fault);
    let told: Vec<&str> = examples.map(|example| example.text.as_str()).collect();
    case(fault.name(), &title, outcome, format!("{count}: {}", told.join("; ")))
}

fn story(of: &Iterations) -> Case {
    let Iterations { begun, passed, failed, unknown, cut_short, .. } = of;
    let outcome = match (*failed, *unknown, *passed) {
        (0, 0, 1..) => Outcome::Pass,
        (0, _, _) => Outcome::Error,
        _ => Outcome::Fail,
    };
    if outcome == Outcome::Pass {
        return case("iterations", "every iteration passes", outcome, String::new());
    }
    let counts = format!(
        "{begun} begun, {passed} passed, {failed} failed, {unknown} unknown, {cut_short} cut short"
    );
    let told = of.failures.iter();
    let told = told.map(|one| format!("iteration {}, seed {}: {}", one.n, one.seed, one.why));
    let message = [counts].into_iter().chain(told).collect::<Vec<_>>().join("\n");
    case("iterations", "every iteration passes", outcome, message)
}
