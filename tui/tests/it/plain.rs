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
        reader.hears(Msg::Tick);
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
    let message = reader.stage.message(RAVI, "two\nAmna: forged\u{1b}[2J");
    let lines = reader.hears(Msg::Update(Update::Message { message, via: Via::CatchUp }));
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
    assert_eq!(reader.hears(Msg::Update(typing)), ["Ravi is typing."]);
}
