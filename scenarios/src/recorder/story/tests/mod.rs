//! Stories as they come over the wire, and the files that they make.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::file::{read, tidy};
use crate::source::Source;

mod order;

const CHAT: &str = "0190a0b0-0000-7000-8000-00000000abcd";
const MESSAGE: &str = "0190a0b0-0000-7000-8000-000000000001";

fn call(story: &mut Story, what: &str, bearer: &str, body: Value, status: u16, answer: &Value) {
    let (method, path) = what.split_once(' ').unwrap();
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let bearer = (!bearer.is_empty()).then_some(bearer);
    let json = (!body.is_null()).then_some(body);
    if let Some(ticket) = story.called(&Call { method, path, query, bearer, json }) {
        story.answered(&ticket, status, Some(answer));
    }
}

fn log_in(story: &mut Story, id: i64, role: &str) {
    let body = json!({"email": "a@example.test", "password": format!("hunter2-{role}")});
    let user = json!({"id": id, "role": role, "email": "a@example.test"});
    let tokens = (format!("access-{id}"), format!("refresh-{id}"));
    let answer = json!({"user": user, "accessToken": tokens.0, "refreshToken": tokens.1});
    call(story, "POST /auth/login", "", body, 200, &answer);
}

fn connect(story: &mut Story, id: i64) {
    story.connecting(id.unsigned_abs(), Some(&format!("access-{id}")));
    story.granted(id.unsigned_abs());
    story.heard(id.unsigned_abs(), "connected", &[json!({"userId": id})], false);
}

/// A customer, 1, has booked the provider, 2, and both are connected.
fn booked() -> Story {
    let mut story = Story::new(Accounts::Fresh);
    log_in(&mut story, 1, "customer");
    let answer = json!({"jobId": 5, "chatId": CHAT, "job": {"id": 5}, "chat": {"id": CHAT}});
    let body = json!({"providerId": 2, "title": "Fix the sink"});
    call(&mut story, "POST /jobs/create", "access-1", body, 201, &answer);
    log_in(&mut story, 2, "service_provider");
    connect(&mut story, 1);
    connect(&mut story, 2);
    story
}

/// The lines of its steps; what is written is what the reader reads and the formatter leaves.
fn steps(story: &Story) -> Vec<String> {
    let text = story.file("t").unwrap();
    let source = Source::new("t", text.as_str());
    read(&source).unwrap_or_else(|wrong| panic!("{wrong}\n{text}"));
    assert_eq!(tidy(&source).unwrap(), text);
    assert!(!text.contains("hunter2") && !text.contains("access-"), "{text}");
    text.lines().filter_map(|line| line.strip_prefix("  - ")).map(ToOwned::to_owned).collect()
}

#[track_caller]
fn assert_ends(story: &Story, expect: &[&str]) {
    let steps = steps(story);
    assert_eq!(steps[steps.len().saturating_sub(expect.len())..], *expect, "{steps:#?}");
}

#[test]
fn whoever_is_spoken_of_has_logged_in_before() {
    let expect = [
        "{ as: customer, login: true }",
        "{ as: provider, login: true }",
        "{ as: customer, do: book, with: { provider: provider, title: Fix the sink } }",
        "{ as: customer, connect: true }",
        "{ as: provider, connect: true }",
    ];
    assert_eq!(steps(&booked()), expect);
}

#[test]
fn whatever_stands_under_the_name_of_a_secret_is_the_environments() {
    let mut story = booked();
    let body = json!({
        "oldPassword": "abc", "newPassword": 998_877, "pushToken": ["arr-a"], "note": "abc",
        "credentials": {"value": "nested", "isNew": true},
    });
    let answer = json!({"oldPassword": "abc", "isValidToken": true});
    let what = "POST /reset/sec-path-token-1?token=xy&page=2";
    call(&mut story, what, "access-1", body, 200, &answer);
    let steps = steps(&story);
    let last = steps.last().unwrap();
    for secret in ["oldPassword: abc", "998877", "arr-a", "nested", "sec-path", "xy"] {
        assert!(!last.contains(secret), "{secret} is in {last}");
    }
    for shown in ["note: abc", "isNew: true", "page: \"2\"", "token: \"${env.TOKEN_"] {
        assert!(last.contains(shown), "no {shown} in {last}");
    }
}

#[test]
fn ids_become_names_and_events_asserts() {
    let mut story = booked();
    story.emitted(1, "join_chat", &[json!({"chatId": CHAT})], (None, false));
    story.heard(1, "joined_chat", &[json!({"chatId": CHAT, "epoch": "0c9d2d8cfd377e33"})], false);
    let said = json!({"chatId": CHAT, "message": "It costs ${chat}: hunter2-customer"});
    story.emitted(1, "send_message", &[said], (Some(7), false));
    let message = json!({"id": MESSAGE, "chatId": CHAT, "seq": 1, "sender_id": 1});
    story.acked(1, 7, &json!({"ok": true, "status": "stored", "message": message}));
    story.heard(1, "new_message", std::slice::from_ref(&message), false);
    story.emitted(2, "mark_read", &[json!({"chatId": CHAT, "seq": 1})], (None, false));
    let told = json!({"notification": {"id": MESSAGE, "type": "message", "chatId": CHAT, "x": 1}});
    story.heard(2, "notification:created", &[told], false);
    call(&mut story, "GET /jobs/5?limit=3", "access-2", Value::Null, 200, &json!({"jobId": 5}));
    assert_ends(
        &story,
        &[
            "{ as: customer, join: \"${chat}\" }",
            "{ id: m1, as: customer, send: { chat: \"${chat}\", \
             text: \"It costs $${chat}: ${env.PASSWORD_1}\" } }",
            "{ delivered: { message: m1, to: [customer] } }",
            "{ as: provider, emit: mark_read, data: { chatId: \"${chat}\", seq: \"${m1.seq}\" }, \
             ack: false }",
            "{ as: provider, receive: \"notification:created\", \
             where: { notification: { chatId: \"${chat}\", type: message } } }",
            "{ as: provider, get: { path: \"/jobs/${job}\", query: { limit: \"3\" } }, \
             expect: { json: { jobId: \"${job}\" }, status: 200 } }",
        ],
    );
    assert!(story.file("t").unwrap().contains("# needs in its environment: PASSWORD_1\n"));
}

#[test]
fn an_event_that_overtakes_its_cause_is_waited_for_after_it() {
    let mut story = booked();
    let typing = json!({"chatId": CHAT, "isTyping": true});
    story.emitted(1, "typing", &[typing], (Some(1), false));
    let told = json!({"chatId": CHAT, "userId": 1, "isTyping": true});
    story.heard(2, "user_typing", &[told], false);
    story.acked(1, 1, &json!({"ok": true}));
    assert_ends(
        &story,
        &[
            "{ as: customer, emit: typing, data: { chatId: \"${chat}\", isTyping: true }, \
             expect: { ack: { ok: true } } }",
            "{ as: provider, receive: user_typing, where: { chatId: \"${chat}\", isTyping: true, \
             userId: \"${customer.userId}\" } }",
        ],
    );
}

#[test]
fn a_state_between_two_changes_that_another_run_may_not_show_is_left_out() {
    // Whether the LSM enters before anybody was told of the dispute.
    let told = |at_once: bool| {
        let mut story = booked();
        log_in(&mut story, 3, "local_service_manager");
        let show = |story: &mut Story, joined: bool| {
            let chat = json!({"id": CHAT, "lsmInvited": true, "lsmJoined": joined});
            story.heard(1, "chat_updated", &[json!({"chat": chat})], false);
        };
        let body = json!({"chatId": CHAT, "description": "price"});
        let answer = json!({"disputeId": 9, "dispute": {"id": 9, "chatId": CHAT}});
        call(&mut story, "POST /disputes", "access-1", body, 201, &answer);
        if !at_once {
            show(&mut story, false);
        }
        call(&mut story, "POST /disputes/9/join", "access-3", json!({}), 200, &answer);
        if at_once {
            show(&mut story, false);
        }
        show(&mut story, true);
        let lines = steps(&story);
        let joined = |flag: &str| lines.iter().any(|line| line.contains(flag));
        assert!(joined("lsmJoined: true"), "what it came to: {lines:#?}");
        (joined("lsmJoined: false"), lines)
    };
    let (one_by_one, at_once) = (told(false), told(true));
    assert!(one_by_one.0 && !at_once.0, "{one_by_one:#?}\n{at_once:#?}");
}

#[test]
fn what_is_said_in_a_room_comes_after_everybody_who_was_told_has_entered() {
    let mut story = booked();
    // A booking of other people whose answer comes last: what is told meanwhile may be of it.
    let body = json!({"providerId": 2, "title": "Paint the wall"});
    let slow = Call {
        method: "POST",
        path: "/jobs/create",
        query: "",
        bearer: Some("access-1"),
        json: Some(body),
    };
    let slow = story.called(&slow).unwrap();
    let job = json!({"notification": {"type": "job", "chatId": CHAT, "jobId": 5}});
    story.heard(2, "notification:created", &[job], false);
    for socket in [1, 2] {
        story.emitted(socket, "join_chat", &[json!({"chatId": CHAT})], (Some(0), false));
        story.acked(socket, 0, &json!({"ok": true, "chatId": CHAT}));
    }
    let said = json!({"chatId": CHAT, "message": "hi", "clientMessageId": MESSAGE});
    story.emitted(1, "send_message", &[said], (Some(1), false));
    let message = json!({"id": MESSAGE, "chatId": CHAT, "seq": 1, "sender_id": 1, "message": "hi"});
    story.acked(1, 1, &json!({"ok": true, "message": message}));
    story.heard(2, "new_message", &[message], false);
    let typing = json!({"chatId": CHAT, "isTyping": true, "userId": 1});
    story.emitted(1, "typing", &[json!({"chatId": CHAT, "isTyping": true})], (Some(2), false));
    story.acked(1, 2, &json!({"ok": true}));
    story.heard(2, "user_typing", &[typing], false);
    story.left(2, Ender::Client);
    let answer = json!({"jobId": 6, "chatId": "other", "job": {"id": 6}, "chat": {"id": "other"}});
    story.answered(&slow, 201, Some(&answer));
    let lines = steps(&story);
    let at = |words: &str| lines.iter().position(|line| line.contains(words)).unwrap();
    let entered = at("as: provider, join: ");
    assert!(entered < at("send: {") && entered < at("emit: typing"), "{lines:#?}");
    assert_eq!(
        at("as: provider, disconnect"),
        lines.len() - 1,
        "who leaves leaves last: {lines:#?}"
    );
}

#[test]
fn what_is_typed_again_is_told_as_often_as_it_is_played_whoever_acts_meanwhile() {
    let mut story = booked();
    let types = |story: &mut Story, typing: bool, id: u64| {
        let data = json!({"chatId": CHAT, "isTyping": typing});
        story.emitted(1, "typing", &[data], (Some(id), false));
    };
    let told = |story: &mut Story, typing: bool| {
        let data = json!({"userId": 1, "chatId": CHAT, "isTyping": typing});
        story.heard(2, "user_typing", &[data], false);
    };
    // Others act between what was typed, and what is told comes late.
    for id in 0..3 {
        types(&mut story, true, id);
        story.acked(1, id, &json!({"ok": true}));
        call(&mut story, "GET /profile", "access-2", Value::Null, 200, &json!({}));
        told(&mut story, true);
    }
    types(&mut story, false, 3);
    told(&mut story, true);
    told(&mut story, false);
    types(&mut story, true, 4);
    told(&mut story, true);
    let lines = steps(&story);
    let count = |words: [&str; 2]| {
        lines.iter().filter(|line| words.iter().all(|word| line.contains(word))).count()
    };
    for (typing, times) in [("isTyping: true", 2), ("isTyping: false", 1)] {
        assert_eq!(count(["emit: typing", typing]), times, "{lines:#?}");
        assert_eq!(count(["receive: user_typing", typing]), times, "{lines:#?}");
    }
}

#[test]
fn a_refusal_is_expected_and_one_of_the_moment_is_not() {
    let mut story = booked();
    let said = json!({"chatId": CHAT, "message": "let me in"});
    story.emitted(2, "send_message", std::slice::from_ref(&said), (Some(1), false));
    story.acked(2, 1, &json!({"ok": false, "error": {"code": "denied"}}));
    story.emitted(2, "send_message", &[said], (None, false));
    story.heard(2, "error", &[json!({"code": "rate_limited", "event": "send_message"})], false);
    assert_ends(
        &story,
        &[
            "{ as: provider, emit: send_message, data: { chatId: \"${chat}\", message: let me in }, \
           expect: { error: { code: denied } } }",
        ],
    );
    assert_eq!(story.left_out(), [("refusals that another time would not meet", 1)]);
}

#[test]
fn a_line_that_broke_is_no_step_and_one_that_was_ended_is() {
    let mut story = booked();
    let before = steps(&story);
    story.left(1, Ender::Line);
    story.away();
    connect(&mut story, 1);
    let told = json!({"chatId": CHAT, "userId": 1});
    story.heard(2, "user_joined", &[told], false);
    assert_eq!(steps(&story), before);
    assert!(story.file("t").unwrap().contains("  # here the server was away"));
    story.left(1, Ender::Client);
    connect(&mut story, 1);
    assert_ends(&story, &["{ as: customer, disconnect: true }", "{ as: customer, connect: true }"]);
}

#[test]
fn a_second_connection_is_another_device_and_an_unknown_event_does_no_harm() {
    let mut story = booked();
    story.connecting(9, Some("access-1"));
    story.granted(9);
    story.emitted(9, "odd: {x}", &[json!(["a", {"is": 1}, 1.5, null])], (None, false));
    story.emitted(9, "two", &[json!(1), json!(2)], (Some(1), false));
    story.emitted(9, "file", &[json!({"_placeholder": true})], (None, true));
    story.acked(9, 77, &json!({"ok": true}));
    story.heard(9, "news", &[json!({"is": 1, "by": 4, "fine": true, "at": "2026-01-01"})], false);
    story.heard(10, "nobody", &[], false);
    assert_ends(
        &story,
        &[
            "{ as: customer_2, login: true }",
            "{ as: customer_2, connect: true }",
            "{ as: customer_2, emit: \"odd: {x}\", data: [a, { is: 1 }, 1.5, null], ack: false }",
            "{ as: customer_2, receive: news, where: { fine: true } }",
        ],
    );
    let text = story.file("t").unwrap();
    assert!(text.contains("  customer_2: { device_of: customer }\n"), "{text}");
    assert!(text.starts_with("# left out: events with several, binary"), "{text}");
}

#[test]
fn a_message_that_is_sent_again_is_one_message() {
    let mut story = booked();
    let said = json!({"chatId": CHAT, "message": "hi", "clientMessageId": "own-1"});
    story.emitted(1, "send_message", std::slice::from_ref(&said), (Some(1), false));
    story.left(1, Ender::Line);
    connect(&mut story, 1);
    story.emitted(1, "send_message", std::slice::from_ref(&said), (Some(1), false));
    let message = json!({"id": MESSAGE, "chatId": CHAT, "seq": 1, "clientMessageId": "own-1"});
    let answer = json!({"ok": true, "status": "duplicate", "message": message});
    story.acked(1, 1, &answer);
    story.emitted(1, "send_message", &[said], (Some(2), false));
    story.acked(1, 2, &answer);
    let sent = "{ id: m1, as: customer, send: { chat: \"${chat}\", text: hi } }";
    let steps = steps(&story);
    assert_eq!(steps.iter().filter(|step| *step == sent).count(), 1, "{steps:#?}");
    let again = "clientMessageId: \"${m1.clientMessageId}\", message: hi }, expect: { ack: {";
    assert!(steps.last().unwrap().contains(again), "{steps:#?}");
}

/// Anything that might be in a document.
fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        any::<String>(),
        Just(CHAT.to_owned()),
        Just("hunter2-customer".to_owned()),
        Just("${chat} $${x} ${".to_owned()),
        "[ -~]{0,12}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    let key = prop_oneof![Just("chatId".to_owned()), Just("is".to_owned()), text];
    leaf.prop_recursive(3, 12, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(key.clone(), inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_is_said_is_a_file_without_secrets(
        data in proptest::collection::vec((any_json(), any::<String>(), any::<u8>()), 1..6),
    ) {
        let mut story = booked();
        for (n, (data, name, kind)) in data.into_iter().enumerate() {
            let ack = (kind % 2 == 0).then_some(n as u64);
            match kind % 5 {
                0 | 1 => story.emitted(1, &name, std::slice::from_ref(&data), (ack, false)),
                2 => story.heard(2, &name, std::slice::from_ref(&data), false),
                3 => {
                    let said = json!({"chatId": CHAT, "message": name, "data": data.clone()});
                    story.emitted(1, "send_message", &[said], (ack, false));
                }
                _ => call(&mut story, "PUT /a/b", "access-1", data.clone(), 200, &data),
            }
            story.acked(1, n as u64, &data);
        }
        steps(&story);
    }
}
