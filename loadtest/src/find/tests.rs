//! Searches of servers whose limits are known.

use super::*;
use crate::plan::{Absence, Unrest};

/// Searches a server that bears so much; `luck` is how often it bears a twentieth more.
fn search(wanted: Wanted, first: f64, bears: f64, luck: u32) -> Search {
    let mut search = Search::new(wanted);
    let mut luck = luck;
    while let Some(value) = search.next(first) {
        let lucky = value > bears && value <= bears * 1.05 && luck > 0;
        luck -= u32::from(lucky);
        let passed = value <= bears || lucky;
        let verdict = if passed { Verdict::Passed } else { Verdict::Failed };
        search.came(Tried { value, verdict, why: vec!["slow".to_owned()] });
    }
    search
}

#[test]
fn what_a_server_bears_is_found_from_below_and_from_above() {
    let check = |wanted, first: f64, bears: f64, luck| {
        let search = search(wanted, first, bears, luck);
        let found = search.found.unwrap_or_else(|| panic!("{search:?}"));
        assert!(found <= bears && found >= bears * 0.85, "{found} of {bears}");
        assert!(search.tried.len() < RUNS_MAX as usize);
        assert_eq!(search.verdict(), Verdict::Passed);
        assert!(search.sentence().contains("broke first: slow"));
    };
    check(Wanted::MaxRate, 100.0, 7_300.0, 0);
    check(Wanted::MaxRate, 5_000.0, 37.0, 0);
    check(Wanted::MaxRate, 100.0, 777.0, 2);
    check(Wanted::MaxMembers, 3.0, 213.0, 0);
    check(Wanted::MaxMembers, 64.0, 7.0, 0);
    check(Wanted::MaxConnections, 150.0, 9_700.0, 1);
}

#[test]
fn a_server_that_bears_nothing_is_told_and_so_is_a_rig_that_was_the_limit() {
    let none = search(Wanted::MaxMembers, 8.0, 0.0, 0);
    assert_eq!((none.found, none.verdict()), (None, Verdict::Failed));
    let tried: Vec<f64> = none.tried.iter().map(|tried| tried.value).collect();
    assert_eq!(tried, [8.0, 4.0, 2.0, 1.0]);
    let came = |search: &mut Search, value, verdict| {
        search.came(Tried { value, verdict, why: vec!["busy".to_owned()] });
    };
    let mut search = Search::new(Wanted::MaxMembers);
    came(&mut search, 1.0, Verdict::Passed);
    // Once is no limit, thrice is one.
    came(&mut search, 2.0, Verdict::Inconclusive);
    assert_eq!((search.next(1.0), search.broke()), (Some(2.0), None));
    came(&mut search, 2.0, Verdict::Inconclusive);
    came(&mut search, 2.0, Verdict::Inconclusive);
    assert_eq!(search.next(1.0), Some(1.0));
    came(&mut search, 1.0, Verdict::Passed);
    came(&mut search, 1.0, Verdict::Passed);
    assert_eq!((search.found, search.verdict()), (Some(1.0), Verdict::Inconclusive));
}

#[test]
fn a_bound_of_ours_is_no_limit_of_the_server_and_what_held_is_believed() {
    let passed = |search: &mut Search, value| {
        search.came(Tried { value, verdict: Verdict::Passed, why: Vec::new() });
    };
    let mut search = Search::new(Wanted::MaxConnections);
    passed(&mut search, 12.0);
    search.bounded("4 rooms are given".to_owned());
    for _ in 0..2 {
        let value = search.next(12.0).expect("it has to hold thrice");
        passed(&mut search, value);
    }
    assert_eq!((search.next(12.0), search.found), (None, Some(12.0)));
    assert_eq!(search.verdict(), Verdict::Inconclusive);
    assert!(search.sentence().contains("could not be tried: 4 rooms"), "{search:?}");
    let mut search = Search::new(Wanted::MaxRate);
    for value in [4.0, 4.0, 4.0, 2.0, 2.0, 2.0] {
        search.came(Tried { value, verdict: Verdict::Inconclusive, why: Vec::new() });
    }
    assert_eq!((search.found, search.verdict()), (None, Verdict::Inconclusive));
    // What held before did not hold again, and what held less than that is known: the server's.
    let mut search = Search::new(Wanted::MaxConnections);
    passed(&mut search, 12.0);
    search.bounded("4 rooms are given".to_owned());
    search.came(Tried { value: 12.0, verdict: Verdict::Failed, why: Vec::new() });
    (0..3).for_each(|_| passed(&mut search, 10.0));
    assert_eq!((search.found, search.verdict()), (Some(10.0), Verdict::Passed));
    // A server that holds every other time.
    let mut search = Search::new(Wanted::MaxRate);
    while let Some(value) = search.next(64.0) {
        let is_lucky = search.tried.len().is_multiple_of(2);
        let verdict = if is_lucky { Verdict::Passed } else { Verdict::Failed };
        search.came(Tried { value, verdict, why: Vec::new() });
    }
    assert_eq!((search.found, search.verdict()), (None, Verdict::Inconclusive));
    assert!(search.sentence().contains("in 40 runs"), "{}", search.sentence());
}

#[test]
fn what_is_never_measured_is_not_looked_for() {
    let plan = crate::plan::tests::plan();
    let silent = Plan { pace: Pace::Silent { length: 1 }, ..plan.clone() };
    let check = |wanted, plan: &Plan, slo: &str, acks, fault: &str| {
        let told = fits(wanted, plan, &[slo.parse().unwrap()], acks);
        assert!(told.clone().err().unwrap_or_default().contains(fault), "{slo}: {told:?}");
        assert_eq!(told.is_ok(), fault.is_empty(), "{slo}");
    };
    let (rate, connections) = (Wanted::MaxRate, Wanted::MaxConnections);
    check(rate, &plan, "delivery.p99<50ms && reach==1", true, "");
    check(rate, &plan, "page.p99<1ms", true, "does not measure page.p99");
    check(rate, &plan, "page.p99<1ms || lost==0", true, "");
    check(rate, &plan, "lost==0 && never_back==0", true, "never_back");
    check(rate, &plan, "ack.p99<1ms", true, "");
    check(rate, &plan, "ack.p99<1ms", false, "ack.p99");
    check(rate, &plan, "iteration.p99<1s", true, "iteration");
    check(rate, &silent, "cut==0", true, "nobody speaks");
    check(connections, &silent, "join.p99<1s && cut==0", true, "");
    check(connections, &silent, "delivery.p99<1s", true, "delivery.p99");
    let churn = Unrest::Churn(Absence { share: 0.1, every: 1, away: 1 });
    let churn = Plan { unrest: churn, ..plan };
    check(rate, &churn, "move.p99<1s", true, "");
}

#[test]
fn a_plan_is_made_larger_by_what_is_looked_for() {
    let plan = crate::plan::tests::plan();
    let more = Wanted::MaxRate.with(&plan, 250.0);
    assert!((Wanted::MaxRate.of(&more) - 250.0).abs() < 1e-9);
    assert_eq!(Wanted::MaxMembers.with(&plan, 1.0).senders, 1);
    let more = Wanted::MaxConnections.with(&plan, 300.0);
    assert_eq!((more.rooms, more.members, more.sockets()), (100, 3, 300));
    let one = Wanted::MaxConnections.with(&Plan { workers: 4, ..plan }, 1.0);
    assert_eq!((one.rooms, one.workers), (1, 1));
}

#[test]
fn a_run_that_could_not_be_done_is_a_limit_of_the_server_or_of_the_rig() {
    let none = |is_rig| Tried::not_run(9.0, "no".to_owned(), is_rig).verdict;
    assert_eq!((none(false), none(true)), (Verdict::Failed, Verdict::Inconclusive));
}
