//! What comes of other nodes: the way from who reads it to the rooms, and what these tell their
//! sockets of people elsewhere and of what was stored there.

use tokio::sync::oneshot;
use tokio::time::Instant;
use trialogue_protocol::{
    Chat, ChatId, JobStatus, MessagesRead, Seq, Timestamp, Typing, UserId, UserJoined, UserTyping,
    event,
};

use super::nodes::Hint;
use super::room::ChatRoom;
use super::shard::Shard;
use super::{Broadcast, Context, Op, Publisher, SHARDS, by_shard, frames, shard_for};
use crate::store::Store;

/// Chats of which is known what was said last; beyond that all is forgotten, and something may be
/// said twice.
const SHOWN_MAX: usize = 4_096;

/// What `chat_updated` is about, the same for every member: `lsmInvited`, `lsmJoined` and since when,
/// the end of the job and of the chat.
pub(super) type Shown = (bool, bool, Option<Timestamp>, JobStatus, bool);

impl Publisher {
    /// Like [`Publisher::tell`] for what the sweep has found, which other nodes find by themselves.
    pub(super) async fn tell_here(&self, broadcast: Broadcast) {
        let shard = shard_for(&broadcast);
        // What is dropped here is found again, as long as it is new.
        let _ = self.hand(shard, Op::Swept(broadcast)).await;
    }

    /// Who is in these rooms at other nodes has changed.
    pub(super) async fn look_elsewhere(&self, chats: impl IntoIterator<Item = ChatId>) {
        for (shard, chats) in by_shard(chats, |chat_id| *chat_id) {
            self.hand_surely(shard, Op::Elsewhere(chats)).await;
        }
    }

    /// These have left, and by now it is known whether another node has them.
    pub(super) async fn settled(&self, places: Vec<(ChatId, UserId)>) {
        for (shard, places) in by_shard(places, |(chat_id, _)| *chat_id) {
            self.hand_surely(shard, Op::Settled(places)).await;
        }
    }

    /// Has everybody who is in a room said to be in it.
    pub(super) async fn call_roll(&self) {
        for shard in 0..SHARDS {
            let (done, called) = oneshot::channel();
            self.hand_surely(shard, Op::Roll(done)).await;
            // A shard that has failed has nobody in its rooms.
            let _ = called.await;
        }
    }

    /// The server begins to stop: what others know of who is here stays as it is.
    pub(crate) fn fade(&self) {
        self.nodes.fade();
    }

    /// The server has stopped.
    pub(crate) async fn leave_nodes(&self, store: &Store) {
        if let Some(node) = self.nodes.id_to_leave()
            && store.leave_node(node).await.is_err()
        {
            tracing::debug!("the lease of this node will end by itself");
        }
    }

    /// Gives a shard something to do if it has room for it.
    pub(super) fn try_hand(&self, shard: usize, op: Op) {
        if self.shards[shard].try_send(op).is_err() {
            tracing::debug!(shard, "a hint was dropped; the sweep will make up for it");
        }
    }
}

impl Shard<'_> {
    /// Tells of somebody who came online or went, here or at another node.
    pub(super) fn show(&mut self, user_id: UserId) {
        for chat_id in self.watched.get(&user_id).into_iter().flatten() {
            if let Some(room) = self.rooms.get_mut(chat_id) {
                room.show(user_id, &self.context);
            }
        }
    }

    /// Looks up who is in these rooms at other nodes.
    pub(super) fn look_elsewhere(&mut self, chats: Vec<ChatId>) {
        for chat_id in chats {
            self.with(chat_id, |room, context| room.look_elsewhere(context));
        }
    }

    /// Somebody types at another node.
    pub(super) fn typed(&mut self, typing: &Typing, user_id: UserId) {
        let &Typing { chat_id, is_typing } = typing;
        if let Some(room) = self.rooms.get(&chat_id) {
            let frame = frames::user_typing(&UserTyping { user_id, chat_id, is_typing });
            room.emit_except(None, frame, &self.context);
        }
    }

    /// Whether these views say something else than was said last. The same change is seen twice
    /// when a flow of this node made it and the sweep finds it.
    pub(super) fn is_news(&mut self, chat_id: ChatId, views: &[(UserId, Chat)]) -> bool {
        let Some((_, chat)) = views.first() else { return false };
        if self.shown.len() >= SHOWN_MAX {
            self.shown.clear();
        }
        let lsm_since = chat.lsm_joined_at;
        let says = (chat.lsm_invited, chat.lsm_joined, lsm_since, chat.job.status, chat.closed);
        self.shown.insert(chat_id, says) != Some(says)
    }
}

impl ChatRoom {
    /// Another node has stored messages up to here.
    pub(super) fn learn_of(&mut self, seq: Seq) {
        self.order.learn(seq);
    }

    /// This node has stored a message.
    pub(super) fn spoken(&mut self, context: &Context) {
        if context.nodes.has_others() {
            self.spoken_at = Some(Instant::now());
        }
    }

    /// Somebody enters a room in which this node had nobody: learns who is there already. Nobody
    /// is told.
    pub(super) fn meet_elsewhere(&mut self, context: &Context) {
        let there: Vec<_> =
            context.nodes.attendees(self.chat_id).iter().map(|a| a.user_id).collect();
        self.here.look_elsewhere(&there);
    }

    /// Who is there by now; tells of who came and went with that.
    fn look_elsewhere(&mut self, context: &Context) {
        if self.here.is_empty() {
            return;
        }
        let attendees = context.nodes.attendees(self.chat_id);
        let there: Vec<_> = attendees.iter().map(|attendee| attendee.user_id).collect();
        let (came, gone) = self.here.look_elsewhere(&there);
        for attendee in attendees.into_iter().filter(|a| came.contains(&a.user_id)) {
            let joined = UserJoined {
                user_id: attendee.user_id,
                chat_id: self.chat_id,
                role: Some(attendee.role),
                name: Some(attendee.name.into()),
            };
            self.emit(frames::encode(event::USER_JOINED, &joined), context);
        }
        for user_id in gone {
            self.emit(frames::user_left(user_id, self.chat_id), context);
        }
        if let Some(seq) = self.order.published().filter(|seq| *seq > 0) {
            // What was stored here before the others were known to be there was not whispered.
            context.nodes.whisper_in(self.chat_id, Hint::Stored(self.chat_id, seq));
        }
    }

    /// Somebody left with the last socket of this node: told if no other node has the person.
    pub(super) fn settle(&mut self, user_id: UserId, context: &Context) {
        let attendees = context.nodes.attendees(self.chat_id);
        let is_elsewhere = attendees.iter().any(|attendee| attendee.user_id == user_id);
        if self.here.settle(user_id, is_elsewhere) {
            self.emit(frames::user_left(user_id, self.chat_id), context);
        }
    }

    /// Says of everybody who is here that they are.
    pub(super) fn call_roll(&self, context: &Context) {
        self.here.people().for_each(|user_id| context.nodes.entered(user_id, self.chat_id));
    }

    /// Somebody had read so far when it was looked at. A mark that is known already moves only when
    /// that is told, so that everybody in the room hears of it.
    pub(super) fn know_mark(&mut self, user_id: UserId, seq: Seq) {
        if !self.marks.iter().any(|(known, _)| *known == user_id) {
            self.marks.push((user_id, seq));
        }
    }

    /// Somebody has read so far. True when that is further than was known.
    pub(super) fn mark(&mut self, user_id: UserId, seq: Seq) -> bool {
        match self.marks.iter_mut().find(|(known, _)| *known == user_id) {
            Some((_, known)) => {
                let has_moved = seq > *known;
                *known = seq.max(*known);
                has_moved
            }
            None => {
                self.marks.push((user_id, seq));
                seq > 0
            }
        }
    }

    /// Tells of marks that another node has moved. `is_all`: nobody else is in the chat.
    pub(super) fn marks(&mut self, marks: &[(UserId, Seq)], is_all: bool, context: &Context) {
        if is_all {
            self.marks.retain(|(known, _)| marks.iter().any(|(user_id, _)| user_id == known));
        }
        for &(user_id, seq) in marks {
            if self.mark(user_id, seq) {
                let read = MessagesRead { user_id, chat_id: self.chat_id, seq: Some(seq) };
                self.emit(frames::encode(event::MESSAGES_READ, &read), context);
            }
        }
    }
}
