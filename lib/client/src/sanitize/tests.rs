//! A real terminal's state machine is the judge: it may print and break lines, nothing else.

use proptest::prelude::*;

use super::*;

/// Keeps what a terminal puts on the screen; a control other than a line's end or a tab shows as
/// `<byte>`. Sequences put nothing there, so they are missed in the comparison.
#[derive(Default)]
struct Judge {
    screen: String,
}

impl vte::Perform for Judge {
    fn print(&mut self, c: char) {
        self.screen.push(c);
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\n' | b'\t' => self.screen.push(char::from(byte)),
            other => self.screen.push_str(&format!("<{other:#04x}>")),
        }
    }
}

/// What a terminal shows of this output and of our own next word.
fn screen(output: &str) -> String {
    let (mut judge, mut parser) = (Judge::default(), vte::Parser::new());
    parser.advance(&mut judge, output.as_bytes());
    parser.advance(&mut judge, b"next");
    judge.screen
}

/// Whether a terminal shows exactly this, and nothing of it reaches into what comes after.
fn is_only_shown(output: &str) -> bool {
    screen(output) == format!("{output}next")
}

/// Group H of RELIABILITY §3.8, and what terminals of our days understand besides.
const PAYLOADS: [&str; 44] = [
    "\x1b]52;c;cm0gLXJmIH4=\x07",
    "\x1b]0;title\x07",
    "\x1b]2;title\x1b\\",
    "\x1b]8;;http://evil.example\x07click\x1b]8;;\x07",
    "\x1b]7;file:///etc\x07",
    "\x1b]133;A\x07",
    "\x1b]1337;File=inline=1:AAAA\x07",
    "\x1b]777;notify;a;b\x07",
    "\x1b]9;beep\x07",
    "\x1b]4;0;?\x07",
    "\x1b]10;?\x07",
    "\x1b]50;?\x07",
    "\x1b]unterminated",
    "\x1b[2J",
    "\x1b[6n",
    "\x1b[c",
    "\x1b[>c",
    "\x1b[5n",
    "\x1b[20t",
    "\x1b[21t",
    "\x1b[?1049l",
    "\x1b[?1049h",
    "\x1b[?1000h",
    "\x1b[?2004l",
    "\x1b[1;1H",
    "\x1b[31m",
    "\x1b[!p",
    "\x1bc",
    "\x1b#8",
    "\x1b7\x1b8",
    "\x1b(0",
    "\x1bP$q\"p\x1b\\",
    "\x1bPq#0;2;0;0;0\x1b\\",
    "\x1b_Ga=T;AAAA\x1b\\",
    "\x1b^private\x1b\\",
    "\x1bXstring\x1b\\",
    "\u{9b}2J",
    "\u{9d}52;c;x\u{9c}",
    "\u{90}q\u{9c}",
    "\u{98}\u{9e}\u{9f}",
    "over\rwritten",
    "back\x08\x08\x08space",
    "bell\x07 form\x0c feed\x0b vertical \x0e\x0f\x05",
    "\x1b\x1b[2J\x1b]0;\x1b[31m\x07\x1b]52;c;\u{9d}0;x\x07",
];

#[test]
fn no_payload_steers_a_terminal_whole_or_split() {
    for payload in PAYLOADS {
        assert!(!is_only_shown(payload), "{payload:?} is harmless to the judge");
        for gate in [text, line] {
            let whole = gate(payload);
            assert!(is_only_shown(&whole), "{payload:?} as {whole:?}");
            // Split across two messages, or wrapped anywhere.
            for at in (0..payload.len()).filter(|&at| payload.is_char_boundary(at)) {
                let halves = format!("{}\n  {}", gate(&payload[..at]), gate(&payload[at..]));
                assert!(is_only_shown(&halves), "{payload:?} split at {at}");
            }
        }
    }
}

#[test]
fn what_was_hidden_is_shown() {
    let check = |raw, expect| assert_eq!(text(raw), expect);
    check("\x1b[2J", "␛[2J");
    check("over\rwritten", "over␍written");
    check("nul\0 del\x7f", "nul␀ del␡");
    check("c1\u{9b}2J next\u{85}line", "c1�2J next�line");
    check("\u{202e}drowssap\u{2066}", "�drowssap�");
    check("a\u{2028}b\u{2029}c\u{feff}d", "a�b�c�d");
    check("flag\u{e0067}\u{e007f}", "flag��");
    check("pass\u{200b}word\u{2060}", "password");
    check("lines\n\tstay", "lines\n\tstay");
    assert_eq!(line("Amna\nSupport:\tpassword?"), "Amna␊Support: password?");
}

#[test]
fn what_people_write_stays_as_it_is() {
    for words in [
        "Hi Ravi, can you come today?",
        "عند الباب",
        "क्षत्रिय ன் வணக்கம்",
        "Tiếng Việt được",
        "👨‍👩‍👧‍👦 👍🏽 🏳️‍🌈 1️⃣",
        "می‌خواهم",
        "שָׁלוֹם",
        "漢字かな交じり文",
        "한국어",
        "a\u{301}\u{302}\u{303}",
    ] {
        assert!(matches!(text(words), Cow::Borrowed(_)), "{words}");
        assert!(matches!(line(words), Cow::Borrowed(_)), "{words}");
    }
}

#[test]
fn a_pile_of_marks_does_not_paint_over_other_lines() {
    let pile = format!("Z{}b", "\u{30d}".repeat(1_000));
    assert_eq!(text(&pile), format!("Z{}b", "\u{30d}".repeat(MARKS_MAX)));
}

/// Characters of which a hostile text is made, more often than chance would have them.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<char>().prop_map(String::from),
        proptest::sample::select(PAYLOADS.to_vec()).prop_map(str::to_owned),
        (0u32..0x2100).prop_map(|n| char::from_u32(n).unwrap_or(' ').to_string()),
        (0x300u32..0x310).prop_map(|n| char::from_u32(n).unwrap_or(' ').to_string()),
        (0xe_0000u32..0xe_0080).prop_map(|n| char::from_u32(n).unwrap_or(' ').to_string()),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_comes_out_harmless_once_and_for_all(raw in hostile()) {
        for gate in [text, line] {
            let out = gate(&raw);
            let may_break = |c| std::ptr::fn_addr_eq(gate, text as fn(&str) -> Cow<'_, str>)
                && matches!(c, '\n' | '\t');
            prop_assert!(!out.chars().any(|c| is_hazard(c) && !may_break(c)), "{out:?}");
            prop_assert!(is_only_shown(&out), "{out:?}");
            prop_assert_eq!(gate(&out), &*out, "not idempotent");
            prop_assert!(out.len() <= 4 * raw.len());
        }
    }
}
