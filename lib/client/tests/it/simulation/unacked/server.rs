//! The silent server, and what goes wrong at both ends.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use trialogue_client::outbox::{Event, Record};
use trialogue_protocol::{ChatId, ClientMessageId, Message, MessageId, MessageType, Role};
use uuid::Uuid;

use super::{Happening, ME, World, ms, outbox};

/// What becomes of a message that arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Stored,
    /// Stored, and called a failure.
    StoredAndFailed,
    Failed,
    Vanished,
}

#[derive(Debug)]
pub(super) struct Server {
    pub(super) up: bool,
    /// Counts processes: a handler of an earlier one is gone.
    pub(super) generation: u64,
    rows: BTreeMap<ChatId, Vec<Message>>,
    /// Which message each row is, which nobody else knows.
    pub(super) secret: Vec<(ChatId, ClientMessageId)>,
    /// Chats and texts of which one stands there twice, or came late: they cannot be told apart.
    muddled: BTreeSet<(ChatId, String)>,
    at_work: u32,
}

impl Default for Server {
    fn default() -> Self {
        let (rows, secret, muddled) = Default::default();
        Self { up: true, generation: 0, rows, secret, muddled, at_work: 0 }
    }
}

impl Server {
    pub(super) fn history(&self, chat: ChatId) -> Option<Vec<Message>> {
        self.up.then(|| self.rows.get(&chat).cloned().unwrap_or_default())
    }

    pub(super) fn has(&self, id: &ClientMessageId) -> bool {
        self.secret.iter().any(|(_, of)| of == id)
    }

    pub(super) fn is_muddled(&self, chat: ChatId, text: &str) -> bool {
        self.muddled.contains(&(chat, text.to_owned()))
    }

    pub(super) fn is_idle(&self) -> bool {
        self.up && self.at_work == 0
    }

    fn add(&mut self, chat: ChatId, text: &str, id: &ClientMessageId) {
        self.secret.push((chat, id.clone()));
        let n = self.secret.len() as u128;
        self.rows.entry(chat).or_default().push(Message {
            id: MessageId(Uuid::from_u128(n)),
            chat_id: chat,
            seq: None,
            sender_type: Role::Customer,
            sender_id: ME,
            sender_name: String::new(),
            message: text.to_owned(),
            message_type: MessageType::Text,
            client_message_id: None,
            // All of one millisecond: times tell nothing.
            created_at: chrono::DateTime::UNIX_EPOCH.into(),
        });
    }
}

impl World {
    pub(super) fn arrived(&mut self, id: ClientMessageId, attempt: u32, generation: u64) {
        if !self.server.up || self.server.generation != generation {
            return;
        }
        let dice = if self.trouble() { self.chance.bits() % 100 } else { 99 };
        let (fate, takes) = match dice {
            0..5 => (Fate::Vanished, ms(100)),
            5..9 => (Fate::Failed, ms(100)),
            9..13 => (Fate::StoredAndFailed, ms(300)),
            // Longer than anybody looks for it after a cut.
            13..16 => (Fate::Stored, ms(20_000)),
            16..40 => (Fate::Stored, ms(2_500)),
            _ => (Fate::Stored, ms(20)),
        };
        self.met.vanished += u64::from(fate == Fate::Vanished);
        self.met.failed += u64::from(fate == Fate::Failed);
        self.met.failed_after_all += u64::from(fate == Fate::StoredAndFailed);
        self.server.at_work += 1;
        self.later(takes, Happening::Stored { id, attempt, generation, fate });
    }

    pub(super) fn store(&mut self, id: ClientMessageId, attempt: u32, generation: u64, fate: Fate) {
        self.server.at_work -= 1;
        if self.server.generation != generation {
            return;
        }
        let draft = self.kept.iter().find(|draft| draft.id == id).cloned();
        let Some(draft) = draft else { return self.fail("a message that nobody wrote") };
        if matches!(fate, Fate::Stored | Fate::StoredAndFailed) {
            // It had left again, was found, and now comes once more: told, and from now on one of
            // its text cannot be told from another.
            if self.server.has(&id) || self.stored.contains_key(&id) {
                self.met.late += 1;
                let told = self.unknown.contains(&id) || self.is_told_at_restart(&id);
                if !told && !self.server.is_muddled(draft.chat, &draft.text) {
                    self.fail(&format!("{id} is there twice, and its author knows nothing"));
                }
                self.server.muddled.insert((draft.chat, draft.text.clone()));
            }
            self.server.add(draft.chat, &draft.text, &id);
        }
        if matches!(fate, Fate::Failed | Fate::StoredAndFailed) {
            let connection = self.connection;
            self.later(ms(50), Happening::Error { id, attempt, connection });
        }
    }

    /// A dead process tells nothing; the next one does before anything leaves.
    fn is_told_at_restart(&self, id: &ClientMessageId) -> bool {
        !self.alive && !self.stored.contains_key(id)
    }

    pub(super) fn write(&mut self) {
        let Some(record) = self.writing.pop_front() else { return };
        if record.awaited().is_some() && self.trouble() && self.one_in(20) {
            self.met.disk_full += 1;
            let ids = record.awaited().cloned().into_iter().collect();
            return self.decide(Event::NotWritten { ids, why: "no space left".to_owned() });
        }
        self.disk.push(record.clone());
        if let Record::Queued(draft) = &record {
            self.kept.push(draft.clone());
        }
        if let Some(id) = record.awaited() {
            self.decide(Event::Written(vec![id.clone()]));
        }
    }

    pub(super) fn fault(&mut self) {
        match self.chance.bits() % 4 {
            0 | 1 => self.crash(),
            2 => self.cut(),
            _ => {
                self.met.server_kills += 1;
                self.server.up = false;
                self.server.generation += 1;
                self.cut();
                self.later(ms(5_000), Happening::ServerUp);
            }
        }
    }

    fn cut(&mut self) {
        if !self.alive || !std::mem::take(&mut self.online) {
            return;
        }
        self.met.cuts += 1;
        self.flights.clear();
        self.decide(Event::Offline);
        self.later(ms(2_000), Happening::Up);
    }

    /// SIGKILL: what was on its way to the disk got there, or a part of it did.
    fn crash(&mut self) {
        if !std::mem::take(&mut self.alive) {
            return;
        }
        self.met.crashes += 1;
        self.online = false;
        self.flights.clear();
        self.seen.clear();
        let part = usize::try_from(self.chance.bits()).unwrap() % (self.writing.len() + 1);
        for record in self.writing.drain(..).take(part) {
            if let Record::Queued(draft) = &record {
                self.kept.push(draft.clone());
            }
            self.disk.push(record);
        }
        self.later(Duration::from_secs(5), Happening::Restart);
    }

    pub(super) fn restart(&mut self) {
        let seed = self.chance.bits();
        self.outbox = outbox(&self.disk, seed);
        self.life += 1;
        self.alive = true;
        self.wake_at = None;
        self.later(ms(1_000), Happening::Up);
    }
}
