//! Namespaces, their rooms, and the fan-out.
//!
//! A room keeps a snapshot of its members that is rebuilt after a change, when the next event is
//! sent: joins stay cheap, and no lock is held while frames are handed to the sockets.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::BuildHasher;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use super::frame::Frames;
use super::handler::DynHandler;
use super::id::{IdHash, SocketId};
use super::session::lock;
use super::socket::{Socket, SocketInner};
use crate::payload::Outgoing;

/// Locks over the rooms of a namespace: more than there are cores that could meet.
const SHARDS: usize = 16;

type Members = Arc<[Arc<SocketInner>]>;

#[derive(Default)]
struct Room {
    members: HashMap<SocketId, Arc<SocketInner>, IdHash>,
    /// The members as of the last event; `None` after a change.
    snapshot: Option<Members>,
}

impl Room {
    fn snapshot(&mut self) -> Members {
        let members = &self.members;
        let build = || members.values().cloned().collect();
        Arc::clone(self.snapshot.get_or_insert_with(build))
    }
}

type Shard = Mutex<HashMap<Arc<str>, Room>>;

pub(super) struct NamespaceInner {
    paths: Vec<Arc<str>>,
    pub(super) handler: Arc<dyn DynHandler>,
    shards: [Shard; SHARDS],
    hash: RandomState,
}

impl NamespaceInner {
    pub(super) fn new(paths: Vec<Arc<str>>, handler: Arc<dyn DynHandler>) -> Self {
        let shards = std::array::from_fn(|_| Shard::default());
        Self { paths, handler, shards, hash: RandomState::new() }
    }

    pub(super) fn path(&self, index: u8) -> &str {
        self.paths.get(usize::from(index)).map_or("/", |path| path)
    }

    fn shard(&self, room: &str) -> &Shard {
        // The remainder is below the number of shards.
        &self.shards[(self.hash.hash_one(room) % SHARDS as u64) as usize]
    }

    pub(super) fn join(&self, name: &str, socket: &Arc<SocketInner>) {
        // The socket's own list is locked around the room's change, so that closing, which takes
        // the list away first, either sees the room or prevents the join.
        let mut rooms = lock(&socket.rooms);
        let Some(rooms) = rooms.as_mut() else { return };
        if rooms.iter().any(|room| **room == *name) {
            return;
        }
        let name: Arc<str> = name.into();
        rooms.push(Arc::clone(&name));
        let mut shard = lock(self.shard(&name));
        let room = shard.entry(name).or_default();
        room.members.insert(socket.id, Arc::clone(socket));
        room.snapshot = None;
    }

    pub(super) fn leave(&self, name: &str, socket: &SocketInner) {
        let mut rooms = lock(&socket.rooms);
        let Some(rooms) = rooms.as_mut() else { return };
        if let Some(at) = rooms.iter().position(|room| **room == *name) {
            let name = rooms.swap_remove(at);
            self.remove(&name, socket.id);
        }
    }

    /// Takes a socket out of a room, and the room away when it was the last.
    pub(super) fn remove(&self, name: &Arc<str>, id: SocketId) {
        let mut shard = lock(self.shard(name));
        if let Entry::Occupied(mut room) = shard.entry(Arc::clone(name)) {
            room.get_mut().members.remove(&id);
            room.get_mut().snapshot = None;
            if room.get().members.is_empty() {
                room.remove();
            }
        }
    }

    fn members(&self, room: &str) -> Members {
        lock(self.shard(room)).get_mut(room).map(Room::snapshot).unwrap_or_default()
    }
}

/// A namespace of a running server, for sending to rooms. A clone is another handle.
///
/// Each socket gets the events of one caller in the order of the calls. Two callers at once may
/// be seen in different orders by different sockets: whoever needs one order has one caller.
#[derive(Clone)]
pub struct Namespace(pub(super) Arc<NamespaceInner>);

impl std::fmt::Debug for Namespace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Namespace").field(&self.0.paths).finish()
    }
}

impl Namespace {
    /// How many sockets are in the room.
    #[must_use]
    pub fn room_len(&self, room: &str) -> usize {
        lock(self.0.shard(room)).get(room).map_or(0, |room| room.members.len())
    }

    /// The sockets in the room, in no order.
    #[must_use]
    pub fn sockets(&self, room: &str) -> Vec<Socket> {
        self.0.members(room).iter().map(|socket| Socket(Arc::clone(socket))).collect()
    }

    /// Queues an event for every socket in the room; answers for how many it was queued.
    pub fn emit(&self, room: &str, event: &Outgoing) -> usize {
        let mut frames = Frames::new(event);
        let members = self.0.members(room);
        members.iter().filter(|socket| socket.send_shared(&mut frames)).count()
    }

    /// Queues an event for every socket in the room but one.
    pub fn emit_except(&self, room: &str, except: SocketId, event: &Outgoing) -> usize {
        let mut frames = Frames::new(event);
        let members = self.0.members(room);
        let others = members.iter().filter(|socket| socket.id != except);
        others.filter(|socket| socket.send_shared(&mut frames)).count()
    }

    /// In one pass, queues `mine` for the sockets whose tag ([`Socket::set_tag`]) is `tag` and
    /// `theirs` for the others.
    pub fn emit_split(&self, room: &str, tag: u64, mine: &Outgoing, theirs: &Outgoing) -> usize {
        let (mut mine, mut theirs) = (Frames::new(mine), Frames::new(theirs));
        let members = self.0.members(room);
        let sent = members.iter().filter(|socket| {
            let own = socket.tag.load(Ordering::Relaxed) == tag;
            socket.send_shared(if own { &mut mine } else { &mut theirs })
        });
        sent.count()
    }
}
