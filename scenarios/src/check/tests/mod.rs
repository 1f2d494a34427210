//! Lies, and whether they are found and called by their names.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use trialogue_client::{Outcome, Via};
use trialogue_protocol::{ChatId, ClientMessageId, Message};

use super::*;
use crate::record::Entry;

mod errors;
mod rooms;
mod silence;

const CHAT: &str = "0190a0b0-0000-7000-8000-00000000abcd";
const ONCE: Word = Word::Delivery(Delivery::ExactlyOnce);

fn chat() -> ChatId {
    CHAT.parse().unwrap()
}

/// Message `n` of sender `sender`.
fn message(n: i64, sender: i64) -> Message {
    serde_json::from_value(json!({
        "id": format!("0190a0b0-0000-7000-8000-{n:012}"),
        "chatId": CHAT,
        "seq": n,
        "sender_type": "customer",
        "sender_id": sender,
        "sender_name": "A B",
        "message": format!("text {n}"),
        "message_type": "text",
        "created_at": "2026-02-03T04:05:06.789Z",
    }))
    .unwrap()
}

fn key(n: i64) -> ClientMessageId {
    format!("own-{n}").parse().unwrap()
}

/// Adds what somebody saw, a millisecond after the last.
fn see(person: &mut Witnessed<'_>, what: What) {
    let connection = if matches!(what, What::Ready(_)) { 1 } else { 0 };
    let last = person.entries.last().map_or(0, |entry| entry.connection);
    let at = Duration::from_millis(person.entries.len() as u64 + 1);
    let entry = Entry { at, connection: last + connection, taken: false, what };
    person.entries.push(entry);
}

fn event(name: &str, data: serde_json::Value) -> What {
    What::Event { name: name.to_owned(), data }
}

fn live(person: &mut Witnessed<'_>, message: &Message) {
    see(person, event("new_message", json!(message)));
    show(person, message);
}

fn show(person: &mut Witnessed<'_>, message: &Message) {
    see(person, What::Message { message: message.clone(), via: Via::Live });
}

fn history() -> Vec<Message> {
    vec![message(1, 1), message(2, 2), message(3, 1)]
}

fn somebody(name: &'static str, user: i64) -> Witnessed<'static> {
    let mut person = Witnessed {
        actor: ActorId(0),
        name,
        user: Some(UserId(user)),
        fresh: true,
        entries: Vec::new(),
        histories: BTreeMap::from([(chat(), history())]),
        unread: None,
    };
    see(&mut person, What::Ready(json!({})));
    person
}

fn enter(person: &mut Witnessed<'_>) {
    see(person, What::Joined { chat: chat(), again: false, last_seq: 0, members: 2 });
    see(person, What::CaughtUp(chat()));
}

fn send(person: &mut Witnessed<'_>, message: &Message, n: i64) {
    let (chat, text) = (message.chat_id, message.message.clone());
    see(person, What::Sent { chat, id: Some(key(n)), text });
    let outcome = Outcome::Stored { message: message.clone(), duplicate: false };
    see(person, What::Outcome { id: key(n), outcome });
}

/// Two people in a chat whose history is messages 1 to 3 (of users 1, 2, 1); the first sends what
/// is hers and sees all, the second sends his and sees `shown`.
fn recording(shown: &[(i64, i64)]) -> Recording<'static> {
    let mut customer = somebody("customer", 1);
    enter(&mut customer);
    let mut provider = somebody("provider", 2);
    enter(&mut provider);
    for message in history() {
        let author = if message.sender_id == UserId(1) { &mut customer } else { &mut provider };
        send(author, &message, message.seq.unwrap());
        live(&mut customer, &message);
    }
    for (n, sender) in shown {
        live(&mut provider, &message(*n, *sender));
    }
    let member = |user| Member { user: UserId(user), removed: None };
    let members = BTreeMap::from([(chat(), vec![member(1), member(2)])]);
    let mut outside = somebody("outside", 8);
    outside.histories.clear();
    Recording { people: vec![customer, provider, outside], members, expected: Expected::default() }
}

fn check(recording: &Recording<'_>, word: Word, expect: &str) {
    let (judgement, got) = Judged::of(recording).verdict(word);
    let got = match judgement {
        Came::Held => "holds".to_owned(),
        Came::Unknown => format!("unknown: {got}"),
        Came::Broken => got,
        other => panic!("{other:?}"),
    };
    assert_eq!(got, expect, "{word:?}");
}

fn provider<'a, 'b>(recording: &'a mut Recording<'b>) -> &'a mut Witnessed<'b> {
    &mut recording.people[1]
}

const ALL: [(i64, i64); 3] = [(1, 1), (2, 2), (3, 1)];
const WORDS: [Word; 6] = [
    ONCE,
    Word::PerSenderOrder,
    Word::RoomOrder,
    Word::RoomIsolation,
    Word::HistoryEqualsLive,
    Word::NoServerErrors,
];

#[test]
fn the_truth_holds() {
    for word in WORDS {
        check(&recording(&ALL), word, "holds");
    }
    let mut looked = recording(&ALL);
    see(provider(&mut looked), What::Looked { id: message(1, 1).id, stored: true });
    check(&looked, Word::SavedBeforeBroadcast, "holds");
}

#[test]
fn a_lost_message_is_named() {
    let lost = recording(&[(2, 2), (3, 1)]);
    let found = "skipped: seq 1 \"text 1\" never came to provider";
    check(&lost, ONCE, found);
    check(&lost, Word::Delivery(Delivery::AtMostOnce), "holds");
    check(&lost, Word::HistoryEqualsLive, found);
    check(&lost, Word::RoomOrder, "holds");
    let tail = recording(&[(1, 1), (2, 2)]);
    let found = "never-read: seq 3 \"text 3\" never came to provider";
    check(&tail, ONCE, found);
}

#[test]
fn a_duplicate_is_named_on_screen_and_on_the_wire() {
    let mut twice = recording(&ALL);
    show(provider(&mut twice), &message(3, 1));
    check(&twice, ONCE, "duplicate: seq 3 \"text 3\" was shown to provider twice");
    check(&twice, Word::Delivery(Delivery::AtLeastOnce), "holds");
    // A client that drops repeats does not hide that the server sent them.
    let mut wire = recording(&ALL);
    see(provider(&mut wire), event("new_message", json!(message(3, 1))));
    check(&wire, ONCE, "duplicate: seq 3 \"text 3\" came to provider twice");
    // Nor on the next connection, which begins with what the client holds.
    let mut again = recording(&ALL);
    see(provider(&mut again), What::Ready(json!({})));
    see(provider(&mut again), event("new_message", json!(message(3, 1))));
    check(&again, ONCE, "duplicate: seq 3 \"text 3\" came to provider again on a new connection");
}

#[test]
fn a_send_that_is_stored_twice_under_two_ids_is_named() {
    // Everybody is shown both rows, each once; with and without the author's own id in them.
    for own in [None, Some(key(3))] {
        let again =
            Message { message: "text 3".to_owned(), client_message_id: own, ..message(4, 1) };
        let mut twice = recording(&ALL);
        for person in &mut twice.people[..2] {
            live(person, &again);
            person.histories.get_mut(&chat()).unwrap().push(again.clone());
        }
        let (judgement, got) = Judged::of(&twice).verdict(ONCE);
        assert_eq!(judgement, Came::Broken);
        assert!(got.contains("duplicate: seq 4 \"text 3\" is stored 2 times"), "{got}");
    }
}

#[test]
fn a_stored_message_that_is_gone_is_named() {
    let mut lost = recording(&ALL);
    send(&mut lost.people[0], &message(4, 1), 4);
    let (judgement, got) = Judged::of(&lost).verdict(ONCE);
    assert_eq!(judgement, Came::Broken);
    let found = "lost: seq 4 \"text 4\" was acknowledged, and is in no history";
    assert!(got.contains(found), "{got}");
}

#[test]
fn a_changed_text_is_named() {
    let mut changed = recording(&[(1, 1), (2, 2)]);
    let other = Message { message: "text drei".to_owned(), ..message(3, 1) };
    live(provider(&mut changed), &other);
    let found = "mutated: seq 3 \"text 3\" came as \"text drei\" to provider";
    check(&changed, Word::HistoryEqualsLive, found);
    check(&changed, ONCE, found);
}

#[test]
fn a_swap_is_named_per_room_and_per_sender() {
    let room = recording(&[(2, 2), (1, 1), (3, 1)]);
    check(&room, Word::PerSenderOrder, "holds");
    check(&room, Word::RoomOrder, "misordered: seq 1 \"text 1\" came to provider after seq 2");
    let sender = recording(&[(2, 2), (3, 1), (1, 1)]);
    let found = "misordered: seq 1 \"text 1\" came to provider after seq 3";
    check(&sender, Word::PerSenderOrder, found);
}

#[test]
fn a_leak_is_named() {
    let leak = |what: What| {
        let mut leaky = recording(&ALL);
        let mut stranger = somebody("stranger", 9);
        stranger.histories.clear();
        see(&mut stranger, what);
        leaky.people.push(stranger);
        leaky
    };
    let notification = |kind: &str| json!({"notification": {"type": kind, "chatId": CHAT}});
    check(
        &leak(event("new_message", json!(message(1, 1)))),
        Word::RoomIsolation,
        &format!("leak: stranger got new_message of chat {CHAT}, and is not in it"),
    );
    for (name, data) in [
        ("user_typing", json!({"chatId": CHAT})),
        ("chat_updated", json!({"chat": {"id": CHAT}})),
        ("notification:created", notification("message")),
        ("positions", json!({"chats": {CHAT: 3}})),
    ] {
        let found = format!("leak: stranger got {name} of chat {CHAT}, and is not in it");
        check(&leak(event(name, data)), Word::RoomIsolation, &found);
    }
    let invited = leak(event("notification:created", notification("dispute")));
    check(&invited, Word::RoomIsolation, "holds");
    let mut let_in = recording(&ALL);
    let mut stranger = somebody("stranger", 9);
    enter(&mut stranger);
    let_in.people.push(stranger);
    let found = format!("leak: stranger could read chat {CHAT}, and is not in it (3 cases)");
    check(&let_in, Word::RoomIsolation, &found);
    let_in.people[3].histories.clear();
    let found = format!("leak: stranger was let into chat {CHAT}, and does not belong to it");
    check(&let_in, Word::RoomIsolation, &found);
}

#[test]
fn what_comes_to_somebody_who_was_put_out_is_a_leak() {
    let mut late = recording(&ALL);
    let mut lsm = somebody("lsm", 3);
    enter(&mut lsm);
    live(&mut lsm, &message(1, 1));
    lsm.histories.clear();
    late.people.push(lsm);
    // It was known to be out before the second message was tried.
    let out = Member { user: UserId(3), removed: Some(Duration::from_millis(4)) };
    late.members.get_mut(&chat()).unwrap().push(out);
    late.people[0].entries.iter_mut().for_each(|entry| entry.at += Duration::from_millis(10));
    for entry in &mut late.people[0].entries {
        if matches!(&entry.what, What::Sent { text, .. } if text == "text 1") {
            entry.at = Duration::from_millis(3);
        }
    }
    late.people[1].entries.iter_mut().for_each(|entry| entry.at += Duration::from_millis(10));
    check(&late, Word::RoomIsolation, "holds");
    live(&mut late.people[3], &message(3, 1));
    let (judgement, got) = Judged::of(&late).verdict(Word::RoomIsolation);
    assert_eq!(judgement, Came::Broken);
    assert!(got.starts_with("leak: lsm got seq 3 \"text 3\", sent after lsm was out"), "{got}");
}

#[test]
fn what_a_client_had_to_fetch_was_not_pushed() {
    let mut healed = recording(&[]);
    let person = provider(&mut healed);
    live(person, &message(1, 1));
    see(person, event("new_message", json!(message(3, 1))));
    see(person, What::Message { message: message(2, 2), via: Via::CatchUp });
    show(person, &message(3, 1));
    let found =
        "not pushed: seq 2 \"text 2\" never came to provider as new_message, though later ones did";
    check(&healed, ONCE, found);
    check(&healed, Word::Delivery(Delivery::AtMostOnce), "holds");
    // While it was away nothing was pushed to it, and nothing was owed.
    let mut away = recording(&[(1, 1)]);
    let person = provider(&mut away);
    see(person, What::Ready(json!({})));
    see(person, What::Joined { chat: chat(), again: true, last_seq: 2, members: 2 });
    see(person, What::Message { message: message(2, 2), via: Via::CatchUp });
    see(person, What::CaughtUp(chat()));
    live(person, &message(3, 1));
    check(&away, ONCE, "holds");
}

#[test]
fn two_people_who_see_another_order_are_named_though_their_numbers_rise() {
    let mut other = recording(&[(1, 1)]);
    let person = provider(&mut other);
    live(person, &Message { seq: Some(2), ..message(3, 1) });
    live(person, &Message { seq: Some(3), ..message(2, 2) });
    let (judgement, got) = Judged::of(&other).verdict(Word::RoomOrder);
    assert_eq!(judgement, Came::Broken);
    let found = "misordered: seq 3 \"text 2\" came to provider after what stands at 3, \
                 and stands at 2 itself";
    assert!(got.contains(found), "{got}");
}

#[test]
fn something_that_nobody_sent_is_named() {
    let mut phantom = recording(&ALL);
    live(provider(&mut phantom), &message(4, 1));
    let (judgement, got) = Judged::of(&phantom).verdict(ONCE);
    assert_eq!(judgement, Came::Broken);
    assert!(got.contains("phantom: nobody sent seq 4 \"text 4\""), "{got}");
    // Of an account that others may use too it is nothing odd.
    let mut elsewhere = recording(&ALL);
    elsewhere.people[0].fresh = false;
    let other = message(4, 1);
    for person in &mut elsewhere.people[..2] {
        live(person, &other);
        person.histories.get_mut(&chat()).unwrap().push(other.clone());
    }
    check(&elsewhere, ONCE, "holds");
}

#[test]
fn a_broadcast_before_it_is_stored_is_named() {
    let mut early = recording(&ALL);
    see(provider(&mut early), What::Looked { id: message(1, 1).id, stored: false });
    let (judgement, got) = Judged::of(&early).verdict(Word::SavedBeforeBroadcast);
    assert_eq!(judgement, Came::Broken);
    let found =
        "broadcast before persist: provider saw seq 1 \"text 1\" before it was in the history";
    assert!(got.starts_with(found), "{got}");
}
