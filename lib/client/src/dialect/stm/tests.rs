//! What the deployed backend says, in its own shapes, and what comes of it.

use serde_json::json;
use trialogue_protocol::{
    DisputeStatus, JobId, JobStatus, MessageType, NotificationType, Role, User, UserId,
};
use trialogue_socketio::Args;

use super::*;
use crate::dialect::Heard;
use crate::people;

const CHAT: &str = "0190a0b0-0000-7000-8000-00000000abcd";
const ROW: &str = "0190a0b0-0000-7000-8000-000000000001";

fn hear(name: &str, body: &Value) -> Heard {
    let args: &'static str = Box::leak(format!("[{body}]").into_boxed_str());
    socket::hear(name, &Args::from_json(args).unwrap())
}

fn me() -> User {
    User {
        id: UserId(7),
        email: None,
        first_name: "Amna".to_owned(),
        last_name: "Khan".to_owned(),
        role: Role::Customer,
        region: None,
        business_name: None,
    }
}

#[test]
fn both_shapes_of_a_message_are_one_message() {
    let standard = json!({"id": ROW, "chatId": CHAT, "sender_type": "service_provider",
        "sender_id": 8, "sender_name": "Ravi Kumar", "message": "hi", "message_type": "text",
        "created_at": "2026-02-20T10:00:00.000Z", "paymentLink": "https://x", "amount": 3});
    let other = json!({"id": ROW, "chatId": CHAT, "jobId": 5, "senderId": 8,
        "senderName": "Ravi Kumar", "senderRole": "service_provider", "content": "hi",
        "timestamp": "2026-02-20T10:00:00.000Z", "type": "text"});
    let heard = [&standard, &other].map(|body| match hear("new_message", body) {
        Heard::Message(message) => message,
        other => panic!("{other:?}"),
    });
    assert_eq!(heard[0], heard[1]);
    assert_eq!((heard[0].sender_type, heard[0].seq), (Role::Provider, None));
    let bare = json!({"id": ROW, "chatId": CHAT, "sender_type": "admin", "message": null});
    let Heard::Message(bare) = hear("new_message", &bare) else { panic!() };
    assert_eq!((bare.message.as_str(), bare.message_type), ("", MessageType::Text));
    for wrong in [json!({}), json!({"id": 5, "chatId": CHAT}), json!(null), json!([])] {
        assert!(matches!(hear("new_message", &wrong), Heard::Garbled(_)), "{wrong}");
    }
}

#[test]
fn events_mean_what_they_mean_without_codes_and_numbers() {
    let body = json!({"message": "x", "userId": 7});
    assert!(matches!(hear("connected", &body), Heard::Connected(c) if c.user_id == UserId(7)));
    let body = json!({"chatId": CHAT, "message": "joined"});
    assert!(matches!(hear("joined_chat", &body), Heard::Entered(_)));
    let body = json!({"chatId": CHAT, "userId": 8});
    let Heard::People(_, people::Event::Read { seq, .. }) = hear("messages_read", &body) else {
        panic!()
    };
    assert_eq!(seq, None);
    assert!(matches!(hear("negotiation_response", &json!({"job_id": 1})), Heard::Other));
    let body = json!({"notification": {}, "chat": {"id": ROW, "chatId": CHAT, "content": "job"}});
    assert!(matches!(hear("new_job_with_chat", &body), Heard::Message(_)));
    let check = |sentence: &str, code| {
        let Heard::Refused(refusal) = hear("error", &json!({"message": sentence})) else {
            panic!("{sentence}")
        };
        assert_eq!((refusal.code, refusal.message.as_str()), (code, sentence));
    };
    check("Authentication failed", ErrorCode::Unauthenticated);
    check("Chat not found", ErrorCode::Denied);
    check("Access denied to this chat", ErrorCode::Denied);
    check("Chat is no longer active", ErrorCode::ChatClosed);
    check("chatId and message are required", ErrorCode::BadRequest);
    check("Failed to send message", ErrorCode::OutcomeUnknown);
}

#[test]
fn a_notification_names_its_chat_in_its_title() {
    let raw = json!({"id": ROW, "recipient_type": "customer", "recipient_id": 7,
        "type": "message", "title": format!("New message [chat:{CHAT}]"), "message": "hi",
        "is_read": false, "created_at": "2026-02-20T10:00:00.000Z"});
    let Heard::Notification(created) = hear("notification:created", &json!({"notification": raw}))
    else {
        panic!()
    };
    let notification = created.notification;
    assert_eq!(notification.title, "New message");
    assert_eq!(notification.chat_id.map(|id| id.to_string()).as_deref(), Some(CHAT));
    assert_eq!((notification.kind, created.unread_count), (NotificationType::Message, None));
    let of = |kind: &str, title: &str| {
        read::notification(&json!({"id": ROW, "type": kind, "title": title})).unwrap()
    };
    let payment = of("payment", "Paid [x] [job:12]");
    assert_eq!((payment.title.as_str(), payment.job_id), ("Paid [x]", Some(JobId(12))));
    assert_eq!(payment.kind, NotificationType::System);
    assert_eq!(of("job", "New job ]").title, "New job ]");
}

#[test]
fn a_refusal_over_http_is_read_in_each_of_its_shapes() {
    let check = |status: u16, body: &str, expect: (ErrorCode, &str)| {
        let status = status.try_into().unwrap();
        let answer = Answer { status, body: body.into(), retry_after: None };
        let Err(Error::Refused(refusal)) = json(&answer) else { panic!("{body}") };
        assert_eq!((refusal.code, refusal.message.as_str()), expect);
    };
    let lines = r#"{"statusCode":400,"message":["email is needed","too short"],"error":"Bad"}"#;
    check(400, lines, (ErrorCode::BadRequest, "email is needed; too short"));
    check(401, r#"{"statusCode":401,"message":"no"}"#, (ErrorCode::Unauthenticated, "no"));
    let custom = r#"{"success":false,"error":{"code":"X","message":"no such service"}}"#;
    check(404, custom, (ErrorCode::NotFound, "no such service"));
    check(502, "<html>", (ErrorCode::Unavailable, "the server said 502"));
}

#[test]
fn rows_of_lists_become_chats_jobs_and_disputes() {
    let row = json!({"id": CHAT, "job": {"id": 5, "service": {"name": "Plumbing"},
            "status": "in_progress"},
        "provider": {"id": 31, "businessName": null, "user": {"id": 8, "first_name": "Ravi",
            "last_name": "Kumar", "profile_picture": null}},
        "lastMessage": {"id": ROW, "chat_id": CHAT, "sender_type": "customer", "sender_id": 7,
            "message_type": "text", "message": "hi", "created_at": "2026-02-20T10:00:00.000Z"},
        "created_at": "2026-02-20T09:00:00.000Z"});
    let chat = lists::chat(&row, &me()).unwrap();
    assert_eq!(chat.job.title.as_deref(), Some("Plumbing"));
    assert_eq!(chat.job.status, JobStatus::Open);
    let members: Vec<_> = chat.members.iter().map(|m| (m.user_id.0, m.name.as_str())).collect();
    assert_eq!(members, [(7, "Amna Khan"), (8, "Ravi Kumar")], "the profile id 31 is nobody");
    let last = chat.last_message.as_ref().unwrap();
    assert_eq!((last.message.as_str(), last.sender_name.as_str()), ("hi", "Amna Khan"));

    let old = json!({"id": CHAT, "job": {}, "provider": {"id": 31, "businessName": "R"},
        "lastMessage": null, "created_at": "2026-02-20T09:00:00.000Z"});
    let bare = lists::chat(&old, &me()).unwrap();
    let members: Vec<_> = bare.members.iter().map(|m| (m.user_id.0, m.name.as_str())).collect();
    assert_eq!(members, [(7, "Amna Khan"), (0, "R")], "a name, and no id that would be another's");
    assert_eq!(bare.job.id, JobId(0));

    let row = json!({"id": 5, "status": "paid", "service": {"id": 1, "name": "Plumbing"},
        "created_at": "2026-02-20T09:00:00.000Z"});
    let job = lists::job(&row, &me(), &[chat]).unwrap();
    assert_eq!((job.provider_id, job.status), (UserId(8), JobStatus::Completed));
    assert_eq!(lists::job(&row, &me(), &[]), None, "a job without a chat is none of ours");

    let details = json!({"dispute": {"id": 3, "status": "pending"}, "job": {"id": 5},
        "chatStatus": {"chatId": CHAT, "lsmInvited": true, "lsmJoined": true}});
    let dispute = lists::dispute(&json!({}), &details, &me()).unwrap();
    assert_eq!(dispute.status, DisputeStatus::Joined);
    assert_eq!(dispute.chat_id.to_string(), CHAT);
    assert_eq!(
        lists::next_page(&json!({"pagination": {"page": 1, "totalPages": 2}})),
        Some("2".to_owned())
    );
    assert_eq!(lists::next_page(&json!({"pagination": {"page": 2, "totalPages": 2}})), None);
}

#[test]
fn every_capability_has_a_name_and_ours_has_them_all() {
    let ours: Vec<_> = crate::Dialect::Trialogue.capabilities().table().collect();
    assert!(ours.iter().all(|(_, has)| *has), "{ours:?}");
    let theirs: Vec<_> = crate::Dialect::Stm.capabilities().table().collect();
    assert!(theirs.iter().all(|(_, has)| !*has), "{theirs:?}");
    assert_eq!(ours.len(), 20);
}

#[test]
fn a_text_may_be_as_long_as_a_packet_and_not_a_byte_longer() {
    let check = |text: &str, expect: bool| {
        let checked = check_text(text);
        assert_eq!(checked.is_ok(), expect, "{} bytes: {checked:?}", text.len());
        let body = json!({"chatId": CHAT, "message": text, "message_type": "document"});
        let packet = format!("42/chat,[\"send_message\",{body}]");
        assert!(!expect || packet.len() <= FRAME_BYTES_MAX, "{}", packet.len());
    };
    check(" ", true);
    check(&"x".repeat(4_001), true);
    check(&"x".repeat(FRAME_BYTES_MAX - FRAME_ROOM - 2), true);
    check(&"x".repeat(FRAME_BYTES_MAX - FRAME_ROOM - 1), false);
    // An escaped quotation mark takes two bytes.
    check(&"\"".repeat(FRAME_BYTES_MAX / 2), false);
    check("", false);
    check("a\0b", false);
}

#[test]
fn a_route_of_our_own_contract_is_known_as_one_that_is_not_there() {
    let check = |method: &str, path: &str, lacks: bool| {
        assert_eq!(lacks_route(method, path), lacks, "{method} {path}");
    };
    check("GET", "/chat", true);
    check("GET", "/chat/${chat}", true);
    check("GET", "/chat/${chat}/messages", false);
    check("GET", "/chat/", false);
    check("GET", "/chat/customer/chats", false);
    check("POST", "/disputes", true);
    check("POST", "/customers/disputes", false);
    check("GET", "/notifications?limit=5&unread=true", true);
    check("GET", "/notifications?is_read=true", false);
    check("PATCH", "/notifications/read-all", false);
    check("POST", "/jobs/${job}/cancel", true);
    check("POST", "/auth/login", false);
}
