//! What one chat shows: stored messages in their order, own messages on their way, who is there.
//!
//! A place in it is the name of a row, never a line number: rows may come above and below without
//! moving what is looked at.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use chrono::{DateTime, Utc};
use trialogue_client::people::Person;
use trialogue_client::session::Kept;
use trialogue_protocol::{ClientMessageId, Message, Seq, UserId};

use crate::text;

pub use super::row::{Fault, Pending, Row, Said, State};

/// Rows kept of one chat (100,000): what a person can scroll through in a day.
pub const ROWS_MAX: usize = 100_000;
/// Bytes of text kept of one chat (16 MiB). Only the chat on the screen is ever so long: see
/// [`ROWS_ASIDE_MAX`].
pub const BYTES_MAX: usize = 16 * 1024 * 1024;
/// Rows of a chat that is not on the screen (500): the rest comes again when it is opened.
pub const ROWS_ASIDE_MAX: usize = 500;
/// Bytes of text of a chat that is not on the screen (256 KiB): sixteen rooms are 4 MiB.
pub const BYTES_ASIDE_MAX: usize = 256 * 1024;
/// Rows (3) above what is looked at that say whether day, time and name stand there again.
const ROWS_ABOVE: i64 = 3;

/// The name of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spot {
    /// A row of the chat, by a number that stays with it.
    Row(i64),
    /// An own message on its way.
    Pending(ClientMessageId),
}

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Scroll {
    /// The end, wherever it goes.
    #[default]
    Bottom,
    /// This row at the top, without its first lines.
    Top {
        /// The row.
        spot: Spot,
        /// Lines of it above the pane.
        skip: usize,
    },
}

/// Whether there is more above.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Older {
    /// Perhaps.
    #[default]
    More,
    /// Asked for then.
    Loading(Duration),
    /// Could not be had.
    Failed,
    /// Here is the beginning.
    None,
}

/// Whether the user is in the room.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Joined {
    /// On the way.
    #[default]
    Joining,
    /// In it.
    Yes,
    /// Not let in, harmless words.
    Refused(String),
    /// Entering would accept an invitation.
    Invited,
}

/// Where the user looks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Eye {
    /// What is looked at.
    pub scroll: Scroll,
    /// The row under the cursor.
    pub selected: Option<Spot>,
    /// Messages that came below what is looked at.
    pub below: u64,
    /// The first new row comes to the top as soon as it is here.
    pub seeks: bool,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// What the chat has.
    rows: VecDeque<Row>,
    /// The name of the first row.
    first: i64,
    /// Bytes of text in the rows.
    bytes: usize,
    /// Own messages on their way.
    pub pending: Vec<Pending>,
    /// Who is in it.
    pub people: BTreeMap<UserId, Person>,
    /// Whether there is more above.
    pub older: Older,
    /// Whether the user is in the room.
    pub joined: Joined,
    /// Where the user looks.
    pub eye: Eye,
    /// The first row that was new.
    pub new_from: Option<i64>,
    /// How far the user had read when the chat was opened; rows after it are new.
    pub mark: Option<Seq>,
    /// How far the user has told the server to have read: a row's name.
    pub read_to: Option<i64>,
}

impl Log {
    /// Rows and own messages together.
    pub fn len(&self) -> usize {
        self.rows.len() + self.pending.len()
    }

    /// Nothing is here.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows of the chat itself.
    pub fn rows(&self) -> &VecDeque<Row> {
        &self.rows
    }

    /// The row at a place.
    pub fn row(&self, at: usize) -> Option<&Row> {
        self.rows.get(at)
    }

    /// The own message at a place.
    pub fn pending_at(&self, at: usize) -> Option<&Pending> {
        self.pending.get(at.checked_sub(self.rows.len())?)
    }

    /// The place of a name.
    pub fn place_of(&self, spot: &Spot) -> Option<usize> {
        match spot {
            Spot::Row(name) => {
                let at = usize::try_from(name - self.first).ok()?;
                (at < self.rows.len()).then_some(at)
            }
            Spot::Pending(id) => {
                let at = self.pending.iter().position(|pending| pending.id == *id)?;
                Some(self.rows.len() + at)
            }
        }
    }

    /// The place of a row at the top of the pane; of one that was let go meanwhile, the oldest.
    pub fn top_of(&self, spot: &Spot) -> Option<usize> {
        let went = matches!(spot, Spot::Row(name) if *name < self.first);
        self.place_of(spot).or_else(|| (went && !self.rows.is_empty()).then_some(0))
    }

    /// The name of a place.
    pub fn spot_at(&self, at: usize) -> Option<Spot> {
        if at < self.rows.len() {
            return Some(Spot::Row(self.name_at(at)));
        }
        self.pending_at(at).map(|pending| Spot::Pending(pending.id.clone()))
    }

    fn name_at(&self, at: usize) -> i64 {
        self.first.saturating_add(i64::try_from(at).unwrap_or(i64::MAX))
    }

    /// The name of the last row.
    pub fn last_name(&self) -> Option<i64> {
        self.rows.len().checked_sub(1).map(|at| self.name_at(at))
    }

    /// The `seq` of the last message that has one.
    pub fn last_seq(&self) -> Option<Seq> {
        self.rows.iter().rev().find_map(|row| row.said()?.seq)
    }

    /// The `seq` of the first message that has one.
    pub fn first_seq(&self) -> Option<Seq> {
        self.rows.iter().find_map(|row| row.said()?.seq)
    }

    /// A row at the end; answers its name.
    pub fn push(&mut self, row: Row) -> i64 {
        self.bytes += row.bytes();
        self.rows.push_back(row);
        self.trim(ROWS_MAX, BYTES_MAX);
        self.last_name().unwrap_or(self.first)
    }

    /// Lets the oldest rows go, as far as nobody looks at them: whoever reads among them keeps what
    /// is looked at, up to twice the bounds.
    fn trim(&mut self, rows_max: usize, bytes_max: usize) {
        let eye = match &self.eye.scroll {
            Scroll::Top { spot: Spot::Row(name), .. } => Some(*name),
            Scroll::Top { .. } | Scroll::Bottom => None,
        };
        while (self.rows.len() > rows_max || self.bytes > bytes_max) && self.rows.len() > 1 {
            let is_seen = eye.is_some_and(|eye| self.first.saturating_add(ROWS_ABOVE) >= eye);
            if is_seen && self.rows.len() <= 2 * rows_max && self.bytes <= 2 * bytes_max {
                break;
            }
            if let Some(row) = self.rows.pop_front() {
                self.bytes -= row.bytes();
            }
            self.first += 1;
            self.older = Older::More;
        }
    }

    /// Nobody looks: only the end is kept.
    pub fn shorten(&mut self) {
        self.trim(ROWS_ASIDE_MAX, BYTES_ASIDE_MAX);
    }

    /// The chat leaves the screen: the end of it is kept.
    pub fn put_aside(&mut self) {
        self.eye = Eye::default();
        (self.new_from, self.mark) = (None, None);
        self.shorten();
    }

    /// Rows above the first one, ascending.
    pub fn prepend(&mut self, rows: Vec<Row>) {
        for row in rows.into_iter().rev() {
            // What is looked at now is worth more than what would fall out below.
            if self.rows.len() >= ROWS_MAX || self.bytes + row.bytes() > 2 * BYTES_MAX {
                break;
            }
            self.bytes += row.bytes();
            self.rows.push_front(row);
            self.first -= 1;
        }
    }

    /// Messages in the place of a gap; what is still missing stays one.
    pub fn fill(&mut self, gap: (Seq, Seq), messages: &[Message]) {
        let is_gap =
            |row: &Row| matches!(row, Row::Missing { from, to, .. } if (*from, *to) == gap);
        let Some(at) = self.rows.iter().position(is_gap) else { return };
        let inside = |m: &&Message| m.seq.is_some_and(|seq| gap.0 <= seq && seq <= gap.1);
        let mut rows: Vec<Row> = Vec::new();
        let mut next = gap.0;
        for message in messages.iter().filter(inside) {
            next = message.seq.unwrap_or(next) + 1;
            rows.push(Row::Said(Said::from(message)));
        }
        if next <= gap.1 {
            rows.push(Row::Missing { from: next, to: gap.1, loading: false });
        }
        let name = self.name_at(at);
        let more = i64::try_from(rows.len()).unwrap_or(i64::MAX).saturating_sub(1);
        let tail = self.rows.split_off(at + 1);
        self.rows.pop_back();
        // Names below move on, and whatever goes by such a name goes with it.
        self.shift(name, more);
        for row in rows.into_iter().chain(tail) {
            self.bytes += row.bytes();
            self.rows.push_back(row);
        }
        self.bytes = self.rows.iter().map(Row::bytes).sum();
    }

    /// Rows after the one of that name are called by so much more.
    fn shift(&mut self, after: i64, by: i64) {
        let top = match &mut self.eye.scroll {
            Scroll::Top { spot: Spot::Row(name), .. } => Some(name),
            Scroll::Top { .. } | Scroll::Bottom => None,
        };
        let selected = match &mut self.eye.selected {
            Some(Spot::Row(name)) => Some(name),
            Some(Spot::Pending(_)) | None => None,
        };
        let marks = [top, selected, self.new_from.as_mut(), self.read_to.as_mut()];
        for name in marks.into_iter().flatten().filter(|name| **name > after) {
            *name = name.saturating_add(by);
        }
    }

    /// A gap was asked for, or is no longer.
    pub fn set_loading(&mut self, gap: (Seq, Seq), is: bool) {
        for row in &mut self.rows {
            if let Row::Missing { from, to, loading } = row
                && (*from, *to) == gap
            {
                *loading = is;
            }
        }
    }

    /// Everything that was shown is void; own messages on their way stay.
    pub fn reset(&mut self) {
        self.rows.clear();
        self.bytes = 0;
        self.eye = Eye::default();
        (self.older, self.new_from, self.read_to) = (Older::More, None, None);
        self.pending.retain(|pending| !matches!(pending.state, State::Sent(_)));
    }

    /// The own message of that name.
    pub fn pending_mut(&mut self, id: &ClientMessageId) -> Option<&mut Pending> {
        self.pending.iter_mut().find(|pending| pending.id == *id)
    }

    /// Takes an own message away.
    pub fn take_pending(&mut self, id: &ClientMessageId) -> Option<Pending> {
        let at = self.pending.iter().position(|pending| pending.id == *id)?;
        if self.eye.selected == Some(Spot::Pending(id.clone())) {
            let below = self.spot_at(self.rows.len() + at + 1);
            self.eye.selected = below.or(self.last_name().map(Spot::Row));
        }
        if matches!(&self.eye.scroll, Scroll::Top { spot: Spot::Pending(top), .. } if top == id) {
            self.eye.scroll = Scroll::Bottom;
        }
        Some(self.pending.remove(at))
    }

    /// What the outbox kept from earlier.
    pub fn restore(&mut self, kept: &Kept, at: DateTime<Utc>) {
        if self.pending_mut(&kept.draft.id).is_some() {
            return;
        }
        let state = match &kept.refused {
            Some(refusal) => {
                State::Failed { why: text::line(&refusal.message), how: Fault::Refused }
            }
            None => State::Queued,
        };
        let (id, text) = (kept.draft.id.clone(), text::block(&kept.draft.text));
        self.pending.push(Pending { id, text, at, state });
    }

    /// Messages that are not stored yet and were not refused.
    pub fn waiting(&self) -> usize {
        let waits = |p: &&Pending| !matches!(p.state, State::Sent(_) | State::Failed { .. });
        self.pending.iter().filter(waits).count()
    }

    /// Messages that were refused and that the outbox keeps.
    pub fn refused(&self) -> usize {
        let failed = |p: &&Pending| matches!(p.state, State::Failed { .. });
        self.pending.iter().filter(failed).count() - self.not_taken()
    }

    /// Messages that the outbox never took: they are nowhere but here.
    pub fn not_taken(&self) -> usize {
        let here = |p: &&Pending| matches!(p.state, State::Failed { how: Fault::NotTaken, .. });
        self.pending.iter().filter(here).count()
    }

    /// How far others have read.
    pub fn read_by_others(&self, me: Option<UserId>) -> Seq {
        let others = self.people.values().filter(|person| Some(person.user_id) != me);
        others.map(|person| person.read_seq).max().unwrap_or_default()
    }
}
