//! Where the outbox outlives the process: records appended in order, read back at the start.
//!
//! What may not happen here: a message that counts as queued before it is on disk, a bad byte that
//! costs more than its own line, two writers of one journal.

mod file;
#[cfg(test)]
mod tests;

pub use file::{FileJournal, OpenError, discard, look};

use std::collections::HashMap;

use trialogue_protocol::ClientMessageId;

use crate::error::{Error, Refusal};
use crate::outbox::{Left, Record, Restored};

/// A place for records. One owner writes; what it needs for that (a lock) lives as long as it does.
pub trait Journal: Send {
    /// Appends all of these, in order. When one of them is [`Record::Queued`] or
    /// [`Record::Leaving`], they are on disk (or wherever this journal keeps them) when this returns.
    /// Blocks.
    ///
    /// # Errors
    /// [`Error::Storage`]: none of them is kept.
    fn append(&mut self, records: &[Record]) -> Result<(), Error>;
}

/// What a journal keeps, without the right to write it.
#[derive(Debug)]
pub struct Looked {
    /// What waits, oldest first.
    pub restored: Vec<Restored>,
    /// What the user should know of damage.
    pub notices: Vec<String>,
}

/// What became of a journal from which messages were given up.
#[derive(Debug)]
pub struct Discarded {
    /// Those that were, oldest first.
    pub gone: Vec<Restored>,
    /// Those that are still there, oldest first.
    pub left: Vec<Restored>,
}

/// A journal that was opened, and what it had kept.
pub struct Opened {
    /// Takes the records to come.
    pub journal: Box<dyn Journal>,
    /// What waits, oldest first.
    pub restored: Vec<Restored>,
    /// What the user should know: a torn tail that was ignored, a foreign file put aside.
    pub notices: Vec<String>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("restored", &self.restored.len()).finish_non_exhaustive()
    }
}

/// What is left of a run of records: the messages that were neither stored nor discarded.
pub fn replay(records: impl IntoIterator<Item = Record>) -> Vec<Restored> {
    let mut left: Vec<Option<Restored>> = Vec::new();
    let mut place: HashMap<ClientMessageId, usize> = HashMap::new();
    for record in records {
        match record {
            Record::Queued(draft) => {
                if !place.contains_key(&draft.id) {
                    place.insert(draft.id.clone(), left.len());
                    left.push(Some(Restored { draft, left: Left::Never, refused: None }));
                }
            }
            Record::Leaving { id, same } => {
                let entry = place.get(&id).and_then(|&at| left[at].as_mut());
                if let Some(entry) = entry {
                    entry.left = Left::Maybe(same);
                }
            }
            Record::Done { id } => {
                if let Some(at) = place.remove(&id) {
                    left[at] = None;
                }
            }
            Record::Refused { id, code, message } => {
                let entry = place.get(&id).and_then(|&at| left[at].as_mut());
                if let Some(entry) = entry {
                    entry.refused = Some(Refusal::new(code, message));
                }
            }
            Record::Again { id } => {
                let entry = place.get(&id).and_then(|&at| left[at].take());
                if let Some(entry) = entry {
                    // To the end, as the outbox itself does.
                    place.insert(id, left.len());
                    left.push(Some(Restored { left: Left::Never, refused: None, ..entry }));
                }
            }
        }
    }
    left.into_iter().flatten().collect()
}
