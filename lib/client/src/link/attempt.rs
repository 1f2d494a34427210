//! Tokens, attempts, losses: the way of a [`Link`] to a connection and back.

use std::time::Duration;

use trialogue_protocol::ErrorCode;

use super::{Effect, Link, OpenFailure, Phase, RETRY_AFTER_MAX, Trouble};
use crate::time::Now;

impl Link {
    /// Starts an attempt: with a refresh first when the token is (nearly) over or was refused.
    pub(super) fn begin(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.token.just_refreshed = false;
        if self.token.refused || self.token.stale_at.is_some_and(|at| at <= now) {
            self.refresh_first(out);
        } else {
            self.open(out);
        }
    }

    fn refresh_first(&mut self, out: &mut Vec<Effect>) {
        self.phase = Phase::Refreshing;
        // One that began beside the connection that was lost will answer just as well.
        if !self.token.refreshing {
            self.token.refreshing = true;
            out.push(Effect::Refresh);
        }
    }

    fn open(&mut self, out: &mut Vec<Effect>) {
        self.serial += 1;
        self.phase = Phase::Opening { serial: self.serial };
        out.push(Effect::Open { serial: self.serial });
    }

    pub(super) fn refresh_beside(&mut self, out: &mut Vec<Effect>) {
        if self.is_up() && !self.token.refreshing {
            self.token.refreshing = true;
            out.push(Effect::Refresh);
        }
    }

    fn new_token(&mut self, fresh_for: Option<Duration>, now: Now) {
        let pause = self.config.refresh_pause;
        self.token.stale_at = fresh_for.map(|d| now.saturating_add(d.max(pause)));
        self.token.refused = false;
        self.refresh_retries = 0;
    }

    pub(super) fn signed_in(
        &mut self,
        fresh_for: Option<Duration>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        self.new_token(fresh_for, now);
        match self.phase {
            Phase::LoginNeeded | Phase::Waiting { .. } => {
                self.retries = 0;
                self.begin(now, out);
            }
            Phase::Up { .. } => out.push(Effect::Reauthenticate),
            Phase::Refreshing => self.open(out),
            Phase::Idle | Phase::Opening { .. } | Phase::Closed => {}
        }
    }

    pub(super) fn refreshed(
        &mut self,
        fresh_for: Option<Duration>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        self.token.refreshing = false;
        self.new_token(fresh_for, now);
        match self.phase {
            Phase::Refreshing => {
                self.token.just_refreshed = true;
                self.open(out);
            }
            Phase::Up { .. } => out.push(Effect::Reauthenticate),
            Phase::Idle
            | Phase::Opening { .. }
            | Phase::Waiting { .. }
            | Phase::LoginNeeded
            | Phase::Closed => {}
        }
    }

    pub(super) fn refresh_failed(&mut self, refused: bool, why: Trouble, now: Now) {
        self.token.refreshing = false;
        match self.phase {
            Phase::Refreshing if refused => self.need_login(why),
            Phase::Refreshing => self.wait(why, None, now),
            Phase::Up { .. } => {
                // The connection lives until the token ends; a refused refresh shows itself then.
                self.refresh_retries = self.refresh_retries.saturating_add(1);
                let delay = self.config.backoff.delay(self.refresh_retries, &mut self.jitter);
                self.token.stale_at =
                    (!refused).then_some(now + delay.max(self.config.refresh_pause));
                if refused {
                    self.token.refused = true;
                }
            }
            Phase::Idle
            | Phase::Opening { .. }
            | Phase::Waiting { .. }
            | Phase::LoginNeeded
            | Phase::Closed => {}
        }
    }

    pub(super) fn opened(&mut self, serial: u64, now: Now, out: &mut Vec<Effect>) {
        if self.phase != (Phase::Opening { serial }) {
            return;
        }
        self.phase = Phase::Up { serial, since: now };
        self.token.just_refreshed = false;
        self.drain = None;
        self.chats.reset();
        out.push(Effect::Online(self.chats.all().collect()));
    }

    pub(super) fn open_failed(
        &mut self,
        serial: u64,
        failure: OpenFailure,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        if self.phase != (Phase::Opening { serial }) {
            return;
        }
        match failure {
            OpenFailure::Token(why) if self.token.just_refreshed => self.need_login(why),
            OpenFailure::Token(why) => {
                self.trouble = why;
                self.token.refused = true;
                self.refresh_first(out);
            }
            OpenFailure::Other { why, retry_after } => self.wait(why, retry_after, now),
        }
    }

    pub(super) fn lost(&mut self, serial: u64, why: Trouble, now: Now, out: &mut Vec<Effect>) {
        let Phase::Up { serial: current, since } = self.phase else { return };
        if current != serial {
            return;
        }
        if now.saturating_sub(since) >= self.config.stable_after {
            self.retries = 0;
        }
        self.chats.reset();
        out.push(Effect::Offline);
        if matches!(why.code, Some(ErrorCode::Unauthenticated | ErrorCode::TokenExpired)) {
            self.token.refused = true;
        }
        self.wait(why, None, now);
    }

    /// Waits for the next retry: the server's word wins over our own delay.
    fn wait(&mut self, why: Trouble, retry_after: Option<Duration>, now: Now) {
        self.retries = self.retries.saturating_add(1);
        if self.config.retries_max.is_some_and(|most| self.retries > most) {
            (self.retries, self.trouble, self.phase) = (0, why, Phase::Idle);
            return;
        }
        let own = self.config.backoff.delay(self.retries, &mut self.jitter);
        let delay = match self.drain.take() {
            // The server spreads its clients by this number: ours would only blur it.
            Some(told) => told,
            None => own.max(retry_after.unwrap_or_default().min(RETRY_AFTER_MAX)),
        };
        self.trouble = why;
        self.phase = Phase::Waiting { until: now + delay };
    }

    fn need_login(&mut self, why: Trouble) {
        self.trouble = why;
        // Whatever is tried next, it is not this token again.
        self.token.refused = true;
        self.phase = Phase::LoginNeeded;
    }
}
