//! What came of an effect.

use std::time::Duration;

use trialogue_client::Error;
use trialogue_client::timeline::Ask;
use trialogue_protocol::{
    Chat, ChatId, Dispute, DisputeStatus, ErrorCode, JobCreated, MessagePage, NotificationList,
    Provider, User,
};

use super::{check, command, dialog, heard, looking, rooms, sending, undone};
use crate::effect::Effect;
use crate::model::chats::Listing;
use crate::model::dialog::{Dialog, Kind};
use crate::model::log::{Fault, Older, Row, Said, State};
use crate::model::{Model, Window};
use crate::msg::{Now, Reply};
use crate::text;

/// After so long (5 s) a list of chats that could not be had is asked for again.
const LIST_AGAIN: Duration = Duration::from_secs(5);

/// Takes one reply.
pub(super) fn reply(model: &mut Model, reply: Reply, now: Now, out: &mut Vec<Effect>) {
    match reply {
        Reply::Chats(result) => chats(model, result, now, out),
        Reply::Recent(chats) => recent(model, chats, out),
        Reply::Desk(desk) => super::desk::found(model, desk, now),
        Reply::NotDone(effect) => undone::undone(model, effect, now, out),
        Reply::Providers(result) => providers(model, result, now),
        Reply::Invites(result) => invites(model, result, out),
        Reply::Booked(result) => booked(model, result, now, out),
        Reply::Disputed(result) => match answered(model, Kind::Dispute, result) {
            None => {}
            Some(opened) => {
                let lsm = text::line(&opened.lsm.name);
                model.notice.say(format!("dispute opened; {lsm} was asked in"), now.at);
                out.push(Effect::LoadChats);
            }
        },
        Reply::Resolved(result) => resolved(model, result, now, out),
        Reply::JobChanged(word, result) => match result {
            Ok(()) => {
                model.notice.say(word, now.at);
                out.push(Effect::LoadChats);
            }
            Err(error) => complain(model, &error, now),
        },
        Reply::SignedIn(result) => signed_in(model, result, now, out),
        Reply::SignedOut(result) => signed_out(model, result, now),
        Reply::NotQueued { id, chat, error } => {
            if let Some(pending) = model.log(chat).pending_mut(&id) {
                let why = text::line(&error.sentence());
                pending.state = State::Failed { why, how: Fault::NotTaken };
            }
        }
        Reply::Kept(kept) => {
            for kept in &kept {
                model.log(kept.draft.chat).restore(kept, now.wall);
            }
        }
        Reply::Page { chat, ask, page } => {
            paged(model, chat, ask, page, now);
            if model.chats.open == Some(chat) {
                looking::seek(model, out);
            }
            if model.is_spoken() && model.chats.open == Some(chat) {
                came_up(model, ask, now, out);
            }
        }
        Reply::Preview { chat, page } => preview(model, chat, page, now),
        Reply::Notifications(result) => notifications(model, result, now),
        Reply::Unkept(sentence) => {
            model.connection.in_memory = true;
            model.notice.complain(text::line(&sentence), now.at);
        }
        Reply::Edited(Ok(text)) => {
            model.compose.forget_recalled();
            model.compose.editor.set(text.trim_end_matches('\n'));
        }
        Reply::Edited(Err(why)) => model.notice.complain(text::line(&why), now.at),
        Reply::Failed(error) => complain(model, &error, now),
        Reply::Said(text) => model.notice.say(text::line(&text), now.at),
    }
}

fn signed_out(model: &mut Model, result: Result<(), Error>, now: Now) {
    begin_anew(model);
    if let Err(error) = result {
        complain(model, &error, now);
    }
    dialog::sign_in(model);
    model.who.user = None;
}

fn preview(model: &mut Model, chat: ChatId, page: Result<MessagePage, Error>, now: Now) {
    match page {
        Ok(page) => {
            let rows = page.messages.iter().map(Said::from).collect();
            model.invites.preview = Some((chat, rows));
        }
        // Only who has joined may read: no fault, and the pane says what there is.
        Err(error) if error.code() == Some(ErrorCode::Denied) => {
            model.invites.preview = Some((chat, Vec::new()));
        }
        Err(error) => complain(model, &error, now),
    }
}

fn resolved(model: &mut Model, result: Result<Dispute, Error>, now: Now, out: &mut Vec<Effect>) {
    let Some(dispute) = answered(model, Kind::Resolve, result) else { return };
    // The LSM is in that chat no longer.
    if model.chats.open == Some(dispute.chat_id) {
        rooms::leave(model, now, out);
    }
    model.chats.remove(dispute.chat_id);
    model.notice.say(format!("dispute {} is resolved", dispute.id), now.at);
    out.extend([Effect::LoadChats, Effect::LoadInvites]);
}

fn complain(model: &mut Model, error: &Error, now: Now) {
    model.notice.complain(text::line(&error.sentence()), now.at);
}

/// What a form asked for; an error goes into the form, whose text is kept.
fn answered<T>(model: &mut Model, kind: Kind, result: Result<T, Error>) -> Option<T> {
    let now = model.window.now;
    match result {
        Ok(answer) => {
            model.dialogs.answered(kind);
            Some(answer)
        }
        Err(error) => {
            let why = text::line(&error.sentence());
            match model.dialogs.form_of(kind) {
                Some(form) => form.reject(check::at_fault(kind, &error).unwrap_or_default(), why),
                None => model.notice.complain(why, now),
            }
            None
        }
    }
}

fn chats(
    model: &mut Model,
    result: Result<(Vec<Chat>, bool), Error>,
    now: Now,
    out: &mut Vec<Effect>,
) {
    if model.chats.asked.answered() {
        out.push(Effect::LoadChats);
    }
    let (chats, whole) = match result {
        Ok(listed) => listed,
        Err(error) => {
            model.chats.listing = Listing::Failed(text::line(&error.sentence()));
            model.chats.again = Some(now.at + LIST_AGAIN);
            return;
        }
    };
    let unread = |chat: &Chat| u64::try_from(chat.unread_count).unwrap_or_default();
    // What is open is read as it comes, and counted as it is said.
    let open = model.chats.open;
    let counts: Vec<(ChatId, u64)> = chats
        .iter()
        .filter(|chat| Some(chat.id) != open)
        .map(|chat| (chat.id, unread(chat)))
        .collect();
    for chat in &chats {
        heard::note_dispute(model, chat, now);
    }
    model.chats.listed(chats, whole);
    model.chats.again = None;
    if model.connection.is_up() {
        heard::caught_up(model, &counts, now);
    }
    open_first(model, out);
}

/// What was seen last is there at once, also without a connection.
fn recent(model: &mut Model, chats: Vec<Chat>, out: &mut Vec<Effect>) {
    if model.chats.list.is_empty() && !chats.is_empty() {
        let listing = model.chats.listing.clone();
        model.chats.listed(chats, false);
        model.chats.listing = listing;
        open_first(model, out);
    }
}

fn open_first(model: &mut Model, out: &mut Vec<Effect>) {
    if model.chats.follows {
        return;
    }
    if let Some(wanted) = model.chats.wanted.take() {
        rooms::open_chat(model, wanted, out);
    } else if model.chats.open.is_none()
        && !model.invites.shown
        && let Some(first) = model.chats.list.first().map(|entry| entry.chat.id)
    {
        // With the first sight of the list; somebody who left a chat stays out of it.
        if model.chats.cursor.is_none() {
            rooms::open_chat(model, first, out);
        }
    }
}

fn providers(model: &mut Model, result: Result<Vec<Provider>, Error>, now: Now) {
    match result {
        Ok(providers) => dialog::offer_providers(model, providers),
        Err(error) => {
            if let Some(Dialog::Page(page)) = &mut model.dialogs.open
                && page.title == dialog::PROVIDERS
            {
                page.lines = vec![text::line(&error.sentence())];
            }
            dialog::no_providers(model, "nobody to show: the list did not come");
            complain(model, &error, now);
        }
    }
}

fn invites(model: &mut Model, result: Result<Vec<Dispute>, Error>, out: &mut Vec<Effect>) {
    if model.invites.asked.answered() {
        out.push(Effect::LoadInvites);
    }
    match result {
        Ok(disputes) => {
            let of = |status: DisputeStatus| {
                let mut list: Vec<Dispute> =
                    disputes.iter().filter(|d| d.status == status).cloned().collect();
                list.sort_by_key(|dispute| dispute.created_at);
                list
            };
            model.invites.list = of(DisputeStatus::Pending);
            model.invites.joined = of(DisputeStatus::Joined);
            model.invites.listing = Listing::Loaded;
            command::list_invites(model, None);
            model.invites.step(0);
            let first = model.invites.selected().map(|dispute| dispute.chat_id);
            if model.invites.shown
                && let Some(chat) = first
            {
                out.push(Effect::LoadPreview(chat));
            }
        }
        Err(error) => {
            let why = text::line(&error.sentence());
            command::list_invites(model, Some(why.clone()));
            model.invites.listing = Listing::Failed(why);
        }
    }
}

fn booked(model: &mut Model, result: Result<JobCreated, Error>, now: Now, out: &mut Vec<Effect>) {
    // Who has left the form meanwhile writes elsewhere: no chat comes under their hands.
    let waits = model.dialogs.form_of(Kind::Book).is_some_and(|form| form.busy.is_some());
    let Some(created) = answered(model, Kind::Book, result) else { return };
    model.notice.say(format!("Job {} booked", created.job_id), now.at);
    match created.chat {
        Some(chat) => {
            model.chats.changed(chat);
            if waits {
                rooms::open_chat(model, created.chat_id, out);
            }
        }
        None if waits => model.chats.wanted = Some(created.chat_id),
        None => {}
    }
    out.push(Effect::LoadChats);
}

fn signed_in(model: &mut Model, result: Result<User, Error>, now: Now, out: &mut Vec<Effect>) {
    let user = match result {
        Ok(user) => user,
        Err(error) => {
            let why = match error.code() {
                Some(ErrorCode::Unauthenticated) => "wrong email or password".to_owned(),
                _ => text::line(&error.sentence()),
            };
            match model.dialogs.form() {
                Some(form) => {
                    form.reject(check::at_fault(form.kind, &error).unwrap_or_default(), why);
                }
                None => model.notice.complain(why, now.at),
            }
            return;
        }
    };
    model.dialogs.done();
    let name = text::line(&user.first_name);
    if model.who.id().is_some_and(|me| me != user.id) {
        begin_anew(model);
    }
    model.who.user = Some(user);
    model.notice.say(format!("signed in as {name}"), now.at);
    out.push(Effect::LoadKept);
}

/// Nothing stays of the one who was here before.
fn begin_anew(model: &mut Model) {
    let (who, settings, window) = (model.who.clone(), model.settings.clone(), model.window.clone());
    let seed = model.ids.fresh().as_u64_pair().0;
    *model = Model::new(who, settings, seed);
    let (size, focus, now, wall) = (window.size, window.focus, window.now, window.wall);
    model.window = Window { size, focus, now, wall, mouse: window.mouse, ..Window::default() };
}

fn paged(model: &mut Model, chat: ChatId, ask: Ask, page: Result<MessagePage, Error>, now: Now) {
    let me = model.who.id();
    let log = model.log(chat);
    match (ask, page) {
        (Ask::Before(before), Ok(page)) => {
            // Rows that were let go or came meanwhile make the answer one of another question.
            if log.first_seq() != Some(before) {
                log.older = Older::More;
                return;
            }
            let older = page.messages.iter().filter(|m| m.seq.is_some_and(|seq| seq < before));
            let rows: Vec<Row> = older.map(|message| Row::Said(Said::from(message))).collect();
            let more = page.has_more.unwrap_or(!rows.is_empty()) && !rows.is_empty();
            log.older = if more { Older::More } else { Older::None };
            log.prepend(rows);
            rooms::divide(log, me);
        }
        (Ask::Before(_), Err(_)) => log.older = Older::Failed,
        (Ask::After(after), page) => {
            let gaps: Vec<(i64, i64)> = log
                .rows()
                .iter()
                .filter_map(|row| match row {
                    Row::Missing { from, to, .. } if *from == after + 1 => Some((*from, *to)),
                    _ => None,
                })
                .collect();
            for gap in gaps {
                match &page {
                    Ok(page) => log.fill(gap, &page.messages),
                    Err(_) => log.set_loading(gap, false),
                }
            }
            if let Err(error) = page {
                complain(model, &error, now);
            }
        }
    }
}

/// Where lines are read out, what was asked for by a command is read out when it comes.
fn came_up(model: &mut Model, ask: Ask, now: Now, out: &mut Vec<Effect>) {
    let Some((_, log)) = model.open_log() else { return };
    match (ask, &log.older) {
        (Ask::Before(_), Older::Failed) => {
            let why = "earlier messages did not load: /history tries again";
            model.notice.complain(why, now.at);
        }
        (Ask::Before(_), _) => {
            if !sending::read_up(model, out) {
                model.notice.say("this is the beginning of the chat", now.at);
            }
        }
        // What filled the gap stands above what was read last.
        (Ask::After(_), _) => {
            sending::read_up(model, out);
        }
    }
}

fn notifications(model: &mut Model, result: Result<NotificationList, Error>, now: Now) {
    let list = match result {
        Ok(list) => list,
        Err(error) => return complain(model, &error, now),
    };
    let local = model.settings.local;
    let lines = list.notifications.iter().map(|notice| {
        let at = local(notice.created_at.as_datetime()).format("%d %b %H:%M");
        let new = if notice.is_read { " " } else { "*" };
        text::line(&format!("{new} {at}  {}: {}", notice.title, notice.message))
    });
    let mut lines: Vec<String> = lines.collect();
    if !model.compose.editor.is_empty() {
        // Somebody has begun to type meanwhile: a page would take the keys.
        let said = format!("{} unread notifications: /notifications shows them", list.unread_count);
        return model.notice.say(said, now.at);
    }
    if lines.is_empty() {
        lines.push("Nothing happened while you were away.".to_owned());
    } else {
        lines.push(String::new());
        lines.push("/notifications --all marks all of them as read".to_owned());
    }
    model.dialogs.read(format!("Notifications · {} unread", list.unread_count), lines);
}
