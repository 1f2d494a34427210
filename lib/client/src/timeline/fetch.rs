//! How a timeline gets what it misses: pages after the cursor, the newest page, older pages.

use trialogue_protocol::MessagePage;

use super::{Ask, Begin, Effect, Fetch, Phase, ResetReason, Timeline, Via};
use crate::time::Now;

impl Timeline {
    pub(super) fn start_fetch(&mut self, out: &mut Vec<Effect>) {
        match (self.cursor, &self.begin) {
            (Some(cursor), _) => {
                self.ask(Ask::After(cursor), self.config.page_limit, false, out);
            }
            (None, Begin::Newest(n)) => {
                let limit = i64::from(*n).min(self.config.page_limit);
                self.ask(Ask::Before(self.target + 1), limit, true, out);
            }
            (None, Begin::After { .. } | Begin::Now) => {}
        }
    }

    pub(super) fn ask(&mut self, ask: Ask, limit: i64, first_page: bool, out: &mut Vec<Effect>) {
        self.serial += 1;
        self.fetch = Some(Fetch { serial: self.serial, first_page });
        self.fetch_at = None;
        out.push(Effect::Fetch { serial: self.serial, ask, limit });
    }

    pub(super) fn page(&mut self, serial: u64, page: MessagePage, now: Now, out: &mut Vec<Effect>) {
        if self.older == Some(serial) {
            self.older = None;
            self.show_older(page, out);
            return;
        }
        let Some(fetch) = self.fetch.filter(|f| f.serial == serial) else { return };
        self.fetch = None;
        if page.epoch.is_some() && self.epoch.is_some() && page.epoch != self.epoch {
            self.wire_epoch = page.epoch;
            self.reset(ResetReason::EpochChanged, out);
            out.push(Effect::Rejoin);
            return;
        }
        let before = self.cursor;
        if fetch.first_page {
            let first = page.messages.iter().find_map(|m| m.seq).unwrap_or(self.target + 1);
            self.cursor = Some((first - 1).max(0));
        }
        let more = page.has_more.unwrap_or(false) && !fetch.first_page;
        for message in page.messages {
            self.place(message, Via::CatchUp, out);
        }
        self.drain(out);
        if let Some(cursor) = self.cursor.filter(|_| more) {
            self.target = self.target.max(cursor + 1);
        }
        if self.cursor == before && self.is_behind() {
            self.fruitless(now, out);
        } else {
            self.fruitless = 0;
            self.go_on(now, out);
        }
    }

    /// A fetch brought nothing although something is missing.
    fn fruitless(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.fruitless += 1;
        if self.fruitless < self.config.fruitless_max {
            self.fetch_at = Some(now + self.config.backoff.ceiling(self.fruitless));
            return;
        }
        self.counters.contradictions += 1;
        self.fruitless = 0;
        let cursor = self.cursor.unwrap_or_default();
        match self.held_back.first_key_value() {
            Some((&next, _)) => {
                let (from, to) = (cursor + 1, next - 1);
                self.counters.missing += u64::try_from(to - from + 1).unwrap_or_default();
                out.push(Effect::Missing { from, to });
                self.cursor = Some(to);
                self.drain(out);
                self.go_on(now, out);
            }
            // The server told of more than it has: believe what it has.
            None => {
                self.target = cursor;
                self.settle(out);
            }
        }
    }

    pub(super) fn fetch_failed(
        &mut self,
        serial: u64,
        transient: bool,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        if self.older == Some(serial) {
            self.older = None;
            return;
        }
        if self.fetch.is_none_or(|f| f.serial != serial) {
            return;
        }
        self.fetch = None;
        if transient {
            self.fruitless = self.fruitless.saturating_add(1).min(self.config.fruitless_max - 1);
            let delay = self.config.backoff.delay(self.fruitless + 1, &mut self.jitter);
            self.fetch_at = Some(now + delay);
        } else {
            // The chat is not ours any more: nothing further can be had.
            self.target = self.cursor.unwrap_or_default();
            self.cursor = Some(self.target);
            self.held_back.clear();
            self.settle(out);
        }
    }

    pub(super) fn want_older(&mut self, limit: i64, out: &mut Vec<Effect>) {
        if let Some(earlier) = self.earlier_uncounted(limit) {
            out.push(earlier);
            return;
        }
        let Some(base) = self.base.filter(|_| self.phase != Phase::Outside) else { return };
        if self.older.is_some() {
            return;
        }
        if base <= 1 {
            out.push(Effect::Older { messages: Vec::new(), more: false });
            return;
        }
        self.serial += 1;
        self.older = Some(self.serial);
        let limit = limit.clamp(1, self.config.page_limit);
        out.push(Effect::Fetch { serial: self.serial, ask: Ask::Before(base), limit });
    }

    fn show_older(&mut self, page: MessagePage, out: &mut Vec<Effect>) {
        let base = self.base.unwrap_or(1);
        let mut messages = page.messages;
        messages.retain(|m| m.seq.is_some_and(|seq| seq >= 1 && seq < base));
        messages.sort_by_key(|m| m.seq);
        messages.dedup_by_key(|m| m.seq);
        let first = messages.first().and_then(|m| m.seq);
        self.base = first.or(Some(1));
        let more = first.is_some_and(|seq| seq > 1);
        out.push(Effect::Older { messages, more });
    }
}
