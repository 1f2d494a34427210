//! Clients, a server and everything between them in one process, in virtual time: one number
//! decides what is said, lost, delayed, cut, crashed and restored, and when.
//!
//! The cores are the real ones (link, outbox, timeline); sockets, disk and server are models. A
//! failing seed is printed: `TRIALOGUE_SEED=n` plays it alone, `TRIALOGUE_SEEDS=n` plays so many.

mod backend;
mod person;
mod world;

use world::World;

/// Seeds in an ordinary run; nightly runs play a million.
const SEEDS: u64 = 2_000;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Plays seeds on two threads; the failing ones by number.
fn play(seeds: std::ops::Range<u64>) -> Vec<(u64, String)> {
    let failed = |seeds: std::ops::Range<u64>, odd: u64| {
        seeds
            .filter(|seed| seed % 2 == odd)
            .filter_map(|seed| World::new(seed).play().err().map(|why| (seed, why)))
            .collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        let odd = scope.spawn(|| failed(seeds.clone(), 1));
        let mut all = failed(seeds.clone(), 0);
        all.extend(odd.join().unwrap());
        all
    })
}

#[test]
fn whatever_the_seed_every_message_is_stored_once_in_order_and_shown_once_in_order() {
    let seeds = match number("TRIALOGUE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TRIALOGUE_SEEDS").unwrap_or(SEEDS),
    };
    let failed = play(seeds);
    let numbers: Vec<u64> = failed.iter().map(|(seed, _)| *seed).collect();
    assert!(failed.is_empty(), "seeds {numbers:?}; the first: {}", failed[0].1);
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
