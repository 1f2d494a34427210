//! Lies, and whether they are found and called by their names.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;
use trialogue_client::Via;
use trialogue_protocol::{ChatId, Message};

use super::*;
use crate::record::Entry;

const CHAT: &str = "0190a0b0-0000-7000-8000-00000000abcd";

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

fn entry(connection: u32, what: What) -> Entry {
    Entry { at: Duration::ZERO, connection, taken: false, what }
}

/// Somebody in the chat whose history is messages 1 to 3 (of senders 1, 2, 1) and who was shown
/// `shown`, each also as an event on connection 1.
fn person(shown: &[(i64, i64)]) -> Witnessed<'static> {
    let history = vec![message(1, 1), message(2, 2), message(3, 1)];
    let mut entries = Vec::new();
    for (n, sender) in shown {
        let message = message(*n, *sender);
        let data = json!(message);
        entries.push(entry(1, What::Event { name: "new_message".to_owned(), data }));
        entries.push(entry(1, What::Message { message, via: Via::Live }));
    }
    Witnessed {
        actor: ActorId(0),
        name: "customer",
        entries,
        histories: BTreeMap::from([(chat(), history)]),
        fresh: Some(trialogue_protocol::UserId(1)),
        unread: None,
    }
}

fn check(verdict: Result<(), String>, expect: &str) {
    let got = verdict.err().unwrap_or_else(|| "holds".to_owned());
    assert_eq!(got, expect);
}

const ALL: [(i64, i64); 3] = [(1, 1), (2, 2), (3, 1)];

#[test]
fn the_truth_holds() {
    let all = [person(&ALL)];
    check(delivery(Delivery::ExactlyOnce, &all), "holds");
    check(order(&all, true), "holds");
    check(order(&all, false), "holds");
    check(history_equals_live(&all), "holds");
    check(no_server_errors(&all), "holds");
    let members = BTreeMap::from([(chat(), BTreeSet::from([ActorId(0)]))]);
    check(isolation(&all, &members), "holds");
}

#[test]
fn a_lost_message_is_named() {
    let all = [person(&[(1, 1), (3, 1)])];
    check(delivery(Delivery::ExactlyOnce, &all), "customer was shown seq 2 \"text 2\" 0 times");
    check(delivery(Delivery::AtMostOnce, &all), "holds");
    check(
        history_equals_live(&all),
        "customer was shown seq 3 \"text 3\" where the history has seq 2 \"text 2\"",
    );
    let tail = [person(&[(1, 1), (2, 2)])];
    check(
        history_equals_live(&tail),
        "customer was shown nothing where the history has seq 3 \"text 3\"",
    );
}

#[test]
fn a_duplicate_is_named_on_screen_and_on_the_wire() {
    let all = [person(&[(1, 1), (2, 2), (2, 2), (3, 1)])];
    check(delivery(Delivery::ExactlyOnce, &all), "customer was shown seq 2 \"text 2\" 2 times");
    check(delivery(Delivery::AtLeastOnce, &all), "holds");
    check(order(&all, false), "customer was shown seq 2 \"text 2\" after seq 2 \"text 2\"");
    // A client that drops repeats does not hide that the server sent them.
    let mut wire = person(&ALL);
    let data = json!(message(2, 2));
    wire.entries.push(entry(1, What::Event { name: "new_message".to_owned(), data }));
    check(
        delivery(Delivery::ExactlyOnce, &[wire]),
        "customer got new_message 0190a0b0-0000-7000-8000-000000000002 2 times on one connection",
    );
    // On the next connection it may come again: the client has not said yet what it holds.
    let mut again = person(&ALL);
    let data = json!(message(3, 1));
    again.entries.push(entry(2, What::Event { name: "new_message".to_owned(), data }));
    check(delivery(Delivery::ExactlyOnce, &[again]), "holds");
}

#[test]
fn a_send_that_is_stored_twice_under_two_ids_is_named() {
    let of = |n: i64| Handed {
        actor: ActorId(0),
        chat: chat(),
        id: format!("own-{n}").parse().ok(),
        text: format!("text {n}"),
    };
    let judge = |promise, person: Witnessed<'_>, sent: &[i64]| {
        let handed: Vec<Handed> = sent.iter().copied().map(of).collect();
        stored(promise, &[person], &handed)
    };
    let once = Delivery::ExactlyOnce;
    check(judge(once, person(&ALL), &[1, 3]), "holds");
    let lost = "customer sent \"text 4\", which is not stored";
    check(judge(once, person(&ALL), &[1, 3, 4]), lost);
    check(judge(Delivery::AtMostOnce, person(&ALL), &[1, 3, 4]), "holds");
    // Everybody is shown both rows, each once; with and without the author's own id in them.
    for own in [None, of(3).id] {
        let again = Message { message: "text 3".to_owned(), ..message(4, 1) };
        let mut twice = person(&ALL);
        let history = twice.histories.get_mut(&chat()).unwrap();
        history[2].client_message_id.clone_from(&own);
        history.push(Message { client_message_id: own, ..again });
        let found = stored(once, &[twice], &[of(1), of(3)]);
        check(found, "seq 4 \"text 3\" is stored, and no send of customer is left for it");
    }
}

#[test]
fn a_swap_is_named_per_room_and_per_sender() {
    let all = [person(&[(2, 2), (1, 1), (3, 1)])];
    check(order(&all, false), "customer was shown seq 1 \"text 1\" after seq 2 \"text 2\"");
    check(order(&all, true), "holds");
    let same = [person(&[(3, 1), (1, 1)])];
    check(order(&same, true), "customer was shown seq 1 \"text 1\" after seq 3 \"text 3\"");
}

#[test]
fn a_leak_is_named() {
    let members = BTreeMap::from([(chat(), BTreeSet::from([ActorId(1)]))]);
    let leak = format!("customer is not in {CHAT} and got new_message");
    check(isolation(&[person(&ALL)], &members), &leak);
    let notification = |kind: &str| json!({"notification": {"type": kind, "chatId": CHAT}});
    for (event, data) in [
        ("chat_updated", json!({"chat": {"id": CHAT}})),
        ("notification:created", notification("message")),
        ("positions", json!({"chats": {CHAT: 3}})),
    ] {
        let mut person = person(&[]);
        person.entries.push(entry(1, What::Event { name: event.to_owned(), data }));
        let leak = format!("customer is not in {CHAT} and got {event}");
        check(isolation(&[person], &members), &leak);
    }
    let mut invited = person(&[]);
    let (name, data) = ("notification:created".to_owned(), notification("dispute"));
    invited.entries.push(entry(1, What::Event { name, data }));
    let unknown = "unknown: there was not an event of a room to judge by";
    check(isolation(&[invited], &members), unknown);
}

#[test]
fn something_that_nobody_stored_is_named() {
    let mut person = person(&ALL);
    person.entries.push(entry(1, What::Message { message: message(4, 2), via: Via::Live }));
    check(
        history_equals_live(&[person]),
        "customer was shown seq 4 \"text 4\", which the history lacks",
    );
}

#[test]
fn silence_is_no_proof() {
    let mut nobody = person(&[]);
    nobody.histories.clear();
    let all = [nobody];
    let unknown = |what: &str| format!("unknown: there was not {what} to judge by");
    check(delivery(Delivery::ExactlyOnce, &all), &unknown("a message that a member should have"));
    check(order(&all, true), &unknown("a message that was shown"));
    check(history_equals_live(&all), &unknown("a message in a history"));
    check(isolation(&all, &BTreeMap::new()), &unknown("an event of a room"));
    let mut locked_out = person(&ALL);
    locked_out.unread = Some("denied".to_owned());
    let all = [locked_out];
    check(history_equals_live(&all), "unknown: customer cannot read a history: denied");
    check(delivery(Delivery::ExactlyOnce, &all), "unknown: customer cannot read a history: denied");
}

#[test]
fn an_error_that_no_step_expected_is_named() {
    let mut person = person(&ALL);
    let data = json!({"code": "internal"});
    person.entries.push(entry(1, What::Event { name: "error".to_owned(), data }));
    check(
        no_server_errors(&[person]),
        "customer saw   0.000s  event error {\"code\":\"internal\"}",
    );
}
