//! One task that owns an account's link, outbox, timelines and socket.
//!
//! ```text
//! SessionHandle ── bounded commands ──> task: link, outbox, timelines ── bounded updates ──> face
//!                                         │ effects       ▲ events
//!                                         ▼               │
//!                                   socket, REST, journal (their own task or thread)
//! ```
//!
//! The three cores decide; the task only carries. What may not happen here: a decision, a wait
//! without a bound, an update out of order.

mod archive;
mod config;
mod driver;
mod handle;
mod hear;
mod journalist;
mod obey;
mod react;
mod show;
mod unacked;
mod words;

use tokio::sync::mpsc;

pub use config::SessionConfig;
pub use handle::{Kept, SessionHandle};
pub use words::Update;

use crate::error::Error;
use driver::Driver;

/// An account's life at a server.
#[derive(Debug)]
pub struct Session;

impl Session {
    /// Starts the task, on the current tokio runtime. The receiver must be read: see
    /// [`Update`]. The session ends with [`SessionHandle::close`], or when all handles or the
    /// receiver are dropped.
    ///
    /// # Errors
    /// [`Error::Storage`]: there is no thread for the journal.
    pub fn start(config: SessionConfig) -> Result<(SessionHandle, mpsc::Receiver<Update>), Error> {
        let (commands, inbox) = mpsc::channel(config::COMMANDS_MAX);
        let (updates, receiver) = mpsc::channel(config::UPDATES_MAX);
        let handle = SessionHandle::new(commands, &config);
        let driver = Driver::new(config, updates)?;
        tokio::spawn(driver.run(inbox));
        Ok((handle, receiver))
    }
}
