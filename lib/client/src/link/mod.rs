//! The life of one connection, without a socket, a clock or a die (TUI §5, RELIABILITY §2.9).
//!
//! `handle(Event, now) -> Vec<Effect>`: the shell obeys the effects in order and reports what
//! happened as the next events. What may not happen here: giving up (only a refused login stops
//! the link), presenting a token again that the server refused, calling a link ready before the
//! server said `connected`, sending from the outbox into a chat that has not caught up.

mod attempt;
mod chats;
#[cfg(test)]
mod tests;
mod words;

use std::time::Duration;

use trialogue_protocol::ChatId;

use crate::time::{Jitter, Now};
use chats::Chats;
pub use words::{
    DRAIN_DELAY_MAX, Effect, Event, LinkConfig, LinkState, OpenFailure, RETRY_AFTER_MAX, Trouble,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    /// Waits for a token before an attempt.
    Refreshing,
    Opening {
        serial: u64,
    },
    Up {
        serial: u64,
        since: Now,
    },
    Waiting {
        until: Now,
    },
    LoginNeeded,
    Closed,
}

#[derive(Debug, Default)]
struct Token {
    /// When to refresh it; `None`: not known.
    stale_at: Option<Now>,
    /// The server refused this very token.
    refused: bool,
    /// It came from a refresh within the attempt under way, so a refusal is final.
    just_refreshed: bool,
    /// A refresh beside a living connection is under way.
    refreshing: bool,
}

/// The state machine. Owns the set of open chats; knows nothing of their messages.
#[derive(Debug)]
pub struct Link {
    config: LinkConfig,
    jitter: Jitter,
    phase: Phase,
    /// Retries since the last stable connection; 0: none was needed.
    retries: u32,
    serial: u64,
    trouble: Trouble,
    token: Token,
    /// Retries of a refresh beside a living connection.
    refresh_retries: u32,
    drain: Option<Duration>,
    chats: Chats,
    told: LinkState,
}

impl Link {
    /// An idle link. `seed` decides every delay.
    pub fn new(config: LinkConfig, seed: u64) -> Self {
        Self {
            config,
            jitter: Jitter::new(seed),
            phase: Phase::Idle,
            retries: 0,
            serial: 0,
            trouble: Trouble::new("not connected yet"),
            token: Token::default(),
            refresh_retries: 0,
            drain: None,
            chats: Chats::default(),
            told: LinkState::Offline,
        }
    }

    /// What was told last.
    pub fn state(&self) -> &LinkState {
        &self.told
    }

    /// Chats that are open, joined or not.
    pub fn open_chats(&self) -> impl Iterator<Item = ChatId> + '_ {
        self.chats.all()
    }

    /// When to send [`Event::Tick`] at the latest.
    pub fn next_wake(&self) -> Option<Now> {
        match self.phase {
            Phase::Waiting { until } => Some(until),
            Phase::Up { .. } => {
                let refresh = self.token.stale_at.filter(|_| !self.token.refreshing);
                [refresh, self.chats.next_retry()].into_iter().flatten().min()
            }
            Phase::Idle
            | Phase::Refreshing
            | Phase::Opening { .. }
            | Phase::LoginNeeded
            | Phase::Closed => None,
        }
    }

    /// Decides. Events of an attempt or connection that is no longer the newest change nothing.
    pub fn handle(&mut self, event: Event, now: Now) -> Vec<Effect> {
        let mut out = Vec::new();
        if self.phase == Phase::Closed {
            return out;
        }
        match event {
            Event::Start => {
                if self.phase == Phase::Idle {
                    self.begin(now, &mut out);
                }
            }
            Event::Stop => self.stop(Phase::Idle, &mut out),
            Event::Close => self.stop(Phase::Closed, &mut out),
            Event::RetryNow => {
                if matches!(self.phase, Phase::Waiting { .. }) {
                    self.begin(now, &mut out);
                }
            }
            Event::SignedIn(fresh_for) => self.signed_in(fresh_for, now, &mut out),
            Event::Refreshed(fresh_for) => self.refreshed(fresh_for, now, &mut out),
            Event::RefreshFailed { refused, why } => {
                self.refresh_failed(refused, why, now);
            }
            Event::Opened { serial } => self.opened(serial, now, &mut out),
            Event::OpenFailed { serial, failure } => {
                self.open_failed(serial, failure, now, &mut out);
            }
            Event::Lost { serial, why } => self.lost(serial, why, now, &mut out),
            Event::Draining(delay) => self.drain = Some(delay.min(DRAIN_DELAY_MAX)),
            Event::TokenExpiring => self.refresh_beside(&mut out),
            Event::Enter(chat) => self.chats.enter(chat),
            Event::Leave(chat) => {
                if self.chats.leave(chat) && self.is_up() {
                    out.push(Effect::Leave(chat));
                }
            }
            Event::Joined(chat) => self.chats.joined(chat),
            Event::JoinFailed { chat, retry_after } => {
                self.join_failed(chat, retry_after, now, &mut out);
            }
            Event::CaughtUp(chat) => {
                if self.chats.caught_up(chat) {
                    out.push(Effect::Release(chat));
                }
            }
            Event::Tick => self.tick(now, &mut out),
        }
        self.join_some(&mut out);
        self.tell(now, &mut out);
        out
    }

    fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Up { .. })
    }

    fn tick(&mut self, now: Now, out: &mut Vec<Effect>) {
        match self.phase {
            Phase::Waiting { until } if until <= now => self.begin(now, out),
            Phase::Up { .. } => {
                self.chats.retry_due(now);
                if self.token.stale_at.is_some_and(|at| at <= now) {
                    self.refresh_beside(out);
                }
            }
            Phase::Waiting { .. }
            | Phase::Idle
            | Phase::Refreshing
            | Phase::Opening { .. }
            | Phase::LoginNeeded
            | Phase::Closed => {}
        }
    }

    fn stop(&mut self, into: Phase, out: &mut Vec<Effect>) {
        let was_up = self.is_up();
        if was_up || matches!(self.phase, Phase::Opening { .. }) {
            out.push(Effect::Hangup);
        }
        if was_up {
            out.push(Effect::Offline);
        }
        self.phase = into;
        self.retries = 0;
        self.drain = None;
        self.chats.reset();
    }

    fn join_failed(
        &mut self,
        chat: ChatId,
        retry_after: Option<Duration>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        match retry_after {
            None => {
                if self.chats.leave(chat) {
                    // What waits for this chat gets the server's own refusal.
                    out.push(Effect::Release(chat));
                }
            }
            Some(least) => {
                let backoff = self.config.backoff;
                let least = least.min(RETRY_AFTER_MAX);
                self.chats.join_later(chat, now, least, backoff, &mut self.jitter);
            }
        }
    }

    fn join_some(&mut self, out: &mut Vec<Effect>) {
        if self.is_up() {
            let joins = self.chats.start_joins(self.config.joins_in_flight_max);
            out.extend(joins.into_iter().map(Effect::Join));
        }
    }

    /// Tells the face if the state that it should see is another one now.
    fn tell(&mut self, now: Now, out: &mut Vec<Effect>) {
        let first = self.retries == 0;
        let state = match self.phase {
            Phase::Idle => LinkState::Offline,
            Phase::Refreshing | Phase::Opening { .. } if first => {
                LinkState::Connecting { attempt: 1 }
            }
            Phase::Refreshing | Phase::Opening { .. } => LinkState::Reconnecting {
                attempt: self.retries,
                next_in: Duration::ZERO,
                why: self.trouble.clone(),
            },
            Phase::Waiting { until } => LinkState::Reconnecting {
                attempt: self.retries,
                next_in: until.saturating_sub(now),
                why: self.trouble.clone(),
            },
            Phase::Up { .. } => match self.chats.progress() {
                Some((done, of)) => LinkState::Syncing { done, of },
                None => LinkState::Connected,
            },
            Phase::LoginNeeded => LinkState::LoginNeeded { why: self.trouble.clone() },
            Phase::Closed => LinkState::Closed,
        };
        let still_waiting = matches!(
            (&self.told, &state),
            (
                LinkState::Reconnecting { attempt: a, next_in: x, .. },
                LinkState::Reconnecting { attempt: b, next_in: y, .. },
            ) if a == b && x.is_zero() == y.is_zero()
        );
        if state != self.told && !still_waiting {
            self.told = state.clone();
            out.push(Effect::State(state));
        }
    }
}
