//! A line of a history.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{NAME_BYTES_MAX, ROWS_MAX, SEQ_MAX};
use crate::key::Micros;

/// What a line tells: the `op` of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpName {
    /// A send begins: [`Op::Invoke`](crate::Op::Invoke).
    #[default]
    Invoke,
    /// It is stored: [`Op::Ok`](crate::Op::Ok).
    Ok,
    /// It is certainly not stored: [`Op::Fail`](crate::Op::Fail).
    Fail,
    /// Nobody knows: [`Op::Info`](crate::Op::Info).
    Info,
    /// A frame came: [`Op::Recv`](crate::Op::Recv).
    Recv,
    /// The app showed a line: [`Op::Show`](crate::Op::Show).
    Show,
    /// A page of history came: [`Op::Page`](crate::Op::Page) and [`Op::Read`](crate::Op::Read).
    Page,
    /// A connection begins: [`Op::Open`](crate::Op::Open).
    Open,
    /// It ended: [`Op::Down`](crate::Op::Down).
    Down,
    /// A join was granted: [`Op::Join`](crate::Op::Join).
    Join,
    /// The room was left: [`Op::Leave`](crate::Op::Leave).
    Leave,
    /// The client was put out: [`Op::Evict`](crate::Op::Evict).
    Evict,
    /// A canary was found: [`Op::Canary`](crate::Op::Canary).
    Canary,
    /// A row of a message: [`Op::Row`](crate::Op::Row).
    Row,
    /// A row of a chat: [`Op::Chat`](crate::Op::Chat).
    Chat,
    /// A row of a member: [`Op::Member`](crate::Op::Member).
    Member,
    /// A row of a notification: [`Op::Note`](crate::Op::Note).
    Note,
    /// A fault was fired, or is over: [`Op::Fault`](crate::Op::Fault).
    Fault,
}

/// A name, an id or a digest: 1 to [`NAME_BYTES_MAX`] bytes without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Name<'a> {
    /// Without a copy.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a str> for Name<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<String> for Name<'_> {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

/// A message in a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry<'a> {
    /// See [`Line::seq`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// See [`Line::id`].
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Name<'a>>,
    /// See [`Line::h`].
    #[serde(borrow)]
    pub h: Name<'a>,
    /// See [`Line::cmid`].
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub cmid: Option<Name<'a>>,
    /// See [`Line::sender`].
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<Name<'a>>,
    /// See [`Line::nth`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
}

macro_rules! line {
    ($($(#[doc = $doc:literal])+ $(#[serde($serde:ident)])? $name:ident: $type:ty,)+) => {
        /// A line as it is written and read. Each `op` takes some of the fields and no others;
        /// the crate's page has an example of each.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Line<'a> {
            /// What it tells.
            pub op: OpName,
            $(
                $(#[doc = $doc])+
                #[serde($($serde,)? default, skip_serializing_if = "Option::is_none")]
                pub $name: Option<$type>,
            )+
        }
    };
}

line! {
    /// When, microseconds of the run's clock. Rows of tables may do without.
    t: Micros,
    /// Which run of an app: see [`ClientKey`](crate::ClientKey).
    #[serde(borrow)]
    client: Name<'a>,
    /// Which chat.
    #[serde(borrow)]
    chat: Name<'a>,
    /// Which user: of a connection, a member, a notification.
    #[serde(borrow)]
    user: Name<'a>,
    /// The author's own name for a message.
    #[serde(borrow)]
    cmid: Name<'a>,
    /// Its place in the chat, from 1.
    seq: u64,
    /// The server's name for it.
    #[serde(borrow)]
    id: Name<'a>,
    /// A digest of its body, which a nonce makes unlike all others: [`Print::parse`](crate::Print::parse).
    #[serde(borrow)]
    h: Name<'a>,
    /// The user who wrote it.
    #[serde(borrow)]
    sender: Name<'a>,
    /// The author's running number of it in this chat: [`Copied::nth`](crate::Copied::nth).
    nth: u64,
    /// Whether an independent database connection saw its row at this moment.
    stored: bool,
    /// What a resuming client holds: [`Op::Join`](crate::Op::Join).
    since: u64,
    /// How far the chat is; of a chat's row: its counter.
    last_seq: u64,
    /// The page is a part of the final read.
    is_final: bool,
    /// The server has more than this page in its direction.
    more: bool,
    /// The messages of a page, ascending.
    #[serde(borrow)]
    rows: Vec<Entry<'a>>,
    /// Of a fault.
    #[serde(borrow)]
    name: Name<'a>,
    /// The fault ends.
    over: bool,
    /// See [`Membership::from`](crate::Membership::from).
    from: u64,
    /// See [`Membership::added_seq`](crate::Membership::added_seq).
    added_seq: u64,
    /// See [`Membership::removed_seq`](crate::Membership::removed_seq).
    removed_seq: u64,
    /// See [`Membership::added`](crate::Membership::added).
    added: Micros,
    /// See [`Membership::removed`](crate::Membership::removed).
    removed: Micros,
}

/// Why a line is none.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Not JSON, or JSON of another shape.
    #[error("{}", json_words(.0))]
    Json(#[from] serde_json::Error),
    /// The op needs a field.
    #[error("{} needs `{field}`", op.word())]
    Missing {
        /// Which op.
        op: OpName,
        /// Which field.
        field: &'static str,
    },
    /// The op has no such field.
    #[error("{} has no `{field}`", op.word())]
    Odd {
        /// Which op.
        op: OpName,
        /// Which field.
        field: &'static str,
    },
    /// A name is empty, too long, or has control characters.
    #[error("`{0}` must be 1 to {NAME_BYTES_MAX} bytes without control characters")]
    Name(&'static str),
    /// A seq that no message can have.
    #[error("`{0}` must be 1 to {SEQ_MAX}")]
    Seq(&'static str),
    /// A counter that no chat can have.
    #[error("`{0}` must be at most {SEQ_MAX}")]
    Counter(&'static str),
    /// A page is too long.
    #[error("a page has at most {ROWS_MAX} messages")]
    Rows,
    /// A plan in the middle of a file.
    #[error("a plan is the first line of its file")]
    PlanNotFirst,
}

/// What is wrong with it, and where in the line: it is one line of many.
fn json_words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let words = text.rsplit_once(" at line ").map_or(text.as_str(), |(words, _)| words);
    format!("{words} (column {})", error.column())
}

impl OpName {
    fn word(self) -> String {
        // The names of the variants are the words, with a capital.
        format!("{self:?}").to_lowercase()
    }
}
