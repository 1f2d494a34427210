//! One chat's room on this node: who is in it, how far it is, what is put out next.
//!
//! A socket enters at an exact position: its `joined_chat` says `lastSeq`, everything up to there
//! is history, everything after it comes live, once, in order. Three things make that so. The
//! room is opened *before* the access check reads `last_seq`, so whatever is committed later
//! passes through it; what it puts out meanwhile is kept (`tail`) for who enters behind it; and
//! who read further than the room has come waits for it (`waiting`).

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::value::RawValue;
use tokio::sync::oneshot;
use tokio::time::Instant;
use trialogue_protocol::{ChatId, PresenceStatus, Seq, UserId, room};
use trialogue_socketio::Outgoing;
use trialogue_socketio::server::{Event, Socket, SocketId};

use super::answer;
use super::attendance::{Attendance, Entered, Left};
use super::broadcast::StoredMessage;
use super::frames::{self, MessageFrames};
use super::order::Order;
use super::{Context, Surveyed};

/// Messages kept for sockets whose access check is under way. Enough for a busy chat during a slow
/// statement; who comes too late is asked to check again.
const TAIL_MAX: usize = 256;

/// How far a chat has been put out on this node; shared with the sockets in it for `positions`.
pub(crate) type Position = Arc<AtomicI64>;

/// A socket that may enter: the access check has passed.
pub(crate) struct Admission {
    pub(crate) user_id: UserId,
    pub(crate) socket: Socket,
    /// To be acknowledged when the socket enters.
    pub(crate) request: Event,
    pub(crate) pass: Pass,
    /// When waiting for earlier messages ends with `unavailable`.
    pub(crate) deadline: Instant,
    pub(crate) entered: oneshot::Sender<Result<Position, NotEntered>>,
}

/// What the access check has found, and what is said of it.
pub(crate) struct Pass {
    pub(crate) chat_id: ChatId,
    /// The body of the acknowledgement.
    pub(crate) ack: Box<RawValue>,
    /// For the socket that enters.
    pub(crate) joined_chat: Outgoing,
    /// For the others.
    pub(crate) user_joined: Outgoing,
    /// `lastSeq` of the first two: what lies up to here is history for this socket.
    pub(crate) last_seq: Seq,
    /// Who is in the chat and how far each has read, by the statement that checked.
    pub(crate) members: Vec<(UserId, Seq)>,
}

/// Why a socket did not enter; the request comes back to be answered or tried again.
pub(crate) struct NotEntered {
    pub(crate) request: Event,
    pub(crate) why: Why,
}

/// See [`NotEntered`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// The room moved on, or the member was removed, between check and entry: check again.
    CheckAgain,
    /// Earlier messages could not be put out in time.
    TooLate,
}

impl Admission {
    fn turn_away(self, why: Why) {
        // Who asked may be gone.
        let _ = self.entered.send(Err(NotEntered { request: self.request, why }));
    }
}

/// A member, and whether the room has been told that they are here.
#[derive(Debug)]
struct Known {
    user_id: UserId,
    shown: PresenceStatus,
}

/// See the module.
pub(crate) struct ChatRoom {
    pub(super) chat_id: ChatId,
    name: Box<str>,
    pub(super) order: Order<StoredMessage>,
    position: Position,
    pub(super) here: Attendance<Socket>,
    members: Vec<Known>,
    /// How far people have read, as far as this room was told.
    pub(super) marks: Vec<(UserId, Seq)>,
    /// When this node has stored a message last, while another one is alive.
    pub(super) spoken_at: Option<Instant>,
    /// Members that came to be known since [`ChatRoom::take_new_members`] was asked last.
    new_members: Vec<UserId>,
    /// Access checks under way.
    openings: u32,
    /// Who was removed during one of them.
    removed: Vec<UserId>,
    tail: VecDeque<(Seq, UserId, MessageFrames)>,
    waiting: Vec<Admission>,
    /// The shard has a timer for this room's gap.
    pub(crate) has_timer: bool,
    /// The rows of this room's gap are being read.
    pub(crate) is_filling: bool,
}

impl ChatRoom {
    pub(crate) fn new(chat_id: ChatId) -> Self {
        Self {
            chat_id,
            name: room::chat(chat_id).into(),
            order: Order::default(),
            position: Position::default(),
            here: Attendance::default(),
            members: Vec::new(),
            marks: Vec::new(),
            spoken_at: None,
            new_members: Vec::new(),
            openings: 0,
            removed: Vec::new(),
            tail: VecDeque::new(),
            waiting: Vec::new(),
            has_timer: false,
            is_filling: false,
        }
    }

    /// Nobody is here and nobody is coming.
    pub(crate) fn is_idle(&self) -> bool {
        self.here.is_empty() && self.openings == 0 && self.waiting.is_empty()
    }

    /// Members that the room knows: whose presence it wants to hear of.
    pub(crate) fn members(&self) -> impl Iterator<Item = UserId> {
        self.members.iter().map(|known| known.user_id)
    }

    /// Members whose presence the room wants to hear of from now on.
    pub(crate) fn take_new_members(&mut self) -> Vec<UserId> {
        std::mem::take(&mut self.new_members)
    }

    /// How far the room has come, when somebody is in it to care.
    pub(crate) fn survey(&self) -> Option<Surveyed> {
        if self.here.is_empty() {
            return None;
        }
        let marks = self.marks.iter().map(|(_, seq)| seq).sum();
        let (seq, known) = (self.order.published()?, self.order.known());
        Some(Surveyed { chat_id: self.chat_id, seq, known, marks })
    }

    /// Whether there are rows that must be read.
    pub(crate) fn has_gap(&self) -> bool {
        self.order.has_gap()
    }

    /// Rows that must be read: after, through.
    pub(crate) fn gap(&self) -> Option<(Seq, Seq)> {
        self.order.gap()
    }

    /// An access check begins.
    pub(crate) fn open(&mut self) {
        self.openings += 1;
    }

    /// An access check has ended, with or without an admission.
    pub(crate) fn close_opening(&mut self) {
        self.openings = self.openings.saturating_sub(1);
        if self.openings == 0 {
            self.removed.clear();
            self.tail.clear();
        }
    }

    /// Lets a socket in, now or when the room has come as far as its check.
    pub(crate) fn admit(&mut self, admission: Admission, context: &Context) {
        if self.removed.contains(&admission.user_id) {
            return admission.turn_away(Why::CheckAgain);
        }
        self.order.start_at(admission.pass.last_seq);
        self.drain(context);
        if self.order.published().is_some_and(|published| published >= admission.pass.last_seq) {
            self.enter(admission, context);
        } else {
            self.order.learn(admission.pass.last_seq);
            self.waiting.push(admission);
        }
    }

    /// A committed message; put out when its turn has come.
    pub(crate) fn arrive(&mut self, stored: StoredMessage, context: &Context) {
        self.order.arrive(stored.message.seq.unwrap_or(0), stored);
        self.drain(context);
    }

    /// The sweep has found the chat at `last_seq` when this room was at `seen`.
    pub(crate) fn learn(&mut self, seen: Seq, last_seq: Seq) {
        if last_seq < seen && self.order.published() == Some(seen) {
            tracing::warn!(chat = %self.chat_id, seen, last_seq, "the database went back");
            self.order.start_again_at(last_seq);
            self.position.store(last_seq, Ordering::Relaxed);
        }
        self.order.learn(last_seq);
    }

    /// Turns away who has waited too long.
    pub(crate) fn give_up(&mut self, now: Instant) {
        for late in self.waiting.extract_if(.., |admission| admission.deadline <= now) {
            late.turn_away(Why::TooLate);
        }
    }

    /// Whether somebody waits to enter.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn drain(&mut self, context: &Context) {
        while let Some(stored) = self.order.next() {
            self.put_out(stored, context);
            if !self.waiting.is_empty() {
                let position = self.position.load(Ordering::Relaxed);
                let ready: Vec<_> =
                    self.waiting.extract_if(.., |a| a.pass.last_seq <= position).collect();
                ready.into_iter().for_each(|admission| self.enter(admission, context));
            }
        }
    }

    fn put_out(&mut self, stored: StoredMessage, context: &Context) {
        let StoredMessage { message, members, notifications } = stored;
        let (seq, author) = (message.seq.unwrap_or(0), message.sender_id);
        // Promise 5, whatever was lost on the way: who is not in the chat hears nothing more.
        let strangers: Vec<_> =
            self.here.people().filter(|person| !members.contains(person)).collect();
        strangers.into_iter().for_each(|person| self.remove(person, context));

        let Some(frames) = MessageFrames::of(message) else { return };
        let begin = Instant::now();
        let sockets = match &frames.mine {
            Some(mine) => {
                context.namespace.emit_split(&self.name, tag(author), mine, &frames.theirs)
            }
            None => context.namespace.emit(&self.name, &frames.theirs),
        };
        context.metrics.put_out(sockets, begin.elapsed());
        self.position.store(seq, Ordering::Relaxed);
        if self.openings > 0 {
            if self.tail.len() == TAIL_MAX {
                self.tail.pop_front();
            }
            self.tail.push_back((seq, author, frames));
        }
        for (recipient, id) in notifications {
            context.notify(recipient, id, self.chat_id, self.here.sockets_of(recipient));
        }
    }

    /// The one place where a socket comes in.
    fn enter(&mut self, admission: Admission, context: &Context) {
        let socket = admission.socket.clone();
        let id = socket.id();
        let again = self.here.holds(|here| here.id() == id);
        let published = self.order.published().unwrap_or(admission.pass.last_seq);
        // What was put out since the check, for this socket. One that is in has had it.
        let missed = published - admission.pass.last_seq;
        let oldest = self.tail.front().map_or(Seq::MAX, |(seq, ..)| *seq);
        if !again && missed > 0 && oldest > admission.pass.last_seq + 1 {
            return admission.turn_away(Why::CheckAgain);
        }
        let Admission { user_id, mut request, pass, entered, .. } = admission;
        let Pass { ack, joined_chat, user_joined, last_seq, members, .. } = pass;
        answer::acknowledge(&mut request, &ack);
        // A socket that is gone leaves the room again with its `gone`.
        let _ = socket.emit(&joined_chat);
        for (_, author, frames) in self.tail.iter().filter(|(seq, ..)| !again && *seq > last_seq) {
            let _ = socket.emit(frames.copy_for(*author == user_id));
        }
        socket.join(&self.name);
        for (member, read) in members {
            if !self.members().any(|known| known == member) {
                let shown = context.presence.of(member).0;
                self.members.push(Known { user_id: member, shown });
                self.new_members.push(member);
            }
            self.know_mark(member, read);
        }
        if self.here.is_empty() {
            self.meet_elsewhere(context);
        }
        let as_what = self.here.enter(user_id, socket, |here| here.id() == id);
        if matches!(as_what, Entered::First | Entered::FirstOfNode) {
            context.nodes.entered(user_id, self.chat_id);
        }
        if as_what == Entered::First {
            context.namespace.emit_except(&self.name, id, &user_joined);
        }
        let _ = entered.send(Ok(Arc::clone(&self.position)));
    }

    /// A socket leaves by request. False when it was not in.
    pub(crate) fn leave(&mut self, id: SocketId, context: &Context) -> bool {
        match self.here.leave(|here| here.id() == id) {
            Left::Nobody => return false,
            Left::One(socket) => socket.leave(&self.name),
            Left::Last(user_id, socket) => {
                socket.leave(&self.name);
                if !context.nodes.left(user_id, self.chat_id) {
                    self.settle(user_id, context);
                }
            }
        }
        true
    }

    /// A socket is gone for good.
    pub(crate) fn gone(&mut self, id: SocketId, context: &Context) {
        self.waiting.retain(|admission| admission.socket.id() != id);
        self.leave(id, context);
    }

    /// Puts a person out of the room: no longer a member.
    pub(crate) fn remove(&mut self, user_id: UserId, context: &Context) {
        self.members.retain(|known| known.user_id != user_id);
        self.marks.retain(|(known, _)| *known != user_id);
        if self.openings > 0 {
            self.removed.push(user_id);
        }
        for waiting in self.waiting.extract_if(.., |a| a.user_id == user_id) {
            waiting.turn_away(Why::CheckAgain);
        }
        let (sockets, is_gone) = self.here.evict(user_id);
        if !sockets.is_empty() {
            // What others see of it follows from what this node says.
            context.nodes.left(user_id, self.chat_id);
        }
        let left_chat = frames::left_chat(self.chat_id);
        for socket in &sockets {
            socket.leave(&self.name);
            if let Some(frame) = &left_chat {
                let _ = socket.emit(frame);
            }
        }
        if is_gone {
            self.emit(frames::user_left(user_id, self.chat_id), context);
        }
    }

    /// Whether this socket is in the room.
    pub(crate) fn holds(&self, id: SocketId) -> bool {
        self.here.holds(|here| here.id() == id)
    }

    /// Tells the room of a member who came online or went, unless it knows.
    pub(crate) fn show(&mut self, user_id: UserId, context: &Context) {
        let (status, last_seen) = context.presence.of(user_id);
        let known = self.members.iter_mut().find(|known| known.user_id == user_id);
        let Some(known) = known.filter(|known| known.shown != status) else { return };
        known.shown = status;
        self.emit(frames::presence(user_id, self.chat_id, status, last_seen), context);
    }

    /// Puts out something else than a message, to all or to all but one.
    pub(crate) fn emit_except(
        &self,
        except: Option<SocketId>,
        frame: Option<Outgoing>,
        context: &Context,
    ) {
        match (frame, except) {
            (Some(frame), Some(id)) => context.namespace.emit_except(&self.name, id, &frame),
            (Some(frame), None) => context.namespace.emit(&self.name, &frame),
            (None, _) => 0,
        };
    }

    pub(super) fn emit(&self, frame: Option<Outgoing>, context: &Context) {
        self.emit_except(None, frame, context);
    }
}

/// The tag that the engine tells a user's sockets by.
pub(crate) fn tag(user_id: UserId) -> u64 {
    user_id.0.cast_unsigned()
}
