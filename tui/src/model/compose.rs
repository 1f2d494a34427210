//! What the user types: the draft of each chat, drafts of before, completion, typing signs.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use trialogue_protocol::ChatId;

use crate::edit::Editor;

/// Drafts of before that arrow up finds (50).
const HISTORY_MAX: usize = 50;
/// Chats whose drafts are kept (1,000): as many as the list has.
const DRAFTS_MAX: usize = super::chats::CHATS_MAX;

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Compose {
    /// The draft on the screen.
    pub editor: Editor,
    /// Drafts of the chats that are not on the screen.
    drafts: BTreeMap<ChatId, Editor>,
    /// What was sent or cleared, the newest last.
    history: VecDeque<String>,
    /// Where arrow up is in it, from its end; and what was typed before.
    recalled: Option<(usize, String)>,
    /// The draft that waits while a command is typed in its place.
    aside: Option<Editor>,
    /// Words that the next Tab offers, and which one is there now.
    pub completion: Option<(Vec<String>, usize)>,
    /// In this chat the user was said to type, last then.
    pub typing: Option<(ChatId, Duration)>,
    /// The last key that changed the draft.
    pub touched: Duration,
    /// Why the draft was not sent.
    pub problem: Option<String>,
    /// Since when drafts or muted chats may differ from what is kept of them.
    pub unkept: Option<Duration>,
    /// A mark of what is kept.
    pub kept: Option<u64>,
}

impl Compose {
    /// Another chat comes on the screen: its draft with it.
    pub fn switch(&mut self, from: Option<ChatId>, to: Option<ChatId>) {
        if from == to {
            return;
        }
        let old = self.take_draft();
        match from.filter(|_| !old.is_empty() && self.drafts.len() < DRAFTS_MAX) {
            Some(from) => drop(self.drafts.insert(from, old)),
            // Typed before any chat was open: arrow up finds it.
            None => self.remember(old.text().to_owned()),
        }
        self.editor = to.and_then(|to| self.drafts.remove(&to)).unwrap_or_default();
        (self.completion, self.problem) = (None, None);
    }

    /// The draft of the open chat: neither the command that is typed before it nor a text of before
    /// that is only looked at.
    fn draft(&self) -> &str {
        let typed = self.recalled.as_ref().map(|(_, typed)| typed.as_str());
        let aside = self.aside.as_ref().map(Editor::text);
        aside.or(typed).unwrap_or(self.editor.text())
    }

    /// Empties the input and answers the draft; what stood before it is found by arrow up.
    fn take_draft(&mut self) -> Editor {
        let shown = std::mem::take(&mut self.editor);
        let typed = self.recalled.take().map(|(_, typed)| Editor::new(&typed));
        match self.aside.take() {
            Some(aside) => {
                self.remember(typed.unwrap_or(shown).text().to_owned());
                aside
            }
            None => typed.unwrap_or(shown),
        }
    }

    /// Begins a line in the place of the draft, which waits for its end: [`Compose::put_back`].
    pub fn begin(&mut self, line: &str) {
        let draft = self.take_draft();
        self.aside = Some(draft).filter(|draft| !draft.is_empty());
        self.editor.set(line);
    }

    /// The line in the input is done with: the draft comes back.
    pub fn put_back(&mut self) {
        self.forget_recalled();
        self.editor.set("");
        if let Some(draft) = self.aside.take() {
            self.editor = draft;
        }
    }

    /// A line was taken where there is no screen: the draft of before comes back; without one, what
    /// could not be sent is the draft.
    pub fn end_line(&mut self) {
        if self.aside.is_some() {
            self.remember(self.editor.text().to_owned());
            self.put_back();
        }
    }

    /// Another draft takes the place of the one that is there; `true`: arrow up finds that one.
    pub fn replace(&mut self, text: &str) -> bool {
        let old = self.take_draft();
        self.remember(old.text().to_owned());
        self.editor.set(text);
        !old.is_empty()
    }

    /// All drafts, with the one on the screen.
    pub fn drafts(&self, open: Option<ChatId>) -> BTreeMap<ChatId, String> {
        let aside = self.drafts.iter().map(|(chat, editor)| (*chat, editor.text().to_owned()));
        let here = open.map(|chat| (chat, self.draft().to_owned()));
        aside.chain(here).filter(|(_, text)| !text.is_empty()).collect()
    }

    /// Drafts of an earlier day; what was typed since then stays.
    pub fn restore(&mut self, open: Option<ChatId>, drafts: BTreeMap<ChatId, String>) {
        for (chat, text) in drafts.into_iter().take(DRAFTS_MAX) {
            if Some(chat) != open {
                self.drafts.entry(chat).or_insert_with(|| Editor::new(&text));
            } else if self.editor.is_empty() {
                self.editor.set(&text);
            } else {
                self.remember(text);
            }
        }
    }

    /// Whether any chat has a draft.
    pub fn has_drafts(&self) -> bool {
        !self.draft().is_empty() || !self.drafts.is_empty()
    }

    /// A draft waits in that chat.
    pub fn has_draft(&self, chat: ChatId) -> bool {
        self.drafts.contains_key(&chat)
    }

    /// The draft was changed by hand.
    pub fn touch(&mut self, now: Duration) {
        (self.touched, self.problem) = (now, None);
        self.forget_recalled();
        if self.editor.is_empty() && self.aside.is_some() {
            self.put_back();
        }
    }

    /// The text of before is the user's own now; what was typed before it is found by arrow up.
    pub fn forget_recalled(&mut self) {
        if let Some((_, typed)) = self.recalled.take() {
            self.remember(typed);
        }
    }

    /// Keeps a text for arrow up.
    pub fn remember(&mut self, text: String) {
        if !text.trim().is_empty() && self.history.back() != Some(&text) {
            self.history.push_back(text);
            if self.history.len() > HISTORY_MAX {
                self.history.pop_front();
            }
        }
    }

    /// Goes back (1) or forth (-1) among the drafts of before.
    pub fn recall(&mut self, step: isize) {
        let (at, typed) = match self.recalled.take() {
            Some((at, typed)) => (at, typed),
            None => (0, self.editor.text().to_owned()),
        };
        let next = at.saturating_add_signed(step).min(self.history.len());
        match next.checked_sub(1).and_then(|back| self.history.iter().rev().nth(back)) {
            Some(text) => {
                let text = text.clone();
                self.editor.set(&text);
                self.recalled = Some((next, typed));
            }
            None => self.editor.set(&typed),
        }
    }
}
