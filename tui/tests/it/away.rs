//! Nobody looks: somebody else has the terminal, or the session has no room.

use std::time::Duration;

use trialogue_client::session::Update;
use trialogue_client::{LinkState, Via};
use trialogue_tui::effect::Effect;
use trialogue_tui::model::log::{Joined, State};
use trialogue_tui::msg::{Msg, Now, Reply};
use trialogue_tui::table::Table;

use crate::stage::{RAVI, Stage, ack, chat_id, noon};

#[test]
fn what_comes_while_an_editor_has_the_terminal_rings_and_is_not_read() {
    let mut stage = Stage::new();
    let mut table = Table::new(vec![stage.model.clone()]);
    let now = Now { at: Duration::from_secs(10), wall: noon() };
    table.terminal(Msg::Focus(true), now);
    table.cover(true, now);
    let message = stage.message(RAVI, "are you there?");
    let heard = Msg::Update(Update::Message { message, via: Via::Live });
    let effects = table.heard(0, heard, now);
    assert!(effects.contains(&(0, Effect::Bell)), "{effects:?}");
    let is_receipt = |(_, effect): &(usize, Effect)| matches!(effect, Effect::MarkRead(..));
    assert!(!effects.iter().any(is_receipt), "{effects:?}");
    let effects = table.cover(false, now);
    assert!(effects.iter().any(is_receipt), "{effects:?}");
}

#[test]
fn joined_is_said_once_the_server_has_said_so() {
    let mut stage = Stage::new();
    stage.model.log(chat_id(0)).joined = Joined::Invited;
    stage.tell(Msg::Update(Update::Link(LinkState::Offline)));
    stage.play("sends /join").shows("joining…");
    stage.up();
    stage.tell(Msg::Update(Update::Joined { ack: ack(0), again: false }));
    assert_eq!(stage.model.notice.text.as_deref(), Some("joined"));
    // Entered again after a loss it is no news.
    stage.model.notice.text = None;
    stage.tell(Msg::Update(Update::Joined { ack: ack(0), again: true }));
    assert_eq!(stage.model.notice.text, None);
}

#[test]
fn a_command_that_found_no_room_is_not_shown_as_done() {
    let mut stage = Stage::new();
    stage.play("sends Park in the yard; refused server error; sends /retry");
    let pending = stage.model.open_log().unwrap().1.pending[0].clone();
    assert_eq!(pending.state, State::Queued);
    stage.tell(Msg::Reply(Reply::NotDone(Effect::Again(pending.id.clone()))));
    stage.shows("not sent: too many commands wait");
    stage.effects.clear();
    stage.tell(Msg::Reply(Reply::NotDone(Effect::Discard(pending.id))));
    stage.wants(&["LoadKept"]);
    stage.tell(Msg::Reply(Reply::NotDone(Effect::Join(chat_id(0)))));
    assert!(matches!(stage.model.open_log().unwrap().1.joined, Joined::Refused(_)));
}
