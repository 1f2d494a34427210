//! What can happen to a message between a server and those who should see it.

use std::time::Duration;

use serde_json::{Value, json};

use super::hub::{CUSTOMER, Frame, Out, PROVIDER};
use super::{Bug, emitted, pushed};

/// Longer than any step of the scenarios waits for a message.
const TOO_LATE: Duration = Duration::from_secs(7);

/// Does it to the `n`th message that comes to somebody of this role.
fn at(
    n: usize,
    role: &'static str,
    mut lie: impl FnMut(&mut Frame, &mut Out) + Send + 'static,
) -> super::Lie {
    let mut count = 0;
    pushed(move |frame, out| {
        if frame.is(role, "new_message") {
            count += 1;
            if count == n {
                lie(frame, out);
            }
        }
    })
}

/// From the `n`th message on, says the first one that another person's follows after that one;
/// `change` may give them each other's places.
fn swap(n: usize, role: &'static str, change: fn(&mut Value, &mut Value)) -> super::Lie {
    let (mut count, mut held, mut done) = (0, Value::Null, false);
    pushed(move |frame, out| {
        if done || !frame.is(role, "new_message") {
            return;
        }
        count += 1;
        if count == n {
            (frame.dropped, held) = (true, frame.data.clone());
        } else if count > n && held["sender_id"] == frame.data["sender_id"] {
            std::mem::swap(&mut held, &mut frame.data);
        } else if count > n {
            done = true;
            change(&mut held, &mut frame.data);
            out.event(frame.session, "new_message", &held);
        }
    })
}

pub(super) const BUGS: &[Bug] = &[
    Bug {
        what: "a message is lost on its way to one of two people",
        scenario: "booking",
        lie: || at(1, PROVIDER, |frame, _| frame.dropped = true),
        found: &["m1_seen", "delivery", "history_equals_live"],
        says: &["provider does not have it", "never came to provider", "the same as `delivery`"],
    },
    Bug {
        what: "a message in the middle of many is lost",
        scenario: "burst",
        lie: || {
            let mut count = 0;
            pushed(move |frame, _| {
                if frame.is(PROVIDER, "new_message") && frame.data["sender_id"] != frame.user {
                    count += 1;
                    frame.dropped = count == 50;
                }
            })
        },
        found: &["delivery"],
        says: &["not pushed: seq ", "never came to provider as new_message, though later ones did"],
    },
    Bug {
        what: "a message comes too late",
        scenario: "booking",
        lie: || {
            at(1, PROVIDER, |frame, out| {
                frame.dropped = true;
                out.later(TOO_LATE, frame.session, "new_message", &frame.data);
            })
        },
        found: &["m1_seen"],
        says: &["provider does not have it"],
    },
    Bug {
        what: "the author does not get a copy",
        scenario: "booking",
        lie: || at(1, CUSTOMER, |frame, _| frame.dropped = true),
        found: &["m1_seen", "delivery", "history_equals_live"],
        says: &["customer knows it by the acknowledgement alone", "never came to customer"],
    },
    Bug {
        what: "a message comes twice",
        scenario: "booking",
        lie: || at(1, PROVIDER, |f, out| out.event(f.session, "new_message", &f.data)),
        found: &["delivery"],
        says: &["duplicate: seq 1 \"Hello, can you come today?\" came to provider twice"],
    },
    Bug {
        what: "after a reconnect an old message comes again",
        scenario: "slow-network",
        lie: || {
            let (mut first, mut joins) = (Value::Null, 0);
            pushed(move |frame, out| {
                if frame.is(CUSTOMER, "new_message") && first.is_null() {
                    first = frame.data.clone();
                }
                if frame.is(CUSTOMER, "ack join_chat") {
                    joins += 1;
                    if joins == 2 {
                        out.event(frame.session, "new_message", &first);
                    }
                }
            })
        },
        found: &["delivery"],
        says: &["duplicate: seq 1 \"slowly\" came to customer again on a new connection"],
    },
    Bug {
        what: "two messages come swapped to one person",
        scenario: "burst",
        lie: || swap(60, PROVIDER, |_, _| {}),
        found: &["room_order"],
        says: &["misordered: seq ", "came to provider after seq "],
    },
    Bug {
        what: "two people see two messages in another order",
        scenario: "burst",
        lie: || {
            swap(60, PROVIDER, |first, second| {
                let (one, other) = (first["seq"].clone(), second["seq"].clone());
                (first["seq"], second["seq"]) = (other, one);
            })
        },
        found: &["room_order", "delivery", "history_equals_live"],
        says: &["misordered: ", "came to provider after what stands at "],
    },
    Bug {
        what: "somebody sees a message that nobody sent",
        scenario: "booking",
        lie: || {
            at(2, PROVIDER, |frame, out| {
                let mut ghost = frame.data.clone();
                ghost["id"] = json!("0190a0b0-0000-7000-8000-00000000dead");
                (ghost["seq"], ghost["message"]) = (json!(3), json!("boo"));
                out.event(frame.session, "new_message", &ghost);
            })
        },
        found: &["delivery"],
        says: &["phantom: nobody sent seq 3 \"boo\""],
    },
    Bug {
        what: "a text is changed on its way",
        scenario: "booking",
        lie: || at(1, PROVIDER, |frame, _| frame.data["message"] = json!("Hello, can you pay")),
        found: &["delivery", "history_equals_live"],
        says: &[
            "mutated: seq 1 \"Hello, can you come today?\" came as \"Hello, can you pay\" to prov",
        ],
    },
    Bug {
        what: "a message names the wrong author",
        scenario: "booking",
        lie: || at(1, PROVIDER, |frame, _| frame.data["sender_id"] = json!(frame.user)),
        found: &["delivery", "history_equals_live"],
        says: &["mutated: seq 1", "it is told with two authors"],
    },
    Bug {
        what: "a message names another chat",
        scenario: "booking",
        lie: || {
            at(1, PROVIDER, |frame, _| {
                frame.data["chatId"] = json!("0190a0b0-0000-7000-8000-00000000c4a7");
            })
        },
        found: &["m1_seen", "delivery", "history_equals_live", "room_isolation"],
        says: &["provider does not have it", "phantom: seq 1", ", and was sent in chat "],
    },
    Bug {
        what: "the author's own id of a message goes to others",
        scenario: "booking",
        lie: || at(1, PROVIDER, |frame, _| frame.data["clientMessageId"] = json!("my-own-id")),
        found: &["m1_seen", "delivery", "history_equals_live"],
        says: &["expected  no clientMessageId at a reader", "provider: \"my-own-id\""],
    },
    Bug {
        what: "the author's own id of a message does not come back",
        scenario: "booking",
        lie: || {
            at(1, CUSTOMER, |frame, _| {
                frame.data.as_object_mut().unwrap().remove("clientMessageId");
            })
        },
        found: &["m1_seen"],
        says: &["back at its author", "customer: none in its copy"],
    },
    Bug {
        what: "a client sends again under a new id",
        scenario: "booking",
        lie: || {
            let mut again = 0;
            emitted(move |frame, out| {
                if frame.is(CUSTOMER, "send_message") {
                    again += 1;
                    let mut data = frame.data.clone();
                    data["clientMessageId"] = json!(format!("again-{again}"));
                    out.emit(frame.session, "send_message", &data);
                }
            })
        },
        found: &["provider GET history", "delivery"],
        says: &["duplicate: seq 2 \"Hello, can you come today?\" is stored 2 times"],
    },
    Bug {
        what: "the connection ends at every fifth message",
        scenario: "burst",
        lie: || {
            let mut count = 0;
            emitted(move |frame, out| {
                if frame.is(CUSTOMER, "send_message") {
                    count += 1;
                    if count % 5 == 0 {
                        out.cut(frame.session);
                    }
                }
            })
        },
        found: &["customer -> send_message"],
        says: &["the link is reconnecting", "the connection ended before the acknowledgement"],
    },
];
