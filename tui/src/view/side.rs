//! Members and the job, right of the chat.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use trialogue_protocol::{JobStatus, Role};

use super::put;
use crate::keys::{Action, Place};
use crate::model::Model;
use crate::sheet::tone_of;
use crate::text;
use crate::theme::Tone;

/// Draws the pane.
pub(super) fn draw(model: &Model, pane: Rect, buffer: &mut Buffer) {
    let theme = &model.settings.theme;
    let cut = model.settings.marks.cut;
    put(buffer, pane, 0, " Members", theme.style(Tone::Me));
    let Some((chat, log)) = model.open_log() else { return };
    let Some(entry) = model.chats.get(chat) else { return };
    let mut row = 1;
    for member in &entry.chat.members {
        let name = text::line(&member.name);
        let role = super::role_word(member.role);
        let person = log.people.get(&member.user_id);
        let here = match person {
            _ if Some(member.user_id) == model.who.id() => "you",
            Some(person) => crate::update::presence(person.presence, person.typing),
            None => "unknown",
        };
        let name = text::fit(text::first_name(&name), 5, cut);
        let words = format!(" {name} {role:<8} {here}");
        put(buffer, pane, row, &words, theme.style(tone_of(member.role)));
        row += 1;
    }
    row += 1;
    let job = &entry.chat.job;
    let status = match job.status {
        JobStatus::Open => "in progress",
        JobStatus::Completed => "completed",
        JobStatus::Cancelled => "cancelled",
    };
    let dispute = match (entry.chat.lsm_invited, entry.chat.lsm_joined) {
        (_, true) => "Dispute: LSM joined",
        (true, false) => "Dispute: LSM invited",
        (false, false) => "Dispute: none",
    };
    let may = model.who.role() != Some(Role::Provider) || model.who.can.dispute_by_provider;
    let next = match (model.who.role(), entry.is_disputed()) {
        (Some(Role::Lsm), _) => "/resolve to end it".to_owned(),
        (_, false) if may => {
            let key = model.key_for(Place::Input, Action::Dispute);
            format!("{} to file one", key.as_deref().unwrap_or("/dispute"))
        }
        (..) => String::new(),
    };
    let lines = [format!("Job {}", job.id), entry.title.clone(), status.to_owned(), String::new()];
    let lines = lines.into_iter().chain([dispute.to_owned(), next]);
    for line in lines {
        let line = text::cut(&line, usize::from(pane.width).saturating_sub(1), cut);
        put(buffer, pane, row, &format!(" {line}"), theme.style(Tone::Text));
        row += 1;
    }
}
