//! The status bar: the state of the connection, and one short result.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use trialogue_client::LinkState;
use trialogue_protocol::{PROTOCOL_VERSION, Role};

use super::{between, put};
use crate::keys::{Action, Place};
use crate::model::Model;
use crate::text;
use crate::theme::Tone;

/// Draws the bar.
pub(super) fn draw(model: &Model, area: Rect, hints: bool, buffer: &mut Buffer) {
    let (state, tone) = state_words(model);
    let right = match &model.notice.text {
        Some(text) => text.clone(),
        None if hints => hint_words(model),
        None => String::new(),
    };
    let columns = usize::from(area.width);
    // A result is worth more than the state of a line that is up; of one that is not, a word stays.
    let state = format!(" {state}");
    let crowded = text::width(&state) + text::width(&right) + 2 > columns;
    let (words, tone) = match &model.notice.text {
        Some(notice) if crowded => {
            let word = state.split(model.settings.marks.dot).next().map(str::trim);
            let down = !model.connection.is_up() && !model.window.quitting;
            let word = word.filter(|_| down).map(|word| format!("{word}: ")).unwrap_or_default();
            let tone = if model.notice.is_bad { Tone::Bad } else { Tone::Text };
            (text::cut(&format!(" {word}{notice}"), columns, model.settings.marks.cut), tone)
        }
        _ => (between(&state, &right, columns, &model.settings), tone),
    };
    put(buffer, area, 0, &words, model.settings.theme.style(tone));
}

/// The state of the connection in words (TUI.md §5).
pub(crate) fn state_words(model: &Model) -> (String, Tone) {
    let dot = model.settings.marks.dot;
    let connection = &model.connection;
    // Only of a line that is up: of one that is not, its state is worth more.
    if let Some(version) = connection.other_version.filter(|_| connection.is_up()) {
        let words = format!("Server speaks v{version}, this client v{PROTOCOL_VERSION}");
        return (words, Tone::Warn);
    }
    let waiting = model.waiting();
    let queued = if waiting > 0 { format!(" {dot} {waiting} queued") } else { String::new() };
    match &connection.state {
        LinkState::Offline if model.who.user.is_none() => {
            (format!("Not signed in {dot} {}", model.who.host()), Tone::Warn)
        }
        LinkState::Offline => (format!("Offline{queued}"), Tone::Warn),
        LinkState::Connecting { .. } => {
            (format!("Connecting to {}{queued}", model.who.host()), Tone::Warn)
        }
        LinkState::Reconnecting { attempt, .. } => {
            let next = match connection.retry_in(model.window.now) {
                Some(seconds) => format!("next in {seconds} s"),
                None => "trying now".to_owned(),
            };
            (format!("Reconnecting {dot} retry {attempt} {dot} {next}{queued}"), Tone::Warn)
        }
        LinkState::Syncing { done, of } => {
            (format!("Connected {dot} rejoining {done} of {of} chats"), Tone::Text)
        }
        LinkState::Connected => {
            let who = match (&connection.caught_up, &model.who.user) {
                (Some((line, _)), _) => line.clone(),
                (None, Some(user)) => {
                    let name = text::line(&user.first_name).to_lowercase();
                    let role = super::role_word(user.role);
                    format!("{name} ({role})")
                }
                (None, None) => String::new(),
            };
            (format!("Connected {dot} {who}"), Tone::Text)
        }
        LinkState::LoginNeeded { .. } => {
            let how = model.key_for(Place::Input, Action::Send);
            let how =
                how.map_or("/login signs in".to_owned(), |key| format!("press {key} to sign in"));
            (format!("Signed out {dot} {how}"), Tone::Bad)
        }
        LinkState::Closed => ("Closed".to_owned(), Tone::Warn),
    }
}

/// Keys worth knowing here, from the table.
fn hint_words(model: &Model) -> String {
    let shown: &[(Action, &str)] = if !model.connection.is_up() && !model.connection.is_signed_out()
    {
        &[(Action::RetryNow, "retry now")]
    } else if model.invites.shown {
        &[(Action::Open, "join"), (Action::Preview, "preview"), (Action::Filter, "filter")]
    } else {
        match model.place() {
            Place::Messages => {
                &[(Action::Help, "help"), (Action::Copy, "copy"), (Action::ToInput, "write")]
            }
            Place::List => {
                &[(Action::Help, "help"), (Action::Open, "open"), (Action::Filter, "filter")]
            }
            _ if model.who.is_lsm() => &[(Action::Help, "help"), (Action::Dispute, "invites")],
            _ if model.who.role() == Some(Role::Provider) => {
                let all: &[(Action, &str)] =
                    &[(Action::Help, "help"), (Action::Dispute, "dispute")];
                &all[..if model.who.can.dispute_by_provider { 2 } else { 1 }]
            }
            _ => &[(Action::Help, "help"), (Action::Book, "book"), (Action::Dispute, "dispute")],
        }
    };
    model.settings.keys.hints(model.place(), shown, "  ")
}
