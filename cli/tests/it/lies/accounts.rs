//! Tokens, bookings and answers that are not what was asked for.

use serde_json::{Value, json};

use super::hub::{CUSTOMER, PROVIDER};
use super::{Bug, answered, pushed};

pub(super) const BUGS: &[Bug] = &[
    Bug {
        what: "a token that has ended is still served",
        scenario: "expired-token",
        lie: || {
            let mut me = Value::Null;
            answered(move |answer| {
                if !answer.json["user"].is_null() && answer.json["user"]["role"] == CUSTOMER {
                    me = answer.json["user"].clone();
                }
                if answer.status == 401 && answer.path.starts_with("/auth/me") {
                    (answer.status, answer.json) = (200, json!({"user": me}));
                }
            })
        },
        found: &["ended"],
        says: &["refused with a token that has ended", "status 200: it is still served"],
    },
    Bug {
        what: "somebody is greeted as somebody else",
        scenario: "booking",
        lie: || {
            pushed(|frame, _| {
                if frame.is(CUSTOMER, "connected") {
                    frame.data["userId"] = json!(frame.user + 1);
                }
            })
        },
        found: &["customer, provider, stranger -> connect"],
        says: &["got       customer: user "],
    },
    Bug {
        what: "a booking makes no chat",
        scenario: "booking",
        lie: || {
            answered(|answer| {
                if answer.path == "/jobs/create" {
                    for name in ["chat", "chatId"] {
                        answer.json.as_object_mut().unwrap().remove(name);
                    }
                }
            })
        },
        found: &["booked"],
        says: &["chat"],
    },
    Bug {
        what: "an answer has the wrong status",
        scenario: "booking",
        lie: || {
            answered(|answer| {
                if answer.path == "/jobs/create" {
                    answer.status = 200;
                }
            })
        },
        found: &["booked"],
        says: &["expected  status 201"],
    },
    Bug {
        what: "a server breaks at a question",
        scenario: "booking",
        lie: || {
            answered(|answer| {
                if answer.method == "GET" && answer.path.contains("/messages") {
                    let error = json!({"statusCode": 500, "error": "internal", "message": "oh"});
                    (answer.status, answer.json) = (500, error);
                }
            })
        },
        found: &["customer GET history", "no_server_errors"],
        says: &["internal"],
    },
    Bug {
        what: "an error comes that nothing has caused",
        scenario: "booking",
        lie: || {
            pushed(|frame, out| {
                if frame.is(PROVIDER, "user_typing") {
                    let error = json!({"code": "internal", "message": "oh"});
                    out.event(frame.session, "error", &error);
                }
            })
        },
        found: &["no_server_errors"],
        says: &["provider saw at ", "event error"],
    },
    Bug {
        what: "the unread ones are counted wrongly",
        scenario: "notification-for-absent",
        lie: || {
            answered(|answer| {
                if answer.json["unreadCount"].is_i64() {
                    answer.json["unreadCount"] = json!(7);
                }
            })
        },
        found: &["provider GET /notifications"],
        says: &["2 at $.unreadCount"],
    },
];
