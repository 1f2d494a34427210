//! What happened, one operation each: small, without text, ready for a channel between threads.

use crate::key::{ChatKey, ClientKey, Micros, Print, UserKey};

/// Who saw or did something, where and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct By {
    /// When, by the clock of the run.
    pub at: Micros,
    /// Who.
    pub client: ClientKey,
    /// In which chat.
    pub chat: ChatKey,
}

/// What somebody was told of a message, or what a table holds of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// The message itself: the print of its body, which a nonce makes unlike all others.
    pub message: Print,
    /// Its place in the chat, from 1; absent where a server numbers nothing (and 0 is absent).
    pub seq: Option<u64>,
    /// The server's name for it.
    pub id: Option<Print>,
    /// The author's own name for it.
    pub cmid: Option<Print>,
    /// Who wrote it.
    pub author: Option<UserKey>,
    /// The author's running number of it in this chat, where its text carries one: the order of
    /// one sender can then be judged on servers that number nothing.
    pub nth: Option<u64>,
}

impl Copied {
    /// Nothing but the message itself is known.
    pub fn of(message: Print) -> Self {
        Self { message, seq: None, id: None, cmid: None, author: None, nth: None }
    }

    /// At this place of its chat.
    #[must_use]
    pub fn at(self, seq: u64) -> Self {
        Self { seq: Some(seq), ..self }
    }

    /// Written by this user.
    #[must_use]
    pub fn by(self, author: UserKey) -> Self {
        Self { author: Some(author), ..self }
    }
}

/// Since when and until when somebody is in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// First seq that the member must be able to read: its start point. 1: the whole history.
    pub from: u64,
    /// Last seq that was stored before the member came; notifications are owed after it.
    pub added_seq: u64,
    /// Last seq that was stored before the member was removed; none while it is in the chat.
    pub removed_seq: Option<u64>,
    /// When it came.
    pub added: Micros,
    /// When it was removed.
    pub removed: Option<Micros>,
}

/// A member from the beginning to the end.
impl Default for Membership {
    fn default() -> Self {
        Self { from: 1, added_seq: 0, removed_seq: None, added: 0, removed: None }
    }
}

/// Something that a history tells.
///
/// The operations of one client must come in the order in which they happened. Between clients,
/// and for rows of tables, any order gives the same report; the order of time costs least memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// A connection of a client begins: the server's greeting was received. Without one, a client
    /// is a user of its own name on one connection.
    Open {
        /// When.
        at: Micros,
        /// Whose.
        client: ClientKey,
        /// On whose behalf.
        user: UserKey,
    },
    /// The client's connection ended.
    Down {
        /// When.
        at: Micros,
        /// Whose.
        client: ClientKey,
    },
    /// A join was granted: from here on the client is owed the chat.
    Join {
        /// Who, where, when.
        by: By,
        /// The client resumes: it holds everything up to this seq and asked for the rest. It is
        /// owed the rest from the first page of it that says that there is no more.
        since: Option<u64>,
        /// How far the chat was. A client that does not resume is owed what comes after it; when
        /// this is absent too, what is invoked after the join.
        last_seq: Option<u64>,
    },
    /// It left the room by its own will.
    Leave(By),
    /// It was put out of the room.
    Evict(By),
    /// A send begins: recorded before its first byte leaves. A retry is another one, with the
    /// same message.
    Invoke {
        /// Who, where, when.
        by: By,
        /// What.
        message: Print,
        /// Its author's own name for it.
        cmid: Option<Print>,
    },
    /// The server said that it is stored.
    Ok {
        /// Who, where, when.
        by: By,
        /// As the acknowledgement told it.
        copy: Copied,
        /// Whether an independent database connection saw the row at this moment, if it looked.
        stored: Option<bool>,
    },
    /// The server said that it is certainly not stored.
    Fail {
        /// Who, where, when.
        by: By,
        /// What.
        message: Print,
    },
    /// Nobody knows: a time-out, a broken connection, `outcome_unknown`.
    Info {
        /// Who, where, when.
        by: By,
        /// What.
        message: Print,
    },
    /// A frame with the message came over the client's connection.
    Recv {
        /// Who, where, when.
        by: By,
        /// As the frame told it.
        copy: Copied,
        /// Whether an independent database connection saw the row at this moment, if it looked.
        stored: Option<bool>,
    },
    /// The app showed it to its user: a line on its screen.
    Show {
        /// Who, where, when.
        by: By,
        /// As it is shown.
        copy: Copied,
    },
    /// A page of history begins; its messages follow as [`Op::Read`], ascending.
    Page {
        /// Who, where, when.
        by: By,
        /// A part of the final read, after everything has come to rest; else of a catch-up.
        is_final: bool,
        /// Whether the server holds more than this page in its direction.
        more: bool,
        /// How far the chat is, if the page says so.
        last_seq: Option<u64>,
    },
    /// A message of the page that this client began last in this chat.
    Read {
        /// Who, where, when.
        by: By,
        /// As the page told it.
        copy: Copied,
    },
    /// The canary of this chat was found in bytes that are no message of it: in an error, a
    /// notification, a log. Logs are clients of users that are in no chat.
    Canary(By),
    /// A row of the table of messages, by an independent connection after everything.
    Row {
        /// Of which chat.
        chat: ChatKey,
        /// What it holds.
        copy: Copied,
    },
    /// The chat's row, by the same connection: all rows of its messages are in the history.
    Chat {
        /// Which.
        chat: ChatKey,
        /// Its counter.
        last_seq: u64,
    },
    /// Who truly belongs to a chat: from the table of members, or from the plan of the test.
    Member {
        /// Which chat.
        chat: ChatKey,
        /// Who.
        user: UserKey,
        /// Since when, until when.
        membership: Membership,
    },
    /// A row of the table of notifications: this user is told of this message.
    Note {
        /// Which chat.
        chat: ChatKey,
        /// Who is told.
        user: UserKey,
        /// Of the message at this seq.
        seq: u64,
    },
    /// A fault was fired, or is over: the server is ready again, the line is clear. A fault that
    /// is never over lasts to the end.
    Fault {
        /// When.
        at: Micros,
        /// Which one.
        fault: Print,
        /// Whether it ends.
        over: bool,
    },
}
