//! A database that dies under its owners is started again by whichever of them looks first.

use std::path::PathBuf;

use super::account::Account;
use super::cluster::LOCK_WITHIN;
use super::postmaster::{self, Postmaster};
use super::{Cluster, EmbeddedError, folder};

impl Cluster {
    /// The file whose first line is the process id of the database, while it runs; nothing for a
    /// server that is not ours. For tests that end it as an accident would.
    pub fn pid_file(&self) -> Option<PathBuf> {
        self.hold.as_ref().map(|hold| hold.folder.data().join("postmaster.pid"))
    }

    /// Starts the database again when it is gone, unless somebody stopped it on purpose; answers
    /// whether it was started. Nothing to do for a server that is not ours.
    ///
    /// Cheap while the database lives, and does not wait for it: one that hangs is not gone.
    ///
    /// # Errors
    /// It does not start: the disk may be full, or the last of the old processes is in the way.
    pub async fn revive(&self) -> Result<bool, EmbeddedError> {
        let Some(hold) = &self.hold else { return Ok(false) };
        let folder = &hold.folder;
        let lives = || Postmaster::read(folder).is_some_and(|found| found.is_of(folder));
        if lives() {
            return Ok(false);
        }
        let _lock = folder::lock(&folder.lock(), LOCK_WITHIN).await?;
        // Another owner may have been here first.
        if lives() || folder.halted().exists() {
            return Ok(false);
        }
        let account = Account::choose(folder.path())?;
        if postmaster::running(folder, account).await?.is_some() {
            return Ok(false);
        }
        hold.start(&|_| ()).await?;
        Ok(true)
    }
}
