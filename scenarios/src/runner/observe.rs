//! Who is told what happens.

use trialogue_report::diagram::Row;

/// Is told every row of the diagram the moment it is known to be true.
pub trait Observer: Send {
    /// Something happened. Must not block: the scenario waits meanwhile.
    fn row(&mut self, row: &Row);
}
