//! What came of everything: the sums, the last line and the exit code (SCENARIOS §10).

use trialogue_protocol::ErrorCode;
use trialogue_report::results::Results;
use trialogue_scenarios::{Came, Report, StepDone};

use super::judged::Played;
use crate::exit::Exit;
use crate::play::LIMITED_HINT;

/// Most names in the last line: more are counted.
pub(super) const NAMES_MAX: usize = 5;

/// Why a target lets nobody in: the first step that did not hold only signs somebody in, and nothing
/// was played before, or what is refused is the account.
pub(super) fn not_let_in(report: &Report) -> Option<String> {
    let at = report.steps.iter().position(|step| step.came == Came::Broken)?;
    let step = report.steps.get(at).filter(|step| step.signs_in)?;
    let got = step.why.lines().nth(1).unwrap_or_default();
    let got = got.strip_prefix("got").unwrap_or(got).trim();
    let begun = report.steps[..at].iter().any(|step| step.came == Came::Held && !step.signs_in);
    let says = |code: ErrorCode| got.contains(&format!("\"{code}\""));
    let limited = says(ErrorCode::RateLimited);
    if begun && !limited && !says(ErrorCode::Unauthenticated) {
        return None;
    }
    let hint = if limited { format!("; {LIMITED_HINT}") } else { String::new() };
    Some(format!("nobody could be signed in: {got}{hint}"))
}

/// Whether the target lacks what takes all of it, so that nothing was seen at all.
pub(super) fn was_not_played(report: &Report) -> bool {
    let tried = |step: &StepDone| !matches!(step.came, Came::Unimplemented | Came::NotReached);
    report.count(Came::Unimplemented) > 0 && !report.steps.iter().any(tried)
}

/// The sums of a run with several scenarios, in one line.
pub(super) fn sum(played: &[Played], results: &Results, strict: bool) -> String {
    let of = |wanted: Came| {
        let judged = played.iter().filter(|p| p.not_run().is_none());
        judged.filter(|p| p.report().is_some() && p.came(strict) == wanted).count()
    };
    let not_run = played.iter().filter(|p| p.not_run().is_some()).count();
    let left_out: usize =
        played.iter().filter_map(Played::report).map(|r| r.count(Came::Unimplemented)).sum();
    let mut parts = vec![format!("{} ok", of(Came::Held))];
    for (count, word) in [
        (of(Came::Broken), "failed"),
        (of(Came::Unknown), "unknown"),
        (not_run, "could not run"),
        (of(Came::Unimplemented), "not played"),
        (left_out, "steps or checks unimplemented"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    let seconds = results.took.as_secs_f64();
    format!("\n{} scenarios: {} ({seconds:.2} s)", played.len(), parts.join(", "))
}

/// The exit code, its word and the last line; the worst of 5, 3, 1, 4 wins.
pub(super) fn decide(
    played: &[Played],
    strict: bool,
    stopped: Option<Exit>,
    faults: &[String],
) -> (Exit, &'static str, String) {
    let faults = faults.iter().chain(played.iter().flat_map(|played| &played.faults));
    let faults: Vec<&str> = faults.map(String::as_str).collect();
    if !faults.is_empty() {
        return (Exit::INTERNAL, "internal", faults.join("; "));
    }
    if let Some(signal) = stopped {
        let ended = played.iter().filter(|played| played.report().is_some()).count();
        let message = format!("stopped after {}", count(ended, "scenario"));
        return (signal, "interrupted", message);
    }
    let not_run: Vec<String> = played
        .iter()
        .filter_map(|played| played.not_run().map(|why| format!("{}: {why}", played.name)))
        .collect();
    if let Some(first) = not_run.first() {
        let more = match not_run.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        // The rest of it stands above.
        let first = first.lines().next().unwrap_or_default();
        return (Exit::COULD_NOT_RUN, "could_not_run", format!("could not run {first}{more}"));
    }
    let wrong: Vec<(String, Vec<String>)> = played
        .iter()
        .map(|played| (played.name.clone(), played.wrong(strict)))
        .filter(|(_, wrong)| !wrong.is_empty())
        .collect();
    if !wrong.is_empty() {
        return (Exit::FAILED, "failed", failed(played, &wrong));
    }
    let unknown: Vec<&str> =
        played.iter().filter_map(Played::report).flat_map(unknown_of).collect();
    if !unknown.is_empty() {
        let message = format!("{} unknown ({})", unknown.len(), names(&unknown));
        return (Exit::INCONCLUSIVE, "inconclusive", message);
    }
    // Where nothing at all was played, nothing is shown to be right.
    if !played.is_empty() && played.iter().all(|one| one.came(strict) == Came::Unimplemented) {
        let message = "nothing was played: the target lacks what that takes";
        return (Exit::INCONCLUSIVE, "inconclusive", message.to_owned());
    }
    (Exit::DONE, "done", String::new())
}

/// The steps and checks of which nothing is known: they are no success.
fn unknown_of(report: &Report) -> Vec<&str> {
    let steps = report.steps.iter().filter(|step| step.came == Came::Unknown);
    let checks = report.verdicts.iter().filter(|verdict| verdict.came == Came::Unknown);
    let steps = steps.map(|step| step.id.as_deref().unwrap_or(&step.words));
    steps.chain(checks.map(|verdict| verdict.name.as_str())).collect()
}

/// `2 of 3 scenarios did not hold (booking: m1_seen, delivery; burst: order)`.
fn failed(played: &[Played], wrong: &[(String, Vec<String>)]) -> String {
    let each: Vec<String> = wrong
        .iter()
        .map(|(name, wrong)| {
            let wrong: Vec<&str> = wrong.iter().map(String::as_str).collect();
            format!("{name}: {}", names(&wrong))
        })
        .collect();
    let shown = each[..each.len().min(NAMES_MAX)].join("; ");
    let more = each.len().saturating_sub(NAMES_MAX);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let of = count(played.len(), "scenario");
    format!("{} of {of} did not hold ({shown}{more})", wrong.len())
}

fn names(names: &[&str]) -> String {
    let mut shown = names[..names.len().min(NAMES_MAX)].join(", ");
    if names.len() > NAMES_MAX {
        shown += &format!(" and {} more", names.len() - NAMES_MAX);
    }
    shown
}

/// `1 scenario`, `2 scenarios`.
pub(super) fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_step_of_which_nothing_is_known_is_no_success() {
        let step = |id: Option<&str>, came| StepDone {
            place: "t.scn.yaml:1:1".to_owned(),
            id: id.map(str::to_owned),
            words: "customer <- m1".to_owned(),
            signs_in: false,
            came,
            began: Duration::ZERO,
            took: Duration::ZERO,
            times: 1,
            why: String::new(),
        };
        let unknown = [step(Some("seen"), Came::Unknown), step(None, Came::Unknown)];
        let steps = [&unknown[..], &[step(Some("held"), Came::Held)]].concat();
        let report = Report { steps, ..Report::default() };
        assert_eq!(unknown_of(&report), ["seen", "customer <- m1"]);
    }

    fn step(words: &str, came: Came, signs_in: bool, got: &str) -> StepDone {
        StepDone {
            place: "t.scn.yaml:1:1".to_owned(),
            id: None,
            words: words.to_owned(),
            signs_in,
            came,
            began: Duration::ZERO,
            took: Duration::ZERO,
            times: 1,
            why: format!("expected  no refusal\ngot       {got}"),
        }
    }

    #[test]
    fn who_is_not_let_in_could_not_play_but_a_login_that_is_tested_can_fail() {
        let check = |steps: &[StepDone], expect: Option<&str>| {
            let report = Report { steps: steps.to_vec(), ..Report::default() };
            let why = not_let_in(&report);
            assert_eq!(why.is_some(), expect.is_some(), "{why:?}");
            assert!(why.unwrap_or_default().contains(expect.unwrap_or_default()));
        };
        let held = step("ann books", Came::Held, false, "");
        let login = |signs_in, got| step("ann logs in", Came::Broken, signs_in, got);
        check(&[login(true, "ann: no such server")], Some("signed in: ann: no such server"));
        // A log-in with an `expect` is what is tested.
        check(&[login(false, "ann: no such server")], None);
        check(&[held.clone(), login(true, "ann: no such server")], None);
        let unknown = "ann: {\"code\":\"unauthenticated\"}";
        check(&[held.clone(), login(true, unknown)], Some("unauthenticated"));
        let limited = "ann: {\"code\":\"rate_limited\"}";
        check(&[held.clone(), login(true, limited)], Some("--limits bench"));
        check(&[held], None);
    }

    #[test]
    fn a_scenario_of_which_nothing_was_played_is_not_ok() {
        let left_out = step("kill", Came::Unimplemented, false, "");
        let held = step("look", Came::Held, false, "");
        let report = |steps: &[StepDone]| Report { steps: steps.to_vec(), ..Report::default() };
        assert!(was_not_played(&report(&[left_out.clone(), left_out.clone()])));
        assert!(!was_not_played(&report(&[left_out, held.clone()])));
        assert!(!was_not_played(&report(&[held])));
    }
}
