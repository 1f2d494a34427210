//! The LSM's queue.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use trialogue_protocol::{Dispute, Role};

use super::{put, waiting_word};
use crate::keys::{Action, Place};
use crate::model::{Listing, Model};
use crate::sheet::rule;
use crate::text;
use crate::theme::Tone;
use crate::update::REASONS;

/// Lower than this, the queue has the whole pane.
const BELOW_FROM: u16 = 10;
/// Columns of time and name before the words of a preview.
const PREVIEW: usize = 16;

/// Draws the queue, and the last messages of the one that was looked at.
pub(super) fn draw(model: &Model, pane: Rect, buffer: &mut Buffer) {
    let theme = &model.settings.theme;
    // The rule above the input stays where it is, whatever stands above it.
    let below = if pane.height > BELOW_FROM { 2 } else { 0 };
    let foot = Rect { y: pane.bottom() - below, height: below, ..pane };
    let line = rule("join to write", pane.width.into(), &model.settings);
    put(buffer, foot, 0, &line, theme.style(Tone::Dim));
    put(buffer, foot, 1, ">", theme.style(Tone::Dim));
    let pane = Rect { height: pane.height - below, ..pane };
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
            Listing::Failed(why) => {
                let how = model.how_to(Place::List, Action::RetryNow, "to retry");
                format!("Could not load invites: {why}.{how}")
            }
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
    let head = "   age   job   reason      customer / provider";
    put(buffer, pane, 1, &text::cut(head, columns, cut), theme.style(Tone::Dim));
    let room = usize::from(pane.height / 2).max(1);
    let top = (invites.cursor + 1).saturating_sub(room);
    let mut row = 2;
    for (at, dispute) in fitting.into_iter().enumerate().skip(top).take(room) {
        let selected = at == invites.cursor;
        let mark = if selected { ">" } else { " " };
        let words = format!(
            "{mark} {:>6} {} {} {}",
            age(model, dispute),
            text::fit(&dispute.job_id.to_string(), 5, cut),
            text::fit(&reason(dispute).0, 11, cut),
            who(model, dispute),
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
    let mut say = |head: &str, words: &str, tone: Tone| {
        let head = text::fit(head, PREVIEW.min(columns / 2), model.settings.marks.cut);
        let blank = " ".repeat(text::width(&head));
        let ranges = text::wrap(words, columns.saturating_sub(text::width(&head)));
        for (at, range) in ranges.into_iter().enumerate() {
            let head = if at == 0 { &head } else { &blank };
            lines.push((format!("{head}{}", &words[range]), tone));
        }
    };
    let clock = |at| (model.settings.local)(at).format("%H:%M").to_string();
    if let Some((chat, said)) = &model.invites.preview
        && *chat == dispute.chat_id
    {
        if said.is_empty() {
            say("", "Nothing can be read before you join.", Tone::Dim);
        }
        for said in said {
            let words = said.text.replace('\n', " ");
            say(&format!("   {} {}", clock(said.at), said.name), &words, Tone::Text);
        }
    }
    let by = model.name_in(dispute.chat_id, dispute.raised_by);
    let by = by.map(|name| format!(" by {name}")).unwrap_or_default();
    let (why, what) = reason(dispute);
    let opened = format!("   {} *", clock(dispute.created_at.as_datetime()));
    say(&opened, &format!("Dispute opened{by}: {why}"), Tone::Warn);
    if !what.is_empty() {
        say("", &format!("\"{what}\""), Tone::Warn);
    }
    say("", "", Tone::Text);
    let key = model.key_for(Place::List, Action::Open);
    let key = key.map(|key| format!(" ({key})")).unwrap_or_default();
    for words in [format!("Join to write{key}."), "Both sides will see that you joined.".to_owned()]
    {
        lines.push((format!("   {words}"), Tone::Dim));
    }
    let room = usize::from(pane.height.saturating_sub(row + 1));
    let skip = lines.len().saturating_sub(room);
    for ((words, tone), row) in lines.into_iter().skip(skip).zip(row + 1..) {
        let words = text::cut(&words, columns, model.settings.marks.cut);
        put(buffer, pane, row, &words, theme.style(tone));
    }
}

/// The reason of a dispute and the words about it; where none of ours stands before them, the words
/// are the reason.
fn reason(dispute: &Dispute) -> (String, String) {
    let line = text::line(&dispute.description);
    match line.split_once(": ").filter(|(reason, _)| REASONS.contains(reason)) {
        Some((reason, what)) => (reason.to_owned(), what.to_owned()),
        None => (line, String::new()),
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

/// Whom the chat is of; a server that tells of members only who has joined leaves the number of the
/// one who has asked.
fn who(model: &Model, dispute: &Dispute) -> String {
    let members = model.chats.get(dispute.chat_id).map(|entry| entry.chat.members.as_slice());
    let name = |role: Role| {
        let member = members.unwrap_or_default().iter().find(|member| member.role == role)?;
        Some(text::first_name(&text::line(&member.name)).to_owned())
    };
    let names: Vec<String> =
        [Role::Customer, Role::Provider].into_iter().filter_map(name).collect();
    match names.is_empty() {
        true => format!("asked by user {}", dispute.raised_by),
        false => names.join(" / "),
    }
}
