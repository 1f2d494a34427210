//! Draws a model. Drawing has no effects: what the server may know follows from the update alone.

mod bar;
mod chat;
mod chats;
mod dialog;
mod invites;
mod side;
mod trio;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::Line;
use trialogue_protocol::Role;

use crate::layout::panes;
use crate::model::{Model, Settings};
use crate::table::Table;
use crate::text;
use crate::theme::Tone;

/// Draws one client.
pub fn view(model: &Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    let cursor = draw(model, area, true, frame.buffer_mut());
    if let Some(cursor) = cursor {
        frame.set_cursor_position(cursor);
    }
}

/// Draws everybody at the table.
pub fn view_table(table: &Table, frame: &mut Frame<'_>) {
    match table.seats.as_slice() {
        [alone] => view(&alone.model, frame),
        _ => {
            let area = frame.area();
            let ascii = table.seats.iter().any(|seat| seat.model.settings.ascii);
            let cursor = trio::draw(table, area, frame.buffer_mut());
            if ascii {
                to_ascii(area, frame.buffer_mut());
            }
            if let Some(cursor) = cursor {
                frame.set_cursor_position(cursor);
            }
        }
    }
}

/// One client without its status bar, whose row stays as it is.
fn draw_without_bar(model: &Model, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    draw(model, area, false, buffer)
}

fn draw(model: &Model, area: Rect, with_bar: bool, buffer: &mut Buffer) -> Option<Position> {
    let area = area.intersection(buffer.area);
    let Some(panes) = panes(area, model.window.shows_list) else {
        too_small(area, buffer);
        return None;
    };
    let mut cursor = None;
    if let Some(pane) = panes.list {
        chats::draw(model, pane, buffer);
        if panes.chat.is_some() {
            rule_after(model, pane, buffer);
        }
    }
    if let Some(pane) = panes.chat {
        if model.invites.shown {
            invites::draw(model, pane, buffer);
        } else {
            cursor = chat::draw(model, pane, area.height, buffer);
        }
        if let Some(side) = panes.side {
            rule_after(model, pane, buffer);
            side::draw(model, side, buffer);
        }
    }
    if with_bar {
        bar::draw(model, panes.bar, panes.hints, buffer);
    }
    if model.dialogs.open.is_some() {
        cursor = dialog::draw(model, Rect { height: area.height - 1, ..area }, buffer);
    }
    if model.settings.ascii {
        to_ascii(area, buffer);
    }
    cursor
}

fn too_small(area: Rect, buffer: &mut Buffer) {
    put(buffer, area, 0, "too small", Style::new());
}

/// One line of a pane; what is too wide is clipped, what is outside is not drawn.
fn put(buffer: &mut Buffer, pane: Rect, row: u16, words: &str, style: Style) {
    if row < pane.height {
        buffer.set_stringn(pane.x, pane.y + row, words, usize::from(pane.width), style);
    }
}

/// The same for a line with styles of its own.
fn put_line(buffer: &mut Buffer, pane: Rect, row: u16, line: &Line<'_>) {
    if row < pane.height {
        let line = line.clone();
        buffer.set_line(pane.x, pane.y + row, &line, pane.width);
        let whole = Rect { y: pane.y + row, height: 1, ..pane };
        buffer.set_style(whole, line.style);
    }
}

fn rule_after(model: &Model, pane: Rect, buffer: &mut Buffer) {
    let style = model.settings.theme.style(Tone::Dim);
    for y in pane.top()..pane.bottom() {
        buffer.set_stringn(pane.right(), y, model.settings.marks.vertical, 1, style);
    }
}

/// A role as it is shown.
fn role_word(role: Role) -> &'static str {
    match role {
        Role::Lsm => "LSM",
        Role::Customer | Role::Provider => role.short(),
    }
}

/// `left` at the left and `right` at the right of so many columns; `right` gives way.
fn between(left: &str, right: &str, columns: usize, settings: &Settings) -> String {
    let room = columns.saturating_sub(text::width(left));
    if right.is_empty() || text::width(right) + 2 > room {
        return text::cut(left, columns, settings.marks.cut);
    }
    format!("{left}{}{right}", " ".repeat(room - text::width(right)))
}

/// Nothing but ASCII can be shown: marks of ours have a likeness, all else becomes a question mark.
fn to_ascii(area: Rect, buffer: &mut Buffer) {
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            let Some(cell) = buffer.cell_mut(Position { x, y }) else { continue };
            if cell.symbol().is_ascii() {
                continue;
            }
            let like = match cell.symbol() {
                "·" | "─" => "-",
                "│" => "|",
                "…" => "~",
                _ => "?",
            };
            cell.set_symbol(like);
        }
    }
}

/// A word for something that takes time: nothing at first, seconds once it is long.
fn waiting_word(word: &str, since: std::time::Duration, now: std::time::Duration) -> String {
    let took = now.saturating_sub(since);
    if took < crate::update::LOADING_SHOWN {
        String::new()
    } else if took < crate::update::SECONDS_SHOWN {
        format!("{word}…")
    } else {
        format!("{word}… {} s", took.as_secs())
    }
}
