//! The LSM's queue.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use trialogue_protocol::{Dispute, UserId};

use super::{put, waiting_word};
use crate::model::{Listing, Model};
use crate::sheet::rule;
use crate::text;
use crate::theme::Tone;

/// Draws the queue, and the last messages of the one that was looked at.
pub(super) fn draw(model: &Model, pane: Rect, buffer: &mut Buffer) {
    let theme = &model.settings.theme;
    let invites = &model.invites;
    let dot = model.settings.marks.dot;
    let (columns, cut) = (usize::from(pane.width), model.settings.marks.cut);
    let mut title = format!(" Invites {dot} {} waiting", invites.list.len());
    if let Some(oldest) = invites.list.first() {
        title = format!("{title} {dot} oldest {}", age(model, oldest));
    }
    let fitting = invites.fitting();
    if model.chats.filtering || !invites.filter.is_empty() {
        title = format!("{title} {dot} / {}", invites.filter.text());
    }
    put(buffer, pane, 0, &text::cut(&title, columns, cut), theme.style(Tone::Me));
    if fitting.is_empty() {
        let words = match &invites.listing {
            Listing::Loading(since) => waiting_word("Loading invites", *since, model.window.now),
            Listing::Failed(why) => format!("Could not load invites: {why}. Ctrl-R to retry"),
            Listing::Loaded if !invites.filter.is_empty() => {
                "No invite with these letters.".to_owned()
            }
            Listing::Loaded => "No open disputes. Invites appear here by themselves.".to_owned(),
        };
        for (range, row) in text::wrap(&words, columns.saturating_sub(2)).into_iter().zip(1..) {
            put(buffer, pane, row, &format!(" {}", &words[range]), theme.style(Tone::Dim));
        }
        return;
    }
    put(buffer, pane, 1, "   age    job   raised by   reason", theme.style(Tone::Dim));
    let room = usize::from(pane.height / 2).max(1);
    let top = (invites.cursor + 1).saturating_sub(room);
    let mut row = 2;
    for (at, dispute) in fitting.into_iter().enumerate().skip(top).take(room) {
        let selected = at == invites.cursor;
        let mark = if selected { ">" } else { " " };
        let why = text::line(&dispute.description);
        let words = format!(
            "{mark} {:>6} {:>6}   {}  {why}",
            age(model, dispute),
            dispute.job_id.to_string(),
            text::fit(&who(model, dispute, dispute.raised_by), 10, cut),
        );
        let style = if selected { theme.selected() } else { theme.style(Tone::Text) };
        put(buffer, pane, row, &text::cut(&words, columns, cut), style);
        row += 1;
    }
    preview(model, pane, row, buffer);
}

fn preview(model: &Model, pane: Rect, row: u16, buffer: &mut Buffer) {
    let theme = &model.settings.theme;
    let Some(dispute) = model.invites.selected() else { return };
    let columns = usize::from(pane.width);
    let words = format!("job {} {} last messages", dispute.job_id, model.settings.marks.dot);
    let line = rule(&words, columns, &model.settings);
    put(buffer, pane, row, &line, theme.style(Tone::Dim));
    let mut lines = Vec::new();
    if let Some((chat, said)) = &model.invites.preview
        && *chat == dispute.chat_id
    {
        if said.is_empty() {
            lines.push(("   Nothing can be read before you join.".to_owned(), Tone::Dim));
        }
        for said in said {
            let time = (model.settings.local)(said.at).format("%H:%M");
            let name = text::fit(&said.name, 6, model.settings.marks.cut);
            let words = said.text.replace('\n', " ");
            lines.push((format!("   {time} {name} {words}"), Tone::Text));
        }
    }
    lines.push((format!("   * Dispute: {}", text::line(&dispute.description)), Tone::Warn));
    lines.push((String::new(), Tone::Text));
    let how = "   Enter joins. Both sides will see that you joined.";
    lines.push((how.to_owned(), Tone::Dim));
    let room = usize::from(pane.height.saturating_sub(row + 1));
    let skip = lines.len().saturating_sub(room);
    for ((words, tone), row) in lines.into_iter().skip(skip).zip(row + 1..) {
        let words = text::cut(&words, columns, model.settings.marks.cut);
        put(buffer, pane, row, &words, theme.style(tone));
    }
}

/// How long it waits already.
fn age(model: &Model, dispute: &Dispute) -> String {
    let wall = model.window.wall;
    let waited = wall.map(|now| now - dispute.created_at.as_datetime());
    match waited.map(|waited| waited.num_minutes()) {
        None => String::new(),
        Some(minutes) if minutes < 60 => format!("{} min", minutes.max(0)),
        Some(minutes) if minutes < 48 * 60 => format!("{} h", minutes / 60),
        Some(minutes) => format!("{} d", minutes / (24 * 60)),
    }
}

fn who(model: &Model, dispute: &Dispute, user: UserId) -> String {
    model.name_in(dispute.chat_id, user).unwrap_or_else(|| format!("user {user}"))
}
