//! Stories of a chat's one right order.

use std::time::Duration;

use trialogue_protocol::{ChatId, MessageId, MessagePage, MessageType, Role, UserId};

use super::*;

mod kept;
mod model;

const MS: fn(u64) -> Duration = Duration::from_millis;

fn row(seq: Seq) -> Message {
    Message {
        id: MessageId(uuid::Uuid::from_u128(seq.unsigned_abs().into())),
        chat_id: ChatId(uuid::Uuid::nil()),
        seq: Some(seq),
        sender_type: Role::Customer,
        sender_id: UserId(1),
        sender_name: "Amna".to_owned(),
        message: seq.to_string(),
        message_type: MessageType::Text,
        client_message_id: None,
        created_at: chrono::DateTime::UNIX_EPOCH.into(),
    }
}

fn rows(seqs: impl IntoIterator<Item = Seq>) -> Vec<Message> {
    seqs.into_iter().map(row).collect()
}

fn ack(last_seq: Seq, messages: Option<Vec<Message>>, has_more: bool) -> JoinAck {
    JoinAck {
        chat_id: ChatId(uuid::Uuid::nil()),
        members: vec![],
        last_seq,
        epoch: "e1".to_owned(),
        messages,
        has_more: Some(has_more),
    }
}

fn page(seqs: impl IntoIterator<Item = Seq>, has_more: bool) -> MessagePage {
    MessagePage {
        chat_id: ChatId(uuid::Uuid::nil()),
        messages: rows(seqs),
        first_seq: None,
        last_seq: None,
        has_more: Some(has_more),
        epoch: Some("e1".to_owned()),
    }
}

struct Story {
    timeline: Timeline,
    now: Now,
}

impl Story {
    fn new(begin: Begin) -> Self {
        let timeline = Timeline::new(TimelineConfig::default(), begin, 1);
        Self { timeline, now: Duration::from_secs(1_000) }
    }

    /// In the room, with everything up to `last_seq` shown.
    fn current(last_seq: Seq) -> Self {
        let mut story = Self::new(Begin::Now);
        let effects = story.on(Event::Joined(ack(last_seq, None, false)));
        assert_eq!(effects, [Effect::CaughtUp]);
        story
    }

    fn on(&mut self, event: Event) -> Vec<Effect> {
        self.timeline.handle(event, self.now)
    }

    fn live(&mut self, seq: Seq) -> Vec<Effect> {
        self.on(Event::Live(row(seq)))
    }

    fn wake(&mut self) -> Vec<Effect> {
        self.now = self.timeline.next_wake().expect("nothing to wait for");
        self.on(Event::Tick)
    }

    /// Answers the one fetch among the effects.
    fn answer(&mut self, effects: &[Effect], page: MessagePage) -> Vec<Effect> {
        let serial = fetch(effects).expect("no fetch").0;
        self.on(Event::Page { serial, page })
    }
}

fn fetch(effects: &[Effect]) -> Option<(u64, Ask)> {
    effects.iter().find_map(|e| match e {
        Effect::Fetch { serial, ask, .. } => Some((*serial, *ask)),
        _ => None,
    })
}

/// What is shown, in order.
fn shown(effects: &[Effect]) -> Vec<(Seq, Via)> {
    let deliver = |e: &Effect| match e {
        Effect::Deliver { message, via } => message.seq.map(|seq| (seq, *via)),
        _ => None,
    };
    effects.iter().filter_map(deliver).collect()
}

fn seqs(effects: &[Effect]) -> Vec<Seq> {
    shown(effects).into_iter().map(|(seq, _)| seq).collect()
}

#[test]
fn a_chat_opens_with_its_newest_messages_and_what_comes_meanwhile_waits() {
    let mut story = Story::new(Begin::Newest(3));
    assert_eq!(story.timeline.cursor(), None);
    let effects = story.on(Event::Joined(ack(10, None, false)));
    assert_eq!(fetch(&effects).unwrap().1, Ask::Before(11));
    assert_eq!(story.live(11), []);
    let effects = story.answer(&effects, page(8..=10, true));
    let expected = [(8, Via::CatchUp), (9, Via::CatchUp), (10, Via::CatchUp), (11, Via::Live)];
    assert_eq!(shown(&effects), expected);
    assert_eq!(effects.last(), Some(&Effect::CaughtUp));
    let effects = story.on(Event::WantOlder { limit: 50 });
    assert_eq!(fetch(&effects).unwrap().1, Ask::Before(8));
    let effects = story.answer(&effects, page(1..=7, false));
    assert_eq!(effects, [Effect::Older { messages: rows(1..=7), more: false }]);
}

#[test]
fn an_empty_chat_is_caught_up_at_once() {
    for begin in [Begin::Newest(50), Begin::Now, Begin::After { seq: 0, epoch: None }] {
        let mut story = Story::new(begin);
        let effects = story.on(Event::Joined(ack(0, None, false)));
        assert_eq!(effects, [Effect::CaughtUp]);
        assert_eq!(shown(&story.live(1)), [(1, Via::Live)]);
    }
}

#[test]
fn a_resume_pages_until_nothing_is_left_and_only_then_shows_what_is_live() {
    let mut story = Story::new(Begin::After { seq: 3, epoch: Some("e1".to_owned()) });
    assert_eq!(story.timeline.cursor(), Some((3, Some("e1"))));
    story.live(9);
    let effects = story.on(Event::Joined(ack(8, Some(rows(4..=5)), true)));
    assert_eq!(seqs(&effects), [4, 5]);
    assert_eq!(fetch(&effects).unwrap().1, Ask::After(5));
    let effects = story.answer(&effects, page(6..=7, true));
    assert_eq!(seqs(&effects), [6, 7]);
    let effects = story.answer(&effects, page(8..=8, false));
    assert_eq!(shown(&effects), [(8, Via::CatchUp), (9, Via::Live)]);
    assert_eq!(effects.last(), Some(&Effect::CaughtUp));
}

#[test]
fn a_message_that_overtook_waits_a_moment_for_the_missing_one() {
    let mut story = Story::current(5);
    assert_eq!(story.live(7), []);
    assert_eq!(story.timeline.next_wake(), Some(story.now + MS(250)));
    assert_eq!(seqs(&story.live(6)), [6, 7]);
    assert_eq!(story.timeline.next_wake(), None);
}

#[test]
fn a_gap_is_fetched_once_and_filled_in_order() {
    let mut story = Story::current(5);
    story.live(8);
    story.live(9);
    let effects = story.wake();
    assert_eq!(fetch(&effects).unwrap().1, Ask::After(5));
    assert_eq!(story.timeline.next_wake(), None, "one fetch at a time");
    let effects = story.answer(&effects, page(6..=9, false));
    assert_eq!(seqs(&effects), [6, 7, 8, 9]);
    let counters = story.timeline.counters();
    assert_eq!((counters.gaps, counters.missing, counters.delivered), (1, 0, 4));
    assert!(counters.filled >= 2);
}

#[test]
fn duplicates_are_dropped_and_counted_but_an_own_echo_after_its_ack_is_expected() {
    let mut story = Story::current(5);
    story.live(6);
    assert_eq!(story.live(6), []);
    assert_eq!(story.live(3), []);
    assert_eq!(story.timeline.counters().duplicates, 2);
    assert_eq!(shown(&story.on(Event::Acked(row(7)))), [(7, Via::Ack)]);
    assert_eq!(story.live(7), []);
    let effects = story.live(8);
    assert_eq!(story.on(Event::Acked(row(8))), []);
    assert_eq!(shown(&effects), [(8, Via::Live)]);
}

#[test]
fn a_lost_tail_is_found_by_the_positions() {
    let mut story = Story::current(5);
    let position = Event::Position { last_seq: 6, epoch: "e1".to_owned() };
    assert_eq!(story.on(position), []);
    let effects = story.wake();
    assert_eq!(fetch(&effects).unwrap().1, Ask::After(5));
    assert_eq!(seqs(&story.answer(&effects, page([6], false))), [6]);
}

#[test]
fn another_database_voids_what_was_shown_and_shows_the_new_one() {
    let mut story = Story::current(5);
    story.live(6);
    story.on(Event::Offline);
    assert_eq!(story.timeline.cursor(), Some((6, Some("e1"))));
    let mut restored = ack(2, Some(rows([7])), false);
    restored.epoch = "e2".to_owned();
    let effects = story.on(Event::Joined(restored));
    assert_eq!(effects, [Effect::Reset(ResetReason::EpochChanged), Effect::CaughtUp]);
    assert_eq!(story.timeline.cursor(), Some((2, Some("e2"))));
    assert_eq!(seqs(&story.live(3)), [3]);
}

#[test]
fn a_server_that_has_less_than_it_told_voids_what_was_shown() {
    let mut story = Story::new(Begin::After { seq: 9, epoch: Some("e1".to_owned()) });
    let effects = story.on(Event::Joined(ack(4, Some(vec![]), false)));
    assert_eq!(effects[0], Effect::Reset(ResetReason::ServerBehind));
    assert_eq!(fetch(&effects).unwrap().1, Ask::After(0));
    assert_eq!(seqs(&story.answer(&effects, page(1..=4, false))), [1, 2, 3, 4]);
}

#[test]
fn another_epoch_under_a_living_connection_asks_for_a_new_join() {
    let mut story = Story::current(5);
    let position = Event::Position { last_seq: 1, epoch: "e2".to_owned() };
    let effects = story.on(position);
    assert_eq!(effects, [Effect::Reset(ResetReason::EpochChanged), Effect::Rejoin]);
    assert_eq!(story.live(2), [], "nothing is shown between the two");
}

#[test]
fn a_fetch_that_fails_is_repeated_and_one_that_is_refused_is_not() {
    let mut story = Story::current(5);
    story.live(7);
    let effects = story.wake();
    let serial = fetch(&effects).unwrap().0;
    story.on(Event::FetchFailed { serial, transient: true });
    let effects = story.wake();
    let serial = fetch(&effects).unwrap().0;
    story.on(Event::FetchFailed { serial, transient: false });
    assert_eq!(story.timeline.next_wake(), None);
}

#[test]
fn a_hole_that_nobody_can_fill_is_shown_as_a_hole() {
    let mut story = Story::current(5);
    story.live(9);
    let mut effects = story.wake();
    for _ in 0..2 {
        story.answer(&effects, page([], false));
        effects = story.wake();
    }
    let effects = story.answer(&effects, page([], false));
    assert_eq!(effects[0], Effect::Missing { from: 6, to: 8 });
    assert_eq!(seqs(&effects), [9]);
    assert_eq!(story.timeline.counters().missing, 3);
}

#[test]
fn a_server_that_told_of_more_than_it_has_is_not_asked_for_ever() {
    let mut story = Story::current(5);
    story.on(Event::Position { last_seq: Seq::MAX, epoch: "e1".to_owned() });
    for _ in 0..3 {
        let effects = story.wake();
        story.answer(&effects, page([], false));
    }
    assert_eq!(story.timeline.next_wake(), None);
    assert_eq!(story.timeline.counters().contradictions, 1);
    assert_eq!(seqs(&story.live(6)), [6]);
}

#[test]
fn what_is_held_back_is_bounded_and_the_rest_is_fetched_in_its_turn() {
    let mut story = Story::current(0);
    (2..=2_000).for_each(|seq| drop(story.live(seq)));
    assert!(story.timeline.held_back.len() <= 512);
    let mut effects = story.wake();
    let mut all = Vec::new();
    while let Some((_, Ask::After(after))) = fetch(&effects) {
        let to = (after + 500).min(2_000);
        effects = story.answer(&effects, page(after + 1..=to, to < 2_000));
        all.extend(seqs(&effects));
    }
    assert_eq!(all, (1..=2_000).collect::<Vec<_>>());
}

#[test]
fn a_server_that_does_not_count_is_shown_in_order_of_arrival_without_repeats() {
    let mut story = Story::current(0);
    let uncounted = |n| Message { seq: None, ..row(n) };
    let count = |effects: Vec<Effect>| effects.len();
    assert_eq!(count(story.on(Event::Live(uncounted(2)))), 1);
    assert_eq!(count(story.on(Event::Live(uncounted(1)))), 1);
    assert_eq!(count(story.on(Event::Live(uncounted(2)))), 0);
    assert_eq!(story.timeline.counters().duplicates, 1);
}

#[test]
fn what_was_said_before_a_restore_is_not_shown_in_the_restored_chat() {
    let mut story = Story::new(Begin::Newest(3));
    story.on(Event::Online(Some("e0".to_owned())));
    // Of the old database, and then it is another one, and the answer to the join is of that.
    story.live(4);
    let effects = story.on(Event::Joined(ack(2, None, false)));
    let effects = story.answer(&effects, page(1..=2, false));
    assert_eq!(seqs(&effects), [1, 2]);
    assert_eq!(effects.last(), Some(&Effect::CaughtUp));
    assert_eq!(seqs(&story.live(3)), [3]);
}
