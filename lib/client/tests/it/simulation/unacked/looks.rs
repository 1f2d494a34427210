//! What the shell does for a message: look, emit, look again.

use trialogue_client::Trouble;
use trialogue_client::outbox::{Answer, Draft, Event, Mark, Record, Search, same_rows};
use trialogue_protocol::{ClientMessageId, SendAck, SendStatus};

use super::{Flight, Happening, LOOK_FOR, ME, SEEN_FRESH, SETTLE, World, ms};

impl World {
    /// A message leaves, or is looked for before it leaves again.
    pub(super) fn set_out(&mut self, draft: Draft, attempt: u32, mark: Mark) {
        let (id, same) = (draft.id.clone(), mark.same);
        let look_for = if mark.again { SETTLE } else { LOOK_FOR };
        let search = Search::new(ME, draft.clone(), same, look_for);
        let settling = mark.again;
        self.flights.insert(id.clone(), Flight { draft, attempt, mark, search, settling });
        if settling { self.look(&id, attempt) } else { self.emit(&id, attempt) }
    }

    fn emit(&mut self, id: &ClientMessageId, attempt: u32) {
        let marked = |record: &Record| matches!(record, Record::Leaving { id: of, .. } if of == id);
        if !self.disk.iter().any(marked) {
            return self.fail("it leaves before its mark is on disk");
        }
        if !self.emitted.insert(id.clone()) {
            self.met.again += 1;
            if !self.unknown.contains(id) {
                return self.fail(&format!("{id} leaves again, and its author knows nothing"));
            }
        }
        let generation = self.server.generation;
        let arrived = Happening::Arrived { id: id.clone(), attempt, generation };
        self.later(ms(100), arrived);
        self.look_later(id);
    }

    fn look_later(&mut self, id: &ClientMessageId) {
        let Some(flight) = self.flights.get_mut(id) else { return };
        let attempt = flight.attempt;
        if let Some(pause) = flight.search.next_look() {
            let id = id.clone();
            return self.at(self.now + pause, Happening::Look { id, attempt });
        }
        if flight.settling {
            flight.settling = false;
            flight.search = Search::new(ME, flight.draft.clone(), flight.mark.same, LOOK_FOR);
            return self.emit(id, attempt);
        }
        if let Some(flight) = self.flights.remove(id) {
            let answer = flight.search.over();
            self.decide(Event::Answered { id: id.clone(), attempt, answer });
        }
    }

    pub(super) fn look(&mut self, id: &ClientMessageId, attempt: u32) {
        let Some(flight) = self.flights.get(id).filter(|flight| flight.attempt == attempt) else {
            return;
        };
        let (chat, settling) = (flight.draft.chat, flight.settling);
        let Some(rows) = self.server.history(chat) else {
            if settling {
                self.flights.remove(id);
                let answer = Answer::Lost(Trouble::new("unreachable"));
                return self.decide(Event::Answered { id: id.clone(), attempt, answer });
            }
            return self.look_later(id);
        };
        let Some(message) = flight.search.find(&rows) else { return self.look_later(id) };
        self.flights.remove(id);
        self.met.found += u64::from(settling && self.life > 0);
        let status = if settling { SendStatus::Duplicate } else { SendStatus::Stored };
        if !settling {
            self.seen.insert(chat, (self.now, rows));
        }
        let answer = Answer::Stored(SendAck { status, message });
        self.decide(Event::Answered { id: id.clone(), attempt, answer });
    }

    pub(super) fn counted(&mut self, id: &ClientMessageId, attempt: u32) {
        let Some(draft) = self.outbox.entries().map(|(d, _)| d).find(|d| d.id == *id).cloned()
        else {
            return;
        };
        let fresh = self.seen.remove(&draft.chat).filter(|(at, _)| self.now - *at <= SEEN_FRESH);
        let rows = fresh.map(|(_, rows)| rows).or_else(|| self.server.history(draft.chat));
        let event = match rows {
            Some(rows) => {
                let same = same_rows(ME, &draft, &rows);
                self.met.alike += u64::from(same > 0);
                Event::Counted { id: id.clone(), attempt, same }
            }
            None => {
                let answer = Answer::Lost(Trouble::new("unreachable"));
                Event::Answered { id: id.clone(), attempt, answer }
            }
        };
        self.decide(event);
    }
}
