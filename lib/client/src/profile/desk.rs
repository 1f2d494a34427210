//! What somebody left on the desk: drafts that were not sent, and chats that stay silent.
//!
//! Kept beside the account, of one owner (a server and a user), bounded, and wiped at logout. Two
//! windows of one account write what each of them changed; only of one chat's draft the last to
//! write counts. What may not happen here: one account shown another's drafts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;

use serde::{Deserialize, Serialize};
use trialogue_protocol::ChatId;

use super::Profile;
use super::file::{self, ProfileError};

/// Bytes of all drafts together (1 MiB): four of the longest.
pub const DRAFTS_BYTES_MAX: usize = 1024 * 1024;
/// Muted chats (1,000): as many as a list of chats shows.
pub const MUTED_MAX: usize = 1_000;
/// Longest file in bytes (8 MiB): both bounds with every byte escaped.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// The file inside a profile's folder.
const FILE: &str = "desk.json";

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Desk {
    /// Texts that were typed and not sent.
    pub drafts: BTreeMap<ChatId, String>,
    /// Chats that count and stay silent.
    pub muted: BTreeSet<ChatId>,
}

impl Desk {
    /// Nothing is on it.
    pub fn is_empty(&self) -> bool {
        self.drafts.is_empty() && self.muted.is_empty()
    }

    /// This desk with what became of another one since `before`.
    fn with_changes(mut self, before: &Self, after: &Self) -> Self {
        for (chat, text) in &after.drafts {
            if before.drafts.get(chat) != Some(text) {
                self.drafts.insert(*chat, text.clone());
            }
        }
        for chat in before.drafts.keys().filter(|chat| !after.drafts.contains_key(chat)) {
            self.drafts.remove(chat);
        }
        self.muted.extend(after.muted.difference(&before.muted));
        self.muted.retain(|chat| after.muted.contains(chat) || !before.muted.contains(chat));
        self
    }

    /// As much of it as is kept: short drafts before long ones.
    fn bounded(&self) -> Self {
        let mut drafts: Vec<(&ChatId, &String)> = self.drafts.iter().collect();
        drafts.sort_by_key(|(_, text)| text.len());
        let mut room = DRAFTS_BYTES_MAX;
        let fit = drafts.into_iter().take_while(|(_, text)| {
            let fits = text.len() <= room;
            room = room.saturating_sub(text.len());
            fits
        });
        Self {
            drafts: fit.map(|(chat, text)| (*chat, text.clone())).collect(),
            muted: self.muted.iter().take(MUTED_MAX).copied().collect(),
        }
    }
}

/// The file: whose desk, and what is on it.
#[derive(Serialize, Deserialize)]
struct Kept {
    owner: String,
    #[serde(flatten)]
    desk: Desk,
}

impl Profile {
    /// What `owner` left; nothing when somebody else did.
    ///
    /// # Errors
    /// [`ProfileError`]: others could read or change the file, it cannot be read, or it is not ours.
    pub fn desk(&self, owner: &str) -> Result<Desk, ProfileError> {
        let path = self.folder().join(FILE);
        let bytes = file::load(&path, FILE_BYTES_MAX).map_err(file::io_error("read", &path))?;
        let Some(bytes) = bytes else { return Ok(Desk::default()) };
        let garbled = |error| file::io_error("understand", &path)(io::Error::other(error));
        let kept: Kept = serde_json::from_slice(&bytes).map_err(garbled)?;
        Ok(if kept.owner == owner { kept.desk.bounded() } else { Desk::default() })
    }

    /// Keeps what became of `owner`'s desk since `before`, as far as the bounds of the module allow:
    /// what another window has kept meanwhile stays. A file that cannot be read is replaced.
    ///
    /// # Errors
    /// [`ProfileError`]: others could read or change the folder, or the disk does not take it.
    pub fn keep_desk(&self, owner: &str, before: &Desk, desk: &Desk) -> Result<(), ProfileError> {
        if desk.is_empty() && !self.folder().exists() {
            return Ok(());
        }
        file::private_folder(self.folder())?;
        let folder = file::open_folder(self.folder());
        let folder = folder.map_err(file::io_error("open", self.folder()))?;
        if let Some(folder) = &folder {
            // Only as long as another window writes; where folders cannot be locked, it is rare.
            let _ = folder.lock();
        }
        let desk = self.desk(owner).unwrap_or_else(|_| before.clone()).with_changes(before, desk);
        if desk.is_empty() {
            return self.wipe_desk();
        }
        let kept = Kept { owner: owner.to_owned(), desk: desk.bounded() };
        file::replace(self.folder(), &self.folder().join(FILE), &kept)
    }

    /// Forgets it, as a logout must.
    ///
    /// # Errors
    /// [`ProfileError::Io`]: it is still there.
    pub fn wipe_desk(&self) -> Result<(), ProfileError> {
        let path = self.folder().join(FILE);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done.map_err(file::io_error("remove", &path)),
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::profile::Profiles;

    fn chat(number: u128) -> ChatId {
        ChatId(uuid::Uuid::from_u128(number))
    }

    fn desk(texts: &[&str]) -> Desk {
        let drafts = texts.iter().zip(1..).map(|(text, n)| (chat(n), (*text).to_owned()));
        Desk { drafts: drafts.collect(), muted: BTreeSet::from([chat(9)]) }
    }

    #[test]
    fn what_was_left_is_there_again_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let profile = Profiles::at(folder.path()).profile("amna".parse().unwrap());
        assert_eq!(profile.desk("amna").unwrap(), Desk::default());
        let left = desk(&["4711 then hash", "the bell\nis broken"]);
        profile.keep_desk("amna", &Desk::default(), &left).unwrap();
        assert_eq!(profile.desk("amna").unwrap(), left);
        assert_eq!(profile.desk("ravi").unwrap(), Desk::default());
        let mode = fs::metadata(profile.folder().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        profile.wipe_desk().unwrap();
        profile.wipe_desk().unwrap();
        assert_eq!(profile.desk("amna").unwrap(), Desk::default());
    }

    #[test]
    fn an_empty_desk_leaves_no_file_and_a_damaged_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let profile = Profiles::at(folder.path()).profile("amna".parse().unwrap());
        profile.keep_desk("amna", &Desk::default(), &desk(&["x"])).unwrap();
        let path = profile.folder().join(FILE);
        fs::write(&path, "{").unwrap();
        assert!(profile.desk("amna").unwrap_err().to_string().contains("desk.json"));
        profile.keep_desk("amna", &desk(&["x"]), &Desk::default()).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn two_windows_keep_what_each_of_them_changed() {
        let folder = tempfile::tempdir().unwrap();
        let profile = Profiles::at(folder.path()).profile("amna".parse().unwrap());
        let found = desk(&["first", "second"]);
        profile.keep_desk("amna", &Desk::default(), &found).unwrap();
        // One sends the first draft and begins a third one; the other changes the second one.
        let mut one = desk(&["first", "second", "third"]);
        one.drafts.remove(&chat(1));
        profile.keep_desk("amna", &found, &one).unwrap();
        let mut other = desk(&["first", "second, longer"]);
        other.muted = BTreeSet::from([chat(8)]);
        profile.keep_desk("amna", &found, &other).unwrap();
        let kept = profile.desk("amna").unwrap();
        assert_eq!(kept.drafts.into_values().collect::<Vec<_>>(), ["second, longer", "third"]);
        assert_eq!(kept.muted, BTreeSet::from([chat(8)]));
    }

    #[test]
    fn of_too_much_the_short_drafts_stay() {
        let long = "x".repeat(DRAFTS_BYTES_MAX);
        let folder = tempfile::tempdir().unwrap();
        let profile = Profiles::at(folder.path()).profile("amna".parse().unwrap());
        profile.keep_desk("amna", &Desk::default(), &desk(&[&long, "short"])).unwrap();
        let kept = profile.desk("amna").unwrap();
        assert_eq!(kept.drafts.into_values().collect::<Vec<_>>(), ["short"]);
    }
}
