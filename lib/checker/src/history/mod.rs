//! Histories as files: lines of JSON, one for what happened, read in the order of time.

mod fields;
mod line;
mod ops;
mod plan;
mod read;

pub use line::{Entry, Line, LineError, Name, OpName};
pub use plan::Plan;
pub use read::{History, HistoryCause, HistoryError, ReadCounts};

/// Longest line, in bytes: a page of [`ROWS_MAX`] messages has about 150 bytes for each.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;
/// Longest name, id or digest, in bytes. Client message ids have at most 64, ids are UUIDs.
pub const NAME_BYTES_MAX: usize = 128;
/// Messages in one page: what the contract allows a page of history to have.
pub const ROWS_MAX: usize = 1_000;
/// Files of one history, all of which are open at once: below the usual limit of a process.
pub const FILES_MAX: usize = 512;
/// Highest seq: what every JSON reader keeps exactly.
pub const SEQ_MAX: u64 = (1 << 53) - 1;
