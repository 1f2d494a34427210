//! The server of the model and its tables.

use trialogue_checker::Line;
use trialogue_checker::history::{Entry, OpName};

use super::name;

/// A stored message.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) seq: u64,
    pub(super) id: String,
    pub(super) text: usize,
    pub(super) sender: String,
}

impl Row {
    pub(super) fn h(text: usize) -> String {
        format!("{:016x}", 0xbeef_0000_0000_0000_u64 + text as u64)
    }

    pub(super) fn cmid(text: usize) -> String {
        format!("key-{text}")
    }

    pub(super) fn entry(&self) -> Entry<'static> {
        let h = Self::h(self.text).into();
        let (id, sender) = (name(&self.id), name(&self.sender));
        Entry { seq: Some(self.seq), id, h, cmid: None, sender, nth: None }
    }

    /// As a client is told of it.
    pub(super) fn told(&self, line: Line<'static>) -> Line<'static> {
        let (id, h) = (name(&self.id), name(&Self::h(self.text)));
        Line { seq: Some(self.seq), id, h, sender: name(&self.sender), ..line }
    }
}

/// Someone's time in a chat.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) user: String,
    pub(super) added_seq: u64,
    pub(super) added: u64,
    pub(super) removed: Option<(u64, u64)>,
}

/// A chat in the database, and its room in the server.
#[derive(Debug, Clone, Default)]
pub(super) struct Chat {
    pub(super) name: String,
    pub(super) rows: Vec<Row>,
    pub(super) members: Vec<Member>,
    /// Clients, while the server lives.
    pub(super) room: Vec<usize>,
}

impl Chat {
    pub(super) fn last(&self) -> u64 {
        self.rows.len() as u64
    }

    pub(super) fn has(&self, user: &str) -> bool {
        self.members.iter().any(|member| member.user == user && member.removed.is_none())
    }

    /// The row of a text: stored now, unless it was.
    pub(super) fn store(&mut self, text: usize, sender: &str) -> (Row, bool) {
        if let Some(row) = self.rows.iter().find(|row| row.text == text) {
            return (row.clone(), false);
        }
        let seq = self.last() + 1;
        let id = format!("{}-id-{text}", self.name);
        let row = Row { seq, id, text, sender: sender.to_owned() };
        self.rows.push(row.clone());
        (row, true)
    }

    /// Everything that an independent connection reads of it.
    pub(super) fn dump(&self, lines: &mut Vec<Line<'static>>) {
        let of = |op| Line { op, chat: name(&self.name), ..Line::default() };
        for member in &self.members {
            lines.push(Line {
                user: name(&member.user),
                added_seq: Some(member.added_seq),
                added: Some(member.added),
                removed_seq: member.removed.map(|removed| removed.0),
                removed: member.removed.map(|removed| removed.1),
                ..of(OpName::Member)
            });
            let until = member.removed.map_or(u64::MAX, |removed| removed.0);
            let owed = self.rows.iter().filter(|row| row.sender != member.user);
            for row in owed.filter(|row| row.seq > member.added_seq && row.seq <= until) {
                let user = name(&member.user);
                lines.push(Line { user, seq: Some(row.seq), ..of(OpName::Note) });
            }
        }
        for row in &self.rows {
            let cmid = name(&Row::cmid(row.text));
            lines.push(Line { cmid, ..row.told(of(OpName::Row)) });
        }
        lines.push(Line { last_seq: Some(self.last()), ..of(OpName::Chat) });
    }
}
