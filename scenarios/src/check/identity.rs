//! Which message is which: a send, its acknowledgement, every copy of it and its row are one.
//!
//! Texts of a scenario repeat, and readers never see the author's own name for a message, so what
//! makes a message one of a kind is worked out here: by ids where somebody was told both, else by
//! author and text.

use std::collections::{BTreeMap, BTreeSet};

use trialogue_checker::Print;
use trialogue_client::Outcome;
use trialogue_protocol::{ChatId, ClientMessageId, Message, MessageId, UserId};

use super::Recording;
use crate::record::{Told, What};

/// A message that somebody handed over, once or repeatedly under one name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Send {
    pub(super) user: UserId,
    chat: ChatId,
    id: Option<ClientMessageId>,
    pub(super) text: String,
    /// Tells sends without a name apart.
    nth: usize,
}

/// Who sent what, and which message of the server's that is.
#[derive(Debug, Default)]
pub(super) struct Identities {
    sends: Vec<Send>,
    by_id: BTreeMap<MessageId, usize>,
}

/// Blanks at the ends are not what makes a text another one.
fn same(a: &str, b: &str) -> bool {
    a.trim() == b.trim()
}

impl Identities {
    pub(super) fn of(recording: &Recording<'_>) -> Self {
        let mut all = Self::default();
        for person in &recording.people {
            let Some(user) = person.user else { continue };
            for entry in &person.entries {
                match &entry.what {
                    What::Sent { chat, id, text } => _ = all.send(user, *chat, id.as_ref(), text),
                    What::Outcome { id, outcome: Outcome::Stored { message, .. } } => {
                        all.acknowledged(user, message, Some(id));
                    }
                    What::Told { id, told: Told::Stored(message), .. } => {
                        all.acknowledged(user, message, id.as_ref());
                    }
                    _ => {}
                }
            }
        }
        all.rest(recording);
        all
    }

    /// The number of a send; a repeat under the same name is the same.
    fn send(
        &mut self,
        user: UserId,
        chat: ChatId,
        id: Option<&ClientMessageId>,
        text: &str,
    ) -> usize {
        let is_it = |send: &Send| {
            send.user == user
                && send.chat == chat
                && same(&send.text, text)
                && id.is_some()
                && send.id.as_ref() == id
        };
        if let Some(at) = self.sends.iter().position(is_it) {
            return at;
        }
        let (id, text, nth) = (id.cloned(), text.to_owned(), self.sends.len());
        self.sends.push(Send { user, chat, id, text, nth });
        nth
    }

    fn acknowledged(&mut self, user: UserId, message: &Message, id: Option<&ClientMessageId>) {
        let free: BTreeSet<usize> = self.by_id.values().copied().collect();
        let is_it = |(n, send): &(usize, &Send)| {
            let named = id.is_some() && send.id.as_ref() == id;
            let nameless = id.is_none() && send.id.is_none() && !free.contains(n);
            send.user == user
                && send.chat == message.chat_id
                && same(&send.text, &message.message)
                && (named || nameless)
        };
        // The acknowledgement of a changed body is still that of the named send.
        let by_name = |(_, send): &(usize, &Send)| {
            send.user == user && id.is_some() && send.id.as_ref() == id
        };
        let sends = || self.sends.iter().enumerate();
        let found = sends().find(is_it).or_else(|| sends().find(by_name)).map(|(n, _)| n);
        if let Some(n) = found {
            self.by_id.entry(message.id).or_insert(n);
        }
    }

    /// Messages of which no acknowledgement came: by the author's own copies, then by text.
    fn rest(&mut self, recording: &Recording<'_>) {
        let copies = recording.people.iter().flat_map(|person| {
            let shown = super::messages(&person.entries).map(|(_, message)| message);
            shown.chain(person.histories.values().flatten())
        });
        let mut open: Vec<&Message> = copies.collect();
        open.sort_by_key(|message| (message.chat_id, message.seq, message.id));
        for message in &open {
            if let Some(id) = &message.client_message_id
                && !self.by_id.contains_key(&message.id)
            {
                self.acknowledged(message.sender_id, message, Some(id));
            }
        }
        for message in open {
            if self.by_id.contains_key(&message.id) {
                continue;
            }
            let free: BTreeSet<usize> = self.by_id.values().copied().collect();
            let like = |(_, send): &(usize, &Send)| {
                send.user == message.sender_id
                    && send.chat == message.chat_id
                    && same(&send.text, &message.message)
            };
            let alike = || self.sends.iter().enumerate().filter(like);
            // A row that no send is left for is one of those again.
            let found = alike().find(|(n, _)| !free.contains(n)).or_else(|| alike().next());
            if let Some((n, _)) = found {
                self.by_id.insert(message.id, n);
            }
        }
    }

    /// What makes a copy one of a kind; a body that was changed on its way is another message.
    pub(super) fn of_copy(&self, message: &Message) -> Print {
        match self.by_id.get(&message.id).map(|n| &self.sends[*n]) {
            Some(send) if same(&send.text, &message.message) => send.print(),
            _ => Print::of(&format!("{}|{}", message.id, message.message)),
        }
    }

    /// What was sent, where a copy of it has another body.
    pub(super) fn changed(&self, message: &Message) -> Option<Print> {
        let send = self.by_id.get(&message.id).map(|n| &self.sends[*n])?;
        (!same(&send.text, &message.message)).then(|| send.print())
    }

    /// Whether anybody who takes part sent it.
    pub(super) fn is_ours(&self, message: &Message) -> bool {
        self.by_id.contains_key(&message.id)
    }

    /// The same of something that is handed over.
    pub(super) fn of_sent(
        &self,
        user: UserId,
        chat: ChatId,
        id: Option<&ClientMessageId>,
        text: &str,
        nth_nameless: usize,
    ) -> Option<Print> {
        let mut these = self.sends.iter().filter(|send| {
            send.user == user
                && send.chat == chat
                && same(&send.text, text)
                && send.id.as_ref() == id
        });
        let send = if id.is_some() { these.next() } else { these.nth(nth_nameless) };
        send.map(Send::print)
    }
}

impl Send {
    fn print(&self) -> Print {
        let Self { user, chat, id, text, nth } = self;
        match id {
            Some(id) => Print::of(&format!("{user}|{chat}|{id}|{text}")),
            None => Print::of(&format!("{user}|{chat}|#{nth}|{text}")),
        }
    }
}
