//! Where the user looks: scrolling, the cursor, search. A place is a row's name.

use ratatui::layout::Rect;

use super::rooms;
use crate::effect::Effect;
use crate::keys::Action;
use crate::layout::{chat_parts, panes};
use crate::model::Model;
use crate::model::log::{Log, Older, Scroll, Spot};
use crate::msg::Now;
use crate::sheet::Sheet;

/// Rows (2,000) among which the first new one is looked for: what is further up is old to
/// everybody.
const SEEK_ROWS_MAX: usize = 2_000;

/// Where messages stand on the screen; nothing where no chat is.
pub fn message_area(model: &Model) -> Option<Rect> {
    let (width, height) = model.window.size;
    let screen = Rect { x: 0, y: 0, width, height };
    let pane = panes(screen, model.window.shows_list)?.chat?;
    let (rows, _) = model.compose.editor.rows(usize::from(pane.width.saturating_sub(2)).max(1));
    Some(chat_parts(pane, rows.len(), height).messages)
}

/// Columns that a draft has beside its prompt.
pub(super) fn draft_columns(model: &Model) -> usize {
    let columns = message_area(model).map_or(40, |area| area.width);
    usize::from(columns.saturating_sub(2)).max(1)
}

/// Works on the open chat as it stands on the screen.
fn with_sheet<T>(model: &Model, work: impl FnOnce(&Sheet<'_>, &Log, usize) -> T) -> Option<T> {
    let area = message_area(model)?;
    let (chat, log) = model.open_log()?;
    let sheet = Sheet::new(model, chat, log, area.width);
    Some(work(&sheet, log, usize::from(area.height)))
}

/// Moves the window so many lines down, or up.
pub(super) fn scroll(model: &mut Model, by: isize, out: &mut Vec<Effect>) {
    let moved = with_sheet(model, |sheet, log, height| {
        let from = sheet.window(height);
        let to = sheet.moved(from, by);
        let at_end = to >= sheet.bottom(height);
        let scroll = match log.spot_at(to.0) {
            Some(spot) if !at_end => Scroll::Top { spot, skip: to.1 },
            _ => Scroll::Bottom,
        };
        (scroll, by < 0 && to == (0, 0))
    });
    let Some((scroll, at_top)) = moved else { return };
    look(model, scroll);
    if at_top {
        rooms::older(model, out);
    }
}

fn look(model: &mut Model, scroll: Scroll) {
    if let Some((_, log)) = model.open_log_mut() {
        if scroll == Scroll::Bottom {
            log.eye.below = 0;
        }
        log.eye.seeks = false;
        log.eye.scroll = scroll;
    }
}

/// The first new row comes to the top, once all of the new ones are here: pages above are asked
/// for.
pub(super) fn seek(model: &mut Model, out: &mut Vec<Effect>) {
    let Some((_, log)) = model.open_log().filter(|(_, log)| log.eye.seeks) else { return };
    let new = |log: &Log| log.place_of(&Spot::Row(log.new_from?));
    if new(log) == Some(0) && log.rows().len() < SEEK_ROWS_MAX {
        rooms::older(model, out);
    }
    let is_asked = |(_, log): (_, &Log)| matches!(log.older, Older::Loading(_));
    if model.open_log().is_some_and(is_asked) {
        return;
    }
    let found = with_sheet(model, |sheet, log, height| {
        let at = new(log).filter(|at| *at < sheet.bottom(height).0)?;
        let (mut last, mut left) = (at, height);
        while last + 1 < log.len() && sheet.height(last) < left {
            left -= sheet.height(last);
            last += 1;
        }
        let below = u64::try_from(log.rows().len().saturating_sub(last + 1)).unwrap_or(u64::MAX);
        Some((Scroll::Top { spot: log.spot_at(at)?, skip: 0 }, below))
    });
    if let Some((_, log)) = model.open_log_mut() {
        log.eye.seeks = false;
        if let Some((scroll, below)) = found.flatten() {
            (log.eye.scroll, log.eye.below) = (scroll, below);
        }
    }
}

/// One page up or down.
pub(super) fn page(model: &mut Model, direction: isize, out: &mut Vec<Effect>) {
    let height = message_area(model).map_or(10, |area| area.height);
    let by = isize::try_from(height.saturating_sub(1).max(1)).unwrap_or(1);
    scroll(model, direction * by, out);
    if model.place == crate::keys::Place::Messages {
        select_visible(model, direction > 0);
    }
}

/// Puts the cursor on a row that is on the screen, the last or the first one.
pub(super) fn select_visible(model: &mut Model, last: bool) {
    let found = with_sheet(model, |sheet, log, height| {
        let (first, skip) = sheet.window(height);
        let mut left = height + skip;
        let mut at = first;
        while at + 1 < log.len() && sheet.height(at) < left {
            left -= sheet.height(at);
            at += 1;
        }
        log.spot_at(if last { at } else { first })
    });
    if let Some((_, log)) = model.open_log_mut() {
        log.eye.selected = found.flatten();
    }
}

/// Moves the cursor so many rows, and the window with it.
pub(super) fn step(model: &mut Model, by: isize, out: &mut Vec<Effect>) {
    let target = model.open_log().and_then(|(_, log)| {
        let at = log.eye.selected.as_ref().and_then(|spot| log.place_of(spot));
        let at = at.unwrap_or(log.len().saturating_sub(1));
        let top = at == 0 && by < 0;
        let to = at.saturating_add_signed(by).min(log.len().saturating_sub(1));
        log.spot_at(to).map(|spot| (spot, top))
    });
    let Some((spot, top)) = target else { return };
    show(model, spot);
    if top {
        rooms::older(model, out);
    }
}

/// To the first or the last row that is here.
pub(super) fn to_end(model: &mut Model, last: bool, out: &mut Vec<Effect>) {
    let spot = model
        .open_log()
        .and_then(|(_, log)| log.spot_at(if last { log.len().saturating_sub(1) } else { 0 }));
    if let Some(spot) = spot {
        show(model, spot);
    }
    if last {
        look(model, Scroll::Bottom);
    } else {
        rooms::older(model, out);
    }
}

/// Puts the cursor on a row and the row on the screen.
fn show(model: &mut Model, spot: Spot) {
    let scroll = with_sheet(model, |sheet, log, height| {
        let at = log.place_of(&spot)?;
        let from = sheet.window(height);
        let top = |(at, skip): (usize, usize)| Some(Scroll::Top { spot: log.spot_at(at)?, skip });
        if at < from.0 || at == from.0 && from.1 > 0 {
            return top((at, 0));
        }
        // Lines from the top of the window to the end of the row.
        let mut lines = 0;
        for row in from.0..=at {
            lines += sheet.height(row);
            if lines > height + from.1 + height {
                break;
            }
        }
        let over = lines.saturating_sub(from.1 + height);
        if over == 0 {
            return None;
        }
        if lines > height + from.1 + height {
            return top((at, 0));
        }
        let to = sheet.moved(from, isize::try_from(over).unwrap_or(isize::MAX));
        if to >= sheet.bottom(height) { Some(Scroll::Bottom) } else { top(to) }
    });
    if let Some((_, log)) = model.open_log_mut() {
        log.eye.selected = Some(spot);
    }
    if let Some(scroll) = scroll.flatten() {
        look(model, scroll);
    }
}

/// The next older message with these letters, from the cursor up and around.
pub(super) fn search(model: &mut Model, needle: &str, now: Now) {
    let needle = needle.to_lowercase();
    let found = model.open_log().and_then(|(_, log)| {
        let from = log.eye.selected.as_ref().and_then(|spot| log.place_of(spot));
        let rows = log.rows();
        let from = from.unwrap_or(rows.len()).min(rows.len());
        let fits = |at: &usize| {
            let said = log.row(*at).and_then(|row| row.said());
            said.is_some_and(|said| said.text.to_lowercase().contains(&needle))
        };
        let above = (0..from).rev().find(fits);
        above.or_else(|| (from..rows.len()).rev().find(fits)).and_then(|at| log.spot_at(at))
    });
    match found {
        Some(spot) => {
            model.place = crate::keys::Place::Messages;
            show(model, spot);
        }
        None => {
            let more = model.how_to(crate::keys::Place::Input, Action::PageUp, "loads more");
            let more = if model.is_spoken() { " /history loads more" } else { &more };
            let end = if more.is_empty() { "" } else { ";" };
            model.notice.complain(format!("not in what is loaded here{end}{more}"), now.at);
        }
    }
}
