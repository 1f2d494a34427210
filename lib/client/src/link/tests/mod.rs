//! Stories of a connection.

use super::*;

mod model;

const MS: fn(u64) -> Duration = Duration::from_millis;
const S: fn(u64) -> Duration = Duration::from_secs;

/// A link and its clock.
struct Story {
    link: Link,
    now: Now,
}

impl Story {
    fn new() -> Self {
        Self { link: Link::new(LinkConfig::default(), 1), now: S(1_000) }
    }

    fn on(&mut self, event: Event) -> Vec<Effect> {
        self.link.handle(event, self.now)
    }

    /// Sleeps until the link wants to be woken.
    fn wake(&mut self) -> Vec<Effect> {
        self.now = self.link.next_wake().expect("nothing to wait for");
        self.on(Event::Tick)
    }

    /// Connects; answers the serial.
    fn connect(&mut self) -> u64 {
        let serial = opening(&self.on(Event::Start)).expect("no attempt");
        self.on(Event::Opened { serial });
        serial
    }

    fn lose(&mut self, serial: u64) -> Vec<Effect> {
        self.on(Event::Lost { serial, why: Trouble::new("cable") })
    }

    /// One retry that does not reach the server; answers the delay before it.
    fn failed_retry(&mut self) -> Duration {
        let before = self.now;
        let serial = opening(&self.wake()).expect("no attempt");
        let delay = self.now - before;
        self.on(Event::OpenFailed { serial, failure: unreachable() });
        delay
    }
}

fn opening(effects: &[Effect]) -> Option<u64> {
    effects.iter().find_map(|e| match e {
        Effect::Open { serial } => Some(*serial),
        _ => None,
    })
}

fn unreachable() -> OpenFailure {
    OpenFailure::Other { why: Trouble::new("connection refused"), retry_after: None }
}

fn chat(n: u128) -> ChatId {
    ChatId(uuid::Uuid::from_u128(n))
}

fn token_expired() -> Trouble {
    Trouble { code: Some(trialogue_protocol::ErrorCode::TokenExpired), sentence: "old".into() }
}

fn connecting(attempt: u32) -> Effect {
    Effect::State(LinkState::Connecting { attempt })
}

#[test]
fn ready_is_when_the_server_says_connected() {
    let mut story = Story::new();
    assert_eq!(story.on(Event::Start), [Effect::Open { serial: 1 }, connecting(1)]);
    assert_eq!(
        story.on(Event::Opened { serial: 1 }),
        [Effect::Online(vec![]), Effect::State(LinkState::Connected)]
    );
}

#[test]
fn a_lost_connection_is_tried_again_without_an_end_and_says_which_retry_and_when() {
    let mut story = Story::new();
    let serial = story.connect();
    let effects = story.lose(serial);
    assert_eq!(effects[0], Effect::Offline);
    for attempt in 1..200 {
        let LinkState::Reconnecting { attempt: told, next_in, .. } = story.link.state().clone()
        else {
            panic!("{:?}", story.link.state());
        };
        assert_eq!(told, attempt);
        let waited = story.failed_retry();
        assert_eq!(waited, next_in, "retry {attempt}");
        assert!(waited <= LinkConfig::default().backoff.ceiling(attempt));
    }
}

#[test]
fn who_may_try_only_so_often_gives_up_and_may_begin_again() {
    let config = LinkConfig { retries_max: Some(2), ..LinkConfig::default() };
    let mut of = Story { link: Link::new(config, 1), now: S(1_000) };
    let serial = of.connect();
    of.lose(serial);
    of.failed_retry();
    assert!(matches!(of.link.state(), LinkState::Reconnecting { attempt: 2, .. }));
    let serial = opening(&of.wake()).expect("the last retry");
    let failure = unreachable();
    of.on(Event::OpenFailed { serial, failure });
    assert_eq!(of.link.state(), &LinkState::Offline);
    assert_eq!(of.link.next_wake(), None);
    assert!(opening(&of.on(Event::Start)).is_some());
}

#[test]
fn a_connection_that_lived_long_starts_counting_from_one_and_a_short_one_does_not() {
    let mut story = Story::new();
    let serial = story.connect();
    story.lose(serial);
    story.failed_retry();
    let serial = opening(&story.wake()).unwrap();
    story.on(Event::Opened { serial });
    story.now += S(29);
    story.lose(serial);
    assert!(matches!(story.link.state(), LinkState::Reconnecting { attempt: 3, .. }));
    let serial = opening(&story.wake()).unwrap();
    story.on(Event::Opened { serial });
    story.now += S(30);
    story.lose(serial);
    assert!(matches!(story.link.state(), LinkState::Reconnecting { attempt: 1, .. }));
}

#[test]
fn a_token_that_is_nearly_over_is_refreshed_before_the_reconnect() {
    let mut story = Story::new();
    story.on(Event::SignedIn(Some(S(600))));
    let serial = story.connect();
    story.lose(serial);
    story.now += S(700);
    let effects = story.on(Event::Tick);
    assert_eq!(effects[0], Effect::Refresh);
    assert_eq!(opening(&effects), None, "not with the old token");
    let effects = story.on(Event::Refreshed(Some(S(600))));
    assert!(opening(&effects).is_some());
}

#[test]
fn a_refused_token_is_never_presented_twice() {
    let mut story = Story::new();
    let serial = opening(&story.on(Event::Start)).unwrap();
    let failure = OpenFailure::Token(token_expired());
    let effects = story.on(Event::OpenFailed { serial, failure: failure.clone() });
    assert_eq!(effects, [Effect::Refresh]);
    // The refresh does not reach the server: the retry refreshes again before it connects.
    let why = Trouble::new("timeout");
    story.on(Event::RefreshFailed { refused: false, why });
    let effects = story.wake();
    assert_eq!((effects[0].clone(), opening(&effects)), (Effect::Refresh, None));
    let serial = opening(&story.on(Event::Refreshed(None))).unwrap();
    // The fresh token is refused as well: only a login helps, and nothing hammers the server.
    let effects = story.on(Event::OpenFailed { serial, failure });
    assert_eq!(effects, [Effect::State(LinkState::LoginNeeded { why: token_expired() })]);
    assert_eq!(story.link.next_wake(), None);
    assert_eq!(story.on(Event::RetryNow), []);
    let effects = story.on(Event::SignedIn(None));
    assert!(opening(&effects).is_some());
}

#[test]
fn a_refused_refresh_asks_for_a_login_and_does_not_hammer() {
    let mut story = Story::new();
    let serial = opening(&story.on(Event::Start)).unwrap();
    story.on(Event::OpenFailed { serial, failure: OpenFailure::Token(token_expired()) });
    let why = Trouble::new("revoked");
    let effects = story.on(Event::RefreshFailed { refused: true, why: why.clone() });
    assert_eq!(effects, [Effect::State(LinkState::LoginNeeded { why })]);
    assert_eq!(story.link.next_wake(), None);
}

#[test]
fn a_living_connection_gets_a_fresh_token_before_the_old_one_ends() {
    let mut story = Story::new();
    story.on(Event::SignedIn(Some(S(600))));
    story.connect();
    assert_eq!(story.wake(), [Effect::Refresh]);
    assert_eq!(story.now, S(1_600));
    assert_eq!(story.on(Event::TokenExpiring), [], "one refresh at a time");
    assert_eq!(story.on(Event::Refreshed(Some(S(600)))), [Effect::Reauthenticate]);
    assert_eq!(story.link.next_wake(), Some(S(2_200)));
}

#[test]
fn a_clock_that_is_ten_years_ahead_does_not_become_a_storm_of_refreshes() {
    let mut story = Story::new();
    story.on(Event::SignedIn(Some(Duration::ZERO)));
    story.connect();
    let start = story.now;
    for _ in 0..10 {
        assert_eq!(story.wake(), [Effect::Refresh]);
        story.on(Event::Refreshed(Some(Duration::ZERO)));
    }
    assert!(story.now - start >= S(50), "{:?}", story.now - start);
}

#[test]
fn a_session_that_the_server_ended_for_its_token_refreshes_first() {
    let mut story = Story::new();
    let serial = story.connect();
    story.on(Event::Lost { serial, why: token_expired() });
    assert_eq!(story.wake()[0], Effect::Refresh);
}

#[test]
fn all_open_chats_are_joined_again_and_each_may_be_written_to_when_it_has_caught_up() {
    let mut story = Story::new();
    let serial = story.connect();
    for n in 1..=3 {
        assert_eq!(story.on(Event::Enter(chat(n))), [Effect::Join(chat(n))]);
        story.on(Event::Joined(chat(n)));
        story.on(Event::CaughtUp(chat(n)));
    }
    story.lose(serial);
    let serial = opening(&story.wake()).unwrap();
    let effects = story.on(Event::Opened { serial });
    let all: Vec<_> = (1..=3).map(chat).collect();
    assert_eq!(effects[0], Effect::Online(all.clone()), "all held until they caught up");
    assert_eq!(effects[1..4], all.iter().map(|c| Effect::Join(*c)).collect::<Vec<_>>());
    assert_eq!(effects[4], Effect::State(LinkState::Syncing { done: 0, of: 3 }));
    for n in 1..=3u128 {
        assert_eq!(story.on(Event::Joined(chat(n))), []);
        let effects = story.on(Event::CaughtUp(chat(n)));
        assert_eq!(effects[0], Effect::Release(chat(n)));
        let state = match n {
            3 => LinkState::Connected,
            n => LinkState::Syncing { done: usize::try_from(n).unwrap(), of: 3 },
        };
        assert_eq!(effects[1], Effect::State(state));
    }
}

#[test]
fn a_chat_that_cannot_be_joined_now_is_tried_again_and_one_that_is_not_ours_is_closed() {
    let mut story = Story::new();
    story.on(Event::Enter(chat(1)));
    story.on(Event::Enter(chat(2)));
    let serial = story.connect();
    story.on(Event::JoinFailed { chat: chat(1), retry_after: Some(MS(700)) });
    let effects = story.on(Event::JoinFailed { chat: chat(2), retry_after: None });
    assert_eq!(
        effects,
        [Effect::Release(chat(2)), Effect::State(LinkState::Syncing { done: 0, of: 1 })],
        "what waits for it gets the server's own refusal"
    );
    let before = story.now;
    assert_eq!(story.wake(), [Effect::Join(chat(1))]);
    assert!(story.now - before >= MS(700));
    story.lose(serial);
    assert_eq!(story.link.open_chats().collect::<Vec<_>>(), [chat(1)]);
}

#[test]
fn joins_are_shaped() {
    let mut story = Story::new();
    (0..100).for_each(|n| drop(story.on(Event::Enter(chat(n)))));
    let serial = opening(&story.on(Event::Start)).unwrap();
    let joins =
        |effects: &[Effect]| effects.iter().filter(|e| matches!(e, Effect::Join(_))).count();
    assert_eq!(joins(&story.on(Event::Opened { serial })), 8);
    assert_eq!(joins(&story.on(Event::Joined(chat(0)))), 1);
}

#[test]
fn a_draining_server_tells_when_to_come_back_within_reason() {
    for (told, expected) in [(S(3), S(3)), (Duration::MAX, DRAIN_DELAY_MAX)] {
        let mut story = Story::new();
        let serial = story.connect();
        story.on(Event::Draining(told));
        story.lose(serial);
        assert_eq!(story.link.next_wake(), Some(story.now + expected));
    }
}

#[test]
fn a_server_that_asks_for_time_gets_it() {
    let mut story = Story::new();
    let serial = opening(&story.on(Event::Start)).unwrap();
    let why = Trouble::new("too many");
    let failure = OpenFailure::Other { why, retry_after: Some(S(20)) };
    story.on(Event::OpenFailed { serial, failure });
    assert!(story.link.next_wake().unwrap() >= story.now + S(20));
}

#[test]
fn what_an_older_attempt_says_changes_nothing() {
    let mut story = Story::new();
    let old = story.connect();
    story.lose(old);
    let new = opening(&story.wake()).unwrap();
    for event in [
        Event::Opened { serial: old },
        Event::Lost { serial: old, why: Trouble::new("late") },
        Event::OpenFailed { serial: old, failure: unreachable() },
    ] {
        assert_eq!(story.on(event), []);
    }
    story.on(Event::Opened { serial: new });
    assert_eq!(story.link.state(), &LinkState::Connected);
}

#[test]
fn stop_hangs_up_and_start_comes_back_with_the_same_chats() {
    let mut story = Story::new();
    story.on(Event::Enter(chat(1)));
    story.connect();
    let effects = story.on(Event::Stop);
    assert_eq!(effects, [Effect::Hangup, Effect::Offline, Effect::State(LinkState::Offline)]);
    let serial = opening(&story.on(Event::Start)).unwrap();
    assert!(story.on(Event::Opened { serial }).contains(&Effect::Join(chat(1))));
    assert_eq!(story.on(Event::Close).last(), Some(&Effect::State(LinkState::Closed)));
    assert_eq!(story.on(Event::Start), []);
}

#[test]
fn retry_now_does_not_wait() {
    let mut story = Story::new();
    let serial = story.connect();
    story.lose(serial);
    assert!(opening(&story.on(Event::RetryNow)).is_some());
    assert_eq!(story.on(Event::RetryNow), [], "one attempt at a time");
}

#[test]
fn an_answer_to_a_refresh_of_the_lost_connection_serves_the_next_one() {
    let mut story = Story::new();
    let serial = story.connect();
    assert_eq!(story.on(Event::TokenExpiring), [Effect::Refresh]);
    story.on(Event::Lost { serial, why: token_expired() });
    let effects = story.wake();
    assert!(!effects.contains(&Effect::Refresh), "one is under way: {effects:?}");
    assert_eq!(opening(&effects), None);
    assert!(opening(&story.on(Event::Refreshed(None))).is_some());
}
