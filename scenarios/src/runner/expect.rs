//! What a step expects of its answer, keeps of it, and needs from earlier ones.

use std::time::Duration;

use serde_json::{Value, json};
use trialogue_protocol::{ChatId, MessageId, UserId};

use super::exec::ended_well;
use super::nameless;
use super::stage::{MomentPart, Stage};
use super::verbs::Replies;
use crate::actor::{Reply, Wrong, outcome_of};
use crate::file::{ActorId, Save, Step, Verb};
use crate::matching::{Mismatch, matches, quote};
use crate::yaml::Node;

impl Stage<'_> {
    /// Status, body, acknowledgement and refusal are what the step expects. Answers what of that
    /// cannot be compared, where the server's refusals have no code to compare.
    pub(super) fn expected(
        &self,
        step: &Step,
        id: ActorId,
        reply: &Reply,
    ) -> Result<Option<&'static str>, Wrong> {
        ended_well(step, reply)?;
        let expect = &step.expect;
        let differ = |what: &str, wrong: &Mismatch, whole: &Value| {
            let expected = format!("{what} {} at {}", wrong.expected, wrong.path);
            Wrong::new(expected, format!("{} in {}", wrong.got, quote(whole)))
        };
        let status = expect.status.map(|(_, status)| status);
        if let Some(status) = status {
            let got = reply.status.map_or_else(|| "no status".to_owned(), |got| got.to_string());
            if reply.status != Some(status) {
                let got = format!("{got} {}", quote(&reply.json));
                return Err(Wrong::new(format!("status {status}"), got));
            }
        }
        let nameless = reply.error.is_some() && !self.capabilities.error_codes;
        let mut left = None;
        match (&expect.error, &reply.error) {
            (Some(pattern), Some(error)) => {
                let mut pattern = self.value(pattern, id)?;
                if nameless {
                    left = nameless::refusal(&mut pattern, status, reply)?;
                }
                matches(&pattern, error)
                    .map_err(|wrong| differ("a refusal with", &wrong, error))?;
            }
            (Some(pattern), None) => {
                let pattern = self.value(pattern, id)?;
                let expected = format!("a refusal with {}", quote(&pattern));
                return Err(Wrong::new(expected, quote(&reply.json)));
            }
            (None, Some(error)) if expect.status.is_none() => {
                return Err(Wrong::new("no refusal", quote(error)));
            }
            (None, _) => {}
        }
        for (what, pattern) in [("a body with", &expect.json), ("an ack with", &expect.ack)] {
            let Some(pattern) = pattern else { continue };
            let mut pattern = self.value(pattern, id)?;
            if nameless {
                left = nameless::body(&mut pattern, reply)?.or(left);
            }
            matches(&pattern, &reply.json).map_err(|wrong| differ(what, &wrong, &reply.json))?;
        }
        Ok(left)
    }

    pub(super) fn save(&self, step: &Step, id: ActorId, reply: &Reply) -> Result<(), Wrong> {
        for Save { name, path, owner } in &step.save {
            let missing = || Wrong::new(format!("`{path}` to save"), quote(&reply.json));
            let value = path.find(&reply.json).ok_or_else(missing)?;
            let mut notes = self.notes();
            notes.scope.set_of(self.actor(id).name(), &name.name, value.clone());
            match owner {
                _ if step.actors.len() > 1 => {}
                Some(owner) => notes.scope.set_of(owner, &name.name, value.clone()),
                None => notes.scope.set(&name.name, value.clone()),
            }
        }
        Ok(())
    }

    /// When it was, for `order`.
    pub(super) fn remember(&self, step: &Step, sent: Duration, replies: &Replies) {
        let Some(id) = &step.id else { return };
        let times = |get: fn(&Reply) -> Duration, else_now: Duration| {
            let first = replies.iter().map(|(_, reply)| get(reply)).min().unwrap_or(else_now);
            let last = replies.iter().map(|(_, reply)| get(reply)).max().unwrap_or(else_now);
            (first, last)
        };
        let done = times(|reply| reply.at, self.now());
        let issued = times(|reply| reply.sent, sent);
        let mut notes = self.notes();
        notes.moments.insert((id.name.clone(), MomentPart::Sent), issued);
        notes.moments.insert((id.name.clone(), MomentPart::Done), done);
        if matches!(step.verb, Verb::Send { .. }) && replies.iter().all(|(_, r)| is_stored(r)) {
            notes.moments.insert((id.name.clone(), MomentPart::Saved), done);
        }
    }

    pub(super) fn value(&self, node: &Node, id: ActorId) -> Result<Value, Wrong> {
        let name = self.actor(id).name();
        let resolved = self.notes().scope.resolve(node, Some(name));
        resolved.map_err(|wrong| Wrong::new("a value", wrong.message))
    }

    pub(super) fn text(&self, node: &Node, id: ActorId) -> Result<String, Wrong> {
        match self.value(node, id)? {
            Value::String(text) => Ok(text),
            other => Ok(other.to_string()),
        }
    }

    pub(super) fn pattern(&self, node: Option<&Node>, id: ActorId) -> Result<Value, Wrong> {
        node.map_or_else(|| Ok(json!({})), |node| self.value(node, id))
    }

    pub(super) fn chat(&self, node: &Node, id: ActorId) -> Result<ChatId, Wrong> {
        read(&self.value(node, id)?, "chat")
    }

    /// An actor's name, or the id of a user.
    pub(super) fn person(&self, value: &Value) -> Result<UserId, Wrong> {
        let actor = value.as_str().and_then(|name| self.actors.iter().find(|a| a.name() == name));
        match actor {
            Some(actor) => actor.user().ok_or_else(|| {
                Wrong::new("somebody who has logged in", format!("{} has not", actor.name()))
            }),
            None => read(value, "provider"),
        }
    }

    /// The id that the server gave the message of a step.
    pub(super) fn stored_id(&self, step: &str) -> Option<MessageId> {
        let notes = self.notes();
        let sent = notes.sent.iter().rfind(|sent| sent.step.as_deref() == Some(step))?;
        self.actor(sent.actor).inbox().with(|entries| match outcome_of(entries, &sent.id) {
            Some((_, trialogue_client::Outcome::Stored { message, .. })) => Some(message.id),
            _ => None,
        })
    }
}

pub(super) fn is_stored(reply: &Reply) -> bool {
    reply.json["status"] != json!("queued")
}

pub(super) fn read<T: serde::de::DeserializeOwned>(value: &Value, what: &str) -> Result<T, Wrong> {
    serde_json::from_value(value.clone())
        .map_err(|_| Wrong::new(format!("an id of a {what}"), quote(value)))
}
