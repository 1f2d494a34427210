//! What a node says of its people, and when.

use uuid::Uuid;

use super::*;

const ANNA: UserId = UserId(1);
const CHAT: ChatId = ChatId(Uuid::from_u128(7));
const IN_CHAT: Place = Place { user_id: ANNA, chat_id: Some(CHAT) };
const ONLINE: Place = Place { user_id: ANNA, chat_id: None };

fn sharing() -> Ours {
    let mut ours = Ours::default();
    ours.share();
    ours
}

/// Says what there is to say; the rows.
fn say(ours: &mut Ours, online: bool) -> Vec<(Place, bool)> {
    let saying = ours.take(|_| online);
    ours.settle(&saying, true);
    saying.rows
}

#[test]
fn nothing_is_kept_for_nobody() {
    let mut ours = Ours::default();
    assert!(!ours.in_room(ANNA, CHAT, true));
    assert!(!ours.online(ANNA));
    assert!(!ours.has_news());
}

#[test]
fn what_is_said_is_what_is_true_when_it_is_said() {
    let mut ours = sharing();
    assert!(ours.in_room(ANNA, CHAT, true));
    assert_eq!(say(&mut ours, false), [(IN_CHAT, true)]);
    ours.in_room(ANNA, CHAT, false);
    ours.in_room(ANNA, CHAT, true);
    assert_eq!(say(&mut ours, false), []);
    ours.online(ANNA);
    assert_eq!(say(&mut ours, true), [(ONLINE, true)]);
    ours.online(ANNA);
    assert_eq!(say(&mut ours, false), [(ONLINE, false)]);
}

#[test]
fn who_came_and_went_between_is_settled_without_a_row() {
    let mut ours = sharing();
    ours.in_room(ANNA, CHAT, true);
    ours.in_room(ANNA, CHAT, false);
    let saying = ours.take(|_| false);
    assert_eq!((&saying.rows, &saying.gone), (&vec![], &vec![IN_CHAT]));
}

#[test]
fn what_could_not_be_said_is_said_again() {
    let mut ours = sharing();
    ours.in_room(ANNA, CHAT, true);
    let saying = ours.take(|_| false);
    ours.settle(&saying, false);
    assert!(ours.has_news());
    assert_eq!(say(&mut ours, false), [(IN_CHAT, true)]);
    let version = ours.version();
    assert!(ours.begin_anew() > version);
    assert_eq!(say(&mut ours, false), [(IN_CHAT, true)], "the table has forgotten it");
}

#[test]
fn who_is_about_to_enter_counts_as_being_in() {
    let mut ours = sharing();
    assert_eq!(ours.coming(ANNA, CHAT), Some(ours.next_round()));
    assert_eq!(say(&mut ours, false), [(IN_CHAT, true)]);
    assert_eq!(ours.coming(ANNA, CHAT), None, "it is said already");
    ours.came(ANNA, CHAT);
    assert_eq!(say(&mut ours, false), []);
    ours.came(ANNA, CHAT);
    assert_eq!(say(&mut ours, false), [(IN_CHAT, false)], "refused, both of them");
    ours.coming(ANNA, CHAT);
    ours.in_room(ANNA, CHAT, true);
    ours.came(ANNA, CHAT);
    assert_eq!(say(&mut ours, false), [(IN_CHAT, true)]);
}

#[test]
fn a_round_is_over_when_all_that_was_marked_before_is_said() {
    let mut ours = sharing();
    for n in 0..2 * SAY_MAX as i64 {
        ours.online(UserId(n));
    }
    let round = ours.next_round();
    say(&mut ours, true);
    assert!(ours.round < round);
    say(&mut ours, true);
    assert_eq!(ours.round, round);
}

#[test]
fn what_is_marked_while_something_is_being_said_waits_for_the_next_round() {
    let mut ours = sharing();
    ours.online(ANNA);
    let saying = ours.take(|_| true);
    let round = ours.coming(ANNA, CHAT).unwrap();
    ours.settle(&saying, true);
    assert!(ours.round < round);
    say(&mut ours, true);
    assert_eq!(ours.round, round);
}

#[test]
fn a_node_that_stops_says_nothing_more() {
    let mut ours = sharing();
    ours.in_room(ANNA, CHAT, true);
    say(&mut ours, true);
    ours.fade();
    assert!(!ours.in_room(ANNA, CHAT, false));
    assert!(!ours.has_news());
}

#[test]
fn whoever_is_not_settled_when_the_others_are_gone_is_named() {
    let mut ours = sharing();
    ours.in_room(ANNA, CHAT, true);
    say(&mut ours, true);
    ours.in_room(ANNA, CHAT, false);
    assert_eq!(ours.hush(|_| true), [IN_CHAT]);
    assert!(!ours.is_sharing() && !ours.has_news());
}

#[test]
fn a_lease_that_began_anew_counts_with_the_last_who_is_said_again() {
    let mut ours = sharing();
    let many = SAY_MAX as i64 + 1;
    for n in 0..many {
        ours.online(UserId(n));
    }
    let is_all = |ours: &mut Ours| {
        let saying = ours.take(|_| true);
        ours.settle(&saying, true);
        saying.is_all
    };
    assert_eq!([is_all(&mut ours), is_all(&mut ours)], [false, true]);
    ours.online(UserId(0));
    assert!(!is_all(&mut ours), "once in a lease");
    ours.begin_anew();
    assert_eq!([is_all(&mut ours), is_all(&mut ours)], [false, true]);

    ours.begin_anew();
    is_all(&mut ours);
    let saying = ours.take(|_| true);
    ours.settle(&saying, false);
    assert!(is_all(&mut ours), "it could not be said the first time");
}

#[test]
fn that_nobody_is_here_is_said_too() {
    let mut ours = Ours::default();
    ours.begin_anew();
    assert!(!ours.has_news(), "nobody listens");
    ours.share();
    assert!(ours.has_news());
    let saying = ours.take(|_| false);
    assert!(saying.is_all && saying.rows.is_empty() && !saying.is_empty());
    let version = ours.version();
    ours.settle(&saying, true);
    assert!(ours.version() > version, "or nobody would read it");
    assert!(!ours.has_news());
    ours.begin_anew();
    ours.fade();
    assert!(!ours.has_news(), "what it said last stays until its lease ends");
}

#[test]
fn whoever_goes_after_a_word_that_may_have_been_heard_does_not_stay_for_ever() {
    let mut ours = sharing();
    ours.online(ANNA);
    ours.in_room(ANNA, CHAT, true);
    let unheard = ours.take(|_| true);
    assert_eq!(unheard.rows.len(), 2);
    ours.settle(&unheard, false);
    ours.online(ANNA);
    ours.in_room(ANNA, CHAT, false);
    let saying = ours.take(|_| false);
    assert!(saying.rows.contains(&(ONLINE, false)) && saying.rows.contains(&(IN_CHAT, false)));
    assert!(saying.version > unheard.version, "who has read that far would not read this");
    ours.settle(&saying, true);
    ours.online(ANNA);
    assert_eq!(say(&mut ours, false), [], "by now it is known");
}

#[test]
fn whoever_comes_back_after_a_word_that_may_have_been_heard_does_not_stay_away() {
    let mut ours = sharing();
    ours.online(ANNA);
    assert_eq!(say(&mut ours, true), [(ONLINE, true)]);
    ours.online(ANNA);
    let unheard = ours.take(|_| false);
    ours.settle(&unheard, false);
    ours.online(ANNA);
    let saying = ours.take(|_| true);
    assert_eq!(saying.rows, [(ONLINE, true)]);
    assert!(saying.version > unheard.version);
}

#[test]
fn whoever_went_when_the_table_may_or_may_not_have_forgotten_them_is_said_to_be_gone() {
    let mut ours = sharing();
    ours.online(ANNA);
    say(&mut ours, true);
    ours.begin_anew();
    assert_eq!(say(&mut ours, false), [(ONLINE, false)]);
}

#[test]
fn whoever_comes_back_while_their_going_is_being_said_waits_until_they_are_said_again() {
    let mut ours = sharing();
    ours.in_room(ANNA, CHAT, true);
    say(&mut ours, false);
    ours.in_room(ANNA, CHAT, false);
    let going = ours.take(|_| false);
    assert_eq!(going.rows, [(IN_CHAT, false)]);
    let round = ours.coming(ANNA, CHAT).expect("the table is about to have them gone");
    ours.settle(&going, true);
    assert!(ours.round() < round);
    assert_eq!(say(&mut ours, false), [(IN_CHAT, true)]);
    assert_eq!(ours.round(), round);
    assert_eq!(ours.coming(ANNA, CHAT), None);
}
