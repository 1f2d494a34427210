//! The keys on the screen are those of the table, whatever the user has made of it.

use std::collections::BTreeSet;

use trialogue_client::Error;
use trialogue_tui::keys::{Action, Keys, Place, Preset};
use trialogue_tui::model::log::Older;
use trialogue_tui::msg::{Msg, Reply};
use trialogue_tui::script::{Script, Told};

use crate::frames;
use crate::stage::{Stage, key_event};
use crate::trio;

/// Every action in every place by a key of its own from F20 on, and by no other.
fn other() -> Keys {
    let usual = Keys::new(Preset::Usual);
    let mut keys = usual.clone();
    let mut number = 20;
    for place in Place::ALL {
        for (chords, action) in usual.help(place) {
            for chord in chords.split(' ') {
                keys.bind(place.as_str(), chord, "none").unwrap();
            }
            keys.bind(place.as_str(), &format!("f{number}"), action.as_str()).unwrap();
            number += 1;
        }
    }
    keys
}

/// Words that are keys of the usual table.
fn usual() -> BTreeSet<String> {
    let keys = Keys::new(Preset::Usual);
    let all = Place::ALL.into_iter().flat_map(|place| keys.help(place));
    let words =
        all.flat_map(|(chords, _)| chords.split(' ').map(str::to_owned).collect::<Vec<_>>());
    words.filter(|word| word.chars().count() > 1).collect()
}

/// What the screen says of these, and nothing of any key of before.
#[track_caller]
fn says(frame: &str, told: &[(Place, Action, &str)]) {
    let usual = usual();
    for word in frame.split(|c: char| !c.is_alphanumeric() && c != '-') {
        assert!(!usual.contains(word.trim_matches('-')), "`{word}` is in\n{frame}");
    }
    for letters in ["r retry", "e edit", "d discard", "/ filter", "i write", "y copy", "arrow"] {
        assert!(!frame.contains(letters), "`{letters}` is in\n{frame}");
    }
    for (place, action, words) in told {
        let key = other().key_for(*place, *action).unwrap();
        assert!(frame.contains(&format!("{key}{words}")), "`{key}{words}` is not in\n{frame}");
    }
}

#[track_caller]
fn check(mut stage: Stage, told: &[(Place, Action, &str)]) {
    stage.model.settings.keys = other();
    says(&stage.frame(120, 40), told);
    says(&stage.frame(80, 24), &[]);
}

/// The same after keys were pressed, by their other names.
#[track_caller]
fn press(mut stage: Stage, pressed: &[(Place, Action)], told: &[(Place, Action, &str)]) {
    stage.model.settings.keys = other();
    for (place, action) in pressed {
        let key = other().key_for(*place, *action).unwrap();
        stage.key(&key);
    }
    check(stage, told);
}

use Action::{
    Back, Book, Copy, CutLine, Discard, Dispute, Down, Edit, Editor, Filter, FocusFirst,
    FocusThird, Help, Left, Mouse, NextField, NextPane, Open, PageDown, PageUp, PlayScript,
    Preview, Retry, RetryNow, Right, Search, Send, StepScript, Submit, ToInput, ToMessages, Up,
};
use Place::{Dialog, Input, List, Messages};

#[test]
fn hints_and_states_show_the_keys_as_they_are() {
    let kitchen = frames::kitchen;
    let refused = [
        (Messages, Retry, " retry  "),
        (Messages, Edit, " edit  "),
        (Messages, Discard, " discard"),
        (Input, Help, " help  "),
        (Input, Book, " book  "),
        (Input, Dispute, " dispute"),
        (Input, Dispute, " to file one"),
    ];
    check(kitchen(), &refused);
    check(frames::lost(), &[(Input, RetryNow, " retry now")]);
    let mut expired = kitchen();
    expired.play("queued; expired");
    check(expired, &[(Input, Send, " to sign in")]);
    check(frames::gap(), &[(Messages, Open, " to load")]);
    press(
        kitchen(),
        &[(Input, ToMessages)],
        &[(Messages, Copy, " copy"), (Messages, ToInput, " write")],
    );
    press(kitchen(), &[(Input, NextPane)], &[(List, Open, " open"), (List, Filter, " filter")]);
    let queue = [(List, Open, " join  "), (List, Preview, " preview  "), (List, Filter, " filter")];
    check(frames::invites(), &queue);
    check(frames::invites(), &[(List, Open, ").")]);
    let mut lsm = Stage::of(crate::stage::LENA);
    lsm.up();
    lsm.list(&[]);
    check(lsm, &[(Input, Dispute, " shows who asks for you.")]);
    let mut nowhere = Stage::new();
    nowhere.play("sends /leave; pastes hello");
    press(nowhere, &[(Input, Send)], &[(Input, NextPane, " to the list, or /chat NAME")]);
}

#[test]
fn what_went_wrong_says_the_keys_as_they_are() {
    let timed_out = || Error::Unanswered("timed out".into());
    let mut failed = Stage::new();
    failed.model.chats.list.clear();
    failed.tell(Msg::Reply(Reply::Chats(Err(timed_out()))));
    check(failed, &[(Input, RetryNow, "")]);
    let mut invites = frames::invites();
    invites.model.invites.list.clear();
    invites.tell(Msg::Reply(Reply::Invites(Err(timed_out()))));
    check(invites, &[(List, RetryNow, "")]);
    let mut older = frames::kitchen();
    older.model.open_log_mut().unwrap().1.older = Older::Failed;
    check(older, &[(Input, PageUp, " to retry")]);
    press(frames::kitchen(), &[(Input, Mouse)], &[(Input, Mouse, " off")]);
    let mut search = frames::kitchen();
    search.play("presses ctrl-u; pastes /search nowhere");
    press(search, &[(Input, Send)], &[(Input, PageUp, " loads more")]);
    // On the way to the refused message, over the one that is on its way.
    let to_refused = [(Input, ToMessages), (Messages, Up)];
    let edits = [&to_refused[..], &[(Messages, Edit)]].concat();
    press(frames::kitchen(), &edits, &[(Input, Up, " brings the other draft back")]);
    let discards = [&to_refused[..], &[(Messages, Discard)]].concat();
    press(frames::kitchen(), &discards, &[(Input, Up, " in the input brings it back")]);
}

#[test]
fn forms_and_pages_show_the_keys_as_they_are() {
    let (book, dispute) = frames::forms_open();
    let back = (Dialog, Back, " back (your text is kept)");
    check(book.clone(), &[(Dialog, NextField, " next"), (Dialog, Submit, " book   "), back]);
    check(dispute.clone(), &[(Dialog, Submit, " file and invite   "), back]);
    let choose = [(Dialog, Left, ""), (Dialog, Right, " choose")];
    let previous = [(Dialog, Action::PreviousField)];
    press(dispute, &previous, &choose);
    let mut sign_in = frames::kitchen();
    sign_in.play("expired; presses ctrl-u ctrl-c enter");
    let ways = [
        (Dialog, Book, " makes an account"),
        (Dialog, Dispute, " shows the demo"),
        (Dialog, Send, " sign in"),
        (Dialog, Back, " back"),
    ];
    check(sign_in.clone(), &ways);
    press(sign_in, &[(Dialog, Book)], &[(Dialog, Submit, " make it")]);
    let page = [(Dialog, Up, " "), (Dialog, Down, " "), (Dialog, PageDown, " move   ")];
    press(frames::kitchen(), &[(Input, Help)], &page);
    // The help has every key as it is now: of the first screen of it these.
    let help = [(Input, Send, " "), (Input, Editor, " ")];
    press(frames::kitchen(), &[(Input, Help)], &help);
    assert_eq!(other().key_for(Input, Search), other().key_for(List, Search));
}

#[test]
fn three_at_a_table_show_the_keys_as_they_are() {
    let mut table = trio::table();
    for seat in &mut table.seats {
        seat.model.settings.keys = other();
    }
    let trio = Place::Trio;
    let turns = [(trio, FocusFirst, " "), (trio, FocusThird, " focus"), (trio, Help, " help")];
    let cuts = [(trio, CutLine, " cut the line")];
    says(&trio::frame(&mut table, 130, 24), &[&turns[..], &cuts[..]].concat());
    let cut = other().key_for(trio, CutLine).unwrap();
    table.terminal(Msg::Key(key_event(&cut)), trio::now());
    says(&trio::frame(&mut table, 130, 24), &[(trio, CutLine, " heal the line")]);
    let mut script = Script::new("dispute-join", 14);
    let words = "amna sends Hi Ravi".to_owned();
    let place = "1".to_owned();
    script.hear(Told::Waits { place, words, is_heading: false }, trio::now().at);
    table.script = Some(script);
    let steps = [(trio, StepScript, " step"), (trio, PlayScript, " play")];
    says(&trio::frame(&mut table, 130, 24), &steps);
    let play = other().key_for(trio, PlayScript).unwrap();
    table.terminal(Msg::Key(key_event(&play)), trio::now());
    says(&trio::frame(&mut table, 130, 24), &[(trio, PlayScript, " pause")]);
}
