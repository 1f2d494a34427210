//! From the draft to a message on its way, and what to do with one that was refused.

use trialogue_protocol::{
    ChatId, ClientMessageId, MESSAGE_BYTES_MAX, MESSAGE_CHARS_MAX, PROTOCOL_VERSION, TextError,
    check_message_text,
};

use super::{command, rooms, stop_typing};
use crate::effect::Effect;
use crate::keys::{Action, Place};
use crate::model::Model;
use crate::model::log::{Eye, Fault, Joined, Older, Pending, Row, Spot, State};
use crate::msg::Now;
use crate::text;

/// Longest text that is copied, in bytes: terminals take 74,000 letters in one OSC 52, of which the
/// encoding needs four for three.
const COPY_BYTES_MAX: usize = 74_000 / 4 * 3;
/// Messages that are read out at once (10), where there is no screen.
const READ_AT_ONCE: usize = 10;

/// Enter in the input.
pub(super) fn submit(model: &mut Model, now: Now, out: &mut Vec<Effect>) {
    let draft = model.compose.editor.text();
    if draft.trim().is_empty() {
        return enter_on_nothing(model);
    }
    if draft.starts_with('/') && !draft.starts_with("//") {
        let line = draft.to_owned();
        return command::run(model, &line, now, out);
    }
    let text = draft.strip_prefix('/').filter(|_| draft.starts_with("//")).unwrap_or(draft);
    let text = text.to_owned();
    if send(model, &text, now, out) {
        let draft = model.compose.editor.text().to_owned();
        model.compose.remember(draft);
        model.compose.put_back();
    }
}

/// Enter without a draft does nothing that cannot be undone: an invitation is accepted by its word.
fn enter_on_nothing(model: &mut Model) {
    if model.connection.is_signed_out() {
        super::dialog::sign_in(model);
    }
}

/// Puts a text on its way; `false`: the draft stays, and the rule above it says why.
pub(super) fn send(model: &mut Model, text: &str, now: Now, out: &mut Vec<Effect>) -> bool {
    let Some(chat) = model.chats.open else {
        let how = model.how_to(Place::Input, Action::NextPane, "to the list, or");
        model.compose.problem = Some(format!("no chat is open:{how} /chat NAME"));
        return false;
    };
    let closed = model.chats.get(chat).is_some_and(|entry| entry.chat.closed);
    let other = model.connection.other_version.map(|version| {
        format!("read only: the server speaks v{version}, this client v{PROTOCOL_VERSION}")
    });
    let problem = match (&model.log(chat).joined, check_message_text(text)) {
        (Joined::Refused(_), _) => Some("you are not in this chat".to_owned()),
        (Joined::Invited, _) => Some("join to write: /join".to_owned()),
        _ if closed => Some("this chat is closed: the job was cancelled".to_owned()),
        // What it would make of a message nobody knows.
        _ if other.is_some() => other,
        (_, Err(TextError::TooLarge)) => {
            // What matters comes first: the rule may be narrow.
            Some(match text.chars().count() {
                chars if chars > MESSAGE_CHARS_MAX => {
                    format!("too long: {chars} of at most {MESSAGE_CHARS_MAX} characters")
                }
                _ => format!("too long: {} of at most {MESSAGE_BYTES_MAX} bytes", text.len()),
            })
        }
        (_, Err(error)) => Some(error.to_string()),
        (Joined::Yes | Joined::Joining, Ok(())) => None,
    };
    if problem.is_some() {
        model.compose.problem = problem;
        return false;
    }
    (model.compose.problem, model.window.asked) = (None, false);
    let id = model.ids.message();
    let log = model.log(chat);
    let state = State::Queued;
    log.pending.push(Pending { id: id.clone(), text: text.to_owned(), at: now.wall, state });
    log.eye = Eye::default();
    (log.new_from, log.mark) = (None, None);
    stop_typing(model, out);
    out.push(Effect::Send { id, chat, text: text.to_owned() });
    true
}

/// The refused message that is meant, and its chat: the N-th of all chats; without a number the one
/// under the cursor, or the first one of the open chat.
fn refused(model: &Model, number: Option<usize>) -> Option<(ChatId, ClientMessageId)> {
    if let Some(number) = number {
        let mut failed = model.failed();
        return failed.nth(number.checked_sub(1)?).map(|(chat, p)| (chat, p.id.clone()));
    }
    let (chat, log) = model.open_log()?;
    let failed = |pending: &&Pending| matches!(pending.state, State::Failed { .. });
    if let Some(Spot::Pending(id)) =
        log.eye.selected.as_ref().filter(|_| model.place == Place::Messages)
    {
        let here = log.pending.iter().filter(failed).find(|p| p.id == *id);
        return here.map(|p| (chat, p.id.clone()));
    }
    log.pending.iter().find(failed).map(|pending| (chat, pending.id.clone()))
}

/// Tries a refused message again.
pub(super) fn retry(model: &mut Model, number: Option<usize>, now: Now, out: &mut Vec<Effect>) {
    let Some((chat, id)) = refused(model, number) else {
        return model.notice.complain("nothing here was refused", now.at);
    };
    let log = model.log(chat);
    let Some(pending) = log.pending_mut(&id) else { return };
    let State::Failed { how, .. } = pending.state else { return };
    let (id, text) = (pending.id.clone(), pending.text.clone());
    if how == Fault::Conflict {
        let why = "the server has another text under its name: edit it instead";
        return model.notice.complain(why, now.at);
    }
    pending.state = State::Queued;
    // The outbox puts it at the end of its queue.
    if let Some(pending) = log.take_pending(&id) {
        log.pending.push(pending);
        log.eye.selected = Some(Spot::Pending(id.clone()));
    }
    out.push(match how {
        Fault::NotTaken => Effect::Send { id, chat, text },
        Fault::Refused | Fault::Conflict | Fault::Unsure => Effect::Again(id),
    });
}

/// Gives a refused message up, and puts its text into the input if it is to be edited.
pub(super) fn give_up(
    model: &mut Model,
    number: Option<usize>,
    edit: bool,
    now: Now,
    out: &mut Vec<Effect>,
) {
    let found = refused(model, number);
    let taken = found.and_then(|(chat, id)| model.log(chat).take_pending(&id));
    let Some(Pending { id, text, .. }) = taken else {
        return model.notice.complain("nothing here was refused", now.at);
    };
    out.push(Effect::Discard(id));
    if model.is_spoken() {
        // Nothing can be put under the fingers of whoever types lines.
        let text = text::block(&text).replace('\n', " ");
        model.notice.say(format!("given up: {text}"), now.at);
        return;
    }
    let up = model.key_for(Place::Input, Action::Up);
    if edit {
        let had_draft = model.compose.replace(&text);
        model.place = Place::Input;
        if let Some(up) = up.filter(|_| had_draft) {
            model.notice.say(format!("{up} brings the other draft back"), now.at);
        }
    } else {
        model.compose.remember(text);
        let how = up.map(|up| format!("; {up} in the input brings it back")).unwrap_or_default();
        model.notice.say(format!("discarded{how}"), now.at);
    }
}

/// Copies the text of the row under the cursor.
pub(super) fn copy(model: &mut Model, now: Now, out: &mut Vec<Effect>) {
    let text = model.open_log().and_then(|(_, log)| {
        let at = log.place_of(log.eye.selected.as_ref()?)?;
        let said = log.row(at).and_then(|row| row.said()).map(|said| said.text.to_string());
        said.or_else(|| log.pending_at(at).map(|pending| pending.text.clone()))
    });
    let Some(mut text) = text else { return };
    let all = text.len();
    text.truncate(text.floor_char_boundary(COPY_BYTES_MAX));
    if text.len() < all {
        let said = format!("only the first {} of {all} bytes are copied", text.len());
        model.notice.complain(said, now.at);
    } else {
        let short = text::cut(&text.replace('\n', " "), 30, "…");
        model.notice.say(format!("copied: {short}"), now.at);
    }
    out.push(Effect::Copy(text));
}

/// Everything that was said is read, wherever the user looks.
pub(super) fn mark_read(model: &mut Model, now: Now, out: &mut Vec<Effect>) {
    if let Some((chat, log)) = model.open_log_mut() {
        log.read_to = log.last_name();
        log.new_from = None;
        out.push(Effect::MarkRead(chat, log.last_seq()));
        model.notice.say("marked as read", now.at);
    }
}

/// Earlier messages, by a command: the next older page; where lines are read out, those above the
/// ones that were read out last.
pub(super) fn history(model: &mut Model, now: Now, out: &mut Vec<Effect>) {
    if !model.is_spoken() {
        return rooms::older(model, out);
    }
    if read_up(model, out) {
        return;
    }
    rooms::older(model, out);
    let Some((_, log)) = model.open_log() else {
        return model.notice.complain("no chat is open: /chat NAME", now.at);
    };
    if log.older == Older::None {
        model.notice.say("this is the beginning of the chat", now.at);
    }
}

/// The next messages above are read out; `false`: there are none here. A gap among them is asked
/// for.
pub(super) fn read_up(model: &mut Model, out: &mut Vec<Effect>) -> bool {
    let Some((_, log)) = model.open_log_mut() else { return false };
    let from = log.eye.selected.as_ref().and_then(|spot| log.place_of(spot));
    let from = from.unwrap_or(log.rows().len()).min(log.rows().len());
    let to = from.saturating_sub(READ_AT_ONCE);
    let is_gap = |at: &usize| matches!(log.row(*at), Some(Row::Missing { .. }));
    let gap = (to..from).rev().find(is_gap);
    let to = gap.map_or(to, |gap| if gap + 1 == from { gap } else { gap + 1 });
    log.eye.selected = log.spot_at(to).filter(|_| to < log.rows().len());
    if gap == Some(to) {
        rooms::fill_gap(model, out);
    }
    to < from
}
