//! Own rows in histories of a server that does not say which is which.

use proptest::prelude::*;

use super::*;

const ME: UserId = UserId(7);

fn said(n: u128, sender: i64, text: &str) -> Message {
    let (id, sender_id) = (MessageId(uuid::Uuid::from_u128(n)), UserId(sender));
    let message = text.to_owned();
    Message { id, sender_id, message, seq: None, client_message_id: None, ..row(1, "x", 1) }
}

fn ok(name: &str) -> Draft {
    Draft { text: "ok".to_owned(), ..draft(1, name) }
}

fn search(draft: &Draft, same: u32) -> Search {
    Search::new(ME, draft.clone(), same, S(12))
}

#[test]
fn a_message_is_the_new_row_with_its_text_and_no_other() {
    let mut history = vec![said(1, 7, "ok"), said(2, 8, "ok")];
    let first = ok("first");
    let same = same_rows(ME, &first, &history);
    let looking = search(&first, same);
    assert_eq!(looking.find(&history), None, "an older row and somebody else's");
    history.extend([said(3, 8, "ok"), said(4, 7, "ok!")]);
    assert_eq!(looking.find(&history), None);
    history.push(said(5, 7, "ok"));
    let found = looking.find(&history).unwrap();
    assert_eq!((found.id.0.as_u128(), found.client_message_id), (5, Some(first.id)));
    // The same text again: not the same row again.
    let second = ok("second");
    let looking = search(&second, same_rows(ME, &second, &history));
    assert_eq!(looking.find(&history), None);
    history.push(said(6, 7, "ok"));
    assert_eq!(looking.find(&history).unwrap().id.0.as_u128(), 6);
}

#[test]
fn an_older_row_of_the_same_text_is_not_what_a_killed_process_was_about_to_send() {
    // Whatever the id of the message, and whatever the clocks say.
    for name in ["job-17", "0190a0b0-0000-7000-8000-00000000abcd"] {
        let history = [said(1, 7, "ok")];
        assert_eq!(search(&ok(name), 1).find(&history), None);
        assert!(search(&ok(name), 0).find(&history).is_some(), "the mark says that it is new");
    }
}

#[test]
fn a_search_is_often_at_first_and_has_an_end() {
    let mut looking = search(&ok("a"), 0);
    let mut pauses = Vec::new();
    while let Some(pause) = looking.next_look() {
        pauses.push(pause);
    }
    assert_eq!((pauses[0], pauses[1]), (MS(10), MS(20)));
    assert_eq!(pauses.iter().sum::<Duration>(), S(12));
    assert!(pauses.len() < 16, "{pauses:?}");
    assert!(matches!(looking.over(), Answer::Lost(_)), "nobody refused it");
}

#[test]
fn a_no_ends_the_search_soon_and_is_its_answer() {
    let mut looking = search(&ok("a"), 0);
    while looking.next_look().is_some_and(|pause| pause < S(1)) {}
    looking.refused(Refusal::new(ErrorCode::ChatClosed, "no longer active"));
    let looks = std::iter::from_fn(|| looking.next_look()).count();
    assert_eq!(looks, 3, "it may have been stored before the no");
    assert!(matches!(looking.over(), Answer::Refused(no) if no.code == ErrorCode::ChatClosed));
}

proptest! {
    /// Sent one after the other with whatever texts, each message finds its own row and only that.
    #[test]
    fn each_message_finds_its_own_row(
        texts in prop::collection::vec((0u8..3, any::<bool>()), 1..20)
    ) {
        let mut history: Vec<Message> = Vec::new();
        for (n, (text, late)) in texts.into_iter().enumerate() {
            let text = text.to_string();
            let message = Draft { text: text.clone(), ..draft(1, "m") };
            let looking = search(&message, same_rows(ME, &message, &history));
            if late {
                prop_assert_eq!(looking.find(&history), None);
            }
            history.push(said(n as u128 + 1, 7, &text));
            let found = looking.find(&history);
            prop_assert_eq!(found.map(|m| m.id.0.as_u128()), Some(n as u128 + 1));
        }
    }
}
