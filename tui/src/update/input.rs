//! Keys.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::quit::quit;
use super::{command, dialog, looking, rooms, sending, touched};
use crate::effect::Effect;
use crate::keys::{Action, Chord, Place};
use crate::layout::panes;
use crate::model::Model;
use crate::model::dialog::Dialog;
use crate::model::log::Joined;
use crate::msg::Now;

/// A key was pressed.
pub(super) fn key(model: &mut Model, key: KeyEvent, now: Now, out: &mut Vec<Effect>) {
    model.window.looked = true;
    let quitting = std::mem::take(&mut model.window.quitting);
    let chord = Chord::from(key);
    let place = model.place();
    if place == Place::List && model.chats.filtering && filter_key(model, key) {
        return;
    }
    let action = model.settings.keys.action(place, chord).or_else(|| page_key(model, chord));
    if quitting && matches!(action, Some(Action::Quit | Action::Clear)) {
        out.push(Effect::Quit);
        return;
    }
    match action {
        Some(action) if place == Place::Dialog => dialog::act(model, action, now, out),
        Some(action) => act(model, action, now, out),
        None => {
            let held = KeyModifiers::CONTROL | KeyModifiers::ALT;
            if let KeyCode::Char(c) = key.code
                && !key.modifiers.intersects(held)
            {
                typed(model, &c.to_string(), now, out);
            }
        }
    }
    if model.place() != Place::List {
        // Who has gone elsewhere no longer types a filter; what was typed of it stays one.
        model.chats.filtering = false;
    }
}

/// On a page the keys that move among messages move too.
fn page_key(model: &Model, chord: Chord) -> Option<Action> {
    let moves = |action: &Action| {
        matches!(action, Action::Up | Action::Down | Action::First | Action::Last)
    };
    let action = model.settings.keys.action(Place::Messages, chord).filter(moves);
    action.filter(|_| matches!(model.dialogs.open, Some(Dialog::Page(_))))
}

/// Text was pasted: one draft, whatever lines it has.
pub(super) fn paste(model: &mut Model, text: &str, now: Now, out: &mut Vec<Effect>) {
    (model.window.looked, model.window.quitting) = (true, false);
    if model.dialogs.open.is_none() {
        // What is pasted is written, wherever the cursor was.
        to_input(model);
        model.chats.filtering = false;
    }
    typed(model, text, now, out);
}

fn typed(model: &mut Model, text: &str, now: Now, out: &mut Vec<Effect>) {
    if model.dialogs.open.is_some() {
        return dialog::typed(model, text);
    }
    if model.place != Place::Input || model.invites.shown {
        return;
    }
    if !model.compose.editor.insert(text) {
        model.notice.complain("the draft is full: the rest was left out", now.at);
    }
    touched(model, now, out);
}

/// What ends the filter, or changes it.
fn filter_key(model: &mut Model, key: KeyEvent) -> bool {
    let in_invites = model.invites.shown;
    let filter = match in_invites {
        true => &mut model.invites.filter,
        false => &mut model.chats.filter,
    };
    match key.code {
        KeyCode::Char(c) if !key.modifiers.contains(KeyModifiers::CONTROL) => {
            filter.insert(&c.to_string());
        }
        KeyCode::Backspace => filter.backspace(),
        KeyCode::Esc => {
            filter.set("");
            model.chats.filtering = false;
        }
        KeyCode::Enter => model.chats.filtering = false,
        _ => return false,
    }
    if in_invites {
        model.invites.step(0);
        return true;
    }
    let shown = model.chats.shown();
    let there = shown.iter().any(|entry| Some(entry.chat.id) == model.chats.cursor);
    if !there {
        model.chats.cursor = shown.first().map(|entry| entry.chat.id);
    }
    true
}

pub(super) fn act(model: &mut Model, action: Action, now: Now, out: &mut Vec<Effect>) {
    match action {
        Action::Help => command::help(model),
        Action::Book => dialog::book(model, now, out),
        Action::Dispute if model.who.is_lsm() => command::show_invites(model, out),
        Action::Dispute => dialog::dispute(model, now),
        Action::NextPane => next_pane(model, true),
        Action::PreviousPane => next_pane(model, false),
        Action::PreviousChat | Action::NextChat => {
            let step = if action == Action::NextChat { 1 } else { -1 };
            if let Some(chat) = model.chats.beside(model.chats.open, step) {
                rooms::open_chat(model, chat, out);
            }
        }
        Action::OldestUnread => match model.chats.oldest_unread() {
            Some(chat) => {
                rooms::open_chat(model, chat, out);
                let log = model.log(chat);
                log.eye.seeks = true;
                if log.joined == Joined::Yes {
                    looking::seek(model, out);
                }
            }
            None => model.notice.say("nothing unread elsewhere", now.at),
        },
        Action::JumpChat => command_line(model, "/chat "),
        Action::Search => command_line(model, "/search "),
        Action::RetryNow => {
            out.push(Effect::RetryNow);
            if matches!(model.chats.listing, crate::model::Listing::Failed(_)) {
                model.chats.listing = crate::model::Listing::Loading(now.at);
                out.push(Effect::LoadChats);
            }
            if matches!(model.invites.listing, crate::model::Listing::Failed(_)) {
                model.invites.listing = crate::model::Listing::Loading(now.at);
                out.push(Effect::LoadInvites);
            }
        }
        Action::SwapPanes => show_list(model, !model.window.shows_list),
        Action::Mouse => {
            model.window.mouse = !model.window.mouse;
            let on = model.window.mouse;
            let off = model.how_to(model.place(), action, "off");
            let on_word = format!("mouse on{}{off}", if off.is_empty() { "" } else { ":" });
            let word = if on { &on_word } else { "mouse off: the terminal selects" };
            model.notice.say(word, now.at);
            out.push(Effect::Mouse(on));
        }
        Action::Redraw => out.push(Effect::Redraw),
        Action::Suspend => out.push(Effect::Suspend),
        Action::Quit => quit(model, action, now, out),
        Action::PageUp | Action::PageDown if model.place != Place::List => {
            looking::page(model, if action == Action::PageUp { -1 } else { 1 }, out);
        }
        Action::ToInput => to_input(model),
        Action::Back => back(model),
        _ => match model.place {
            Place::Input => in_input(model, action, now, out),
            Place::List => in_list(model, action, now, out),
            _ => in_messages(model, action, now, out),
        },
    }
}

fn command_line(model: &mut Model, begun: &str) {
    to_input(model);
    model.compose.begin(begun);
}

fn to_input(model: &mut Model) {
    model.place = Place::Input;
    model.window.shows_list = false;
    model.invites.shown = false;
    if let Some((_, log)) = model.open_log_mut() {
        log.eye.selected = None;
    }
}

fn back(model: &mut Model) {
    if !model.chats.filter.is_empty() {
        model.chats.filter.set("");
    } else {
        to_input(model);
    }
}

fn show_list(model: &mut Model, show: bool) {
    model.window.shows_list = show;
    model.place = if show { Place::List } else { Place::Input };
    if show && model.chats.cursor.is_none() {
        model.chats.cursor = model.chats.beside(None, 0);
    }
}

fn next_pane(model: &mut Model, forward: bool) {
    if model.place == Place::Input && forward && complete(model) {
        return;
    }
    let order = [Place::Input, Place::List, Place::Messages];
    let at = order.iter().position(|place| *place == model.place).unwrap_or(0);
    let next = order[(at + if forward { 1 } else { 2 }) % 3];
    let (width, height) = model.window.size;
    let screen = ratatui::layout::Rect { x: 0, y: 0, width, height };
    let one_pane = panes(screen, true).is_some_and(|panes| panes.chat.is_none());
    match next {
        Place::List => {
            model.place = next;
            model.window.shows_list = one_pane;
            if model.chats.cursor.is_none() {
                model.chats.cursor = model.chats.beside(None, 0);
            }
        }
        Place::Messages => {
            model.window.shows_list = false;
            to_messages(model);
        }
        _ => to_input(model),
    }
}

fn to_messages(model: &mut Model) {
    model.place = Place::Messages;
    looking::select_visible(model, true);
}

/// The next word that fits; `false`: there is nothing to complete.
fn complete(model: &mut Model) -> bool {
    if let Some((words, at)) = &mut model.compose.completion {
        let old = words[*at].clone();
        *at = (*at + 1) % words.len();
        let new = words[*at].clone();
        let text = model.compose.editor.text();
        if text.ends_with(&old) {
            let begun = text[..text.len() - old.len()].to_owned();
            model.compose.editor.set(&format!("{begun}{new}"));
            return true;
        }
    }
    let line = model.compose.editor.text();
    let word = model.compose.editor.word().to_owned();
    let names = command::names(model);
    let words = crate::command::completions(line, &word, &names);
    let Some(first) = words.first().cloned() else {
        return word.starts_with('/') && line == word || word.starts_with('@');
    };
    model.compose.editor.complete(&first);
    model.compose.completion = Some((words, 0));
    true
}

fn in_input(model: &mut Model, action: Action, now: Now, out: &mut Vec<Effect>) {
    if model.invites.shown {
        return in_list(model, action, now, out);
    }
    let columns = looking::draft_columns(model);
    let editor = &mut model.compose.editor;
    match action {
        Action::Send => return sending::submit(model, now, out),
        Action::ToMessages => return to_messages(model),
        Action::Editor => {
            let draft = editor.text().to_owned();
            return out.push(Effect::Editor(draft));
        }
        Action::Clear if editor.is_empty() => return quit(model, action, now, out),
        Action::Clear => {
            let draft = editor.take();
            model.compose.remember(draft);
        }
        Action::Up => {
            if !editor.up(columns) {
                model.compose.recall(1);
            }
            return;
        }
        Action::Down => {
            if !editor.down(columns) {
                model.compose.recall(-1);
            }
            return;
        }
        Action::NewLine => {
            editor.insert("\n");
        }
        other => {
            if !edit(editor, other) {
                return;
            }
        }
    }
    touched(model, now, out);
}

/// Moves and cuts, the same in every text; `false`: this is none of them.
pub(super) fn edit(editor: &mut crate::edit::Editor, action: Action) -> bool {
    match action {
        Action::Left => editor.left(),
        Action::Right => editor.right(),
        Action::WordLeft => editor.word_left(),
        Action::WordRight => editor.word_right(),
        Action::LineStart => editor.home(),
        Action::LineEnd => editor.end(),
        Action::Backspace => editor.backspace(),
        Action::Delete => editor.delete(),
        Action::KillToStart => editor.kill_to_start(),
        Action::KillWordBack => editor.kill_word_back(),
        Action::KillWord => editor.kill_word(),
        Action::Yank => editor.yank(),
        _ => return false,
    }
    true
}

fn in_list(model: &mut Model, action: Action, now: Now, out: &mut Vec<Effect>) {
    let step = match action {
        Action::Up => -1,
        Action::Down => 1,
        Action::PageUp => -10,
        Action::PageDown => 10,
        _ => 0,
    };
    if model.invites.shown {
        match action {
            Action::Open | Action::Send => return command::join_selected(model, now, out),
            Action::Preview => {}
            Action::Filter => {
                model.chats.filtering = true;
                return;
            }
            Action::First => model.invites.cursor = 0,
            Action::Last => model.invites.step(isize::MAX),
            _ if step != 0 => model.invites.step(step),
            _ => return,
        }
        if let Some(dispute) = model.invites.selected() {
            out.push(Effect::LoadPreview(dispute.chat_id));
        }
        return;
    }
    match action {
        Action::First | Action::Last => {
            let shown = model.chats.shown();
            let end = if action == Action::First { shown.first() } else { shown.last() };
            model.chats.cursor = end.map(|entry| entry.chat.id);
        }
        Action::Open => {
            if let Some(chat) = model.chats.cursor {
                rooms::open_chat(model, chat, out);
            }
        }
        Action::Filter => model.chats.filtering = true,
        Action::Mute => command::mute(model, model.chats.cursor, now),
        Action::Clear => quit(model, action, now, out),
        _ if step != 0 => model.chats.cursor = model.chats.beside(model.chats.cursor, step),
        _ => {}
    }
}

fn in_messages(model: &mut Model, action: Action, now: Now, out: &mut Vec<Effect>) {
    match action {
        Action::Up => looking::step(model, -1, out),
        Action::Down => looking::step(model, 1, out),
        Action::First => looking::to_end(model, false, out),
        Action::Last => looking::to_end(model, true, out),
        Action::Open if rooms::fill_gap(model, out) => {}
        Action::Open => to_input(model),
        Action::Retry => sending::retry(model, None, now, out),
        Action::Edit => sending::give_up(model, None, true, now, out),
        Action::Discard => sending::give_up(model, None, false, now, out),
        Action::Copy => sending::copy(model, now, out),
        Action::Mute => command::mute(model, model.chats.open, now),
        Action::Clear => quit(model, action, now, out),
        _ => {}
    }
}
