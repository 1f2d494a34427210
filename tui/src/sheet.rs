//! The lines of one chat as they stand in a pane: what the view draws and what the update counts
//! when it scrolls. Only rows that are looked at are ever laid out.

use chrono::{NaiveDate, NaiveDateTime};
use ratatui::text::{Line, Span};
use trialogue_protocol::{ChatId, Role, Seq, UserId};

use crate::keys::{Action, Place};
use crate::layout::NARROW_BELOW;
use crate::model::log::{Fault, Log, Older, Pending, Row, Said, Scroll, Spot, State};
use crate::model::{Model, Settings};
use crate::text;
use crate::theme::Tone;

/// Time and name are left out when the same person writes again within so many minutes.
const TOGETHER_MINUTES: i64 = 5;
/// Columns of the mark and the space after it.
const MARK: usize = 3;
/// Columns of the time and the space after it.
const TIME: usize = 6;
/// Columns between name and text.
const GAP: usize = 3;

/// See the module.
pub struct Sheet<'a> {
    log: &'a Log,
    settings: &'a Settings,
    width: usize,
    narrow: bool,
    names: usize,
    me: Option<UserId>,
    my_name: String,
    read_by: Seq,
    /// When the chat came to be, with what the first line says of it.
    opened: Option<(NaiveDateTime, String)>,
}

/// One line begins like this.
struct Head {
    mark: &'static str,
    mark_tone: Tone,
    time: String,
    name: String,
    name_tone: Tone,
}

/// One line above a row.
enum Above {
    Day(NaiveDate),
    Beginning,
    New(usize),
}

impl<'a> Sheet<'a> {
    /// The sheet of a chat in a pane of so many columns.
    pub fn new(model: &'a Model, chat: ChatId, log: &'a Log, width: u16) -> Self {
        let entry = model.chats.get(chat);
        let members = entry.map(|entry| entry.chat.members.as_slice()).unwrap_or_default();
        let member_names = members.iter().map(|member| text::line(&member.name));
        let people = log.people.values().filter_map(|p| p.name.as_deref().map(text::line));
        let widest =
            member_names.chain(people).map(|name| text::width(text::first_name(&name))).max();
        let settings = &model.settings;
        let opened = entry.map(|entry| {
            let what = format!("Job {} booked. Chat opened.", entry.chat.job.id);
            ((settings.local)(entry.chat.created_at.as_datetime()), what)
        });
        let me = model.who.user.as_ref();
        Self {
            log,
            settings,
            width: usize::from(width).max(1),
            narrow: width < NARROW_BELOW,
            names: widest.unwrap_or(4).clamp(4, 10),
            me: model.who.id(),
            my_name: me.map(|me| text::line(&me.first_name)).unwrap_or_default(),
            read_by: log.read_by_others(model.who.id()),
            opened,
        }
    }

    /// The place of the first row in a pane of so many lines, and its lines above the pane.
    pub fn window(&self, height: usize) -> (usize, usize) {
        if let Scroll::Top { spot, skip } = &self.log.eye.scroll
            && let Some(at) = self.log.top_of(spot)
        {
            let skip = (*skip).min(self.height(at).saturating_sub(1));
            // Never beyond the end.
            return self.bottom(height).min((at, skip));
        }
        self.bottom(height)
    }

    /// The window on the end.
    pub fn bottom(&self, height: usize) -> (usize, usize) {
        let mut left = height;
        for at in (0..self.log.len()).rev() {
            let lines = self.height(at);
            if lines >= left {
                return (at, lines - left);
            }
            left -= lines;
        }
        (0, 0)
    }

    /// The window so many lines further down (or up).
    pub fn moved(&self, from: (usize, usize), by: isize) -> (usize, usize) {
        let (mut at, mut skip) = from;
        let mut left = by.unsigned_abs();
        if by < 0 {
            while left > skip {
                if at == 0 {
                    return (0, 0);
                }
                left -= skip + 1;
                at -= 1;
                skip = self.height(at).saturating_sub(1);
            }
            return (at, skip - left);
        }
        while at < self.log.len() {
            let rest = self.height(at).saturating_sub(skip);
            if left < rest {
                return (at, skip + left);
            }
            left -= rest;
            (at, skip) = (at + 1, 0);
        }
        (self.log.len().saturating_sub(1), 0)
    }

    /// Lines of the row at a place.
    pub fn height(&self, at: usize) -> usize {
        let mut lines = self.above(at).len();
        lines += match (self.log.row(at), self.log.pending_at(at)) {
            (Some(Row::Said(said)), _) => self.body(&said.text).len() + self.name_line(at),
            (Some(Row::Note { text, .. }), _) => self.body(text).len(),
            (Some(Row::Missing { .. }), _) => 1,
            (None, Some(pending)) => {
                let failed = match &pending.state {
                    State::Failed { why, how } => self.failure(why, *how).len() + 1,
                    _ => 0,
                };
                self.body(&pending.text).len() + failed + usize::from(self.narrow)
            }
            (None, None) => 0,
        };
        lines
    }

    fn name_line(&self, at: usize) -> usize {
        usize::from(self.narrow && !self.goes_on(at))
    }

    fn indent(&self) -> usize {
        if self.narrow { MARK } else { MARK + TIME + self.names + GAP }
    }

    fn body(&self, text: &str) -> Vec<std::ops::Range<usize>> {
        text::wrap(text, self.width.saturating_sub(self.indent()))
    }

    fn failure(&self, why: &str, how: Fault) -> Vec<String> {
        let text = format!("{}: {why}", how.word());
        self.body(&text).into_iter().map(|range| text[range].to_owned()).collect()
    }

    fn time_of(&self, at: usize) -> Option<NaiveDateTime> {
        let moment = match (self.log.row(at), self.log.pending_at(at)) {
            (Some(Row::Said(said)), _) => said.at,
            (Some(Row::Note { at, .. }), _) => *at,
            (Some(Row::Missing { .. }), _) => return None,
            (None, pending) => pending?.at,
        };
        Some((self.settings.local)(moment))
    }

    fn day_of(&self, at: usize) -> Option<NaiveDate> {
        self.time_of(at).map(|time| time.date())
    }

    /// Whether time and name of a message are those of the one before it.
    fn goes_on(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1) else { return false };
        let said = |at: usize| self.log.row(at).and_then(Row::said);
        let (Some(one), Some(two)) = (said(before), said(at)) else { return false };
        one.sender == two.sender
            && (two.at - one.at).num_minutes() < TOGETHER_MINUTES
            && self.above(at).is_empty()
    }

    /// What stands above a row: the beginning, the day, and what is new.
    fn above(&self, at: usize) -> Vec<Above> {
        let mut above = Vec::new();
        let mut before = (0..at).rev().take(3).find_map(|before| self.day_of(before));
        if at == 0
            && let Some((time, _)) = self.beginning()
        {
            above.extend([Above::Day(time.date()), Above::Beginning]);
            before = Some(time.date());
        }
        if let Some(day) = self.day_of(at)
            && before != Some(day)
        {
            above.push(Above::Day(day));
        }
        if let Some(Spot::Row(name)) = self.log.spot_at(at)
            && self.log.new_from == Some(name)
        {
            let new = self.log.rows().iter().skip(at).filter_map(Row::said);
            above.push(Above::New(new.filter(|said| Some(said.sender) != self.me).count()));
        }
        above
    }

    fn draw_above(&self, above: &Above) -> Line<'static> {
        match above {
            Above::Day(day) => self.rule(&day.format("%a %-d %B").to_string(), Tone::Dim),
            Above::New(count) => self.rule(&format!("{count} new"), Tone::Warn),
            Above::Beginning => {
                let (time, what) = self.beginning().unwrap_or_default();
                self.note(time, what).into_iter().next().unwrap_or_default()
            }
        }
    }

    /// The line about the beginning, once it is reached.
    fn beginning(&self) -> Option<(NaiveDateTime, &str)> {
        let (time, what) = self.opened.as_ref()?;
        (self.log.older == Older::None).then_some((*time, what.as_str()))
    }

    /// What stands above the first row when the beginning is here, without any row.
    pub fn head_lines(&self) -> Vec<Line<'static>> {
        let above = self.beginning().map(|(time, _)| [Above::Day(time.date()), Above::Beginning]);
        above.iter().flatten().map(|above| self.draw_above(above)).collect()
    }

    fn rule(&self, text: &str, tone: Tone) -> Line<'static> {
        let text = rule(text, self.width, self.settings);
        Line::styled(text, self.settings.theme.style(tone))
    }

    fn note(&self, time: NaiveDateTime, what: &str) -> Vec<Line<'static>> {
        let head = Head {
            mark: "",
            mark_tone: Tone::Dim,
            time: time.format("%H:%M").to_string(),
            name: "*".to_owned(),
            name_tone: Tone::Dim,
        };
        let text = if self.narrow { format!("* {what}") } else { what.to_owned() };
        self.message(&head, &text, Tone::Dim, false)
    }

    /// The lines of the row at a place.
    pub fn lines(&self, at: usize) -> Vec<Line<'static>> {
        let mut lines: Vec<Line<'static>> =
            self.above(at).iter().map(|above| self.draw_above(above)).collect();
        match (self.log.row(at), self.log.pending_at(at)) {
            (Some(Row::Said(said)), _) => lines.extend(self.said(at, said)),
            (Some(Row::Note { text, .. }), _) => {
                lines.extend(self.note(self.time_of(at).unwrap_or_default(), text));
            }
            (Some(Row::Missing { loading, .. }), _) => {
                let text = if *loading { "loading…".to_owned() } else { self.missing() };
                lines.push(self.rule(&text, Tone::Warn));
            }
            (None, Some(pending)) => lines.extend(self.pending(pending)),
            (None, None) => {}
        }
        lines
    }

    fn said(&self, at: usize, said: &Said) -> Vec<Line<'static>> {
        let mine = self.me == Some(said.sender);
        let marks = self.settings.marks;
        let read = said.seq.is_some_and(|seq| seq <= self.read_by);
        let goes_on = self.goes_on(at);
        let time = (self.settings.local)(said.at).format("%H:%M").to_string();
        let head = Head {
            mark: match (mine, read) {
                (false, _) => "",
                (true, true) => marks.read,
                (true, false) => marks.sent,
            },
            mark_tone: Tone::Dim,
            time: if goes_on { String::new() } else { time },
            name: if goes_on { String::new() } else { said.name.to_string() },
            name_tone: if mine { Tone::Me } else { tone_of(said.role) },
        };
        self.message(&head, &said.text, Tone::Text, !goes_on)
    }

    fn missing(&self) -> String {
        let key = self.settings.keys.key_for(Place::Messages, Action::Open);
        let dot = self.settings.marks.dot;
        let how = key.map(|key| format!(" {dot} {key} to load")).unwrap_or_default();
        format!("messages missing{how}")
    }

    fn pending(&self, pending: &Pending) -> Vec<Line<'static>> {
        let marks = self.settings.marks;
        let (mark, mark_tone) = match &pending.state {
            State::Queued | State::Waiting { .. } => (marks.queued, Tone::Warn),
            State::Sending => (marks.sending, Tone::Dim),
            State::Sent(_) => (marks.sent, Tone::Dim),
            State::Failed { .. } => (marks.failed, Tone::Bad),
        };
        let head = Head {
            mark,
            mark_tone,
            time: (self.settings.local)(pending.at).format("%H:%M").to_string(),
            name: self.my_name.clone(),
            name_tone: Tone::Me,
        };
        let mut lines = self.message(&head, &pending.text, Tone::Text, true);
        if let State::Failed { why, how } = &pending.state {
            let blank = " ".repeat(self.indent());
            let bad = self.settings.theme.style(Tone::Bad);
            for part in self.failure(why, *how) {
                lines.push(Line::from(vec![Span::raw(blank.clone()), Span::styled(part, bad)]));
            }
            let shown =
                [(Action::Retry, "retry"), (Action::Edit, "edit"), (Action::Discard, "discard")];
            // Another text under its name is in the way: trying again cannot help.
            let shown = &shown[usize::from(*how == Fault::Conflict)..];
            let keys = self.settings.keys.hints(Place::Messages, shown, "  ");
            let dim = self.settings.theme.style(Tone::Dim);
            lines.push(Line::from(vec![Span::raw(blank), Span::styled(keys, dim)]));
        }
        lines
    }

    fn message(&self, head: &Head, body: &str, tone: Tone, named: bool) -> Vec<Line<'static>> {
        let theme = &self.settings.theme;
        let cut = self.settings.marks.cut;
        let mark = Span::styled(text::fit(head.mark, MARK, cut), theme.style(head.mark_tone));
        let mut lines = Vec::new();
        let first = if self.narrow {
            if named {
                lines.push(Line::from(vec![
                    Span::raw(" ".repeat(MARK)),
                    Span::styled(
                        text::cut(&head.name, self.names, cut),
                        theme.style(head.name_tone),
                    ),
                    Span::styled(format!(" {}", head.time), theme.style(Tone::Dim)),
                ]));
            }
            vec![mark]
        } else {
            let name = text::fit(&head.name, self.names, cut);
            vec![
                mark,
                Span::styled(text::fit(&head.time, TIME, cut), theme.style(Tone::Dim)),
                Span::styled(name, theme.style(head.name_tone)),
                Span::raw(" ".repeat(GAP)),
            ]
        };
        let blank = " ".repeat(self.indent());
        for (number, range) in self.body(body).into_iter().enumerate() {
            let mut spans =
                if number == 0 { first.clone() } else { vec![Span::raw(blank.clone())] };
            spans.push(Span::styled(body[range].to_owned(), theme.style(tone)));
            lines.push(Line::from(spans));
        }
        lines
    }
}

/// The colour of a role's names.
pub fn tone_of(role: Role) -> Tone {
    match role {
        Role::Customer => Tone::Customer,
        Role::Provider => Tone::Provider,
        Role::Lsm => Tone::Lsm,
    }
}

/// `── text ─────` of exactly so many columns.
pub fn rule(words: &str, width: usize, settings: &Settings) -> String {
    let bar = settings.marks.horizontal;
    let words = text::cut(words, width.saturating_sub(6), settings.marks.cut);
    let begun =
        if words.is_empty() { String::new() } else { format!("{} {words} ", bar.repeat(2)) };
    let rest = width.saturating_sub(text::width(&begun));
    let ruled = format!("{begun}{}", bar.repeat(rest));
    text::cut(&ruled, width, "")
}
