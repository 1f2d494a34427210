//! Stories of who is there, and a model.

use proptest::prelude::*;

use super::*;

const S: fn(u64) -> Duration = Duration::from_secs;
const AMNA: UserId = UserId(1);
const RAVI: UserId = UserId(2);

fn member(user_id: UserId, status: PresenceStatus) -> Member {
    Member {
        user_id,
        role: Role::Customer,
        name: "somebody".to_owned(),
        status: Some(status),
        last_seen: None,
        last_read_seq: 0,
        joined_at: chrono::DateTime::UNIX_EPOCH.into(),
    }
}

fn people() -> People {
    let mut people = People::new(PeopleConfig::default());
    let members = vec![member(AMNA, PresenceStatus::Online), member(RAVI, PresenceStatus::Offline)];
    people.handle(Event::Members(members), S(0));
    people
}

fn of(people: &People, user: UserId) -> Person {
    people.all().find(|person| person.user_id == user).unwrap().clone()
}

fn typing(user: UserId, is_typing: bool) -> Event {
    Event::Typing { user, is_typing }
}

#[test]
fn typing_expires_without_renewal_and_ends_with_a_message_a_leave_and_a_disconnect() {
    let mut people = people();
    assert_eq!(people.handle(typing(RAVI, true), S(10)).len(), 1);
    assert_eq!(people.handle(typing(RAVI, true), S(13)), [], "a renewal shows nothing new");
    assert_eq!(people.next_wake(), Some(S(19)));
    assert_eq!(people.handle(Event::Tick, S(18)), []);
    let ended = people.handle(Event::Tick, S(19));
    assert!(matches!(&ended[..], [Effect::Changed(person)] if !person.typing), "{ended:?}");
    assert_eq!(people.next_wake(), None);
    for end in [Event::Said(RAVI), Event::Went(RAVI), typing(RAVI, false), Event::Offline] {
        people.handle(typing(RAVI, true), S(30));
        people.handle(end.clone(), S(31));
        assert!(!of(&people, RAVI).typing, "{end:?}");
        assert_eq!(people.next_wake(), None);
    }
}

#[test]
fn presence_is_unknown_while_offline_and_comes_back_with_the_next_join() {
    let mut people = people();
    assert_eq!(of(&people, AMNA).presence, Presence::Online);
    assert_eq!(of(&people, RAVI).presence, Presence::Offline { last_seen: None });
    assert_eq!(people.handle(Event::Offline, S(1)).len(), 2);
    assert!(people.all().all(|person| person.presence == Presence::Unknown));
    people.handle(Event::Members(vec![member(AMNA, PresenceStatus::Online)]), S(2));
    assert_eq!(of(&people, AMNA).presence, Presence::Online);
    assert_eq!(people.all().count(), 1, "who is no member is gone");
}

#[test]
fn a_list_of_members_that_does_not_tell_presence_makes_nobody_unknown() {
    let mut people = people();
    let silent = |user| Member { status: None, ..member(user, PresenceStatus::Online) };
    assert_eq!(people.handle(Event::Members(vec![silent(AMNA), silent(RAVI)]), S(1)), []);
    assert_eq!(of(&people, AMNA).presence, Presence::Online);
    people.handle(Event::Members(vec![silent(AMNA), silent(UserId(3))]), S(2));
    assert_eq!(of(&people, UserId(3)).presence, Presence::Unknown);
}

#[test]
fn a_server_that_does_not_tell_presence_leaves_it_unknown() {
    let mut people = People::new(PeopleConfig { presence: false, ..PeopleConfig::default() });
    let came = Event::Came { user: RAVI, role: None, name: None };
    people.handle(came, S(0));
    assert_eq!(of(&people, RAVI).presence, Presence::Unknown);
    people.handle(Event::Members(vec![]), S(0));
    assert_eq!(people.all().count(), 1, "no members told is not nobody");
}

#[test]
fn a_hostile_server_does_not_fill_the_memory() {
    let mut people = People::new(PeopleConfig::default());
    for user in 0..10_000 {
        people.handle(typing(UserId(user), true), S(0));
    }
    assert_eq!(people.all().count(), 64);
}

#[test]
fn somebody_who_is_no_member_is_not_invented_by_a_message() {
    let mut people = People::new(PeopleConfig::default());
    for event in [Event::Said(RAVI), Event::Went(RAVI), typing(RAVI, false)] {
        assert_eq!(people.handle(event, S(0)), []);
    }
    assert_eq!(people.all().count(), 0);
}

fn events() -> impl Strategy<Value = (u64, Event)> {
    let user = (0i64..4).prop_map(UserId);
    let status = prop_oneof![Just(PresenceStatus::Online), Just(PresenceStatus::Offline)];
    let event = prop_oneof![
        3 => (user.clone(), any::<bool>()).prop_map(|(user, t)| typing(user, t)),
        1 => user.clone().prop_map(Event::Said),
        1 => user.clone().prop_map(Event::Went),
        1 => user.clone().prop_map(|user| Event::Came { user, role: None, name: None }),
        2 => (user.clone(), status.clone()).prop_map(|(user, status)| {
            Event::Presence { user, status, last_seen: None }
        }),
        1 => prop::collection::vec((user, status), 0..3).prop_map(|all| {
            Event::Members(all.into_iter().map(|(user, status)| member(user, status)).collect())
        }),
        1 => Just(Event::Offline),
        2 => Just(Event::Tick),
    ];
    (0u64..4, event)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    /// A face that only obeys the effects sees what the machine knows; nobody types longer than
    /// allowed; nobody is known to be there without a connection.
    #[test]
    fn a_face_that_obeys_sees_the_same(steps in prop::collection::vec(events(), 0..60)) {
        let mut people = People::new(PeopleConfig::default());
        let mut face: BTreeMap<UserId, Person> = BTreeMap::new();
        let mut renewed: BTreeMap<UserId, Duration> = BTreeMap::new();
        let mut now = S(0);
        for (wait, event) in steps {
            now += S(wait);
            if let Event::Typing { user, is_typing: true } = event {
                renewed.insert(user, now);
            }
            let offline = event == Event::Offline;
            let mut effects = people.handle(event, now);
            while people.next_wake().is_some_and(|at| at <= now) {
                effects.extend(people.handle(Event::Tick, now));
            }
            for effect in effects {
                match effect {
                    Effect::Changed(person) => drop(face.insert(person.user_id, person)),
                    Effect::Gone(user) => drop(face.remove(&user)),
                }
            }
            prop_assert_eq!(face.values().collect::<Vec<_>>(), people.all().collect::<Vec<_>>());
            for person in people.all() {
                let fresh = renewed.get(&person.user_id).is_some_and(|at| now - *at < S(6));
                prop_assert!(!person.typing || fresh, "{:?} types for ever", person);
                prop_assert!(!offline || person.presence == Presence::Unknown);
            }
        }
    }
}
