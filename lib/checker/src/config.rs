//! What a run was meant to be: judged against it, a history can be valid, invalid or unknown.

use serde::{Deserialize, Serialize};

use crate::key::Micros;

/// What becomes visible later than this after its acknowledgement is stale (CONTRACT §3.4: what
/// was committed but not broadcast is visible within 2.5 s).
pub const LATE_MAX_DEFAULT: Micros = 2_500_000;
/// Who was removed may get what was on its way for so long (CONTRACT §2: at once on its own node;
/// RELIABILITY §2.12: within 2 s on all).
pub const EVICT_MAX_DEFAULT: Micros = 2_000_000;
/// Findings of a kind that are told in full; the others are counted.
pub const EXAMPLES_MAX_DEFAULT: usize = 5;

/// Where the truth about stored messages comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// From [`Op::Row`](crate::Op::Row)s: a dump by an independent connection.
    #[default]
    Dump,
    /// From the final reads of all members together: nobody but the server sees its tables.
    Reads,
    /// From the acknowledgements: what was acknowledged must be seen, and nothing else is known.
    /// I1, I3, I10 and a broadcast without a row cannot be judged.
    Acks,
}

/// The plan of a run and how it is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the truth comes from.
    pub table: Table,
    /// Faults that were ordered: fewer that were fired leave the verdict unknown.
    pub faults: u32,
    /// The table of notifications is in the history (I10 is judged).
    pub notes: bool,
    /// Whether the client that sent a message gets a copy of its own.
    pub own_copies: bool,
    /// See [`LATE_MAX_DEFAULT`].
    pub late_max: Micros,
    /// See [`EVICT_MAX_DEFAULT`].
    pub evict_max: Micros,
    /// How far the clocks of two files may be apart: a message is later than another only by more
    /// than this. 0 for one clock.
    pub clock_error_max: Micros,
    /// What is judged.
    pub judged: Invariants,
    /// See [`EXAMPLES_MAX_DEFAULT`].
    pub examples_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            table: Table::Dump,
            faults: 0,
            notes: false,
            own_copies: true,
            late_max: LATE_MAX_DEFAULT,
            evict_max: EVICT_MAX_DEFAULT,
            clock_error_max: 0,
            judged: Invariants::all(),
            examples_max: EXAMPLES_MAX_DEFAULT,
        }
    }
}

/// What must hold of every history (RELIABILITY §3.0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Invariant {
    /// Every acknowledged message is in the table, unchanged.
    I1,
    /// One row per message, one frame per message and connection, one line per message and app.
    I2,
    /// The seqs of a chat are exactly 1 to its counter.
    I3,
    /// Every stream rises; a sender's messages keep their order; what was acknowledged before
    /// another began comes before it.
    I4,
    /// After everything, what each member has is the table from its start point.
    I5,
    /// Nothing was received or stored that nobody sent, or whose sending failed.
    I6,
    /// Nothing of a chat came to somebody who is not in it.
    I7,
    /// Whoever saw a message or its acknowledgement could have read its row.
    I8,
    /// What was acknowledged is visible to everybody in the room in time.
    I9,
    /// Exactly one notification per message and other member.
    I10,
}

impl Invariant {
    /// All of them, in order.
    pub const ALL: [Self; 10] = [
        Self::I1,
        Self::I2,
        Self::I3,
        Self::I4,
        Self::I5,
        Self::I6,
        Self::I7,
        Self::I8,
        Self::I9,
        Self::I10,
    ];
}

/// A set of invariants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invariants(u16);

impl Invariants {
    /// Every one.
    pub fn all() -> Self {
        Self::only(&Invariant::ALL)
    }

    /// These.
    pub fn only(these: &[Invariant]) -> Self {
        Self(these.iter().fold(0, |set, one| set | Self::bit(*one)))
    }

    /// All of these but one.
    #[must_use]
    pub fn without(self, one: Invariant) -> Self {
        Self(self.0 & !Self::bit(one))
    }

    /// Whether it is among these.
    pub fn contains(self, one: Invariant) -> bool {
        self.0 & Self::bit(one) != 0
    }

    fn bit(one: Invariant) -> u16 {
        1 << (one as u16)
    }
}
