//! What the sockets of a worker share, and what becomes of a text that one of them received: the
//! path that a million deliveries a second take. Nothing here parses JSON.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use memchr::memmem;
use tokio::sync::Notify;
use trialogue_checker::Micros;
use trialogue_socketio::client::{Wire, WireOpener, Written};

use super::{Ends, Orders, Tick};
use crate::recorder::{Metric, Recording};
use crate::stamp::{Cursor, Stamp, Stamps, number};
use crate::target::Words;
use crate::users::Tokens;
use crate::verdict::{Judge, Rules, Sight};

/// Bytes that may wait for a server that does not read, for one socket.
const UNSENT_MAX: usize = 4 << 20;
/// What an answer begins with that says yes.
const YES: &[u8] = b"[{\"ok\":true";
/// What one names that says that there were too many.
const LIMITED: &[u8] = b"rate_limited";
/// What stands in front of a message's place.
const SEQ: &[u8] = b"\"seq\":";
/// Bytes of a refusal that are told.
const TOLD_MAX: usize = 200;

/// How far a socket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing was heard of it.
    Opening,
    /// The namespace was asked for.
    Connecting,
    /// The room was asked for.
    Joining,
    /// It is in its room.
    In,
    /// It is over.
    Over,
}

/// One socket.
pub(super) struct Socket {
    pub(super) member: u32,
    pub(super) chat: Rc<str>,
    pub(super) token: Arc<str>,
    pub(super) phase: Cell<Phase>,
    pub(super) begun: Cell<Option<Instant>>,
    /// The server ended the namespace; the connection may live on.
    pub(super) is_sent_away: Cell<bool>,
    pub(super) wire: RefCell<Option<Wire>>,
}

/// Everything of one worker.
pub(super) struct Floor {
    worker: u32,
    acks: bool,
    pub(super) sockets: Vec<Socket>,
    pub(super) judge: RefCell<Judge>,
    recorder: RefCell<Recording>,
    stamps: Stamps,
    words: Words,
    tokens: Tokens,
    seq: Cursor,
    /// The moment of the read whose frames are looked at: they share it.
    read_at: Cell<(Instant, Micros)>,
    pub(super) opener: WireOpener,
    pub(super) begin: Cell<Instant>,
    pub(super) joined: Cell<usize>,
    /// Why a socket cannot enter its room, before the begin.
    pub(super) cannot_join: RefCell<Option<String>>,
    /// A socket has joined or failed; in a closed loop, a room is ready for more.
    pub(super) news: Notify,
    /// Rooms of a closed loop whose messages have come everywhere, once for each.
    pub(super) ready: RefCell<VecDeque<u32>>,
    pub(super) is_closed_loop: bool,
    pub(super) speaking: Cell<bool>,
    pub(super) ends: RefCell<Ends>,
    /// A packet that is being written.
    packet: RefCell<Vec<u8>>,
}

impl Floor {
    pub(super) fn new(orders: &mut Orders) -> Self {
        let Rules { acks, .. } = orders.rules;
        let mut judge = Judge::new(orders.rules, orders.number);
        let (members, senders) = (orders.plan.members, orders.plan.senders);
        let mut sockets = Vec::with_capacity(orders.rooms.len() * members as usize);
        for room in &orders.rooms {
            judge.add_room(members, senders);
            let chat: Rc<str> = room.chat.as_str().into();
            for (turn, token) in (0..members).zip(room.tokens.iter().cycle()) {
                debug_assert!(turn < members);
                sockets.push(Socket {
                    member: u32::try_from(sockets.len()).unwrap_or(u32::MAX),
                    chat: chat.clone(),
                    token: token.clone(),
                    phase: Cell::new(Phase::Opening),
                    begun: Cell::new(None),
                    is_sent_away: Cell::new(false),
                    wire: RefCell::new(None),
                });
            }
        }
        Self {
            worker: orders.number,
            acks,
            sockets,
            judge: RefCell::new(judge),
            recorder: RefCell::default(),
            stamps: orders.stamps.clone(),
            words: Words::new(),
            tokens: orders.tokens.clone(),
            seq: Cursor::new(SEQ),
            read_at: Cell::new((Instant::now(), 0)),
            opener: orders.opener.clone(),
            begin: Cell::new(Instant::now()),
            joined: Cell::new(0),
            cannot_join: RefCell::default(),
            news: Notify::new(),
            ready: RefCell::default(),
            is_closed_loop: matches!(orders.plan.pace, crate::plan::Pace::Closed { .. }),
            speaking: Cell::new(true),
            ends: RefCell::default(),
            packet: RefCell::default(),
        }
    }

    /// Microseconds after the begin.
    pub(super) fn at(&self, now: Instant) -> Micros {
        let since = now.saturating_duration_since(self.begin.get()).as_micros();
        Micros::try_from(since).unwrap_or(Micros::MAX)
    }

    /// The same for frames of one read, for which it is reckoned once.
    fn read_at(&self, now: Instant) -> Micros {
        let (last, at) = self.read_at.get();
        if last == now {
            return at;
        }
        let at = self.at(now);
        self.read_at.set((now, at));
        at
    }

    pub(super) fn tick(&self, over: Duration) -> Tick {
        Tick {
            worker: self.worker,
            at: self.at(Instant::now()),
            over: Micros::try_from(over.as_micros()).unwrap_or(Micros::MAX),
            counts: *self.judge.borrow().counts(),
            recording: self.recorder.borrow_mut().take(),
            cpu: 0.0,
            speaking: self.speaking.get(),
        }
    }

    /// A text came over a socket; answers what is to be sent for it.
    pub(super) fn text(&self, socket: &Socket, text: &[u8], now: Instant) -> Option<String> {
        if socket.phase.get() != Phase::In {
            return self.enter(socket, text, now);
        }
        let words = &self.words;
        if text.starts_with(&words.new_message) {
            self.message(socket, text, now);
        } else if let Some(answer) = text.strip_prefix(&words.ack[..]) {
            self.answer(socket, answer, now);
        } else if text.starts_with(&words.error) {
            let limited = memmem::find(text, LIMITED).is_some();
            self.judge.borrow_mut().refused_somehow(socket.member, limited);
        } else if text.starts_with(&words.gone) {
            socket.is_sent_away.set(true);
        } else if text.starts_with(&words.expiring) {
            return Some(Words::refresh(&self.tokens.newest(&socket.token)));
        }
        None
    }

    /// On the way into the room.
    fn enter(&self, socket: &Socket, text: &[u8], now: Instant) -> Option<String> {
        let words = &self.words;
        let refused = [&words.refused, &words.error, &words.gone];
        match socket.phase.get() {
            Phase::Opening if text.starts_with(b"0") => {
                socket.phase.set(Phase::Connecting);
                return Some(Words::connect(&self.tokens.newest(&socket.token)));
            }
            Phase::Connecting if text.starts_with(&words.connected) => {
                socket.phase.set(Phase::Joining);
                return Some(Words::join(&socket.chat));
            }
            Phase::Joining if text.starts_with(&words.joined) => {
                socket.phase.set(Phase::In);
                self.judge.borrow_mut().join(socket.member);
                if let Some(begun) = socket.begun.get() {
                    let took = now.saturating_duration_since(begun).as_micros();
                    let took = Micros::try_from(took).unwrap_or(Micros::MAX);
                    self.recorder.borrow_mut().record(Metric::Join, took);
                }
                self.joined.set(self.joined.get() + 1);
                self.news.notify_one();
            }
            Phase::Connecting | Phase::Joining
                if refused.iter().any(|begin| text.starts_with(begin)) =>
            {
                let said = String::from_utf8_lossy(&text[..text.len().min(TOLD_MAX)]);
                self.fail(format!("the server refused a socket: {said}"));
            }
            Phase::Opening | Phase::Connecting | Phase::Joining | Phase::In | Phase::Over => {}
        }
        None
    }

    /// A socket cannot enter its room; the first reason is told.
    pub(super) fn fail(&self, why: String) {
        self.cannot_join.borrow_mut().get_or_insert(why);
        self.news.notify_one();
    }

    fn message(&self, socket: &Socket, text: &[u8], now: Instant) {
        let at = self.read_at(now);
        let seq = self.seq.behind(text).and_then(number);
        let seq = seq.map_or(0, |(seq, _)| u64::from(seq));
        let found = self.stamps.find(text);
        let sight = self.judge.borrow_mut().delivered(socket.member, found, seq, at);
        let Some(sight) = sight else { return };
        let Sight { intended, written, recorded, settled, room } = sight;
        if recorded {
            let mut recorder = self.recorder.borrow_mut();
            recorder.record(Metric::Delivery, at.saturating_sub(intended));
            recorder.record(Metric::Uncorrected, at.saturating_sub(written));
            if let Some((first, last)) = settled {
                recorder.record(Metric::First, first.saturating_sub(intended));
                recorder.record(Metric::Last, last.saturating_sub(intended));
                recorder.record(Metric::Spread, last - first);
            }
        }
        if settled.is_some() && self.is_closed_loop {
            self.ready.borrow_mut().push_back(room);
            self.news.notify_one();
        }
    }

    fn answer(&self, socket: &Socket, answer: &[u8], now: Instant) {
        let Some((n, said)) = number(answer) else { return };
        let at = self.at(now);
        let mut judge = self.judge.borrow_mut();
        let Some(sender) = judge.sender_of(socket.member) else { return };
        if said.starts_with(YES) {
            if let Some(intended) = judge.acked(sender, n, at) {
                self.recorder.borrow_mut().record(Metric::Ack, at.saturating_sub(intended));
            }
            return;
        }
        let limited = memmem::find(said, LIMITED).is_some();
        judge.refused(sender, n, limited, at);
        drop(judge);
        if self.is_closed_loop {
            self.ready.borrow_mut().push_back(self.judge.borrow().room_of(sender));
            self.news.notify_one();
        }
    }

    /// Sends a message now that was intended for `intended`.
    pub(super) fn send(&self, sender: u32, size: u32, recorded: bool, intended: Micros) {
        let member = self.judge.borrow().member_of(sender);
        let socket = &self.sockets[member as usize];
        if socket.phase.get() != Phase::In {
            self.ends.borrow_mut().unsendable += 1;
            return;
        }
        let at = self.at(Instant::now());
        let n = self.judge.borrow_mut().sent(sender, size, recorded, (intended, at));
        let written = {
            let mut packet = self.packet.borrow_mut();
            packet.clear();
            Words::send(&socket.chat, self.acks.then_some(n), &mut packet);
            self.stamps.write(Stamp { worker: self.worker, sender, n }, size, &mut packet);
            packet.extend_from_slice(Words::SEND_END);
            socket.wire.borrow_mut().as_mut().map(|wire| wire.send(&packet))
        };
        let now = self.at(Instant::now());
        self.judge.borrow_mut().written(sender, n, now);
        if recorded {
            let mut recorder = self.recorder.borrow_mut();
            recorder.record(Metric::Slip, at.saturating_sub(intended));
            recorder.record(Metric::SendLag, now.saturating_sub(intended));
        }
        match written {
            Some(Ok(Written::Waits(bytes))) => {
                self.ends.borrow_mut().stalled += 1;
                if bytes > UNSENT_MAX {
                    self.over(socket, "the server does not read".to_owned());
                }
            }
            // A broken connection is told to the one who reads it, who says why.
            Some(Ok(Written::All) | Err(_)) | None => {}
        }
    }

    /// A connection is over.
    pub(super) fn over(&self, socket: &Socket, why: String) {
        let before = socket.phase.replace(Phase::Over);
        *socket.wire.borrow_mut() = None;
        match before {
            Phase::In => {
                self.judge.borrow_mut().down(socket.member);
                self.ends.borrow_mut().cut(why, 1);
            }
            Phase::Opening | Phase::Connecting | Phase::Joining => self.fail(why),
            Phase::Over => {}
        }
    }

    /// Says good-bye everywhere.
    pub(super) fn close(&self) {
        for socket in &self.sockets {
            socket.phase.set(Phase::Over);
            if let Some(mut wire) = socket.wire.borrow_mut().take() {
                wire.close();
            }
        }
    }
}
