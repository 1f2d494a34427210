//! What one chat shows, in the one right order, without IO (RELIABILITY §2.6).
//!
//! Live events, acknowledgements, catch-up and pages come in as they like; out comes every
//! message exactly once in the order of `seq`. Servers that do not count (CONTRACT §4) are served in
//! the order of arrival, without repeats. What may not happen here: guessing an order from times.

mod fetch;
mod seen;
#[cfg(test)]
mod tests;
mod uncounted;
mod words;

use std::collections::{BTreeMap, VecDeque};

use trialogue_protocol::{JoinAck, Message, Seq};

use crate::time::{Jitter, Now};
use seen::Seen;
pub use words::{Ask, Begin, Counters, Effect, Event, ResetReason, TimelineConfig, Via};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Not in the room, or the join is not acknowledged: what comes is held back.
    Outside,
    /// In the room; what was missed is fetched.
    CatchingUp,
    /// In the room, and everything the server had was shown.
    Current,
}

#[derive(Debug, Clone, Copy)]
struct Fetch {
    serial: u64,
    /// The first page of a timeline that begins with the newest messages.
    first_page: bool,
}

/// The state machine of one open chat.
#[derive(Debug)]
pub struct Timeline {
    config: TimelineConfig,
    jitter: Jitter,
    begin: Begin,
    phase: Phase,
    epoch: Option<String>,
    /// The epoch that live events of this connection belong to, as far as the server told.
    wire_epoch: Option<String>,
    /// Everything up to here was shown, or lies before the beginning.
    cursor: Option<Seq>,
    /// The first message shown: older ones were not asked for.
    base: Option<Seq>,
    /// The furthest that the server told of.
    target: Seq,
    held_back: BTreeMap<Seq, (Message, Via)>,
    fetch: Option<Fetch>,
    older: Option<u64>,
    /// When the next fetch may start, if something is missing.
    fetch_at: Option<Now>,
    fruitless: u32,
    serial: u64,
    seen: Seen,
    /// Live messages of a server that does not count, until the join is answered.
    waiting: VecDeque<(Message, Via)>,
    /// Messages of such a server that lie before what is shown.
    earlier: VecDeque<Message>,
    counters: Counters,
}

impl Timeline {
    /// A timeline that has shown nothing yet. `seed` decides every delay.
    pub fn new(config: TimelineConfig, begin: Begin, seed: u64) -> Self {
        let (cursor, epoch) = match &begin {
            Begin::After { seq, epoch } => (Some((*seq).max(0)), epoch.clone()),
            Begin::Newest(_) | Begin::Now => (None, None),
        };
        Self {
            config,
            jitter: Jitter::new(seed),
            begin,
            phase: Phase::Outside,
            epoch,
            wire_epoch: None,
            cursor,
            base: None,
            target: 0,
            held_back: BTreeMap::new(),
            fetch: None,
            older: None,
            fetch_at: None,
            fruitless: 0,
            serial: 0,
            seen: Seen::default(),
            waiting: VecDeque::new(),
            earlier: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// `sinceSeq` and `epoch` for the next `join_chat`: what this timeline holds already.
    pub fn cursor(&self) -> Option<(Seq, Option<&str>)> {
        self.cursor.map(|seq| (seq, self.epoch.as_deref()))
    }

    /// The epoch that what is shown belongs to, if the server told one.
    pub fn epoch(&self) -> Option<&str> {
        self.epoch.as_deref()
    }

    /// What was counted.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Whether everything that the server had was shown.
    pub fn is_current(&self) -> bool {
        self.phase == Phase::Current
    }

    /// When to send [`Event::Tick`] at the latest.
    pub fn next_wake(&self) -> Option<Now> {
        match self.phase {
            Phase::Outside => None,
            Phase::CatchingUp | Phase::Current if self.fetch.is_some() => None,
            Phase::CatchingUp | Phase::Current => self.fetch_at,
        }
    }

    /// Decides.
    pub fn handle(&mut self, event: Event, now: Now) -> Vec<Effect> {
        let mut out = Vec::new();
        match event {
            Event::Kept { messages, epoch } => self.kept(messages, epoch, &mut out),
            Event::Online(epoch) => self.wire_epoch = epoch,
            Event::Joined(ack) => self.joined(ack, now, &mut out),
            Event::Live(message) => self.take(message, Via::Live, now, &mut out),
            Event::Acked(message) => self.take(message, Via::Ack, now, &mut out),
            Event::Page { serial, page } => self.page(serial, page, now, &mut out),
            Event::FetchFailed { serial, transient } => {
                self.fetch_failed(serial, transient, now, &mut out);
            }
            Event::Position { last_seq, epoch } => self.position(last_seq, &epoch, now, &mut out),
            Event::Offline => self.go_outside(),
            Event::WantOlder { limit } => self.want_older(limit, &mut out),
            Event::Tick => {
                if self.next_wake().is_some_and(|at| at <= now) {
                    self.start_fetch(&mut out);
                }
            }
        }
        out
    }

    fn go_outside(&mut self) {
        self.phase = Phase::Outside;
        // All of it comes again with the next join.
        self.held_back.clear();
        self.waiting.clear();
        self.fetch = None;
        self.older = None;
        self.fetch_at = None;
        self.fruitless = 0;
    }

    fn reset(&mut self, why: ResetReason, out: &mut Vec<Effect>) {
        self.counters.resets += 1;
        self.go_outside();
        self.epoch = None;
        self.base = None;
        self.target = 0;
        self.seen = Seen::default();
        self.earlier.clear();
        self.cursor = match self.begin {
            Begin::After { .. } => Some(0),
            Begin::Newest(_) | Begin::Now => None,
        };
        out.push(Effect::Reset(why));
    }

    /// What a backup has: the run without holes at its end.
    fn kept(&mut self, messages: Vec<Message>, epoch: Option<String>, out: &mut Vec<Effect>) {
        let fresh = self.phase == Phase::Outside && self.cursor.is_none();
        if !fresh || !matches!(self.begin, Begin::Newest(_)) || messages.is_empty() {
            return;
        }
        if messages.iter().any(|m| m.seq.is_none()) {
            self.kept_uncounted(messages, out);
            return;
        }
        let follows = |pair: &[Message]| pair[0].seq.map(|seq| seq + 1) == pair[1].seq;
        let from = messages.windows(2).rposition(|pair| !follows(pair)).map_or(0, |at| at + 1);
        let run = &messages[from..];
        if run.first().is_none_or(|first| first.seq < Some(1)) {
            return;
        }
        self.epoch = epoch;
        for message in messages.into_iter().skip(from) {
            self.cursor = message.seq;
            self.base = self.base.or(message.seq);
            self.deliver(message, Via::Backup, out);
        }
        self.target = self.cursor.unwrap_or_default();
    }

    fn joined(&mut self, ack: JoinAck, now: Now, out: &mut Vec<Effect>) {
        if ack.messages.iter().flatten().any(|m| m.seq.is_none()) || !self.waiting.is_empty() {
            self.joined_uncounted(ack.messages.unwrap_or_default(), out);
            return;
        }
        let last_seq = ack.last_seq.max(0);
        let mut messages = ack.messages.unwrap_or_default();
        let shown_something = self.cursor.is_some_and(|seq| seq > 0);
        let void = if shown_something && self.epoch.as_ref().is_some_and(|e| *e != ack.epoch) {
            Some(ResetReason::EpochChanged)
        } else if self.cursor.is_some_and(|seq| seq > last_seq) {
            Some(ResetReason::ServerBehind)
        } else if self.is_far_behind(last_seq) {
            Some(ResetReason::FarBehind)
        } else {
            None
        };
        if let Some(why) = void {
            // What came with this answer was counted from a place that means nothing any more.
            messages.clear();
            let early = std::mem::take(&mut self.held_back);
            self.reset(why, out);
            self.held_back = early;
        }
        if self.wire_epoch.as_ref().is_some_and(|epoch| *epoch != ack.epoch) {
            // It was said before the database became another one. What is of the new one too
            // is found by the next message or by `positions`.
            self.held_back.clear();
            self.target = 0;
        }
        self.wire_epoch = Some(ack.epoch.clone());
        self.epoch = Some(ack.epoch);
        self.phase = Phase::CatchingUp;
        self.target = self.target.max(last_seq);
        self.fruitless = 0;
        match (self.cursor, &self.begin) {
            (Some(_), _) => {
                for message in messages {
                    self.place(message, Via::CatchUp, out);
                }
                self.drain(out);
                self.go_on(now, out);
            }
            (None, Begin::Newest(n)) if last_seq > 0 && *n > 0 => {
                let ask = Ask::Before(last_seq + 1);
                let limit = i64::from(*n).min(self.config.page_limit);
                self.ask(ask, limit, true, out);
            }
            (None, _) => {
                self.cursor = Some(last_seq);
                self.base = Some(last_seq + 1);
                self.drain(out);
                self.go_on(now, out);
            }
        }
    }

    /// Whether the newest messages serve better than all that were missed.
    fn is_far_behind(&self, last_seq: Seq) -> bool {
        let missed = self.cursor.map(|cursor| last_seq.saturating_sub(cursor));
        let newest = matches!(self.begin, Begin::Newest(_));
        newest && missed.is_some_and(|missed| missed > self.config.missed_max)
    }

    /// A message that came by itself.
    fn take(&mut self, message: Message, via: Via, now: Now, out: &mut Vec<Effect>) {
        let Some(seq) = message.seq else {
            self.take_uncounted(message, via, out);
            return;
        };
        if seq < 1 {
            self.counters.contradictions += 1;
            return;
        }
        let repeated = self.cursor.is_some_and(|cursor| seq <= cursor)
            || self.held_back.get(&seq).is_some_and(|(_, how)| *how == Via::Live);
        if repeated {
            // An acknowledgement after its own echo is no duplicate: both are promised.
            self.counters.duplicates += u64::from(via == Via::Live);
            return;
        }
        self.target = self.target.max(seq);
        self.place(message, via, out);
        self.drain(out);
        if self.phase == Phase::Current && self.is_behind() && self.fetch_at.is_none() {
            self.counters.gaps += 1;
            self.fetch_at = Some(now + self.config.gap_patience);
        }
        self.settle(out);
    }

    /// Shows the message if it is its turn, else holds it back.
    fn place(&mut self, message: Message, via: Via, out: &mut Vec<Effect>) {
        let Some(seq) = message.seq else {
            if self.seen.first_time(message.id) {
                self.deliver(message, via, out);
            }
            return;
        };
        let its_turn = self.phase != Phase::Outside && self.cursor == Some(seq - 1);
        if its_turn {
            self.held_back.remove(&seq);
            self.advance(seq, message, via, out);
        } else if self.cursor.is_none_or(|cursor| seq > cursor) {
            self.held_back.entry(seq).or_insert((message, via));
            if self.held_back.len() > self.config.held_back_max {
                // The furthest is the last to be missed, and `target` remembers that it exists.
                self.held_back.pop_last();
            }
        }
    }

    fn advance(&mut self, seq: Seq, message: Message, via: Via, out: &mut Vec<Effect>) {
        self.cursor = Some(seq);
        self.base.get_or_insert(seq);
        self.target = self.target.max(seq);
        if via == Via::CatchUp && self.phase == Phase::Current {
            self.counters.filled += 1;
        }
        self.deliver(message, via, out);
    }

    fn deliver(&mut self, message: Message, via: Via, out: &mut Vec<Effect>) {
        self.counters.delivered += 1;
        out.push(Effect::Deliver { message, via });
    }

    /// Shows what was held back and whose turn has come.
    fn drain(&mut self, out: &mut Vec<Effect>) {
        let Some(mut cursor) = self.cursor else { return };
        if self.phase == Phase::Outside {
            return;
        }
        while let Some(entry) = self.held_back.first_entry() {
            if *entry.key() > cursor + 1 {
                break;
            }
            let (seq, (message, via)) = entry.remove_entry();
            if seq == cursor + 1 {
                cursor = seq;
                self.advance(seq, message, via, out);
            }
        }
    }

    fn is_behind(&self) -> bool {
        self.cursor.is_none_or(|cursor| cursor < self.target)
    }

    /// Nothing is missing (any more): says so once.
    fn settle(&mut self, out: &mut Vec<Effect>) {
        if self.phase == Phase::Outside || self.is_behind() {
            return;
        }
        self.fetch_at = None;
        self.fruitless = 0;
        if self.phase == Phase::CatchingUp && self.fetch.is_none() {
            self.phase = Phase::Current;
            out.push(Effect::CaughtUp);
        }
    }

    /// Fetches on at once while something is missing.
    fn go_on(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.is_behind() && self.fetch.is_none() {
            self.fetch_at = Some(now);
            self.start_fetch(out);
        }
        self.settle(out);
    }

    fn position(&mut self, last_seq: Seq, epoch: &str, now: Now, out: &mut Vec<Effect>) {
        if self.phase == Phase::Outside {
            return;
        }
        if self.epoch.as_deref().is_some_and(|ours| ours != epoch) {
            self.wire_epoch = Some(epoch.to_owned());
            self.reset(ResetReason::EpochChanged, out);
            out.push(Effect::Rejoin);
            return;
        }
        self.target = self.target.max(last_seq);
        if self.is_behind() && self.fetch.is_none() && self.fetch_at.is_none() {
            self.fetch_at = Some(now + self.config.gap_patience);
        }
    }
}
