//! Who hears what, and who must not.

use serde_json::{Value, json};

use super::hub::{CUSTOMER, LSM, PROVIDER};
use super::{Bug, Lie, answered, emitted, pushed};

/// Sends what comes to a provider by this name to somebody outside of the chat too.
fn leaks(name: &'static str) -> Lie {
    pushed(move |frame, out| {
        if frame.is(PROVIDER, name)
            && let Some(outsider) = out.outsider(&frame.data["chatId"], CUSTOMER)
        {
            out.event(outsider, name, &frame.data);
        }
    })
}

/// Drops what comes by this name to anybody of this role.
fn withholds(role: &'static str, name: &'static str) -> Lie {
    pushed(move |frame, _| frame.dropped = frame.is(role, name))
}

/// Whoever may not read a history gets an empty one instead of a refusal.
fn lets_read() -> Lie {
    answered(|answer| {
        if answer.path.contains("/messages") && answer.status == 403 {
            let chat = answer.path.split('/').nth(2).unwrap();
            let json = json!({"chatId": chat, "messages": [], "hasMore": false});
            (answer.status, answer.json) = (200, json);
        }
    })
}

pub(super) const BUGS: &[Bug] = &[
    Bug {
        what: "a stranger gets a message",
        scenario: "stranger-isolation",
        lie: || leaks("new_message"),
        found: &["stranger <- no new_message", "room_isolation"],
        says: &["leak: stranger got new_message of chat "],
    },
    Bug {
        what: "a stranger gets to know who types",
        scenario: "stranger-isolation",
        lie: || leaks("user_typing"),
        found: &["room_isolation"],
        says: &["leak: stranger got user_typing of chat ", "and is not in it"],
    },
    Bug {
        what: "a stranger is let in",
        scenario: "booking",
        lie: || {
            pushed(|frame, _| {
                if frame.name == "ack join_chat" && frame.data["ok"] == false {
                    let chat = frame.asked["chatId"].clone();
                    frame.data = json!({"ok": true, "chatId": chat, "members": [], "lastSeq": 2});
                }
            })
        },
        found: &["stranger -> join_chat"],
        says: &["expected  a refusal with {\"code\":\"denied\"}", "got       stranger: "],
    },
    Bug {
        what: "a stranger's message is acknowledged",
        scenario: "stranger-isolation",
        lie: || {
            pushed(|frame, _| {
                if frame.name == "ack send_message" && frame.data["ok"] == false {
                    frame.data = json!({"ok": true, "status": "stored"});
                }
            })
        },
        found: &["stranger, rival -> send_message"],
        says: &["expected  a refusal with {\"code\":\"denied\"}", "got       stranger: "],
    },
    Bug {
        what: "a stranger sees the chat in a list",
        scenario: "stranger-isolation",
        lie: || {
            answered(|answer| {
                if answer.path == "/chat" && answer.json["chats"] == json!([]) {
                    answer.json["chats"] = json!([{"id": "0190a0b0-0000-7000-8000-000000000001"}]);
                }
            })
        },
        found: &["stranger, rival GET /chat "],
        says: &["a body with a list of 0 at $.chats", "got       stranger: a list of 1"],
    },
    Bug {
        what: "a stranger may read the history",
        scenario: "stranger-isolation",
        lie: lets_read,
        found: &["stranger, rival GET history"],
        says: &["expected  status 403", "got       stranger: 200"],
    },
    Bug {
        what: "an error does not say what it is about",
        scenario: "stranger-isolation",
        lie: || {
            pushed(|frame, _| {
                if frame.name == "error" {
                    let keep = ["code", "message"];
                    frame.data.as_object_mut().unwrap().retain(|name, _| keep.contains(&&**name));
                }
            })
        },
        found: &["stranger <- error", "no_server_errors"],
        says: &["at $.chatId expected", "got nothing"],
    },
    Bug {
        what: "somebody gets a message of a chat that they are not in",
        scenario: "dispute-join",
        lie: || {
            let mut lsm = None;
            pushed(move |frame, out| {
                if frame.is(LSM, "connected") {
                    lsm = Some(frame.session);
                }
                if frame.is(PROVIDER, "new_message") && frame.data["message"] == "not for the LSM" {
                    out.event(lsm.unwrap(), "new_message", &frame.data);
                }
            })
        },
        found: &["lsm <- no new_message", "room_isolation"],
        says: &["leak: lsm got new_message of chat "],
    },
    Bug {
        what: "user_joined comes twice",
        scenario: "dispute-join",
        lie: || {
            pushed(|frame, out| {
                if frame.is(CUSTOMER, "user_joined") {
                    out.event(frame.session, "user_joined", &frame.data);
                }
            })
        },
        found: &["count"],
        says: &["expected  1 of `user_joined`", "got       2 at customer"],
    },
    Bug {
        what: "user_joined does not come",
        scenario: "dispute-join",
        lie: || withholds(CUSTOMER, "user_joined"),
        found: &["announced"],
        says: &["user_joined"],
    },
    Bug {
        what: "user_joined comes to the one who joins",
        scenario: "dispute-join",
        lie: || {
            pushed(|frame, out| {
                if frame.is(LSM, "ack join_chat") {
                    let chat = frame.asked["chatId"].clone();
                    let joined = json!({"userId": frame.user, "chatId": chat});
                    out.event(frame.session, "user_joined", &joined);
                }
            })
        },
        found: &["lsm <- no user_joined"],
        says: &["no `user_joined`"],
    },
    Bug {
        what: "user_left does not come",
        scenario: "lsm-resolves",
        lie: || withholds(CUSTOMER, "user_left"),
        found: &["customer, provider <- user_left"],
        says: &["customer: no `user_left` at all"],
    },
    Bug {
        what: "an LSM hears of a chat after it is out",
        scenario: "lsm-resolves",
        lie: || {
            let (mut lsm, mut is_out) = (None, false);
            pushed(move |frame, out| {
                if frame.is(LSM, "connected") {
                    lsm = Some(frame.session);
                }
                is_out |= frame.name == "user_left";
                if is_out && frame.is(CUSTOMER, "new_message") {
                    out.event(lsm.unwrap(), "new_message", &frame.data);
                }
            })
        },
        found: &["lsm <- no new_message"],
        says: &["no `new_message`"],
    },
    Bug {
        what: "an LSM may read on after it is out",
        scenario: "lsm-resolves",
        lie: lets_read,
        found: &["lsm GET history"],
        says: &["expected  status 403", "got       lsm: 200"],
    },
    Bug {
        what: "typing comes back to the one who types",
        scenario: "rapid-typing",
        lie: || {
            let mut customer = None;
            pushed(move |frame, out| {
                if frame.is(CUSTOMER, "connected") {
                    customer = Some(frame.session);
                }
                if frame.is(PROVIDER, "user_typing") {
                    out.event(customer.unwrap(), "user_typing", &frame.data);
                }
            })
        },
        found: &["customer <- no user_typing"],
        says: &["no `user_typing`"],
    },
    Bug {
        what: "typing never stops",
        scenario: "rapid-typing",
        lie: || {
            pushed(|frame, _| {
                frame.dropped = frame.name == "user_typing" && frame.data["isTyping"] == false;
            })
        },
        found: &["provider <- user_typing"],
        says: &["`user_typing` with {\"isTyping\":false}"],
    },
    Bug {
        what: "a client does not tell that somebody types",
        scenario: "booking",
        lie: || emitted(|frame, _| frame.dropped = frame.name == "typing"),
        found: &["customer -> typing"],
        says: &["no answer in time to `typing`"],
    },
    Bug {
        what: "a read receipt names the wrong person",
        scenario: "two-devices",
        lie: || {
            pushed(|frame, _| {
                if frame.name == "messages_read" {
                    frame.data["userId"] = json!(frame.data["userId"].as_i64().unwrap() + 1);
                }
            })
        },
        found: &["phone <- messages_read"],
        says: &["at $.userId"],
    },
    Bug {
        what: "nobody is told of a dispute",
        scenario: "dispute-join",
        lie: || withholds(LSM, "notification:created"),
        found: &["notified"],
        says: &["no `notification:created` at all"],
    },
    Bug {
        what: "a notification is not stored",
        scenario: "notification-for-absent",
        lie: || {
            answered(|answer| {
                if let Some(all) = answer.json["notifications"].as_array_mut() {
                    all.retain(|one| one["type"] != "message");
                }
            })
        },
        found: &["provider GET /notifications"],
        says: &["contains [{\"chatId\":"],
    },
    Bug {
        what: "a notification is not pushed",
        scenario: "notification-for-absent",
        lie: || withholds(PROVIDER, "notification:created"),
        found: &["provider <- notification:created"],
        says: &["provider: no `notification:created` at all"],
    },
    Bug {
        what: "a notification is pushed twice",
        scenario: "notification-for-absent",
        lie: || {
            pushed(|frame, out| {
                if frame.is(PROVIDER, "notification:created") {
                    out.event(frame.session, "notification:created", &frame.data);
                }
            })
        },
        found: &["count"],
        says: &["expected  1 of `notification:created`", "got       2 at provider"],
    },
    Bug {
        what: "a notification is pushed to somebody who reads the chat",
        scenario: "notification-for-absent",
        lie: || {
            let mut last = Value::Null;
            pushed(move |frame, out| {
                if frame.is(PROVIDER, "notification:created") {
                    last = frame.data.clone();
                }
                if frame.is(PROVIDER, "new_message") {
                    out.event(frame.session, "notification:created", &last);
                }
            })
        },
        found: &["provider <- no notification:created", "count"],
        says: &["no `notification:created`"],
    },
];
