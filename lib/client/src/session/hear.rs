//! What the server says by itself -> events of the cores.

use trialogue_protocol::{ChatId, Message};
use trialogue_socketio::client::Received;

use super::Update;
use super::driver::{Driver, Job};
use crate::dialect::Heard;
use crate::error::Refusal;
use crate::link::{self, Trouble};
use crate::{outbox, people, timeline};

impl Driver {
    /// An event of the server, or the end of the connection.
    pub(super) fn hear(&mut self, received: Received) {
        let event = match received {
            Received::Event(event) => event,
            Received::Closed(reason) => {
                let Some(live) = self.live.take() else { return };
                let why = self.last_refusal.take();
                let why = why.unwrap_or_else(|| Trouble::new(format!("lost: {reason}")));
                self.link_event(link::Event::Lost { serial: live.serial, why });
                return;
            }
        };
        let heard = self.config.rest.dialect().hear(event.name(), event.args());
        let (name, args) = (event.name().to_owned(), event.args().clone());
        self.tell(Update::Event { name, args });
        match heard {
            Heard::Message(message) => self.message(message),
            Heard::Positions(positions) => {
                for (chat, last_seq) in positions.chats {
                    let epoch = positions.epoch.clone();
                    let event = timeline::Event::Position { last_seq, epoch };
                    self.jobs.push_back(Job::Timeline(chat, event));
                }
            }
            Heard::People(chat, event) => self.people(chat, event),
            Heard::Chat(chat) => {
                self.members(chat.id, &chat.members);
                if let Some(archive) = &mut self.archive {
                    archive.list(std::slice::from_ref(&chat), false);
                }
            }
            Heard::Notification(created) => self.notified(*created),
            Heard::TokenExpiring => self.link_event(link::Event::TokenExpiring),
            Heard::Draining(delay) => self.link_event(link::Event::Draining(delay)),
            Heard::Entered(chat) => {
                if let Some(unacked) = &self.unacked {
                    unacked.entered(chat);
                }
            }
            Heard::Refused(refusal) => {
                if let Some(unacked) = &self.unacked {
                    unacked.refused(&refusal);
                }
                let Refusal { code, message: sentence, .. } = refusal;
                self.last_refusal = Some(Trouble { code: Some(code), sentence });
            }
            Heard::Garbled(what) => tracing::warn!(what, "the server sent a garbled event"),
            Heard::Connected(_) | Heard::Other => {}
        }
    }

    fn message(&mut self, message: Message) {
        let chat = message.chat_id;
        if message.client_message_id.is_some() {
            self.jobs.push_back(Job::Outbox(outbox::Event::Echoed(message.clone())));
        }
        self.jobs.push_back(Job::Timeline(chat, timeline::Event::Live(message)));
    }

    fn people(&mut self, chat: ChatId, event: people::Event) {
        if let people::Event::Read { user, seq } = &event
            && Some(*user) == self.me
        {
            // On another device of theirs.
            self.read_up_to(chat, *seq);
        }
        self.jobs.push_back(Job::People(chat, event));
    }
}
