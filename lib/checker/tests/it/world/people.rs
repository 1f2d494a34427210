//! The clients of the model: what each holds, shows and writes down.

use std::collections::BTreeMap;

use trialogue_checker::Line;
use trialogue_checker::history::OpName;

use super::server::Row;
use super::{line, name};

/// Messages in a page.
pub(super) const PAGE_MAX: usize = 20;

/// A client.
#[derive(Debug, Default)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) user: String,
    pub(super) is_up: bool,
    /// Counts connections: what was on its way over another one is lost.
    pub(super) connection: u32,
    /// When the last thing on the connection arrives, each way.
    pub(super) arrives_there: u64,
    pub(super) arrives_here: u64,
    /// It writes down what it shows as well.
    pub(super) shows: bool,
    /// It asks the database itself at every frame.
    pub(super) looks: bool,
    pub(super) chats: BTreeMap<usize, Cursor>,
    /// Texts under way: the chat, and whether the try has no end yet.
    pub(super) outbox: BTreeMap<usize, (usize, bool)>,
    pub(super) lines: Vec<Line<'static>>,
}

/// How far a client is in a chat.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    pub(super) last: u64,
    beyond: BTreeMap<u64, Row>,
    pub(super) has_joined: bool,
}

impl Person {
    pub(super) fn write(&mut self, op: OpName, t: u64, chat: &str) -> &mut Line<'static> {
        self.lines.push(line(op, t, &self.name, chat));
        self.lines.last_mut().unwrap()
    }

    /// A line of an own message.
    pub(super) fn write_own(&mut self, op: OpName, t: u64, chat: &str, text: usize) {
        let own = self.write(op, t, chat);
        own.h = name(&Row::h(text));
        own.cmid = name(&Row::cmid(text));
    }

    pub(super) fn told_ok(&mut self, t: u64, chat: &str, row: &Row) {
        let looks = self.looks;
        let told = self.write(OpName::Ok, t, chat);
        *told = Line { sender: None, ..row.told(told.clone()) };
        told.cmid = name(&Row::cmid(row.text));
        told.stored = looks.then_some(true);
    }

    pub(super) fn receive(&mut self, t: u64, chat: usize, chat_name: &str, row: &Row) {
        let looks = self.looks;
        let told = self.write(OpName::Recv, t, chat_name);
        *told = row.told(told.clone());
        told.stored = looks.then_some(true);
        self.place(t, chat, chat_name, row);
    }

    /// The pages that it fetches after a join, from what it holds on.
    pub(super) fn catch_up(&mut self, t: u64, chat: usize, chat_name: &str, rows: &[Row]) {
        let since = self.chats[&chat].last as usize;
        let missed = &rows[since..];
        let pages = missed.len().div_ceil(PAGE_MAX).max(1);
        for n in 0..pages {
            let page: Vec<Row> = missed.iter().skip(n * PAGE_MAX).take(PAGE_MAX).cloned().collect();
            let told = self.write(OpName::Page, t, chat_name);
            told.more = Some(n + 1 < pages);
            told.rows = Some(page.iter().map(Row::entry).collect());
            page.iter().for_each(|row| self.place(t, chat, chat_name, row));
        }
    }

    /// Shows what is in order, and keeps what is not.
    fn place(&mut self, t: u64, chat: usize, chat_name: &str, row: &Row) {
        let cursor = self.chats.get_mut(&chat).unwrap();
        if row.seq > cursor.last {
            cursor.beyond.insert(row.seq, row.clone());
        }
        let mut shown = Vec::new();
        while let Some(next) = cursor.beyond.remove(&(cursor.last + 1)) {
            cursor.last += 1;
            shown.push(next);
        }
        for row in shown.iter().filter(|_| self.shows) {
            let shown = line(OpName::Show, t, &self.name, chat_name);
            self.lines.push(row.told(shown));
        }
    }
}
