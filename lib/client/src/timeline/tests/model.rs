//! Whatever the wire does, each message is shown once and in order.

use proptest::prelude::*;

use super::*;

/// A server with `last` messages and a wire that loses, repeats and swaps.
#[derive(Debug, Clone)]
enum Fate {
    Arrives,
    Lost,
    Twice,
    Late,
    Reconnect,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    /// Whatever the wire does, each message is shown once, in order, and in the end all of them.
    #[test]
    fn whatever_the_wire_does_all_are_shown_once_and_in_order(
        first in 0i64..20,
        newest in 0u32..30,
        from_start in any::<bool>(),
        fates in prop::collection::vec(prop_oneof![
            6 => Just(Fate::Arrives), 1 => Just(Fate::Lost), 1 => Just(Fate::Twice),
            1 => Just(Fate::Late), 1 => Just(Fate::Reconnect)], 0..80),
        short in 1i64..4,
    ) {
        let begin = if from_start {
            Begin::After { seq: 0, epoch: None }
        } else {
            Begin::Newest(newest)
        };
        let mut story = Story::new(begin);
        let mut last = first;
        let mut out: Vec<Seq> = Vec::new();
        let mut late: Vec<Seq> = Vec::new();
        let mut queue: Vec<Effect> = story.on(Event::Joined(join_of(&story.timeline, last, short)));
        let mut fates = fates.into_iter();
        for _ in 0..5_000 {
            out.extend(seqs(&queue));
            let wrong = |e: &Effect| matches!(e, Effect::Reset(_) | Effect::Missing { .. });
            prop_assert!(!queue.iter().any(wrong), "{:?}", queue);
            if let Some((serial, ask)) = fetch(&queue) {
                let page = page_of(ask, last, short);
                queue = story.on(Event::Page { serial, page });
                continue;
            }
            queue = match fates.next() {
                Some(fate) => {
                    last += 1;
                    match fate {
                        Fate::Arrives => {
                            let mut effects = story.live(last);
                            late.drain(..).for_each(|seq| effects.extend(story.live(seq)));
                            effects
                        }
                        Fate::Twice => [story.live(last), story.live(last)].concat(),
                        Fate::Lost => Vec::new(),
                        Fate::Late => { late.push(last); Vec::new() }
                        Fate::Reconnect => {
                            story.on(Event::Offline);
                            story.on(Event::Joined(join_of(&story.timeline, last, short)))
                        }
                    }
                }
                None if story.timeline.next_wake().is_some() => story.wake(),
                None => {
                    let epoch = "e1".to_owned();
                    let effects = story.on(Event::Position { last_seq: last, epoch });
                    if effects.is_empty() && story.timeline.next_wake().is_none() {
                        break;
                    }
                    effects
                }
            };
        }
        let start = out.first().copied().unwrap_or(last + 1);
        prop_assert_eq!(&out, &(start..=last).collect::<Vec<_>>());
        // From the first message on, or at least everything since the join.
        let latest_start = if from_start { 1 } else { first + 1 };
        prop_assert!(start <= latest_start, "shown from {} on", start);
        prop_assert!(story.timeline.is_current());
    }
}

/// What the server answers to a join of this timeline.
fn join_of(timeline: &Timeline, last: Seq, short: i64) -> JoinAck {
    match timeline.cursor() {
        Some((since, _)) => {
            let to = last.min(since + short);
            ack(last, Some(rows(since + 1..=to)), to < last)
        }
        None => ack(last, None, false),
    }
}

/// A page that is never longer than `short`: servers also cut by bytes.
fn page_of(ask: Ask, last: Seq, short: i64) -> MessagePage {
    match ask {
        Ask::After(seq) => {
            let to = last.min(seq + short);
            page(seq + 1..=to, to < last)
        }
        Ask::Before(seq) => {
            let from = (seq - short).max(1);
            page(from..seq, from > 1)
        }
    }
}
