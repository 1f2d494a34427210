//! The list of chats.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use trialogue_protocol::Role;

use super::{put, waiting_word};
use crate::keys::{Action, Place};
use crate::model::{Entry, Listing, Model};
use crate::text;
use crate::theme::Tone;

/// Columns before the title: cursor, count, space.
const BEFORE: usize = 5;
/// Columns after it: space and flags.
const AFTER: usize = 3;

/// Draws the list.
pub(super) fn draw(model: &Model, pane: Rect, buffer: &mut Buffer) {
    let theme = &model.settings.theme;
    let dot = model.settings.marks.dot;
    let unread = model.chats.unread();
    let title = match (model.chats.filtering || !model.chats.filter.is_empty(), unread) {
        (true, _) => format!(" / {}", model.chats.filter.text()),
        (false, 0) => " Chats".to_owned(),
        (false, unread) => format!(" Chats {dot} {unread} unread"),
    };
    put(buffer, pane, 0, &text::cut(&title, pane.width.into(), "…"), theme.style(Tone::Me));
    let mut row = 1;
    if model.who.is_lsm() {
        invites(model, pane, buffer);
        row = 2;
    }
    let shown = model.chats.shown();
    if shown.is_empty() {
        return empty(model, pane, row, buffer);
    }
    let room = usize::from(pane.height.saturating_sub(row));
    let at = shown.iter().position(|entry| Some(entry.chat.id) == model.chats.cursor);
    // The cursor is always on the screen.
    let top = at.map_or(0, |at| (at + 1).saturating_sub(room));
    for entry in shown.into_iter().skip(top).take(room) {
        line(model, entry, pane, row, buffer);
        row += 1;
    }
}

fn line(model: &Model, entry: &Entry, pane: Rect, row: u16, buffer: &mut Buffer) {
    let theme = &model.settings.theme;
    let id = entry.chat.id;
    let open = model.chats.open == Some(id) && !model.invites.shown;
    let has_keys = model.place() == Place::List && !model.invites.shown;
    let cursor = has_keys && model.chats.cursor == Some(id);
    let muted = model.chats.muted.contains(&id);
    let title_columns = usize::from(pane.width).saturating_sub(BEFORE + AFTER);
    let title = text::fit(&entry.title, title_columns, model.settings.marks.cut);
    let count = match entry.unread {
        0 => String::new(),
        unread if unread > 999 => "999".to_owned(),
        unread => unread.to_string(),
    };
    let flag = match (entry.is_disputed(), muted, model.compose.has_draft(id)) {
        (true, ..) => "D!",
        (false, true, _) => "m ",
        (false, false, true) => "d ",
        (false, false, false) => "  ",
    };
    let mark = if open || cursor { ">" } else { " " };
    let words = format!("{mark}{count:>3} {title} {flag}");
    let mut style = theme.style(if entry.unread > 0 && !muted { Tone::Me } else { Tone::Text });
    if cursor {
        style = style.patch(theme.selected());
    }
    put(buffer, pane, row, &words, style);
    if entry.is_disputed() && pane.width >= 2 && row < pane.height {
        let at = pane.right() - 2;
        let flag = theme.style(Tone::Warn).patch(if cursor { theme.selected() } else { style });
        buffer.set_stringn(at, pane.y + row, "D!", 2, flag);
    }
}

/// The LSM's queue stands above the chats.
fn invites(model: &Model, pane: Rect, buffer: &mut Buffer) {
    let theme = &model.settings.theme;
    let mark = if model.invites.shown { ">" } else { " " };
    let count = model.invites.list.len();
    let columns = usize::from(pane.width).saturating_sub(BEFORE + AFTER);
    let words = format!("{mark}    {}{count:>2} ", text::fit("Invites", columns, ""));
    let tone = if count > 0 { Tone::Warn } else { Tone::Text };
    put(buffer, pane, 1, &words, theme.style(tone));
}

fn empty(model: &Model, pane: Rect, row: u16, buffer: &mut Buffer) {
    let words = match &model.chats.listing {
        // Nobody asks for a list before somebody is there.
        Listing::Loading(_) if model.who.user.is_none() => String::new(),
        Listing::Loading(since) => waiting_word("Loading chats", *since, model.window.now),
        Listing::Failed(why) => {
            let how = model.how_to(model.place(), Action::RetryNow, "to retry");
            format!("Could not load chats: {why}.{how}")
        }
        Listing::Loaded if !model.chats.filter.is_empty() => {
            "No chat with these letters.".to_owned()
        }
        Listing::Loaded => match model.who.role() {
            Some(Role::Provider) => "No jobs yet. New jobs appear here by themselves.".to_owned(),
            Some(Role::Lsm) if !model.invites.list.is_empty() => String::new(),
            Some(Role::Lsm) => "No open disputes. Invites appear here by themselves.".to_owned(),
            Some(Role::Customer) | None => "No jobs yet. Type /book to book one.".to_owned(),
        },
    };
    let bad = matches!(model.chats.listing, Listing::Failed(_));
    let style = model.settings.theme.style(if bad { Tone::Bad } else { Tone::Dim });
    let columns = usize::from(pane.width).saturating_sub(2);
    for (range, row) in text::wrap(&words, columns).into_iter().zip(row..) {
        put(buffer, pane, row, &format!(" {}", &words[range]), style);
    }
}
