//! Lines instead of a screen: the same stories, as text that stays.

use trialogue_client::Via;
use trialogue_client::link::Trouble;
use trialogue_client::outbox::Draft;
use trialogue_client::session::{Kept, Update};
use trialogue_client::{LinkState, Outcome, Refusal};
use trialogue_protocol::{ClientMessageId, ErrorCode, MessageType};
use trialogue_tui::msg::{Msg, Reply};
use trialogue_tui::plain::Spoken;

use crate::stage::{RAVI, Stage, chat_id};

/// A stage that speaks.
struct Reader {
    stage: Stage,
    spoken: Spoken,
}

impl Reader {
    fn new() -> Self {
        let mut reader = Self { stage: Stage::new(), spoken: Spoken::default() };
        // Nothing is drawn.
        reader.hears(Msg::Resize(0, 0));
        reader
    }

    #[expect(clippy::needless_pass_by_value, reason = "stories read better without borrowing")]
    fn hears(&mut self, msg: Msg) -> Vec<String> {
        self.stage.tell(msg.clone());
        self.spoken.lines(&mut self.stage.model, &msg)
    }
}

#[test]
fn a_message_is_one_line_most_important_first_time_last() {
    let mut reader = Reader::new();
    let message = reader.stage.message(RAVI, "I am outside.");
    let lines = reader.hears(Msg::Update(Update::Message { message, via: Via::Live }));
    assert_eq!(lines, ["Ravi: I am outside. (Kitchen sink leak, 14:00)"]);
    reader.stage.model.log(chat_id(0)).mark = Some(0);
    let message = reader.stage.message(RAVI, "two\nAmna: forged\u{1b}[2J");
    let lines = reader.hears(Msg::Update(Update::Message { message, via: Via::CatchUp }));
    assert_eq!(lines, Vec::<String>::new(), "until the last of them is here");
    let lines = reader.hears(Msg::Update(Update::CaughtUp { chat: chat_id(0) }));
    assert_eq!(lines, ["Ravi: two\n  Amna: forged␛[2J (earlier, Kitchen sink leak, 14:00)"]);
}

#[test]
fn what_was_not_sent_says_why_and_which_command_helps() {
    let mut reader = Reader::new();
    reader.hears(Msg::Line("Park in the yard".to_owned()));
    let id = reader.stage.model.open_log().unwrap().1.pending[0].id.clone();
    let outcome = Outcome::Refused(Refusal::new(ErrorCode::Internal, "server error"));
    let refused = Update::Outcome { client_message_id: id, chat: chat_id(0), outcome };
    let lines = reader.hears(Msg::Update(refused));
    assert_eq!(lines, ["Not sent to Kitchen sink leak: server error. Type /retry 1."]);
    reader.stage.effects.clear();
    reader.hears(Msg::Line("/retry 1".to_owned()));
    reader.stage.wants(&["again"]);
}

#[test]
fn a_number_means_one_message_of_all_chats_wherever_the_reader_is() {
    let mut reader = Reader::new();
    reader.hears(Msg::Line("/chat Garden".to_owned()));
    reader.hears(Msg::Line("Gate is stuck".to_owned()));
    reader.hears(Msg::Line("/chat Kitchen".to_owned()));
    reader.hears(Msg::Line("Park in the yard".to_owned()));
    let mut said = Vec::new();
    for chat in [chat_id(0), chat_id(2)] {
        let client_message_id = reader.stage.model.logs[&chat].pending[0].id.clone();
        let outcome = Outcome::Refused(Refusal::new(ErrorCode::Internal, "server error"));
        let refused = Update::Outcome { client_message_id, chat, outcome };
        said.extend(reader.hears(Msg::Update(refused)));
    }
    assert_eq!(
        said,
        [
            "Not sent to Kitchen sink leak: server error. Type /retry 1.",
            "Not sent to Garden gate: server error. Type /retry 2."
        ]
    );
    reader.hears(Msg::Line("/retry 2".to_owned()));
    let waits = |chat| reader.stage.model.logs[&chat_id(chat)].waiting();
    assert_eq!((waits(0), waits(2)), (0, 1));
}

#[test]
fn what_was_refused_before_is_said_when_the_outbox_is_read() {
    let mut reader = Reader::new();
    let kept = |text: &str, refused: Option<Refusal>| Kept {
        draft: Draft {
            id: ClientMessageId::from(uuid::Uuid::from_u128(5 + text.len() as u128)),
            chat: chat_id(2),
            text: text.to_owned(),
            kind: MessageType::Text,
        },
        refused,
    };
    let refused = kept("Gate is stuck", Some(Refusal::new(ErrorCode::Internal, "server error")));
    let lines = reader.hears(Msg::Reply(Reply::Kept(vec![kept("waits", None), refused])));
    assert_eq!(lines, ["Not sent to Garden gate: server error. Type /retry 1."]);
}

#[test]
fn nobody_types_a_password_where_it_can_be_seen() {
    let mut reader = Reader::new();
    let lines = reader.hears(Msg::Line("/login".to_owned()));
    assert_eq!(lines, ["Nobody types a password here. /quit, then: trialogue login."]);
    let lines = reader.hears(Msg::Line("hunter2 is no password".to_owned()));
    assert_eq!(lines, Vec::<String>::new(), "it went to the chat, as any line");
    // After a sign-out no form takes the next lines of a pipe.
    let lines = reader.hears(Msg::Reply(Reply::SignedOut(Ok(()))));
    assert!(lines.iter().any(|line| line.contains("trialogue login")), "{lines:?}");
    assert!(reader.stage.model.dialogs.open.is_none());
}

#[test]
fn the_line_is_told_by_its_changes_and_nothing_counts_down_aloud() {
    let mut reader = Reader::new();
    let lost = |attempt| {
        let next_in = std::time::Duration::from_secs(4);
        let state = LinkState::Reconnecting { attempt, next_in, why: Trouble::new("reset") };
        Msg::Update(Update::Link(state))
    };
    assert_eq!(reader.hears(lost(3)), ["Reconnecting, retry 3."]);
    reader.stage.at += std::time::Duration::from_secs(1);
    assert_eq!(reader.hears(Msg::Tick), Vec::<String>::new());
    assert_eq!(reader.hears(lost(4)), ["Reconnecting, retry 4."]);
    assert_eq!(reader.hears(Msg::Line("hi".to_owned())), ["Reconnecting, retry 4, 1 queued."]);
    // A night without a server is not a night full of words.
    let told: Vec<String> = (5..200).flat_map(|attempt| reader.hears(lost(attempt))).collect();
    let expect = [8, 16, 32, 64, 128].map(|n| format!("Reconnecting, retry {n}, 1 queued."));
    assert_eq!(told, expect);
}

#[test]
fn a_form_asks_for_one_field_after_the_other_and_a_dot_leaves() {
    let mut reader = Reader::new();
    let asked = reader.hears(Msg::Line("/dispute".to_owned()));
    assert!(asked[0].starts_with("File a dispute · job 1042. Reason"), "{asked:?}");
    let asked = reader.hears(Msg::Line("poor".to_owned()));
    assert!(asked[0].contains("What: what went wrong"), "{asked:?}");
    reader.stage.effects.clear();
    reader.hears(Msg::Line("it leaks".to_owned()));
    let effect = reader.stage.effects.first().cloned().unwrap_or_default();
    assert!(effect.contains("poor work: it leaks"), "{effect}");
    let error = trialogue_client::Error::NotConnected;
    let said = reader.hears(Msg::Reply(Reply::Disputed(Err(error))));
    assert_eq!(said[0], "Not connected.");
    reader.hears(Msg::Line(".".to_owned()));
    assert!(reader.stage.model.dialogs.open.is_none());
}

#[test]
fn pages_are_read_out_and_typing_is_said_once() {
    let mut reader = Reader::new();
    let lines = reader.hears(Msg::Line("/members".to_owned()));
    assert_eq!(lines[0], "Members · Kitchen sink leak:");
    assert_eq!(lines[1..], ["Amna K, customer, you", "Ravi K, provider, online"]);
    let (_, log) = reader.stage.model.open_log().unwrap();
    let person = log.people.values().find(|person| person.user_id.0 == RAVI).unwrap();
    let person = trialogue_client::people::Person { typing: true, ..person.clone() };
    let typing = Update::Person { chat: chat_id(0), person };
    assert_eq!(reader.hears(Msg::Update(typing.clone())), ["Ravi is typing."]);
    // What else becomes of somebody who types is no new beginning.
    assert_eq!(reader.hears(Msg::Update(typing.clone())), Vec::<String>::new());
    let Update::Person { chat, person } = &typing else { unreachable!() };
    let person = trialogue_client::people::Person { typing: false, ..person.clone() };
    reader.hears(Msg::Update(Update::Person { chat: *chat, person }));
    assert_eq!(reader.hears(Msg::Update(typing)), ["Ravi is typing."]);
}

/// So many messages of Ravi's come together.
fn come(reader: &mut Reader, numbers: std::ops::Range<usize>) -> Vec<String> {
    let mut lines = Vec::new();
    for number in numbers {
        let message = reader.stage.message(RAVI, &format!("line {number}"));
        let via = Via::CatchUp;
        lines.extend(reader.hears(Msg::Update(Update::Message { message, via })));
    }
    lines.extend(reader.hears(Msg::Update(Update::CaughtUp { chat: chat_id(0) })));
    lines
}

fn told(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|number| format!("Ravi: line {number} (14:00)")).collect()
}

#[test]
fn what_was_said_before_is_counted_and_read_out_when_asked_for() {
    let mut reader = Reader::new();
    let before: Vec<_> =
        (0..20).map(|n| reader.stage.message(RAVI, &format!("line {n}"))).collect();
    let said = come(&mut reader, 20..45);
    assert_eq!(said, ["25 earlier messages. /history reads them."]);
    let ask = |reader: &mut Reader| reader.hears(Msg::Line("/history".to_owned()));
    assert_eq!(ask(&mut reader), told(35, 45));
    assert_eq!(ask(&mut reader), told(25, 35));
    assert_eq!(ask(&mut reader), told(20, 25));
    reader.stage.effects.clear();
    assert_eq!(ask(&mut reader), Vec::<String>::new());
    reader.stage.wants(&["page Before(21)"]);
    let page = |result| {
        Msg::Reply(Reply::Page {
            chat: chat_id(0),
            ask: trialogue_client::timeline::Ask::Before(21),
            page: result,
        })
    };
    let failed = reader.hears(page(Err(trialogue_client::Error::NotConnected)));
    assert_eq!(failed, ["Earlier messages did not load: /history tries again."]);
    ask(&mut reader);
    let messages = trialogue_protocol::MessagePage {
        chat_id: chat_id(0),
        messages: before,
        first_seq: Some(1),
        last_seq: Some(20),
        has_more: Some(false),
        epoch: None,
    };
    assert_eq!(reader.hears(page(Ok(messages))), told(10, 20));
    assert_eq!(ask(&mut reader), told(0, 10));
    assert_eq!(ask(&mut reader), ["This is the beginning of the chat."]);
    // What is found is read, and nothing around it.
    let found = reader.hears(Msg::Line("/search line 7".to_owned()));
    assert_eq!(found, told(7, 8));
    let none = reader.hears(Msg::Line("/search nowhere".to_owned()));
    assert_eq!(none, ["Not in what is loaded here; /history loads more."]);
}

#[test]
fn of_many_news_the_last_are_read_out() {
    let mut reader = Reader::new();
    reader.stage.model.log(chat_id(0)).mark = Some(30);
    let said = come(&mut reader, 0..40);
    assert_eq!(said[..2], ["30 earlier messages. /history reads them.", "10 are new; the last 5:"]);
    let line = |n: usize| format!("Ravi: line {n} (earlier, Kitchen sink leak, 14:00)");
    assert_eq!(said[2..], (35..40).map(line).collect::<Vec<_>>());
    // What a loss kept away is news; what it left as it was is not said again.
    reader.stage.play("lost 1 1; rejoining");
    let said = come(&mut reader, 40..42);
    assert_eq!(said.iter().filter(|line| line.contains("line 4")).count(), 2, "{said:?}");
    // Offline nothing more comes: what was kept is counted.
    let message = reader.stage.message(RAVI, "kept");
    reader.hears(Msg::Update(Update::Message { message, via: Via::Backup }));
    let lost = LinkState::Reconnecting {
        attempt: 1,
        next_in: std::time::Duration::ZERO,
        why: Trouble::new("reset"),
    };
    let said = reader.hears(Msg::Update(Update::Link(lost)));
    assert!(said.iter().any(|line| line.contains("kept")), "{said:?}");
}

#[test]
fn nobody_is_told_of_keys_where_there_are_none() {
    let mut reader = Reader::new();
    let mut said = reader.hears(Msg::Line("Park in the yard".to_owned()));
    for line in ["/retry", "/edit", "/discard", "/mute", "/search x", "/members", "/book", "."] {
        said.extend(reader.hears(Msg::Line(line.to_owned())));
    }
    let id = reader.stage.model.open_log().unwrap().1.pending[0].id.clone();
    let outcome = Outcome::Refused(Refusal::new(ErrorCode::Internal, "server error"));
    let refused = Update::Outcome { client_message_id: id, chat: chat_id(0), outcome };
    said.extend(reader.hears(Msg::Update(refused)));
    // The text is not put where nobody can get at it.
    let given_up = reader.hears(Msg::Line("/edit 1".to_owned()));
    assert_eq!(given_up, ["Given up: Park in the yard."]);
    said.extend(reader.hears(Msg::Line("/leave".to_owned())));
    let nowhere = reader.hears(Msg::Line("hello".to_owned()));
    assert_eq!(nowhere, ["Not done: no chat is open: /chat NAME."]);
    for key in ["Tab", "F1", "Enter", "PgUp", "Ctrl-", "arrow", "left and right"] {
        assert!(!said.iter().any(|line| line.contains(key)), "{key} in {said:#?}");
    }
}

#[test]
fn a_choice_is_read_out_and_letters_find_it() {
    let mut reader = Reader::new();
    let asked = reader.hears(Msg::Line("/dispute".to_owned()));
    let few = "One of: not done, poor work, price, no show, other. Now: not done.";
    assert!(asked[0].contains(few), "{asked:?}");
    reader.hears(Msg::Line(".".to_owned()));
    let asked = reader.hears(Msg::Line("/book".to_owned()));
    assert!(asked[0].contains("Provider: letters find. Asking who can be booked…"), "{asked:?}");
    let none = reader.hears(Msg::Reply(Reply::Providers(Ok(Vec::new()))));
    assert!(none[0].contains("Nobody can be booked yet."), "{none:?}");
}

#[test]
fn the_help_of_lines_has_words_and_no_keys() {
    let mut reader = Reader::new();
    let said = reader.hears(Msg::Line("/help".to_owned()));
    assert!(said.contains(&"/chat LETTERS: jump to a chat by some of its letters".to_owned()));
    assert!(!said.iter().any(|line| line.contains("In: ") || line.contains("  ")), "{said:#?}");
}

#[test]
fn an_lsm_hears_who_has_asked() {
    let queue = crate::frames::invites().model.invites.list;
    let mut reader = Reader { stage: Stage::of(crate::stage::LENA), spoken: Spoken::default() };
    reader.hears(Msg::Resize(0, 0));
    reader.stage.up();
    reader.stage.list(&[0]);
    assert_eq!(reader.hears(Msg::Line("/invites".to_owned())).len(), 2, "the chat and the line");
    let said = reader.hears(Msg::Reply(Reply::Invites(Ok(queue))));
    let first = "Job 1042: poor work: Leak came back after one hour. /join 1042 accepts.";
    assert_eq!(said[..2], ["Invites:", first], "{said:?}");
    assert!(!reader.stage.model.invites.shown, "it covers no chat");
    let error = trialogue_client::Error::NotConnected;
    reader.hears(Msg::Line("/invites".to_owned()));
    let said = reader.hears(Msg::Reply(Reply::Invites(Err(error))));
    assert!(said.iter().any(|line| line.starts_with("Could not load invites")), "{said:?}");
}
