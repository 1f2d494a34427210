//! A task that puts out what concerns a part of the chats. It owns their rooms; nobody else
//! touches them. It never waits for the database or for a socket: what must be read is read in
//! tasks of its own, and what a socket cannot take is that socket's end.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use trialogue_protocol::{
    AckError, Chat, ChatId, ChatRef, ChatUpdated, ErrorCode, MessagesRead, Typing, UserId,
    UserTyping, event, room as room_name,
};
use trialogue_socketio::DisconnectReason;
use trialogue_socketio::server::{Event, Socket, SocketId};
use uuid::Uuid;

use super::broadcast::{Broadcast, StoredMessage};
use super::elsewhere::Shown;
use super::gaps::{self, FILL_ROWS_MAX};
use super::nodes::Hint;
use super::notices::Notice;
use super::room::ChatRoom;
use super::{Context, Op, answer, frames, shard_of};
use crate::security::{Happening, Whose};
use crate::socket::refusal;
use crate::store::Gap;
use crate::supervise::Task;

/// Time for one read.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(3);
/// Things done between two looks at timers and reads.
const BATCH: usize = 128;

/// See the module.
pub(crate) struct Shard<'a> {
    queue: &'a mut mpsc::Receiver<Op>,
    pub(super) context: Context,
    pub(super) rooms: HashMap<ChatId, ChatRoom>,
    /// In which rooms somebody's presence is shown.
    pub(super) watched: HashMap<UserId, Vec<ChatId>>,
    pub(super) timers: BinaryHeap<Reverse<(Instant, ChatId)>>,
    /// Rooms whose timer has gone off while there was no place for another read.
    pub(super) overdue: Vec<ChatId>,
    pub(super) reads: JoinSet<Read>,
    pub(super) fills: usize,
    /// Rows that the next read asks for.
    pub(super) fill_rows: usize,
    /// Chats whose views are being read; true when they changed again meanwhile.
    views: HashMap<ChatId, bool>,
    /// What `chat_updated` has said last of a chat.
    pub(super) shown: HashMap<ChatId, Shown>,
}

/// What a task has read.
pub(super) enum Read {
    /// Nothing: the database was away or too slow.
    Rows(Vec<Gap>, Option<Vec<StoredMessage>>),
    Views(ChatId, Vec<(UserId, Chat)>),
}

/// A shard that works until every [`super::Publisher`] is gone.
pub(super) struct Kept {
    pub(super) index: usize,
    pub(super) queue: mpsc::Receiver<Op>,
    pub(super) context: Context,
}

impl Task for Kept {
    const NAME: &'static str = "shard";

    async fn run(&mut self) {
        Shard::new(&mut self.queue, self.context.clone()).run().await;
    }

    /// It has lost count of its rooms: it begins again with none, and every socket is sent away to
    /// come back.
    fn failed(&mut self) {
        self.context.nodes.lost_rooms(|chat_id| shard_of(chat_id) == self.index);
        for socket in self.context.presence.all_sockets() {
            socket.close(DisconnectReason::HandlerFailed);
        }
    }
}

impl<'a> Shard<'a> {
    fn new(queue: &'a mut mpsc::Receiver<Op>, context: Context) -> Self {
        Self {
            queue,
            context,
            rooms: HashMap::new(),
            watched: HashMap::new(),
            timers: BinaryHeap::new(),
            overdue: Vec::new(),
            reads: JoinSet::new(),
            fills: 0,
            fill_rows: FILL_ROWS_MAX,
            views: HashMap::new(),
            shown: HashMap::new(),
        }
    }

    async fn run(mut self) {
        let mut ops = Vec::with_capacity(BATCH);
        loop {
            let timer = self.timers.peek().map(|Reverse((at, _))| *at);
            tokio::select! {
                () = sleep_until(timer.unwrap_or_else(Instant::now)), if timer.is_some() => {
                    self.fire(Instant::now());
                }
                Some(read) = self.reads.join_next(), if !self.reads.is_empty() => self.read(read),
                count = self.queue.recv_many(&mut ops, BATCH) => {
                    if count == 0 {
                        return;
                    }
                    ops.drain(..).for_each(|op| self.handle(op));
                }
            }
        }
    }

    fn handle(&mut self, op: Op) {
        match op {
            Op::Told(broadcast, from) => {
                self.context.nodes.tell(&broadcast);
                self.told(broadcast, from);
            }
            Op::Swept(broadcast) => self.told(broadcast, None),
            Op::Open(chat_id) => self.open(chat_id),
            Op::Abandon(chat_id) => self.with(chat_id, |room, _| room.close_opening()),
            Op::Admit(admission) => {
                self.with(admission.pass.chat_id, |room, context| {
                    room.admit(*admission, context);
                    room.close_opening();
                });
            }
            Op::Leave(chat_id, socket, request) => self.leave(chat_id, &socket, request),
            Op::Gone(socket, chats) => {
                for chat_id in chats {
                    self.with(chat_id, |room, context| room.gone(socket, context));
                }
            }
            Op::Typing(typing, user, socket, request) => {
                self.typing(&typing, user, &socket, request);
            }
            Op::Seen(users) => users.iter().for_each(|user_id| self.show(*user_id)),
            Op::Survey(answer) => {
                let seen = self.rooms.values().filter_map(ChatRoom::survey).collect();
                // The sweep may have given up.
                let _ = answer.send(seen);
            }
            Op::Found(found) => {
                for (chat_id, seen, last_seq) in found {
                    self.with(chat_id, |room, _| room.learn(seen, last_seq));
                }
            }
            Op::Heard(chat_id, seq) => self.heard(chat_id, seq),
            Op::Elsewhere(chats) => self.look_elsewhere(chats),
            Op::Settled(places) => {
                for (chat_id, user_id) in places {
                    self.with(chat_id, |room, context| room.settle(user_id, context));
                }
            }
            Op::Marks(chat_id, marks, is_all) => {
                self.with(chat_id, |room, context| room.marks(&marks, is_all, context));
            }
            Op::Typed(typing, user_id) => self.typed(&typing, user_id),
            Op::Roll(done) => {
                self.rooms.values().for_each(|room| room.call_roll(&self.context));
                // The keeper may have ended.
                let _ = done.send(());
            }
            Op::Flush(done) => drop(done.send(())),
        }
    }

    fn told(&mut self, broadcast: Broadcast, from: Option<SocketId>) {
        match broadcast {
            Broadcast::Message(stored) => self.message(stored),
            Broadcast::Notified(notification) => {
                let (recipient, id) = (notification.recipient_id, notification.id);
                self.context.push(Notice { recipient, id, chat_id: None });
            }
            Broadcast::Read { chat_id, user_id, seq } => self.with(chat_id, |room, context| {
                room.mark(user_id, seq);
                let read = MessagesRead { user_id, chat_id, seq: Some(seq) };
                room.emit_except(from, frames::encode(event::MESSAGES_READ, &read), context);
            }),
            Broadcast::ChatUpdated { chat_id } => self.read_views(chat_id),
            Broadcast::MemberRemoved { chat_id, user_id } => {
                self.with(chat_id, |room, context| room.remove(user_id, context));
                self.unwatch(chat_id, user_id);
            }
            Broadcast::SessionsEnded { user_id, family, except } => {
                end_sessions(&self.context, user_id, family, except);
            }
        }
    }

    fn message(&mut self, stored: StoredMessage) {
        let chat_id = stored.message.chat_id;
        if self.rooms.contains_key(&chat_id) {
            return self.with(chat_id, |room, context| {
                room.spoken(context);
                room.arrive(stored, context);
            });
        }
        for (recipient, id) in stored.notifications {
            self.context.notify(recipient, id, chat_id, 0);
        }
    }

    fn open(&mut self, chat_id: ChatId) {
        self.rooms.entry(chat_id).or_insert_with(|| ChatRoom::new(chat_id)).open();
    }

    fn leave(&mut self, chat_id: ChatId, socket: &Socket, request: Event) {
        let mut left = false;
        self.with(chat_id, |room, context| left = room.leave(socket.id(), context));
        if !left {
            return self.refuse(request, socket);
        }
        answer::done(request, &ChatRef { chat_id });
        if let Some(frame) = frames::left_chat(chat_id) {
            // A socket that is gone has left in any case.
            let _ = socket.emit(&frame);
        }
    }

    fn typing(&mut self, typing: &Typing, user_id: UserId, socket: &Socket, request: Event) {
        let &Typing { chat_id, is_typing } = typing;
        let Some(room) = self.rooms.get(&chat_id).filter(|room| room.holds(socket.id())) else {
            return self.refuse(request, socket);
        };
        let frame = frames::user_typing(&UserTyping { user_id, chat_id, is_typing });
        room.emit_except(Some(socket.id()), frame, &self.context);
        self.context.nodes.whisper_in(chat_id, Hint::Typing(chat_id, user_id, is_typing));
        answer::done(request, &ChatRef { chat_id });
    }

    /// The socket is not in the room that it speaks of.
    fn refuse(&self, request: Event, socket: &Socket) {
        let error = not_in_room();
        let user = UserId(socket.tag().cast_signed());
        self.context.metrics.refused(error.code);
        self.context.security.refused(error.code, Whose { user: Some(user), address: None });
        answer::refused(request, socket, error);
    }

    /// Works on a room that exists, and looks afterwards at what it needs: a timer, or its end.
    pub(super) fn with(&mut self, chat_id: ChatId, work: impl FnOnce(&mut ChatRoom, &Context)) {
        let Entry::Occupied(mut entry) = self.rooms.entry(chat_id) else { return };
        let room = entry.get_mut();
        work(room, &self.context);
        for user_id in room.take_new_members() {
            self.watched.entry(user_id).or_default().push(chat_id);
        }
        if room.is_idle() {
            let room = entry.remove();
            for user_id in room.members().collect::<Vec<_>>() {
                self.unwatch(chat_id, user_id);
            }
        } else if (room.has_gap() || room.has_waiting()) && !room.has_timer && !room.is_filling {
            room.has_timer = true;
            let at = Instant::now() + gaps::patience(&self.context);
            self.timers.push(Reverse((at, chat_id)));
        }
    }

    fn unwatch(&mut self, chat_id: ChatId, user_id: UserId) {
        if let Entry::Occupied(mut chats) = self.watched.entry(user_id) {
            chats.get_mut().retain(|chat| *chat != chat_id);
            if chats.get().is_empty() {
                chats.remove();
            }
        }
    }

    fn read(&mut self, read: Result<Read, JoinError>) {
        match read {
            Ok(Read::Rows(gaps, rows)) => {
                self.fills = self.fills.saturating_sub(1);
                self.weigh_fill(rows.is_some());
                let mut rows = rows.unwrap_or_default().into_iter().peekable();
                for (chat_id, ..) in gaps {
                    let its = std::iter::from_fn(|| rows.next_if(|r| r.message.chat_id == chat_id));
                    self.filled(chat_id, its.collect());
                }
            }
            Ok(Read::Views(chat_id, views)) => self.show_views(chat_id, views),
            Err(error) => {
                tracing::error!(%error, "a read of the publisher has failed");
                // Whose read it was is not known any more; the next sweep asks again for all.
                self.fills = 0;
                self.views.clear();
                self.rooms.values_mut().for_each(|room| room.is_filling = false);
            }
        }
        self.take_turns();
    }

    fn read_views(&mut self, chat_id: ChatId) {
        match self.views.entry(chat_id) {
            Entry::Occupied(mut again) => *again.get_mut() = true,
            Entry::Vacant(first) => {
                first.insert(false);
                self.reads.spawn(views(self.context.clone(), chat_id));
            }
        }
    }

    fn show_views(&mut self, chat_id: ChatId, views: Vec<(UserId, Chat)>) {
        let is_news = self.is_news(chat_id, &views);
        for (user_id, chat) in views.into_iter().filter(|_| is_news) {
            if let Some(frame) = frames::encode(event::CHAT_UPDATED, &ChatUpdated { chat }) {
                self.context.namespace.emit(&room_name::user(user_id), &frame);
            }
        }
        if self.views.remove(&chat_id) == Some(true) {
            self.read_views(chat_id);
        }
    }
}

async fn views(context: Context, chat_id: ChatId) -> Read {
    let views = timeout(READ_TIMEOUT, context.store.chat_views(chat_id)).await;
    Read::Views(chat_id, views.ok().and_then(Result::ok).unwrap_or_default())
}

/// Ends the live sockets of sessions that are over: a real refusal, after which a plain client
/// does not come back by itself.
fn end_sessions(context: &Context, user_id: UserId, family: Option<Uuid>, except: Option<Uuid>) {
    let ended = context.presence.sockets_of_ended(user_id, family, except);
    if !ended.is_empty() {
        let whose = Whose { user: Some(user_id), address: None };
        context.security.note(Happening::SocketsEnded, whose, Some(ErrorCode::Unauthenticated));
    }
    for socket in ended {
        answer::say_error(&socket, refusal(ErrorCode::Unauthenticated).ack());
        socket.disconnect();
        socket.close(DisconnectReason::ServerDisconnect);
    }
}

/// "Only a room this socket is in" (CONTRACT §2).
fn not_in_room() -> AckError {
    AckError {
        code: ErrorCode::Denied,
        message: "this socket is not in that chat".to_owned(),
        retryable: false,
        retry_after_ms: None,
    }
}
