//! What the other nodes have said of who is with them: pure.
//!
//! A copy of their rows, as far as they were read. It answers on the spot what a message, a member
//! list or an arrival asks; the truth is in the table, and the copy is behind it by one reading.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use trialogue_protocol::{ChatId, Role, UserId};
use uuid::Uuid;

use crate::store::{Said, SaidPlace};

/// Somebody in a chat's room at another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attendee {
    pub(crate) user_id: UserId,
    pub(crate) role: Role,
    pub(crate) name: Box<str>,
}

/// The other nodes that are alive.
#[derive(Debug, Default)]
pub(super) struct Theirs {
    nodes: HashMap<Uuid, Node>,
}

#[derive(Debug)]
struct Node {
    /// How far it was read; -1 before the first time.
    version: i64,
    beat_at: DateTime<Utc>,
    online: HashSet<UserId>,
    rooms: HashMap<ChatId, Vec<Attendee>>,
}

/// Whom and what to look at again.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) people: HashSet<UserId>,
    pub(super) chats: HashSet<ChatId>,
}

impl Theirs {
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Nodes, and how far each was read.
    pub(super) fn versions(&self) -> Vec<(Uuid, i64)> {
        self.nodes.iter().map(|(id, node)| (*id, node.version)).collect()
    }

    /// A node is alive.
    pub(super) fn saw(&mut self, id: Uuid, beat_at: DateTime<Utc>) {
        let node = self.nodes.entry(id).or_insert_with(|| Node {
            version: -1,
            beat_at,
            online: HashSet::new(),
            rooms: HashMap::new(),
        });
        node.beat_at = beat_at;
    }

    /// A node is not alive any more: everybody who was with it, and since when they are gone.
    pub(super) fn lost(&mut self, id: Uuid) -> Option<(Changed, DateTime<Utc>)> {
        let node = self.nodes.remove(&id)?;
        let chats = node.rooms.into_keys().collect();
        Some((Changed { people: node.online, chats }, node.beat_at))
    }

    /// A node has said something. Of a node that was lost meanwhile nothing is taken.
    pub(super) fn heard(&mut self, said: Said) -> Changed {
        let mut changed = Changed::default();
        let Some(node) = self.nodes.get_mut(&said.node) else { return changed };
        if said.version <= node.version {
            return changed;
        }
        node.version = said.version;
        if said.is_whole {
            // What stays the same is looked at once more, which tells nobody anything.
            changed.people.extend(std::mem::take(&mut node.online));
            changed.chats.extend(std::mem::take(&mut node.rooms).into_keys());
        }
        for SaidPlace { place, here, person } in said.people {
            let Some(chat_id) = place.chat_id else {
                if here {
                    node.online.insert(place.user_id);
                } else {
                    node.online.remove(&place.user_id);
                }
                changed.people.insert(place.user_id);
                continue;
            };
            let room = node.rooms.entry(chat_id).or_default();
            room.retain(|attendee| attendee.user_id != place.user_id);
            if here && let Some((role, name)) = person {
                room.push(Attendee { user_id: place.user_id, role, name: name.into() });
            }
            if room.is_empty() {
                node.rooms.remove(&chat_id);
            }
            changed.chats.insert(chat_id);
        }
        changed
    }

    /// Whether somebody has a socket at another node.
    pub(super) fn has_online(&self, user: UserId) -> bool {
        self.nodes.values().any(|node| node.online.contains(&user))
    }

    /// Whether a chat's room has somebody in it at another node.
    pub(super) fn attends(&self, chat: ChatId) -> bool {
        self.nodes.values().any(|node| node.rooms.contains_key(&chat))
    }

    /// Whether a node has to be told that a notification was stored for somebody: the person has
    /// a socket there, and for a message's notification the node has no room of the chat (where
    /// it has one, it sees the message itself and does what follows from it).
    pub(super) fn needs_notice(&self, user: UserId, chat: Option<ChatId>) -> bool {
        self.nodes.values().any(|node| {
            node.online.contains(&user) && chat.is_none_or(|chat| !node.rooms.contains_key(&chat))
        })
    }

    /// Who is in a chat's room at other nodes, each once.
    pub(super) fn attendees(&self, chat: ChatId) -> Vec<Attendee> {
        let mut all: Vec<Attendee> = Vec::new();
        for attendee in self.nodes.values().filter_map(|node| node.rooms.get(&chat)).flatten() {
            if !all.iter().any(|known| known.user_id == attendee.user_id) {
                all.push(attendee.clone());
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Place;

    const ANNA: UserId = UserId(1);
    const BEN: UserId = UserId(2);
    const CHAT: ChatId = ChatId(Uuid::from_u128(7));
    const ONE: Uuid = Uuid::from_u128(1);
    const TWO: Uuid = Uuid::from_u128(2);

    fn said(node: Uuid, version: i64, is_whole: bool, people: &[(UserId, bool, bool)]) -> Said {
        let row = |&(user_id, in_room, here): &(UserId, bool, bool)| SaidPlace {
            place: Place { user_id, chat_id: in_room.then_some(CHAT) },
            here,
            person: (in_room && here).then(|| (Role::Customer, "Test".to_owned())),
        };
        Said { node, version, is_whole, people: people.iter().map(row).collect() }
    }

    fn two_nodes() -> Theirs {
        let mut theirs = Theirs::default();
        theirs.saw(ONE, Utc::now());
        theirs.saw(TWO, Utc::now());
        theirs
    }

    fn in_room(theirs: &Theirs) -> Vec<i64> {
        let mut ids: Vec<_> = theirs.attendees(CHAT).iter().map(|a| a.user_id.0).collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn somebody_is_here_as_long_as_one_node_says_so() {
        let mut theirs = two_nodes();
        theirs.heard(said(ONE, 1, false, &[(ANNA, false, true), (ANNA, true, true)]));
        theirs.heard(said(TWO, 1, false, &[(ANNA, true, true), (BEN, true, true)]));
        assert_eq!(in_room(&theirs), [1, 2]);
        let changed = theirs.heard(said(ONE, 2, false, &[(ANNA, true, false)]));
        assert!(changed.chats.contains(&CHAT) && changed.people.is_empty());
        assert_eq!(in_room(&theirs), [1, 2]);
        theirs.heard(said(TWO, 2, false, &[(ANNA, true, false), (BEN, true, false)]));
        assert!(!theirs.attends(CHAT));
        assert!(theirs.has_online(ANNA), "out of the room, still online");
    }

    #[test]
    fn what_was_read_before_or_of_nobody_changes_nothing() {
        let mut theirs = two_nodes();
        theirs.heard(said(ONE, 5, false, &[(ANNA, false, true)]));
        assert_eq!(theirs.heard(said(ONE, 5, false, &[(ANNA, false, false)])), Changed::default());
        assert!(theirs.has_online(ANNA));
        let stranger = said(Uuid::from_u128(3), 1, true, &[(BEN, false, true)]);
        assert_eq!(theirs.heard(stranger), Changed::default());
        assert!(!theirs.has_online(BEN));
    }

    #[test]
    fn a_whole_reading_replaces_what_was_known() {
        let mut theirs = two_nodes();
        theirs.heard(said(ONE, 1, false, &[(ANNA, false, true), (ANNA, true, true)]));
        let changed = theirs.heard(said(ONE, 9, true, &[(BEN, true, true)]));
        assert!(!theirs.has_online(ANNA));
        assert_eq!(in_room(&theirs), [2]);
        assert!(changed.people.contains(&ANNA) && changed.chats.contains(&CHAT));
    }

    #[test]
    fn a_lost_node_takes_its_people_along() {
        let mut theirs = two_nodes();
        theirs.heard(said(ONE, 1, false, &[(ANNA, false, true), (ANNA, true, true)]));
        let (changed, _) = theirs.lost(ONE).unwrap();
        assert!(changed.people.contains(&ANNA) && changed.chats.contains(&CHAT));
        assert!(!theirs.has_online(ANNA) && !theirs.attends(CHAT));
        assert!(theirs.lost(ONE).is_none());
    }

    #[test]
    fn a_node_with_a_room_of_the_chat_sees_the_message_itself() {
        let mut theirs = two_nodes();
        theirs.heard(said(ONE, 1, false, &[(ANNA, false, true)]));
        assert!(theirs.needs_notice(ANNA, Some(CHAT)) && theirs.needs_notice(ANNA, None));
        theirs.heard(said(ONE, 2, false, &[(BEN, true, true)]));
        assert!(!theirs.needs_notice(ANNA, Some(CHAT)));
        assert!(theirs.needs_notice(ANNA, None));
        assert!(!theirs.needs_notice(BEN, None), "in a room only, which cannot be");
    }
}
