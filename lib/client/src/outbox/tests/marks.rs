//! A server that cannot tell a repeat from a new message.

use super::*;

fn marking(restored: Vec<Restored>) -> Story {
    Story::with(OutboxConfig { marks: true, ..OutboxConfig::default() }, restored)
}

fn restored(name: &str, left: Left) -> Restored {
    Restored { draft: draft(1, name), left, refused: None }
}

fn leaving(name: &str, same: u32) -> Effect {
    Effect::Write(Record::Leaving { id: id(name), same: Some(same) })
}

fn counts(effects: &[Effect]) -> Vec<String> {
    let count = |e: &Effect| match e {
        Effect::Count { draft, attempt } => Some(format!("{}#{attempt}", draft.id)),
        _ => None,
    };
    effects.iter().filter_map(count).collect()
}

fn mark_of(effects: &[Effect]) -> Option<Mark> {
    effects.iter().find_map(|e| match e {
        Effect::Emit { mark, .. } => *mark,
        _ => None,
    })
}

impl Story {
    fn counted(&mut self, name: &str, attempt: u32, same: u32) -> Vec<Effect> {
        self.on(Event::Counted { id: id(name), attempt, same })
    }
}

/// Whether it was said that it may be stored already.
fn said_unknown(effects: &[Effect]) -> bool {
    outcomes(effects).iter().any(|o| matches!(o, Outcome::Retrying { not_stored: false, .. }))
}

#[test]
fn nothing_leaves_before_its_mark_is_on_disk() {
    let mut story = marking(vec![]);
    story.online();
    assert_eq!(counts(&story.queue(1, "a")), ["a#1"]);
    assert_eq!(story.counted("a", 1, 2), [leaving("a", 2)]);
    let effects = story.on(Event::Written(vec![id("a")]));
    assert_eq!(emitted(&effects), ["a#1"]);
    assert_eq!(mark_of(&effects), Some(Mark { same: 2, again: false }));
    assert!(!said_unknown(&effects));
}

#[test]
fn where_repeats_are_harmless_there_are_no_marks() {
    let mut story = Story::new();
    story.online();
    let effects = story.queue(1, "a");
    assert_eq!((emitted(&effects), mark_of(&effects)), (vec!["a#1".to_owned()], None));
}

#[test]
fn a_disk_that_does_not_take_the_mark_keeps_the_message_here() {
    let mut story = marking(vec![]);
    story.online();
    story.queue(1, "a");
    story.counted("a", 1, 0);
    let full = Event::NotWritten { ids: vec![id("a")], why: "no space left".to_owned() };
    let effects = story.on(full);
    let [Outcome::Retrying { why, not_stored: true, .. }] = outcomes(&effects)[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(why.sentence, "cannot write to disk: no space left");
    assert_eq!(counts(&story.wake()), ["a#2"], "counted anew");
}

#[test]
fn what_never_left_is_sent_after_a_restart_and_not_looked_for() {
    let mut story = marking(vec![restored("a", Left::Never)]);
    let effects = story.online();
    assert_eq!(counts(&effects), ["a#1"]);
    assert!(!said_unknown(&effects));
}

#[test]
fn what_may_have_left_is_looked_for_behind_its_mark_and_its_author_is_told() {
    let mut story = marking(vec![restored("a", Left::Maybe(Some(3)))]);
    let effects = story.online();
    assert_eq!(mark_of(&effects), Some(Mark { same: 3, again: true }));
    assert!(said_unknown(&effects), "{effects:?}");
}

#[test]
fn what_an_older_program_left_behind_is_neither_sent_nor_dropped_until_its_author_says() {
    let mut story = marking(vec![restored("a", Left::Maybe(None)), restored("b", Left::Never)]);
    let effects = story.online();
    assert_eq!(emitted(&effects), [""; 0]);
    let [Outcome::Unknown(why)] = outcomes(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(why.code, ErrorCode::OutcomeUnknown);
    assert_eq!(story.outbox.len(), 2);
    // The next one goes on at the next occasion; the author sends the first one all the same.
    assert_eq!(counts(&story.on(Event::Tick)), ["b#1"]);
    assert_eq!(story.on(Event::Again(id("a"))).len(), 2);
    story.counted("b", 1, 0);
    story.on(Event::Written(vec![id("b")]));
    assert_eq!(counts(&story.stored("b", 1, 1)), ["a#2"]);
}

#[test]
fn a_connection_that_is_lost_after_the_emit_leaves_the_outcome_unknown_and_says_so() {
    let mut story = marking(vec![]);
    story.online();
    story.queue(1, "a");
    assert!(!said_unknown(&story.on(Event::Offline)), "only counted: it is here");
    story.online();
    story.counted("a", 2, 0);
    story.on(Event::Written(vec![id("a")]));
    assert!(said_unknown(&story.on(Event::Offline)));
    assert_eq!(mark_of(&story.online()), Some(Mark { same: 0, again: true }));
}

#[test]
fn a_late_mark_of_an_earlier_attempt_lets_nothing_leave() {
    let mut story = marking(vec![]);
    story.online();
    story.queue(1, "a");
    story.counted("a", 1, 0);
    story.on(Event::Offline);
    story.online();
    assert_eq!(story.counted("a", 1, 0), [], "an answer to the first attempt");
    assert_eq!(story.counted("a", 2, 1), [leaving("a", 1)]);
    assert_eq!(emitted(&story.on(Event::Written(vec![id("a")]))), [""; 0]);
    let effects = story.on(Event::Written(vec![id("a")]));
    assert_eq!(mark_of(&effects), Some(Mark { same: 1, again: false }));
}

#[test]
fn what_cannot_be_counted_is_refused_or_tried_again_and_certainly_not_stored() {
    let mut story = marking(vec![]);
    story.online();
    story.queue(1, "a");
    let effects = story.answer("a", 1, Answer::Lost(Trouble::new("no answer")));
    assert!(matches!(outcomes(&effects)[..], [Outcome::Retrying { not_stored: true, .. }]));
    story.wake();
    let effects = story.refused("a", 2, ErrorCode::Denied);
    assert!(matches!(outcomes(&effects)[..], [Outcome::Refused(_)]));
}

#[test]
fn what_cannot_be_looked_for_any_more_is_unknown_and_kept() {
    let mut story = marking(vec![restored("a", Left::Maybe(Some(0)))]);
    story.online();
    let gone = Refusal::new(ErrorCode::NotFound, "chat not found");
    let effects = story.answer("a", 1, Answer::Unknown(gone.clone()));
    assert_eq!(outcomes(&effects), [&Outcome::Unknown(gone)]);
    assert_eq!((story.outbox.len(), story.outbox.waiting()), (1, 0));
}

/// Queues so many while there is no connection, then answers at once whatever is asked.
fn drained(mut story: Story, each: &[Duration]) -> Duration {
    const MESSAGES: u32 = 500;
    for n in 0..MESSAGES {
        story.queue(1, &n.to_string());
    }
    story.now += S(3_600);
    let begin = story.now;
    let mut effects = story.online();
    for n in 0..MESSAGES {
        let name = n.to_string();
        if story.outbox.config.marks {
            assert_eq!(counts(&effects), [format!("{name}#1")], "in order, one at a time");
            story.now += each[0];
            story.counted(&name, 1, 0);
            story.now += each[1];
            effects = story.on(Event::Written(vec![id(&name)]));
        }
        assert_eq!(emitted(&effects), [format!("{name}#1")], "in order, one at a time");
        story.now += each[each.len() - 1];
        effects = story.stored(&name, 1, i64::from(n) + 1);
    }
    assert!(story.outbox.is_empty());
    story.now - begin
}

#[test]
fn an_hour_offline_costs_what_the_server_and_the_disk_take_and_nothing_more() {
    assert_eq!(drained(Story::new(), &[MS(40)]), MS(500 * 40));
    let steps = [MS(40), MS(5), MS(60)];
    assert_eq!(drained(marking(vec![]), &steps), MS(500 * (40 + 5 + 60)));
}
