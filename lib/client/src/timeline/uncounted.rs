//! Servers that do not count their messages (CONTRACT §4): the order of their history, then that
//! of arrival, each message once by its id.

use trialogue_protocol::Message;

use super::{Begin, Effect, Phase, Timeline, Via};

impl Timeline {
    /// What a backup has of such a chat.
    pub(super) fn kept_uncounted(&mut self, messages: Vec<Message>, out: &mut Vec<Effect>) {
        for message in messages {
            if self.seen.first_time(message.id) {
                self.deliver(message, Via::Backup, out);
            }
        }
    }

    /// The room was entered and this is the whole history, oldest first.
    pub(super) fn joined_uncounted(&mut self, history: Vec<Message>, out: &mut Vec<Effect>) {
        let hidden = match self.begin {
            _ if self.cursor.is_some() => 0,
            Begin::Newest(n) => {
                let newest = history.len().saturating_sub(usize::try_from(n).unwrap_or(usize::MAX));
                // What a backup has shown already is where the screen begins.
                history.iter().position(|m| self.seen.has(m.id)).unwrap_or(newest)
            }
            Begin::Now => history.len(),
            Begin::After { .. } => 0,
        };
        // Nothing can be fetched from such a server by place, so this is only "somewhere".
        self.cursor = Some(0);
        self.phase = Phase::CatchingUp;
        for (at, message) in history.into_iter().enumerate() {
            if !self.seen.first_time(message.id) {
                continue;
            }
            if at >= hidden {
                self.deliver(message, Via::CatchUp, out);
                continue;
            }
            self.earlier.push_back(message);
            if self.earlier.len() > self.config.earlier_max {
                self.earlier.pop_front();
            }
        }
        while let Some((message, via)) = self.waiting.pop_front() {
            if self.seen.first_time(message.id) {
                self.deliver(message, via, out);
            }
        }
        self.settle(out);
    }

    /// A message without a number came by itself.
    pub(super) fn take_uncounted(&mut self, message: Message, via: Via, out: &mut Vec<Effect>) {
        if self.phase == Phase::Outside {
            // History comes first, and has it too if it is of this room.
            self.waiting.push_back((message, via));
            if self.waiting.len() > self.config.held_back_max {
                self.waiting.pop_front();
            }
        } else if self.seen.first_time(message.id) {
            self.deliver(message, via, out);
        } else if via == Via::Live {
            self.counters.duplicates += 1;
        }
    }

    /// Older messages without a fetch; `None`: this server counts.
    pub(super) fn earlier_uncounted(&mut self, limit: i64) -> Option<Effect> {
        if self.base.is_some() || self.seen.is_empty() {
            return None;
        }
        let limit = usize::try_from(limit).unwrap_or(0).clamp(1, self.config.earlier_max);
        let from = self.earlier.len().saturating_sub(limit);
        let messages = self.earlier.split_off(from).into();
        Some(Effect::Older { messages, more: !self.earlier.is_empty() })
    }
}
