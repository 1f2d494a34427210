//! Connections: how they come up, what they carry, how they end.

use std::time::Duration;

use trialogue_client::link::{Event, OpenFailure};
use trialogue_client::{Trouble, timeline};
use trialogue_protocol::ErrorCode;

use super::{Frame, Happening, Wire, World, ms};
use crate::simulation::backend::Ask;

impl World {
    pub(super) fn ask(&mut self, who: usize, request: u64, ask: Ask) {
        self.at(self.now + ms(10_000), who, Happening::TimeUp { request });
        if let Some(connection) = self.places[who].connection {
            self.carry(connection, 0, Happening::ToServer { connection, request, ask });
        }
    }

    /// Puts something on a wire: it arrives later, never before what was put there earlier.
    pub(super) fn carry(&mut self, connection: u64, direction: usize, happening: Happening) {
        let delay = self.chance.up_to(if self.trouble() { ms(400) } else { ms(50) });
        self.met.delayed += u64::from(delay > ms(250));
        let now = self.now;
        let Some(wire) = self.wires.get_mut(&connection) else { return };
        if wire.silent {
            return;
        }
        let at = (now + delay).max(wire.arrival[direction]);
        wire.arrival[direction] = at;
        let who = wire.person;
        self.at(at, who, happening);
    }

    pub(super) fn serve(&mut self, connection: u64, request: u64, ask: Ask) {
        if !self.backend.up || !self.backend.connections.contains_key(&connection) {
            return;
        }
        let repeat = matches!(&ask, Ask::Send { chat, key, .. } if self.backend.rows[chat]
            .iter().any(|m| m.client_message_id.as_ref().is_some_and(|k| k.as_str() == key)));
        self.met.repeats += u64::from(repeat);
        let trouble = self.trouble();
        let result = self.backend.handle(connection, ask, trouble, &mut self.chance);
        self.met.eaten += u64::from(result.reply.is_none());
        if let Some(reply) = result.reply {
            let frame = Frame::Answer { request, reply };
            self.carry(connection, 1, Happening::ToClient { connection, frame });
        }
        let Some(news) = result.news else { return };
        for connection in self.backend.room(news.chat_id) {
            // In trouble some hear nothing and some hear twice.
            let dice = if trouble { self.chance.bits() % 20 } else { 19 };
            let copies = match dice {
                0 | 1 => 0,
                2 => 2,
                _ => 1,
            };
            self.met.dropped += u64::from(copies == 0);
            self.met.doubled += u64::from(copies == 2);
            for _ in 0..copies {
                let frame = Frame::News(news.clone());
                self.carry(connection, 1, Happening::ToClient { connection, frame });
            }
        }
    }

    pub(super) fn deliver(&mut self, who: usize, connection: u64, frame: Frame) {
        if self.places[who].connection != Some(connection) {
            return;
        }
        let (now, person) = (self.now, &mut self.places[who].person);
        let acts = match frame {
            Frame::Answer { request, reply } => person.answer(request, Some(reply), now),
            Frame::News(message) => person.hear(message, now),
            Frame::TokenExpiring => person.link(Event::TokenExpiring, now),
            Frame::Positions { chats, epoch } => {
                let mut acts = Vec::new();
                for (chat, last_seq) in chats {
                    let epoch = epoch.clone();
                    let event = timeline::Event::Position { last_seq, epoch };
                    acts.extend(person.timeline(chat, event, now));
                }
                acts
            }
        };
        self.obey(who, acts);
    }

    pub(super) fn tell_positions(&mut self) {
        let (chats, epoch) = (self.backend.positions(), self.backend.epoch());
        for connection in self.backend.connections.keys().copied().collect::<Vec<_>>() {
            let frame = Frame::Positions { chats: chats.clone(), epoch: epoch.clone() };
            self.carry(connection, 1, Happening::ToClient { connection, frame });
        }
        self.at(self.now + ms(30_000), 0, Happening::Positions);
    }

    /// The connection ends at the server now, and at the client when it notices.
    pub(super) fn hang_up(&mut self, connection: u64, notice: Duration, expired: bool) {
        self.backend.connections.remove(&connection);
        if let Some(wire) = self.wires.get_mut(&connection) {
            let (who, life) = (wire.person, wire.life);
            wire.silent = true;
            let at = self.now + self.chance.up_to(notice);
            self.count += 1;
            self.queue
                .insert((at, self.count), (who, life, Happening::Lost { connection, expired }));
        }
    }

    pub(super) fn lost(&mut self, who: usize, connection: u64, expired: bool) {
        if self.places[who].connection != Some(connection) {
            return;
        }
        self.places[who].connection = None;
        self.backend.connections.remove(&connection);
        let Some(wire) = self.wires.remove(&connection) else { return };
        let why = Trouble {
            code: expired.then_some(ErrorCode::TokenExpired),
            sentence: "lost".to_owned(),
        };
        let event = Event::Lost { serial: wire.serial, why };
        let acts = self.places[who].person.link(event, self.now);
        self.obey(who, acts);
    }

    pub(super) fn opened(&mut self, who: usize, serial: u64) {
        let token = self.places[who].person.token;
        let (now, up) = (self.now, self.backend.up);
        if !up || (self.trouble() && self.one_in(5)) {
            let why = Trouble::new("unreachable");
            let failure = OpenFailure::Other { why, retry_after: None };
            let acts = self.places[who].person.link(Event::OpenFailed { serial, failure }, now);
            return self.obey(who, acts);
        }
        if self.tokens[&token] <= now {
            self.met.expiries += 1;
            if !self.places[who].refused_tokens.insert(token) {
                self.places[who].person.fail("a stale token was shown twice".to_owned());
            }
            let why = Trouble { code: Some(ErrorCode::TokenExpired), sentence: String::new() };
            let failure = OpenFailure::Token(why);
            let acts = self.places[who].person.link(Event::OpenFailed { serial, failure }, now);
            return self.obey(who, acts);
        }
        self.count += 1;
        let (connection, life) = (self.count, self.places[who].life);
        let wire = Wire { person: who, life, serial, arrival: [now; 2], silent: false };
        self.wires.insert(connection, wire);
        self.backend.accept(connection, who, token);
        self.places[who].connection = Some(connection);
        self.at(self.tokens[&token], who, Happening::TokenEnds { connection, token });
        if self.one_in(2) {
            self.carry(
                connection,
                1,
                Happening::ToClient { connection, frame: Frame::TokenExpiring },
            );
        }
        let epoch = self.backend.epoch();
        let acts = self.places[who].person.connected(&epoch, serial, now);
        self.obey(who, acts);
    }

    pub(super) fn refreshed(&mut self, who: usize, fails: bool) {
        let event = if fails || !self.backend.up {
            Event::RefreshFailed { refused: false, why: Trouble::new("unreachable") }
        } else {
            Event::Refreshed(self.mint(who))
        };
        let acts = self.places[who].person.link(event, self.now);
        self.obey(who, acts);
    }

    /// The server ends a session whose token is over, unless it got a newer one.
    pub(super) fn token_ends(&mut self, connection: u64, token: u64) {
        let Some(connected) = self.backend.connections.get(&connection) else { return };
        let (who, newest) = (connected.person, connected.token);
        if newest == token {
            self.hang_up(connection, ms(50), true);
        } else {
            let at = self.tokens[&newest];
            self.at(at, who, Happening::TokenEnds { connection, token: newest });
        }
    }
}
