//! The first line of a history: what its run was meant to be.

use serde::{Deserialize, Serialize};

use crate::config::{Config, EVICT_MAX_DEFAULT, LATE_MAX_DEFAULT, Table};
use crate::key::Micros;

/// A plan as it is written and read; what is absent is as in [`Config::default`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plan {
    /// `"plan"`.
    pub op: String,
    /// Where the truth comes from: `dump`, `reads` or `acks`.
    pub table: Table,
    /// Faults that were ordered.
    pub faults: u32,
    /// The table of notifications is in the history.
    pub notes: bool,
    /// Whether the client that sent a message gets a copy of its own.
    pub own_copies: bool,
    /// What is visible later is stale, microseconds.
    pub late: Micros,
    /// For how long after its removal a member may get something, microseconds.
    pub evict: Micros,
    /// How far the clocks of two files may be apart, microseconds.
    pub clock_error: Micros,
}

/// The word that begins it.
const PLAN: &str = "plan";

impl Default for Plan {
    fn default() -> Self {
        Self {
            op: PLAN.to_owned(),
            table: Table::default(),
            faults: 0,
            notes: false,
            own_copies: true,
            late: LATE_MAX_DEFAULT,
            evict: EVICT_MAX_DEFAULT,
            clock_error: 0,
        }
    }
}

/// Enough of a line to know whether it is a plan.
#[derive(Deserialize)]
struct Begin<'a> {
    #[serde(borrow)]
    op: &'a str,
}

impl Plan {
    /// How a history of this plan is judged.
    pub fn config(&self) -> Config {
        Config {
            table: self.table,
            faults: self.faults,
            notes: self.notes,
            own_copies: self.own_copies,
            late_max: self.late,
            evict_max: self.evict,
            clock_error_max: self.clock_error,
            ..Config::default()
        }
    }

    /// Whether a line is a plan, good or bad.
    pub(super) fn is_one(line: &[u8]) -> bool {
        serde_json::from_slice::<Begin<'_>>(line).is_ok_and(|begin| begin.op == PLAN)
    }
}
