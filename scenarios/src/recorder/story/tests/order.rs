//! What is read at the same time on several lines, and what it must not be written before.

use super::*;

#[test]
fn an_end_stands_before_what_others_are_told_of_it_whichever_was_read_first() {
    let left = json!({"chatId": CHAT, "userId": 2});
    let told = |ender| {
        let mut story = booked();
        story.heard(1, "user_left", std::slice::from_ref(&left), false);
        story.left(2, ender);
        let offline = json!({"chatId": CHAT, "userId": 2, "status": "offline"});
        story.heard(1, "presence", &[offline], false);
        let words = ["provider, disconnect", "receive: user_left", "receive: presence"];
        let lines = steps(&story);
        words.map(|words| lines.iter().position(|line| line.contains(words)))
    };
    assert_eq!(told(Ender::Client), [Some(5), Some(6), Some(7)]);
    assert_eq!(told(Ender::Line), [None; 3], "no step would make a line break");
}

#[test]
fn an_event_stands_after_a_request_that_was_under_way_however_much_was_done_since() {
    let mut story = Story::new(Accounts::Fresh);
    log_in(&mut story, 1, "customer");
    log_in(&mut story, 2, "service_provider");
    connect(&mut story, 2);
    let slow = Call {
        method: "POST",
        path: "/jobs/create",
        query: "",
        bearer: Some("access-1"),
        json: Some(json!({"providerId": 2, "title": "Fix the sink"})),
    };
    let slow = story.called(&slow).unwrap();
    for _ in 0..20 {
        call(&mut story, "PUT /profile", "access-2", json!({"a": 1}), 200, &json!({}));
    }
    let told = json!({"notification": {"type": "job", "chatId": CHAT, "jobId": 5}});
    story.heard(2, "notification:created", &[told], false);
    let answer = json!({"jobId": 5, "chatId": CHAT, "job": {"id": 5}, "chat": {"id": CHAT}});
    story.answered(&slow, 201, Some(&answer));
    let lines = steps(&story);
    let at = |words: &str| lines.iter().position(|line| line.contains(words)).unwrap();
    assert!(at("do: book") < at("receive: \"notification:created\""), "{lines:#?}");
}

#[test]
fn of_two_who_enter_at_once_the_one_stands_first_who_was_told_of_the_other() {
    let mut story = booked();
    for socket in [2, 1] {
        story.emitted(socket, "join_chat", &[json!({"chatId": CHAT})], (Some(0), false));
    }
    for socket in [2, 1] {
        story.acked(socket, 0, &json!({"ok": true, "chatId": CHAT}));
    }
    let entered = json!({"chatId": CHAT, "userId": 2, "role": "service_provider"});
    story.heard(1, "user_joined", &[entered], false);
    let typing = |user: Option<i64>| json!({"chatId": CHAT, "isTyping": true, "userId": user});
    story.emitted(1, "typing", &[typing(None)], (Some(1), false));
    story.heard(2, "user_typing", &[typing(Some(1))], false);
    let lines = steps(&story);
    let at = |words: &str| lines.iter().position(|line| line.contains(words)).unwrap();
    assert!(at("customer, join") < at("provider, join"), "{lines:#?}");
    assert!(at("provider, join") < at("emit: typing"), "{lines:#?}");
}

#[test]
fn a_change_that_is_told_after_the_next_one_was_made_is_left_out_also_when_an_earlier_one_was() {
    let mut story = booked();
    log_in(&mut story, 3, "local_service_manager");
    let answer = json!({"disputeId": 9, "dispute": {"id": 9, "chatId": CHAT}});
    let body = json!({"chatId": CHAT, "description": "price"});
    call(&mut story, "POST /disputes", "access-1", body, 201, &answer);
    call(&mut story, "POST /disputes/9/join", "access-3", json!({}), 200, &answer);
    let show = |story: &mut Story, invited: bool, joined: bool| {
        let chat = json!({"id": CHAT, "lsmInvited": invited, "lsmJoined": joined});
        story.heard(1, "chat_updated", &[json!({"chat": chat})], false);
    };
    show(&mut story, true, false);
    let body = json!({"resolution": "half"});
    call(&mut story, "POST /disputes/9/resolve", "access-3", body, 200, &answer);
    show(&mut story, true, true);
    show(&mut story, false, false);
    let lines = steps(&story);
    let told: Vec<&String> = lines.iter().filter(|line| line.contains("chat_updated")).collect();
    assert!(told.len() == 1 && told[0].contains("lsmInvited: false"), "{told:#?}");
}

#[test]
fn a_notice_that_comes_late_keeps_nobody_from_standing_before_whom_it_was_told_of() {
    let mut story = booked();
    story.emitted(1, "join_chat", &[json!({"chatId": CHAT})], (Some(0), false));
    let note = json!({"notification": {"type": "job", "chatId": CHAT, "jobId": 5}});
    story.heard(2, "notification:created", &[note], false);
    story.emitted(2, "join_chat", &[json!({"chatId": CHAT})], (Some(0), false));
    story.acked(2, 0, &json!({"ok": true, "chatId": CHAT}));
    story.acked(1, 0, &json!({"ok": true, "chatId": CHAT}));
    let entered = json!({"chatId": CHAT, "userId": 1, "role": "customer"});
    story.heard(2, "user_joined", &[entered], false);
    let lines = steps(&story);
    let at = |words: &str| lines.iter().position(|line| line.contains(words)).unwrap();
    assert!(at("provider, join") < at("customer, join"), "{lines:#?}");
    assert!(at("customer, join") < at("receive: user_joined"), "{lines:#?}");
}

#[test]
fn who_was_told_of_another_stands_first_also_when_they_have_entered_elsewhere_since() {
    let other = "0190a0b0-0000-7000-8000-00000000beef";
    let mut story = booked();
    let answer = json!({"jobId": 6, "chatId": other, "job": {"id": 6}, "chat": {"id": other}});
    let body = json!({"providerId": 2, "title": "Paint the wall"});
    call(&mut story, "POST /jobs/create", "access-1", body, 201, &answer);
    let joins = [(2, 0, CHAT), (1, 0, CHAT), (1, 1, other)];
    for (socket, ack, chat) in joins {
        story.emitted(socket, "join_chat", &[json!({"chatId": chat})], (Some(ack), false));
    }
    for (socket, ack, chat) in joins {
        story.acked(socket, ack, &json!({"ok": true, "chatId": chat}));
    }
    let entered = json!({"chatId": CHAT, "userId": 2, "role": "service_provider"});
    story.heard(1, "user_joined", &[entered], false);
    let lines = steps(&story);
    let at = |words: &str| lines.iter().position(|line| line.contains(words)).unwrap();
    assert!(at("customer, join: \"${chat}\"") < at("provider, join: \"${chat}\""), "{lines:#?}");
}
