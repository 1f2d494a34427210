//! Three at one table: whose keys count, whose line is cut, who is seen to read.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use trialogue_client::Via;
use trialogue_client::session::Update;
use trialogue_tui::effect::Effect;
use trialogue_tui::msg::{Msg, Now};
use trialogue_tui::script::{Script, Told};
use trialogue_tui::table::Table;
use trialogue_tui::view_table;

use crate::stage::{AMNA, LENA, RAVI, Stage, chat_id, key_event, noon, text_of};

pub(crate) fn now() -> Now {
    Now { at: std::time::Duration::from_secs(10), wall: noon() }
}

/// Customer, provider and LSM, each with the kitchen's chat open.
pub(crate) fn table() -> Table {
    let models = [AMNA, RAVI, LENA].map(|id| {
        let mut stage = Stage::of(id);
        stage.up();
        stage.list(&[0]);
        let joined = Update::Joined { ack: crate::stage::ack(0), again: false };
        stage.tell(Msg::Update(joined));
        stage.says(AMNA, "Hi Ravi, the sink leaks again.", Via::CatchUp);
        stage.says(RAVI, "I fixed the joint, not the trap.", Via::CatchUp);
        stage.model.notice = Default::default();
        stage.model
    });
    Table::new(models.into())
}

pub(crate) fn press(table: &mut Table, keys: &str) -> Vec<(usize, Effect)> {
    let keys = keys.split(' ').map(key_event);
    keys.flat_map(|key| table.terminal(Msg::Key(key), now())).collect()
}

fn drawn(table: &mut Table, width: u16, height: u16) -> Buffer {
    table.terminal(Msg::Resize(width, height), now());
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view_table(table, frame)).unwrap();
    terminal.backend().buffer().clone()
}

pub(crate) fn frame(table: &mut Table, width: u16, height: u16) -> String {
    text_of(&drawn(table, width, height))
}

/// The LSM has the keys and has cut the line.
pub(crate) fn picture(width: u16, height: u16) -> Buffer {
    let mut table = table();
    table.terminal(Msg::Focus(true), now());
    press(&mut table, "f7 f4");
    drawn(&mut table, width, height)
}

#[test]
fn keys_go_to_one_of_three_and_only_that_one_reads() {
    let mut table = table();
    table.terminal(Msg::Resize(120, 30), now());
    let reads = table.terminal(Msg::Focus(true), now());
    assert_eq!(reads, [(0, Effect::MarkRead(chat_id(0), Some(2)))]);
    let out = press(&mut table, "h i enter");
    assert!(out.iter().all(|(seat, _)| *seat == 0), "{out:?}");
    let reads = press(&mut table, "f6");
    assert_eq!(reads, [(1, Effect::MarkRead(chat_id(0), Some(2)))]);
    let out = press(&mut table, "f4");
    assert_eq!(out, [(1, Effect::CutLine(true))]);
    let healed = press(&mut table, "f4");
    assert_eq!(healed, [(1, Effect::CutLine(false)), (1, Effect::RetryNow)]);
}

#[test]
fn three_side_by_side_or_one_with_a_line_for_each() {
    let mut table = table();
    table.terminal(Msg::Focus(true), now());
    press(&mut table, "f7 f4");
    insta::assert_snapshot!("trio_120x24", frame(&mut table, 120, 24));
    insta::assert_snapshot!("trio_80x16", frame(&mut table, 80, 16));
}

/// Somebody says this, somebody else types that, and the eyes go round.
pub(crate) fn any_text(width: u16, height: u16, texts: &[String], draft: &str) {
    let mut table = table();
    let mut voice = Stage::of(RAVI);
    for text in texts {
        let message = voice.message(RAVI, text);
        for seat in 0..3 {
            let update = Update::Message { message: message.clone(), via: Via::Live };
            table.heard(seat, Msg::Update(update), now());
        }
    }
    for key in ["f6", "f7 f4", "f5 f1", "esc f3"] {
        drawn(&mut table, width, height);
        press(&mut table, key);
        table.terminal(Msg::Paste(draft.to_owned()), now());
    }
    drawn(&mut table, width, height);
}

#[test]
fn the_table_fits_every_size() {
    let mut table = table();
    for width in [0, 1, 24, 40, 95, 96, 97, 300] {
        for height in [0, 1, 2, 3, 4, 6, 9, 100] {
            frame(&mut table, width, height);
            press(&mut table, "f6 pageup f5 f1 esc");
            frame(&mut table, width, height);
        }
    }
}

#[test]
fn a_seat_that_nobody_took_loads_nothing_and_still_has_a_name() {
    let mut seat = Stage::of(RAVI).model;
    (seat.who.user, seat.who.profile) = (None, "ravi".to_owned());
    seat.chats.follows = true;
    let mut table = Table::new(vec![seat.clone(), seat]);
    drawn(&mut table, 80, 16);
    let later = Now { at: std::time::Duration::from_secs(29), wall: noon() };
    table.tick(later);
    let frame = frame(&mut table, 80, 16);
    assert!(!frame.contains("Loading"), "{frame}");
    assert!(frame.contains("focus ravi"), "{frame}");
    assert_eq!(table.next_wake(), None);
}

#[test]
fn the_next_step_is_readable_where_the_screen_is_narrow() {
    let mut table = table();
    let mut script = Script::new("dispute-join", 14);
    let words = "amna sends Hi Ravi".to_owned();
    let waits = Told::Waits { place: "1".to_owned(), words, is_heading: false };
    script.hear(waits, now().at);
    table.script = Some(script);
    let bar = |table: &mut Table, width| frame(table, width, 16).lines().last().unwrap().to_owned();
    let narrow = bar(&mut table, 80);
    assert!(narrow.contains("step 0 of 14 · next: amna sends Hi Ravi"), "{narrow}");
    assert!(narrow.contains("F8 step  F9 play"), "{narrow}");
    let wide = bar(&mut table, 130);
    assert!(wide.contains("Trio · focus Amna · dispute-join step 0 of 14 · next: amna"), "{wide}");
    assert!(wide.contains("F4 cut the line"), "{wide}");
}
