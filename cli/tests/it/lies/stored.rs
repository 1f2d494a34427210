//! What can be wrong with what is stored, said to be stored, and read.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::hub::{CUSTOMER, Passing};
use super::{Bug, Lie, answered, emitted, pushed};

/// How long after it was seen a message may be missing in the history.
const SLOW: Duration = Duration::from_millis(300);

/// Changes the messages of every history that is read.
fn histories(mut lie: impl FnMut(&mut Vec<Value>) + Send + 'static) -> Lie {
    answered(move |answer| {
        if answer.path.contains("/messages")
            && let Some(messages) = answer.json["messages"].as_array_mut()
        {
            lie(messages);
        }
    })
}

/// Renumbers everything that the server says, everywhere, and back in what clients ask.
fn numbers(number: fn(i64) -> i64, back: fn(i64) -> i64) -> Lie {
    Box::new(move |passing, _| match passing {
        Passing::Pushed(frame) => renumber(&mut frame.data, number),
        Passing::Answered(answer) => renumber(&mut answer.json, number),
        Passing::Emitted(frame) => renumber(&mut frame.data, back),
        Passing::Asked(path) => {
            let Some((begin, rest)) = path.split_once("afterSeq=") else { return };
            let (seq, rest) = rest.split_once('&').unwrap_or((rest, ""));
            let seq = back(seq.parse().unwrap());
            *path = format!("{begin}afterSeq={seq}&{rest}");
        }
    })
}

fn renumber(value: &mut Value, number: fn(i64) -> i64) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(|one| renumber(one, number)),
        Value::Object(all) => {
            for (name, value) in all {
                match value.as_i64() {
                    Some(seq) if name == "seq" || name.ends_with("Seq") => {
                        *value = json!(number(seq));
                    }
                    _ => renumber(value, number),
                }
            }
        }
        _ => {}
    }
}

pub(super) const BUGS: &[Bug] = &[
    Bug {
        what: "a message is seen before it is stored",
        scenario: "booking",
        lie: || {
            let mut seen: Vec<(Value, Instant)> = Vec::new();
            Box::new(move |passing, _| match passing {
                Passing::Pushed(frame)
                    if frame.name == "new_message"
                        && seen.iter().all(|(id, _)| *id != frame.data["id"]) =>
                {
                    seen.push((frame.data["id"].clone(), Instant::now()));
                }
                Passing::Answered(answer) if answer.path.contains("/messages") => {
                    if let Some(messages) = answer.json["messages"].as_array_mut() {
                        let new = |id: &Value| {
                            seen.iter().any(|(seen, at)| seen == id && at.elapsed() < SLOW)
                        };
                        messages.retain(|message| !new(&message["id"]));
                    }
                }
                _ => {}
            })
        },
        found: &["saved_before_broadcast", "history_equals_live"],
        says: &["broadcast before persist: customer saw seq 2", "before it was in the history"],
    },
    Bug {
        what: "a message is acknowledged and not stored",
        scenario: "booking",
        lie: || {
            let mut done = false;
            emitted(move |frame, out| {
                if done || !frame.is(CUSTOMER, "send_message") {
                    return;
                }
                (done, frame.dropped) = (true, true);
                let message = json!({
                    "id": "0190a0b0-0000-7000-8000-00000000dead", "chatId": frame.data["chatId"],
                    "seq": 1, "sender_type": "customer", "sender_id": frame.user,
                    "sender_name": "A B", "message": frame.data["message"], "message_type": "text",
                    "clientMessageId": frame.data["clientMessageId"],
                    "created_at": "2026-02-03T04:05:06.789Z",
                });
                out.ack(frame, &json!({"ok": true, "status": "stored", "message": message}));
            })
        },
        found: &["m1_seen", "delivery"],
        says: &[
            "provider does not have it",
            "lost: seq 1",
            "was acknowledged, and is in no history",
        ],
    },
    Bug {
        what: "a message is refused that is allowed",
        scenario: "booking",
        lie: || {
            emitted(move |frame, out| {
                if frame.is(CUSTOMER, "send_message") {
                    frame.dropped = true;
                    let error = json!({"code": "denied", "message": "no", "retryable": false});
                    out.ack(frame, &json!({"ok": false, "error": error}));
                }
            })
        },
        found: &["m1"],
        says: &["expected  no refusal", "denied"],
    },
    Bug {
        what: "a message is said to be refused and is stored",
        scenario: "idempotent-retry",
        lie: || {
            pushed(move |frame, _| {
                if frame.is(CUSTOMER, "ack send_message") {
                    let error = json!({"code": "denied", "message": "no", "retryable": false});
                    frame.data = json!({"ok": false, "error": error});
                }
            })
        },
        found: &["customer -> send_message", "delivery"],
        says: &["denied", "aborted read: seq 1", "was refused, and still it is there"],
    },
    Bug {
        what: "a message is never acknowledged",
        scenario: "idempotent-retry",
        lie: || pushed(move |frame, _| frame.dropped = frame.is(CUSTOMER, "ack send_message")),
        found: &["customer -> send_message"],
        says: &["customer: no answer in time to `send_message`"],
    },
    Bug {
        what: "a repeated message is stored again",
        scenario: "idempotent-retry",
        lie: || {
            let mut count = 0;
            emitted(move |frame, _| {
                if frame.is(CUSTOMER, "send_message") {
                    count += 1;
                    if count == 2 {
                        frame.data["clientMessageId"] = json!("retry-2");
                    }
                }
            })
        },
        found: &["customer -> send_message", "delivery"],
        says: &["duplicate: seq 2 \"pay me\" is stored 2 times"],
    },
    Bug {
        what: "the numbers of a chat have a hole",
        scenario: "booking",
        lie: || {
            let up = |seq| if seq >= 2 { seq + 1 } else { seq };
            numbers(up, |seq| if seq >= 2 { seq - 1 } else { seq })
        },
        found: &["room_order", "no_server_errors"],
        says: &["hole: no message has seq 2", "messages 2 to 2 of "],
    },
    Bug {
        what: "two messages have one number",
        scenario: "booking",
        lie: || numbers(|seq| if seq >= 2 { seq - 1 } else { seq }, |seq| seq),
        found: &[
            "customer, provider <- m2",
            "delivery",
            "room_order",
            "saved_before_broadcast",
            "history_equals_live",
        ],
        says: &["counter: seq 1 ", "two messages have this seq"],
    },
    Bug {
        what: "the history is in another order",
        scenario: "booking",
        lie: || histories(|messages| messages.reverse()),
        found: &["provider GET history", "room_order"],
        says: &["seq 1 \"Hello, can you come today?\" stands after seq 2 in a history"],
    },
    Bug {
        what: "the history lacks a message",
        scenario: "burst",
        lie: || histories(|messages| drop((messages.len() > 100).then(|| messages.remove(70)))),
        found: &["delivery"],
        says: &["lost: seq 71", "was acknowledged, and is in no history"],
    },
    Bug {
        what: "the history has a message twice",
        scenario: "burst",
        lie: || {
            histories(|messages| {
                if messages.len() > 100 {
                    messages.insert(71, messages[70].clone());
                }
            })
        },
        found: &["delivery"],
        says: &["duplicate: seq 71", "stands twice in a history that customer read"],
    },
    Bug {
        what: "the history at the end is in another order",
        scenario: "burst",
        lie: || histories(|messages| messages.reverse()),
        found: &["room_order", "per_sender_order"],
        says: &["misordered: seq ", "in a history that customer read"],
    },
    Bug {
        what: "what was missed is not in the catch-up",
        scenario: "two-devices",
        lie: || {
            pushed(|frame, _| {
                if frame.name == "ack join_chat" && frame.asked["sinceSeq"].as_i64() > Some(0) {
                    (frame.data["messages"], frame.data["hasMore"]) = (json!([]), json!(false));
                    frame.data["lastSeq"] = frame.asked["sinceSeq"].clone();
                }
            })
        },
        found: &["phone <- m3", "delivery", "history_equals_live"],
        says: &["phone does not have it"],
    },
];
