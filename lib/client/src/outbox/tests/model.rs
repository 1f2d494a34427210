//! Whatever happens to messages on their way, the promises hold.

use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever happens: one in flight per chat, in the author's order, never before the journal,
    /// one end for each.
    #[test]
    fn whatever_happens_the_promises_hold(steps in prop::collection::vec((0u8..12, 0u8..6), 1..200)) {
        let mut story = Story::new();
        let mut next = 0u32;
        let mut written: Vec<u32> = Vec::new();
        let mut ended: Vec<u32> = Vec::new();
        let mut in_flight: std::collections::BTreeMap<u128, (u32, u32)> = Default::default();
        let number = |id: &ClientMessageId| id.as_str().parse::<u32>().unwrap();
        for (step, which) in steps {
            let flying = in_flight.values().nth(usize::from(which) % in_flight.len().max(1)).copied();
            let effects = match (step, flying) {
                (0..=3, _) => {
                    let name = next.to_string();
                    let mut effects = story.on(Event::Queue(draft(u128::from(next % 3), &name)));
                    prop_assert!(emitted(&effects).is_empty());
                    written.push(next);
                    effects.extend(story.on(Event::Written(vec![id(&name)])));
                    next += 1;
                    effects
                }
                (4 | 5, Some((n, attempt))) => story.stored(&n.to_string(), attempt, i64::from(n) + 1),
                (6, Some((n, attempt))) => story.refused(&n.to_string(), attempt, ErrorCode::Unavailable),
                (7, Some((n, attempt))) => story.refused(&n.to_string(), attempt, ErrorCode::Denied),
                (8, _) => { in_flight.clear(); story.on(Event::Offline) }
                (9 | 10, _) => story.online(),
                (11, _) => { story.now += MS(u64::from(which) * 3_000); story.on(Event::Tick) }
                _ => Vec::new(),
            };
            for effect in &effects {
                match effect {
                    Effect::Emit { draft, attempt, .. } => {
                        let n = number(&draft.id);
                        prop_assert!(written.contains(&n));
                        prop_assert!(!ended.contains(&n));
                        let earlier = (0..n).filter(|m| m % 3 == n % 3 && !ended.contains(m));
                        prop_assert_eq!(earlier.count(), 0, "an earlier one of its chat waits");
                        in_flight.insert(u128::from(n % 3), (n, *attempt));
                    }
                    Effect::Outcome { id, outcome, chat } => {
                        if outcome.is_final() {
                            prop_assert!(!ended.contains(&number(id)), "two ends");
                            ended.push(number(id));
                        }
                        if !matches!(outcome, Outcome::Sending { .. }) {
                            let key = chat.0.as_u128();
                            if in_flight.get(&key).is_some_and(|(n, _)| *n == number(id)) {
                                in_flight.remove(&key);
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
        // A server that is well again gets everything that was not refused.
        let mut effects = story.online();
        for _ in 0..10_000 {
            for emit in emitted(&effects) {
                let (name, attempt) = emit.split_once('#').unwrap();
                let more = story.stored(name, attempt.parse().unwrap(), 1);
                story.outbox.next_wake();
                effects = [effects, more].concat();
            }
            if story.outbox.waiting() == 0 { break; }
            effects = match story.outbox.next_wake() {
                Some(at) => { story.now = story.now.max(at); story.on(Event::Tick) }
                None => break,
            };
        }
        prop_assert_eq!(story.outbox.waiting(), 0);
    }
}
