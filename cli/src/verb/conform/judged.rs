//! What came of the targets: as results for reports, and as one exit code.

use trialogue_report::results::{self, Outcome};
use trialogue_socketio::conform::{Checked, Subject, Suite, Target, Verdict};

use crate::exit::Exit;
use crate::owned::shown;

/// Names of cases in the last line; all of them are in the reports.
const NAMES_MAX: usize = 5;

/// One target.
pub(super) struct Judged {
    /// Where it is, for people.
    pub(super) url: String,
    /// What it offers.
    pub(super) facts: Vec<(&'static str, String)>,
    /// What was tried, in its order.
    pub(super) checked: Vec<Checked>,
    /// How many cases there are to try.
    pub(super) cases: usize,
    /// Why there was nothing to try.
    pub(super) unreachable: Option<String>,
}

impl Judged {
    pub(super) fn new(subject: &Subject, cases: usize) -> Self {
        let (url, facts) = (shown(&subject.target().url), subject.offers().facts());
        Self { url, facts, checked: Vec::new(), cases, unreachable: None }
    }

    pub(super) fn unreachable(target: &Target, why: &str) -> Self {
        let (url, unreachable) = (shown(&target.url), Some(why.to_owned()));
        Self { url, facts: Vec::new(), checked: Vec::new(), cases: 0, unreachable }
    }

    /// Cases of a suite with a verdict of that name.
    pub(super) fn count(&self, suite: Option<Suite>, verdict: &str) -> usize {
        let counts = |checked: &&Checked| {
            suite.is_none_or(|suite| checked.case.suite == suite)
                && checked.verdict.name() == verdict
        };
        self.checked.iter().filter(counts).count()
    }
}

/// Whether a verdict is a failure.
fn is_bad(verdict: &Verdict, strict: bool) -> bool {
    match verdict {
        Verdict::Ok => false,
        Verdict::NonStrict(_) | Verdict::Unimplemented(_) => strict,
        Verdict::Failed(_) => true,
    }
}

/// The exit code, its word and the last line. The worst counts: a server that cannot be reached,
/// then a failure, then that nothing could be judged.
pub(super) fn decide(
    judged: &[Judged],
    strict: bool,
    stopped: Option<Exit>,
) -> (Exit, &'static str, String) {
    if let Some(exit) = stopped {
        let tried: usize = judged.iter().map(|judged| judged.checked.len()).sum();
        return (exit, "interrupted", format!("stopped after {}", count(tried, "case")));
    }
    let lost = |judged: &Judged| {
        judged.unreachable.as_ref().map(|why| format!("{} cannot be checked: {why}", judged.url))
    };
    let unreachable: Vec<String> = judged.iter().filter_map(lost).collect();
    if !unreachable.is_empty() {
        return (Exit::COULD_NOT_RUN, "unreachable", unreachable.join("; "));
    }
    let bad: Vec<&Checked> = judged
        .iter()
        .flat_map(|judged| &judged.checked)
        .filter(|checked| is_bad(&checked.verdict, strict))
        .collect();
    if !bad.is_empty() {
        let names: Vec<&str> = bad.iter().take(NAMES_MAX).map(|checked| checked.case.id).collect();
        let more = match bad.len() - names.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let what = format!("{} failed ({}{more})", count(bad.len(), "case"), names.join(", "));
        return (Exit::FAILED, "failed", what);
    }
    let unjudged = |judged: &&Judged| {
        judged.checked.len() == judged.count(None, Verdict::Unimplemented(String::new()).name())
    };
    match judged.iter().find(unjudged) {
        Some(judged) => {
            let what = format!("nothing could be judged: {} does not offer what the ", judged.url);
            let cases = count(judged.checked.len(), "case");
            let verb = if judged.checked.len() == 1 { "needs" } else { "need" };
            (Exit::INCONCLUSIVE, "inconclusive", format!("{what}{cases} {verb}"))
        }
        None => (Exit::DONE, "done", String::new()),
    }
}

/// The verdict when something of it could not be told: that is the worst, and it is said besides.
pub(super) fn untold(
    faults: &[String],
    verdict: (Exit, &'static str, String),
) -> (Exit, &'static str, String) {
    if faults.is_empty() {
        return verdict;
    }
    let said = if verdict.0 == Exit::DONE { "no case failed" } else { &verdict.2 };
    (Exit::INTERNAL, "internal", format!("{}; besides, {said}", faults.join("; ")))
}

/// `1 case`, `2 cases`.
pub(super) fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// The suites of all targets; with several, each names its target.
pub(super) fn suites(judged: &[Judged], strict: bool) -> Vec<results::Suite> {
    let several = judged.len() > 1;
    let name = |url: &str, name: &str| match several {
        true => format!("{url} {name}"),
        false => name.to_owned(),
    };
    let mut suites = Vec::new();
    for judged in judged {
        let mut facts = vec![("target".to_owned(), judged.url.clone())];
        facts.extend(judged.facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        if let Some(why) = &judged.unreachable {
            let cases = vec![reach(why)];
            let name = name(&judged.url, "target");
            suites.push(results::Suite { name, facts, cases, ..results::Suite::default() });
            continue;
        }
        for suite in Suite::ALL {
            let of_suite = judged.checked.iter().filter(|checked| checked.case.suite == suite);
            let cases: Vec<results::Case> = of_suite.map(|checked| case(checked, strict)).collect();
            if !cases.is_empty() {
                let (name, facts) = (name(&judged.url, suite.name()), facts.clone());
                suites.push(results::Suite { name, facts, cases, ..results::Suite::default() });
            }
        }
    }
    suites
}

fn case(checked: &Checked, strict: bool) -> results::Case {
    let outcome = match &checked.verdict {
        verdict if is_bad(verdict, strict) => Outcome::Fail,
        Verdict::Ok => Outcome::Pass,
        Verdict::NonStrict(_) => Outcome::NonStrict,
        Verdict::Unimplemented(_) => Outcome::Skip,
        Verdict::Failed(_) => Outcome::Fail,
    };
    let reason = checked.verdict.reason();
    // Only `--strict` makes a failure of these.
    let message = match &checked.verdict {
        Verdict::NonStrict(_) | Verdict::Unimplemented(_) if strict => {
            format!("{}: {reason}", checked.verdict.name())
        }
        _ => reason.to_owned(),
    };
    results::Case {
        id: checked.case.id.to_owned(),
        title: checked.case.title.to_owned(),
        outcome,
        took: checked.took,
        message,
        ..results::Case::default()
    }
}

/// That the target is there at all, as a case that could not be tried.
fn reach(why: &str) -> results::Case {
    results::Case {
        id: "reach".to_owned(),
        title: "the server answers".to_owned(),
        outcome: Outcome::Error,
        message: why.to_owned(),
        ..results::Case::default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use trialogue_socketio::conform::cases;

    use super::*;

    fn judged(verdicts: &[Verdict]) -> Judged {
        let checked = cases().into_iter().zip(verdicts).map(|(case, verdict)| Checked {
            case,
            verdict: verdict.clone(),
            took: Duration::ZERO,
        });
        Judged {
            url: "http://a".to_owned(),
            facts: Vec::new(),
            checked: checked.collect(),
            cases: verdicts.len(),
            unreachable: None,
        }
    }

    #[test]
    fn the_worst_decides() {
        let (ok, loose) = (Verdict::Ok, Verdict::NonStrict("loose".to_owned()));
        let not = [Verdict::Unimplemented("no".to_owned())];
        let bad = [Verdict::Failed("x".to_owned())];
        let gone = || Judged { unreachable: Some("no route".to_owned()), ..judged(&[]) };
        let check = |judged: &[Judged], strict, exit, line: &str| {
            let (came, _, message) = decide(judged, strict, None);
            assert_eq!((came, message.as_str()), (exit, line));
        };
        let all = [ok.clone(), loose, not[0].clone()];
        check(&[judged(&all)], false, Exit::DONE, "");
        let strict =
            "2 cases failed (eio4.handshake.polling-eio, eio4.handshake.polling-transport)";
        check(&[judged(&all)], true, Exit::FAILED, strict);
        let one = "1 case failed (eio4.handshake.polling)";
        check(&[judged(&bad), judged(&not)], false, Exit::FAILED, one);
        let nothing = "nothing could be judged: http://a does not offer what the 1 case needs";
        check(&[judged(&[ok]), judged(&not)], false, Exit::INCONCLUSIVE, nothing);
        let lost = "http://a cannot be checked: no route";
        check(&[judged(&bad), gone()], false, Exit::COULD_NOT_RUN, lost);
        let many = vec![bad[0].clone(); 7];
        assert!(decide(&[judged(&many)], false, None).2.ends_with(" and 2 more)"));
        let stopped = decide(&[judged(&many), gone()], false, Some(Exit::TERMINATED));
        assert_eq!((stopped.0, stopped.2.as_str()), (Exit::TERMINATED, "stopped after 7 cases"));
    }

    #[test]
    fn strict_makes_failures_of_what_is_not_ok_in_reports_too() {
        let judged = [judged(&[Verdict::Ok, Verdict::Unimplemented("no echo".to_owned())])];
        let outcomes = |strict| {
            let suites = suites(&judged, strict);
            let case = suites[0].cases[1].clone();
            (suites[0].name.clone(), case.outcome, case.message)
        };
        let skipped = ("eio4".to_owned(), Outcome::Skip, "no echo".to_owned());
        assert_eq!(outcomes(false), skipped);
        let failed = ("eio4".to_owned(), Outcome::Fail, "unimplemented: no echo".to_owned());
        assert_eq!(outcomes(true), failed);
    }
}
