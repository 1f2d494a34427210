//! When nothing is proved the verdict is unknown, and says why.

use trialogue_checker::history::OpName;
use trialogue_checker::{Doubt, Line, Report, Verdict, Wrong};

use crate::world::{DRIVER, Size, TABLES, World, play, text};

const SIZE: Size = Size { chats: 2, sends: 60, kills: 1, disputes: false };

#[track_caller]
fn check(world: &World, expect: &[Doubt]) {
    let report = world.judge();
    assert!(report.findings.is_empty(), "{report}");
    assert_eq!(report.doubts, expect, "{report}");
    assert_eq!(report.verdict, Verdict::Unknown);
}

#[test]
fn nothing_acknowledged_proves_nothing() {
    let mut world = play(1, SIZE);
    for file in &mut world.files {
        file.lines.retain(|line| line.op != OpName::Ok);
    }
    check(&world, &[Doubt::NoOk]);
    let empty = World { plan: world.plan.clone(), files: Vec::new() };
    let fired = Doubt::FaultsNotFired { ordered: 1, fired: 0 };
    check(&empty, &[Doubt::NoOk, fired]);
}

fn without_final_reads(world: &mut World, user: &str) {
    for file in &mut world.files {
        if file.name.starts_with(user) {
            file.lines.retain(|line| line.is_final != Some(true));
        }
    }
}

#[test]
fn a_member_whose_final_read_is_missing_proves_nothing() {
    let mut world = play(2, SIZE);
    // One device of two is enough.
    without_final_reads(&mut world, "bob-quiet1");
    assert_eq!(world.judge().verdict, Verdict::Valid);
    without_final_reads(&mut world, "bob1");
    let examples = vec![("chat1".to_owned(), "bob1".to_owned())];
    check(&world, &[Doubt::FinalReadMissing { count: 1, examples }]);
    // A read that never came to its end is none.
    let mut world = play(2, SIZE);
    for line in world.file("ann0") {
        line.more = line.more.map(|_| true);
    }
    let examples = vec![("chat0".to_owned(), "ann0".to_owned())];
    check(&world, &[Doubt::FinalReadMissing { count: 1, examples }]);
}

#[test]
fn a_chat_without_a_dump_proves_nothing_and_is_not_called_lost() {
    let mut world = play(3, SIZE);
    world.file(TABLES).retain(|line| text(&line.chat) != "chat0" || line.op == OpName::Member);
    check(&world, &[Doubt::TableMissing { count: 1, examples: vec!["chat0".to_owned()] }]);
}

#[test]
fn fewer_faults_than_ordered_prove_nothing() {
    let mut world = play(4, SIZE);
    world.plan.faults = 2;
    check(&world, &[Doubt::FaultsNotFired { ordered: 2, fired: 1 }]);
}

#[test]
fn faults_that_nobody_met_prove_nothing() {
    let mut world = play(5, Size { kills: 0, ..SIZE });
    let mut alone = |faults: &[(u64, u64)]| {
        world.plan.faults = u32::try_from(faults.len()).unwrap();
        let name = || crate::world::name("elsewhere");
        let at = |t, over| Line {
            op: OpName::Fault,
            t: Some(t),
            name: name(),
            over: Some(over),
            ..Line::default()
        };
        *world.file(DRIVER) =
            faults.iter().flat_map(|(from, to)| [at(*from, false), at(*to, true)]).collect();
        // Nobody was ever in doubt or tried twice.
        for file in &mut world.files {
            let lines = file.lines.clone();
            let twice = |line: &Line<'_>| {
                let same = lines.iter().filter(|other| {
                    other.op == OpName::Invoke && other.h == line.h && line.h.is_some()
                });
                same.count() > 1
            };
            file.lines.retain(|line| {
                let of_try = [OpName::Invoke, OpName::Ok, OpName::Fail, OpName::Info];
                !(of_try.contains(&line.op) && twice(line))
            });
        }
        // What was tried twice is now a phantom: not what this test is about.
        let mut report: Report = world.judge();
        report.findings.retain(|finding| finding.wrong != Wrong::Phantom);
        assert!(report.findings.is_empty(), "{report}");
        (report.counts.sends, report.counts.met_faults, report.doubts)
    };
    let (sends, met, doubts) = alone(&[(1, 2)]);
    assert_eq!((met, doubts), (0, vec![Doubt::FaultsNotMet { sends, met: 0 }]));
    let (_, met, doubts) = alone(&[(1, 1_000_000)]);
    assert_eq!((met, doubts), (sends, vec![]));
    let (_, met, doubts) = alone(&[]);
    assert_eq!((met, doubts), (0, vec![]));
}

#[test]
fn what_is_wrong_is_wrong_however_little_was_proved() {
    let mut world = play(6, SIZE);
    world.plan.faults = 5;
    let tables = world.file(TABLES);
    let row = tables.iter().position(|line| line.op == OpName::Note).unwrap();
    tables.remove(row);
    let report = world.judge();
    assert_eq!(report.verdict, Verdict::Invalid);
    assert!(!report.doubts.is_empty());
}
