//! What a result says of sockets that lost the server, and of stories that were told.

use serde::{Deserialize, Serialize};
use trialogue_checker::Micros;

/// What became of sockets that lost the server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recovery {
    /// Times that a socket lost it.
    pub lost: u64,
    /// Times that one came back and had everything that it missed.
    pub back: u64,
    /// Sockets that were still away when nothing was waited for any more.
    pub never_back: u64,
    /// Attempts that failed.
    pub failed_attempts: u64,
    /// Why attempts failed, and how many for that.
    pub reasons: Vec<(String, u64)>,
}

impl Recovery {
    /// So many more attempts failed for this.
    pub(crate) fn failed(&mut self, why: String, times: u64) {
        self.failed_attempts += times;
        if let Some((_, count)) = self.reasons.iter_mut().find(|(known, _)| *known == why) {
            *count += times;
        } else if self.reasons.len() < crate::worker::REASONS_MAX {
            self.reasons.push((why, times));
        }
    }

    /// Adds another worker's.
    pub(crate) fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.back += other.back;
        self.never_back += other.never_back;
        // Reasons beyond the bound are not told, their attempts are counted.
        let told: u64 = other.reasons.iter().map(|(_, times)| times).sum();
        self.failed_attempts += other.failed_attempts.saturating_sub(told);
        other.reasons.into_iter().for_each(|(why, times)| self.failed(why, times));
    }
}

/// Iterations that failed and are told in full.
pub(crate) const FAILURES_MAX: usize = 10;

/// A scenario as load, and what became of its iterations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Iterations {
    /// The scenario's name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// Iterations that were begun.
    pub begun: u64,
    /// Those in which everything held that the target can do.
    pub passed: u64,
    /// Those in which something did not.
    pub failed: u64,
    /// Those of which nothing follows.
    pub unknown: u64,
    /// Those that were not over when they were not waited for any more.
    pub cut_short: u64,
    /// Steps and checks that the target does not offer, over all of them.
    pub unimplemented: u64,
    /// The first ones that failed.
    pub failures: Vec<FailedIteration>,
}

impl Iterations {
    /// Adds those of another run.
    pub(crate) fn add(&mut self, other: Self) {
        self.begun += other.begun;
        self.passed += other.passed;
        self.failed += other.failed;
        self.unknown += other.unknown;
        self.cut_short += other.cut_short;
        self.unimplemented += other.unimplemented;
        let room = FAILURES_MAX.saturating_sub(self.failures.len());
        self.failures.extend(other.failures.into_iter().take(room));
    }
}

/// An iteration that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedIteration {
    /// Its number, from 0.
    pub n: u64,
    /// Microseconds after the begin at which it was over.
    pub at: Micros,
    /// Plays it once more: `trialogue run --seed`.
    pub seed: u64,
    /// Why.
    pub why: String,
}
