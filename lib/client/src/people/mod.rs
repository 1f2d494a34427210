//! Who is in a chat, who is there now, who types, how far each has read; without IO or a clock.
//!
//! What was told over a connection is unknown once that connection is gone: presence becomes
//! [`Presence::Unknown`], nobody types (TUI §5). What may not happen here: a guess.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use trialogue_protocol::{Member, PresenceStatus, Role, Seq, Timestamp, UserId};

use crate::time::Now;

/// Bounds and delays of [`People`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeopleConfig {
    /// How long somebody types who does not say so again (6 s; servers never end it themselves).
    pub typing_expires: Duration,
    /// Whether the server tells who is online ([`crate::Capabilities::presence`]); else everybody
    /// is unknown for ever.
    pub presence: bool,
    /// People remembered per chat (64): chats have two or three members, and a hostile server must
    /// not fill the memory.
    pub people_max: usize,
}

impl Default for PeopleConfig {
    fn default() -> Self {
        Self { typing_expires: Duration::from_secs(6), presence: true, people_max: 64 }
    }
}

/// Whether somebody is there now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// At least one of their devices is connected.
    Online,
    /// None is.
    Offline {
        /// When the last one went, if the server told.
        last_seen: Option<Timestamp>,
    },
    /// The server does not tell, or there is no connection over which it could.
    Unknown,
}

/// Somebody in a chat, as far as the server told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub user_id: UserId,
    /// As what; not known of somebody who only showed up.
    pub role: Option<Role>,
    /// The name. Foreign text: pass it through [`crate::sanitize`].
    pub name: Option<String>,
    /// Whether they are there.
    pub presence: Presence,
    /// Whether they type.
    pub typing: bool,
    /// Everything up to here was read by them; 0: nothing, or not known.
    pub read_seq: Seq,
}

/// What happened in the chat.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// These are its members now, nobody else (an answer to a join, `chat_updated`).
    Members(Vec<Member>),
    /// `user_joined`: came into the room.
    Came {
        /// Who.
        user: UserId,
        /// As what, if the server said so.
        role: Option<Role>,
        /// The name, if the server said so.
        name: Option<String>,
    },
    /// `user_left`: left the room. They may still be a member.
    Went(UserId),
    /// `presence`.
    Presence {
        /// Who.
        user: UserId,
        /// There or not.
        status: PresenceStatus,
        /// When the last device went.
        last_seen: Option<Timestamp>,
    },
    /// `user_typing`.
    Typing {
        /// Who.
        user: UserId,
        /// Types, or no longer.
        is_typing: bool,
    },
    /// A message of theirs came: they no longer type.
    Said(UserId),
    /// `messages_read`; without a place: everything so far, which is not known to be any number.
    Read {
        /// Who.
        user: UserId,
        /// Up to where.
        seq: Option<Seq>,
    },
    /// The connection is gone.
    Offline,
    /// Time has passed: [`People::next_wake`] is reached.
    Tick,
}

/// What a face shows anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// This is what is known of somebody now.
    Changed(Person),
    /// Is a member no longer.
    Gone(UserId),
}

#[derive(Debug)]
struct Entry {
    person: Person,
    typing_until: Option<Now>,
}

/// The state machine of one chat.
#[derive(Debug)]
pub struct People {
    config: PeopleConfig,
    entries: BTreeMap<UserId, Entry>,
}

impl People {
    /// Nobody is known.
    pub fn new(config: PeopleConfig) -> Self {
        Self { config, entries: BTreeMap::new() }
    }

    /// Everybody known, by id.
    pub fn all(&self) -> impl Iterator<Item = &Person> {
        self.entries.values().map(|entry| &entry.person)
    }

    /// When to send [`Event::Tick`] at the latest.
    pub fn next_wake(&self) -> Option<Now> {
        self.entries.values().filter_map(|entry| entry.typing_until).min()
    }

    /// Decides.
    pub fn handle(&mut self, event: Event, now: Now) -> Vec<Effect> {
        let config = self.config;
        match event {
            Event::Members(members) => self.members(members),
            Event::Came { user, role, name } => self.change(user, |entry| {
                entry.person.role = role.or(entry.person.role);
                if name.is_some() {
                    entry.person.name = name;
                }
                if config.presence {
                    entry.person.presence = Presence::Online;
                }
            }),
            Event::Went(user) if self.entries.contains_key(&user) => {
                self.change(user, Entry::stop_typing)
            }
            Event::Presence { user, status, last_seen } => self.change(user, |entry| {
                entry.person.presence = presence_of(Some(status), last_seen);
                if status == PresenceStatus::Offline {
                    entry.stop_typing();
                }
            }),
            Event::Typing { user, is_typing: true } => self.change(user, |entry| {
                entry.person.typing = true;
                entry.typing_until = Some(now + config.typing_expires);
            }),
            Event::Typing { user, .. } | Event::Said(user) if self.entries.contains_key(&user) => {
                self.change(user, Entry::stop_typing)
            }
            Event::Read { user, seq: Some(seq) } => self.change(user, |entry| {
                entry.person.read_seq = entry.person.read_seq.max(seq);
            }),
            Event::Went(_) | Event::Typing { .. } | Event::Said(_) | Event::Read { .. } => {
                Vec::new()
            }
            Event::Offline => self.change_all(|entry| {
                entry.person.presence = Presence::Unknown;
                entry.stop_typing();
            }),
            Event::Tick => self.change_all(|entry| {
                if entry.typing_until.is_some_and(|until| until <= now) {
                    entry.stop_typing();
                }
            }),
        }
    }

    fn members(&mut self, members: Vec<Member>) -> Vec<Effect> {
        // A server that tells no members has nobody to remove.
        if members.is_empty() {
            return Vec::new();
        }
        let here = |user: &UserId| members.iter().any(|member| member.user_id == *user);
        let gone: Vec<UserId> = self.entries.keys().filter(|user| !here(user)).copied().collect();
        let mut out = Vec::new();
        for user in gone {
            self.entries.remove(&user);
            out.push(Effect::Gone(user));
        }
        let presence = self.config.presence;
        for member in members {
            out.extend(self.change(member.user_id, |entry| {
                entry.person.role = Some(member.role);
                entry.person.name = Some(member.name);
                entry.person.read_seq = entry.person.read_seq.max(member.last_read_seq);
                // A list that does not tell (`chat_updated`) makes nobody unknown.
                if presence && member.status.is_some() {
                    entry.person.presence = presence_of(member.status, member.last_seen);
                }
            }));
        }
        out
    }

    fn change(&mut self, user: UserId, change: impl FnOnce(&mut Entry)) -> Vec<Effect> {
        let is_new = !self.entries.contains_key(&user);
        if is_new && self.entries.len() >= self.config.people_max {
            return Vec::new();
        }
        let entry = self.entries.entry(user).or_insert_with(|| Entry::stranger(user));
        let before = entry.person.clone();
        change(entry);
        let changed = is_new || before != entry.person;
        changed.then(|| Effect::Changed(entry.person.clone())).into_iter().collect()
    }

    fn change_all(&mut self, change: impl Fn(&mut Entry)) -> Vec<Effect> {
        let users: Vec<UserId> = self.entries.keys().copied().collect();
        users.into_iter().flat_map(|user| self.change(user, &change)).collect()
    }
}

impl Entry {
    fn stranger(user_id: UserId) -> Self {
        let person = Person {
            user_id,
            role: None,
            name: None,
            presence: Presence::Unknown,
            typing: false,
            read_seq: 0,
        };
        Self { person, typing_until: None }
    }

    fn stop_typing(&mut self) {
        self.person.typing = false;
        self.typing_until = None;
    }
}

fn presence_of(status: Option<PresenceStatus>, last_seen: Option<Timestamp>) -> Presence {
    match status {
        Some(PresenceStatus::Online) => Presence::Online,
        Some(PresenceStatus::Offline) => Presence::Offline { last_seen },
        None => Presence::Unknown,
    }
}
