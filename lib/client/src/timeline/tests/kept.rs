//! A backup before the first join, and servers that do not count.

use super::*;

fn kept(seqs: impl IntoIterator<Item = Seq>) -> Event {
    Event::Kept { messages: rows(seqs), epoch: Some("e1".to_owned()) }
}

fn uncounted(n: Seq) -> Message {
    Message { seq: None, ..row(n) }
}

fn history(all: impl IntoIterator<Item = Seq>) -> Event {
    let messages = all.into_iter().map(uncounted).collect();
    Event::Joined(ack(0, Some(messages), false))
}

/// What is shown, by the texts, which are numbers.
fn texts(effects: &[Effect]) -> Vec<&str> {
    let text = |e: &'_ Effect| matches!(e, Effect::Deliver { .. });
    let shown = effects.iter().filter(|e| text(e));
    shown
        .map(|e| match e {
            Effect::Deliver { message, .. } => message.message.as_str(),
            _ => unreachable!(),
        })
        .collect()
}

#[test]
fn a_backup_is_shown_at_once_and_the_join_goes_on_after_it() {
    let mut story = Story::new(Begin::Newest(50));
    let effects = story.on(kept(5..=7));
    assert_eq!(shown(&effects), [(5, Via::Backup), (6, Via::Backup), (7, Via::Backup)]);
    assert_eq!(story.timeline.cursor(), Some((7, Some("e1"))));
    assert_eq!(story.on(kept(1..=9)), [], "once");
    let effects = story.on(Event::Joined(ack(9, Some(rows(8..=9)), false)));
    assert_eq!(seqs(&effects), [8, 9]);
    let effects = story.on(Event::WantOlder { limit: 10 });
    assert_eq!(fetch(&effects).unwrap().1, Ask::Before(5));
}

#[test]
fn of_a_backup_with_a_hole_only_the_end_is_shown() {
    let mut story = Story::new(Begin::Newest(50));
    assert_eq!(seqs(&story.on(kept([1, 2, 6, 7]))), [6, 7]);
}

#[test]
fn a_timeline_that_begins_elsewhere_shows_no_backup() {
    for begin in [Begin::Now, Begin::After { seq: 0, epoch: None }] {
        assert_eq!(Story::new(begin).on(kept(5..=7)), []);
    }
}

#[test]
fn a_backup_of_another_database_is_void_and_the_newest_are_shown() {
    let mut story = Story::new(Begin::Newest(2));
    story.on(kept(5..=7));
    let mut restored = ack(3, Some(vec![]), false);
    restored.epoch = "e2".to_owned();
    let effects = story.on(Event::Joined(restored));
    assert_eq!(effects[0], Effect::Reset(ResetReason::EpochChanged));
    assert_eq!(fetch(&effects).unwrap().1, Ask::Before(4));
}

#[test]
fn somebody_who_was_away_for_thousands_sees_the_newest_instead_of_all_of_them() {
    let mut story = Story::new(Begin::Newest(2));
    story.on(kept(5..=7));
    let effects = story.on(Event::Joined(ack(1_008, Some(rows(8..=9)), true)));
    assert_eq!(effects[0], Effect::Reset(ResetReason::FarBehind));
    assert_eq!(fetch(&effects).unwrap().1, Ask::Before(1_009));
    let mut story = Story::new(Begin::After { seq: 7, epoch: None });
    let effects = story.on(Event::Joined(ack(1_008, Some(rows(8..=9)), true)));
    assert_eq!(seqs(&effects), [8, 9], "who asked for all of them gets all of them");
}

#[test]
fn without_numbers_history_comes_first_and_what_is_live_follows_once() {
    let mut story = Story::new(Begin::Newest(2));
    assert_eq!(story.on(Event::Live(uncounted(4))), []);
    assert_eq!(story.on(Event::Live(uncounted(5))), []);
    let effects = story.on(history(1..=4));
    assert_eq!(texts(&effects), ["3", "4", "5"]);
    assert_eq!(effects.last(), Some(&Effect::CaughtUp));
    let older = |effects: &[Effect]| match effects {
        [Effect::Older { messages, more }] => (messages.len(), *more),
        other => panic!("{other:?}"),
    };
    assert_eq!(older(&story.on(Event::WantOlder { limit: 1 })), (1, true));
    assert_eq!(older(&story.on(Event::WantOlder { limit: 9 })), (1, false));
    story.on(Event::Offline);
    assert_eq!(texts(&story.on(history(1..=6))), ["6"], "the rest is known");
}

#[test]
fn without_numbers_a_backup_is_where_the_screen_begins() {
    let mut story = Story::new(Begin::Newest(1));
    let messages = (3..=4).map(uncounted).collect();
    let effects = story.on(Event::Kept { messages, epoch: None });
    assert_eq!(texts(&effects), ["3", "4"]);
    assert_eq!(texts(&story.on(history(1..=6))), ["5", "6"]);
}

#[test]
fn without_numbers_a_timeline_from_now_on_shows_no_history() {
    let mut story = Story::new(Begin::Now);
    assert_eq!(story.on(history(1..=3)), [Effect::CaughtUp]);
    assert_eq!(texts(&story.on(Event::Live(uncounted(4)))), ["4"]);
    let mut story = Story::new(Begin::After { seq: 0, epoch: None });
    assert_eq!(texts(&story.on(history(1..=3))), ["1", "2", "3"]);
}
