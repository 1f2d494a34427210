//! Quitting: asks once where something would be left behind.

use crate::effect::Effect;
use crate::keys::Action;
use crate::model::Model;
use crate::msg::Now;

/// A key that quits, or clears where nothing is to be cleared.
pub(super) fn quit(model: &mut Model, action: Action, now: Now, out: &mut Vec<Effect>) {
    match question(model) {
        None if action == Action::Quit => return out.push(Effect::Quit),
        None => {
            let question = "quit? once more to quit, any other key to stay";
            model.notice.complain(question, now.at);
        }
        Some(question) => {
            model.notice.complain(format!("{question}: once more to quit"), now.at);
        }
    }
    model.window.quitting = true;
}

/// The same as a word; typed once more, with nothing else between, it quits.
pub(super) fn by_word(model: &mut Model, was_asked: bool, now: Now, out: &mut Vec<Effect>) {
    if was_asked {
        return out.push(Effect::Quit);
    }
    quit(model, Action::Quit, now, out);
    model.window.asked = model.window.quitting;
}

/// What would be left behind, the worst first.
fn question(model: &Model) -> Option<String> {
    let are = |count: usize, word: &str| match count {
        1 => format!("1 message is {word}"),
        count => format!("{count} messages are {word}"),
    };
    let lost = model.lost();
    let kept = if model.connection.in_memory { 0 } else { model.waiting() + model.refused() };
    match (lost, kept) {
        (0, _) if model.dialogs.has_text() => Some("the text of a form will be lost".to_owned()),
        (0, 0) => {
            let draft = "a draft is not sent; it is kept".to_owned();
            Some(draft).filter(|_| model.compose.has_drafts())
        }
        (0, 1) => Some("1 message is not sent yet; it is kept".to_owned()),
        (0, kept) => Some(format!("{}; they are kept", are(kept, "not sent yet"))),
        (lost, 0) => Some(are(lost, "not sent and will be lost")),
        (lost, kept) => Some(format!("{}, {kept} kept", are(lost, "not sent and will be lost"))),
    }
}
