//! The model of the server: what is committed, who is in which room, and lies on cue.

use std::collections::{BTreeMap, BTreeSet};

use trialogue_client::Refusal;
use trialogue_client::time::Jitter;
use trialogue_protocol::{
    ChatId, ErrorCode, JoinAck, Message, MessageId, MessagePage, MessageType, Role, SendAck,
    SendStatus, Seq, UserId,
};
use uuid::Uuid;

/// Messages on one page: small, so that catching up takes several.
const PAGE: usize = 3;

/// A request of a client.
#[derive(Debug, Clone)]
pub(super) enum Ask {
    Join { chat: ChatId, since: Option<Seq> },
    After { chat: ChatId, seq: Seq, limit: i64 },
    Before { chat: ChatId, seq: Seq, limit: i64 },
    Send { chat: ChatId, key: String, text: String },
    Reauthenticate { token: u64 },
}

/// The server's answer to it.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Joined(JoinAck),
    Page(MessagePage),
    Sent(SendAck),
    Done,
    Refused(Refusal),
}

/// A living connection as the server sees it.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) person: usize,
    pub(super) token: u64,
    rooms: BTreeSet<ChatId>,
}

#[derive(Debug, Default)]
pub(super) struct Backend {
    pub(super) up: bool,
    pub(super) generation: u64,
    pub(super) rows: BTreeMap<ChatId, Vec<Message>>,
    pub(super) connections: BTreeMap<u64, Connection>,
    next_id: u128,
}

/// What a request leads to: an answer, unless it is eaten, and what everybody in a room hears.
pub(super) struct Result {
    pub(super) reply: Option<Reply>,
    pub(super) news: Option<Message>,
}

impl Backend {
    pub(super) fn new(chats: &[ChatId]) -> Self {
        let rows = chats.iter().map(|chat| (*chat, Vec::new())).collect();
        Self { up: true, rows, ..Self::default() }
    }

    pub(super) fn epoch(&self) -> String {
        format!("e{}", self.generation)
    }

    pub(super) fn accept(&mut self, connection: u64, person: usize, token: u64) {
        let connected = Connection { person, token, rooms: BTreeSet::new() };
        self.connections.insert(connection, connected);
    }

    /// Connections in a chat's room.
    pub(super) fn room(&self, chat: ChatId) -> Vec<u64> {
        let inside = self.connections.iter().filter(|(_, c)| c.rooms.contains(&chat));
        inside.map(|(id, _)| *id).collect()
    }

    pub(super) fn positions(&self) -> BTreeMap<ChatId, Seq> {
        self.rows.iter().map(|(chat, rows)| (*chat, last(rows))).collect()
    }

    /// A backup of some moment is put in place: what came after it is gone.
    pub(super) fn restore(&mut self, chance: &mut Jitter) {
        self.generation += 1;
        for rows in self.rows.values_mut() {
            let keep = chance.bits() % (rows.len() as u64 + 1);
            rows.truncate(usize::try_from(keep).unwrap());
        }
    }

    /// Does what is asked; in `trouble` it may fail in each way that CONTRACT knows.
    pub(super) fn handle(
        &mut self,
        connection: u64,
        ask: Ask,
        trouble: bool,
        chance: &mut Jitter,
    ) -> Result {
        let dice = if trouble { chance.bits() % 100 } else { 99 };
        let refuse = |code| Some(Reply::Refused(Refusal::new(code, "no")));
        if dice < 4 {
            return Result { reply: refuse(ErrorCode::Unavailable), news: None };
        }
        let mut result = self.act(connection, ask);
        match dice {
            // Done, and nobody learns of it.
            4..8 => result.reply = None,
            8..12 if matches!(result.reply, Some(Reply::Sent(_))) => {
                result.reply = refuse(ErrorCode::OutcomeUnknown);
            }
            // A crash between commit and broadcast.
            12..18 => result.news = None,
            _ => {}
        }
        result
    }

    fn act(&mut self, connection: u64, ask: Ask) -> Result {
        let quiet = |reply| Result { reply: Some(reply), news: None };
        let Some(connected) = self.connections.get_mut(&connection) else {
            return Result { reply: None, news: None };
        };
        match ask {
            Ask::Join { chat, since } => {
                connected.rooms.insert(chat);
                let all = &self.rows[&chat];
                let page = since.map(|since| after(all, since, PAGE));
                let has_more = page.as_ref().map(|(_, more)| *more);
                let messages = page.map(|(messages, _)| messages);
                let (members, epoch) = (Vec::new(), self.epoch());
                let last_seq = last(all);
                let chat_id = chat;
                quiet(Reply::Joined(JoinAck {
                    chat_id,
                    members,
                    last_seq,
                    epoch,
                    messages,
                    has_more,
                }))
            }
            Ask::After { chat, seq, limit } => {
                let most = PAGE.min(usize::try_from(limit).unwrap());
                let (messages, more) = after(&self.rows[&chat], seq, most);
                quiet(self.page(chat, messages, more))
            }
            Ask::Before { chat, seq, limit } => {
                let most = PAGE.min(usize::try_from(limit).unwrap());
                let before: Vec<_> =
                    self.rows[&chat].iter().filter(|m| m.seq < Some(seq)).cloned().collect();
                let more = before.len() > most;
                let messages = before[before.len().saturating_sub(most)..].to_vec();
                quiet(self.page(chat, messages, more))
            }
            Ask::Send { chat, key, text } => {
                let sender = UserId(i64::try_from(connected.person).unwrap());
                self.send(chat, sender, &key, text)
            }
            Ask::Reauthenticate { token } => {
                connected.token = token;
                quiet(Reply::Done)
            }
        }
    }

    fn page(&self, chat_id: ChatId, messages: Vec<Message>, more: bool) -> Reply {
        Reply::Page(MessagePage {
            chat_id,
            messages,
            first_seq: None,
            last_seq: None,
            has_more: Some(more),
            epoch: Some(self.epoch()),
        })
    }

    fn send(&mut self, chat: ChatId, sender: UserId, key: &str, text: String) -> Result {
        let key = Some(key.parse().unwrap());
        let rows = self.rows.get_mut(&chat).unwrap();
        let known = rows.iter().find(|m| m.sender_id == sender && m.client_message_id == key);
        if let Some(known) = known {
            let ack = SendAck { status: SendStatus::Duplicate, message: known.clone() };
            return Result { reply: Some(Reply::Sent(ack)), news: None };
        }
        self.next_id += 1;
        let message = Message {
            id: MessageId(Uuid::from_u128(self.next_id)),
            chat_id: chat,
            seq: Some(last(rows) + 1),
            sender_type: Role::Customer,
            sender_id: sender,
            sender_name: String::new(),
            message: text,
            message_type: MessageType::Text,
            client_message_id: key,
            created_at: chrono::DateTime::UNIX_EPOCH.into(),
        };
        rows.push(message.clone());
        let ack = SendAck { status: SendStatus::Stored, message: message.clone() };
        Result { reply: Some(Reply::Sent(ack)), news: Some(message) }
    }
}

fn last(rows: &[Message]) -> Seq {
    rows.last().and_then(|m| m.seq).unwrap_or_default()
}

fn after(rows: &[Message], seq: Seq, most: usize) -> (Vec<Message>, bool) {
    let rest = || rows.iter().filter(|m| m.seq > Some(seq));
    (rest().take(most).cloned().collect(), rest().count() > most)
}
