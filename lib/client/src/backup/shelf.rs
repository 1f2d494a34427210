//! The recent chats of one account, bounded in every direction; without a disk.
//!
//! Per chat the newest messages in one run without holes, because a screen begins with them and a
//! resume continues them. What may not happen here: a hole, another chat's message, growth.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use trialogue_protocol::{Chat, ChatId, Message};

use crate::lines;

/// Bounds of a [`Shelf`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShelfBounds {
    /// Chats (100): the least recently active one makes room.
    pub chats_max: usize,
    /// Messages of a chat (200): the oldest one makes room.
    pub messages_max: usize,
    /// Bytes of all texts and a constant for each message and chat (8 MiB).
    pub bytes_max: usize,
}

impl Default for ShelfBounds {
    fn default() -> Self {
        Self { chats_max: 100, messages_max: 200, bytes_max: 8 * 1024 * 1024 }
    }
}

/// What a message costs beside its texts, in bytes.
const MESSAGE_BYTES: usize = 256;
/// What a chat costs beside its messages, in bytes.
const CHAT_BYTES: usize = 2_048;

/// One chat as it was seen last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recent {
    /// Which.
    pub id: ChatId,
    /// As the server listed it, its last message and number kept up to date.
    #[serde(default)]
    pub chat: Option<Chat>,
    /// The epoch that its messages belong to, if the server told one.
    #[serde(default)]
    pub epoch: Option<String>,
    /// The newest messages, ascending, without holes.
    #[serde(default)]
    pub messages: VecDeque<Message>,
    /// Counts upwards: the chat with the largest was active last.
    #[serde(default)]
    used: u64,
}

impl Recent {
    fn new(id: ChatId) -> Self {
        Self { id, chat: None, epoch: None, messages: VecDeque::new(), used: 0 }
    }

    fn bytes(&self) -> usize {
        CHAT_BYTES + self.messages.iter().map(bytes_of).sum::<usize>()
    }

    /// Puts a message at the end, or begins anew with it when others lie between.
    fn append(&mut self, message: &Message) -> bool {
        let last = self.messages.back();
        let follows = match (last.and_then(|last| last.seq), message.seq) {
            (Some(last), Some(seq)) if seq <= last => return false,
            (Some(last), Some(seq)) => seq == last + 1,
            (None, None) if self.messages.iter().any(|known| known.id == message.id) => {
                return false;
            }
            (None, None) => true,
            (Some(_), None) => false,
            (None, Some(_)) => last.is_none(),
        };
        if !follows {
            self.messages.clear();
        }
        self.messages.push_back(message.clone());
        true
    }
}

#[derive(Debug)]
struct Slot {
    recent: Recent,
    bytes: usize,
    /// Its line in the file, until it changes.
    line: Option<Arc<Vec<u8>>>,
}

/// The chats. See the module.
#[derive(Debug, Default)]
pub struct Shelf {
    bounds: ShelfBounds,
    slots: BTreeMap<ChatId, Slot>,
    bytes: usize,
    uses: u64,
    changed: bool,
}

impl Shelf {
    /// An empty one.
    pub fn new(bounds: ShelfBounds) -> Self {
        Self { bounds, ..Self::default() }
    }

    /// With what a file had, whatever that was: bounds and order are made to hold.
    pub fn restore(bounds: ShelfBounds, kept: impl IntoIterator<Item = Recent>) -> Self {
        let mut shelf = Self::new(bounds);
        for mut recent in kept {
            let (id, used) = (recent.id, recent.used);
            if recent.chat.as_ref().is_some_and(|chat| chat.id != id) {
                recent.chat = None;
            }
            let messages = std::mem::take(&mut recent.messages);
            for message in messages.iter().filter(|message| message.chat_id == id) {
                recent.append(message);
            }
            shelf.change(id, |slot| *slot = recent);
            shelf.uses = shelf.uses.max(used);
        }
        shelf.changed = false;
        shelf
    }

    /// The chats, most recently active first.
    pub fn chats(&self) -> Vec<&Recent> {
        let mut chats: Vec<&Recent> = self.slots.values().map(|slot| &slot.recent).collect();
        chats.sort_by_key(|recent| std::cmp::Reverse(recent.used));
        chats
    }

    /// One of them.
    pub fn get(&self, chat: ChatId) -> Option<&Recent> {
        self.slots.get(&chat).map(|slot| &slot.recent)
    }

    /// Whether there is something that the file does not have.
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// The server's list, most recently active first. When it is `whole`, a chat that is not in it
    /// is one that the account may not see any more.
    pub fn list(&mut self, chats: &[Chat], whole: bool) {
        if whole {
            let listed = |id: &ChatId| chats.iter().any(|chat| chat.id == *id);
            let gone: Vec<ChatId> = self.slots.keys().filter(|id| !listed(id)).copied().collect();
            gone.into_iter().for_each(|id| self.forget(id));
        }
        for chat in chats.iter().take(self.bounds.chats_max).rev() {
            self.uses += 1;
            let used = self.uses;
            self.change(chat.id, |recent| {
                recent.chat = Some(chat.clone());
                recent.used = used;
            });
        }
    }

    /// A message was shown in its chat's order.
    pub fn said(&mut self, message: &Message, epoch: Option<&str>) {
        self.uses += 1;
        let (used, most) = (self.uses, self.bounds.messages_max);
        self.change(message.chat_id, |recent| {
            if recent.epoch.as_deref() != epoch {
                recent.messages.clear();
                recent.epoch = epoch.map(ToOwned::to_owned);
            }
            if !recent.append(message) {
                return;
            }
            while recent.messages.len() > most {
                recent.messages.pop_front();
            }
            recent.used = used;
            if let Some(chat) = &mut recent.chat {
                chat.last_seq = message.seq.unwrap_or(chat.last_seq);
                chat.last_message = Some(message.clone());
            }
        });
    }

    /// How many messages of a chat were not read.
    pub fn unread(&mut self, id: ChatId, count: u64) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let known = self.get(id).and_then(|recent| recent.chat.as_ref());
        if known.is_some_and(|chat| chat.unread_count != count) {
            self.change(id, |recent| {
                if let Some(chat) = &mut recent.chat {
                    chat.unread_count = count;
                }
            });
        }
    }

    /// What was shown of a chat is void.
    pub fn reset(&mut self, id: ChatId) {
        if self.slots.contains_key(&id) {
            self.change(id, |recent| {
                recent.messages.clear();
                recent.epoch = None;
            });
        }
    }

    /// The account may not see this chat any more.
    pub fn forget(&mut self, id: ChatId) {
        if let Some(slot) = self.slots.remove(&id) {
            self.bytes -= slot.bytes;
            self.changed = true;
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self { changed: true, ..Self::new(self.bounds) };
    }

    /// The lines of the file as it should be now; what did not change is not encoded again.
    pub(crate) fn lines(&mut self) -> Vec<Arc<Vec<u8>>> {
        self.changed = false;
        let line = |slot: &mut Slot| match &slot.line {
            Some(line) => Some(Arc::clone(line)),
            None => {
                let mut line = Vec::new();
                lines::encode(&slot.recent, &mut line).ok()?;
                let line = Arc::new(line);
                slot.line = Some(Arc::clone(&line));
                Some(line)
            }
        };
        self.slots.values_mut().filter_map(line).collect()
    }

    fn change(&mut self, id: ChatId, change: impl FnOnce(&mut Recent)) {
        let slot = self.slots.entry(id).or_insert_with(|| Slot {
            recent: Recent::new(id),
            bytes: 0,
            line: None,
        });
        change(&mut slot.recent);
        slot.line = None;
        let before = std::mem::replace(&mut slot.bytes, slot.recent.bytes());
        self.bytes = self.bytes - before + slot.bytes;
        self.changed = true;
        while self.slots.len() > self.bounds.chats_max
            || (self.bytes > self.bounds.bytes_max && self.slots.len() > 1)
        {
            let oldest = self.slots.iter().min_by_key(|(_, slot)| slot.recent.used);
            let Some(oldest) = oldest.map(|(id, _)| *id) else { return };
            self.forget(oldest);
        }
    }
}

fn bytes_of(message: &Message) -> usize {
    MESSAGE_BYTES + message.message.len() + message.sender_name.len()
}
