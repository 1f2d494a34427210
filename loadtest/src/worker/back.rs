//! Sockets that lose the server and come back: when they try, what they ask for, what they had missed.

use std::rc::Rc;
use std::time::{Duration, Instant};

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde::Deserialize;
use serde_json::value::RawValue;
use trialogue_checker::Micros;
use trialogue_client::{Credentials, Error, Rest};
use trialogue_protocol::{ChatId, TokenPair};

use super::enter::TOLD_MAX;
use super::floor::{Floor, Phase, Socket};
use super::kept;
use super::over::over;
use crate::plan::{Absences, Unrest};
use crate::recorder::Metric;
use crate::result::Recovery;
use crate::stamp::Found;
use crate::target::Words;

/// The number under which a returned socket is answered: nothing else has it.
pub(super) const CATCH_UP: u32 = u32::MAX;
/// Messages of a page of what was missed (CONTRACT §2: it ends there by itself).
const PAGE: u32 = 500;
/// What servers answer that have no such route.
const NO_ROUTE: [u16; 4] = [400, 404, 405, 501];

/// Since when a socket is away, and why.
#[derive(Debug)]
pub(super) struct Away {
    /// Microseconds after the begin.
    fault: Micros,
    /// We have cut it, and it stays away for as long as was planned.
    by_us: bool,
    attempts: u32,
    /// Its room let it in.
    pub(super) rejoined: bool,
    /// It reads the whole history.
    reads: bool,
}

/// What becomes of sockets that lose the server.
#[derive(Debug)]
pub(super) struct Returns {
    pub(super) so_far: Recovery,
    rng: StdRng,
}

impl Returns {
    pub(super) fn new(seed: u64, worker: u32) -> Self {
        let rng = StdRng::seed_from_u64(seed.rotate_left(17) ^ u64::from(worker));
        Self { so_far: Recovery::default(), rng }
    }

    /// An attempt failed.
    pub(super) fn reason(&mut self, why: String) {
        self.so_far.failed(why, 1);
    }

    /// Whether somebody is away now.
    pub(super) fn is_waited_for(&self) -> bool {
        self.so_far.lost > self.so_far.back
    }
}

/// What stands in the answer to a returned socket, and in a page of history.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page<'a> {
    pub(super) ok: bool,
    #[serde(borrow, default)]
    pub(super) messages: Vec<&'a RawValue>,
    #[serde(default)]
    pub(super) has_more: bool,
}

impl Page<'_> {
    pub(super) fn read(answer: &[u8]) -> Option<Page<'_>> {
        serde_json::from_slice::<(Page<'_>,)>(answer).ok().map(|page| page.0)
    }
}

impl Floor {
    /// What follows when a socket's connection is over: a pause, and then another attempt.
    pub(super) fn ended(&self, socket: &Socket, why: String) -> Option<Duration> {
        let returns = self.has_begun.get() && self.plan.unrest.is_of_returns();
        let phase = socket.phase.get();
        if !returns || phase == Phase::Over || socket.is_slow {
            self.over(socket, why);
            return None;
        }
        *socket.wire.borrow_mut() = None;
        match phase {
            Phase::In | Phase::Rejoining => self.lost_by_itself(socket, why),
            Phase::Away | Phase::Over => {}
            _ if socket.is_sent_away.get() => {}
            _ => self.returns.borrow_mut().reason(why),
        }
        socket.phase.set(Phase::Away);
        let mut away = socket.away.borrow_mut();
        let away = away.as_mut()?;
        away.attempts += 1;
        let pause = match self.plan.unrest {
            Unrest::Jitter(absence) if away.by_us && away.attempts == 1 => {
                Duration::from_micros(absence.away)
            }
            _ => self.plan.back_off.delay(away.attempts, &mut self.returns.borrow_mut().rng),
        };
        Some(pause)
    }

    /// The storm took it, or it was cut for a reason of the server's own.
    fn lost_by_itself(&self, socket: &Socket, why: String) {
        let now = self.at(Instant::now());
        // It was told before the server was ended, so that no socket can know of it earlier.
        let storm = self.storm.as_ref().and_then(|storm| *storm.borrow());
        let storm = storm.map(|moment| self.at(moment));
        if storm.is_none() || socket.away.borrow().is_some() {
            self.ends.borrow_mut().cut(why, 1);
        }
        let fault = storm.unwrap_or(now);
        self.lose(socket, fault, false);
        self.recorder.borrow_mut().record(Metric::Seen, now.saturating_sub(fault));
    }

    /// Whether the server can tell it what it missed: when it comes back, or as a history, which is
    /// asked for by ids of ours alone.
    fn tells_missed(&self, socket: &Socket) -> bool {
        let has_history =
            || !self.is_without_history.get() && socket.chat.parse::<ChatId>().is_ok();
        self.target.capabilities.resume || has_history()
    }

    fn lose(&self, socket: &Socket, fault: Micros, by_us: bool) {
        socket.phase.set(Phase::Away);
        match self.tells_missed(socket) {
            true => self.judge.borrow_mut().away(socket.member),
            false => self.judge.borrow_mut().gone(socket.member),
        }
        let mut away = socket.away.borrow_mut();
        if away.is_none() {
            self.returns.borrow_mut().so_far.lost += 1;
            let fresh = Away { fault, by_us, attempts: 0, rejoined: false, reads: false };
            *away = Some(Box::new(fresh));
        }
    }

    /// Cuts a connection as a machine that is gone would. Whoever is away already stays so.
    fn cut(&self, socket: &Socket) {
        if socket.phase.get() != Phase::In || socket.is_slow {
            return;
        }
        self.lose(socket, self.at(Instant::now()), true);
        if let Some(wire) = socket.wire.borrow_mut().take() {
            wire.kill();
        }
    }

    /// A socket has a session again; answers what it asks for.
    pub(super) fn rejoin(&self, socket: &Socket, now: Instant) -> String {
        socket.phase.set(Phase::Rejoining);
        if let Some(away) = socket.away.borrow_mut().as_mut() {
            (away.rejoined, away.reads) = (false, false);
        }
        self.since_fault(socket, Metric::Reconnected, now);
        if !self.tells_missed(socket) {
            self.judge.borrow_mut().gone(socket.member);
            return Words::join(&socket.chat);
        }
        let resumes = self.target.capabilities.resume;
        let mut judge = self.judge.borrow_mut();
        let known = judge.known(socket.member);
        judge.returns(socket.member, !resumes, self.at(now));
        match resumes {
            true => Words::rejoin(&socket.chat, known, CATCH_UP),
            false => Words::join(&socket.chat),
        }
    }

    fn since_fault(&self, socket: &Socket, metric: Metric, now: Instant) {
        if let Some(away) = &*socket.away.borrow() {
            let took = self.at(now).saturating_sub(away.fault);
            self.recorder.borrow_mut().record(metric, took);
        }
    }

    /// Its room let it in: told by an event, by the answer, or by both.
    pub(super) fn rejoined(&self, socket: &Socket, now: Instant) {
        let first = match socket.away.borrow_mut().as_mut() {
            Some(away) => !std::mem::replace(&mut away.rejoined, true),
            None => false,
        };
        if first {
            self.since_fault(socket, Metric::Rejoined, now);
            if !self.tells_missed(socket) {
                self.judge.borrow_mut().join(socket.member);
            }
            self.news.notify_one();
        }
    }

    /// A page of what it missed; answers the question for the next one.
    pub(super) fn catch_up(&self, socket: &Socket, answer: &[u8], now: Instant) -> Option<String> {
        if socket.phase.get() != Phase::Rejoining {
            return None;
        }
        let Some(page) = Page::read(answer).filter(|page| page.ok) else {
            let said = String::from_utf8_lossy(&answer[..answer.len().min(TOLD_MAX)]);
            self.returns.borrow_mut().reason(format!("not let in again: {said}"));
            socket.is_sent_away.set(true);
            return None;
        };
        self.rejoined(socket, now);
        for message in &page.messages {
            let text = message.get().as_bytes();
            self.missed(socket, self.stamps.find(text), self.seq_in(text), now);
        }
        let judge = self.judge.borrow();
        // A page without messages that promises more would be asked for without an end.
        if page.has_more && !page.messages.is_empty() {
            let since = ("afterSeq", judge.known(socket.member));
            return Some(Words::fetch(&socket.chat, since, PAGE, CATCH_UP));
        }
        drop(judge);
        self.is_back(socket, now);
        None
    }

    /// Whether the whole history is to be read now, because the server tells nothing of what was
    /// missed; once for each return.
    pub(super) fn wants_all(&self, socket: &Socket) -> bool {
        if socket.phase.get() != Phase::Rejoining || self.target.capabilities.resume {
            return false;
        }
        let mut away = socket.away.borrow_mut();
        let Some(away) = away.as_mut().filter(|away| away.rejoined) else { return false };
        !std::mem::replace(&mut away.reads, true)
    }

    fn missed(&self, socket: &Socket, found: Option<Found>, seq: u64, now: Instant) {
        let mut judge = self.judge.borrow_mut();
        let sight = judge.caught_up(socket.member, found, seq, self.at(now));
        let Some(sight) = sight.filter(|sight| sight.recorded) else { return };
        drop(judge);
        if let Some(begun) = socket.begun.get() {
            self.took(Metric::Replay, begun, now);
        }
        // However it came: what a user waited for.
        let at = self.at(now);
        let mut recorder = self.recorder.borrow_mut();
        recorder.record(Metric::Delivery, at.saturating_sub(sight.intended));
        recorder.record(Metric::Uncorrected, at.saturating_sub(sight.written));
        if self.is_mixed {
            recorder.record(over(socket.way), at.saturating_sub(sight.intended));
        }
    }

    fn is_back(&self, socket: &Socket, now: Instant) {
        if self.tells_missed(socket) {
            self.since_fault(socket, Metric::CaughtUp, now);
        }
        socket.phase.set(Phase::In);
        *socket.away.borrow_mut() = None;
        self.judge.borrow_mut().has_all(socket.member);
        self.returns.borrow_mut().so_far.back += 1;
        self.news.notify_one();
    }

    /// Nobody comes back any more.
    pub(super) fn give_up(&self) {
        for socket in &self.sockets {
            if socket.away.borrow().is_some() {
                self.judge.borrow_mut().down(socket.member);
                self.returns.borrow_mut().so_far.never_back += 1;
            }
        }
    }

    fn people(&self) -> impl Iterator<Item = &Socket> {
        self.sockets.iter().filter(|socket| !socket.is_slow)
    }
}

/// Where a server tells nothing of what was missed, the whole history is read, over REST, once the
/// socket is in its room.
pub(super) async fn read_all(floor: Rc<Floor>, member: u32) {
    let socket = &floor.sockets[member as usize];
    let chat = floor.tells_missed(socket).then(|| socket.chat.parse::<ChatId>().ok()).flatten();
    let access_token = floor.tokens.newest(&socket.token).to_string();
    let refresh_token = String::new();
    let tokens = Credentials::in_memory(Some(TokenPair { access_token, refresh_token }));
    let rest = Rest::new(floor.target.http.clone(), floor.target.dialect, tokens);
    let read = async {
        let Some(chat) = chat else { return Ok(Vec::new()) };
        let mut pages = rest.history(chat, 0);
        let mut all = Vec::new();
        while let Some(page) = pages.next().await? {
            all.extend(page.messages);
        }
        Ok::<_, Error>(all)
    };
    let read = read.await;
    let now = Instant::now();
    if socket.phase.get() != Phase::Rejoining {
        return;
    }
    match read {
        Ok(all) => {
            for message in all {
                let text = format!("{}\"", message.message);
                let seq = message.seq.map_or(0, |seq| u64::try_from(seq).unwrap_or_default());
                floor.missed(socket, floor.stamps.find(text.as_bytes()), seq, now);
            }
            floor.is_back(socket, now);
            kept::send(floor.clone(), member).await;
        }
        Err(Error::Refused(no)) if no.status.is_some_and(|status| NO_ROUTE.contains(&status)) => {
            floor.is_without_history.set(true);
            floor.judge.borrow_mut().gone(member);
            floor.judge.borrow_mut().join(member);
            floor.is_back(socket, now);
            kept::send(floor.clone(), member).await;
        }
        Err(why) => {
            floor.returns.borrow_mut().reason(format!("no history: {why}"));
            // That is our doing, and no cut of the server's. Its task is woken, and tries again.
            socket.phase.set(Phase::Away);
            floor.judge.borrow_mut().away(member);
            if let Some(wire) = socket.wire.borrow_mut().take() {
                wire.kill();
            }
        }
    }
}

/// Cuts and moves sockets when it is their time, until the last message is due.
pub(super) async fn stir(floor: Rc<Floor>) {
    let plan = floor.plan.clone();
    let members = floor.people().filter(|socket| match plan.unrest {
        Unrest::Churn(_) => floor.judge.borrow().sender_of(socket.member).is_none(),
        _ => true,
    });
    let members: Vec<u32> = members.map(|socket| socket.member).collect();
    let at = |micros| tokio::time::Instant::from(floor.begin.get() + Duration::from_micros(micros));
    match plan.unrest {
        Unrest::Jitter(absence) | Unrest::Churn(absence) => {
            let seed = plan.seed.rotate_left(31) ^ u64::from(floor.number());
            let due = Absences::of(absence, seed, members.into_iter());
            for (moment, member) in due.take_while(|(moment, _)| *moment < plan.length()) {
                tokio::time::sleep_until(at(moment)).await;
                let socket = &floor.sockets[member as usize];
                if matches!(plan.unrest, Unrest::Jitter(_)) {
                    floor.cut(socket);
                } else if floor.leave(socket) {
                    let away = Duration::from_micros(absence.away);
                    tokio::task::spawn_local(come_again(floor.clone(), member, away));
                }
            }
        }
        // Who ends the server needs no help.
        Unrest::Storm { .. } if floor.storm.is_some() => {}
        Unrest::Storm { at: moment, .. } => {
            tokio::time::sleep_until(at(moment)).await;
            members.iter().for_each(|member| floor.cut(&floor.sockets[*member as usize]));
        }
        Unrest::Calm | Unrest::Apart | Unrest::History { .. } => {}
    }
}

async fn come_again(floor: Rc<Floor>, member: u32, away: Duration) {
    tokio::time::sleep(away).await;
    let socket = &floor.sockets[member as usize];
    // The server may be slow in telling it that it is out.
    while socket.phase.get() == Phase::Leaving {
        tokio::time::sleep(super::LOOK).await;
    }
    floor.enter_again(socket);
}
