//! The session's way to its backup: written now and then, whole, beside everything else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use trialogue_protocol::{Chat, ChatId, Message, UserId};

use super::driver::Count;
use super::show::listed;
use crate::backup::{Keeper, Opened, Recent, Shelf};
use crate::error::Error;
use crate::time::Now;
use crate::unread::Unread;

/// How a write ended, and whose keeper it was.
pub(super) type Saved = (Keeper, Result<(), Error>);

/// A shelf and the pace of its writes.
pub(super) struct Archive {
    shelf: Shelf,
    /// Nothing: another process keeps it, it was wiped, or a write is under way.
    keeper: Option<Keeper>,
    saving: Option<BoxFuture<'static, Saved>>,
    pause: Duration,
    /// When the next write may start.
    not_before: Now,
    wiped: bool,
    /// The user knows that the disk does not take it.
    told: bool,
}

impl Archive {
    pub(super) fn new(opened: Opened, pause: Duration) -> Self {
        let Opened { shelf, keeper, .. } = opened;
        Self {
            shelf,
            keeper,
            saving: None,
            pause,
            not_before: Now::ZERO,
            wiped: false,
            told: false,
        }
    }

    pub(super) fn get(&self, chat: ChatId) -> Option<&Recent> {
        self.shelf.get(chat)
    }

    /// What was unread when the backup was written: known without a connection.
    pub(super) fn counts(&self, me: Option<UserId>) -> BTreeMap<ChatId, Count> {
        let chats = self.shelf.chats().into_iter().filter_map(|recent| recent.chat.as_ref());
        let counted = chats.map(|chat| {
            let mut unread = Unread::default();
            listed(&mut unread, chat, me);
            let told = unread.count();
            (chat.id, Count { unread, told })
        });
        counted.collect()
    }

    pub(super) fn said(&mut self, message: &Message, epoch: Option<&str>) {
        if !self.wiped {
            self.shelf.said(message, epoch);
        }
    }

    pub(super) fn list(&mut self, chats: &[Chat], whole: bool) {
        if !self.wiped {
            self.shelf.list(chats, whole);
        }
    }

    pub(super) fn unread(&mut self, chat: ChatId, count: u64) {
        self.shelf.unread(chat, count);
    }

    pub(super) fn reset(&mut self, chat: ChatId) {
        self.shelf.reset(chat);
    }

    pub(super) fn forget(&mut self, chat: ChatId) {
        self.shelf.forget(chat);
    }

    pub(super) fn next_wake(&self) -> Option<Now> {
        (self.shelf.is_changed() && self.keeper.is_some()).then_some(self.not_before)
    }

    /// Starts a write if one is due.
    pub(super) fn tick(&mut self, now: Now) {
        if self.next_wake().is_some_and(|at| at <= now) {
            self.start();
            self.not_before = now + self.pause;
        }
    }

    fn start(&mut self) {
        let Some(keeper) = self.keeper.take() else { return };
        let lines: Vec<Arc<Vec<u8>>> = self.shelf.lines();
        let write = tokio::task::spawn_blocking(move || {
            let saved = keeper.save(&lines);
            (keeper, saved)
        });
        let saving = async move {
            match write.await {
                Ok(saved) => saved,
                // The runtime is going down: nobody waits for this any more.
                Err(_) => std::future::pending().await,
            }
        };
        self.saving = Some(saving.boxed());
    }

    /// The write under way; asked for only as long as there is one.
    pub(super) fn saving(&mut self) -> Option<&mut BoxFuture<'static, Saved>> {
        self.saving.as_mut()
    }

    /// A write is over; a sentence for the user when it did not succeed.
    pub(super) fn saved(&mut self, saved: Saved) -> Option<String> {
        let (keeper, result) = saved;
        self.saving = None;
        if self.wiped {
            // It was under way when the user signed out.
            drop(keeper.wipe());
            return None;
        }
        match result {
            Ok(()) => {
                self.keeper = Some(keeper);
                self.told = false;
                None
            }
            // Somebody signed out in another process: nothing is to be kept.
            Err(Error::Closed) => {
                self.wiped = true;
                self.shelf.clear();
                None
            }
            Err(error) => {
                self.keeper = Some(keeper);
                let told = std::mem::replace(&mut self.told, true);
                (!told).then(|| format!("recent chats are not kept: {}", error.sentence()))
            }
        }
    }

    /// Forgets everything and keeps nothing more.
    pub(super) fn wipe(&mut self) -> Result<(), Error> {
        self.wiped = true;
        self.shelf.clear();
        // One under way is wiped when it is over.
        self.keeper.take().map_or(Ok(()), |keeper| keeper.wipe())
    }

    /// Writes what was not written yet, and waits for it.
    pub(super) async fn finish(&mut self) {
        if let Some(saving) = self.saving.take() {
            let saved = saving.await;
            drop(self.saved(saved));
        }
        if self.shelf.is_changed() && self.keeper.is_some() {
            self.start();
            if let Some(saving) = self.saving.take() {
                let saved = saving.await;
                drop(self.saved(saved));
            }
        }
    }
}
