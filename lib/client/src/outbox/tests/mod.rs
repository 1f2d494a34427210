//! Stories of messages on their way.

use trialogue_protocol::{MessageId, MessageType, Role, SendAck, UserId};

use super::*;

mod marks;
mod model;
mod search;

const MS: fn(u64) -> Duration = Duration::from_millis;
const S: fn(u64) -> Duration = Duration::from_secs;

struct Story {
    outbox: Outbox,
    now: Now,
}

impl Story {
    fn new() -> Self {
        Self::with(OutboxConfig::default(), Vec::new())
    }

    fn with(config: OutboxConfig, restored: Vec<Restored>) -> Self {
        Self { outbox: Outbox::new(config, restored, 1), now: S(1_000) }
    }

    fn on(&mut self, event: Event) -> Vec<Effect> {
        self.outbox.handle(event, self.now)
    }

    fn wake(&mut self) -> Vec<Effect> {
        self.now = self.outbox.next_wake().expect("nothing to wait for");
        self.on(Event::Tick)
    }

    /// Hands a message over and lets the journal keep it.
    fn queue(&mut self, chat: u128, name: &str) -> Vec<Effect> {
        let mut effects = self.on(Event::Queue(draft(chat, name)));
        effects.extend(self.on(Event::Written(vec![id(name)])));
        effects
    }

    fn online(&mut self) -> Vec<Effect> {
        self.on(Event::Online { held: vec![] })
    }

    fn stored(&mut self, name: &str, attempt: u32, seq: i64) -> Vec<Effect> {
        let ack = SendAck { status: SendStatus::Stored, message: row(1, name, seq) };
        self.answer(name, attempt, Answer::Stored(ack))
    }

    fn refused(&mut self, name: &str, attempt: u32, code: ErrorCode) -> Vec<Effect> {
        self.answer(name, attempt, Answer::Refused(Refusal::new(code, "no")))
    }

    fn answer(&mut self, name: &str, attempt: u32, answer: Answer) -> Vec<Effect> {
        self.on(Event::Answered { id: id(name), attempt, answer })
    }
}

fn chat(n: u128) -> ChatId {
    ChatId(uuid::Uuid::from_u128(n))
}

fn id(name: &str) -> ClientMessageId {
    name.parse().unwrap()
}

fn draft(n: u128, name: &str) -> Draft {
    Draft { id: id(name), chat: chat(n), text: format!("text of {name}"), kind: MessageType::Text }
}

fn row(n: u128, name: &str, seq: i64) -> Message {
    Message {
        id: MessageId(uuid::Uuid::from_u128(u128::try_from(seq).unwrap())),
        chat_id: chat(n),
        seq: Some(seq),
        sender_type: Role::Customer,
        sender_id: UserId(1),
        sender_name: "Amna".to_owned(),
        message: format!("text of {name}"),
        message_type: MessageType::Text,
        client_message_id: Some(id(name)),
        created_at: chrono::DateTime::UNIX_EPOCH.into(),
    }
}

/// What is emitted, as `name#attempt`.
fn emitted(effects: &[Effect]) -> Vec<String> {
    let emit = |e: &Effect| match e {
        Effect::Emit { draft, attempt, .. } => Some(format!("{}#{attempt}", draft.id)),
        _ => None,
    };
    effects.iter().filter_map(emit).collect()
}

fn outcomes(effects: &[Effect]) -> Vec<&Outcome> {
    let told = |e: &Effect| matches!(e, Effect::Outcome { .. });
    effects
        .iter()
        .filter(|e| told(e))
        .filter_map(|e| match e {
            Effect::Outcome { outcome, .. } => Some(outcome),
            _ => None,
        })
        .collect()
}

#[test]
fn nothing_is_emitted_before_the_journal_has_it() {
    let mut story = Story::new();
    story.online();
    let effects = story.on(Event::Queue(draft(1, "a")));
    assert_eq!(effects, [Effect::Write(Record::Queued(draft(1, "a")))]);
    let effects = story.on(Event::Written(vec![id("a")]));
    assert_eq!(emitted(&effects), ["a#1"]);
    assert_eq!(outcomes(&effects), [&Outcome::Queued, &Outcome::Sending { attempt: 1 }]);
    let effects = story.stored("a", 1, 1);
    assert_eq!(effects[0], Effect::Write(Record::Done { id: id("a") }));
    assert!(matches!(outcomes(&effects)[..], [Outcome::Stored { duplicate: false, .. }]));
    assert!(story.outbox.is_empty());
}

#[test]
fn a_full_disk_is_a_clear_no_and_nothing_is_pretended() {
    let mut story = Story::new();
    story.online();
    story.on(Event::Queue(draft(1, "a")));
    let why = "no space left".to_owned();
    let effects = story.on(Event::NotWritten { ids: vec![id("a")], why: why.clone() });
    assert_eq!(effects, [Effect::NotQueued { id: id("a"), error: Error::Storage(why) }]);
    assert!(story.outbox.is_empty());
    assert_eq!(emitted(&story.queue(1, "b")), ["b#1"]);
}

#[test]
fn one_message_is_in_flight_per_chat_and_chats_do_not_wait_for_each_other() {
    let mut story = Story::new();
    ["a", "b"].iter().for_each(|name| drop(story.queue(1, name)));
    story.queue(2, "x");
    assert_eq!(emitted(&story.online()), ["a#1", "x#1"]);
    assert_eq!(emitted(&story.stored("x", 1, 1)), [""; 0]);
    assert_eq!(emitted(&story.stored("a", 1, 1)), ["b#1"]);
}

#[test]
fn a_lost_acknowledgement_is_asked_for_again_under_the_same_id() {
    let mut story = Story::new();
    story.online();
    story.queue(1, "a");
    let effects = story.wake();
    assert_eq!(story.now, S(1_010), "the acknowledgement had ten seconds");
    assert!(matches!(
        outcomes(&effects)[..],
        [Outcome::Retrying { attempt: 2, not_stored: false, .. }]
    ));
    assert_eq!(emitted(&story.wake()), ["a#2"]);
    let ack = SendAck { status: SendStatus::Duplicate, message: row(1, "a", 1) };
    let effects = story.answer("a", 2, Answer::Stored(ack));
    assert!(matches!(outcomes(&effects)[..], [Outcome::Stored { duplicate: true, .. }]));
}

#[test]
fn a_lost_connection_puts_it_back_and_it_goes_first_when_its_chat_has_caught_up() {
    let mut story = Story::new();
    story.online();
    story.queue(1, "a");
    story.queue(1, "b");
    assert_eq!(outcomes(&story.on(Event::Offline)), [&Outcome::Queued]);
    assert_eq!(story.outbox.next_wake(), None, "no wake while there is no connection");
    assert_eq!(story.on(Event::Online { held: vec![chat(1)] }), []);
    assert_eq!(story.outbox.next_wake(), None);
    assert_eq!(emitted(&story.on(Event::Release(chat(1)))), ["a#2"]);
}

#[test]
fn what_catch_up_brings_is_not_sent_again() {
    let mut story = Story::new();
    story.online();
    story.queue(1, "a");
    story.on(Event::Offline);
    story.on(Event::Online { held: vec![chat(1)] });
    let effects = story.on(Event::Echoed(row(1, "a", 1)));
    assert!(matches!(outcomes(&effects)[..], [Outcome::Stored { .. }]));
    assert_eq!(story.on(Event::Release(chat(1))), []);
}

#[test]
fn echo_and_acknowledgement_in_any_order_are_one_end() {
    for echo_first in [true, false] {
        let mut story = Story::new();
        story.online();
        story.queue(1, "a");
        let mut effects = Vec::new();
        if echo_first {
            effects.extend(story.on(Event::Echoed(row(1, "a", 1))));
        }
        effects.extend(story.stored("a", 1, 1));
        effects.extend(story.on(Event::Echoed(row(1, "a", 1))));
        assert_eq!(outcomes(&effects).len(), 1, "{effects:?}");
    }
}

#[test]
fn an_echo_from_another_chat_is_not_ours() {
    let mut story = Story::new();
    story.online();
    story.queue(1, "a");
    assert_eq!(story.on(Event::Echoed(row(2, "a", 1))), []);
    assert_eq!(story.outbox.len(), 1);
}

#[test]
fn a_refused_message_is_kept_and_does_not_hold_up_the_next() {
    let mut story = Story::new();
    story.online();
    story.queue(1, "a");
    story.queue(1, "b");
    let effects = story.refused("a", 1, ErrorCode::ChatClosed);
    assert!(matches!(effects[0], Effect::Write(Record::Refused { .. })));
    assert_eq!(emitted(&effects), ["b#1"]);
    // Its author tries again: behind the one in flight, which stays alone.
    assert_eq!(emitted(&story.on(Event::Again(id("a")))), [""; 0]);
    assert_eq!(emitted(&story.stored("b", 1, 1)), ["a#2"]);
    story.refused("a", 2, ErrorCode::Denied);
    let effects = story.on(Event::Discard(id("a")));
    assert_eq!(outcomes(&effects), [&Outcome::Discarded]);
    assert_eq!(effects[0], Effect::Write(Record::Done { id: id("a") }));
    assert!(story.outbox.is_empty());
}

#[test]
fn a_conflict_cannot_be_retried_because_it_never_ends_well() {
    let mut story = Story::new();
    story.online();
    story.queue(1, "a");
    let effects = story.refused("a", 1, ErrorCode::IdempotencyConflict);
    assert!(matches!(outcomes(&effects)[..], [Outcome::Conflict(_)]));
    assert_eq!(story.on(Event::Again(id("a"))), []);
}

#[test]
fn every_code_is_either_tried_again_or_told() {
    for code in ErrorCode::ALL {
        let mut story = Story::new();
        story.online();
        story.queue(1, "a");
        let effects = story.refused("a", 1, *code);
        let again = matches!(outcomes(&effects)[..], [Outcome::Retrying { .. }]);
        let about_the_token = matches!(code, ErrorCode::Unauthenticated | ErrorCode::TokenExpired);
        assert_eq!(again, code.is_retryable() || about_the_token, "{code}");
        if let [Outcome::Retrying { not_stored, .. }] = outcomes(&effects)[..] {
            assert_eq!(*not_stored, *code != ErrorCode::OutcomeUnknown, "{code}");
        }
    }
}

#[test]
fn a_server_that_says_slow_down_is_left_alone_by_every_chat() {
    let mut story = Story::new();
    story.online();
    story.queue(1, "a");
    let slow =
        Refusal { retry_after: Some(S(5)), ..Refusal::new(ErrorCode::RateLimited, "slow down") };
    story.answer("a", 1, Answer::Refused(slow));
    assert_eq!(emitted(&story.queue(2, "x")), [""; 0]);
    assert_eq!(story.outbox.next_wake(), Some(S(1_005)));
    assert_eq!(emitted(&story.wake()), ["a#2", "x#1"]);
}

#[test]
fn a_hostile_retry_after_does_not_silence_us_for_ever() {
    let mut story = Story::new();
    story.online();
    story.queue(1, "a");
    let never = Refusal {
        retry_after: Some(Duration::MAX),
        ..Refusal::new(ErrorCode::Unavailable, "some day")
    };
    story.answer("a", 1, Answer::Refused(never));
    assert_eq!(story.outbox.next_wake(), Some(story.now + RETRY_AFTER_MAX));
}

#[test]
fn an_answer_to_an_attempt_that_was_given_up_counts_only_if_it_is_good() {
    let mut story = Story::new();
    story.online();
    story.queue(1, "a");
    story.wake();
    assert_eq!(emitted(&story.wake()), ["a#2"]);
    assert_eq!(story.refused("a", 1, ErrorCode::Denied), []);
    assert!(matches!(outcomes(&story.stored("a", 1, 1))[..], [Outcome::Stored { .. }]));
    assert_eq!(story.stored("a", 2, 1), []);
}

#[test]
fn bounds_are_a_clear_no() {
    let config = OutboxConfig { entries_max: 2, ..OutboxConfig::default() };
    let mut story = Story::with(config, vec![]);
    story.queue(1, "a");
    story.queue(1, "b");
    let effects = story.on(Event::Queue(draft(1, "c")));
    let [Effect::NotQueued { error: Error::Full(why), .. }] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(why, "the outbox is full: 2 messages wait");
    let config = OutboxConfig { bytes_max: 300, ..OutboxConfig::default() };
    let mut story = Story::with(config, vec![]);
    story.queue(1, "a");
    let effects = story.on(Event::Queue(draft(1, "b")));
    assert!(matches!(&effects[..], [Effect::NotQueued { error: Error::Full(_), .. }]));
}

#[test]
fn the_same_id_twice_is_one_message_and_another_text_under_it_is_refused() {
    let mut story = Story::new();
    story.queue(1, "a");
    assert_eq!(outcomes(&story.on(Event::Queue(draft(1, "a")))), [&Outcome::Queued]);
    let other = Draft { text: "other".to_owned(), ..draft(1, "a") };
    let effects = story.on(Event::Queue(other));
    assert!(matches!(&effects[..], [Effect::NotQueued { error: Error::Invalid(_), .. }]));
    assert_eq!(story.outbox.len(), 1);
}

#[test]
fn what_an_earlier_process_left_is_sent_and_what_was_refused_is_kept() {
    let refused = Some(Refusal::new(ErrorCode::Denied, "no"));
    let restored = vec![
        Restored { draft: draft(1, "a"), left: Left::Never, refused },
        Restored { draft: draft(1, "b"), left: Left::Never, refused: None },
    ];
    let mut story = Story::with(OutboxConfig::default(), restored);
    assert_eq!((story.outbox.len(), story.outbox.waiting()), (2, 1));
    assert_eq!(emitted(&story.online()), ["b#1"]);
    // It may have left before the crash, so its author cannot take it back.
    story.on(Event::Offline);
    assert_eq!(story.on(Event::Discard(id("b"))), []);
}

#[test]
fn many_chats_together_do_not_storm_a_server_that_is_in_trouble() {
    let mut story = Story::new();
    for n in 0..200 {
        story.queue(n, &format!("m{n}"));
    }
    let mut effects = story.online();
    let mut retries = 0;
    while story.now < S(1_060) {
        for emit in emitted(&effects) {
            let (name, attempt) = emit.split_once('#').unwrap();
            let attempt = attempt.parse().unwrap();
            retries += u32::from(attempt > 1);
            story.refused(name, attempt, ErrorCode::Unavailable);
        }
        effects = story.wake();
    }
    // 20 at once and 2 a second, over a minute.
    assert!((100..=20 + 2 * 61).contains(&retries), "{retries}");
}
