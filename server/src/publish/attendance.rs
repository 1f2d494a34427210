//! Who is in a chat's room, with how many sockets on this node and whether at another one: pure.
//!
//! `user_joined` and `user_left` are about people, rooms are about sockets. This is the count
//! between the two (CONTRACT §2, `join_chat`: "when the user's count of sockets in the room goes
//! from 0 to 1"), over all nodes: somebody is here from the first of them on to the last.

use trialogue_protocol::UserId;

/// The sockets of one room, by person. A chat has three members at most, so lists are searched.
#[derive(Debug)]
pub(crate) struct Attendance<S> {
    people: Vec<Attendee<S>>,
}

#[derive(Debug)]
struct Attendee<S> {
    user_id: UserId,
    /// Those of this node.
    sockets: Vec<S>,
    /// At another node, as far as this one knows.
    is_elsewhere: bool,
    /// The last socket of this node is gone, and whether another node has the person is being
    /// asked: until then nothing is told.
    is_leaving: bool,
}

impl<S> Attendee<S> {
    fn new(user_id: UserId, sockets: Vec<S>, is_elsewhere: bool) -> Self {
        Self { user_id, sockets, is_elsewhere, is_leaving: false }
    }
}

/// What entering changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entered {
    /// The first socket of this person.
    First,
    /// The first one on this node, of somebody who is here with another one.
    FirstOfNode,
    /// One more device of somebody who is here.
    Another,
    /// This socket was in already.
    Again,
}

/// What leaving changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Left<S> {
    /// That was the last socket of this person on this node. Whether the person is here still is
    /// open until [`Attendance::settle`].
    Last(UserId, S),
    /// The person is still here with another device.
    One(S),
    /// It was not here.
    Nobody,
}

impl<S> Default for Attendance<S> {
    fn default() -> Self {
        Self { people: Vec::new() }
    }
}

impl<S> Attendance<S> {
    /// A socket comes in. `same` tells whether a socket that is here is the one that comes.
    pub(crate) fn enter(
        &mut self,
        user_id: UserId,
        socket: S,
        same: impl Fn(&S) -> bool,
    ) -> Entered {
        match self.people.iter_mut().find(|person| person.user_id == user_id) {
            Some(person) if person.sockets.iter().any(same) => Entered::Again,
            Some(person) => {
                let is_first = person.sockets.is_empty();
                person.is_leaving = false;
                person.sockets.push(socket);
                if is_first { Entered::FirstOfNode } else { Entered::Another }
            }
            None => {
                self.people.push(Attendee::new(user_id, vec![socket], false));
                Entered::First
            }
        }
    }

    /// A socket goes.
    pub(crate) fn leave(&mut self, same: impl Fn(&S) -> bool) -> Left<S> {
        for person in &mut self.people {
            let Some(found) = person.sockets.iter().position(&same) else { continue };
            let socket = person.sockets.swap_remove(found);
            if !person.sockets.is_empty() {
                return Left::One(socket);
            }
            person.is_leaving = true;
            return Left::Last(person.user_id, socket);
        }
        Left::Nobody
    }

    /// Whether a person whose last socket on this node is gone is at another one. True when the
    /// person is gone.
    pub(crate) fn settle(&mut self, user_id: UserId, is_elsewhere: bool) -> bool {
        let Some(at) = self.people.iter().position(|person| person.user_id == user_id) else {
            return false;
        };
        let person = &mut self.people[at];
        (person.is_leaving, person.is_elsewhere) = (false, is_elsewhere);
        let is_gone = person.sockets.is_empty() && !is_elsewhere;
        if is_gone {
            self.people.swap_remove(at);
        }
        is_gone
    }

    /// Who is at other nodes by now: who came with that, and who is gone with it.
    pub(crate) fn look_elsewhere(&mut self, elsewhere: &[UserId]) -> (Vec<UserId>, Vec<UserId>) {
        let (mut came, mut gone) = (Vec::new(), Vec::new());
        self.people.retain_mut(|person| {
            person.is_elsewhere = elsewhere.contains(&person.user_id);
            let is_here = person.is_elsewhere || person.is_leaving || !person.sockets.is_empty();
            if !is_here {
                gone.push(person.user_id);
            }
            is_here
        });
        for &user_id in elsewhere {
            if !self.people.iter().any(|person| person.user_id == user_id) {
                self.people.push(Attendee::new(user_id, Vec::new(), true));
                came.push(user_id);
            }
        }
        (came, gone)
    }

    /// A person is put out with every socket of this node; none when there was none. True when the
    /// person is gone with that, false when another node has to do the same first.
    pub(crate) fn evict(&mut self, user_id: UserId) -> (Vec<S>, bool) {
        let Some(at) = self.people.iter().position(|person| person.user_id == user_id) else {
            return (Vec::new(), false);
        };
        let person = &mut self.people[at];
        let sockets = std::mem::take(&mut person.sockets);
        person.is_leaving = false;
        let is_gone = !person.is_elsewhere;
        if is_gone {
            self.people.swap_remove(at);
        }
        (sockets, is_gone)
    }

    /// The socket, if it is here.
    pub(crate) fn holds(&self, same: impl Fn(&S) -> bool) -> bool {
        self.people.iter().flat_map(|person| &person.sockets).any(same)
    }

    /// How many sockets a person has here.
    pub(crate) fn sockets_of(&self, user_id: UserId) -> usize {
        self.people.iter().find(|p| p.user_id == user_id).map_or(0, |p| p.sockets.len())
    }

    /// Who is here with a socket of this node.
    pub(crate) fn people(&self) -> impl Iterator<Item = UserId> {
        let here = self.people.iter().filter(|person| !person.sockets.is_empty());
        here.map(|person| person.user_id)
    }

    /// Nobody is here with a socket of this node: there is nobody to tell anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.people.iter().all(|person| person.sockets.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: UserId = UserId(1);
    const BEN: UserId = UserId(2);

    fn with(sockets: &[(UserId, u32)]) -> Attendance<u32> {
        let mut room = Attendance::default();
        for &(user, socket) in sockets {
            room.enter(user, socket, |here| *here == socket);
        }
        room
    }

    #[test]
    fn a_second_device_is_not_a_second_arrival() {
        let mut room = with(&[(ANNA, 1)]);
        assert_eq!(room.enter(ANNA, 2, |s| *s == 2), Entered::Another);
        assert_eq!(room.enter(ANNA, 2, |s| *s == 2), Entered::Again);
        assert_eq!(room.enter(BEN, 3, |s| *s == 3), Entered::First);
        assert_eq!(room.sockets_of(ANNA), 2);
    }

    #[test]
    fn a_person_is_gone_with_the_last_device() {
        let mut room = with(&[(ANNA, 1), (ANNA, 2), (BEN, 3)]);
        assert_eq!(room.leave(|s| *s == 1), Left::One(1));
        assert_eq!(room.leave(|s| *s == 1), Left::Nobody);
        assert_eq!(room.leave(|s| *s == 2), Left::Last(ANNA, 2));
        assert!(room.settle(ANNA, false));
        assert!(!room.settle(ANNA, false), "told once");
        assert_eq!(room.people().collect::<Vec<_>>(), [BEN]);
        assert!(!room.is_empty());
    }

    #[test]
    fn a_person_is_here_from_the_first_node_on_to_the_last() {
        let mut room = with(&[(BEN, 3)]);
        assert_eq!(room.look_elsewhere(&[ANNA]), (vec![ANNA], vec![]));
        assert_eq!(room.enter(ANNA, 1, |s| *s == 1), Entered::FirstOfNode);
        assert_eq!(room.look_elsewhere(&[]), (vec![], vec![]));
        assert_eq!(room.look_elsewhere(&[ANNA]), (vec![], vec![]));
        assert_eq!(room.leave(|s| *s == 1), Left::Last(ANNA, 1));
        assert!(!room.settle(ANNA, true));
        assert_eq!(room.look_elsewhere(&[]), (vec![], vec![ANNA]));
        assert_eq!(room.enter(ANNA, 1, |s| *s == 1), Entered::First);
    }

    #[test]
    fn who_is_leaving_is_not_gone_before_that_is_settled() {
        let mut room = with(&[(ANNA, 1), (BEN, 3)]);
        room.leave(|s| *s == 1);
        assert_eq!(room.look_elsewhere(&[]), (vec![], vec![]), "others changed, not this");
        assert_eq!(room.enter(ANNA, 2, |s| *s == 2), Entered::FirstOfNode);
        assert!(!room.settle(ANNA, false), "is back");
        assert_eq!(room.sockets_of(ANNA), 1);
    }

    #[test]
    fn a_room_of_people_elsewhere_is_empty() {
        let mut room = with(&[(BEN, 3)]);
        room.look_elsewhere(&[ANNA]);
        room.leave(|s| *s == 3);
        assert!(room.settle(BEN, false));
        assert!(room.is_empty());
        assert_eq!(room.people().count(), 0);
    }

    #[test]
    fn a_person_is_put_out_with_all_devices() {
        let mut room = with(&[(ANNA, 1), (BEN, 3), (ANNA, 2)]);
        assert_eq!(room.evict(ANNA), (vec![1, 2], true));
        assert_eq!(room.evict(ANNA), (vec![], false));
        room.look_elsewhere(&[BEN]);
        assert_eq!(room.evict(BEN), (vec![3], false), "another node has to do the same");
        assert_eq!(room.look_elsewhere(&[]), (vec![], vec![BEN]));
        room.enter(BEN, 3, |s| *s == 3);
        assert!(!room.holds(|s| *s == 1));
        assert!(room.holds(|s| *s == 3));
    }
}
