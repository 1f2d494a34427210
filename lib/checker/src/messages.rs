//! Every message of the run, once: who tried to send it, what became of that, and where it stands.
//!
//! About 150 bytes a message, whoever received it.

use rustc_hash::FxHashMap;

use crate::key::{ChatKey, ClientKey, Micros, Print, UserKey};
use crate::op::Copied;

/// Later than every moment.
pub(crate) const NEVER: Micros = Micros::MAX;

/// Where a message stands and what the server calls it; 0 is unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) seq: u64,
    pub(crate) id: u64,
}

impl Place {
    pub(crate) fn of(copy: &Copied) -> Self {
        Self { seq: copy.seq.unwrap_or(0), id: copy.id.map_or(0, Print::number) }
    }

    /// Whether both may speak of one place, as far as both know.
    pub(crate) fn agrees(self, other: Self) -> bool {
        let same = |a: u64, b: u64| a == 0 || b == 0 || a == b;
        same(self.seq, other.seq) && same(self.id, other.id)
    }
}

/// A message.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) chat: ChatKey,
    /// Its number among the messages of the chat, in the order in which they came up: what sets
    /// of messages are made of.
    pub(crate) slot: u32,
    pub(crate) print: Print,
    pub(crate) author: Option<UserKey>,
    /// The client that tried first, on its which connection, and as which of its tries.
    pub(crate) by: Option<ClientKey>,
    pub(crate) connection: u32,
    pub(crate) turn: u32,
    /// 0 when it has none.
    pub(crate) cmid: u64,
    pub(crate) invokes: u32,
    pub(crate) fails: u32,
    pub(crate) infos: u32,
    /// When the first try began and the last one ended; [`NEVER`] when none did.
    pub(crate) invoked_at: Micros,
    pub(crate) done_at: Micros,
    pub(crate) ok_at: Micros,
    /// As it was told first, by whomever.
    pub(crate) told: Place,
    /// Its first row in the table.
    pub(crate) row: Place,
    pub(crate) has_row: bool,
    /// Somebody received it, read it or was shown it.
    pub(crate) seen: bool,
    /// It was told with two names of its author's.
    pub(crate) renamed: bool,
    /// It was told with two authors.
    pub(crate) reauthored: bool,
}

impl Message {
    pub(crate) fn is_acked(&self) -> bool {
        self.ok_at != NEVER
    }

    /// Every try was refused: it must never be seen.
    pub(crate) fn is_failed(&self) -> bool {
        self.invokes > 0 && self.fails >= self.invokes
    }
}

/// The same message told in another way than it was first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Telling {
    pub(crate) message: u32,
    pub(crate) place: Place,
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Messages {
    pub(crate) all: Vec<Message>,
    index: FxHashMap<(ChatKey, Print), u32>,
    /// Normally none.
    pub(crate) tellings: Vec<Telling>,
}

impl Messages {
    /// The message's number; `slots` are how many its chat has, when it is new.
    pub(crate) fn find_or_add(&mut self, chat: ChatKey, print: Print, slots: u32) -> (u32, bool) {
        if let Some(found) = self.index.get(&(chat, print)) {
            return (*found, false);
        }
        let number = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.index.insert((chat, print), number);
        self.all.push(Message {
            chat,
            slot: slots,
            print,
            author: None,
            by: None,
            connection: 0,
            turn: 0,
            cmid: 0,
            invokes: 0,
            fails: 0,
            infos: 0,
            invoked_at: NEVER,
            done_at: NEVER,
            ok_at: NEVER,
            told: Place::default(),
            row: Place::default(),
            has_row: false,
            seen: false,
            renamed: false,
            reauthored: false,
        });
        (number, true)
    }

    pub(crate) fn get(&self, number: u32) -> &Message {
        &self.all[number as usize]
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> &mut Message {
        &mut self.all[number as usize]
    }

    /// Somebody was told of it.
    pub(crate) fn tell(&mut self, number: u32, copy: &Copied) {
        let place = Place::of(copy);
        let message = &mut self.all[number as usize];
        message.name(copy.cmid, copy.author);
        if message.told.agrees(place) {
            if message.told.seq == 0 {
                message.told.seq = place.seq;
            }
            if message.told.id == 0 {
                message.told.id = place.id;
            }
        } else {
            self.tellings.push(Telling { message: number, place });
        }
    }
}

impl Message {
    /// It is said to have this name and this author.
    pub(crate) fn name(&mut self, cmid: Option<Print>, author: Option<UserKey>) {
        if let Some(cmid) = cmid.map(Print::number) {
            self.renamed |= self.cmid != 0 && self.cmid != cmid;
            self.cmid = if self.cmid == 0 { cmid } else { self.cmid };
        }
        if author.is_some() {
            self.reauthored |= self.author.is_some() && self.author != author;
            self.author = self.author.or(author);
        }
    }
}
