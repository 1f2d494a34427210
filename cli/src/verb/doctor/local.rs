//! What can be wrong on this machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use trialogue_client::is_loopback;
use trialogue_client::journal::OpenError;

use super::Check;
use crate::account::Account;
use crate::exit::Exit;
use crate::settings::{self, Settings};

/// Fewest file handles for a client: its sockets, files and threads use far less.
const HANDLES_MIN: u64 = 256;
/// Files of a profile that are looked at; more are not ours.
const FILES_MAX: usize = 1_000;

#[cfg(unix)]
pub(super) fn handles() -> Check {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    match limit {
        Some(limit) if limit < HANDLES_MIN => {
            let detail = format!("{limit} open files are allowed: ulimit -n {HANDLES_MIN}");
            Check::bad("handles", Exit::UNEXPECTED, detail)
        }
        Some(limit) => Check::good("handles", format!("{limit} open files are allowed")),
        None => Check::good("handles", "as many open files as you like"),
    }
}

#[cfg(not(unix))]
pub(super) fn handles() -> Check {
    Check::skipped("handles", "this system has no such limit")
}

/// The configuration file: it is optional, and must be right if it is there.
pub(super) fn config(settings: &Settings) -> Check {
    match settings.file() {
        Some((_, Some(why))) => Check::bad("config", Exit::USAGE, why),
        Some((path, None)) => Check::good("config", path.display().to_string()),
        None => {
            let place = settings::usual_path().map(|path| path.display().to_string());
            let place = place.unwrap_or_else(|| settings::FILE_VARIABLE.to_owned());
            Check::skipped("config", format!("no file, which would be {place}"))
        }
    }
}

/// Whether anybody else could read or change what the profile keeps.
pub(super) fn files(account: &Account) -> Check {
    let folder = account.profile_folder();
    let mut files = Vec::new();
    collect(folder, &mut files);
    if files.is_empty() {
        return Check::skipped("files", "the profile keeps nothing yet");
    }
    match files.iter().find_map(|path| open_to_others(path)) {
        Some(mend) => Check::bad("files", Exit::UNEXPECTED, mend),
        None => {
            let detail = format!("{} are yours alone in {}", files.len(), folder.display());
            Check::good("files", detail)
        }
    }
}

/// A folder and what is in it, two levels deep, as a profile is.
fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if files.len() >= FILES_MAX || !path.exists() {
        return;
    }
    files.push(path.to_owned());
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(&entry.path(), files),
            Ok(_) if files.len() < FILES_MAX => files.push(entry.path()),
            Ok(_) | Err(_) => {}
        }
    }
}

/// What to do about a file that is open to other users.
#[cfg(unix)]
fn open_to_others(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let found = std::fs::symlink_metadata(path).ok()?;
    let name = path.display();
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Some(format!("{name} belongs to somebody else"));
    }
    let mode = if found.is_dir() { "700" } else { "600" };
    let is_open = !found.is_symlink() && found.mode() & 0o077 != 0;
    is_open.then(|| format!("{name} is open to other users of this machine: chmod {mode} '{name}'"))
}

#[cfg(not(unix))]
fn open_to_others(_: &Path) -> Option<String> {
    None
}

/// What waits to be sent, and whether another process has it.
pub(super) async fn outbox(account: &Account) -> Check {
    match account.outbox(Duration::ZERO).await {
        Ok(None) => Check::skipped("outbox", "nobody has signed in with this profile"),
        Ok(Some(opened)) => {
            let (refused, waiting): (Vec<_>, Vec<_>) =
                opened.restored.iter().partition(|kept| kept.refused.is_some());
            let (waiting, refused) = (waiting.len(), refused.len());
            let detail = format!("{waiting} wait to be sent, {refused} were refused");
            match opened.notices.first() {
                Some(notice) => Check::bad("outbox", Exit::UNEXPECTED, notice.as_str()),
                None => Check::good("outbox", detail),
            }
        }
        Err(error) => match error.downcast_ref::<OpenError>() {
            Some(OpenError::Busy) => Check::skipped("outbox", format!("{error}")),
            Some(OpenError::Disk(_)) | None => Check::failed("outbox", &error),
        },
    }
}

/// How this server is reached. A proxy that cannot be used has failed the profile already.
pub(super) fn proxy(account: &Account) -> Check {
    let http = account.rest.http();
    match http.proxy() {
        Some(proxy) => Check::good("proxy", format!("through {}", proxy.address())),
        None if is_loopback(http.server()) => Check::skipped("proxy", "not for this very machine"),
        None => Check::skipped("proxy", "none: neither HTTPS_PROXY nor ALL_PROXY names one for it"),
    }
}
