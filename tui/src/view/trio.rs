//! Three accounts side by side.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::{bar, between, put};
use crate::keys::{Action, Place};
use crate::table::Table;
use crate::text;
use crate::theme::Tone;

/// Draws the table; answers where the cursor stands.
pub(super) fn draw(table: &Table, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let mut cursor = None;
    for (at, seat) in table.seats.iter().enumerate() {
        let pane = table.pane(at);
        let model = &seat.model;
        let theme = &model.settings.theme;
        let name = match &model.who.user {
            Some(user) => format!(
                "{} {} {}",
                text::line(&user.first_name),
                model.settings.marks.dot,
                user.role.short()
            ),
            None => model.who.profile.clone(),
        };
        let keys = [Action::FocusFirst, Action::FocusSecond, Action::FocusThird];
        let chord = keys.get(at).and_then(|key| model.settings.keys.chord_of(Place::Trio, *key));
        let chord = chord.map(|chord| chord.to_string()).unwrap_or_default();
        let has_keys = at == table.focus;
        let mark = if has_keys { ">" } else { " " };
        let head = format!("{mark}{chord} {name}");
        let (state, tone) = match seat.cut {
            true => (
                format!("line cut {} {}", model.settings.marks.dot, bar::state_words(model).0),
                Tone::Bad,
            ),
            false => bar::state_words(model),
        };
        let head_style = theme.style(if has_keys { Tone::Me } else { Tone::Text });
        if table.is_wide() {
            let lines = Rect { y: 0, height: area.height, ..pane };
            put(buffer, lines, 0, &head, head_style);
            put(buffer, lines, 1, &format!(" {state}"), theme.style(tone));
            let rule = theme.style(Tone::Dim);
            for y in 0..area.height.saturating_sub(1) {
                if at > 0 && pane.x > 0 {
                    buffer.set_stringn(pane.x - 1, y, model.settings.marks.vertical, 1, rule);
                }
            }
        } else {
            let row = u16::try_from(at).unwrap_or(u16::MAX);
            let words = format!("{head} {} {state}", model.settings.marks.dot);
            put(buffer, area, row, &text::cut(&words, area.width.into(), "…"), head_style);
        }
        let screen = Rect { height: pane.height + u16::from(pane.height > 0), ..pane };
        if pane.height > 0 && screen.bottom() <= area.bottom() {
            let place = super::draw_without_bar(model, screen, buffer);
            cursor = if has_keys { place } else { cursor };
        }
    }
    bottom(table, area, buffer);
    cursor
}

fn bottom(table: &Table, area: Rect, buffer: &mut Buffer) {
    let Some(seat) = table.seats.get(table.focus) else { return };
    let model = &seat.model;
    let name = model.who.user.as_ref().map(|user| text::line(&user.first_name)).unwrap_or_default();
    let said = model.notice.text.as_deref().unwrap_or("F1 help");
    let cut = if seat.cut { "F4 heal the line" } else { "F4 cut the line" };
    let left = format!(
        " Trio {} focus {name} {} {said}",
        model.settings.marks.dot, model.settings.marks.dot
    );
    let words =
        between(&left, &format!("F5 F6 F7 focus  {cut}"), area.width.into(), &model.settings);
    let row = area.height.saturating_sub(1);
    let blank = " ".repeat(area.width.into());
    put(buffer, area, row, &blank, model.settings.theme.style(Tone::Text));
    put(buffer, area, row, &words, model.settings.theme.style(Tone::Text));
}
