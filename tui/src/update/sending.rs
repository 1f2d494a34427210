//! From the draft to a message on its way, and what to do with one that was refused.

use trialogue_protocol::{
    ChatId, ClientMessageId, MESSAGE_BYTES_MAX, MESSAGE_CHARS_MAX, TextError, check_message_text,
};

use super::{command, rooms, stop_typing};
use crate::effect::Effect;
use crate::keys::Place;
use crate::model::Model;
use crate::model::log::{Eye, Fault, Joined, Pending, Spot, State};
use crate::msg::Now;
use crate::text;

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
        model.compose.problem = Some("no chat is open: Tab to the list, or /chat NAME".to_owned());
        return false;
    };
    let closed = model.chats.get(chat).is_some_and(|entry| entry.chat.closed);
    let problem = match (&model.log(chat).joined, check_message_text(text)) {
        (Joined::Refused(_), _) => Some("you are not in this chat".to_owned()),
        (Joined::Invited, _) => Some("join to write: /join".to_owned()),
        _ if closed => Some("this chat is closed: the job was cancelled".to_owned()),
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
    if edit {
        let had_draft = model.compose.replace(&text);
        model.place = Place::Input;
        if had_draft {
            model.notice.say("the other draft is one arrow up away", now.at);
        }
    } else {
        model.compose.remember(text);
        model.notice.say("discarded; arrow up in the input brings it back", now.at);
    }
}

/// Copies the text of the row under the cursor.
pub(super) fn copy(model: &mut Model, now: Now, out: &mut Vec<Effect>) {
    let text = model.open_log().and_then(|(_, log)| {
        let at = log.place_of(log.eye.selected.as_ref()?)?;
        let said = log.row(at).and_then(|row| row.said()).map(|said| said.text.to_string());
        said.or_else(|| log.pending_at(at).map(|pending| pending.text.clone()))
    });
    if let Some(text) = text {
        let short = text::cut(&text.replace('\n', " "), 30, "…");
        model.notice.say(format!("copied: {short}"), now.at);
        out.push(Effect::Copy(text));
    }
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

/// The next older page, by a command.
pub(super) fn history(model: &mut Model, out: &mut Vec<Effect>) {
    rooms::older(model, out);
}
