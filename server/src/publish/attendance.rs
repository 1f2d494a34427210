//! Who is in a chat's room on this node, with how many sockets: pure.
//!
//! `user_joined` and `user_left` are about people, rooms are about sockets. This is the count
//! between the two (CONTRACT §2, `join_chat`: "when the user's count of sockets in the room goes
//! from 0 to 1").

use trialogue_protocol::UserId;

/// The sockets of one room, by person. A chat has three members at most, so lists are searched.
#[derive(Debug)]
pub(crate) struct Attendance<S> {
    people: Vec<Attendee<S>>,
}

#[derive(Debug)]
struct Attendee<S> {
    user_id: UserId,
    sockets: Vec<S>,
}

/// What entering changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entered {
    /// The first socket of this person.
    First,
    /// One more device of somebody who is here.
    Another,
    /// This socket was in already.
    Again,
}

/// What leaving changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Left<S> {
    /// That was the last socket of this person.
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
                person.sockets.push(socket);
                Entered::Another
            }
            None => {
                self.people.push(Attendee { user_id, sockets: vec![socket] });
                Entered::First
            }
        }
    }

    /// A socket goes.
    pub(crate) fn leave(&mut self, same: impl Fn(&S) -> bool) -> Left<S> {
        for (at, person) in self.people.iter_mut().enumerate() {
            let Some(found) = person.sockets.iter().position(&same) else { continue };
            let socket = person.sockets.swap_remove(found);
            if !person.sockets.is_empty() {
                return Left::One(socket);
            }
            return Left::Last(self.people.swap_remove(at).user_id, socket);
        }
        Left::Nobody
    }

    /// A person is put out with every socket; empty when the person was not here.
    pub(crate) fn evict(&mut self, user_id: UserId) -> Vec<S> {
        match self.people.iter().position(|person| person.user_id == user_id) {
            Some(at) => self.people.swap_remove(at).sockets,
            None => Vec::new(),
        }
    }

    /// The socket, if it is here.
    pub(crate) fn holds(&self, same: impl Fn(&S) -> bool) -> bool {
        self.people.iter().flat_map(|person| &person.sockets).any(same)
    }

    /// How many sockets a person has here.
    pub(crate) fn sockets_of(&self, user_id: UserId) -> usize {
        self.people.iter().find(|p| p.user_id == user_id).map_or(0, |p| p.sockets.len())
    }

    /// Who is here.
    pub(crate) fn people(&self) -> impl Iterator<Item = UserId> {
        self.people.iter().map(|person| person.user_id)
    }

    /// Nobody is here.
    pub(crate) fn is_empty(&self) -> bool {
        self.people.is_empty()
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
        assert_eq!(room.people().collect::<Vec<_>>(), [BEN]);
        assert!(!room.is_empty());
    }

    #[test]
    fn a_person_is_put_out_with_all_devices() {
        let mut room = with(&[(ANNA, 1), (BEN, 3), (ANNA, 2)]);
        assert_eq!(room.evict(ANNA), [1, 2]);
        assert_eq!(room.evict(ANNA), Vec::<u32>::new());
        assert!(!room.holds(|s| *s == 1));
        assert!(room.holds(|s| *s == 3));
    }
}
