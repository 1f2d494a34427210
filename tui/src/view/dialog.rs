//! Forms and pages, in a box over everything else.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::waiting_word;
use crate::model::Model;
use crate::model::dialog::{Dialog, Field, Form, Input, Kind, Page};
use crate::text;
use crate::theme::Tone;

/// Widest box in columns.
const WIDTH_MAX: u16 = 62;
/// Columns before a field.
const LABEL: usize = 12;

/// Draws what is open; answers where the cursor stands.
pub(super) fn draw(model: &Model, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    match model.dialogs.open.as_ref()? {
        Dialog::Form(form) => draw_form(model, form, area, buffer),
        Dialog::Page(page) => {
            draw_page(model, page, area, buffer);
            None
        }
    }
}

/// A box of so many lines in the middle; answers the place inside it.
fn boxed(model: &Model, title: &str, lines: u16, area: Rect, buffer: &mut Buffer) -> Rect {
    let width = area.width.min(WIDTH_MAX);
    let height = area.height.min(lines.saturating_add(2));
    let x = area.x + (area.width - width) / 2;
    let y = area.y + (area.height - height) / 2;
    let [top_left, top_right, bottom_left, bottom_right] = model.settings.marks.corners;
    let (bar, wall) = (model.settings.marks.horizontal, model.settings.marks.vertical);
    let inside = usize::from(width.saturating_sub(2));
    let title = text::cut(title, inside.saturating_sub(4), model.settings.marks.cut);
    let rest = inside.saturating_sub(text::width(&title) + 2);
    let style = model.settings.theme.style(Tone::Text);
    for row in 0..height {
        let words = match row {
            0 => format!("{top_left} {title} {}{top_right}", bar.repeat(rest)),
            row if row + 1 == height => {
                format!("{bottom_left}{}{bottom_right}", bar.repeat(inside))
            }
            _ => format!("{wall}{}{wall}", " ".repeat(inside)),
        };
        let cells = Rect { x, y: y + row, width, height: 1 };
        buffer.set_style(cells, ratatui::style::Style::reset());
        buffer.set_stringn(x, y + row, words, usize::from(width), style);
    }
    Rect { x: x + 2, y: y + 1, width: width.saturating_sub(4), height: height.saturating_sub(2) }
}

fn draw_page(model: &Model, page: &Page, area: Rect, buffer: &mut Buffer) {
    let columns = usize::from(area.width.min(WIDTH_MAX)).saturating_sub(4).max(1);
    let mut lines = Vec::new();
    for line in page.lines.iter().skip(page.top) {
        lines.extend(text::wrap(line, columns).into_iter().map(|range| line[range].to_owned()));
        if lines.len() > usize::from(area.height) {
            break;
        }
    }
    let wanted = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
    let inside = boxed(model, &page.title, wanted, area, buffer);
    let room = inside.height.saturating_sub(2);
    let style = model.settings.theme.style(Tone::Text);
    for (line, row) in lines.iter().zip(0..room) {
        put(buffer, inside, row, line, style);
    }
    let more = lines.len() > usize::from(room) || page.top > 0;
    let keys = if more { "Up Down PgUp PgDn move   Esc back" } else { "Esc back" };
    put(
        buffer,
        inside,
        inside.height.saturating_sub(1),
        keys,
        model.settings.theme.style(Tone::Dim),
    );
}

fn put(buffer: &mut Buffer, inside: Rect, row: u16, words: &str, style: ratatui::style::Style) {
    super::put(buffer, inside, row, words, style);
}

fn draw_form(model: &Model, form: &Form, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let theme = &model.settings.theme;
    let rows: u16 = form.fields.iter().map(|field| field.rows).sum();
    let notes = notes_of(form.kind);
    let extra = u16::try_from(notes.len()).unwrap_or_default() + 5;
    let inside = boxed(model, &form.title, rows + extra, area, buffer);
    // Where there is no room for all, the field with the cursor is in sight.
    let above: u16 = form.fields.iter().take(form.at + 1).map(|field| field.rows).sum();
    let room = inside.height.saturating_sub(2).max(1);
    let skip = above.saturating_sub(room);
    let mut row = u16::from(skip == 0 && inside.height > rows + 3);
    let mut cursor = None;
    let mut seen = 0;
    for (at, field) in form.fields.iter().enumerate() {
        seen += field.rows;
        if seen <= skip {
            continue;
        }
        let place = draw_field(model, field, at == form.at, inside, row, buffer);
        cursor = cursor.or(place);
        row += field.rows;
    }
    let field = form.fields.get(form.at);
    let (words, tone) = match (&form.problem, form.busy) {
        (Some(problem), _) => (problem.clone(), Tone::Bad),
        (None, Some(since)) => {
            (waiting_word(busy_word(form.kind), since, model.window.now), Tone::Dim)
        }
        (None, None) => (hint_of(field), Tone::Dim),
    };
    let last = inside.height.saturating_sub(1);
    for note in notes {
        if row + 1 < last {
            put(buffer, inside, row + 1, note, theme.style(Tone::Text));
            row += 1;
        }
    }
    let at = (row + 1).min(last.saturating_sub(1));
    let columns = usize::from(inside.width);
    let words = text::fit(&words, columns, model.settings.marks.cut);
    put(buffer, inside, at, &words, theme.style(tone));
    put(buffer, inside, last, &text::fit(keys_of(form.kind), columns, "…"), theme.style(Tone::Dim));
    cursor.filter(|_| form.busy.is_none())
}

fn hint_of(field: Option<&Field>) -> String {
    match field {
        Some(field) if !field.hint.is_empty() => format!("{}: {}", field.label, field.hint),
        _ => String::new(),
    }
}

fn busy_word(kind: Kind) -> &'static str {
    match kind {
        Kind::SignIn => "Signing in",
        Kind::SignUp => "Making the account",
        Kind::Book => "Booking",
        Kind::Dispute => "Filing",
        Kind::Resolve => "Resolving",
    }
}

fn notes_of(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Dispute => &[
            "This adds your local service manager (LSM) to the chat.",
            "The other side will see the reason and your text.",
        ],
        Kind::SignIn => &["F2 makes an account   F3 shows the demo, without a server"],
        Kind::Resolve => &["You leave the chat when it is resolved."],
        Kind::SignUp | Kind::Book => &[],
    }
}

fn keys_of(kind: Kind) -> &'static str {
    match kind {
        Kind::SignIn => "Tab next   Enter sign in   Esc back",
        Kind::SignUp => "Tab next   Ctrl-S make it   Esc back",
        Kind::Book => "Tab next   Ctrl-S book   Esc back (your text is kept)",
        Kind::Dispute => "Ctrl-S file and invite   Esc back (your text is kept)",
        Kind::Resolve => "Ctrl-S resolve and leave   Esc back (your text is kept)",
    }
}

fn draw_field(
    model: &Model,
    field: &Field,
    has_cursor: bool,
    inside: Rect,
    row: u16,
    buffer: &mut Buffer,
) -> Option<Position> {
    let theme = &model.settings.theme;
    let cut = model.settings.marks.cut;
    let label = text::fit(field.label, LABEL - 2, cut);
    let columns = usize::from(inside.width).saturating_sub(LABEL + 2);
    let style = theme.style(if has_cursor { Tone::Me } else { Tone::Text });
    let (rows, at) = match &field.input {
        Input::Choice { options, at, .. } => {
            let chosen = options.get(*at).map_or("", String::as_str);
            let count = format!("{}/{}", (*at + 1).min(options.len()), options.len());
            let room = columns.saturating_sub(text::width(&count) + 1);
            (vec![format!("{} {count}", text::fit(chosen, room, cut))], (0, 0))
        }
        Input::Secret(editor) => {
            let stars = "*".repeat(editor.text().chars().count().min(columns.saturating_sub(1)));
            let column = stars.len();
            (vec![stars], (0, column))
        }
        Input::Text(editor) if field.rows == 1 => one_line(editor, columns),
        Input::Text(editor) => {
            let (ranges, at) = editor.rows(columns);
            let rows = ranges.into_iter().map(|range| editor.text()[range].to_owned());
            (rows.collect(), at)
        }
    };
    let height = usize::from(field.rows);
    let top = (at.0 + 1).saturating_sub(height);
    for line in 0..field.rows {
        let words = rows.get(top + usize::from(line)).map_or("", String::as_str);
        let label = if line == 0 { label.clone() } else { " ".repeat(LABEL - 2) };
        let words = format!("{label}[ {} ]", text::fit(words, columns, ""));
        put(buffer, inside, row + line, &words, style);
    }
    let x = inside.x + u16::try_from(LABEL + at.1).unwrap_or_default();
    let y = inside.y + row + u16::try_from(at.0 - top.min(at.0)).unwrap_or_default();
    (has_cursor && x < inside.right() && y < inside.bottom()).then_some(Position { x, y })
}

/// The part of one long line around its cursor.
fn one_line(editor: &crate::edit::Editor, columns: usize) -> (Vec<String>, (usize, usize)) {
    let room = columns.saturating_sub(1).max(1);
    let before = &editor.text()[..editor.cursor()];
    let ranges = text::wrap(before, room);
    let from = ranges.last().map_or(0, |range| range.start);
    (vec![editor.text()[from..].to_owned()], (0, text::width(&before[from..])))
}
