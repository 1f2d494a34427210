//! The complaints at the top of TUI.md, each tried on purpose. `README.md` has the table.

use crate::stage::{RAVI, Stage};
use trialogue_client::Via;
use trialogue_tui::msg::Msg;

#[test]
fn c2_the_client_never_gives_up_and_says_where_it_is() {
    let mut stage = Stage::new();
    for attempt in 1..200 {
        stage.play(&format!("lost {attempt} 15; waited 15000"));
    }
    stage.shows("Reconnecting · retry 199").shows("Ctrl-R retry now");
    assert!(!stage.effects.contains(&"Quit".to_owned()));
    stage.effects.clear();
    stage.play("presses ctrl-r").wants(&["RetryNow"]);
}

#[test]
fn c4_a_paste_of_many_lines_is_one_draft() {
    let mut stage = Stage::new();
    stage.play(r"pastes one\ntwo\nthree").wants(&["typing true"]);
    stage.play("presses alt-enter; types four; presses ctrl-j; types five; presses enter");
    stage.wants(&["typing false", "send 0: one\ntwo\nthree\nfour\nfive"]);
}

#[test]
fn c5_unread_is_counted_divided_and_one_key_away() {
    let mut stage = Stage::new();
    stage.play("ravi says seen; looks away; waited 3000; ravi says new one; ravi says new two");
    stage.shows("── 2 new ─").shows("Chats · 1 unread").shows("   1 Boiler service D!");
    stage.play("presses alt-a").shows(">  1 Boiler service");
}

#[test]
fn c6_a_catch_up_is_one_line_and_no_bell() {
    let mut stage = Stage::new();
    stage.play("looks away; lost 1 1; rejoining");
    stage.effects.clear();
    stage.play("ravi said one; ravi said two; connected; listed 2 4 0 0");
    stage.shows("Connected · 5 new in 2 chats");
    assert!(!stage.effects.contains(&"Bell".to_owned()), "{:?}", stage.effects);
    stage.play("waited 5000").shows("Connected · amna (customer)");
}

#[test]
fn c7_an_open_chat_that_nobody_looks_at_rings_and_is_not_read() {
    let mut stage = Stage::new();
    stage.play("looks away; ravi says hello").wants(&["Bell"]);
    let mut unknown = Stage::new();
    unknown.model.window.focus = None;
    unknown.model.window.looked = false;
    unknown.play("ravi says hello").wants(&["Bell"]);
    unknown.play("waited 1000; presses left").wants(&["read 1"]);
}

#[test]
fn c9_the_mouse_is_off_until_it_is_asked_for() {
    let mut stage = Stage::new();
    stage.play("presses f12").wants(&["Mouse(true)"]).shows("mouse on: F12 off");
    stage.play("presses f12").wants(&["Mouse(false)"]);
}

#[test]
fn c11_escape_goes_one_step_back_and_never_quits() {
    let mut stage = Stage::new();
    for place in ["f1", "f2", "f3", "tab", "ctrl-k", "esc"] {
        stage.play(&format!("presses {place}"));
        stage.play("presses esc esc esc esc");
    }
    assert!(!stage.effects.contains(&"Quit".to_owned()));
    // An empty form is nothing to ask for.
    Stage::new().play("presses f2 ctrl-q").wants(&["LoadProviders", "Quit"]);
}

#[test]
fn c12_the_help_is_the_table_and_enter_alone_undoes_nothing() {
    let mut stage = Stage::new();
    stage.play("sized 80x60; presses f1").shows("retry the connection now").shows("Alt-A");
    stage.play("presses esc f3 enter enter enter; types it leaks");
    assert!(!stage.effects.iter().any(|e| e.starts_with("OpenDispute")), "{:?}", stage.effects);
    stage.play("presses ctrl-s");
    assert!(stage.effects.iter().any(|e| e.starts_with("OpenDispute")), "{:?}", stage.effects);
}

#[test]
fn c13_a_typing_sign_goes_with_its_writer() {
    let mut stage = Stage::new();
    stage.play("ravi types").shows("── Ravi is typing… ─");
    stage.play("ravi stops").hides("typing");
}

#[test]
fn c14_wide_text_breaks_no_column() {
    let mut stage = Stage::new();
    for text in ["日本語のメッセージです".repeat(5).as_str(), "👨‍👩‍👧‍👦 family ❤️ flag 🇵🇰", "é́́́́ zalgo"]
    {
        stage.says(RAVI, text, Via::Live);
    }
    let terminal = stage.drawn(80, 24);
    let buffer = terminal.backend().buffer();
    for y in 0..23 {
        assert_eq!(buffer[(22, y)].symbol(), "│", "row {y}");
    }
}

#[test]
fn hostile_text_is_harmless_wherever_it_is_shown() {
    let mut stage = Stage::new();
    let evil = "\u{1b}]0;x\u{7}\u{9b}2J\u{202e}evil\u{2028}\r";
    stage.says(RAVI, evil, Via::Live);
    stage.tell(Msg::Paste(evil.to_owned()));
    let terminal = stage.drawn(80, 24);
    for cell in terminal.backend().buffer().content() {
        assert!(!cell.symbol().contains(trialogue_client::sanitize::is_hazard));
    }
    stage.shows("evil");
}
