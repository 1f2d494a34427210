//! Who is online: on this node, with which sockets, and on the others.
//!
//! Counts and handles only: what others are told of it is `publish`'s affair, and it looks here
//! again when it tells, so that the last word is always the true one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use trialogue_protocol::{Member, PresenceStatus, Timestamp, UserId};
use trialogue_socketio::server::{Socket, SocketId};
use uuid::Uuid;

use crate::limits::{Bucket, Rate};
use crate::publish::Nodes;

/// Locks over the users, so that a storm of connections does not queue for one.
const STRIPES: usize = 16;
/// Users whose end of presence waits to be written; beyond that it is forgotten.
const WENT_MAX: usize = 100_000;

/// Live sockets by user. Cheap to clone.
#[derive(Clone)]
pub struct Presence {
    inside: Arc<Inside>,
    nodes: Nodes,
}

#[derive(Default)]
struct Inside {
    users: [Mutex<HashMap<UserId, Person>>; STRIPES],
    /// Whose last socket went, and when; taken by the task that writes it down.
    went: Mutex<HashMap<UserId, DateTime<Utc>>>,
    /// Who went a moment ago and need not be written down (any more): still shown as gone since
    /// then, until the table that is read by now has it.
    shown: Mutex<HashMap<UserId, DateTime<Utc>>>,
}

struct Person {
    sockets: Vec<Live>,
    /// When the first of them came.
    came_at: Instant,
    /// `send_message`, over all devices. Outlives the last socket until it is full again, so that
    /// a new connection does not bring a new burst.
    messages: Option<Bucket>,
}

struct Live {
    socket: Socket,
    /// The family of its token.
    session: Uuid,
}

/// The user has as many sockets as the limits allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany;

impl Presence {
    /// Nobody yet; who is online elsewhere is known by `nodes`.
    pub(crate) fn new(nodes: Nodes) -> Self {
        Self { inside: Arc::default(), nodes }
    }

    /// Whether the user has a live socket, and, where this node knows it, when the last one went.
    pub fn of(&self, user_id: UserId) -> (PresenceStatus, Option<Timestamp>) {
        if self.is_online(user_id) {
            return (PresenceStatus::Online, None);
        }
        let went = lock(&self.inside.went).get(&user_id).copied();
        let went = went.max(lock(&self.inside.shown).get(&user_id).copied());
        (PresenceStatus::Offline, went.map(Timestamp::from))
    }

    /// Whether the user has a live socket here or at another node.
    pub(crate) fn is_online(&self, user_id: UserId) -> bool {
        self.sockets_of(user_id) > 0 || self.nodes.has_online(user_id)
    }

    /// Members with what this node knows of their presence.
    pub fn shown(&self, mut members: Vec<Member>) -> Vec<Member> {
        for member in &mut members {
            let (status, went) = self.of(member.user_id);
            member.status = Some(status);
            member.last_seen = match status {
                PresenceStatus::Online => None,
                PresenceStatus::Offline => went.max(member.last_seen),
            };
        }
        members
    }

    /// How many live sockets the user has.
    pub(crate) fn sockets_of(&self, user_id: UserId) -> usize {
        self.stripe(user_id).get(&user_id).map_or(0, |person| person.sockets.len())
    }

    /// People with a live socket, and their sockets.
    pub(crate) fn count(&self) -> (usize, usize) {
        self.inside.users.iter().fold((0, 0), |(people, sockets), stripe| {
            let users = lock(stripe);
            let live = users.values().map(|person| person.sockets.len()).filter(|live| *live > 0);
            live.fold((people, sockets), |(people, sockets), live| (people + 1, sockets + live))
        })
    }

    /// A socket has come. True when it is the user's first.
    ///
    /// # Errors
    ///
    /// [`TooMany`], and then it is not counted.
    pub(crate) fn enter(
        &self,
        user_id: UserId,
        socket: Socket,
        session: Uuid,
        max: usize,
    ) -> Result<bool, TooMany> {
        let mut users = self.stripe(user_id);
        let person = users.entry(user_id).or_insert_with(|| Person {
            sockets: Vec::with_capacity(1),
            came_at: Instant::now(),
            messages: None,
        });
        if person.sockets.len() >= max {
            return Err(TooMany);
        }
        if person.sockets.is_empty() {
            person.came_at = Instant::now();
        }
        person.sockets.push(Live { socket, session });
        Ok(person.sockets.len() == 1)
    }

    /// A socket is gone. True when it was the user's last.
    pub(crate) fn leave(&self, user_id: UserId, socket: SocketId) -> bool {
        let mut users = self.stripe(user_id);
        let Some(person) = users.get_mut(&user_id) else { return false };
        let before = person.sockets.len();
        person.sockets.retain(|live| live.socket.id() != socket);
        let was_last = before > 0 && person.sockets.is_empty();
        if was_last && person.messages.is_none() {
            users.remove(&user_id);
        }
        drop(users);
        if was_last {
            let mut went = lock(&self.inside.went);
            if went.len() < WENT_MAX {
                went.insert(user_id, Utc::now());
            }
        }
        was_last
    }

    /// A socket's session goes on under another family.
    pub(crate) fn renew(&self, user_id: UserId, socket: SocketId, session: Uuid) {
        let mut users = self.stripe(user_id);
        let sockets = users.get_mut(&user_id).into_iter().flat_map(|p| &mut p.sockets);
        sockets.filter(|live| live.socket.id() == socket).for_each(|live| live.session = session);
    }

    /// Takes one message out of the user's allowance.
    ///
    /// # Errors
    ///
    /// The time after which there is one again.
    pub(crate) fn take_message(
        &self,
        user_id: UserId,
        rate: Rate,
        now: Instant,
    ) -> Result<(), Duration> {
        let mut users = self.stripe(user_id);
        let Some(person) = users.get_mut(&user_id) else { return Ok(()) };
        person.messages.get_or_insert_with(|| Bucket::full(rate, now)).take(rate, now)
    }

    /// Forgets the allowances of who is gone and could have a full one again.
    pub(crate) fn prune(&self, rate: Rate, now: Instant) {
        for stripe in &self.inside.users {
            lock(stripe).retain(|_, person| {
                !person.sockets.is_empty()
                    || person.messages.is_some_and(|bucket| !bucket.is_full(rate, now))
            });
        }
    }

    /// The families of the user's live sockets, each once.
    pub(crate) fn sessions_of(&self, user_id: UserId) -> Vec<Uuid> {
        let users = self.stripe(user_id);
        let live = users.get(&user_id).into_iter().flat_map(|person| &person.sockets);
        let mut sessions: Vec<_> = live.map(|live| live.session).collect();
        sessions.sort_unstable();
        sessions.dedup();
        sessions
    }

    /// The sockets of a user whose session has ended: of one family, or of all but one.
    pub(crate) fn sockets_of_ended(
        &self,
        user_id: UserId,
        family: Option<Uuid>,
        except: Option<Uuid>,
    ) -> Vec<Socket> {
        let users = self.stripe(user_id);
        let sockets = users.get(&user_id).into_iter().flat_map(|person| &person.sockets);
        sockets
            .filter(|live| family.is_none_or(|family| live.session == family))
            .filter(|live| except != Some(live.session))
            .map(|live| live.socket.clone())
            .collect()
    }

    /// Every live socket of this node.
    pub(crate) fn all_sockets(&self) -> Vec<Socket> {
        let stripes = self.inside.users.iter();
        stripes
            .flat_map(|stripe| {
                let users = lock(stripe);
                let live = users.values().flat_map(|person| &person.sockets);
                live.map(|live| live.socket.clone()).collect::<Vec<_>>()
            })
            .collect()
    }

    /// Everybody with a live socket on this node.
    pub(crate) fn online(&self) -> Vec<UserId> {
        let stripes = self.inside.users.iter();
        stripes
            .flat_map(|stripe| {
                let users = lock(stripe);
                let online = users.iter().filter(|(_, person)| !person.sockets.is_empty());
                online.map(|(user_id, _)| *user_id).collect::<Vec<_>>()
            })
            .collect()
    }

    /// Since when the user has had a live socket on this node.
    pub(crate) fn came_at(&self, user_id: UserId) -> Option<Instant> {
        let users = self.stripe(user_id);
        users.get(&user_id).filter(|p| !p.sockets.is_empty()).map(|person| person.came_at)
    }

    /// These have gone from another node, which has written down when; one that died since
    /// `dead_since` has not.
    pub(crate) fn went_elsewhere(&self, users: &[UserId], dead_since: Option<DateTime<Utc>>) {
        let (went, at) = match dead_since {
            Some(at) => (&self.inside.went, at),
            None => (&self.inside.shown, Utc::now()),
        };
        let mut went = lock(went);
        for user_id in users {
            if went.len() < WENT_MAX {
                went.insert(*user_id, at);
            }
        }
    }

    /// Takes what waits to be written down: who went, and when.
    pub(crate) fn take_went(&self) -> Vec<(UserId, DateTime<Utc>)> {
        let went = std::mem::take(&mut *lock(&self.inside.went));
        let list = went.iter().map(|(user_id, at)| (*user_id, *at)).collect();
        *lock(&self.inside.shown) = went;
        list
    }

    fn stripe(&self, user_id: UserId) -> MutexGuard<'_, HashMap<UserId, Person>> {
        let stripe = user_id.0.cast_unsigned() % STRIPES as u64;
        lock(&self.inside.users[usize::try_from(stripe).unwrap_or(0)])
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
