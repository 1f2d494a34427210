//! What a verdict counts, by the words of reports.

use serde::{Deserialize, Serialize};
use trialogue_checker::Micros;

/// Cases of a wrong that are told in full.
pub const EXAMPLES_MAX: usize = 5;

/// What can be wrong with a delivery (`trialogue_checker` calls the same I1 to I9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Acknowledged, and a member of the room never got it.
    Lost,
    /// The same once more over one connection.
    Duplicated,
    /// After a later one: of its sender, or of the room by its `seq`.
    Reordered,
    /// It came to somebody of another room.
    Misrouted,
    /// Nobody sent it, or its sending was refused.
    Phantom,
    /// It came too long after its acknowledgement.
    Late,
    /// Its text or its place is not what it was.
    Mutated,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Lost,
        Self::Duplicated,
        Self::Reordered,
        Self::Misrouted,
        Self::Phantom,
        Self::Late,
        Self::Mutated,
    ];

    /// Its name in reports and in expressions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Duplicated => "duplicated",
            Self::Reordered => "reordered",
            Self::Misrouted => "misrouted",
            Self::Phantom => "phantom",
            Self::Late => "late",
            Self::Mutated => "mutated",
        }
    }
}

/// How much happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counts {
    /// Messages handed to the system.
    pub sent: u64,
    /// Acknowledged as stored.
    pub acked: u64,
    /// Refused, for whatever reason.
    pub refused: u64,
    /// Refused because they were too many: a part of `refused`.
    pub limited: u64,
    /// Neither, until the end (where the server acknowledges).
    pub unanswered: u64,
    /// Those of them whose connection ended first: nobody could be told.
    pub abandoned: u64,
    /// Messages of a closed loop that had not come everywhere in 2.5 s: it did not wait for them.
    pub overdue: u64,
    /// Frames with a message, wrong ones too.
    pub frames: u64,
    /// Messages of others, in rooms that are not ours alone.
    pub foreign: u64,
    /// Deliveries: each message once for each receiver.
    pub delivered: u64,
    /// Those that came while messages were still sent: the delivery rate is made of them.
    pub delivered_meanwhile: u64,
    /// Deliveries that were owed, and those of them that came. Their quotient is the reach.
    pub owed: u64,
    /// See `owed`.
    pub reached: u64,
    /// Owed to somebody whose connection ended meanwhile: neither lost nor found.
    pub indeterminate: u64,
    /// Those of them that were still on their way when nothing was waited for any more.
    pub still_coming: u64,
    /// Said while somebody was away to whom the server tells nothing of it later: not owed.
    pub missed: u64,
    /// Came to somebody who was leaving a room or entering it: fine either way.
    pub in_transit: u64,
    /// Deliveries that came with what a returned member read; a part of `delivered`.
    pub caught_up: u64,
    /// Came both live and by the catch-up, on the edge between them.
    pub overlap: u64,
    /// Pages of history that were asked for, those that came, and the messages in them.
    pub pages_asked: u64,
    /// See `pages_asked`.
    pub pages: u64,
    /// See `pages_asked`.
    pub page_messages: u64,
    /// Pages that came while pages were still asked for.
    pub pages_meanwhile: u64,
    /// Times that somebody was said to type, and how often that was seen.
    pub typed: u64,
    /// See `typed`.
    pub typed_seen: u64,
    /// Messages that were marked as read, and how often that was seen.
    pub read: u64,
    /// See `read`.
    pub read_seen: u64,
    /// Refusals of anything but messages: of typing, reading, leaving.
    pub errors: u64,
    /// By [`Fault::ALL`].
    pub faults: [u64; 7],
}

impl Counts {
    /// How many cases of this wrong.
    pub fn of(&self, fault: Fault) -> u64 {
        self.faults[fault as usize]
    }

    /// Part of what was owed that came; 1 when nothing was.
    pub fn reach(&self) -> f64 {
        if self.owed == 0 { 1.0 } else { self.reached as f64 / self.owed as f64 }
    }

    /// Everything that has come until now came while something was sent.
    pub(crate) fn mark(&mut self) {
        (self.delivered_meanwhile, self.pages_meanwhile) = (self.delivered, self.pages);
    }

    /// What was done before the run is no part of it; what was wrong then stays.
    pub(crate) fn begin(&mut self) {
        *self = Self { faults: self.faults, errors: self.errors, ..Self::default() };
    }

    /// Adds another worker's.
    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.acked += other.acked;
        self.refused += other.refused;
        self.limited += other.limited;
        self.unanswered += other.unanswered;
        self.abandoned += other.abandoned;
        self.overdue += other.overdue;
        self.frames += other.frames;
        self.foreign += other.foreign;
        self.delivered += other.delivered;
        self.delivered_meanwhile += other.delivered_meanwhile;
        self.owed += other.owed;
        self.reached += other.reached;
        self.indeterminate += other.indeterminate;
        self.still_coming += other.still_coming;
        self.missed += other.missed;
        self.in_transit += other.in_transit;
        self.caught_up += other.caught_up;
        self.overlap += other.overlap;
        self.pages_asked += other.pages_asked;
        self.pages += other.pages;
        self.page_messages += other.page_messages;
        self.pages_meanwhile += other.pages_meanwhile;
        self.typed += other.typed;
        self.typed_seen += other.typed_seen;
        self.read += other.read;
        self.read_seen += other.read_seen;
        self.errors += other.errors;
        for (ours, theirs) in self.faults.iter_mut().zip(other.faults) {
            *ours += theirs;
        }
    }
}

/// One case of a wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Example {
    /// Which wrong.
    pub fault: Fault,
    /// Number of the worker, and of its room and the receiver in it.
    pub worker: u32,
    /// See `worker`.
    pub room: u32,
    /// See `worker`.
    pub member: u32,
    /// Microseconds after the begin.
    pub at: Micros,
    /// What exactly.
    pub text: String,
}
