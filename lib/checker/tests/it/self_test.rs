//! The checker is tested before anybody is: it names every lie rightly, and nothing else.

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use trialogue_checker::{Invariants, Report, Verdict};

use crate::lies::Lie;
use crate::world::{Size, World, play, sizes};

/// A world that has a place for every lie, tried with so many seeds.
const SEEDS: u64 = 20;

fn lied(lie: Lie, seed: u64, size: Size) -> Option<World> {
    let mut world = play(seed, size);
    let mut random = StdRng::seed_from_u64(seed);
    lie.tell(&mut world, &mut random).map(|()| world)
}

/// What was found, by name, each once.
fn names(report: &Report) -> Vec<&'static str> {
    let mut names: Vec<_> = report.findings.iter().map(|finding| finding.name).collect();
    names.dedup();
    names
}

fn named_rightly(lie: Lie, world: &World) -> Result<(), String> {
    let report = world.judge();
    let expected = [lie.name().name()];
    if report.verdict == Verdict::Invalid && names(&report) == expected {
        Ok(())
    } else {
        Err(format!("{lie:?} should be {expected:?}:\n{report}"))
    }
}

/// It is that invariant which finds it: without it the same history is valid.
fn only_by_its_invariant(lie: Lie, world: &World) -> Result<(), String> {
    let mut config = world.plan.config();
    config.judged = Invariants::all().without(lie.name().invariant());
    let report = world.judge_with(config);
    let is_missed = report.verdict == Verdict::Valid;
    if is_missed { Ok(()) } else { Err(format!("{lie:?} is found by others:\n{report}")) }
}

fn check(lie: Lie, seed: u64, size: Size) -> Result<bool, String> {
    let Some(world) = lied(lie, seed, size) else { return Ok(false) };
    named_rightly(lie, &world)?;
    only_by_its_invariant(lie, &world)?;
    Ok(true)
}

fn large(disputes: bool) -> Size {
    Size { chats: 2, sends: 100, kills: 1, disputes }
}

#[test]
fn the_fourteen_lies_are_named() {
    for lie in Lie::SEEDED {
        let told = (0..SEEDS).filter(|seed| check(lie, *seed, large(seed % 2 == 0)).unwrap());
        let told = told.count() as u64;
        assert!(told > SEEDS / 2, "{lie:?} had a place in {told} of {SEEDS} worlds only");
    }
}

#[test]
fn the_other_lies_are_named() {
    for lie in Lie::MORE {
        let told = (0..SEEDS).filter(|seed| check(lie, *seed, large(true)).unwrap()).count();
        assert!(told > 0, "{lie:?} had no place in {SEEDS} worlds");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn lies_are_named_whatever_the_world(
        seed: u64,
        size in sizes(),
        lie in prop::sample::select([Lie::SEEDED, Lie::MORE].concat()),
    ) {
        let checked = check(lie, seed, size);
        prop_assert!(checked.is_ok(), "{}", checked.unwrap_err());
    }
}
