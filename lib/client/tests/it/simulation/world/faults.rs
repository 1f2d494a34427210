//! What goes wrong: processes die, wires are cut or fall silent, a backup is put in place.

use trialogue_client::outbox::Record;

use super::{Happening, PEOPLE, World, ms};
use crate::simulation::person::Person;

impl World {
    pub(super) fn fault(&mut self) {
        let who = usize::try_from(self.chance.bits()).unwrap_or_default() % PEOPLE;
        let theirs = self.places[who].connection;
        match (self.chance.bits() % 10, theirs) {
            (0..=1, _) => self.kill_server(),
            (2..=3, _) => self.crash(who),
            (4..=5, Some(connection)) => {
                self.met.cuts += 1;
                self.hang_up(connection, ms(100), false);
            }
            (6..=7, Some(connection)) => {
                // No FIN: only the heartbeat notices, and the server still thinks it is there.
                self.met.silences += 1;
                if let Some(wire) = self.wires.get_mut(&connection) {
                    wire.silent = true;
                    let expired = false;
                    let at = self.now + ms(45_000);
                    self.at(at, who, Happening::Lost { connection, expired });
                }
            }
            (8, _) => {
                self.met.restores += 1;
                self.restored = true;
                self.backend.restore(&mut self.chance);
            }
            _ => {}
        }
    }

    pub(super) fn kill_server(&mut self) {
        self.met.server_kills += 1;
        self.backend.up = false;
        for connection in self.backend.connections.keys().copied().collect::<Vec<_>>() {
            self.hang_up(connection, ms(100), false);
        }
        self.later(ms(20_000), 0, Happening::Revive);
    }

    /// SIGKILL: what was on its way to the disk got there, or a part of it did.
    pub(super) fn crash(&mut self, who: usize) {
        if !self.places[who].alive {
            return;
        }
        self.met.client_crashes += 1;
        if let Some(connection) = self.places[who].connection.take() {
            self.backend.connections.remove(&connection);
            self.wires.remove(&connection);
        }
        let bits = self.chance.bits();
        let place = &mut self.places[who];
        let part = usize::try_from(bits).unwrap_or_default() % (place.person.writing.len() + 1);
        for record in place.person.writing.drain(..part).collect::<Vec<_>>() {
            if let Record::Queued(draft) = &record {
                place.kept.push(draft.clone());
            }
            place.person.disk.push(record);
        }
        place.alive = false;
        if bits >> 32 & 3 == 0 {
            self.roll_back(who);
        }
        let place = &mut self.places[who];
        self.met.reconnects += place.person.reconnects;
        self.met.resets += place.person.resets;
        self.later(ms(10_000), who, Happening::Restart);
    }

    /// A backup of the client's disk is put in place: its newest records are gone.
    fn roll_back(&mut self, who: usize) {
        let lost = usize::try_from(self.chance.bits() % 12).unwrap_or_default();
        let place = &mut self.places[who];
        let keep = place.person.disk.len().saturating_sub(lost);
        for record in place.person.disk.drain(keep..) {
            self.met.rolled_back += 1;
            place.rolled_back = true;
            if let Record::Queued(draft) = record {
                place.forgotten.insert(draft.id);
            }
        }
    }

    pub(super) fn restart(&mut self, who: usize) {
        let seed = self.chance.bits();
        let place = &mut self.places[who];
        let disk = place.person.disk.clone();
        let left = std::mem::replace(&mut place.person, Person::new(&self.chats, disk, seed));
        place.life += 1;
        place.alive = true;
        place.wake_at = None;
        self.begin(who, Some(&left));
    }
}
