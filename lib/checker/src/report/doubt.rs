//! When a history proves nothing: a test that did not happen must not pass.

use serde::Serialize;

use super::{Counts, Terms};

/// Of a hundred sends so many must have met a fault, where faults were ordered.
const MET_PERCENT_MIN: u64 = 1;

/// A reason for which nothing is proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "doubt", rename_all = "snake_case")]
pub enum Doubt {
    /// Not one send was acknowledged.
    NoOk,
    /// Members whose final read of a chat is missing.
    FinalReadMissing {
        /// How many.
        count: u64,
        /// The first of them: chat and user.
        examples: Vec<(String, String)>,
    },
    /// Chats that the dump does not have: the final read of the table is missing.
    TableMissing {
        /// How many.
        count: u64,
        /// The first of them.
        examples: Vec<String>,
    },
    /// Fewer faults were fired than were ordered.
    FaultsNotFired {
        /// By the plan.
        ordered: u32,
        /// In the history.
        fired: u32,
    },
    /// Faults were ordered, and fewer than 1 % of the sends met one.
    FaultsNotMet {
        /// Sends.
        sends: u64,
        /// That met one.
        met: u64,
    },
}

/// Whose final reads are missing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Missing {
    pub(crate) reads: u64,
    pub(crate) reads_examples: Vec<(String, String)>,
    pub(crate) tables: u64,
    pub(crate) tables_examples: Vec<String>,
}

impl Missing {
    pub(super) fn add(&mut self, other: Self, examples_max: usize) {
        self.reads += other.reads;
        self.reads_examples.extend(other.reads_examples);
        self.reads_examples.truncate(examples_max);
        self.tables += other.tables;
        self.tables_examples.extend(other.tables_examples);
        self.tables_examples.truncate(examples_max);
    }
}

pub(super) fn doubts(counts: &Counts, terms: &Terms) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    if counts.oks == 0 {
        doubts.push(Doubt::NoOk);
    }
    let missing = &terms.missing;
    if missing.reads > 0 {
        let examples = missing.reads_examples.clone();
        doubts.push(Doubt::FinalReadMissing { count: missing.reads, examples });
    }
    if missing.tables > 0 {
        let examples = missing.tables_examples.clone();
        doubts.push(Doubt::TableMissing { count: missing.tables, examples });
    }
    let (ordered, fired) = (terms.faults_ordered, counts.faults);
    if fired < ordered {
        doubts.push(Doubt::FaultsNotFired { ordered, fired });
    }
    let (sends, met) = (counts.sends, counts.met_faults);
    if ordered > 0 && met.saturating_mul(100) < sends.saturating_mul(MET_PERCENT_MIN) {
        doubts.push(Doubt::FaultsNotMet { sends, met });
    }
    doubts
}
