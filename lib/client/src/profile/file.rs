//! A small private file: read with suspicion, replaced whole.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

/// Longest file in bytes: two tokens and a user take two thousand.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// How the name of a file ends that is not in its place yet.
const FRESH: &str = ".new";

/// Why a profile cannot be read or kept. The sentence names the path and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Others could read or change it.
    #[error("{path} {what}: {mend}")]
    Unsafe {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
        /// What to do.
        mend: String,
    },
    /// The system said no.
    #[error("cannot {doing} {path}: {error}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What the system said; part of the sentence, and no source that would be told again.
        error: io::Error,
    },
    /// It is no account of ours.
    #[error("{path} is not an account that this program wrote: sign in again or remove it")]
    Garbled {
        /// The file.
        path: PathBuf,
    },
}

pub(crate) fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ProfileError {
    move |error| ProfileError::Io { doing, path: path.to_owned(), error }
}

/// Names of what is inside a folder; nothing when it is not there.
pub(super) fn names_in(folder: &Path) -> Result<Vec<String>, ProfileError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(io_error("read", folder))?,
    };
    // What is not UTF-8 is no name of ours.
    Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

/// Reads the file, if it is there and nobody else could have seen or written it.
pub(super) fn read<T: DeserializeOwned>(
    folder: &Path,
    path: &Path,
) -> Result<Option<T>, ProfileError> {
    let file = match open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(io_error("open", path))?,
    };
    check_is_private(folder, &fs::metadata(folder).map_err(io_error("look at", folder))?, "700")?;
    check_is_private(path, &file.metadata().map_err(io_error("look at", path))?, "600")?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(io_error("read", path))?;
    let garbled = |_| ProfileError::Garbled { path: path.to_owned() };
    serde_json::from_slice(&bytes).map(Some).map_err(garbled)
}

/// Writes a new file beside the old one and puts it in its place: a crash leaves one of the two,
/// whole, and a link that somebody put there is replaced instead of followed.
pub(super) fn replace<T: Serialize>(
    folder: &Path,
    path: &Path,
    content: &T,
) -> Result<(), ProfileError> {
    private_folder(folder)?;
    let written = serde_json::to_vec(content).map_err(io::Error::other).and_then(|mut bytes| {
        bytes.push(b'\n');
        put(folder, path, &bytes)
    });
    written.map(drop).map_err(io_error("write", path))
}

/// Writes a new file beside the old one and puts it in its place; answers it, open for more. What
/// writers that were killed left beside it is removed.
pub(crate) fn put(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<File> {
    sweep(folder);
    match put_once(folder, path, bytes) {
        // Somebody swept between the two steps that make a new file and lock it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => put_once(folder, path, bytes),
        put => put,
    }
}

fn put_once(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<File> {
    // Before the old file is gone, because this takes a file handle.
    let durable = open_folder(folder)?;
    let fresh = folder.join(format!(".{}{FRESH}", Uuid::now_v7().simple()));
    let write = || {
        let mut file = create(&fresh)?;
        // Says that its writer lives; where files cannot be locked, nobody sweeps.
        let _ = file.lock();
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        let _ = file.unlock();
        // The rename itself must survive a power cut too.
        durable.map_or(Ok(()), |folder| folder.sync_all())?;
        Ok(file)
    };
    let written: io::Result<File> = write();
    written.inspect_err(|_| {
        // Half a file of secrets must not stay; that it is gone already is no news.
        let _ = fs::remove_file(&fresh);
    })
}

/// Removes new files whose writers were killed before they put them in their place: texts and tokens
/// would stay in them for ever. One that its writer still has is locked.
pub(crate) fn sweep(folder: &Path) {
    for name in names_in(folder).unwrap_or_default() {
        if !(name.starts_with('.') && name.ends_with(FRESH)) {
            continue;
        }
        let left = folder.join(name);
        // What cannot be opened, locked or removed stays for the next who writes here.
        let locked =
            open(&left).and_then(|file| file.try_lock().map(|()| file).map_err(Into::into));
        if let Ok(_dead) = locked {
            let _ = fs::remove_file(&left);
        }
    }
}

/// The bytes of a file that is ours alone; `None`: there is none.
pub(crate) fn load(path: &Path, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let metadata = file.metadata()?;
    check_is_private(path, &metadata, "600").map_err(io::Error::other)?;
    if metadata.len() > bytes_max {
        return Err(io::Error::other(format!("it is over {bytes_max} bytes")));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    file.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Renames a file that is not ours, so that it is neither lost nor read again; answers where it is.
pub(crate) fn put_aside(folder: &Path, path: &Path) -> io::Result<PathBuf> {
    let aside = folder.join(format!("foreign-{}", Uuid::now_v7().simple()));
    fs::rename(path, &aside).map(|()| aside)
}

/// Makes the folder if need be, and refuses one that others can look into.
pub(crate) fn private_folder(folder: &Path) -> Result<(), ProfileError> {
    make_private(folder).map_err(io_error("make", folder))?;
    check_is_private(folder, &fs::metadata(folder).map_err(io_error("look at", folder))?, "700")
}

/// The file, locked as long as it is open; `None`: another process has the lock.
pub(crate) fn lock(path: &Path) -> io::Result<Option<File>> {
    let file = match open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(path),
        file => file,
    };
    let file = match file {
        // Somebody made it between the two.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open(path),
        file => file,
    }?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(unix)]
pub(crate) fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let no_follow = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(no_follow.bits()).map_err(io::Error::other)?;
    let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path);
    file.map_err(|error| match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::LOOP) => io::Error::other("it is a link, which is not followed"),
        Some(_) | None => error,
    })
}

#[cfg(unix)]
pub(crate) fn create(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(unix)]
pub(crate) fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The folder, where it can be opened.
#[cfg(unix)]
pub(super) fn open_folder(folder: &Path) -> io::Result<Option<File>> {
    File::open(folder).map(Some)
}

#[cfg(unix)]
pub(crate) fn check_is_private(
    path: &Path,
    metadata: &fs::Metadata,
    mode: &'static str,
) -> Result<(), ProfileError> {
    use std::os::unix::fs::MetadataExt as _;
    let refused = |what, mend| Err(ProfileError::Unsafe { path: path.to_owned(), what, mend });
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return refused("belongs to somebody else", "use another profile folder".to_owned());
    }
    if metadata.mode() & 0o077 != 0 {
        let mend = format!("chmod {mode} '{}'", path.display());
        return refused("is open to other users of this machine", mend);
    }
    Ok(())
}

#[cfg(not(unix))]
pub(crate) fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

#[cfg(not(unix))]
pub(crate) fn create(path: &Path) -> io::Result<File> {
    File::create_new(path)
}

/// A user's data folder is that user's alone on these systems.
#[cfg(not(unix))]
pub(crate) fn make_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

/// These systems sync no folders.
#[cfg(not(unix))]
pub(super) fn open_folder(_: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

#[cfg(not(unix))]
pub(crate) fn check_is_private(
    _: &Path,
    _: &fs::Metadata,
    _: &'static str,
) -> Result<(), ProfileError> {
    Ok(())
}
