//! Forms and pages, in a box over everything else.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::waiting_word;
use crate::keys::{Action, Place};
use crate::model::Model;
use crate::model::dialog::{Dialog, Field, Form, Input, Kind, Page};
use crate::text;
use crate::theme::Tone;

/// Widest box in columns.
const WIDTH_MAX: u16 = 62;
/// Columns before a field.
const LABEL: usize = 12;
/// Before a choice that was not chosen.
const CIRCLE: &str = "( ) ";
/// Columns between two choices.
const BETWEEN: usize = 3;

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
    let mut keys = Vec::new();
    if lines.len() > usize::from(room) || page.top > 0 {
        let moves = [Action::Up, Action::Down, Action::PageUp, Action::PageDown];
        let moves = moves.map(|action| model.key_for(Place::Dialog, action));
        let moves = moves.into_iter().flatten().collect::<Vec<_>>().join(" ");
        keys.extend(Some(format!("{moves} move")).filter(|_| !moves.is_empty()));
    }
    keys.push(model.settings.keys.hints(Place::Dialog, &[(Action::Back, "back")], ""));
    let last = inside.height.saturating_sub(1);
    put(buffer, inside, last, &keys.join("   "), model.settings.theme.style(Tone::Dim));
}

fn put(buffer: &mut Buffer, inside: Rect, row: u16, words: &str, style: ratatui::style::Style) {
    super::put(buffer, inside, row, words, style);
}

fn draw_form(model: &Model, form: &Form, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let theme = &model.settings.theme;
    let columns = usize::from(area.width.min(WIDTH_MAX)).saturating_sub(4);
    let heights = form.fields.iter().map(|field| rows_of(field, columns));
    let rows: u16 = heights.clone().sum();
    let notes: Vec<String> = notes_of(model, form)
        .iter()
        .flat_map(|note| text::wrap(note, columns).into_iter().map(|range| note[range].to_owned()))
        .collect();
    let extra = u16::try_from(notes.len()).unwrap_or_default() + 5;
    let inside = boxed(model, &form.title, rows + extra, area, buffer);
    // Where there is no room for all, the field with the cursor is in sight.
    let above: u16 = heights.clone().take(form.at + 1).sum();
    let room = inside.height.saturating_sub(2).max(1);
    let skip = above.saturating_sub(room);
    // Words are worth more than the blank line above the first field.
    let words = u16::try_from(notes.len()).unwrap_or(u16::MAX);
    let wanted = rows.saturating_add(words).saturating_add(3);
    let mut row = u16::from(skip == 0 && inside.height > wanted);
    let mut cursor = None;
    let mut seen = 0;
    for ((at, field), height) in form.fields.iter().enumerate().zip(heights) {
        seen += height;
        if seen <= skip {
            continue;
        }
        let place = draw_field(model, field, at == form.at, inside, row, buffer);
        cursor = cursor.or(place);
        row += height;
    }
    let field = form.fields.get(form.at);
    let (words, tone) = match (&form.problem, form.busy) {
        (Some(problem), _) => (problem.clone(), Tone::Bad),
        (None, Some(since)) => {
            (waiting_word(busy_word(form.kind), since, model.window.now), Tone::Dim)
        }
        (None, None) => (hint_of(model, field), Tone::Dim),
    };
    let last = inside.height.saturating_sub(1);
    for note in notes {
        if row + 1 < last {
            put(buffer, inside, row + 1, &note, theme.style(Tone::Text));
            row += 1;
        }
    }
    let at = (row + 1).min(last.saturating_sub(1));
    let words = text::fit(&words, columns, model.settings.marks.cut);
    put(buffer, inside, at, &words, theme.style(tone));
    let keys = text::fit(&keys_of(model, form.kind), columns, model.settings.marks.cut);
    put(buffer, inside, last, &keys, theme.style(Tone::Dim));
    cursor.filter(|_| form.busy.is_none())
}

/// What is expected in a field: keys that choose, and words.
fn hint_of(model: &Model, field: Option<&Field>) -> String {
    let Some(field) = field else { return String::new() };
    let keys = match &field.input {
        Input::Choice { .. } => {
            [Action::Left, Action::Right].map(|a| model.key_for(Place::Dialog, a))
        }
        Input::Text(_) | Input::Secret(_) => [None, None],
    };
    let keys = keys.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let keys = Some(format!("{keys} choose")).filter(|_| !keys.is_empty());
    let hint = Some(field.hint.to_owned()).filter(|hint| !hint.is_empty());
    let words = [keys, hint].into_iter().flatten().collect::<Vec<_>>().join("; ");
    if words.is_empty() { words } else { format!("{}: {words}", field.label) }
}

/// Rows of a field in a box with so many columns.
fn rows_of(field: &Field, columns: usize) -> u16 {
    match &field.input {
        Input::Choice { options, none: "", .. } => {
            let per_row = per_row(options, columns.saturating_sub(LABEL - 2));
            u16::try_from(options.len().div_ceil(per_row)).unwrap_or(u16::MAX)
        }
        _ => field.rows,
    }
}

/// Columns of each option beside its neighbours, where so many stand in a row.
fn widths(options: &[String], per_row: usize) -> Vec<usize> {
    let width = |at: usize| {
        let below = options.iter().skip(at).step_by(per_row);
        below.map(|option| text::width(option) + CIRCLE.len()).max().unwrap_or_default()
    };
    (0..per_row).map(width).collect()
}

/// How many options stand beside each other in so many columns; at least one.
fn per_row(options: &[String], columns: usize) -> usize {
    let fits = |per_row: &usize| {
        let gaps = (per_row - 1) * BETWEEN;
        widths(options, *per_row).into_iter().sum::<usize>() + gaps <= columns
    };
    (1..=options.len()).rev().find(fits).unwrap_or(1)
}

/// The lines of a choice of a few: all of them, the chosen one marked.
fn circles(options: &[String], at: usize, columns: usize) -> Vec<String> {
    let per_row = per_row(options, columns);
    let widths = widths(options, per_row);
    let row = |(row, options): (usize, &[String])| {
        let words = options.iter().zip(&widths).enumerate().map(|(column, (option, width))| {
            let circle = if row * per_row + column == at { "(x) " } else { CIRCLE };
            text::fit(&format!("{circle}{option}"), *width, "")
        });
        words.collect::<Vec<_>>().join(&" ".repeat(BETWEEN))
    };
    options.chunks(per_row).enumerate().map(row).collect()
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

fn notes_of(model: &Model, form: &Form) -> Vec<String> {
    let hints = |shown: &[(Action, &str)]| model.settings.keys.hints(Place::Dialog, shown, "   ");
    match form.kind {
        Kind::Dispute => {
            let others = |chat| model.chats.others(chat, model.who.id()).into_iter();
            let names = form
                .chat
                .into_iter()
                .flat_map(|chat| others(chat).filter_map(move |user| model.name_in(chat, user)));
            let mut names = names.collect::<Vec<_>>().join(" and ");
            if names.is_empty() {
                "The other side".clone_into(&mut names);
            }
            vec![
                "This adds your local service manager (LSM) to the chat.".to_owned(),
                format!("{names} will see the reason and your text."),
            ]
        }
        Kind::SignIn => vec![hints(&[
            (Action::Book, "makes an account"),
            (Action::Dispute, "shows the demo, without a server"),
        ])],
        Kind::Resolve => vec!["You leave the chat when it is resolved.".to_owned()],
        Kind::SignUp | Kind::Book => Vec::new(),
    }
}

fn keys_of(model: &Model, kind: Kind) -> String {
    let next = (Action::NextField, "next");
    let back = (Action::Back, "back (your text is kept)");
    let shown: &[(Action, &str)] = match kind {
        Kind::SignIn => &[next, (Action::Send, "sign in"), (Action::Back, "back")],
        Kind::SignUp => &[next, (Action::Submit, "make it"), (Action::Back, "back")],
        Kind::Book => &[next, (Action::Submit, "book"), back],
        Kind::Dispute => &[(Action::Submit, "file and invite"), back],
        Kind::Resolve => &[(Action::Submit, "resolve and leave"), back],
    };
    model.settings.keys.hints(Place::Dialog, shown, "   ")
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
    if let Input::Choice { options, at, none: "", .. } = &field.input {
        let room = usize::from(inside.width).saturating_sub(LABEL - 2);
        for (line, words) in (0..).zip(circles(options, *at, room)) {
            let label = if line == 0 { label.clone() } else { " ".repeat(LABEL - 2) };
            let words = format!("{label}{words}");
            put(buffer, inside, row + line, &text::cut(&words, inside.width.into(), cut), style);
        }
        let per_row = per_row(options, room);
        let before: usize = widths(options, per_row).iter().take(at % per_row).sum();
        let x = LABEL - 1 + before + at % per_row * BETWEEN;
        let (x, y) = (u16::try_from(x).unwrap_or_default(), at / per_row);
        let y = inside.y + row + u16::try_from(y).unwrap_or_default();
        let at = Position { x: inside.x + x, y };
        return (has_cursor && at.x < inside.right() && at.y < inside.bottom()).then_some(at);
    }
    let (rows, at) = match &field.input {
        Input::Choice { options, none, .. } if options.is_empty() => {
            (vec![(*none).to_owned()], (0, 0))
        }
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
