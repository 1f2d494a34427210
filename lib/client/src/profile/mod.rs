//! Accounts on this machine: which server, who, and the tokens, under a name.
//!
//! A profile is a folder of its own (0700) with one file (0600): nobody else may read it, and a file
//! that others can read is refused with the command that mends it. A file is replaced whole or
//! not at all. What may not happen here: tokens of one server in the hands of another.

mod desk;
pub(crate) mod file;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use trialogue_protocol::{TokenPair, User};
use url::Url;

use crate::credentials::TokenKeeper;
use crate::dialect::Dialect;
use crate::error::Error;

pub use desk::{DRAFTS_BYTES_MAX, Desk, MUTED_MAX};
pub use file::ProfileError;

/// Longest name of a profile in characters: it is a folder's name, with room for what we add.
const NAME_CHARS_MAX: usize = 64;

/// The file inside a profile's folder.
const FILE: &str = "account.json";

/// A name that is also a harmless folder name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProfileName(String);

impl ProfileName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ProfileName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let fits = (1..=NAME_CHARS_MAX).contains(&text.len());
        // No leading dot: no hidden folder, no way up.
        if !fits || text.starts_with('.') || !text.bytes().all(allowed) {
            return Err("a profile's name is 1 to 64 of A-Z a-z 0-9 . _ - and begins with no dot");
        }
        Ok(Self(text.to_owned()))
    }
}

/// What a profile remembers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// The server that the tokens belong to.
    pub server: Url,
    /// How it speaks.
    #[serde(default)]
    pub dialect: Dialect,
    /// Who is signed in, as the server said at login.
    #[serde(default)]
    pub user: Option<User>,
    /// Nothing once signed out.
    #[serde(default)]
    pub tokens: Option<TokenPair>,
}

/// All profiles of this machine's user.
#[derive(Debug, Clone)]
pub struct Profiles {
    folder: PathBuf,
}

impl Profiles {
    /// Profiles kept in a folder that need not be there yet.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Where this system keeps a user's data; nothing where there is no home.
    pub fn usual_folder() -> Option<PathBuf> {
        let folders = directories::ProjectDirs::from("", "", "trialogue")?;
        Some(folders.data_local_dir().join("profiles"))
    }

    /// One of them, there or not.
    pub fn profile(&self, name: ProfileName) -> Profile {
        Profile { folder: self.folder.join(name.as_str()), name }
    }

    /// Those that are there, in order of name.
    ///
    /// # Errors
    /// [`ProfileError::Io`] when the folder is there and cannot be read.
    pub fn names(&self) -> Result<Vec<ProfileName>, ProfileError> {
        let mut names: Vec<ProfileName> = file::names_in(&self.folder)?
            .iter()
            .filter_map(|name| name.parse().ok())
            .filter(|name: &ProfileName| self.folder.join(name.as_str()).join(FILE).is_file())
            .collect();
        names.sort();
        Ok(names)
    }
}

/// One account's place on disk.
#[derive(Debug, Clone)]
pub struct Profile {
    name: ProfileName,
    folder: PathBuf,
}

impl Profile {
    /// Its name.
    pub fn name(&self) -> &ProfileName {
        &self.name
    }

    /// Its folder, for what else belongs to the account; not there before [`Self::keep`].
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is remembered; nothing when nothing ever was.
    ///
    /// # Errors
    /// [`ProfileError`]: others could read or change the file, it cannot be read, or it is not ours.
    pub fn load(&self) -> Result<Option<Saved>, ProfileError> {
        file::read(&self.folder, &self.folder.join(FILE))
    }

    /// Renames a file that [`Self::load`] cannot make sense of, so that there is place for another
    /// account; answers where it is now. It may hold tokens.
    ///
    /// # Errors
    /// [`ProfileError::Io`]: it is still there.
    pub fn put_aside(&self) -> Result<PathBuf, ProfileError> {
        let path = self.folder.join(FILE);
        file::put_aside(&self.folder, &path).map_err(file::io_error("rename", &path))
    }

    /// Remembers this instead of what was.
    ///
    /// # Errors
    /// [`ProfileError`]: others could read or change the folder, or the disk does not take it.
    pub fn keep(&self, saved: &Saved) -> Result<(), ProfileError> {
        file::replace(&self.folder, &self.folder.join(FILE), saved)
    }

    /// The tokens of this profile at one server: those of another are neither handed out nor kept.
    pub fn tokens_at(&self, server: Url) -> ProfileTokens {
        ProfileTokens { profile: self.clone(), server }
    }
}

/// See [`Profile::tokens_at`].
#[derive(Debug, Clone)]
pub struct ProfileTokens {
    profile: Profile,
    server: Url,
}

impl ProfileTokens {
    fn saved(&self) -> Option<Saved> {
        let saved = self.profile.load().ok().flatten();
        saved.filter(|saved| saved.server == self.server)
    }
}

impl TokenKeeper for ProfileTokens {
    fn load(&self) -> Option<TokenPair> {
        self.saved()?.tokens
    }

    fn keep(&self, tokens: Option<&TokenPair>) -> Result<(), Error> {
        let known = self.saved().map(|saved| (saved.dialect, saved.user));
        let (dialect, user) = known.unwrap_or_default();
        let saved = Saved { server: self.server.clone(), dialect, user, tokens: tokens.cloned() };
        self.profile.keep(&saved).map_err(|error| Error::Storage(error.to_string()))
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
