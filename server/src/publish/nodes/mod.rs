//! Several servers on one database are one service (RELIABILITY §2.14).
//!
//! The tables are the truth; every node tells its own sockets what it reads there. So nothing is
//! ever delivered from node to node: a node says in a table who is with it, whispers to the others
//! where something is new ([`hint`]), and reads; what was not whispered or not heard the sweep
//! finds. A node that finds itself alone says and whispers nothing.
//!
//! What may not happen here: a wait of who stores or puts out for another node, and a decision
//! that rests on a hint.

mod hint;
mod keeper;
mod listener;
mod ours;
mod tail;
mod theirs;
mod whisper;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use trialogue_protocol::{ChatId, UserId};
use uuid::Uuid;

pub(crate) use hint::Hint;
pub(super) use tail::{Tail, marks as sweep_marks};
pub(crate) use theirs::Attendee;

use super::{Broadcast, Context, Publisher};
use crate::store::Place;
use crate::supervise::Supervisor;
use hint::About;
use ours::{Ours, Saying};
use theirs::Theirs;

/// Hints that wait to be told; beyond that they are left out and the sweep brings the news.
const HINTS_MAX: usize = 1_024;
/// People named in hints that wait to be looked at; beyond that everybody is.
const DUE_PEOPLE_MAX: usize = 1_024;
/// Longest wait of an arrival for its row, so that who leaves another node at the same time was
/// never gone. It only orders what others see: after it the arrival goes on.
const SAID_TIMEOUT: Duration = Duration::from_secs(1);

/// What this node knows of the others and has for them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Nodes {
    inside: Arc<Inside>,
}

struct Inside {
    id: Uuid,
    /// Hints are told and heard; without them (`--no-notify`) the sweep does all.
    whispers: bool,
    /// Another node is alive.
    has_others: AtomicBool,
    ours: Mutex<Ours>,
    theirs: RwLock<Theirs>,
    /// How many rounds of saying are over.
    rounds: watch::Sender<u64>,
    wanted: Mutex<Wanted>,
    keeper: Notify,
    hints: Mutex<HashMap<About, Hint>>,
    whisperer: Notify,
    due: Mutex<Due>,
    sweeper: Notify,
}

/// What the keeper is asked for, besides saying what is new.
#[derive(Debug, Default)]
struct Wanted {
    beat: bool,
    read: bool,
}

/// What the sweep should look at before its time.
#[derive(Debug, Default)]
pub(super) struct Due {
    pub(super) everything: bool,
    pub(super) endings: bool,
    pub(super) chats: bool,
    /// Whose notifications.
    pub(super) people: HashSet<UserId>,
}

impl Nodes {
    pub(crate) fn new(whispers: bool) -> Self {
        let inside = Inside {
            id: Uuid::new_v4(),
            whispers,
            has_others: AtomicBool::new(false),
            ours: Mutex::default(),
            theirs: RwLock::default(),
            rounds: watch::Sender::new(0),
            wanted: Mutex::default(),
            keeper: Notify::new(),
            hints: Mutex::default(),
            whisperer: Notify::new(),
            due: Mutex::default(),
            sweeper: Notify::new(),
        };
        Self { inside: Arc::new(inside) }
    }

    /// Starts the tasks: lease and people, hints out, hints in. They end with `tasks`.
    pub(super) fn start(&self, publisher: &Publisher, context: &Context, tasks: &Supervisor) {
        tasks.keep(keeper::Keeper::new(publisher.clone(), context.clone()));
        if self.inside.whispers {
            tasks.keep(whisper::Whisperer { nodes: self.clone(), store: context.store.clone() });
            let (publisher, context) = (publisher.clone(), context.clone());
            tasks.keep(listener::Listener { publisher, context });
        }
    }

    /// Whether another node is alive, as far as this one knows. False on almost every deployment,
    /// so everything else here is asked only after this.
    pub(crate) fn has_others(&self) -> bool {
        self.inside.has_others.load(Ordering::Acquire)
    }

    /// Whether somebody has a socket at another node.
    pub(crate) fn has_online(&self, user: UserId) -> bool {
        self.has_others() && self.theirs().has_online(user)
    }

    /// Who is in a chat's room at other nodes.
    pub(crate) fn attendees(&self, chat: ChatId) -> Vec<Attendee> {
        if self.has_others() { self.theirs().attendees(chat) } else { Vec::new() }
    }

    /// The first socket of somebody came into a room of this node.
    pub(crate) fn entered(&self, user: UserId, chat: ChatId) {
        if self.has_others() && self.ours().in_room(user, chat, true) {
            self.inside.keeper.notify_one();
        }
    }

    /// The last socket of somebody left a room of this node. True when it takes a look at the
    /// others to know whether the person is gone: then the room hears of it later.
    pub(crate) fn left(&self, user: UserId, chat: ChatId) -> bool {
        let is_open = self.has_others() && self.ours().in_room(user, chat, false);
        if is_open {
            self.inside.keeper.notify_one();
        }
        is_open
    }

    /// A shard has lost its rooms, and nobody is in them any more.
    pub(super) fn lost_rooms(&self, is_of_shard: impl Fn(ChatId) -> bool) {
        if self.has_others() {
            self.ours().forget_rooms(is_of_shard);
            self.inside.keeper.notify_one();
        }
    }

    /// Somebody's first socket came to this node, or the last one went. True when others will hear
    /// of it, and then whoever must know here hears of it after they could.
    pub(crate) fn online(&self, user: UserId) -> bool {
        let is_open = self.has_others() && self.ours().online(user);
        if is_open {
            self.inside.keeper.notify_one();
        }
        is_open
    }

    /// Waits until the others can know that somebody is online here.
    pub(crate) async fn said_online(&self, user: UserId) {
        if let Some(round) = self.mark_online(user) {
            self.said(round).await;
        }
    }

    /// Marks somebody as online. The round with which that is said: looked up before the keeper can
    /// take the mark, because the one after it may never come.
    fn mark_online(&self, user: UserId) -> Option<u64> {
        let mut ours = self.has_others().then(|| self.ours())?;
        ours.online(user).then(|| ours.next_round())
    }

    /// Somebody is about to enter a room: waits until the others can know. Until the answer is
    /// dropped the person counts as being in.
    pub(crate) async fn coming(&self, user: UserId, chat: ChatId) -> Option<Coming> {
        let round = {
            let mut ours = self.has_others().then(|| self.ours())?;
            if !ours.is_sharing() {
                return None;
            }
            ours.coming(user, chat)
        };
        let coming = Coming { nodes: self.clone(), user, chat };
        if let Some(round) = round {
            self.said(round).await;
        }
        Some(coming)
    }

    async fn said(&self, round: u64) {
        self.inside.keeper.notify_one();
        let mut rounds = self.inside.rounds.subscribe();
        if timeout(SAID_TIMEOUT, rounds.wait_for(|over| *over >= round)).await.is_err() {
            tracing::debug!("other nodes hear late of an arrival");
        }
    }

    /// Something was said, or could not be ([`Ours::settle`]). Whether nothing else is to be said.
    fn settle(&self, saying: &Saying, was_said: bool) -> bool {
        let mut ours = self.ours();
        ours.settle(saying, was_said);
        self.inside.rounds.send_replace(ours.round());
        !ours.has_news()
    }

    /// Nobody listens any more ([`Ours::hush`]).
    fn hush(&self, is_online: impl Fn(UserId) -> bool) -> Vec<Place> {
        let mut ours = self.ours();
        let gone = ours.hush(is_online);
        self.inside.rounds.send_replace(ours.round());
        gone
    }

    /// Whispers where others have to look after what a flow has committed here.
    pub(super) fn tell(&self, broadcast: &Broadcast) {
        if !self.has_others() {
            return;
        }
        match broadcast {
            Broadcast::Message(stored) => {
                let chat = stored.message.chat_id;
                let theirs = self.theirs();
                if theirs.attends(chat) {
                    self.whisper(Hint::Stored(chat, stored.message.seq.unwrap_or(0)));
                }
                for (recipient, _) in &stored.notifications {
                    if theirs.needs_notice(*recipient, Some(chat)) {
                        self.whisper(Hint::Notice(*recipient));
                    }
                }
            }
            Broadcast::Notified(notification) => {
                let recipient = notification.recipient_id;
                if self.theirs().needs_notice(recipient, None) {
                    self.whisper(Hint::Notice(recipient));
                }
            }
            &Broadcast::Read { chat_id, user_id, seq } => {
                self.whisper_in(chat_id, Hint::Read(chat_id, user_id, seq));
            }
            Broadcast::ChatUpdated { .. } => self.whisper(Hint::Chats),
            Broadcast::MemberRemoved { .. } | Broadcast::SessionsEnded { .. } => {
                self.whisper(Hint::Ended);
            }
        }
    }

    /// Whispers something that concerns those in a chat's room, if there are any elsewhere.
    pub(super) fn whisper_in(&self, chat: ChatId, hint: Hint) {
        if self.has_others() && self.theirs().attends(chat) {
            self.whisper(hint);
        }
    }

    /// Puts a hint in line. Never waits.
    fn whisper(&self, hint: Hint) {
        if !self.inside.whispers {
            return;
        }
        let mut hints = lock(&self.inside.hints);
        let is_full = hints.len() >= HINTS_MAX;
        match hints.entry(hint.about()) {
            Entry::Vacant(_) if is_full => tracing::debug!("a hint was left out: too many wait"),
            Entry::Vacant(place) => drop(place.insert(hint)),
            Entry::Occupied(mut known) => drop(known.insert(known.get().with(hint))),
        }
        self.inside.whisperer.notify_one();
    }

    /// What the sweep should look at now.
    pub(super) async fn due(&self) -> Due {
        self.inside.sweeper.notified().await;
        std::mem::take(&mut lock(&self.inside.due))
    }

    fn make_due(&self, change: impl FnOnce(&mut Due)) {
        change(&mut lock(&self.inside.due));
        self.inside.sweeper.notify_one();
    }

    fn want(&self, change: impl FnOnce(&mut Wanted)) {
        change(&mut lock(&self.inside.wanted));
        self.inside.keeper.notify_one();
    }

    /// The server stops. What was said last stays until the lease ends, so that whoever comes back
    /// to another node by then was never gone.
    pub(super) fn fade(&self) {
        self.ours().fade();
    }

    /// The own lease is not needed any more when nobody is there to see its end.
    pub(super) fn id_to_leave(&self) -> Option<Uuid> {
        (!self.has_others()).then_some(self.inside.id)
    }

    fn ours(&self) -> MutexGuard<'_, Ours> {
        lock(&self.inside.ours)
    }

    fn theirs(&self) -> RwLockReadGuard<'_, Theirs> {
        self.inside.theirs.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn theirs_mut(&self) -> RwLockWriteGuard<'_, Theirs> {
        self.inside.theirs.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody whose access check has passed and who is not in the room yet.
pub(crate) struct Coming {
    nodes: Nodes,
    user: UserId,
    chat: ChatId,
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.nodes.ours().came(self.user, self.chat);
        self.nodes.inside.keeper.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
