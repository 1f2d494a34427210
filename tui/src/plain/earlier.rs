//! What was said before: counted instead of read out, and read out when it is asked for.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, Utc};
use trialogue_client::Via;
use trialogue_client::session::Update;
use trialogue_protocol::{ChatId, Message};

use crate::command::{self, Verb};
use crate::model::Model;
use crate::model::log::{Row, Spot};
use crate::msg::Msg;
use crate::text;

/// News that are read out (5) where many come together: as many as one remembers.
const NEWS_MAX: usize = 5;

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Earlier {
    /// Messages that come together and wait for the last of them.
    held: BTreeMap<ChatId, Held>,
    /// The open chat, and its first row that was read out.
    at: (Option<ChatId>, Option<Spot>),
}

#[derive(Debug, Clone, Default)]
struct Held {
    /// Messages that are no news.
    old: usize,
    /// Messages that are.
    news: usize,
    /// The last of those, as lines.
    lines: VecDeque<String>,
}

impl Earlier {
    /// A message that came with others is held; `line` is what is said of it, if it is news.
    pub(super) fn hold(&mut self, model: &Model, message: &Message, via: Via, line: String) {
        let log = model.logs.get(&message.chat_id);
        let mark = log.and_then(|log| log.mark);
        let unread = mark.is_some_and(|mark| message.seq.is_some_and(|seq| seq > mark));
        let back =
            model.connection.before.is_some() || model.connection.is_returning(model.window.now);
        let by_other = model.who.id() != Some(message.sender_id);
        let held = self.held.entry(message.chat_id).or_default();
        if by_other && (unread || via == Via::CatchUp && back) {
            held.news += 1;
            held.lines.push_back(line);
            if held.lines.len() > NEWS_MAX {
                held.lines.pop_front();
            }
        } else {
            held.old += 1;
        }
    }

    /// What is held is said: of one chat when the last of its messages is here, of all of them when
    /// nothing more comes or somebody types.
    pub(super) fn said(&mut self, model: &Model, msg: &Msg) -> Vec<String> {
        let chats: Vec<ChatId> = match msg {
            Msg::Update(Update::CaughtUp { chat }) => vec![*chat],
            Msg::Line(_) => self.held.keys().copied().collect(),
            Msg::Update(Update::Link(_)) if !model.connection.is_up() => {
                self.held.keys().copied().collect()
            }
            _ => Vec::new(),
        };
        let mut lines = Vec::new();
        for chat in chats {
            if let Some(held) = self.held.remove(&chat) {
                lines.extend(held.said(model, chat));
            }
        }
        lines
    }

    /// What a command has found above: rows that were not read out yet.
    pub(super) fn read(&mut self, model: &Model, msg: &Msg) -> Vec<String> {
        let Some((chat, log)) = model.open_log() else {
            self.at = (None, None);
            return Vec::new();
        };
        let before = std::mem::replace(&mut self.at, (Some(chat), log.eye.selected.clone()));
        let was = before.1.filter(|_| before.0 == Some(chat));
        let place = |spot: &Option<Spot>| spot.as_ref().and_then(|spot| log.place_of(spot));
        let Some(from) = place(&log.eye.selected).filter(|_| was != log.eye.selected) else {
            return Vec::new();
        };
        let is_search = matches!(msg, Msg::Line(line)
            if command::parse(line).is_ok_and(|(verb, _)| verb == Verb::Search));
        let to = match is_search {
            true => from + 1,
            false => place(&was).unwrap_or(log.rows().len()),
        };
        (from..to).filter_map(|at| Some(row(model, log.row(at)?))).collect()
    }
}

impl Held {
    fn said(self, model: &Model, chat: ChatId) -> Vec<String> {
        let title = model.chats.get(chat).filter(|_| model.chats.open != Some(chat));
        let place = title.map(|entry| format!(" in {}", entry.title)).unwrap_or_default();
        let how = if place.is_empty() { " /history reads them." } else { "" };
        let mut lines = Vec::new();
        match self.old {
            0 => {}
            1 => lines.push(format!("1 earlier message{place}.{how}")),
            old => lines.push(format!("{old} earlier messages{place}.{how}")),
        }
        if self.news > self.lines.len() {
            lines.push(format!("{} are new{place}; the last {NEWS_MAX}:", self.news));
        }
        lines.extend(self.lines);
        lines
    }
}

/// A row as a line of its own.
fn row(model: &Model, row: &Row) -> String {
    match row {
        Row::Said(said) => {
            let mine = model.who.id() == Some(said.sender);
            let name = if mine { "You" } else { &said.name };
            format!("{name}: {} ({})", indented(&said.text), time(model, said.at))
        }
        Row::Note { text, at } => format!("{text} ({})", time(model, *at)),
        Row::Missing { from, to, .. } => format!("Messages {from} to {to} are missing."),
    }
}

/// Further lines are indented: no message can forge another's first line.
pub(super) fn indented(words: &str) -> String {
    text::block(words).replace('\n', "\n  ")
}

/// The time, with the day where it is another one.
fn time(model: &Model, at: DateTime<Utc>) -> String {
    let local = model.settings.local;
    let (at, now) = (local(at), model.window.wall.map(local));
    let is_today = now.is_some_and(|now| now.date() == at.date());
    at.format(if is_today { "%H:%M" } else { "%-d %B, %H:%M" }).to_string()
}
