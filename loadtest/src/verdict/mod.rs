//! Decides what was lost, doubled, misordered or leaked, from cursors and gap sets: what is kept
//! grows with what is under way, not with what was delivered. Pure; the rules are the checker's,
//! and a test tells both the same histories.

mod back;
mod ends;
mod heard;
mod pages;
mod sights;
#[cfg(test)]
mod tests;
mod words;

use std::collections::{BTreeMap, VecDeque};

use trialogue_checker::Micros;

use back::{Back, Place};
use heard::Heard;

pub use pages::{Asked, Book, Key, Line};
pub use words::{Counts, EXAMPLES_MAX, Example, Fault};

/// What the server promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// It acknowledges what it has stored.
    pub acks: bool,
    /// The sending socket gets its own message, too.
    pub own_echo: bool,
    /// Nobody else speaks in the rooms: what is not of this run is a phantom, and not a stranger's.
    pub only_ours: bool,
    /// Later than this after its acknowledgement (or its sending, without any) is late.
    pub late_max: Micros,
}

/// What became of a message at its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Pending,
    Stored,
    Refused,
    /// Its sender's connection ended before an answer came: stored or not, and owed once it was seen.
    Unknown,
}

/// How a message came to a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Live,
    CatchUp,
}

/// A message that is under way.
#[derive(Debug, Clone, Copy)]
struct Sent {
    intended: Micros,
    written: Micros,
    acked: Micros,
    first: Micros,
    last: Micros,
    /// As the first receiver was told; 0 when nobody was.
    seq: u64,
    owed: u32,
    got: u32,
    size: u32,
    state: State,
    recorded: bool,
}

#[derive(Debug, Clone, Default)]
struct Sender {
    room: u32,
    /// Which of the room's senders, and which member: the same number.
    place: u32,
    /// Number of the first in `sent`.
    first: u32,
    sent: VecDeque<Sent>,
    /// Incomplete ones before that, so that one that never comes does not keep all that follow it.
    stuck: BTreeMap<u32, Sent>,
    /// Refusals that did not say of what.
    refusals: u64,
}

#[derive(Debug, Clone, Default)]
struct Member {
    room: u32,
    up: bool,
    /// Away, at a server that tells nothing of what is missed.
    is_gone: bool,
    place: Place,
    last_seq: u64,
    /// The highest place that it knows of, however that came.
    known: u64,
    /// It has been away.
    back: Option<Box<Back>>,
    /// By sender of the room.
    heard: Vec<Heard>,
}

#[derive(Debug, Clone, Copy)]
struct Room {
    first_member: u32,
    members: u32,
    first_sender: u32,
    senders: u32,
    up: u32,
    gone: u32,
}

/// Something about a message that is worth a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// When it should have been sent, and when it was.
    pub intended: Micros,
    /// See `intended`.
    pub written: Micros,
    /// Whether its figures count.
    pub recorded: bool,
    /// When everybody has it: when the first and the last receiver got it.
    pub settled: Option<(Micros, Micros)>,
}

/// Judges what happens at one worker.
#[derive(Debug, Clone)]
pub struct Judge {
    rules: Rules,
    worker: u32,
    rooms: Vec<Room>,
    members: Vec<Member>,
    senders: Vec<Sender>,
    counts: Counts,
    examples: Vec<Example>,
    /// Messages that are kept.
    under_way: usize,
    /// Deliveries that are owed and have not come, of what was not refused.
    awaited: u64,
    /// Deliveries still came when nothing was waited for any more.
    still_coming: bool,
}

impl Judge {
    /// For a worker of this number.
    pub fn new(rules: Rules, worker: u32) -> Self {
        Self {
            rules,
            worker,
            rooms: Vec::new(),
            members: Vec::new(),
            senders: Vec::new(),
            counts: Counts::default(),
            examples: Vec::new(),
            under_way: 0,
            awaited: 0,
            still_coming: false,
        }
    }

    /// One more room, whose first members are its senders. Members and senders of all rooms are
    /// numbered through.
    pub fn add_room(&mut self, members: u32, senders: u32) {
        let room = count(self.rooms.len());
        let (first_member, first_sender) = (count(self.members.len()), count(self.senders.len()));
        let heard = || vec![Heard::default(); senders as usize];
        let member = || Member { room, heard: heard(), ..Member::default() };
        self.members.extend((0..members).map(|_| member()));
        let sender = |place| Sender { room, place, ..Sender::default() };
        self.senders.extend((0..senders.min(members)).map(sender));
        let (up, gone) = (0, 0);
        self.rooms.push(Room { first_member, members, first_sender, senders, up, gone });
    }

    /// What happened so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// For what is counted and not judged.
    pub(crate) fn counts_mut(&mut self) -> &mut Counts {
        &mut self.counts
    }

    /// Cases of what is wrong, the first of each.
    pub fn examples(&self) -> &[Example] {
        &self.examples
    }

    /// Messages that are kept because something of them has not come.
    pub fn under_way(&self) -> usize {
        self.under_way
    }

    /// Whether nothing is awaited any more: no delivery, and no answer to a send.
    pub fn is_settled(&self) -> bool {
        let counts = &self.counts;
        let answered = counts.acked + counts.refused + counts.unanswered >= counts.sent;
        self.awaited == 0 && (answered || !self.rules.acks)
    }

    /// The member that a sender is.
    pub fn member_of(&self, sender: u32) -> u32 {
        let sender = &self.senders[sender as usize];
        self.rooms[sender.room as usize].first_member + sender.place
    }

    /// Which sender a member is, if it is one.
    pub fn sender_of(&self, member: u32) -> Option<u32> {
        let room = &self.rooms[self.members[member as usize].room as usize];
        let place = member - room.first_member;
        (place < room.senders).then_some(room.first_sender + place)
    }

    /// How many rooms there are.
    pub fn rooms(&self) -> u32 {
        count(self.rooms.len())
    }

    /// The room of a sender.
    pub fn room_of(&self, sender: u32) -> u32 {
        self.senders[sender as usize].room
    }

    /// The senders of a room.
    pub fn senders_of(&self, room: u32) -> std::ops::Range<u32> {
        let room = &self.rooms[room as usize];
        room.first_sender..room.first_sender + room.senders
    }

    /// A member was let into its room: from here on everything is owed.
    pub fn join(&mut self, member: u32) {
        let at = &mut self.members[member as usize];
        at.place = Place::In;
        self.rooms[at.room as usize].gone -= u32::from(std::mem::take(&mut at.is_gone));
        if at.up {
            return;
        }
        at.up = true;
        at.last_seq = 0;
        let room = &mut self.rooms[at.room as usize];
        room.up += 1;
        let senders = room.first_sender..room.first_sender + room.senders;
        for (heard, sender) in at.heard.iter_mut().zip(senders) {
            let sender = &self.senders[sender as usize];
            *heard = Heard::begin(sender.first + count(sender.sent.len()));
        }
    }

    /// A member's connection is gone: whether what was under way would have come is not known.
    pub fn down(&mut self, member: u32) {
        if !self.members[member as usize].up {
            return;
        }
        self.members[member as usize].up = false;
        self.abandon(member);
        let room = self.members[member as usize].room;
        self.rooms[room as usize].up -= 1;
        for number in self.senders_of(room) {
            let place = self.senders[number as usize].place as usize;
            if !self.rules.own_echo && self.member_of(number) == member {
                continue;
            }
            let heard = &self.members[member as usize].heard[place];
            let sender = &mut self.senders[number as usize];
            let kept = (sender.first..).zip(&mut sender.sent);
            let stuck = sender.stuck.iter_mut().map(|(n, sent)| (*n, sent));
            for (n, sent) in stuck.chain(kept) {
                if heard.misses(n) && sent.owed > sent.got {
                    sent.owed -= 1;
                    self.counts.indeterminate += 1;
                    self.awaited -= u64::from(sent.state != State::Refused);
                }
            }
            self.retire_all(number);
        }
    }

    /// Senders of all rooms.
    pub fn senders(&self) -> u32 {
        count(self.senders.len())
    }

    /// A message goes out; answers its number. `intended` and `written` are the moments.
    pub fn sent(&mut self, sender: u32, size: u32, recorded: bool, at: (Micros, Micros)) -> u32 {
        let member = self.member_of(sender);
        let of = &mut self.senders[sender as usize];
        let own = !self.rules.own_echo && self.members[member as usize].up;
        let owed = self.rooms[of.room as usize].up - u32::from(own);
        let n = of.first + count(of.sent.len());
        of.sent.push_back(Sent {
            intended: at.0,
            written: at.1,
            acked: 0,
            first: Micros::MAX,
            last: 0,
            seq: 0,
            owed,
            got: 0,
            size,
            state: State::Pending,
            recorded,
        });
        self.counts.sent += 1;
        self.counts.missed += u64::from(self.rooms[of.room as usize].gone);
        self.under_way += 1;
        self.awaited += u64::from(owed);
        if owed == 0 {
            self.retire(sender, n);
        }
        n
    }

    /// The system has taken the last byte of it.
    pub fn written(&mut self, sender: u32, n: u32, at: Micros) {
        if let Some(sent) = self.senders[sender as usize].get_mut(n) {
            sent.written = at;
        }
    }

    /// The server has stored it; answers the intended moment, if its figures count.
    pub fn acked(&mut self, sender: u32, n: u32, at: Micros) -> Option<Micros> {
        let sent = self.senders.get_mut(sender as usize)?.get_mut(n)?;
        if sent.state != State::Pending {
            return None;
        }
        sent.state = State::Stored;
        sent.acked = at.max(1);
        let intended = sent.recorded.then_some(sent.intended);
        self.counts.acked += 1;
        self.retire(sender, n);
        intended
    }

    /// The server will not store it; `limited` because there were too many.
    pub fn refused(&mut self, sender: u32, n: u32, limited: bool, at: Micros) {
        let Some(sent) = self.senders.get_mut(sender as usize).and_then(|one| one.get_mut(n))
        else {
            return;
        };
        if sent.state != State::Pending {
            return;
        }
        sent.state = State::Refused;
        let (got, owed) = (sent.got, sent.owed);
        self.awaited -= u64::from(owed - got.min(owed));
        self.counts.refused += 1;
        self.counts.limited += u64::from(limited);
        if got > 0 {
            let member = self.member_of(sender);
            self.wrong(Fault::Phantom, member, at, || {
                format!("message {n} of sender {sender} came to {got} and was refused")
            });
            // One case was counted just now.
            self.counts.faults[Fault::Phantom as usize] += u64::from(got) - 1;
        }
        self.retire(sender, n);
    }

    /// The server refused something of this member, without saying what.
    pub fn refused_somehow(&mut self, member: u32, limited: bool) {
        if let Some(sender) = self.sender_of(member) {
            self.senders[sender as usize].refusals += 1;
            self.counts.refused += 1;
            self.counts.limited += u64::from(limited);
        }
    }

    fn wrong(&mut self, fault: Fault, member: u32, at: Micros, text: impl FnOnce() -> String) {
        let cases = &mut self.counts.faults[fault as usize];
        *cases += 1;
        if *cases <= EXAMPLES_MAX as u64 {
            let room = self.members[member as usize].room;
            let member = member - self.rooms[room as usize].first_member;
            let (worker, text) = (self.worker, text());
            self.examples.push(Example { fault, worker, room, member, at, text });
        }
    }
}

impl Sender {
    fn get_mut(&mut self, n: u32) -> Option<&mut Sent> {
        match n.checked_sub(self.first) {
            Some(at) => self.sent.get_mut(at as usize),
            None => self.stuck.get_mut(&n),
        }
    }
}

/// Rooms, members and messages of a sender are fewer than 2^32.
fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
