//! What must happen when a socket is gone, however it went.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use trialogue_protocol::{ChatId, Seq, UserId};
use trialogue_socketio::server::SocketId;

use crate::publish::room::Position;
use crate::state::AppState;

/// A socket that is counted, and the rooms it may be in. Dropped at the end of its life, also of
/// one that ends in a panic: then the rooms and the count are told.
pub(super) struct Stay {
    state: AppState,
    user_id: UserId,
    socket: SocketId,
    /// Chats that this socket has asked to enter; with the position once it has.
    rooms: HashMap<ChatId, Option<Position>>,
}

impl Stay {
    /// Begins with the socket counted as online.
    pub(super) fn new(state: AppState, user_id: UserId, socket: SocketId) -> Self {
        Self { state, user_id, socket, rooms: HashMap::new() }
    }

    /// How many rooms the socket is in or may be in.
    pub(super) fn rooms(&self) -> usize {
        self.rooms.len()
    }

    /// Whether the socket has entered this chat, as far as it knows.
    pub(super) fn has(&self, chat_id: ChatId) -> bool {
        self.rooms.contains_key(&chat_id)
    }

    /// The socket may be in this room from now on. Said before it is asked for.
    pub(super) fn may_enter(&mut self, chat_id: ChatId) {
        self.rooms.entry(chat_id).or_insert(None);
    }

    /// It is.
    pub(super) fn entered(&mut self, chat_id: ChatId, position: Position) {
        self.rooms.insert(chat_id, Some(position));
    }

    /// It is not, or no longer.
    pub(super) fn left(&mut self, chat_id: ChatId) {
        self.rooms.remove(&chat_id);
    }

    /// How far each room has been put out.
    pub(super) fn positions(&self) -> impl Iterator<Item = (ChatId, Seq)> {
        let entered = self.rooms.iter().filter_map(|(id, at)| Some((*id, at.as_ref()?)));
        entered.map(|(id, position)| (id, position.load(Ordering::Relaxed)))
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        let was_last = self.state.presence.leave(self.user_id, self.socket);
        let (publisher, user_id, socket) =
            (self.state.publisher.clone(), self.user_id, self.socket);
        let rooms = std::mem::take(&mut self.rooms);
        if rooms.is_empty() && !was_last {
            return;
        }
        tokio::spawn(async move {
            publisher.gone(socket, rooms.into_keys()).await;
            // Where another node may have the person, that is asked first.
            if was_last && !publisher.nodes().online(user_id) {
                publisher.seen(vec![user_id]).await;
            }
        });
    }
}
