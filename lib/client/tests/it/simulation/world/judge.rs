//! What must hold once everything is well.

use trialogue_protocol::Message;

use super::{SAYINGS, World};

impl World {
    pub(super) fn is_at_rest(&self) -> bool {
        let all_said = self.places.iter().all(|p| p.said == SAYINGS && p.person.is_at_rest());
        // The last positions told everybody how far the chats are.
        all_said
            && self.backend.up
            && self.places.iter().all(|place| {
                self.chats.iter().all(|chat| {
                    let last = self.backend.positions()[chat];
                    place.person.cursor(*chat).is_some_and(|(seq, epoch)| {
                        seq == last && epoch.is_none_or(|e| e == self.backend.epoch())
                    })
                })
            })
    }

    /// What must hold now that everything is well.
    pub(super) fn judge(&mut self) -> Result<(), String> {
        for place in &self.places {
            self.met.reconnects += place.person.reconnects;
            self.met.resets += place.person.resets;
            if let Some((id, times)) = place.person.stored.iter().find(|(_, n)| **n > 1) {
                return Err(format!("{id} was told as stored {times} times"));
            }
            for chat in &self.chats {
                let rows = &self.backend.rows[chat];
                let screen = &place.person.screens[chat];
                if !rows.ends_with(screen) {
                    let short = |all: &[Message]| -> Vec<_> {
                        all.iter().map(|m| (m.id.0.as_u128(), m.seq)).collect()
                    };
                    let (screen, rows) = (short(screen), short(rows));
                    return Err(format!("a screen shows {screen:?} of {rows:?}"));
                }
            }
        }
        for (chat, rows) in &self.backend.rows {
            for (who, place) in self.places.iter().enumerate() {
                let mine = rows.iter().filter(|m| m.sender_id.0 == i64::try_from(who).unwrap());
                let mine: Vec<_> = mine.map(|m| m.message.as_str()).collect();
                // What an older copy of the disk does not have was stored before, or is gone.
                let due = |text: &str, id| !place.forgotten.contains(id) || mine.contains(&text);
                let kept = place.kept.iter().filter(|d| d.chat == *chat && due(&d.text, &d.id));
                let kept: Vec<_> = kept.map(|d| d.text.as_str()).collect();
                // After a restore, what was stored and acknowledged before may be gone.
                let whole = mine == kept;
                let mut rest = kept.iter();
                let in_order = mine.iter().all(|text| rest.any(|other| other == text));
                // Two older copies that know of each other's past only in part.
                let torn = self.restored && place.rolled_back;
                if !(in_order || torn) || !(whole || self.restored) {
                    return Err(format!("{who} wrote {kept:?}, stored is {mine:?}"));
                }
            }
        }
        Ok(())
    }
}
