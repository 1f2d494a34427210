//! Which chat is on the screen, which rooms are entered, and what that lets the server know.

use trialogue_client::timeline::Ask;
use trialogue_protocol::{ChatId, Seq};

use crate::effect::Effect;
use crate::keys::Place;
use crate::model::log::{Joined, Log, Older, Row, Scroll};
use crate::model::{Model, ROOMS_MAX};
use crate::msg::Now;
use crate::text;

/// That the user has read up to there.
pub(super) struct Receipt {
    pub(super) chat: ChatId,
    /// Nothing: everything, on a server that does not count.
    pub(super) seq: Option<Seq>,
    /// The row.
    pub(super) to: i64,
}

/// Puts a chat on the screen.
pub fn open_chat(model: &mut Model, chat: ChatId, out: &mut Vec<Effect>) {
    let before = model.chats.open;
    model.invites.shown = false;
    model.window.shows_list = false;
    model.chats.cursor = Some(chat);
    model.place = Place::Input;
    if before == Some(chat) {
        return;
    }
    super::stop_typing(model, out);
    model.compose.switch(before, Some(chat));
    if let Some(before) = before {
        model.log(before).put_aside();
    }
    model.chats.open = Some(chat);
    enter(model, chat, out);
    let me = model.who.id();
    let entry = model.chats.get(chat);
    let unread = entry.is_some_and(|entry| entry.unread > 0);
    let mine = entry.and_then(|entry| entry.chat.members.iter().find(|m| Some(m.user_id) == me));
    let mark = mine.map(|member| member.last_read_seq);
    let log = model.log(chat);
    let known = me.and_then(|me| log.people.get(&me)).map(|person| person.read_seq);
    log.mark = known.max(mark).filter(|_| unread);
    if unread {
        divide(log, me);
    }
}

/// What somebody else entered with this account, or hears there, comes on the screen. A draft that
/// was begun by hand keeps its chat.
pub(super) fn follow(model: &mut Model, chat: ChatId, out: &mut Vec<Effect>) {
    let is_elsewhere = model.chats.open.is_none_or(|open| open != chat);
    if !model.chats.follows || !is_elsewhere || !model.compose.editor.is_empty() {
        return;
    }
    if !model.chats.rooms.contains(&chat) {
        model.chats.rooms.push_back(chat);
        // Whoever entered them leaves them too.
        let over = model.chats.rooms.len().saturating_sub(ROOMS_MAX);
        model.chats.rooms.drain(..over);
    }
    if model.chats.get(chat).is_none() {
        // Somebody else has booked it: the list does not know it yet.
        out.push(Effect::LoadChats);
    }
    open_chat(model, chat, out);
}

/// Finds the first row that is new, among those that are here.
pub(super) fn divide(log: &mut Log, me: Option<trialogue_protocol::UserId>) {
    let Some(mark) = log.mark else { return };
    let is_new = |row: &Row| {
        row.said()
            .is_some_and(|said| said.seq.is_some_and(|seq| seq > mark) && Some(said.sender) != me)
    };
    // From the end: new rows are few.
    let from_end = log
        .rows()
        .iter()
        .rev()
        .take_while(|row| row.said().is_none_or(|said| said.seq.is_none_or(|seq| seq > mark)));
    let first = log.rows().len() - from_end.count();
    let at = log.rows().iter().skip(first).position(is_new).map(|at| first + at);
    if let Some(crate::model::log::Spot::Row(name)) = at.and_then(|at| log.spot_at(at)) {
        log.new_from = Some(name);
    }
}

/// Enters a chat's room, and leaves the one that was not looked at for the longest time.
fn enter(model: &mut Model, chat: ChatId, out: &mut Vec<Effect>) {
    if let Some(at) = model.chats.rooms.iter().position(|room| *room == chat) {
        model.chats.rooms.remove(at);
        model.chats.rooms.push_back(chat);
        return;
    }
    model.log(chat).joined = Joined::Joining;
    model.chats.rooms.push_back(chat);
    out.push(Effect::Join(chat));
    if model.chats.rooms.len() > ROOMS_MAX
        && let Some(oldest) = model.chats.rooms.pop_front()
    {
        forget(model, oldest);
        out.push(Effect::Leave(oldest));
    }
}

/// A room was left: what it showed comes anew when it is entered again. Own messages stay.
fn forget(model: &mut Model, chat: ChatId) {
    if let Some(log) = model.logs.get_mut(&chat) {
        log.reset();
        if log.pending.is_empty() {
            model.logs.remove(&chat);
        }
    }
}

/// Leaves the room of the open chat.
pub(super) fn leave(model: &mut Model, now: Now, out: &mut Vec<Effect>) {
    let Some(chat) = model.chats.open else { return };
    super::stop_typing(model, out);
    model.compose.switch(Some(chat), None);
    model.chats.open = None;
    model.chats.rooms.retain(|room| *room != chat);
    forget(model, chat);
    out.push(Effect::Leave(chat));
    model.notice.say("left the chat's room; it stays in the list", now.at);
}

/// Whether the end of the open chat is before the user's eyes.
pub(super) fn sees_end(model: &Model) -> bool {
    let looks = match model.window.focus {
        Some(has) => has,
        None => model.window.looked,
    };
    let covered = model.dialogs.open.is_some() || model.invites.shown;
    // Without a screen every line is said; on one that is too small nothing is.
    let is_spoken = model.window.size == (0, 0);
    let is_drawn = super::message_area(model).is_some_and(|area| area.height > 0);
    let covered = covered || !is_spoken && !is_drawn;
    // On the way to what is new above, nothing below it counts as seen.
    let is_at_end = |log: &Log| log.eye.scroll == Scroll::Bottom && !log.eye.seeks;
    let at_end = model.open_log().is_some_and(|(_, log)| is_at_end(log));
    looks && !covered && at_end
}

/// What the server may be told of as read now.
pub(super) fn receipt(model: &Model) -> Option<Receipt> {
    if !sees_end(model) || model.chats.follows {
        return None;
    }
    let me = model.who.id();
    let (chat, log) = model.open_log()?;
    if log.joined != Joined::Yes {
        return None;
    }
    let to = log.last_name()?;
    let seq = log.last_seq();
    // Whatever device read it, it is read.
    let mine = me.and_then(|me| log.people.get(&me)).map(|person| person.read_seq);
    if log.read_to == Some(to) || seq.is_some() && seq <= mine {
        return None;
    }
    let since = log.read_to.and_then(|name| log.place_of(&crate::model::log::Spot::Row(name)));
    let fresh = log.rows().iter().skip(since.map_or(0, |at| at + 1));
    let theirs = fresh.filter_map(Row::said).any(|said| Some(said.sender) != me);
    theirs.then_some(Receipt { chat, seq, to })
}

/// Asks for what lies above, if there is anything and nobody asks already.
pub(super) fn older(model: &mut Model, out: &mut Vec<Effect>) {
    let now = model.window.now;
    let can_page = model.who.can.pages && model.who.can.seq;
    let Some((chat, log)) = model.open_log_mut() else { return };
    let may = matches!(log.older, Older::More | Older::Failed) && log.joined == Joined::Yes;
    // Without a row nothing lies above one.
    if !may || log.rows().is_empty() {
        return;
    }
    log.older = Older::Loading(now);
    // By the place of the first row that is here: rows may have been let go since the session
    // showed them.
    match log.first_seq().filter(|_| can_page) {
        Some(seq) if seq <= 1 => log.older = Older::None,
        Some(seq) => out.push(Effect::Page { chat, ask: Ask::Before(seq) }),
        None => out.push(Effect::Older(chat)),
    }
}

/// Fills the gap under the cursor.
pub(super) fn fill_gap(model: &mut Model, out: &mut Vec<Effect>) -> bool {
    let Some((chat, log)) = model.open_log_mut() else { return false };
    let at = log.eye.selected.as_ref().and_then(|spot| log.place_of(spot));
    let Some(Row::Missing { from, to, loading: false }) = at.and_then(|at| log.row(at)) else {
        return false;
    };
    let gap = (*from, *to);
    log.set_loading(gap, true);
    out.push(Effect::Page { chat, ask: Ask::After(gap.0 - 1) });
    true
}

/// Rings for news, unless the user sees it or does not want to hear; what is meant for the user alone
/// comes `first`: it waits for no other bell, only for one of its own kind.
pub(super) fn alert(
    model: &mut Model,
    chat: Option<ChatId>,
    what: &str,
    first: bool,
    now: Now,
    out: &mut Vec<Effect>,
) {
    /// Least time between two bells (2 s).
    const QUIET: std::time::Duration = std::time::Duration::from_secs(2);
    let muted = chat.is_some_and(|chat| model.chats.muted.contains(&chat));
    // Where the focus is not told, nobody knows whether the window is looked at.
    let seen = chat.is_some()
        && chat == model.chats.open
        && model.window.focus == Some(true)
        && sees_end(model);
    let last = if first { model.window.called } else { model.window.rang };
    let rang = last.is_some_and(|at| now.at < at + QUIET);
    // Not for ever: the list may never come.
    let catching_up = model.connection.before.is_some() && model.connection.is_returning(now.at);
    if muted || seen || rang || catching_up {
        return;
    }
    use crate::model::settings::Alerts;
    model.window.rang = Some(now.at);
    if first {
        model.window.called = Some(now.at);
    }
    match model.settings.alerts {
        Alerts::None => {}
        Alerts::Bell => out.push(Effect::Bell),
        Alerts::Desktop => {
            out.push(Effect::Bell);
            out.push(Effect::Desktop(text::cut(&text::line(what), 100, "")));
        }
    }
}
