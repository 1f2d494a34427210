//! What is on paper is what is on the screen: pictures and the list of keys are made from frames and
//! tables, and a test fails when they are no longer the same.

use std::path::Path;

use ratatui::buffer::Buffer;
use trialogue_tui::command::COMMANDS;
use trialogue_tui::keys::{Keys, Place, Preset};
use trialogue_tui::model::dialog::Dialog;

use crate::frames;
use crate::stage::text_of;
use crate::svg;
use crate::trio;

/// Set it to write the files anew: `tui/pictures` does.
const WRITE: &str = "TRIALOGUE_WRITE_PAPER";

/// The file of this crate must hold exactly this.
#[track_caller]
fn is_in(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os(WRITE).is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "tui/{file} is not what is drawn any more: run tui/pictures");
}

/// The pictures: file, what it shows, frame.
fn pictures() -> Vec<(&'static str, &'static str, Buffer)> {
    let mut lost = frames::lost();
    let mut full = frames::kitchen();
    let mut narrow = frames::kitchen();
    let mut ascii = frames::ascii();
    let mut invites = frames::invites();
    let (mut book, mut dispute) = frames::forms_open();
    vec![
        (
            "refused",
            "One message was refused: its text, the reason and three keys",
            full.buffer(80, 24),
        ),
        ("wide", "From 100 columns on, who is there and the job", full.buffer(120, 30)),
        ("lost", "The line is down: what is typed waits", lost.buffer(80, 24)),
        ("narrow", "A narrow window, 44 x 14", narrow.buffer(44, 14)),
        ("book", "Booking a job", book.buffer(80, 24)),
        ("dispute", "Filing a dispute", dispute.buffer(80, 24)),
        ("invites", "The queue of a local service manager", invites.buffer(80, 24)),
        ("trio", "Customer, provider and LSM side by side, one line cut", trio::picture(120, 24)),
        ("ascii", "Nothing but ASCII", ascii.buffer(80, 24)),
    ]
}

#[test]
fn the_pictures_are_those_of_the_frames() {
    let mut page = "# What it looks like\n\nMade by `tui/pictures` from the frames of the tests; \
                    the colours are the terminal's own.\n"
        .to_owned();
    for (name, words, buffer) in pictures() {
        let file = format!("screens/{name}.svg");
        is_in(&file, &svg::of(&buffer, words));
        let text = text_of(&buffer);
        page.push_str(&format!(
            "\n## {words}\n\n![{words}]({file})\n\n<details><summary>As text</summary>\n\n\
             ```\n{text}\n```\n\n</details>\n"
        ));
    }
    is_in("PICTURES.md", &page);
}

#[test]
fn the_list_of_keys_is_the_table_and_so_is_the_help() {
    let keys = Keys::new(Preset::Usual);
    let vim = Keys::new(Preset::Vim);
    let mut page = "# Keys and commands of `trialogue chat`\n\nMade by `tui/pictures` from the \
                    tables in `src/keys/table.rs` and `src/command.rs`; `F1` shows the same. The \
                    words in the last column are those of `chat.toml`, where the action `none` \
                    takes a key away.\n"
        .to_owned();
    let mut stage = crate::stage::Stage::new();
    stage.play("presses f1");
    let Some(Dialog::Page(help)) = &stage.model.dialogs.open else { panic!("no help") };
    let help = help.lines.join("\n");
    for place in Place::ALL {
        page.push_str(&format!(
            "\n## In: {}\n\n| keys | do | name |\n|---|---|---|\n",
            place.as_str()
        ));
        for (chords, action) in keys.help(place) {
            let does = action.help();
            page.push_str(&format!("| `{chords}` | {does} | `{}` |\n", action.as_str()));
            let row = format!("{chords:<22} {does}");
            assert!(place == Place::Trio || help.contains(&row), "the help lacks `{row}`");
        }
    }
    page.push_str("\n## With `preset = \"vim\"` also\n\n| keys | do | in |\n|---|---|---|\n");
    for place in Place::ALL {
        let usual = keys.help(place);
        for (chords, action) in vim.help(place).iter().filter(|row| !usual.contains(row)) {
            let (does, place) = (action.help(), place.as_str());
            page.push_str(&format!("| `{chords}` | {does} | {place} |\n"));
        }
    }
    page.push_str("\n## Commands\n\n| command | does |\n|---|---|\n");
    for command in COMMANDS {
        let word = format!("/{} {}", command.word, command.args);
        let word = word.trim_end();
        page.push_str(&format!("| `{}` | {} |\n", word.replace('|', "\\|"), command.help));
        assert!(help.contains(word), "the help lacks `{word}`");
    }
    is_in("KEYS.md", &page);
}
