//! For people: what runs, stopping it, removing it, without becoming an owner.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::account::Account;
use super::cluster::{LOCK_WITHIN, STOP_WITHIN, is_guarded, is_owned};
use super::database;
use super::folder::{self, Folder, LOOK_EVERY};
use super::options::Options;
use super::postmaster::{self, NAME, Postmaster};
use super::{EmbeddedError, home};

/// A cluster of this user that runs now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Of the database that `serve` uses by default; for `psql` and `--database-url`.
    pub url: String,
    /// Where its data are.
    pub folder: PathBuf,
    /// Major version of PostgreSQL.
    pub major: u32,
}

/// The clusters of this user that run now, newest version first. None is kept running by asking.
///
/// # Errors
/// The data folder cannot be read.
pub fn running(options: &Options) -> Result<Vec<Running>, EmbeddedError> {
    let mut found = Vec::new();
    for (major, path) in home::clusters(options)? {
        let postmaster = Postmaster::read(&Folder::at(&path)).filter(Postmaster::answers);
        if let Some(postmaster) = postmaster {
            let url = database::at(&postmaster.url()?, NAME).into();
            found.push(Running { url, folder: path, major });
        }
    }
    Ok(found)
}

/// Stops the clusters of this user, with `force` even under the hands of their owners; answers the
/// folders of those that ran.
///
/// # Errors
/// [`EmbeddedError::InUse`], or one did not stop in time.
pub async fn halt(options: &Options, force: bool) -> Result<Vec<PathBuf>, EmbeddedError> {
    let mut stopped = Vec::new();
    for (_, path) in home::clusters(options)? {
        let folder = Folder::at(&path);
        let _lock = folder::lock(&folder.lock(), LOCK_WITHIN).await?;
        if is_owned(&folder) && !force {
            return Err(EmbeddedError::InUse);
        }
        if stop(&folder).await? {
            stopped.push(path);
        }
    }
    Ok(stopped)
}

/// Stops the clusters of this user and removes their data; answers the folders that had some.
///
/// # Errors
/// [`EmbeddedError::InUse`], or a folder cannot be removed.
pub async fn reset(options: &Options) -> Result<Vec<PathBuf>, EmbeddedError> {
    let mut removed = Vec::new();
    for (_, path) in home::clusters(options)? {
        let folder = Folder::at(&path);
        let _lock = folder::lock(&folder.lock(), LOCK_WITHIN).await?;
        if is_owned(&folder) {
            return Err(EmbeddedError::InUse);
        }
        stop(&folder).await?;
        if folder.data().exists() {
            remove(&path, &folder)?;
            removed.push(path);
        }
    }
    Ok(removed)
}

/// Whether one ran.
async fn stop(folder: &Folder) -> Result<bool, EmbeddedError> {
    let account = Account::choose(folder.path())?;
    let Some(running) = postmaster::running(folder, account).await? else { return Ok(false) };
    if is_guarded(folder) && !is_owned(folder) {
        // Its last owner has just gone: the guard is at it.
        let start = Instant::now();
        while is_guarded(folder) {
            if start.elapsed() > STOP_WITHIN {
                let what = "the end of the private PostgreSQL".to_owned();
                return Err(EmbeddedError::TimedOut { what, within: STOP_WITHIN });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        return Ok(true);
    }
    // Before it stops: its owners look.
    folder.set_halted(true)?;
    postmaster::stop(&running, folder, account).await?;
    postmaster::remove_sockets(&running.sockets, account);
    Ok(true)
}

/// Removes the data, as the account that they belong to; the locks stay, somebody may wait.
fn remove(path: &Path, folder: &Folder) -> Result<(), EmbeddedError> {
    let mut command = Account::choose(path)?.command("rm");
    command.arg("-rf").arg(folder.data()).arg(folder.databases());
    let done = command.status().map_err(EmbeddedError::path("empty", path))?;
    if done.success() && !folder.data().exists() {
        return Ok(());
    }
    let log = format!("{} is not empty", folder.data().display());
    Err(EmbeddedError::Failed { program: "rm", log })
}
