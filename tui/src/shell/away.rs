//! Times in which somebody else has the terminal: the shell behind us, or an editor.

use std::io;

use crossterm::event::EventStream;
use tokio_util::sync::CancellationToken;

use super::pace::Want;
use super::signals::{self, Asked};
use super::{Ended, Shell, UPDATES_AT_ONCE, edit, taken_is_open};
use crate::msg::{Msg, Reply};

impl Shell {
    /// To the background, with the terminal as it was found; comes back where it was.
    pub(super) fn suspend(&mut self, seat: usize) -> io::Result<()> {
        if !signals::somebody_waits() {
            let said = "no shell waits behind this terminal to come back from".to_owned();
            self.tell(seat, Msg::Reply(Reply::Said(said)));
            return Ok(());
        }
        self.screen.leave();
        signals::stop_here()?;
        self.screen.again()?;
        self.pace.want(Want::Answer);
        self.measure()
    }

    /// Gives the terminal to `$EDITOR` and the draft with it. Meanwhile the session is still heard,
    /// and nothing of it counts as seen.
    pub(super) async fn edit(
        &mut self,
        seat: usize,
        draft: String,
        stop: &CancellationToken,
    ) -> io::Result<()> {
        self.keys = None;
        let covered = self.table.cover(true, self.now());
        self.obey_all(covered);
        self.screen.leave();
        let leave = stop.child_token();
        let edited = {
            let editing = edit::edit(draft, leave.clone());
            tokio::pin!(editing);
            loop {
                let mut updates = Vec::new();
                tokio::select! {
                    edited = &mut editing => break edited,
                    asked = self.signals.next() => if asked == Asked::HangUp {
                        self.ended = Some(Ended::HungUp);
                        leave.cancel();
                    },
                    _ = self.updates.recv_many(&mut updates, UPDATES_AT_ONCE),
                        if taken_is_open(&self.updates) =>
                    {
                        self.hear(updates);
                    }
                    Some((from, reply)) = self.replies.recv() => self.tell(from, Msg::Reply(reply)),
                }
            }
        };
        if leave.is_cancelled() {
            // The loop ends: the terminal stays with whoever was there before us.
            return Ok(());
        }
        self.screen.again()?;
        self.keys = Some(EventStream::new());
        self.measure()?;
        let uncovered = self.table.cover(false, self.now());
        self.obey_all(uncovered);
        self.tell(seat, Msg::Reply(Reply::Edited(edited)));
        Ok(())
    }
}
