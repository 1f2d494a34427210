//! Where the signing secret of access tokens comes from.
//!
//! A secret is given, read from a file, or, for a server that only this machine can reach, made
//! once and kept with mode 0600, so that tokens survive a restart. Nothing here prints it.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::config::{Config, ConfigError, JWT_SECRET_BYTES_MIN, Secret};

/// Largest secret file that is read: a wrong path must not fill the memory.
const FILE_BYTES_MAX: u64 = 4_096;
/// Random bytes of a secret that the server makes; written as hexadecimal digits.
const MADE_BYTES: usize = 32;

/// The secret that `config` asks for.
///
/// # Errors
///
/// [`ConfigError`] when there is none for an address that others can reach, when it is shorter
/// than [`JWT_SECRET_BYTES_MIN`], or when its file cannot be read, written or trusted.
pub fn jwt_secret(config: &Config, listening: SocketAddr) -> Result<Secret, ConfigError> {
    find(config, listening, kept)
}

/// The same for who asks about a server's secret: none is made.
///
/// # Errors
///
/// [`ConfigError`].
pub(crate) fn known(config: &Config, listening: SocketAddr) -> Result<Secret, ConfigError> {
    find(config, listening, |path| {
        let found = std::fs::symlink_metadata(path).map_err(|error| wrong(path, error))?;
        check_private(path, &found)?;
        read(path)
    })
}

/// Whether a server would find its secret or make one. Makes none.
///
/// # Errors
///
/// [`ConfigError`], as [`jwt_secret`] has it.
pub(crate) fn check(config: &Config, listening: SocketAddr) -> Result<(), ConfigError> {
    let is_given = config.jwt_secret.is_some() || config.jwt_secret_file.is_some();
    if !is_given && listening.ip().is_loopback() {
        let own = data_folder(config)?.join("jwt-secret");
        let found = std::fs::symlink_metadata(own);
        if found.is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return Ok(());
        }
    }
    known(config, listening).map(drop)
}

fn find(
    config: &Config,
    listening: SocketAddr,
    own: impl FnOnce(&Path) -> Result<Secret, ConfigError>,
) -> Result<Secret, ConfigError> {
    let secret = match (&config.jwt_secret, &config.jwt_secret_file) {
        (Some(secret), _) => secret.clone(),
        (None, Some(file)) => read(file)?,
        (None, None) if listening.ip().is_loopback() => {
            own(&data_folder(config)?.join("jwt-secret"))?
        }
        (None, None) => return Err(ConfigError::NoSecret),
    };
    match secret.reveal().len() {
        short if short < JWT_SECRET_BYTES_MIN => Err(ConfigError::SecretTooShort(short)),
        _ => Ok(secret),
    }
}

/// The folder that a server of this user keeps its things in: the one it was told, else
/// `/var/lib/trialogue` for root, else the user's data folder.
///
/// # Errors
///
/// [`ConfigError::SecretFile`] for a user without a home.
pub fn data_folder(config: &Config) -> Result<PathBuf, ConfigError> {
    if let Some(told) = &config.data_dir {
        return Ok(told.clone());
    }
    #[cfg(unix)]
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/trialogue"));
    }
    directories::ProjectDirs::from("", "", "trialogue")
        .map(|folders| folders.data_dir().to_owned())
        .ok_or_else(|| wrong(Path::new("~"), "this user has no home folder"))
}

fn wrong(path: &Path, reason: impl std::fmt::Display) -> ConfigError {
    ConfigError::SecretFile { path: path.display().to_string(), reason: reason.to_string() }
}

fn read(path: &Path) -> Result<Secret, ConfigError> {
    let file = std::fs::File::open(path).map_err(|error| wrong(path, error))?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(|error| wrong(path, error))?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}

/// Reads the secret that an earlier start has kept, or makes it.
fn kept(path: &Path) -> Result<Secret, ConfigError> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => make(path),
        Err(error) => Err(wrong(path, error)),
        Ok(found) => {
            check_private(path, &found)?;
            read(path)
        }
    }
}

fn make(path: &Path) -> Result<Secret, ConfigError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|error| wrong(folder, error))?;
    let digits: String =
        rand::random::<[u8; MADE_BYTES]>().iter().map(|byte| format!("{byte:02x}")).collect();
    // Written aside (0600 from birth) and linked into place: a second server that starts at the
    // same time sees the whole file or none.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| wrong(folder, error))?;
    file.write_all(digits.as_bytes())
        .and_then(|()| file.as_file().sync_all())
        .map_err(|error| wrong(path, error))?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(Secret::new(digits)),
        Err(taken) if taken.error.kind() == ErrorKind::AlreadyExists => read(path),
        Err(other) => Err(wrong(path, other.error)),
    }
}

#[cfg(unix)]
fn check_private(path: &Path, found: &std::fs::Metadata) -> Result<(), ConfigError> {
    use std::os::unix::fs::PermissionsExt;
    if !found.is_file() {
        return Err(wrong(path, "is not a regular file"));
    }
    if found.permissions().mode() & 0o077 != 0 {
        return Err(wrong(path, "others may read it: run chmod 600 on it, or delete it"));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_private(path: &Path, found: &std::fs::Metadata) -> Result<(), ConfigError> {
    if found.is_file() { Ok(()) } else { Err(wrong(path, "is not a regular file")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);

    #[test]
    fn a_short_secret_is_refused_without_its_value() {
        let short = Config { jwt_secret: Some(Secret::new("12345678")), ..Config::default() };
        let error = jwt_secret(&short, LOCAL).unwrap_err();
        assert_eq!(error, ConfigError::SecretTooShort(8));
        assert!(!error.to_string().contains("12345678"));
    }

    #[test]
    fn an_address_that_others_reach_needs_a_secret() {
        let error = jwt_secret(&Config::default(), ([0, 0, 0, 0], 1).into()).unwrap_err();
        assert_eq!(error, ConfigError::NoSecret);
    }

    #[test]
    fn a_file_may_end_with_a_newline() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "{}", "s".repeat(32)).unwrap();
        let config = Config { jwt_secret_file: Some(file.path().to_owned()), ..Config::default() };
        assert_eq!(jwt_secret(&config, LOCAL).unwrap(), Secret::new("s".repeat(32)));
    }

    #[cfg(unix)]
    #[test]
    fn a_made_secret_is_kept_private_and_survives_a_restart() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("jwt-secret");
        let first = kept(&path).unwrap();
        assert_eq!(first.reveal().len(), 2 * MADE_BYTES);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(kept(&path).unwrap(), first);

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(kept(&path).unwrap_err().to_string().contains("chmod 600"));
    }
}
