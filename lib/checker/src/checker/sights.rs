//! What receivers saw: frames, pages and lines.

use super::{Checker, Fall, Repeat, Sight, StreamKind};
use crate::config::Table;
use crate::key::Micros;
use crate::messages::{NEVER, Place};
use crate::op::{By, Copied};
use crate::receivers::{Receiver, Stream};

impl Checker {
    pub(super) fn recv(&mut self, by: By, copy: &Copied, stored: Option<bool>) {
        self.counts.frames += 1;
        let (receiver, message) = self.sight(by, copy);
        if stored == Some(false) {
            self.suspicions.unstored.push((by, message));
        }
        self.rise(receiver, message, by.at, copy, StreamKind::Frames);
        self.got(receiver, message, by.at, copy);
    }

    pub(super) fn show(&mut self, by: By, copy: &Copied) {
        self.counts.lines += 1;
        let (receiver, message) = self.sight(by, copy);
        let is_new = self.rise(receiver, message, by.at, copy, StreamKind::Lines);
        let place = self.receivers.get_mut(receiver);
        place.reach(copy.seq);
        // Who records lines alone has nothing else to be measured by.
        if is_new && !place.records_frames {
            self.watch(receiver, message, by.at);
        }
    }

    pub(super) fn page(&mut self, by: By, is_final: bool, more: bool, last_seq: Option<u64>) {
        let number = self.receiver(by);
        let receiver = self.receivers.get_mut(number);
        receiver.page = Stream::default();
        receiver.page_is_final = is_final;
        match (is_final, more) {
            (true, more) => {
                receiver.read_done |= !more;
                receiver.read_last = last_seq.or(receiver.read_last);
            }
            (false, more) => {
                receiver.records_frames = true;
                if !more {
                    receiver.catch_up();
                }
            }
        }
    }

    pub(super) fn read(&mut self, by: By, copy: &Copied) {
        self.counts.reads += 1;
        let (receiver, message) = self.sight(by, copy);
        self.rise(receiver, message, by.at, copy, StreamKind::Page);
        if !self.receivers.get(receiver).page_is_final {
            return self.got(receiver, message, by.at, copy);
        }
        let known = self.messages.get(message);
        self.receivers.get_mut(receiver).read.insert(u64::from(known.slot));
        // All members read the same row: it is one, unless they are told otherwise.
        let is_other = !known.has_row || !known.row.agrees(Place::of(copy));
        if self.config.table == Table::Reads && is_other {
            self.row(message, copy);
        }
    }

    /// Somebody has the message before their eyes.
    fn sight(&mut self, by: By, copy: &Copied) -> (u32, u32) {
        let receiver = self.receiver(by);
        let message = self.message(by.chat, copy.message);
        self.messages.tell(message, copy);
        self.messages.get_mut(message).seen = true;
        self.receivers.get_mut(receiver).at(by.at);
        (receiver, message)
    }

    /// It came by a frame or a catch-up page.
    fn got(&mut self, receiver: u32, number: u32, at: Micros, copy: &Copied) {
        let slot = u64::from(self.messages.get(number).slot);
        let place = self.receivers.get_mut(receiver);
        place.records_frames = true;
        place.reach(copy.seq);
        if place.got.insert(slot) {
            self.watch(receiver, number, at);
        }
    }

    /// How long did that take? Only whoever is in the room is owed it in time.
    fn watch(&mut self, receiver: u32, number: u32, at: Micros) {
        let Some(window) = self.receivers.get(receiver).window else { return };
        let message = self.messages.get(number);
        let from = window.joined_at;
        if message.ok_at == NEVER {
            let sight = Sight { receiver, message: number, from, at };
            self.pending.entry(number).or_default().push(sight);
        } else {
            let from = from.max(message.ok_at);
            self.measure(Sight { receiver, message: number, from, at });
        }
    }

    /// From when it could be visible to when it was.
    pub(super) fn measure(&mut self, sight: Sight) {
        let wait = sight.at.saturating_sub(sight.from);
        self.visible.record(wait);
        if wait > self.config.late_max {
            self.suspicions.late.push(sight);
        }
    }

    /// The next message of a stream: one that was not there, and after the last. False when it
    /// was there.
    fn rise(
        &mut self,
        receiver: u32,
        message: u32,
        at: Micros,
        copy: &Copied,
        stream: StreamKind,
    ) -> bool {
        let slot = u64::from(self.messages.get(message).slot);
        let place = self.receivers.get_mut(receiver).stream(stream);
        if !place.came.insert(slot) {
            self.suspicions.repeats.push(Repeat { receiver, message, at, stream });
            return false;
        }
        let mut before = None;
        if let Some(seq) = copy.seq {
            before = place.last.replace((seq, message)).filter(|last| last.0 >= seq);
        }
        let author = copy.author.or(self.messages.get(message).author);
        let rank = copy.seq.or(copy.nth);
        let mut one_sender = false;
        if let (Some(author), Some(rank), true) = (author, rank, stream != StreamKind::Page) {
            let is_line = stream == StreamKind::Lines;
            let next = (rank, message);
            if let Some(last) = self.receivers.next_of_sender(receiver, author, is_line, next) {
                one_sender = true;
                before = Some(last);
            }
        }
        if let (Some(before), Some(rank)) = (before, rank) {
            let after = (rank, message);
            let fall = Fall { receiver, before, after, at, stream, one_sender };
            self.suspicions.falls.push(fall);
        }
        true
    }
}

impl Receiver {
    fn stream(&mut self, kind: StreamKind) -> &mut Stream {
        match kind {
            StreamKind::Frames => &mut self.frames,
            StreamKind::Lines => &mut self.lines,
            StreamKind::Page => &mut self.page,
        }
    }
}
