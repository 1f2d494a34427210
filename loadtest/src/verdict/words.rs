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
    /// Frames with a message, wrong ones too.
    pub frames: u64,
    /// Messages of others, in rooms that are not ours alone.
    pub foreign: u64,
    /// Deliveries: each message once for each receiver.
    pub delivered: u64,
    /// Deliveries that were owed, and those of them that came. Their quotient is the reach.
    pub owed: u64,
    /// See `owed`.
    pub reached: u64,
    /// Owed to somebody whose connection ended meanwhile: neither lost nor found.
    pub indeterminate: u64,
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

    /// Adds another worker's.
    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.acked += other.acked;
        self.refused += other.refused;
        self.limited += other.limited;
        self.unanswered += other.unanswered;
        self.frames += other.frames;
        self.foreign += other.foreign;
        self.delivered += other.delivered;
        self.owed += other.owed;
        self.reached += other.reached;
        self.indeterminate += other.indeterminate;
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
