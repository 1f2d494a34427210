//! The open chat: what it is, what was said, the rule above the input, the input.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;
use trialogue_client::LinkState;
use trialogue_client::people::Presence;
use trialogue_protocol::ChatId;

use super::{put, put_line, waiting_word};
use crate::keys::{Action, Place};
use crate::layout::chat_parts;
use crate::model::log::{Joined, Log, Older, State};
use crate::model::{Listing, Model};
use crate::sheet::{Sheet, rule};
use crate::text;
use crate::theme::Tone;

/// Before what is typed.
const PROMPT: &str = "> ";

/// Draws the chat; answers where the cursor stands.
pub(super) fn draw(
    model: &Model,
    pane: Rect,
    screen_height: u16,
    buffer: &mut Buffer,
) -> Option<Position> {
    let columns = usize::from(pane.width).saturating_sub(PROMPT.len()).max(1);
    let editor = &model.compose.editor;
    let (rows, (row, column)) = editor.rows(columns);
    let parts = chat_parts(pane, rows.len(), screen_height);
    title(model, parts.title, buffer);
    match model.open_log() {
        Some((chat, log)) => messages(model, chat, log, parts.messages, buffer),
        None => nothing_open(model, parts.messages, buffer),
    }
    rule_above_input(model, parts.rule, buffer);
    // The row of the cursor is always on the screen.
    let height = usize::from(parts.input.height);
    let top = (row + 1).saturating_sub(height);
    for (number, range) in rows.iter().enumerate().skip(top).take(height) {
        let prompt = if number == 0 { PROMPT } else { "  " };
        let words = format!("{prompt}{}", &editor.text()[range.clone()]);
        let at = u16::try_from(number - top).unwrap_or_default();
        put(buffer, parts.input, at, &words, model.settings.theme.style(Tone::Text));
    }
    let x = parts.input.x + u16::try_from(PROMPT.len() + column).unwrap_or_default();
    let y = parts.input.y + u16::try_from(row - top).unwrap_or_default();
    let inside = x < pane.right() && model.place() == Place::Input;
    inside.then_some(Position { x, y })
}

fn title(model: &Model, area: Rect, buffer: &mut Buffer) {
    let dot = model.settings.marks.dot;
    let Some((chat, log)) = model.open_log() else { return };
    let mut words = String::new();
    if let Some(entry) = model.chats.get(chat) {
        words = format!(" {} {dot} job {}", entry.title, entry.chat.job.id);
        for user in model.chats.others(chat, model.who.id()) {
            let presence = log.people.get(&user).map(|person| person.presence);
            let here = match presence {
                Some(Presence::Online) => "online",
                Some(Presence::Offline { .. }) => "away",
                Some(Presence::Unknown) | None => "unknown",
            };
            let name = model.name_in(chat, user).unwrap_or_default();
            words = format!("{words} {dot} {name} {here}");
        }
        if entry.chat.closed {
            words = format!("{words} {dot} closed");
        }
    }
    let words = text::cut(&words, area.width.into(), model.settings.marks.cut);
    put(buffer, area, 0, &words, model.settings.theme.style(Tone::Me));
}

fn nothing_open(model: &Model, area: Rect, buffer: &mut Buffer) {
    let words = match (&model.chats.listing, model.chats.list.is_empty()) {
        (Listing::Loaded, false) => {
            let how = model.how_to(Place::Input, Action::NextPane, "to the list, or");
            format!("No chat is open.{how} /chat NAME.")
        }
        (Listing::Loaded, true) if model.who.is_lsm() => {
            let key = model.key_for(Place::Input, Action::Dispute);
            format!("{} shows who asks for you.", key.as_deref().unwrap_or("/invites"))
        }
        (Listing::Loaded, true) => "When a job is booked, its chat opens here.".to_owned(),
        _ => String::new(),
    };
    paragraph(model, &words, Tone::Dim, area, buffer);
}

fn paragraph(model: &Model, words: &str, tone: Tone, area: Rect, buffer: &mut Buffer) {
    let columns = usize::from(area.width).saturating_sub(2);
    let style = model.settings.theme.style(tone);
    for (range, row) in text::wrap(words, columns).into_iter().zip(0..) {
        put(buffer, area, row, &format!(" {}", &words[range]), style);
    }
}

fn messages(model: &Model, chat: ChatId, log: &Log, area: Rect, buffer: &mut Buffer) {
    let sheet = Sheet::new(model, chat, log, area.width);
    let height = usize::from(area.height);
    let (first, skip) = sheet.window(height);
    let selected =
        (model.place() == Place::Messages).then_some(log.eye.selected.as_ref()).flatten();
    let selected = selected.and_then(|spot| log.place_of(spot));
    let mut lines: Vec<Line<'static>> = Vec::new();
    for at in first..log.len() {
        let mut row = sheet.lines(at);
        if Some(at) == selected {
            for line in &mut row {
                line.style = line.style.patch(model.settings.theme.selected());
            }
        }
        lines.extend(row);
        if lines.len() >= height + skip {
            break;
        }
    }
    if log.is_empty() {
        lines = sheet.head_lines();
        let words = match &log.joined {
            Joined::Refused(why) => format!("You are not in this chat: {why}"),
            Joined::Invited => "You are invited. Join to read on and to write: /join".to_owned(),
            Joined::Joining => String::new(),
            Joined::Yes => "No messages yet. Say hello.".to_owned(),
        };
        lines.push(Line::styled(words, model.settings.theme.style(Tone::Dim)));
    }
    let count = lines.len().saturating_sub(skip).min(height);
    // What is short stands at the bottom, where the input is.
    let blank = height - count;
    for (line, row) in lines.iter().skip(skip).take(height).zip(blank..) {
        put_line(buffer, area, u16::try_from(row).unwrap_or(u16::MAX), line);
    }
    if first == 0 && skip == 0 {
        above(model, log, area, buffer);
    }
}

/// What goes on above the first row is said over it, so that nothing moves.
fn above(model: &Model, log: &Log, area: Rect, buffer: &mut Buffer) {
    let (words, tone) = match log.older {
        Older::Loading(since) => {
            (waiting_word("Loading earlier messages", since, model.window.now), Tone::Dim)
        }
        Older::Failed => {
            let how = model.how_to(Place::Input, Action::PageUp, "to retry");
            (format!("Earlier messages did not load.{how}"), Tone::Bad)
        }
        Older::More | Older::None => return,
    };
    if !words.is_empty() {
        let words = text::fit(&format!(" {words}"), area.width.into(), model.settings.marks.cut);
        put(buffer, area, 0, &words, model.settings.theme.style(tone));
    }
}

fn rule_above_input(model: &Model, area: Rect, buffer: &mut Buffer) {
    let (words, tone) = rule_words(model);
    let words = rule(&words, area.width.into(), &model.settings);
    put(buffer, area, 0, &words, model.settings.theme.style(tone));
}

/// What stands in the rule, most important first.
pub(super) fn rule_words(model: &Model) -> (String, Tone) {
    if let Some(problem) = &model.compose.problem {
        return (problem.clone(), Tone::Bad);
    }
    let Some((chat, log)) = model.open_log() else { return (String::new(), Tone::Dim) };
    let closed = model.chats.get(chat).is_some_and(|entry| entry.chat.closed);
    let mut parts: Vec<String> = Vec::new();
    match &log.joined {
        Joined::Joining if model.connection.is_up() => parts.push("Joining…".to_owned()),
        Joined::Refused(_) => parts.push("not in this chat".to_owned()),
        Joined::Invited => parts.push("join to write".to_owned()),
        Joined::Joining | Joined::Yes if closed => parts.push("closed: read only".to_owned()),
        Joined::Joining | Joined::Yes if model.connection.other_version.is_some() => {
            parts.push("read only".to_owned());
        }
        Joined::Joining | Joined::Yes => {}
    }
    parts.extend(waiting(model, log));
    if log.eye.below > 0 {
        parts.push(format!("{} new below", log.eye.below));
    }
    let me = model.who.id();
    let typing = log.people.values().filter(|p| p.typing && Some(p.user_id) != me);
    let names: Vec<String> =
        typing.filter_map(|person| model.name_in(chat, person.user_id)).collect();
    match names.as_slice() {
        [] => {}
        [name] => parts.push(format!("{name} is typing…")),
        names => parts.push(format!("{} are typing…", names.join(" and "))),
    }
    let tone = if parts.is_empty() { Tone::Dim } else { Tone::Text };
    (parts.join(&format!(" {} ", model.settings.marks.dot)), tone)
}

/// What waits in this chat, and until when.
fn waiting(model: &Model, log: &Log) -> Option<String> {
    let now = model.window.now;
    let queued = log.waiting();
    let waits = log.pending.iter().find_map(|pending| match &pending.state {
        State::Waiting { until, why } => Some((*until, why)),
        _ => None,
    });
    if let Some((until, why)) = waits.filter(|_| model.connection.is_up()) {
        let left = until.saturating_sub(now).as_millis().div_ceil(1_000);
        return Some(format!("{queued} queued, next try in {left} s: {why}"));
    }
    let offline =
        !matches!(model.connection.state, LinkState::Connected | LinkState::Syncing { .. });
    (queued > 0 && offline).then(|| format!("{queued} queued, sent in order when back"))
}
