//! Frames: five sizes, every state, fixed clocks and ids.

use trialogue_client::people::Presence;
use trialogue_protocol::Dispute;
use trialogue_tui::msg::{Msg, Reply};

use crate::stage::{AMNA, LENA, RAVI, Stage, chat_id};
use trialogue_client::Via;
use trialogue_client::session::Update;

const SIZES: [(u16, u16); 5] = [(80, 24), (120, 40), (60, 16), (44, 14), (20, 4)];

/// The model of TUI.md §2: one message refused.
pub(crate) fn kitchen() -> Stage {
    let mut stage = Stage::new();
    stage.says(
        AMNA,
        "Hi Ravi, there is water under the sink again. Can you come today?",
        Via::CatchUp,
    );
    stage.play("waited 60000");
    stage.says(RAVI, "Yes, I finish here at 16:00.\nPlease close the stop valve.", Via::CatchUp);
    stage.play("waited 120000");
    stage.says(AMNA, "Done. See you then.", Via::CatchUp);
    stage.know(RAVI, Presence::Online, false, 1);
    stage.play("looks away; waited 8100000; ravi says I am outside.");
    stage.play("ravi says What is the door code?; looks back");
    stage.model.window.focus = None;
    // Sending takes the divider away; here it stays as it is seen before the first answer.
    let divider = stage.model.open_log().unwrap().1.new_from;
    stage.play("waited 120000; sends Park in the yard, the second bay.; refused server error");
    stage.play("waited 60000; sends 4711 then hash; sending");
    stage.model.open_log_mut().unwrap().1.new_from = divider;
    stage.know(RAVI, Presence::Online, true, 1);
    stage.play("types The bell is broken, knock please");
    stage.model.notice = Default::default();
    stage
}

fn shoot(name: &str, stage: &mut Stage) {
    for (width, height) in SIZES {
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), stage.frame(width, height));
    }
}

#[test]
fn one_message_refused() {
    shoot("refused", &mut kitchen());
}

/// The line is down, and what is sent waits.
pub(crate) fn lost() -> Stage {
    let mut stage = kitchen();
    stage.play("queued; lost 3 4; presses ctrl-u; sends Then the second bay.");
    stage
}

#[test]
fn line_down() {
    shoot("lost", &mut lost());
}

#[test]
fn the_login_is_over_and_what_was_typed_is_kept() {
    let mut stage = kitchen();
    stage.play("queued; expired");
    // Over the draft stands no form until somebody asks for one.
    assert!(stage.model.dialogs.open.is_none());
    stage.shows("The bell is broken");
    shoot("expired", &mut stage);
}

#[test]
fn the_outbox_is_full() {
    let mut stage = lost();
    let pending = &stage.model.open_log().unwrap().1.pending;
    let (chat, id) = (chat_id(0), pending.last().unwrap().id.clone());
    let error = trialogue_client::Error::Full("the outbox is full: 1000 messages wait".into());
    stage.tell(Msg::Reply(Reply::NotQueued { id, chat, error }));
    shoot("full", &mut stage);
}

#[test]
fn a_server_that_is_restarted() {
    let mut stage = kitchen();
    stage.play("queued; lost 1 1; waited 1000");
    shoot("restart_away", &mut stage);
    stage.play("rejoining; ravi said Still there?");
    shoot("restart_rejoining", &mut stage);
    stage.play("connected; sending; stored; listed 1 2 0 0");
    shoot("restart_back", &mut stage);
}

/// Messages that could not be had stand as a rule between the others.
pub(crate) fn gap() -> Stage {
    let mut stage = kitchen();
    stage.tell(Msg::Update(Update::Missing { chat: chat_id(0), from: 6, to: 55 }));
    stage.says(RAVI, "So I went around the house.", Via::CatchUp);
    stage
}

#[test]
fn messages_are_missing() {
    shoot("gap", &mut gap());
}

#[test]
fn a_server_of_another_version_is_for_reading() {
    let mut stage = kitchen();
    stage.model.connection.other_version = Some(3);
    shoot("other_version", &mut stage);
    // The words stay with who has written them, and say why.
    stage.play("presses enter");
    shoot("read_only", &mut stage);
}

#[test]
fn the_list_alone_and_the_help() {
    let mut stage = kitchen();
    stage.play("sized 44x14; presses alt-l");
    insta::assert_snapshot!("list_44x14", stage.frame(44, 14));
    stage.play("presses f1");
    insta::assert_snapshot!("help_80x24", stage.frame(80, 24));
}

/// The form for a job, looked at before it is filled in.
fn book() -> Stage {
    let mut stage = kitchen();
    stage.play("presses f2");
    let provider = serde_json::json!({"id": 2, "name": "Ravi Kumar", "businessName": "plumbing",
        "region": null});
    let providers = vec![serde_json::from_value(provider).unwrap()];
    stage.tell(Msg::Reply(Reply::Providers(Ok(providers))));
    stage.play("presses tab ctrl-s");
    stage
}

/// The forms for a job and for a dispute.
pub(crate) fn forms_open() -> (Stage, Stage) {
    let mut stage = book();
    stage.play("presses esc f3 right tab; types Leak came back after one hour.");
    (book(), stage)
}

#[test]
fn forms() {
    let (mut book, mut stage) = forms_open();
    shoot("book", &mut book);
    shoot("dispute", &mut stage);
    stage.play("presses esc; expired; presses ctrl-c enter");
    shoot("sign_in", &mut stage);
}

#[test]
fn empty_loading_and_failed() {
    let mut stage = Stage::of(AMNA);
    stage.play("waited 3000");
    shoot("loading", &mut stage);
    stage.up();
    stage.tell(Msg::Reply(Reply::Chats(Err(trialogue_client::Error::Unanswered(
        "timed out".into(),
    )))));
    shoot("failed", &mut stage);
    stage.tell(Msg::Reply(Reply::Chats(Ok((Vec::new(), true)))));
    shoot("empty", &mut stage);
}

/// An LSM is waited for twice.
pub(crate) fn invites() -> Stage {
    let mut stage = Stage::of(LENA);
    stage.play("looks back; connected; listed 0 4 0 0");
    let dispute = |id: i64, number: u128, why: &str, at: &str| -> Dispute {
        serde_json::from_value(serde_json::json!({"id": id, "chatId": chat_id(number),
            "jobId": 1042 + number as i64, "raisedBy": 1, "description": why, "status": "pending",
            "lsm": {"id": 3, "name": "Lena K"}, "resolution": null, "createdAt": at,
            "resolvedAt": null}))
        .unwrap()
    };
    let disputes = vec![
        dispute(2, 3, "no show: nobody came", "2025-03-04T13:57:00.000Z"),
        dispute(1, 0, "poor work: Leak came back after one hour.", "2025-03-04T13:48:00.000Z"),
    ];
    stage.play("presses f3");
    stage.tell(Msg::Reply(Reply::Invites(Ok(disputes))));
    stage
}

#[test]
fn the_queue_of_an_lsm() {
    shoot("invites", &mut invites());
    let mut asked = invites();
    let refusal = trialogue_client::Refusal::new(trialogue_protocol::ErrorCode::Denied, "no");
    let page = Err(refusal.into());
    asked.tell(Msg::Reply(Reply::Preview { chat: chat_id(0), page }));
    asked.shows("Nothing can be read before you join.").shows("Connected · lena (LSM)");
}

fn plainly(mut stage: Stage) -> Stage {
    stage.model.settings.theme = trialogue_tui::theme::Theme::new(false);
    stage.model.settings.ascii = true;
    stage.model.settings.marks = trialogue_tui::theme::Marks::ASCII;
    stage
}

/// Without colours and with nothing but ASCII.
pub(crate) fn ascii() -> Stage {
    plainly(kitchen())
}

#[test]
fn without_colours_no_cell_has_one_and_ascii_is_ascii() {
    let (book, dispute) = forms_open();
    let mut help = kitchen();
    help.play("presses f1");
    for stage in [kitchen(), lost(), invites(), book, dispute, help] {
        for (width, height) in [(120, 40), (80, 24), (44, 14)] {
            for cell in plainly(stage.clone()).buffer(width, height).content() {
                assert_eq!(cell.fg, ratatui::style::Color::Reset);
                assert_eq!(cell.bg, ratatui::style::Color::Reset);
                assert!(cell.symbol().is_ascii(), "{:?}", cell.symbol());
            }
        }
    }
    let mut stage = ascii();
    insta::assert_snapshot!("ascii_80x24", stage.frame(80, 24));
}

#[test]
fn only_colours_that_every_background_can_bear() {
    use ratatui::style::Color;
    let terminal = kitchen().drawn(120, 40);
    let mut colored = false;
    for cell in terminal.backend().buffer().content() {
        let fine =
            [Color::Reset, Color::Cyan, Color::Green, Color::Magenta, Color::Yellow, Color::Red];
        assert!(fine.contains(&cell.fg) && cell.bg == Color::Reset, "{cell:?}");
        colored |= cell.fg != Color::Reset;
    }
    assert!(colored, "somebody's name has a colour");
}
