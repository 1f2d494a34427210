//! Every client in every chat that it has to do with: what it was owed and what it got.
//!
//! About 500 bytes a client and chat, and sixteen more for every gap in what it got.

use rustc_hash::FxHashMap;

use crate::key::{ChatKey, ClientKey, Micros, UserKey};
use crate::messages::NEVER;
use crate::ranges::Ranges;

/// From where on a client is owed a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// From this seq on.
    Seq(u64),
    /// What is invoked after this moment, where nobody said a seq.
    Time(Micros),
}

/// While a client is in the room on one connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) from: From,
    pub(crate) joined_at: Micros,
    /// Highest seq that came in it.
    high: u64,
    /// What it had missed before has come: the stream has no holes below `high`.
    caught_up: bool,
}

/// A stream that must rise: the frames of a connection, the lines of an app, the messages of a
/// page.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stream {
    /// By slot.
    pub(crate) came: Ranges,
    /// Seq and number of the last message.
    pub(crate) last: Option<(u64, u32)>,
}

/// A client in a chat.
#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    pub(crate) client: ClientKey,
    pub(crate) chat: ChatKey,
    /// The connection that the frames are of.
    connection: u32,
    pub(crate) frames: Stream,
    pub(crate) lines: Stream,
    pub(crate) page: Stream,
    pub(crate) page_is_final: bool,
    /// Came by frames and catch-up pages, by slot.
    pub(crate) got: Ranges,
    /// Came by final reads, by slot.
    pub(crate) read: Ranges,
    /// A final read came to its end.
    pub(crate) read_done: bool,
    /// How far the chat is, by the final read.
    pub(crate) read_last: Option<u64>,
    /// Whether frames and pages were recorded, and not lines alone.
    pub(crate) records_frames: bool,
    pub(crate) joined: bool,
    pub(crate) window: Option<Window>,
    /// Owed by windows that are over, by seq and by time.
    pub(crate) owed: Ranges,
    pub(crate) owed_times: Vec<(Micros, Micros)>,
    /// First seq that it was owed since it last began anew.
    begin: Option<u64>,
    /// First and last seq of what it said to hold when it resumed.
    pub(crate) claimed: Option<(u64, u64)>,
    /// When the first and the last message came.
    pub(crate) first_at: Micros,
    pub(crate) last_at: Micros,
}

impl Receiver {
    fn new(client: ClientKey, chat: ChatKey) -> Self {
        Self {
            client,
            chat,
            connection: 0,
            frames: Stream::default(),
            lines: Stream::default(),
            page: Stream::default(),
            page_is_final: false,
            got: Ranges::default(),
            read: Ranges::default(),
            read_done: false,
            read_last: None,
            records_frames: false,
            joined: false,
            window: None,
            owed: Ranges::default(),
            owed_times: Vec::new(),
            begin: None,
            claimed: None,
            first_at: NEVER,
            last_at: 0,
        }
    }

    /// On another connection frames may come again: the server cannot know what arrived.
    pub(crate) fn on_connection(&mut self, connection: u32) {
        if self.connection != connection {
            self.connection = connection;
            self.frames = Stream::default();
        }
    }

    pub(crate) fn join(&mut self, at: Micros, since: Option<u64>, last_seq: Option<u64>) {
        self.leave(at);
        self.joined = true;
        let next = since.or(last_seq).map(|seq| seq.saturating_add(1));
        match (self.begin, since) {
            (Some(begin), Some(holds)) => {
                let last = self.claimed.map_or(holds, |(_, last)| last.max(holds));
                self.claimed = Some((begin, last));
            }
            (None, _) | (_, None) => self.begin = next,
        }
        let from = next.map_or(From::Time(at), From::Seq);
        let caught_up = since.is_none();
        self.window = Some(Window { from, joined_at: at, high: 0, caught_up });
    }

    /// It is in the room no longer: it is owed what lies below what came, since streams have no
    /// holes; what would have come next may be lost with the connection.
    pub(crate) fn leave(&mut self, at: Micros) {
        let Some(window) = self.window.take() else { return };
        match window.from {
            From::Seq(from) if window.caught_up => self.owed.insert_run(from, window.high),
            From::Seq(_) => {}
            From::Time(from) => self.owed_times.push((from, at)),
        }
    }

    /// A catch-up came to its end.
    pub(crate) fn catch_up(&mut self) {
        if let Some(window) = &mut self.window {
            window.caught_up = true;
        }
    }

    /// A message came.
    pub(crate) fn at(&mut self, at: Micros) {
        self.first_at = self.first_at.min(at);
        self.last_at = self.last_at.max(at);
    }

    /// A message at this seq came.
    pub(crate) fn reach(&mut self, seq: Option<u64>) {
        if let Some(window) = &mut self.window {
            window.high = window.high.max(seq.unwrap_or(0));
        }
    }
}

/// The last of one sender's messages in one stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SenderLast {
    connection: u32,
    rank: u64,
    message: u32,
}

/// All receivers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Receivers {
    pub(crate) all: Vec<Receiver>,
    index: FxHashMap<(ClientKey, ChatKey), u32>,
    /// By receiver, sender and whether these are lines: 32 bytes for every sender that a receiver
    /// hears.
    senders: FxHashMap<(u32, UserKey, bool), SenderLast>,
}

impl Receivers {
    pub(crate) fn find_or_add(&mut self, client: ClientKey, chat: ChatKey) -> (u32, bool) {
        if let Some(found) = self.index.get(&(client, chat)) {
            return (*found, false);
        }
        let number = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.index.insert((client, chat), number);
        self.all.push(Receiver::new(client, chat));
        (number, true)
    }

    pub(crate) fn get(&self, number: u32) -> &Receiver {
        &self.all[number as usize]
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> &mut Receiver {
        &mut self.all[number as usize]
    }

    /// The next message of a sender in a stream; the one before it, when it does not rise.
    pub(crate) fn next_of_sender(
        &mut self,
        receiver: u32,
        sender: UserKey,
        is_line: bool,
        (rank, message): (u64, u32),
    ) -> Option<(u64, u32)> {
        // Lines outlive connections.
        let connection = if is_line { 0 } else { self.get(receiver).connection };
        let next = SenderLast { connection, rank, message };
        let before = self.senders.insert((receiver, sender, is_line), next)?;
        let falls = before.connection == connection && before.rank >= rank;
        falls.then_some((before.rank, before.message))
    }
}
