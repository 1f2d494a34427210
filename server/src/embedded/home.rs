//! The folder that holds a user's clusters and downloads.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use super::options::Options;
use super::{EmbeddedError, folder};

/// As told, else `/var/lib/trialogue` for root, else the user's data folder. Nothing is made.
pub(super) fn locate(options: &Options) -> Result<PathBuf, EmbeddedError> {
    match &options.data {
        Some(path) => Ok(path.clone()),
        None if rustix::process::geteuid().is_root() => Ok(PathBuf::from("/var/lib/trialogue")),
        None => match directories::ProjectDirs::from("", "", "trialogue") {
            Some(folders) => Ok(folders.data_dir().to_owned()),
            None => {
                let why = "this account has no home folder to keep a database in: set HOME";
                Err(EmbeddedError::NoUser(why.to_owned()))
            }
        },
    }
}

/// The same folder, made when it is missing.
pub(super) fn make(options: &Options) -> Result<PathBuf, EmbeddedError> {
    let path = locate(options)?;
    std::fs::create_dir_all(&path).map_err(EmbeddedError::path("make", &path))?;
    let path = path.canonicalize().map_err(EmbeddedError::path("find", &path))?;
    if rustix::process::geteuid().is_root() {
        // The database's account has to pass through to its own folder, whatever our umask says.
        let mode = path.metadata().map_err(EmbeddedError::path("look at", &path))?.mode();
        let passable = std::fs::Permissions::from_mode(mode | 0o011);
        std::fs::set_permissions(&path, passable).map_err(EmbeddedError::path("open", &path))?;
        if let Some(closed) = folder::closed_ancestor(&path) {
            return Err(EmbeddedError::NoUser(format!(
                "PostgreSQL refuses to run as root, and no other account may enter {}: \
                 give it o+x or choose another data folder",
                closed.display()
            )));
        }
    }
    Ok(path)
}

/// The user's cluster of a major version of PostgreSQL.
pub(super) fn cluster(home: &std::path::Path, major: u32) -> PathBuf {
    home.join(format!("pg{major}"))
}

/// Every cluster that is there, with its major version, newest first.
pub(super) fn clusters(options: &Options) -> Result<Vec<(u32, PathBuf)>, EmbeddedError> {
    let Ok(home) = locate(options)?.canonicalize() else { return Ok(Vec::new()) };
    let entries = std::fs::read_dir(&home).map_err(EmbeddedError::path("list", &home))?;
    let major = |name: &str| name.strip_prefix("pg")?.parse().ok();
    let mut found: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| Some((major(entry.file_name().to_str()?)?, entry.path())))
        .collect();
    found.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
    Ok(found)
}
