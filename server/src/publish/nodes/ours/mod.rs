//! What this node has to say of who is with it: pure.
//!
//! Nothing is kept while nobody listens. Otherwise every change marks its place, and what is said
//! of a place is what is true when it is said: a person who came and went in between was not here
//! for the others, and costs no row.

use std::collections::{HashMap, HashSet};

use trialogue_protocol::{ChatId, UserId};

use crate::store::Place;

/// Places said at once.
pub(super) const SAY_MAX: usize = 1_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ours {
    is_sharing: bool,
    /// This node stops: what it said last stays until its lease ends, so that whoever comes back
    /// by then was never gone.
    is_fading: bool,
    /// Who is in which room, as the rooms say.
    rooms: HashSet<(UserId, ChatId)>,
    /// Who is about to be, with how many sockets.
    coming: HashMap<(UserId, ChatId), u32>,
    /// What the table has.
    said: HashSet<Place>,
    /// Places of which it is not known what the table has: it is being told of them, or nobody
    /// knows whether it took what it was told. They are written with the next word of them,
    /// whatever that is, and nobody relies on what was said of them before.
    unknown: HashSet<Place>,
    dirty: HashSet<Place>,
    /// Everybody was said since the lease began; before that nobody reads it.
    has_said_all: bool,
    version: i64,
    /// How often all that was marked had been said.
    round: u64,
    /// That is being said right now: what is marked from now on is not in it.
    is_saying_last: bool,
}

/// Something to say, and what becomes clear once it is said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Saying {
    /// Of this version.
    pub(super) version: i64,
    /// Rows that change.
    pub(super) rows: Vec<(Place, bool)>,
    /// Who is not here any more, said before or not: whether that was the last place of the
    /// person is known when the others have been heard after this was said.
    pub(super) gone: Vec<Place>,
    /// Everything marked so far is said with this.
    pub(super) is_last: bool,
    /// With this everybody was said, for the first time since the lease began.
    pub(super) is_all: bool,
}

impl Saying {
    /// There is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && !self.is_all
    }
}

impl Ours {
    pub(super) fn is_sharing(&self) -> bool {
        self.is_sharing && !self.is_fading
    }

    /// Somebody listens from now on. The caller lets every room and every online person be marked.
    pub(super) fn share(&mut self) {
        self.is_sharing = true;
    }

    /// Nobody listens any more. Those whose going was not settled yet.
    pub(super) fn hush(&mut self, is_online: impl Fn(UserId) -> bool) -> Vec<Place> {
        let dirty = std::mem::take(&mut self.dirty);
        let gone = dirty.into_iter().filter(|place| !self.is_here(place, &is_online)).collect();
        // Whoever waits for what it marked to be said waits for nothing any more.
        let (version, round) = (self.version, self.next_round());
        let is_fading = self.is_fading;
        *self = Self { version, round, is_fading, ..Self::default() };
        gone
    }

    /// This node stops.
    pub(super) fn fade(&mut self) {
        self.is_fading = true;
    }

    /// The table is about to forget what was said: all of it is said again. The version under which
    /// that begins.
    pub(super) fn begin_anew(&mut self) -> i64 {
        self.dirty.extend(&self.said);
        self.unknown.extend(self.said.drain());
        self.has_said_all = false;
        self.version += 1;
        self.version
    }

    /// Somebody came into a room, or out of it with the last socket. Whether others will hear of
    /// it, so that the end of it is not known here alone.
    pub(super) fn in_room(&mut self, user_id: UserId, chat_id: ChatId, here: bool) -> bool {
        if !self.is_sharing() {
            return false;
        }
        if here {
            self.rooms.insert((user_id, chat_id));
        } else {
            self.rooms.remove(&(user_id, chat_id));
        }
        self.dirty.insert(Place { user_id, chat_id: Some(chat_id) });
        true
    }

    /// Every room that a shard has, when it lost count of them or is asked for all.
    pub(super) fn forget_rooms(&mut self, is_of_shard: impl Fn(ChatId) -> bool) {
        let lost: Vec<_> =
            self.rooms.iter().copied().filter(|(_, chat)| is_of_shard(*chat)).collect();
        for (user, chat) in lost {
            self.in_room(user, chat, false);
        }
    }

    /// Somebody came online, or went. Answers as [`Ours::in_room`] does.
    pub(super) fn online(&mut self, user_id: UserId) -> bool {
        if self.is_sharing() {
            self.dirty.insert(Place { user_id, chat_id: None });
        }
        self.is_sharing()
    }

    /// Somebody is about to enter a room. The round with which that is said, unless it is so
    /// already.
    pub(super) fn coming(&mut self, user_id: UserId, chat_id: ChatId) -> Option<u64> {
        *self.coming.entry((user_id, chat_id)).or_default() += 1;
        let place = Place { user_id, chat_id: Some(chat_id) };
        if self.said.contains(&place) && !self.dirty.contains(&place) {
            return None;
        }
        self.dirty.insert(place);
        Some(self.next_round())
    }

    /// That somebody is in, or has not come.
    pub(super) fn came(&mut self, user_id: UserId, chat_id: ChatId) {
        let key = (user_id, chat_id);
        if let Some(sockets) = self.coming.get_mut(&key) {
            *sockets -= 1;
            if *sockets == 0 {
                self.coming.remove(&key);
                if self.is_sharing() {
                    self.dirty.insert(Place { user_id, chat_id: Some(chat_id) });
                }
            }
        }
    }

    /// The round with which everything marked so far will have been said.
    pub(super) fn next_round(&self) -> u64 {
        self.round + 1 + u64::from(self.is_saying_last)
    }

    /// How many rounds are over.
    pub(super) fn round(&self) -> u64 {
        self.round
    }

    /// Whether there is something to say: that nobody is here too, once in every lease.
    pub(super) fn has_news(&self) -> bool {
        !self.dirty.is_empty() || (self.is_sharing() && !self.has_said_all)
    }

    /// How far this node has said.
    pub(super) fn version(&self) -> i64 {
        self.version
    }

    /// Takes what is to be said.
    pub(super) fn take(&mut self, is_online: impl Fn(UserId) -> bool) -> Saying {
        let places: Vec<_> = self.dirty.iter().copied().take(SAY_MAX).collect();
        let mut saying = Saying { version: self.version + 1, ..Saying::default() };
        for place in places {
            self.dirty.remove(&place);
            let here = self.is_here(&place, &is_online);
            if here != self.said.contains(&place) || self.unknown.contains(&place) {
                self.said.remove(&place);
                self.unknown.insert(place);
                saying.rows.push((place, here));
            }
            if !here {
                saying.gone.push(place);
            }
        }
        saying.is_last = self.dirty.is_empty();
        saying.is_all = saying.is_last && self.is_sharing() && !self.has_said_all;
        self.is_saying_last = saying.is_last;
        saying
    }

    /// It was said: or the table may have taken it or not, and it is marked again. Its version is
    /// not used again in any case, because somebody may have read that far.
    pub(super) fn settle(&mut self, saying: &Saying, was_said: bool) {
        self.round += u64::from(saying.is_last);
        self.is_saying_last = false;
        if !self.is_sharing {
            return;
        }
        if !saying.is_empty() {
            self.version = self.version.max(saying.version);
        }
        self.has_said_all |= saying.is_all && was_said;
        for &(place, here) in &saying.rows {
            if !was_said {
                self.dirty.insert(place);
                continue;
            }
            self.unknown.remove(&place);
            if here {
                self.said.insert(place);
            }
        }
    }

    fn is_here(&self, place: &Place, is_online: &impl Fn(UserId) -> bool) -> bool {
        match place.chat_id {
            None => is_online(place.user_id),
            Some(chat) => {
                let key = (place.user_id, chat);
                self.rooms.contains(&key) || self.coming.contains_key(&key)
            }
        }
    }
}

#[cfg(test)]
mod tests;
