//! Whose chats a run judges.

use super::*;

const ELSEWHERE: &str = "0190a0b0-0000-7000-8000-00000000ffff";

/// The outsider, whose account may have been there before, is told of a chat.
fn told(fresh: bool, chat: &str) -> Came {
    let mut recording = recording(&ALL);
    let outside = &mut recording.people[2];
    outside.fresh = fresh;
    let note = json!({"notification": {"type": "message", "chatId": chat}});
    see(outside, event("notification:created", note));
    let message = Message { chat_id: chat.parse().unwrap(), ..message(9, 7) };
    see(outside, event("new_message", json!(message)));
    Judged::of(&recording).verdict(Word::RoomIsolation).0
}

#[test]
fn other_chats_of_an_account_that_was_there_before_are_no_leak() {
    assert_eq!(told(false, ELSEWHERE), Came::Held);
    assert_eq!(told(false, CHAT), Came::Broken, "of this run's chat nobody outside hears");
    assert_eq!(told(true, ELSEWHERE), Came::Broken, "a fresh account has no other chats");
}

#[test]
fn a_chat_that_a_file_names_is_this_runs_once_it_is_spoken_of() {
    let mut person = somebody("customer", 1);
    see(&mut person, event("user_typing", json!({"chatId": CHAT})));
    see(&mut person, event("new_message", json!({"chatId": ELSEWHERE})));
    let spoken = |ids: &[&str]| {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        spoken_of(&person.entries, &ids).len()
    };
    assert_eq!((spoken(&[]), spoken(&[CHAT]), spoken(&[CHAT, ELSEWHERE, "x"])), (0, 1, 2));
}
