//! What connections do: waited for by steps, and told as they do it by themselves.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use trialogue_client::LinkState;
use trialogue_protocol::ChatId;
use trialogue_report::diagram::{Arrow, Direction, Row, Tone, Wire};

use super::stage::Stage;
use crate::actor::{Actor, Reply, Wrong};
use crate::file::{ActorId, Range, StateWord, flow};
use crate::record::{Entry, What, link_of};
use crate::words::words_of;

impl Stage<'_> {
    pub(super) async fn state(
        &self,
        actor: &Actor,
        state: StateWord,
        attempts: Range,
        deadline: Instant,
    ) -> Result<Reply, Wrong> {
        let sent = self.now();
        let look = || {
            actor.inbox().with(|entries| {
                let is = matches!(
                    (state, link_of(entries)),
                    (StateWord::Connected, Some(LinkState::Connected))
                        | (StateWord::Reconnecting, Some(LinkState::Reconnecting { .. }))
                        | (StateWord::Disconnected, Some(LinkState::Offline) | None)
                        | (StateWord::LoginNeeded, Some(LinkState::LoginNeeded { .. }))
                );
                let failed = failed_attempts(entries);
                let at = entries.iter().rfind(|entry| matches!(entry.what, What::Link(_)));
                (is && attempts.holds(failed)).then(|| at.map_or(sent, |entry| entry.at))
            })
        };
        match self.around.bell.wait(deadline, look).await {
            Some(at) => Ok(Reply { sent, at, ..Reply::default() }),
            None => {
                let failed = actor.inbox().with(|entries| failed_attempts(entries));
                let after = flow::after(attempts);
                let expected = format!("the link {}{after}", state.name());
                Err(Wrong::late(expected, format!("{failed} failed; {}", actor.link_words())))
            }
        }
    }

    pub(super) async fn reconnected(
        &self,
        actor: &Actor,
        failed: Range,
        rejoined: &[ChatId],
        deadline: Instant,
    ) -> Result<Reply, Wrong> {
        let sent = self.now();
        let look = || actor.inbox().with(|entries| take_back(entries, failed, rejoined));
        let Some((at, attempts)) = self.around.bell.wait(deadline, look).await else {
            let chats = match rejoined.len() {
                0 => String::new(),
                1 => " and its chat joined again".to_owned(),
                n => format!(" and {n} chats joined again"),
            };
            let losses = |entries: &mut [Entry]| {
                let open = entries.iter().any(|entry| entry.is_loss() && !entry.taken);
                (open, entries.iter().any(Entry::is_loss))
            };
            let never = match actor.inbox().with(losses) {
                (true, _) => "",
                (false, true) => ", and was not lost again since",
                (false, false) => ", and was never lost",
            };
            let got = format!("{}{never}", actor.link_words());
            return Err(Wrong::late(format!("a lost connection that is back{chats}"), got));
        };
        if !failed.holds(attempts) {
            return Err(Wrong::new(format!("{failed} failed attempts"), attempts.to_string()));
        }
        Ok(Reply { sent, at, json: json!({ "failedAttempts": attempts }), ..Reply::default() })
    }

    /// A connection is about to be lost: what it lost before is no sign of that.
    pub(super) fn begin_loss(&self, actor: &Actor) {
        if actor.is_online() {
            actor.inbox().with(take_losses);
        }
    }

    /// What links did since they were last looked at, in the order of time.
    pub(super) fn tell_links(&self) {
        let mut news: Vec<(Duration, ActorId, LinkState, Option<LinkState>)> = Vec::new();
        let mut notes = self.notes();
        if notes.server_busy {
            // What it does to the links is told after it was told itself.
            return;
        }
        for (n, actor) in self.actors.iter().enumerate() {
            let from = notes.told[n];
            actor.inbox().with(|entries| {
                let mut before = link_of(&entries[..from]).cloned();
                for entry in &entries[from..] {
                    let What::Link(state) = &entry.what else { continue };
                    news.push((entry.at, ActorId(n), state.clone(), before.replace(state.clone())));
                }
                notes.told[n] = entries.len();
            });
        }
        drop(notes);
        news.sort_by_key(|(at, ..)| *at);
        for (at, id, state, before) in news {
            self.tell_link(at, id, &state, before.as_ref());
        }
    }

    pub(super) fn tell_link(
        &self,
        at: Duration,
        id: ActorId,
        state: &LinkState,
        before: Option<&LinkState>,
    ) {
        let LinkState::Reconnecting { next_in, .. } = state else { return };
        if !self.has_lane(id) {
            return;
        }
        match before {
            Some(LinkState::Reconnecting { attempt, next_in: was, .. })
                if was.is_zero() && !next_in.is_zero() =>
            {
                let arrow = self.arrow(Direction::In, Wire::Socket, &[id], at);
                let label = format!("Auto-retry {attempt}...");
                self.row(&Row::Arrow(Arrow { label, failed: true, ..arrow }));
            }
            Some(LinkState::Reconnecting { .. }) => {}
            _ => self.note(id, at, status(state), Tone::Bad),
        }
    }
}

/// Attempts that failed since the link was up last.
pub(super) fn failed_attempts(entries: &[Entry]) -> u64 {
    let mut failed = 0;
    let mut under_way = false;
    for entry in entries {
        let What::Link(state) = &entry.what else { continue };
        match state {
            LinkState::Reconnecting { next_in, .. } => {
                failed += u64::from(under_way && !next_in.is_zero());
                under_way = next_in.is_zero();
            }
            LinkState::Connected | LinkState::Offline => {
                failed = 0;
                under_way = false;
            }
            LinkState::Connecting { .. }
            | LinkState::Syncing { .. }
            | LinkState::LoginNeeded { .. }
            | LinkState::Closed => under_way = false,
        }
    }
    failed
}

/// A loss answers one `reconnected`: what was lost up to now is told.
fn take_back(entries: &mut [Entry], failed: Range, rejoined: &[ChatId]) -> Option<(Duration, u64)> {
    let found = back(entries, rejoined)?;
    if failed.holds(found.1) {
        take_losses(entries);
    }
    Some(found)
}

/// Losses so far are no answer to a `reconnected` that comes.
fn take_losses(entries: &mut [Entry]) {
    entries.iter_mut().filter(|entry| entry.is_loss()).for_each(|entry| entry.taken = true);
}

/// When the link came back after its last loss that no step has had, with every chat joined and
/// caught up, and how many attempts had failed.
fn back(entries: &[Entry], rejoined: &[ChatId]) -> Option<(Duration, u64)> {
    let lost = entries.iter().rposition(|entry| entry.is_loss() && !entry.taken)?;
    let after = &entries[lost..];
    let at =
        after.iter().position(|entry| matches!(entry.what, What::Link(LinkState::Connected)))?;
    let all = rejoined.iter().all(|chat| {
        let mut joined = after.iter().skip_while(|entry| match &entry.what {
            What::Joined { chat: here, again, .. } => here != chat || !again,
            _ => true,
        });
        joined.any(|entry| matches!(&entry.what, What::CaughtUp(here) if here == chat))
    });
    all.then(|| (after[at].at, failed_attempts(&entries[..=lost])))
}

/// For the diagram: the link's words without the details.
pub(super) fn status(state: &LinkState) -> String {
    match state {
        LinkState::Reconnecting { attempt, .. } => {
            format!("Status: Reconnecting (attempt {attempt})")
        }
        other => format!("Status: {}", words_of(other)),
    }
}

#[cfg(test)]
mod tests {
    use trialogue_client::Trouble;

    use super::*;

    fn link(state: LinkState) -> Entry {
        Entry { at: Duration::ZERO, connection: 1, taken: false, what: What::Link(state) }
    }

    fn lost() -> Entry {
        let why = Trouble::new("lost");
        link(LinkState::Reconnecting { attempt: 1, next_in: Duration::ZERO, why })
    }

    #[test]
    fn a_loss_answers_one_reconnected() {
        let any = Range { min: 0, max: u64::MAX };
        let mut entries = vec![link(LinkState::Connected), lost(), link(LinkState::Connected)];
        assert_eq!(take_back(&mut entries, any, &[]), Some((Duration::ZERO, 0)));
        assert_eq!(take_back(&mut entries, any, &[]), None, "the same loss again");
        entries.extend([lost(), link(LinkState::Connected)]);
        assert!(take_back(&mut entries, any, &[]).is_some(), "a new one");
        // What was lost before a line is cut is no sign that the cut was noticed.
        entries.extend([lost(), link(LinkState::Connected)]);
        take_losses(&mut entries);
        assert_eq!(take_back(&mut entries, any, &[]), None);
    }
}
