//! Three accounts side by side.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use trialogue_client::LinkState;

use super::{bar, between, put};
use crate::keys::{Action, Place};
use crate::model::Model;
use crate::model::log::Joined;
use crate::script::Script;
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
                super::role_word(user.role)
            ),
            None => model.who.profile.clone(),
        };
        let keys = [Action::FocusFirst, Action::FocusSecond, Action::FocusThird];
        let chord = keys.get(at).and_then(|key| model.settings.keys.key_for(Place::Trio, *key));
        let chord = chord.unwrap_or_default();
        let has_keys = at == table.focus;
        let mark = if has_keys { ">" } else { " " };
        let head = format!("{mark}{chord} {name}");
        let (state, tone) = match seat.cut {
            true => (
                format!("line cut {} {}", model.settings.marks.dot, bar::state_words(model).0),
                Tone::Bad,
            ),
            false => state_words(model),
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

/// The state of the line; while it is up, what the account has before it.
fn state_words(model: &Model) -> (String, Tone) {
    let dot = model.settings.marks.dot;
    let is_up = model.connection.state == LinkState::Connected;
    if model.chats.follows && model.who.user.is_none() {
        return ("not there yet".to_owned(), Tone::Dim);
    }
    if !is_up || model.connection.caught_up.is_some() || model.connection.other_version.is_some() {
        return bar::state_words(model);
    }
    let words = match (model.open_log(), model.invites.list.len()) {
        (Some((_, log)), _) if log.joined == Joined::Yes && !log.people.is_empty() => {
            format!("room of {}", log.people.len())
        }
        (_, 0) => return bar::state_words(model),
        (_, 1) => "1 invite waiting".to_owned(),
        (_, several) => format!("{several} invites waiting"),
    };
    (format!("Connected {dot} {words}"), Tone::Text)
}

fn bottom(table: &Table, area: Rect, buffer: &mut Buffer) {
    let Some(seat) = table.seats.get(table.focus) else { return };
    let model = &seat.model;
    let name = model.who.user.as_ref().map(|user| text::line(&user.first_name));
    let name = name.unwrap_or_else(|| model.who.profile.clone());
    let dot = model.settings.marks.dot;
    let said = model.notice.text.as_deref();
    let known = &model.settings.keys;
    let hint = |action: Action, word: &str| known.hints(Place::Trio, &[(action, word)], "");
    let turns = [Action::FocusFirst, Action::FocusSecond, Action::FocusThird];
    let turns: Vec<String> =
        turns.into_iter().filter_map(|action| known.key_for(Place::Trio, action)).collect();
    let turn = if turns.is_empty() { String::new() } else { format!("{} focus", turns.join(" ")) };
    let (place, said, keys) = match &table.script {
        None => {
            (String::new(), said.map_or_else(|| hint(Action::Help, "help"), str::to_owned), turn)
        }
        Some(script) => {
            let keys = match (script.is_over(), script.is_playing()) {
                (true, _) => turn,
                (false, true) => hint(Action::PlayScript, "pause"),
                (false, false) => {
                    let shown = [(Action::StepScript, "step"), (Action::PlayScript, "play")];
                    known.hints(Place::Trio, &shown, "  ")
                }
            };
            // The script's own words first: small talk of the three would cover them.
            let said = match (script.words(), said) {
                (words, Some(said)) if words.is_empty() || model.notice.is_bad => said.to_owned(),
                (words, _) => words,
            };
            (format!(" {dot} {}", script.place()), said, keys)
        }
    };
    let cut = hint(Action::CutLine, if seat.cut { "heal the line" } else { "cut the line" });
    let (left, right) = (format!(" Trio {dot} focus {name}{place}"), format!("{keys}  {cut}"));
    let room = |keys: &str| usize::from(area.width).saturating_sub(text::width(keys) + 2);
    let (left, right) = match said.is_empty() {
        true => (left, right),
        false if table.script.is_some() => {
            // The keys stay where they are while what is said has room beside them.
            let short = format!(" {} {dot} {said}", place.trim_start_matches([' ', '·', '-']));
            let whole = format!("{left} {dot} {said}");
            let fits = |words: &String| text::width(words) <= room(&right);
            let left = Some(whole).filter(fits).unwrap_or(short);
            let right = if fits(&left) { right } else { keys };
            (text::cut(&left, room(&right), model.settings.marks.cut), right)
        }
        false => (format!("{left} {dot} {said}"), right),
    };
    let words = between(&left, &right, area.width.into(), &model.settings);
    let is_bad = table.script.as_ref().is_some_and(Script::is_bad);
    let tone = if is_bad { Tone::Bad } else { Tone::Text };
    let row = area.height.saturating_sub(1);
    let blank = " ".repeat(area.width.into());
    put(buffer, area, row, &blank, model.settings.theme.style(Tone::Text));
    put(buffer, area, row, &words, model.settings.theme.style(tone));
}
