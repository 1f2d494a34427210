//! Recent chats open at once and offline: a copy of what the account saw last, on its own disk.
//!
//! Per account (a server and a user), in a folder (0700) and a file (0600) that are the user's
//! alone; bounded; wiped at logout. It is a copy: whatever happens to it costs nothing but itself
//! and the time to fetch it again. What may not happen here: one account shown another's chats, an
//! account that cannot start because its backup is damaged, a wiped backup that comes back.

mod shelf;
#[cfg(test)]
#[cfg(unix)]
mod tests;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use shelf::{Recent, Shelf, ShelfBounds};

use crate::error::Error;
use crate::lines;
use crate::profile::file::{self as private, ProfileError};

/// What every backup begins with.
const KIND: &str = "trialogue-backup 1";
/// Longest file in bytes (64 MiB): the bounds of a shelf with every byte escaped.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A backup that was opened.
#[derive(Debug)]
pub struct Opened {
    /// What was seen last.
    pub shelf: Shelf,
    /// Keeps what comes; nothing when another process of this account does.
    pub keeper: Option<Keeper>,
    /// What the user should know: damaged chats that are ignored, a foreign file put aside.
    pub notices: Vec<String>,
}

/// The place of one account's backup. One process at a time has it.
#[derive(Debug)]
pub struct Keeper {
    folder: PathBuf,
    path: PathBuf,
    header: String,
    /// Holds the lock as long as it is open.
    _lock: File,
}

/// Opens, or begins, the backup of `owner` (a server and a user, in any spelling that names no one
/// else) in `folder`. Blocks. Damaged content is ignored with a notice.
///
/// # Errors
/// [`ProfileError`]: others could read or change it, or the disk does not let us.
pub fn open(folder: &Path, owner: &str) -> Result<Opened, ProfileError> {
    private::private_folder(folder)?;
    let path = path_of(folder, owner);
    let header = lines::header(KIND, owner);
    let lock_path = path.with_extension("lock");
    let lock = private::lock(&lock_path).map_err(private::io_error("lock", &lock_path))?;
    let keeper = lock.map(|lock| {
        let (folder, path, header) = (folder.to_owned(), path.clone(), header.clone());
        Keeper { folder, path, header, _lock: lock }
    });
    let mut notices = Vec::new();
    let bytes = private::load(&path, FILE_BYTES_MAX).map_err(private::io_error("read", &path))?;
    let content = bytes.as_deref().map(|bytes| lines::decode(bytes, &header));
    if let (Some(None), Some(_)) = (&content, &keeper) {
        private::put_aside(folder, &path).map_err(private::io_error("rename", &path))?;
        notices.push(format!("{} was no backup of ours and was put aside", path.display()));
    }
    if keeper.is_some() {
        // Somebody signed in again: what comes may be kept.
        remove(&marker_of(&path))?;
    }
    let shelf = content.flatten().map(|content| shelf_of(content, &mut notices));
    Ok(Opened { shelf: shelf.unwrap_or_default(), keeper, notices })
}

/// Looks at the backup of `owner` without keeping it, as completions do: nothing is made, mended or
/// waited for. Blocks.
///
/// # Errors
/// [`ProfileError`]: others could read or change it, or the disk does not let us.
pub fn look(folder: &Path, owner: &str) -> Result<Shelf, ProfileError> {
    let path = path_of(folder, owner);
    let bytes = private::load(&path, FILE_BYTES_MAX).map_err(private::io_error("read", &path))?;
    let content = bytes.and_then(|bytes| lines::decode(&bytes, &lines::header(KIND, owner)));
    Ok(content.map(|content| shelf_of(content, &mut Vec::new())).unwrap_or_default())
}

/// Removes the backup of `owner`, also under a process that keeps it, which then keeps nothing
/// more. Blocks.
///
/// # Errors
/// [`ProfileError`]: the disk does not let us.
pub fn wipe(folder: &Path, owner: &str) -> Result<(), ProfileError> {
    let path = path_of(folder, owner);
    if !folder.try_exists().map_err(private::io_error("look at", folder))? {
        return Ok(());
    }
    // The marker first: whoever writes the file meanwhile looks for it afterwards.
    let marker = marker_of(&path);
    match private::create(&marker) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        created => drop(created.map_err(private::io_error("write", &marker))?),
    }
    private::sweep(folder);
    remove(&path)
}

impl Keeper {
    /// Puts these lines in the place of the file, whole or not at all. Blocks.
    ///
    /// # Errors
    /// [`Error::Storage`]; [`Error::Closed`]: somebody wiped it, so nothing is kept any more.
    pub(crate) fn save(&self, lines: &[Arc<Vec<u8>>]) -> Result<(), Error> {
        let wiped = || {
            let marker = marker_of(&self.path).try_exists();
            marker.map_err(|e| Error::Storage(e.to_string()))
        };
        if wiped()? {
            return Err(Error::Closed);
        }
        self.write(lines).map_err(|e| Error::Storage(e.to_string()))?;
        if wiped()? {
            self.wipe()?;
            return Err(Error::Closed);
        }
        Ok(())
    }

    /// Keeps a shelf, for faces without a session. Blocks.
    ///
    /// # Errors
    /// [`Error::Storage`]; [`Error::Closed`]: somebody wiped it.
    pub fn keep(&self, shelf: &mut Shelf) -> Result<(), Error> {
        self.save(&shelf.lines())
    }

    /// Removes the file: the account signs out.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn wipe(&self) -> Result<(), Error> {
        remove(&self.path).map_err(|e| Error::Storage(e.to_string()))
    }

    fn write(&self, lines: &[Arc<Vec<u8>>]) -> io::Result<()> {
        let mut bytes = self.header.clone().into_bytes();
        lines.iter().for_each(|line| bytes.extend_from_slice(line));
        private::put(&self.folder, &self.path, &bytes).map(drop)
    }
}

fn remove(path: &Path) -> Result<(), ProfileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(private::io_error("remove", path)),
    }
}

/// Beside a backup that was wiped: whoever still has it open keeps nothing more.
fn marker_of(path: &Path) -> PathBuf {
    path.with_extension("wiped")
}

fn path_of(folder: &Path, owner: &str) -> PathBuf {
    folder.join(format!("{}.chats", lines::file_name("backup", owner)))
}

fn shelf_of(content: lines::Content<Recent>, notices: &mut Vec<String>) -> Shelf {
    if content.torn {
        notices.push("the end of the backup was torn and is ignored".to_owned());
    }
    if content.bad > 0 {
        let bad = content.bad;
        notices.push(format!("{bad} damaged chats of the backup are ignored"));
    }
    Shelf::restore(ShelfBounds::default(), content.records)
}
