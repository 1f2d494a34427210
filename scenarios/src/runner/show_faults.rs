//! What was done to the server and its database, and how everybody came back, as rows.

use std::time::Duration;

use trialogue_report::diagram::{Row, Tone, Wire};

use super::links::status;
use super::show::latest;
use super::stage::Stage;
use super::verbs::Replies;
use crate::actor::Reply;
use crate::file::{DatabaseVerb, LaneName, ServerVerb};
use crate::record::link_of;

impl Stage<'_> {
    pub(super) fn show_server(&self, verb: ServerVerb, began: Duration) {
        // Whoever lost it noticed before the process was gone for good.
        let at = match verb {
            ServerVerb::Kill | ServerVerb::Stop | ServerVerb::Pause => began,
            ServerVerb::Start | ServerVerb::Restart | ServerVerb::Resume => self.now(),
        };
        let lane = self.lane(LaneName::Server);
        let (text, tone, alive) = match verb {
            ServerVerb::Kill => ("SIGKILL: the backend is gone", Tone::Bad, Some(false)),
            ServerVerb::Stop => ("the backend was stopped", Tone::Bad, Some(false)),
            ServerVerb::Start => ("the backend is back online", Tone::Good, Some(true)),
            ServerVerb::Restart => ("the backend was restarted", Tone::Good, Some(true)),
            ServerVerb::Pause => ("SIGSTOP: the backend is frozen", Tone::Bad, None),
            ServerVerb::Resume => ("SIGCONT: the backend goes on", Tone::Good, None),
        };
        let mut notes = self.notes();
        match alive {
            Some(false) => notes.killed = Some(at),
            Some(true) => notes.started = Some(at),
            None => {}
        }
        if alive == Some(true) {
            notes.observer.row(&Row::Alive { lane, alive: true });
        }
        notes.observer.row(&Row::Band { at, text: text.to_owned(), tone });
        if alive == Some(false) {
            notes.observer.row(&Row::Alive { lane, alive: false });
        }
    }

    pub(super) fn show_database(&self, verb: DatabaseVerb, began: Duration) {
        let at = match verb {
            DatabaseVerb::Kill | DatabaseVerb::Stop => began,
            DatabaseVerb::Start => self.now(),
        };
        let (text, tone, alive) = match verb {
            DatabaseVerb::Stop => ("the database was stopped", Tone::Bad, false),
            DatabaseVerb::Kill => ("the database is gone", Tone::Bad, false),
            DatabaseVerb::Start => ("the database is back", Tone::Good, true),
        };
        let lane = self.lane(LaneName::Database);
        self.row(&Row::Band { at, text: text.to_owned(), tone });
        if self.notes().lanes.contains(&LaneName::Database) {
            self.row(&Row::Alive { lane, alive });
        }
    }

    pub(super) fn show_reconnected(&self, replies: &Replies) {
        let at = latest(replies, |reply| reply.at);
        let mut in_time = replies.clone();
        in_time.sort_by_key(|(_, reply)| reply.at);
        for (id, reply) in in_time {
            let failed = reply.json["failedAttempts"].as_u64().unwrap_or_default();
            let link = self.actor(id).inbox().with(|entries| link_of(entries).map(status));
            let sent = reply.at;
            let one: Replies = vec![(id, Reply { sent, ..reply })];
            let retry = format!("Auto-retry {}...", failed + 1);
            self.exchange(Wire::Socket, &one, [&retry, "Connected!"], ["", ""]);
            self.exchange(Wire::Socket, &one, ["join_chat (re-join)", "joined_chat"], ["", ""]);
            self.note(id, sent, link.unwrap_or_default(), Tone::Good);
        }
        let mut notes = self.notes();
        if let (Some(killed), Some(started)) = (notes.killed, notes.started) {
            let failed = replies.iter().filter_map(|(_, r)| r.json["failedAttempts"].as_u64());
            let (down, took) = (started.saturating_sub(killed), at.saturating_sub(started));
            notes.recovery = Some(super::Recovery { down, took, failed_attempts: failed.sum() });
        }
    }
}
