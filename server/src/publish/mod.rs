//! The only room that emits: one task per shard of chats puts out what flows have committed, in
//! the order of `seq`, reads what nobody brought, and sweeps for what was lost (RELIABILITY §2.4).
//!
//! Nothing here decides what is true: a broadcast repeats a commit and may be lost at any instant;
//! the database is asked again until everybody in the room has seen it.

pub(crate) mod answer;
mod attendance;
mod broadcast;
mod elsewhere;
pub(crate) mod frames;
mod gaps;
mod nodes;
mod notices;
mod order;
pub(crate) mod room;
mod shard;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::error::{SendTimeoutError, TrySendError};
use tokio::sync::{mpsc, oneshot};
use trialogue_protocol::{ChatId, NotificationId, Seq, Typing, UserId};
use trialogue_socketio::server::{Event, Namespace, Socket, SocketId};

pub use broadcast::{Broadcast, StoredMessage};
pub(crate) use nodes::Nodes;

use crate::error::Error;
use crate::metrics::Metrics;
use crate::security::Security;
use crate::socket::Presence;
use crate::store::Store;
use crate::supervise::Supervisor;
use notices::Notice;
use room::Admission;

/// Tasks that put out. Chats are dealt out by id, so that one busy chat delays a part of the
/// others only and no lock is held while a room of many sockets is served.
const SHARDS: usize = 4;
/// Things that wait for a shard. When it is full, whoever publishes waits for [`PUBLISH_WAIT`],
/// which holds back the socket or request that caused it; then the broadcast is dropped and the
/// sweep puts it out.
const QUEUE_MAX: usize = 1_024;
/// See [`QUEUE_MAX`].
const PUBLISH_WAIT: Duration = Duration::from_secs(2);

/// Said to who asked for something that a publisher had no time for.
const BEHIND: &str = "the server is behind, nothing was done";

/// One thing for a shard to do.
pub(crate) enum Op {
    /// A flow has committed; the socket that caused it need not hear of it where "the others" do.
    Told(Broadcast, Option<SocketId>),
    /// The sweep has found it committed: other nodes find it too.
    Swept(Broadcast),
    /// The access check of a join begins.
    Open(ChatId),
    /// It has ended without an admission.
    Abandon(ChatId),
    /// It has passed.
    Admit(Box<Admission>),
    /// A request to leave.
    Leave(ChatId, Socket, Event),
    /// A socket is gone; these are the chats of this shard that it may have been in.
    Gone(SocketId, Vec<ChatId>),
    /// Somebody types, says this socket.
    Typing(Typing, UserId, Socket, Event),
    /// These came online or went: look it up.
    Seen(Arc<[UserId]>),
    /// How far is every room that somebody is in?
    Survey(oneshot::Sender<Vec<Surveyed>>),
    /// What the sweep found there: chat, where the room was, where the database is.
    Found(Vec<(ChatId, Seq, Seq)>),
    /// Another node has stored messages up to here.
    Heard(ChatId, Seq),
    /// Who is in these rooms at other nodes has changed: look it up.
    Elsewhere(Vec<ChatId>),
    /// These have left, and by now it is known whether another node has them.
    Settled(Vec<(ChatId, UserId)>),
    /// How far these have read; true when that is everybody in the chat.
    Marks(ChatId, Vec<(UserId, Seq)>, bool),
    /// Somebody types at another node.
    Typed(Typing, UserId),
    /// Say of everybody in a room that they are in it, for nodes that did not listen before.
    Roll(oneshot::Sender<()>),
    /// Answer when everything before this was done.
    Flush(oneshot::Sender<()>),
}

/// A room as the sweep sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surveyed {
    pub(crate) chat_id: ChatId,
    /// How far it was put out.
    pub(crate) seq: Seq,
    /// How far it has heard the chat to be.
    pub(crate) known: Seq,
    /// What the read marks that it knows add up to.
    pub(crate) marks: i64,
}

/// Where flows and sockets hand over what others must hear of. Cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    shards: Arc<[mpsc::Sender<Op>]>,
    nodes: Nodes,
}

/// The other end of a [`Publisher`]: what its tasks read once they run.
pub struct Publishing {
    queues: Vec<mpsc::Receiver<Op>>,
}

/// What every shard needs.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) store: Store,
    pub(crate) namespace: Namespace,
    pub(crate) presence: Presence,
    pub(crate) notices: mpsc::Sender<Notice>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) security: Security,
    pub(crate) nodes: Nodes,
}

impl Context {
    /// Has a message's notification pushed to those sockets of the recipient that are not in the
    /// chat's room, where `in_room` of them are. Costs nothing when all are there.
    pub(crate) fn notify(
        &self,
        recipient: UserId,
        id: NotificationId,
        chat_id: ChatId,
        in_room: usize,
    ) {
        if self.presence.sockets_of(recipient) > in_room {
            self.push(Notice { recipient, id, chat_id: Some(chat_id) });
        }
    }

    /// Hands a notice to its lane. When that is full the push is left out: the notification is
    /// stored, and the list that the client reads has it.
    pub(crate) fn push(&self, notice: Notice) {
        if self.notices.try_send(notice).is_err() {
            tracing::debug!("a push was left out: too many wait");
        }
    }
}

impl Publisher {
    /// A publisher and what its tasks read. Until they run, broadcasts wait in the queues.
    /// `whispers`: hints are told to other nodes and heard from them, which then see things within
    /// milliseconds and not with their next sweep.
    pub fn new(whispers: bool) -> (Self, Publishing) {
        let (shards, queues): (Vec<_>, _) = (0..SHARDS).map(|_| mpsc::channel(QUEUE_MAX)).unzip();
        (Self { shards: shards.into(), nodes: Nodes::new(whispers) }, Publishing { queues })
    }

    /// The other servers on this database.
    pub(crate) fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// Tells others of what was committed, in this order. Called after the commit and, for a
    /// request with an acknowledgement, after that. Waits 2 s at most for room in the queue.
    pub async fn publish(&self, broadcasts: Vec<Broadcast>) {
        for broadcast in broadcasts {
            self.tell(broadcast, None).await;
        }
    }

    /// Like [`Publisher::publish`] for one thing, caused by a socket that knows it already.
    pub(crate) async fn tell(&self, broadcast: Broadcast, from: Option<SocketId>) {
        let shard = shard_for(&broadcast);
        // What is dropped here was committed: the sweep puts out messages, lists have the rest.
        let _ = self.hand(shard, Op::Told(broadcast, from)).await;
    }

    /// Announces that a join's access check begins; the room keeps what is said from now on until
    /// the [`Opening`] is admitted or dropped.
    pub(crate) async fn open(&self, chat_id: ChatId) -> Opening {
        let opened = self.hand(shard_of(chat_id), Op::Open(chat_id)).await.is_ok();
        Opening { publisher: self.clone(), chat_id: opened.then_some(chat_id) }
    }

    /// Has a socket leave a chat and answers its request. False when that could not be handed
    /// over; then the request was refused.
    pub(crate) async fn leave(&self, chat_id: ChatId, socket: Socket, request: Event) -> bool {
        match self.hand(shard_of(chat_id), Op::Leave(chat_id, socket, request)).await {
            Err(Op::Leave(_, socket, request)) => {
                answer::refused(request, &socket, Error::unavailable(BEHIND).ack());
                false
            }
            _ => true,
        }
    }

    /// Puts out that somebody types, if the socket is in the room, and answers the request.
    pub(crate) async fn typing(&self, typing: Typing, user: UserId, socket: Socket, from: Event) {
        let shard = shard_of(typing.chat_id);
        let op = Op::Typing(typing, user, socket, from);
        if let Err(Op::Typing(_, _, socket, request)) = self.hand(shard, op).await {
            answer::refused(request, &socket, Error::unavailable(BEHIND).ack());
        }
    }

    /// A socket is gone that may have been in these chats.
    pub(crate) async fn gone(&self, socket: SocketId, chats: impl Iterator<Item = ChatId>) {
        for (shard, chats) in by_shard(chats, |chat_id| *chat_id) {
            self.hand_surely(shard, Op::Gone(socket, chats)).await;
        }
    }

    /// These came online or went.
    pub(crate) async fn seen(&self, users: Vec<UserId>) {
        if users.is_empty() {
            return;
        }
        let users: Arc<[UserId]> = users.into();
        for shard in 0..SHARDS {
            self.hand_surely(shard, Op::Seen(Arc::clone(&users))).await;
        }
    }

    /// Waits until everything handed over before has been put out.
    pub(crate) async fn flush(&self) {
        for shard in self.shards.iter() {
            let (done, flushed) = oneshot::channel();
            if shard.send(Op::Flush(done)).await.is_ok() {
                // A shard that has ended has nothing left to put out.
                let _ = flushed.await;
            }
        }
    }

    /// How much waits to be put out.
    pub(crate) fn depth(&self) -> usize {
        self.shards.iter().map(|shard| shard.max_capacity() - shard.capacity()).sum()
    }

    /// Gives a shard what must not be lost, however long it takes; it fails only at the end.
    async fn hand_surely(&self, shard: usize, op: Op) {
        if self.shards[shard].send(op).await.is_err() {
            tracing::debug!(shard, "a publisher has ended");
        }
    }

    /// Gives a shard something to do, or gives it back when the shard has no room for too long.
    async fn hand(&self, shard: usize, op: Op) -> Result<(), Op> {
        match self.shards[shard].send_timeout(op, PUBLISH_WAIT).await {
            Ok(()) => Ok(()),
            Err(SendTimeoutError::Timeout(op) | SendTimeoutError::Closed(op)) => {
                tracing::warn!(shard, "a publisher is behind; the sweep will make up for it");
                Err(op)
            }
        }
    }
}

impl Publishing {
    /// Starts the tasks: shards, notices, sweep. They end with `tasks`.
    pub(crate) fn start(
        self,
        publisher: &Publisher,
        store: Store,
        namespace: Namespace,
        presence: Presence,
        (metrics, security): (Arc<Metrics>, Security),
        tasks: &Supervisor,
    ) {
        let (notices, waiting) = notices::lane();
        let nodes = publisher.nodes.clone();
        let context = Context { store, namespace, presence, notices, metrics, security, nodes };
        for (index, queue) in self.queues.into_iter().enumerate() {
            tasks.keep(shard::Kept { index, queue, context: context.clone() });
        }
        tasks.keep(sweep::Sweep::new(publisher.clone(), context.clone()));
        publisher.nodes.start(publisher, &context, tasks);
        tasks.keep(notices::Lane::new(waiting, context));
    }
}

/// An access check under way. Dropped without [`Opening::admit`], the room forgets it.
pub(crate) struct Opening {
    publisher: Publisher,
    chat_id: Option<ChatId>,
}

impl Opening {
    /// The check has passed. An admission that cannot be handed over comes back, so that its
    /// request is answered.
    pub(crate) async fn admit(mut self, admission: Box<Admission>) -> Result<(), Box<Admission>> {
        let Some(chat_id) = self.chat_id else { return Err(admission) };
        match self.publisher.hand(shard_of(chat_id), Op::Admit(admission)).await {
            Err(Op::Admit(admission)) => Err(admission),
            _ => {
                self.chat_id = None;
                Ok(())
            }
        }
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        let Some(chat_id) = self.chat_id.take() else { return };
        let shard = shard_of(chat_id);
        if let Err(TrySendError::Full(op)) =
            self.publisher.shards[shard].try_send(Op::Abandon(chat_id))
        {
            // Must arrive, or the room would be kept for ever; rare, so a task is fine.
            let shard = self.publisher.shards[shard].clone();
            tokio::spawn(async move { shard.send(op).await });
        }
    }
}

/// Things of chats, dealt out to the shards of these.
fn by_shard<T>(
    things: impl IntoIterator<Item = T>,
    chat: impl Fn(&T) -> ChatId,
) -> impl Iterator<Item = (usize, Vec<T>)> {
    let mut dealt: [Vec<T>; SHARDS] = std::array::from_fn(|_| Vec::new());
    things.into_iter().for_each(|thing| dealt[shard_of(chat(&thing))].push(thing));
    dealt.into_iter().enumerate().filter(|(_, things)| !things.is_empty())
}

fn shard_for(broadcast: &Broadcast) -> usize {
    match broadcast {
        Broadcast::Message(stored) => shard_of(stored.message.chat_id),
        Broadcast::Read { chat_id, .. }
        | Broadcast::ChatUpdated { chat_id }
        | Broadcast::MemberRemoved { chat_id, .. } => shard_of(*chat_id),
        Broadcast::Notified(notification) => shard_of_user(notification.recipient_id),
        Broadcast::SessionsEnded { user_id, .. } => shard_of_user(*user_id),
    }
}

fn shard_of(chat_id: ChatId) -> usize {
    // The last bytes of an id are random, whoever made it.
    usize::from(chat_id.0.as_bytes()[15]) % SHARDS
}

fn shard_of_user(user_id: UserId) -> usize {
    usize::from(user_id.0.to_le_bytes()[0]) % SHARDS
}
