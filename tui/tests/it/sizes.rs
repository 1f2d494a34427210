//! Any size, any text: never a panic, never a cell outside.

use proptest::prelude::*;
use serde_json::json;
use trialogue_client::Via;
use trialogue_protocol::{Message, MessagePage};
use trialogue_tui::msg::{Msg, Reply};

use crate::frames::{invites, kitchen};
use crate::stage::{RAVI, Stage, chat_id};

/// At and around every breakpoint of the layout, and far from all of them.
const WIDTHS: [u16; 14] = [0, 1, 2, 22, 23, 24, 25, 44, 59, 60, 61, 99, 100, 300];
const HEIGHTS: [u16; 11] = [0, 1, 2, 3, 5, 6, 7, 11, 12, 24, 100];

fn nasty(stage: &mut Stage) {
    let long = "x".repeat(1_000_000);
    let lines = "line\n".repeat(4_000);
    let texts = [
        "👨‍👩‍👧‍👦❤️🇵🇰",
        "مرحبا بالعالم",
        "é́́́́́́́́́́́",
        "\u{200d}\u{fe0f}\u{200b}",
        "日本語",
        "",
        "\n\n",
        "\t",
        long.as_str(),
        lines.as_str(),
    ];
    for text in texts {
        stage.says(RAVI, text, Via::Live);
    }
}

#[test]
fn every_size_draws_every_state() {
    let openings = [
        "",
        "presses esc",
        "presses tab tab",
        "presses f1",
        "presses f2",
        "presses f3",
        "presses alt-l",
        "expired; presses esc ctrl-u enter",
    ];
    for opening in openings {
        let mut stage = kitchen();
        nasty(&mut stage);
        stage.play(opening);
        for width in WIDTHS {
            for height in HEIGHTS {
                stage.drawn(width, height);
                stage.play("presses pageup pageup pagedown");
                stage.drawn(width, height);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_text_at_any_size(
        width in 0u16..300,
        height in 0u16..100,
        texts in prop::collection::vec("\\PC{0,200}|[\\x00-\\x1f\u{80}-\u{9f}a-z ]{0,80}", 1..6),
        draft in "\\PC{0,300}",
        scrolls in 0usize..6,
    ) {
        let mut stage = kitchen();
        stage.play(&format!("sized {width}x{height}"));
        for text in &texts {
            stage.says(RAVI, text, Via::Live);
        }
        stage.tell(Msg::Paste(draft));
        for _ in 0..scrolls {
            stage.key("pageup");
        }
        stage.drawn(width, height);
    }
}

/// Text that breaks columns, terminals and expectations.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,120}",
        "[\\x00-\\x1f\u{80}-\u{9f}a-z ]{0,80}",
        "(👨‍👩‍👧‍👦|❤️|🇵🇰|日本|é́́|\u{202e}|\u{200d}|\u{200b}|مرحبا|\n){0,40}",
        Just("x".repeat(5_000)),
    ]
}

/// What can stand over the chat, or instead of it.
const SCREENS: [&str; 9] = [
    "presses f1",
    "presses f2",
    "presses f3",
    "presses tab /",
    "presses alt-l",
    "presses ctrl-f",
    "expired; presses esc ctrl-u enter",
    "expired; presses esc ctrl-u enter f2",
    "lost 3 4",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_text_in_every_form_and_page(
        (width, height) in (0u16..=300, 0u16..=100),
        screen in 0usize..SCREENS.len(),
        words in prop::collection::vec(hostile(), 1..4),
    ) {
        let mut stage = kitchen();
        stage.play(&format!("sized {width}x{height}"));
        stage.play(SCREENS[screen]);
        for text in words {
            // Into a field, a filter or the draft; then on to the next one, and off.
            stage.tell(Msg::Paste(text));
            stage.drawn(width, height);
            stage.play("presses tab down left pagedown ctrl-s enter");
            stage.drawn(width, height);
        }
        stage.play("presses esc esc");
        stage.drawn(width, height);
    }

    #[test]
    fn any_text_in_the_queue_of_an_lsm(
        (width, height) in (0u16..=300, 0u16..=100),
        why in hostile(),
        said in prop::collection::vec(hostile(), 0..4),
    ) {
        let mut stage = invites();
        let mut dispute = stage.model.invites.list[0].clone();
        dispute.description.clone_from(&why);
        dispute.lsm.name = why;
        let messages: Vec<Message> = said.iter().map(|text| stage.message(RAVI, text)).collect();
        let page = json!({"chatId": chat_id(0), "messages": messages});
        let page: MessagePage = serde_json::from_value(page).unwrap();
        stage.tell(Msg::Reply(Reply::Invites(Ok(vec![dispute]))));
        stage.drawn(width, height);
        stage.tell(Msg::Reply(Reply::Preview { chat: chat_id(0), page: Ok(page) }));
        stage.drawn(width, height);
        stage.play("presses space enter");
        stage.drawn(width, height);
    }

    #[test]
    fn any_text_is_searched_for_and_found_where_it_is(
        (width, height) in (0u16..=300, 0u16..=100),
        texts in prop::collection::vec(hostile(), 1..5),
        needle in "[a-z\\PC]{0,3}",
    ) {
        let mut stage = kitchen();
        stage.play(&format!("sized {width}x{height}"));
        for text in &texts {
            stage.says(RAVI, text, Via::Live);
        }
        stage.play("presses ctrl-f");
        stage.tell(Msg::Paste(needle));
        stage.drawn(width, height);
        stage.play("presses enter");
        stage.drawn(width, height);
        stage.play("presses pageup n up down");
        stage.drawn(width, height);
    }

    #[test]
    fn any_text_before_three_at_one_table(
        (width, height) in (0u16..=300, 0u16..=100),
        texts in prop::collection::vec(hostile(), 1..4),
        draft in hostile(),
    ) {
        crate::trio::any_text(width, height, &texts, &draft);
    }
}
