//! What the sockets of a worker share, and what becomes of a text that one of them received: the
//! path that a million deliveries a second take. Nothing here parses JSON.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use memchr::memmem;
use tokio::sync::{Notify, watch};
use trialogue_checker::Micros;
use trialogue_socketio::client::{Wire, WireOpener};

use super::back::{Away, Returns};
use super::crowd::Beside;
use super::history::History;
use super::kept::Kept;
use super::over::over;
use super::places::Places;
use super::waiting::Waiting;
use super::{Ends, Orders, Tick};
use crate::plan::{Plan, Unrest, Way};
use crate::recorder::{Metric, Recording};
use crate::stamp::{Chats, Found, Seqs, Stamps, number};
use crate::target::{Target, Words};
use crate::users::Tokens;
use crate::verdict::{Judge, Rules, Sight};

/// What an answer begins with that says yes.
const YES: &[u8] = b"[{\"ok\":true";
/// What one names that says that there were too many.
pub(super) const LIMITED: &[u8] = b"rate_limited";
/// Acknowledgements from this number on are of pages; those of messages are lower.
pub(super) const PAGES_FROM: u32 = 1 << 31;

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
    /// It has no connection, and will have one.
    Away,
    /// It has one again, and asks for its room and for what it missed.
    Rejoining,
    /// It asked to leave its room.
    Leaving,
    /// It was told that it is out.
    Out,
    /// It asked to enter it again, over the same connection.
    Entering,
    /// It is over.
    Over,
}

/// One socket.
pub(super) struct Socket {
    pub(super) member: u32,
    pub(super) chat: Rc<str>,
    pub(super) token: Arc<str>,
    /// The token that the server was shown last, and whether it has said that it is about to end.
    pub(super) shown: RefCell<Arc<str>>,
    pub(super) is_expiring: Cell<bool>,
    /// It stops reading once it is in its room.
    pub(super) is_slow: bool,
    pub(super) way: Way,
    pub(super) phase: Cell<Phase>,
    /// How far it came before its handshake: a step of the way, in words.
    pub(super) step: Cell<&'static str>,
    pub(super) begun: Cell<Option<Instant>>,
    /// The server ended the namespace; the connection may live on.
    pub(super) is_sent_away: Cell<bool>,
    /// Why we end it.
    pub(super) ending: Cell<Option<Box<str>>>,
    pub(super) wire: RefCell<Option<Wire>>,
    /// Since when and why it is away.
    pub(super) away: RefCell<Option<Box<Away>>>,
    /// What the system has not taken.
    pub(super) waiting: RefCell<Option<Box<Waiting>>>,
}

/// Everything of one worker.
pub(super) struct Floor {
    worker: u32,
    pub(super) plan: Arc<Plan>,
    pub(super) target: Target,
    pub(super) acks: bool,
    pub(super) sockets: Vec<Socket>,
    pub(super) judge: RefCell<Judge>,
    pub(super) recorder: RefCell<Recording>,
    pub(super) stamps: Stamps,
    pub(super) words: Words,
    pub(super) tokens: Tokens,
    seq: Seqs,
    chats: Chats,
    /// The moment of the read whose frames are looked at: they share it.
    read_at: Cell<(Instant, Micros)>,
    pub(super) opener: WireOpener,
    pub(super) begin: Cell<Instant>,
    pub(super) has_begun: Cell<bool>,
    pub(super) joined: Cell<usize>,
    /// Sockets that were not let in, where that is what is looked at.
    pub(super) outside: Cell<usize>,
    /// This machine has no more room for connections.
    pub(super) is_full: Cell<bool>,
    /// How long a server may be silent, as it says itself; and how long a step on the way may take.
    pub(super) silence_max: Cell<Option<Duration>>,
    pub(super) join_within: Duration,
    /// The server has no history of a chat to read.
    pub(super) is_without_history: Cell<bool>,
    /// Why a socket cannot enter its room, before the begin.
    pub(super) cannot_join: RefCell<Option<String>>,
    /// A socket has joined or failed; in a closed loop, a room is ready for more.
    pub(super) news: Notify,
    /// Rooms of a closed loop whose messages have come everywhere, once for each.
    pub(super) ready: RefCell<VecDeque<u32>>,
    pub(super) is_closed_loop: bool,
    pub(super) places: RefCell<Places>,
    /// Sockets travel in several ways.
    pub(super) is_mixed: bool,
    pub(super) speaking: Cell<bool>,
    pub(super) ends: RefCell<Ends>,
    pub(super) returns: RefCell<Returns>,
    /// The moment at which somebody ended the server.
    pub(super) storm: Option<watch::Receiver<Option<Instant>>>,
    pub(super) beside: Beside,
    pub(super) history: RefCell<History>,
    /// What was due while its sender was away, by member.
    pub(super) kept: RefCell<HashMap<u32, Vec<Kept>>>,
    /// A packet that is being written.
    pub(super) packet: RefCell<Vec<u8>>,
}

/// Whether an answer says yes: by its first letters, as ours does, or wherever it says so.
fn says_yes(said: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Said {
        ok: bool,
    }
    let read = || serde_json::from_slice::<(Said,)>(said).is_ok_and(|(said,)| said.ok);
    said.starts_with(YES) || read()
}

/// The sockets of all rooms in a row, and the judge who knows them.
fn people(orders: &Orders) -> (Vec<Socket>, Judge) {
    let mut judge = Judge::new(orders.rules, orders.number);
    let mut sockets = Vec::new();
    let senders = orders.plan.senders;
    let all = orders.sizes.iter().map(|size| *size as usize).sum();
    let seed = orders.plan.seed ^ u64::from(orders.number);
    let mut ways = orders.plan.crowd.transport.deal(all, seed).into_iter();
    let mut slow = super::crowd::SlowOnes::of(&orders.plan, &orders.sizes);
    for (room, members) in orders.rooms.iter().zip(&orders.sizes) {
        judge.add_room(*members, senders.min(*members));
        let chat: Rc<str> = room.chat.as_str().into();
        for (turn, token) in (0..*members).zip(room.tokens.iter().cycle()) {
            sockets.push(Socket {
                member: u32::try_from(sockets.len()).unwrap_or(u32::MAX),
                chat: chat.clone(),
                token: token.clone(),
                shown: RefCell::new(token.clone()),
                is_expiring: Cell::new(false),
                is_slow: slow.takes(turn >= senders),
                way: ways.next().unwrap_or(Way::Websocket),
                phase: Cell::new(Phase::Opening),
                step: Cell::new(""),
                begun: Cell::new(None),
                is_sent_away: Cell::new(false),
                ending: Cell::default(),
                wire: RefCell::new(None),
                away: RefCell::new(None),
                waiting: RefCell::new(None),
            });
        }
    }
    (sockets, judge)
}

impl Floor {
    pub(super) fn new(orders: &Orders) -> Self {
        let Rules { acks, .. } = orders.rules;
        let (sockets, judge) = people(orders);
        Self {
            worker: orders.number,
            plan: orders.plan.clone(),
            target: orders.target.clone(),
            acks,
            sockets,
            judge: RefCell::new(judge),
            recorder: RefCell::default(),
            stamps: orders.stamps.clone(),
            words: Words::new(),
            tokens: orders.tokens.clone(),
            seq: Seqs::new(),
            chats: Chats::new(),
            read_at: Cell::new((Instant::now(), 0)),
            opener: orders.opener.clone(),
            begin: Cell::new(Instant::now()),
            has_begun: Cell::new(false),
            joined: Cell::new(0),
            outside: Cell::new(0),
            is_full: Cell::new(false),
            silence_max: Cell::new(None),
            join_within: orders.join_within,
            is_without_history: Cell::new(false),
            cannot_join: RefCell::default(),
            news: Notify::new(),
            ready: RefCell::default(),
            places: RefCell::default(),
            is_mixed: orders.plan.crowd.transport.is_mixed(),
            is_closed_loop: matches!(orders.plan.pace, crate::plan::Pace::Closed { .. }),
            speaking: Cell::new(true),
            ends: RefCell::default(),
            storm: orders.storm.clone(),
            returns: RefCell::new(Returns::new(orders.plan.seed, orders.number)),
            beside: Beside::default(),
            history: RefCell::new(History::new(orders.plan.seed, orders.number)),
            kept: RefCell::default(),
            packet: RefCell::default(),
        }
    }

    /// Which worker this is.
    pub(super) fn number(&self) -> u32 {
        self.worker
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
        if self.speaking.get() {
            self.judge.borrow_mut().counts_mut().mark();
        }
        Tick {
            worker: self.worker,
            at: self.at(Instant::now()),
            over: Micros::try_from(over.as_micros()).unwrap_or(Micros::MAX),
            counts: *self.judge.borrow().counts(),
            recording: self.recorder.borrow_mut().take(),
            cpu: 0.0,
            cut: self.ends.borrow().cut,
            failed_attempts: self.returns.borrow().so_far.failed_attempts,
            speaking: self.speaking.get(),
        }
    }

    /// A text came over a socket; answers what is to be sent for it.
    pub(super) fn text(&self, socket: &Socket, text: &[u8], now: Instant) -> Option<String> {
        let words = &self.words;
        match socket.phase.get() {
            Phase::Opening | Phase::Connecting | Phase::Joining => {
                // Said at once where tokens are short.
                socket
                    .is_expiring
                    .set(socket.is_expiring.get() || text.starts_with(&words.expiring));
                return self.enter(socket, text, now);
            }
            Phase::In | Phase::Rejoining | Phase::Leaving | Phase::Out | Phase::Entering => {}
            Phase::Away | Phase::Over => return None,
        }
        if text.starts_with(&words.new_message) {
            return self.message(socket, text, now);
        }
        if let Some(answer) = text.strip_prefix(&words.ack[..]) {
            return self.answer(socket, answer, now);
        }
        if text.starts_with(&words.error) {
            self.refused(socket, text);
        } else if text.starts_with(&words.gone) {
            socket.is_sent_away.set(true);
        } else if text.starts_with(&words.expiring) {
            socket.is_expiring.set(true);
            return self.renewed(socket);
        } else if socket.phase.get() == Phase::In {
            self.seen_beside(text);
        } else {
            self.moved(socket, text, now);
        }
        None
    }

    /// The place of the first message in a text, 0 where it has none.
    pub(super) fn seq_in(&self, text: &[u8]) -> u64 {
        self.seq.find(text)
    }

    fn message(&self, socket: &Socket, text: &[u8], now: Instant) -> Option<String> {
        let at = self.read_at(now);
        let seq = self.seq_in(text);
        let found = self.stamps.find(text);
        let sight = self.judge.borrow_mut().delivered(socket.member, found, seq, at)?;
        let Sight { intended, written, recorded, settled } = sight;
        if self.chats.is_of_another(text, &socket.chat) {
            self.judge.borrow_mut().misfiled(socket.member, at);
        }
        if recorded {
            let mut recorder = self.recorder.borrow_mut();
            recorder.record(Metric::Delivery, at.saturating_sub(intended));
            recorder.record(Metric::Uncorrected, at.saturating_sub(written));
            if self.is_mixed {
                recorder.record(over(socket.way), at.saturating_sub(intended));
            }
            if let Some((first, last)) = settled {
                recorder.record(Metric::First, first.saturating_sub(intended));
                recorder.record(Metric::Last, last.saturating_sub(intended));
                recorder.record(Metric::Spread, last - first);
            }
        }
        if let (Some(_), Some(Found { stamp, .. })) = (settled, found) {
            self.free_place(stamp.sender, stamp.n);
        }
        self.read(socket, seq)
    }

    fn answer(&self, socket: &Socket, answer: &[u8], now: Instant) -> Option<String> {
        let (n, said) = number(answer)?;
        let n = u32::try_from(n).ok()?;
        if n >= PAGES_FROM {
            return self.page(socket, n, said, now);
        }
        let at = self.at(now);
        let mut judge = self.judge.borrow_mut();
        let sender = judge.sender_of(socket.member)?;
        if says_yes(said) {
            if let Some(intended) = judge.acked(sender, n, at) {
                self.recorder.borrow_mut().record(Metric::Ack, at.saturating_sub(intended));
            }
            let is_over = self.is_closed_loop && !judge.is_under_way(sender, n);
            drop(judge);
            if is_over {
                self.free_place(sender, n);
            }
            if self.plan.unrest.is_of_pages() {
                self.stored(sender, n, said);
            }
            return None;
        }
        let limited = memmem::find(said, LIMITED).is_some();
        judge.refused(sender, n, limited, at);
        drop(judge);
        self.free_place(sender, n);
        None
    }

    /// Does now what was intended for `intended`: a message, or the question for a page.
    pub(super) fn send(&self, sender: u32, size: u32, recorded: bool, intended: Micros) {
        let member = self.judge.borrow().member_of(sender);
        let socket = &self.sockets[member as usize];
        if socket.phase.get() != Phase::In {
            self.keep(socket, Kept { sender, size, recorded, intended });
            return;
        }
        let is_of_pages = self.has_begun.get() && self.plan.unrest.is_of_pages();
        if !is_of_pages && self.types() {
            self.put(socket, Words::typing(&socket.chat).as_bytes());
        }
        let at = self.at(Instant::now());
        if is_of_pages {
            self.ask(socket, recorded, intended);
        } else {
            self.say(socket, sender, size, (recorded, intended, at));
        }
        if recorded {
            self.recorder.borrow_mut().record(Metric::Slip, at.saturating_sub(intended));
        }
    }

    /// Whether nobody enters a room.
    pub(super) fn is_apart(&self) -> bool {
        self.plan.unrest == Unrest::Apart
    }
}
