//! The folder of a cluster: what lies where, the locks on it, and temporary folders.
//!
//! | name | what | held by |
//! |---|---|---|
//! | `data/` | PostgreSQL's own | the database |
//! | `gate` | named pipe, the guard's standard input | open for writing: every owner |
//! | `guard.sh` | the guard's script | |
//! | `acks/` | answers of the guard | |
//! | `log` | what `initdb` or `postgres` said last | |
//! | `lock` | exclusive: to start, adopt, reset, make or drop | for a moment |
//! | `owners` | shared: every owner for life, so that one can ask whether it is the last | owners |
//! | `halted` | there when a person stopped the database under its owners | |
//! | `databases/` | a file per temporary database, locked while its owner lives | owners |

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use super::EmbeddedError;
use super::account::Account;

/// How often a lock, an answer or a file is looked for. PostgreSQL starts in 50 ms.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(4);

/// A socket's path may have 107 bytes on Linux and 103 on macOS, its final 0 not counted.
const SOCKET_PATH_BYTES_MAX: usize = 103;
/// `/.s.PGSQL.5432`
const SOCKET_NAME_BYTES: usize = 14;
/// Temporary folders are `trialogue-` and six random characters; sockets may be in `/s` of it.
pub(super) const TEMPORARY_PREFIX: &str = "trialogue-";
const TEMPORARY_NAME_BYTES: usize = 1 + TEMPORARY_PREFIX.len() + 6 + 2;

/// The paths in a cluster's folder.
#[derive(Debug, Clone)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// The folder at `path`, with everything that must be there before a guard can live in it.
    pub(super) fn make(path: &Path, account: Account) -> Result<Self, EmbeddedError> {
        account.make_folder(path)?;
        // The guard compares this path with what the system says, which knows no symbolic links.
        let path = path.canonicalize().map_err(EmbeddedError::path("find", path))?;
        let folder = Self(path);
        account.make_folder(&folder.acks())?;
        account.make_folder(&folder.databases())?;
        if !folder.gate().exists() {
            let made = account.command("mkfifo").arg(folder.gate()).status();
            let made = made.map_err(EmbeddedError::io("run mkfifo"))?;
            if !made.success() {
                return Err(EmbeddedError::Failed {
                    program: "mkfifo",
                    log: format!("no named pipe can be made at {}", folder.gate().display()),
                });
            }
        }
        Ok(folder)
    }

    /// A folder that is there already; nothing is made.
    pub(super) fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    pub(super) fn gate(&self) -> PathBuf {
        self.0.join("gate")
    }

    pub(super) fn acks(&self) -> PathBuf {
        self.0.join("acks")
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    pub(super) fn owners(&self) -> PathBuf {
        self.0.join("owners")
    }

    pub(super) fn databases(&self) -> PathBuf {
        self.0.join("databases")
    }

    pub(super) fn halted(&self) -> PathBuf {
        self.0.join("halted")
    }

    /// Whether the database was stopped on purpose.
    pub(super) fn set_halted(&self, halted: bool) -> Result<(), EmbeddedError> {
        let path = self.halted();
        if halted {
            return lock_file(&path).map(|_| ());
        }
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(EmbeddedError::path("remove", &path)(error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// The last lines of what `initdb` or `postgres` said, at most 2 KiB.
    pub(super) fn log_tail(&self) -> String {
        const TAIL_BYTES_MAX: usize = 2048;
        let log = std::fs::read(self.0.join("log")).unwrap_or_default();
        let tail = log.get(log.len().saturating_sub(TAIL_BYTES_MAX)..).unwrap_or_default();
        String::from_utf8_lossy(tail).trim().to_owned()
    }
}

/// Opens a lock file; the lock is the kernel's, so a killed holder holds nothing.
pub(super) fn lock_file(path: &Path) -> Result<File, EmbeddedError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
        .map_err(EmbeddedError::path("open", path))
}

/// Takes the exclusive lock at `path`, waiting at most `within`.
pub(super) async fn lock(path: &Path, within: Duration) -> Result<File, EmbeddedError> {
    let file = lock_file(path)?;
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => {
                return Err(EmbeddedError::path("lock", path)(error));
            }
            Err(TryLockError::WouldBlock) if start.elapsed() < within => {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Err(TryLockError::WouldBlock) => {
                let what = format!("release of {} by another process", path.display());
                return Err(EmbeddedError::TimedOut { what, within });
            }
        }
    }
}

/// A new temporary folder that only `account` may enter, short enough to hold a socket.
pub(super) fn temporary(preferred: &Path, account: Account) -> Result<PathBuf, EmbeddedError> {
    let parent = temporary_parent(preferred, account.is_switched());
    let folder = tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir_in(&parent)
        .map_err(EmbeddedError::path("make a folder in", &parent))?;
    account.own(folder.path())?;
    Ok(folder.keep())
}

/// Where temporary folders go: the user's choice, or `/tmp` when a socket's path would be too long
/// or the account that the database runs as cannot get there.
pub(super) fn temporary_parent(preferred: &Path, switched: bool) -> PathBuf {
    let longest = preferred.as_os_str().len() + TEMPORARY_NAME_BYTES + SOCKET_NAME_BYTES;
    let reachable = !switched || closed_ancestor(preferred).is_none();
    // PostgreSQL takes a list of folders for its sockets, with commas between them.
    let plain = preferred.is_absolute() && !preferred.to_string_lossy().contains([',', '"']);
    if longest <= SOCKET_PATH_BYTES_MAX && reachable && plain {
        preferred.to_owned()
    } else {
        PathBuf::from("/tmp")
    }
}

/// The folder on the way to `path` that only its owner and group may pass through.
pub(super) fn closed_ancestor(path: &Path) -> Option<&Path> {
    let closed = |path: &&Path| !path.metadata().is_ok_and(|found| found.mode() & 0o001 != 0);
    path.ancestors().find(closed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_folder_too_deep_for_a_socket_is_made_in_tmp() {
        let deep = PathBuf::from(format!("/{}", "d".repeat(80)));
        assert_eq!(temporary_parent(&deep, false), Path::new("/tmp"));
        assert_eq!(temporary_parent(Path::new("/a,b"), false), Path::new("/tmp"));
        let usual = Path::new("/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T");
        assert_eq!(temporary_parent(usual, false), usual);
    }

    #[test]
    fn a_temporary_folder_closed_to_the_database_account_is_not_used() {
        let closed = std::fs::Permissions::from_mode(0o700);
        let mine = tempfile::Builder::new().permissions(closed).tempdir().unwrap();
        assert_eq!(temporary_parent(mine.path(), true), Path::new("/tmp"));
        assert_eq!(temporary_parent(mine.path(), false), mine.path());
    }
}
