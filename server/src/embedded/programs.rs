//! The programs to run, by whatever way they can be had.

use std::path::Path;

use super::download::{self, VERSION};
use super::find::{self, Binaries, Disk};
use super::options::{Options, Programs};
use super::{EmbeddedError, install};

/// Finds PostgreSQL, or downloads it once into `data`.
pub(super) async fn obtain(options: &Options, data: &Path) -> Result<Binaries, EmbeddedError> {
    match &options.programs {
        Programs::Folder(folder) => {
            return find::in_folder(&Disk, folder)
                .ok_or_else(|| EmbeddedError::BadFolder { folder: folder.display().to_string() });
        }
        Programs::Find => {
            if let Some(found) = find::find(&Disk, std::env::var_os("PATH")) {
                return Ok(found);
            }
        }
        Programs::Download => {}
    }
    let home = data.join("postgresql").join(VERSION);
    if let Some(found) = find::in_folder(&Disk, &home.join("bin")) {
        return Ok(found);
    }
    let unusable = "the downloaded programs do not run on this system".to_owned();
    let cause = match download::into(options, &home).await {
        Ok(()) => match find::in_folder(&Disk, &home.join("bin")) {
            Some(found) => return Ok(found),
            None => unusable,
        },
        Err(cause) => cause,
    };
    Err(EmbeddedError::NoBinaries { cause, advice: install::advice() })
}
