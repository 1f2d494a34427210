//! The list of chats: order, counts, what is open.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use chrono::{DateTime, Utc};
use trialogue_protocol::{Chat, ChatId, UserId};

use crate::edit::Editor;
use crate::text;

/// Chats in the list (1,000): as many as the session counts unread messages for.
pub const CHATS_MAX: usize = 1_000;

/// How far a list is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listing {
    /// Was asked for then.
    Loading(Duration),
    /// Is here.
    Loaded,
    /// Could not be had.
    Failed(String),
}

/// Longest wait (30 s) for the answer to one question before it is asked again.
const ASKED_MAX: Duration = Duration::from_secs(30);

/// One question at a time: whatever is asked meanwhile is asked once more when the answer is here.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    since: Option<Duration>,
    more: bool,
}

impl Asked {
    /// Whether it may be asked now; if not, it will be.
    pub fn may(&mut self, now: Duration) -> bool {
        self.more = self.since.is_some_and(|since| now < since + ASKED_MAX);
        if !self.more {
            self.since = Some(now);
        }
        !self.more
    }

    /// The answer is here; `true`: ask once more.
    pub fn answered(&mut self) -> bool {
        self.since = None;
        std::mem::take(&mut self.more)
    }
}

/// One chat of the list.
#[derive(Debug, Clone)]
pub struct Entry {
    /// As the server listed it last.
    pub chat: Chat,
    /// The job's title, or its number; harmless.
    pub title: String,
    /// Messages of others that were not read.
    pub unread: u64,
    /// When the first of them came; of several that were there before this client, when the last did.
    since: Option<DateTime<Utc>>,
}

impl Entry {
    /// A chat of the list.
    pub fn new(chat: Chat) -> Self {
        let title = chat.job.title.as_deref().map(text::line).filter(|title| !title.is_empty());
        let title = title.unwrap_or_else(|| format!("Job {}", chat.job.id));
        let unread = u64::try_from(chat.unread_count).unwrap_or_default();
        let last = chat.last_message.as_ref().map_or(chat.created_at, |last| last.created_at);
        let since = (unread > 0).then(|| last.as_datetime());
        Self { chat, title, unread, since }
    }

    /// So many are not read now.
    pub fn count(&mut self, unread: u64, now: DateTime<Utc>) {
        self.unread = unread;
        self.since = (unread > 0).then(|| self.since.unwrap_or(now));
    }

    /// Whether a dispute is open.
    pub fn is_disputed(&self) -> bool {
        self.chat.lsm_invited || self.chat.lsm_joined
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Chats {
    /// Most recently active first.
    pub list: Vec<Entry>,
    /// How far the list is.
    pub listing: Listing,
    /// The question for it that is on its way.
    pub asked: Asked,
    /// When one that could not be had is asked for again.
    pub again: Option<Duration>,
    /// The chat on the screen.
    pub open: Option<ChatId>,
    /// The chat under the list's cursor.
    pub cursor: Option<ChatId>,
    /// Only chats with these letters.
    pub filter: Editor,
    /// The filter is being typed.
    pub filtering: bool,
    /// Silent ones.
    pub muted: BTreeSet<ChatId>,
    /// Rooms that are entered, the newest last.
    pub rooms: VecDeque<ChatId>,
    /// A chat to open as soon as the list is here.
    pub wanted: Option<ChatId>,
    /// Somebody else plays this account: what it enters comes on the screen, and nothing is entered
    /// or read by itself.
    pub follows: bool,
}

impl Default for Chats {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            listing: Listing::Loading(Duration::ZERO),
            asked: Asked::default(),
            again: None,
            open: None,
            cursor: None,
            filter: Editor::default(),
            filtering: false,
            muted: BTreeSet::new(),
            rooms: VecDeque::new(),
            wanted: None,
            follows: false,
        }
    }
}

impl Chats {
    /// A chat of the list.
    pub fn get(&self, chat: ChatId) -> Option<&Entry> {
        self.list.iter().find(|entry| entry.chat.id == chat)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, chat: ChatId) -> Option<&mut Entry> {
        self.list.iter_mut().find(|entry| entry.chat.id == chat)
    }

    /// The list as it is shown: those that the filter lets through.
    pub fn shown(&self) -> Vec<&Entry> {
        let needle = self.filter.text();
        let fits =
            |entry: &&Entry| needle.is_empty() || text::fuzzy(&entry.title, needle).is_some();
        self.list.iter().filter(fits).collect()
    }

    /// All unread messages.
    pub fn unread(&self) -> u64 {
        self.list.iter().map(|entry| entry.unread).sum()
    }

    /// What the server listed takes the place of what was; a part of it is put over it.
    pub fn listed(&mut self, chats: Vec<Chat>, whole: bool) {
        let mut list: Vec<Entry> = chats.into_iter().take(CHATS_MAX).map(Entry::new).collect();
        for entry in &mut list {
            if let Some(known) = self.get(entry.chat.id) {
                // The session counts better than a list that was made a moment ago.
                entry.unread = known.unread;
                let first = [known.since, entry.since].into_iter().flatten().min();
                entry.since = first.filter(|_| entry.unread > 0);
            }
        }
        if !whole {
            let is_new = |id| list.iter().all(|entry: &Entry| entry.chat.id != id);
            let kept: Vec<Entry> =
                self.list.iter().filter(|entry| is_new(entry.chat.id)).cloned().collect();
            list.extend(kept);
            list.truncate(CHATS_MAX);
        }
        self.list = list;
        self.listing = Listing::Loaded;
    }

    /// A chat as the server has it now; new ones come first.
    pub fn changed(&mut self, chat: Chat) {
        match self.get_mut(chat.id) {
            Some(entry) => {
                let (unread, since) = (entry.unread, entry.since);
                *entry = Entry { unread, since, ..Entry::new(chat) };
            }
            None => self.list.insert(0, Entry::new(chat)),
        }
        self.list.truncate(CHATS_MAX);
    }

    /// A chat is the most recently active one now.
    pub fn to_top(&mut self, chat: ChatId) {
        if let Some(at) = self.list.iter().position(|entry| entry.chat.id == chat) {
            self.list[..=at].rotate_right(1);
        }
    }

    /// Is no longer one of the user's.
    pub fn remove(&mut self, chat: ChatId) {
        self.list.retain(|entry| entry.chat.id != chat);
    }

    /// The chat that has waited for the longest time.
    pub fn oldest_unread(&self) -> Option<ChatId> {
        let unread = |entry: &&Entry| entry.unread > 0 && Some(entry.chat.id) != self.open;
        let waiting = self.list.iter().rev().filter(unread);
        waiting.min_by_key(|entry| entry.since).map(|entry| entry.chat.id)
    }

    /// The chat so many places from this one in the list as shown, around its ends.
    pub fn beside(&self, from: Option<ChatId>, step: isize) -> Option<ChatId> {
        let shown = self.shown();
        let at = from.and_then(|from| shown.iter().position(|entry| entry.chat.id == from));
        let len = isize::try_from(shown.len()).ok().filter(|len| *len > 0)?;
        let next = match at {
            Some(at) => (isize::try_from(at).ok()? + step).rem_euclid(len),
            None => 0,
        };
        shown.get(usize::try_from(next).ok()?).map(|entry| entry.chat.id)
    }

    /// The other people of a chat.
    pub fn others(&self, chat: ChatId, me: Option<UserId>) -> Vec<UserId> {
        let members = self.get(chat).map(|entry| entry.chat.members.as_slice()).unwrap_or_default();
        members.iter().map(|m| m.user_id).filter(|user| Some(*user) != me).collect()
    }
}
