//! Any size, any text: never a panic, never a cell outside.

use proptest::prelude::*;
use trialogue_client::Via;
use trialogue_tui::msg::Msg;

use crate::frames::kitchen;
use crate::stage::{RAVI, Stage};

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
