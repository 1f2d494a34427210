//! Recent chats of an account on this machine: kept by the verbs that see them, shown without a
//! server, offered to a shell that completes.
//!
//! It is a copy: what is in its way is logged and fails nothing.

use std::path::PathBuf;

use trialogue_client::backup::{self, Opened, Recent, Shelf};
use trialogue_client::journal;
use trialogue_client::outbox::Restored;
use trialogue_client::profile::Desk;
use trialogue_protocol::{Chat, ChatId, ClientMessageId, Message, User};

use crate::account::{self, Account};
use crate::chat::ChatGiven;
use crate::exit::Failure;
use crate::{human, settings};

/// The folder inside a profile's.
const FOLDER: &str = "backup";

impl Account {
    fn recent_folder(&self) -> PathBuf {
        self.profile_folder().join(FOLDER)
    }

    /// What was seen last, and the right to keep what comes, if no other process has it. Blocks for
    /// as long as it takes to read a small file.
    pub(crate) fn open_recent(&self) -> Option<Opened> {
        match backup::open(&self.recent_folder(), &self.owner()?) {
            Ok(opened) => {
                opened.notices.iter().for_each(|notice| tracing::warn!("{notice}"));
                Some(opened)
            }
            Err(error) => {
                tracing::debug!(%error, "recent chats are not kept");
                None
            }
        }
    }

    /// Keeps what a verb has seen.
    pub(crate) fn keep_recent(&self, change: impl FnOnce(&mut Shelf)) {
        // Another process that keeps it sees the same by itself.
        let Some(Opened { mut shelf, keeper: Some(keeper), .. }) = self.open_recent() else {
            return;
        };
        change(&mut shelf);
        if shelf.is_changed()
            && let Err(error) = keeper.keep(&mut shelf)
        {
            tracing::debug!(%error, "recent chats are not kept");
        }
    }

    /// What was seen last, without a word to the server, and by whom.
    pub(crate) fn recent(&self) -> anyhow::Result<(Shelf, &User)> {
        let (Some(user), Some(owner)) = (self.user(), self.owner()) else {
            let profile = self.profile_name();
            let nobody = format!("nobody has signed in with profile {profile} yet");
            return Err(Failure::not_signed_in(nobody).into());
        };
        Ok((backup::look(&self.recent_folder(), &owner)?, user))
    }

    /// The kept messages of the chat that is meant, oldest first.
    pub(crate) fn recent_messages(
        &self,
        given: &ChatGiven,
    ) -> anyhow::Result<(ChatId, Vec<Message>)> {
        let (shelf, _) = self.recent()?;
        let ids = shelf.chats().into_iter().map(|recent| recent.id);
        let fit: Vec<ChatId> = ids.filter(|id| given.matches(*id)).collect();
        let id = given.only(&fit, "no chat that was kept")?;
        let messages = shelf.get(id).map(|recent| recent.messages.iter().cloned().collect());
        Ok((id, messages.unwrap_or_default()))
    }

    /// What a window of this account left: drafts and muted chats.
    pub(crate) fn desk(&self) -> anyhow::Result<Desk> {
        let Some(owner) = self.owner() else { return Ok(Desk::default()) };
        Ok(self.profile().desk(&owner)?)
    }

    /// Keeps it for the next window.
    pub(crate) fn keep_desk(&self, before: &Desk, desk: &Desk) -> anyhow::Result<()> {
        let Some(owner) = self.owner() else { return Ok(()) };
        Ok(self.profile().keep_desk(&owner, before, desk)?)
    }

    /// Forgets the recent chats and the drafts of whoever signed in last, as a logout must.
    pub(crate) fn wipe_recent(&self) -> anyhow::Result<()> {
        let Some(owner) = self.owner() else { return Ok(()) };
        let desk = self.profile().wipe_desk();
        backup::wipe(&self.recent_folder(), &owner)?;
        Ok(desk?)
    }
}

/// What waits in the outbox of a profile's account, and its beginning in words: likewise.
pub(crate) fn unsent_of(named: Option<&str>) -> Vec<(ClientMessageId, String)> {
    let look = || {
        let (folder, owner) = last_in(named)?;
        let kept = journal::look(&folder.join(account::OUTBOX), &owner).ok()?.restored;
        Some(kept.into_iter().map(|Restored { draft, .. }| (draft.id, human::line(&draft.text))))
    };
    look().into_iter().flatten().collect()
}

/// The folder of a profile, and whose it was last.
fn last_in(named: Option<&str>) -> Option<(PathBuf, String)> {
    let name = named.map(str::to_owned).or_else(settings::usual_profile)?;
    let profile = account::profiles().ok()?.profile(name.parse().ok()?);
    let saved = profile.load().ok()??;
    Some((profile.folder().to_owned(), account::owner(&saved.server, &saved.user?)))
}

/// The chats that a profile's account saw last, with what they are called: for completions, so
/// without a word to the server. The profile is the one that is named, else the usual one.
pub(crate) fn chats_of(named: Option<&str>) -> Vec<(ChatId, String)> {
    let look = || {
        let (folder, owner) = last_in(named)?;
        let shelf = backup::look(&folder.join(FOLDER), &owner).ok()?;
        let title = |chat: &Chat| chat.job.title.as_deref().map(human::line);
        let named = |recent: &Recent| recent.chat.as_ref().and_then(title).unwrap_or_default();
        Some(shelf.chats().into_iter().map(|recent| (recent.id, named(recent))).collect())
    };
    look().unwrap_or_default()
}
