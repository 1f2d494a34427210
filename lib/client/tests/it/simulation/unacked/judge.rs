//! What must hold once everything is well.

use super::World;

impl World {
    pub(super) fn judge(&mut self) -> Result<(), String> {
        if let Some((id, times)) = self.stored.iter().find(|(_, times)| **times > 1) {
            // Its end was told, not kept, and found again after a crash.
            if *times as u64 > 1 + self.met.crashes {
                return Err(format!("{id} was told as stored {times} times"));
            }
        }
        for draft in &self.kept {
            let (id, chat) = (&draft.id, draft.chat);
            let rows = self.server.secret.iter().filter(|(_, of)| of == id).count();
            let muddled = self.server.is_muddled(chat, &draft.text);
            if rows == 0 && !muddled {
                return Err(format!("{id} is dropped"));
            }
            if rows > 1 && !self.unknown.contains(id) {
                return Err(format!("{id} is there {rows} times, and its author knows nothing"));
            }
            // However muddled: as many are there as were written.
            let alike = |other: &&trialogue_client::outbox::Draft| {
                other.chat == chat && other.text == draft.text
            };
            let written = self.kept.iter().filter(alike).count();
            let history = self.server.history(chat).unwrap_or_default();
            let there = history.iter().filter(|row| row.message == draft.text).count();
            if there < written && !muddled {
                return Err(format!("{there} rows for {written} messages {:?}", draft.text));
            }
        }
        self.in_order()
    }

    /// The first row of each, in the order in which they were written.
    fn in_order(&self) -> Result<(), String> {
        for chat in self.kept.iter().map(|draft| draft.chat) {
            let clear = |text: &str| !self.server.is_muddled(chat, text);
            let due = self.kept.iter().filter(|d| d.chat == chat && clear(&d.text));
            let due: Vec<_> = due.map(|draft| &draft.id).collect();
            let mut rows = Vec::new();
            for (_, id) in self.server.secret.iter().filter(|(of, _)| *of == chat) {
                if due.contains(&id) && !rows.contains(&id) {
                    rows.push(id);
                }
            }
            if rows != due {
                return Err(format!("written {due:?}, stored {rows:?}"));
            }
        }
        Ok(())
    }
}
