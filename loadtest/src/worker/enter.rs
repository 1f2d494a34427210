//! The way into a room: for the first time, again after a cut, and out of it and in again.

use std::time::{Duration, Instant};

use memchr::memmem;
use trialogue_checker::Micros;
use trialogue_socketio::engine::Handshake;

use super::floor::{Floor, LIMITED, Phase, Socket};
use crate::recorder::Metric;
use crate::stamp::number;
use crate::target::Words;

/// Bytes of a refusal that are told.
pub(super) const TOLD_MAX: usize = 200;
/// What stands in front of the place that a room is at.
const LAST_SEQ: &[u8] = b"\"lastSeq\":";

impl Floor {
    /// On the way into the room.
    pub(super) fn enter(&self, socket: &Socket, text: &[u8], now: Instant) -> Option<String> {
        let words = &self.words;
        let refused = [&words.refused, &words.error, &words.gone];
        match socket.phase.get() {
            Phase::Opening if text.starts_with(b"0") => {
                let told = serde_json::from_slice::<Handshake>(&text[1..]).ok();
                let silence = told.map(|told| told.ping_interval.saturating_add(told.ping_timeout));
                let silence = silence.filter(|millis| *millis > 0).map(Duration::from_millis);
                self.silence_max.set(silence);
                socket.phase.set(Phase::Connecting);
                let newest = self.tokens.newest(&socket.token);
                let packet = Words::connect(&newest);
                socket.is_expiring.set(false);
                *socket.shown.borrow_mut() = newest;
                return Some(packet);
            }
            Phase::Connecting if text.starts_with(&words.connected) => {
                if socket.away.borrow().is_some() {
                    return Some(self.rejoin(socket, now));
                }
                if self.is_apart() {
                    self.is_in(socket, now);
                    return None;
                }
                socket.phase.set(Phase::Joining);
                return Some(Words::join(&socket.chat));
            }
            Phase::Joining if text.starts_with(&words.joined) => {
                if !socket.is_slow {
                    let mut judge = self.judge.borrow_mut();
                    judge.join(socket.member);
                    let last = memmem::find(text, LAST_SEQ);
                    let last = last.and_then(|begin| number(&text[begin + LAST_SEQ.len()..]));
                    judge.came_at(socket.member, last.map_or(0, |(seq, _)| seq));
                }
                self.is_in(socket, now);
            }
            Phase::Connecting | Phase::Joining
                if refused.iter().any(|begin| text.starts_with(begin)) =>
            {
                let said = String::from_utf8_lossy(&text[..text.len().min(TOLD_MAX)]);
                let why = format!("the server refused a socket: {said}");
                if socket.away.borrow().is_some() {
                    self.returns.borrow_mut().reason(why);
                } else {
                    socket.ending.set(Some(why.into()));
                }
                socket.is_sent_away.set(true);
            }
            _ => {}
        }
        None
    }

    fn is_in(&self, socket: &Socket, now: Instant) {
        socket.phase.set(Phase::In);
        if let Some(begun) = socket.begun.get() {
            self.took(Metric::Join, begun, now);
        }
        self.joined.set(self.joined.get() + 1);
        self.news.notify_one();
    }

    pub(super) fn took(&self, metric: Metric, begun: Instant, now: Instant) {
        let took = now.saturating_duration_since(begun).as_micros();
        let took = Micros::try_from(took).unwrap_or(Micros::MAX);
        self.recorder.borrow_mut().record(metric, took);
    }

    /// A socket cannot enter its room, for this step of its way failed; the first reason is told. Where nobody is to speak, it is what
    /// the run looks at, unless it is for want of room on our side.
    pub(super) fn fail(&self, step: &str, why: String) {
        let is_looked_at = self.plan.pace.is_silent() && !self.is_full.get();
        if is_looked_at {
            let mut ends = self.ends.borrow_mut();
            ends.refused(step);
            ends.cut(why, 1);
            self.outside.set(self.outside.get() + 1);
        } else {
            self.cannot_join.borrow_mut().get_or_insert_with(|| format!("{step}: {why}"));
        }
        self.news.notify_one();
    }

    /// A refusal that is no answer to anything.
    pub(super) fn refused(&self, socket: &Socket, text: &[u8]) {
        let mut judge = self.judge.borrow_mut();
        match self.acks {
            // A message would have been answered.
            true => judge.counts_mut().errors += 1,
            false => {
                let limited = memmem::find(text, LIMITED).is_some();
                let crowd = &self.plan.crowd;
                // Of what else such a socket sends it may be the answer as well, and excuses nothing.
                if !limited && (crowd.typing > 0.0 || crowd.read > 0.0) {
                    judge.counts_mut().errors += 1;
                } else {
                    judge.refused_somehow(socket.member, limited);
                }
            }
        }
    }

    /// Asks to leave the room; whoever is not in it has nothing to leave.
    pub(super) fn leave(&self, socket: &Socket) -> bool {
        if socket.phase.get() != Phase::In {
            return false;
        }
        socket.phase.set(Phase::Leaving);
        socket.begun.set(Some(Instant::now()));
        self.judge.borrow_mut().moves(socket.member);
        self.put(socket, Words::leave(&socket.chat).as_bytes());
        true
    }

    /// Asks to enter it again, once it was told that it is out.
    pub(super) fn enter_again(&self, socket: &Socket) {
        if socket.phase.get() != Phase::Out {
            return;
        }
        socket.phase.set(Phase::Entering);
        socket.begun.set(Some(Instant::now()));
        self.judge.borrow_mut().moves(socket.member);
        self.put(socket, Words::join(&socket.chat).as_bytes());
    }

    /// What the server says to somebody who leaves, or comes in again.
    pub(super) fn moved(&self, socket: &Socket, text: &[u8], now: Instant) {
        let words = &self.words;
        let is = |word: &[u8]| text.starts_with(word);
        match socket.phase.get() {
            Phase::Leaving if is(&words.left) => {
                socket.phase.set(Phase::Out);
                self.judge.borrow_mut().left(socket.member);
            }
            Phase::Entering if is(&words.joined) => {
                socket.phase.set(Phase::In);
                self.judge.borrow_mut().join(socket.member);
            }
            Phase::Rejoining if is(&words.joined) => return self.rejoined(socket, now),
            _ => return,
        }
        if let Some(begun) = socket.begun.get() {
            self.took(Metric::Move, begun, now);
        }
        self.news.notify_one();
    }
}
