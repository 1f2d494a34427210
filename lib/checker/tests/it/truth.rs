//! Histories that keep every promise are valid, in whatever order they are read.

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use trialogue_checker::Verdict;

use crate::lies::Lie;
use crate::world::{Size, play, sizes};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_history_of_kept_promises_is_valid(seed: u64, size in sizes()) {
        let report = play(seed, size).judge();
        prop_assert_eq!(report.verdict, Verdict::Valid, "{}", report);
        prop_assert!(report.counts.oks > 10 && report.visible.summary().samples > 10);
    }

    /// Files one after the other, or any interleaving of them, and the rows of tables in any
    /// order: the report is the same to the letter.
    #[test]
    fn the_order_of_independent_lines_does_not_matter(
        seed: u64,
        shuffle: u64,
        size in sizes(),
        lie in prop::option::of(prop::sample::select([Lie::SEEDED, Lie::MORE].concat())),
    ) {
        let mut world = play(seed, size);
        if let Some(lie) = lie {
            let told = lie.tell(&mut world, &mut StdRng::seed_from_u64(seed));
            prop_assume!(told.is_some());
        }
        let (straight, shuffled) = (world.judge(), world.judge_shuffled(shuffle));
        prop_assert_eq!(straight.to_string(), shuffled.to_string());
        let json = |report| serde_json::to_string(report).unwrap();
        prop_assert_eq!(json(&straight), json(&shuffled));
    }
}

/// The model meets what it is for: else its truth proves little.
#[test]
fn the_model_meets_refusals_lost_answers_kills_and_catch_ups() {
    let size = Size { chats: 2, sends: 200, kills: 2, disputes: true };
    let world = play(7, size);
    let counts = world.judge().counts;
    assert!(counts.fails > 0 && counts.infos > 0 && counts.met_faults > 0, "{counts:?}");
    assert!(counts.invokes > counts.sends && counts.lines > 0 && counts.reads > 0, "{counts:?}");
    assert_eq!(counts.faults, 2);
}
