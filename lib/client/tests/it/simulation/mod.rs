//! Clients, a server and everything between them in one process, in virtual time: one number
//! decides what is said, lost, delayed, doubled, cut, crashed and restored at either end, and when.
//!
//! The cores are the real ones (link, outbox, timeline); sockets, disk and server are models. A
//! failing seed is printed: `TRIALOGUE_SEED=n` plays it alone, `TRIALOGUE_SEEDS=n` plays so many.

mod backend;
mod person;
mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use world::World;

/// Seeds in an ordinary run; nightly runs play a million.
const SEEDS: u64 = 2_000;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Seeds that failed before no more are played.
const FAILURES_MAX: usize = 10;

/// Plays seeds on all cores; the failing ones with their reasons.
fn play(seeds: std::ops::Range<u64>) -> Vec<(u64, String)> {
    let (next, end) = (AtomicU64::new(seeds.start), seeds.end);
    let failed = Mutex::new(Vec::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end || failed.lock().unwrap().len() >= FAILURES_MAX {
                return;
            }
            if let Err(why) = World::new(seed).play() {
                failed.lock().unwrap().push((seed, why));
            }
        }
    };
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        (0..cores).for_each(|_| drop(scope.spawn(work)));
    });
    let mut failed = failed.into_inner().unwrap();
    failed.sort();
    failed
}

#[test]
fn whatever_the_seed_every_message_is_stored_once_in_order_and_shown_once_in_order() {
    let seeds = match number("TRIALOGUE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TRIALOGUE_SEEDS").unwrap_or(SEEDS),
    };
    let failed = play(seeds);
    let Some((seed, why)) = failed.first() else { return };
    let numbers: Vec<u64> = failed.iter().map(|(seed, _)| *seed).collect();
    panic!("failing seeds {numbers:?}; TRIALOGUE_SEED={seed} plays the first alone: {why}");
}

#[test]
fn the_simulation_meets_what_it_is_for() {
    let mut seen = world::Met::default();
    for seed in 0..100 {
        let mut world = World::new(seed);
        world.play().unwrap();
        seen.add(&world.met);
    }
    seen.assert_all();
}

#[test]
fn the_same_seed_is_the_same_play() {
    let story = |seed| {
        let mut world = World::new(seed);
        world.play().unwrap();
        world.story
    };
    assert_eq!(story(5), story(5));
    assert_ne!(story(5), story(6));
}
