//! The decider: what happened in, what is to be done out. It cannot fail, wait or read a clock.

mod check;
mod command;
mod desk;
mod dialog;
mod heard;
mod input;
mod looking;
mod quit;
mod reply;
mod rooms;
mod sending;
mod undone;

use std::time::Duration;

use trialogue_client::LinkState;

use crate::effect::Effect;
use crate::model::Model;
use crate::model::chats::Listing;
use crate::model::dialog::Dialog;
use crate::model::log::{Joined, Older, Pending, State};
use crate::msg::{Msg, Now, Reply};

pub use command::presence;
pub use desk::left;
pub use dialog::{REASONS, sign_in_form};
pub use looking::message_area;
pub use rooms::open_chat;

/// How long a typing sign holds before it is said again (3 s): half of what others believe it for.
const TYPING_AGAIN: Duration = Duration::from_secs(3);
/// Nothing typed for so long (5 s): the user no longer types.
const TYPING_ENDS: Duration = Duration::from_secs(5);
/// Least time between two receipts (400 ms): a flood must not become a flood of receipts.
const RECEIPT_PAUSE: Duration = Duration::from_millis(400);
/// What takes longer (150 ms) is said to take time.
pub const LOADING_SHOWN: Duration = Duration::from_millis(150);
/// From then on (2 s) the seconds are shown too.
pub const SECONDS_SHOWN: Duration = Duration::from_secs(2);

/// Decides.
pub fn update(model: &mut Model, msg: Msg, now: Now) -> Vec<Effect> {
    let mut out = Vec::new();
    (model.window.now, model.window.wall) = (now.at, Some(now.wall));
    if matches!(msg, Msg::Key(_) | Msg::Paste(_) | Msg::Line(_) | Msg::Reply(Reply::Edited(_))) {
        desk::touched(model, now);
    }
    match msg {
        Msg::Key(key) => input::key(model, key, now, &mut out),
        Msg::Paste(text) => input::paste(model, &text, now, &mut out),
        Msg::Line(line) if model.dialogs.form().is_some() => {
            dialog::line(model, &line, now, &mut out);
        }
        Msg::Line(line) => {
            // Whoever types at a line has read what is above it.
            model.window.looked = true;
            model.compose.begin(&line);
            sending::submit(model, now, &mut out);
            model.compose.end_line();
        }
        Msg::Resize(columns, rows) => model.window.size = (columns, rows),
        Msg::Focus(has) => {
            model.window.focus = Some(has);
            if !has {
                model.window.looked = false;
            }
        }
        Msg::Wheel(notches) => looking::scroll(model, isize::from(notches) * 3, &mut out),
        Msg::Update(update) => heard::heard(model, update, now, &mut out),
        Msg::Reply(reply) => reply::reply(model, reply, now, &mut out),
        Msg::Tick => {}
    }
    pass(model, now, &mut out);
    // A flood of news is no flood of questions.
    out.retain(|effect| match effect {
        Effect::LoadChats => model.chats.asked.may(now.at),
        Effect::LoadInvites => model.invites.asked.may(now.at),
        _ => true,
    });
    out
}

/// What time alone ends, and what follows from where the user looks.
fn pass(model: &mut Model, now: Now, out: &mut Vec<Effect>) {
    if model.notice.text.is_some() && model.notice.until <= now.at {
        // The question is gone with its answer.
        (model.notice.text, model.window.quitting) = (None, false);
    }
    if model.connection.caught_up.as_ref().is_some_and(|(_, until)| *until <= now.at) {
        model.connection.caught_up = None;
    }
    if model.compose.typing.is_some() && now.at >= model.compose.touched + TYPING_ENDS {
        stop_typing(model, out);
    }
    desk::pass(model, now, out);
    if model.connection.is_up() && model.chats.again.is_some_and(|at| now.at >= at) {
        // The words about the failure stay until there is a list.
        model.chats.again = None;
        out.push(Effect::LoadChats);
    }
    if let Some(receipt) = rooms::receipt(model)
        && model.window.marked.is_none_or(|at| now.at >= at + RECEIPT_PAUSE)
    {
        model.window.marked = Some(now.at);
        model.log(receipt.chat).read_to = Some(receipt.to);
        out.push(Effect::MarkRead(receipt.chat, receipt.seq));
    }
}

/// The user no longer types.
fn stop_typing(model: &mut Model, out: &mut Vec<Effect>) {
    if let Some((chat, _)) = model.compose.typing.take() {
        out.push(Effect::Typing(chat, false));
    }
}

/// The user typed something into the draft of the open chat.
fn touched(model: &mut Model, now: Now, out: &mut Vec<Effect>) {
    model.compose.touch(now.at);
    model.compose.completion = None;
    let text = model.compose.editor.text();
    let Some(chat) = model.chats.open.filter(|_| !model.invites.shown) else { return };
    if text.is_empty() || text.starts_with('/') {
        return stop_typing(model, out);
    }
    let again = model
        .compose
        .typing
        .is_none_or(|(where_, at)| where_ != chat || now.at >= at + TYPING_AGAIN);
    if again {
        model.compose.typing = Some((chat, now.at));
        out.push(Effect::Typing(chat, true));
    }
}

/// Whether nothing is on its way that will still come: what is asked or said now meets all that was
/// asked and said before. While the line is down nothing comes.
pub fn is_settled(model: &Model) -> bool {
    let Some((_, log)) = model.open_log() else {
        return model.chats.listing == Listing::Loaded;
    };
    // A message that is stored still has to come back and be shown.
    let is_over = |pending: &Pending| matches!(pending.state, State::Failed { .. });
    let all_sent = model.logs.values().flat_map(|log| &log.pending).all(is_over);
    match model.connection.state {
        LinkState::Connected => log.joined != Joined::Joining && all_sent,
        LinkState::Reconnecting { .. } | LinkState::LoginNeeded { .. } | LinkState::Closed => true,
        LinkState::Offline | LinkState::Connecting { .. } | LinkState::Syncing { .. } => false,
    }
}

/// When [`Msg::Tick`] is due at the latest; nothing when only the world can change anything.
pub fn next_wake(model: &Model) -> Option<Duration> {
    let now = model.window.now;
    let mut wakes: Vec<Duration> = desk::next_wake(model).into_iter().collect();
    if model.notice.text.is_some() {
        wakes.push(model.notice.until);
    }
    wakes.extend(model.connection.caught_up.as_ref().map(|(_, until)| *until));
    wakes.extend(model.chats.again.filter(|_| model.connection.is_up()));
    if model.compose.typing.is_some() {
        wakes.push(model.compose.touched + TYPING_ENDS);
    }
    if let LinkState::Reconnecting { next_in, .. } = model.connection.state {
        wakes.extend(next_second(model.connection.told + next_in, now));
    }
    if rooms::receipt(model).is_some() {
        wakes.push(model.window.marked.map_or(now, |at| at + RECEIPT_PAUSE));
    }
    if let Listing::Loading(since) = model.chats.listing
        && model.who.user.is_some()
    {
        wakes.extend(next_word(since, now));
    }
    if let Some(Dialog::Form(form)) = &model.dialogs.open {
        wakes.extend(form.busy.and_then(|since| next_word(since, now)));
    }
    if let Some((_, log)) = model.open_log() {
        if let Older::Loading(since) = log.older {
            wakes.extend(next_word(since, now));
        }
        for pending in &log.pending {
            if let State::Waiting { until, .. } = pending.state {
                wakes.extend(next_second(until, now));
                // One of them counts down for all.
                break;
            }
        }
    }
    wakes.into_iter().min()
}

/// The next moment at which "in N s" says another number; nothing once it is over.
fn next_second(end: Duration, now: Duration) -> Option<Duration> {
    let left = end.checked_sub(now).filter(|left| !left.is_zero())?;
    let part = Duration::from_nanos(u64::from(left.subsec_nanos()));
    Some(if part.is_zero() { now + Duration::from_secs(1) } else { now + part })
}

/// The next moment at which something that takes long says another word.
fn next_word(since: Duration, now: Duration) -> Option<Duration> {
    let (first, second) = (since + LOADING_SHOWN, since + SECONDS_SHOWN);
    if now < first {
        return Some(first);
    }
    if now < second {
        return Some(second);
    }
    // A request answers or fails within the session's own limits; then nobody counts any more.
    Some(now + Duration::from_secs(1)).filter(|at| *at < since + Duration::from_secs(60))
}
