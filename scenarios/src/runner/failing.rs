//! What did not hold, in words: where, what was expected, what came, and what those concerned saw.

use super::stage::Stage;
use super::{Failure, FailureKind};
use crate::actor::{Actor, Wrong};
use crate::file::{ActorId, Step, Verb};
use crate::source::Span;
use crate::yaml::Value;

/// How many of the last things that an actor concerned saw a failure shows.
const ENTRIES: usize = 8;
/// The same of each actor where nobody in particular is concerned.
const ENTRIES_OF_ALL: usize = 3;
/// Most actors that a failure shows: of a crowd the rest is like them.
const ACTORS: usize = 6;

impl Stage<'_> {
    /// A step that did not hold at these actors.
    pub(super) fn fail(&self, step: &Step, wrong: Wrong, who: &[ActorId]) -> Failure {
        let (what, mut concerned) = (self.what(step, who), who.to_vec());
        if let Verb::Delivered { message, .. } = &step.verb {
            // Whether it ever left is seen at its author.
            let author = self.sent(&message.name).ok().map(|sent| sent.actor);
            concerned.extend(author.filter(|author| !who.contains(author)));
        }
        let failure = self.failure(step.span, what, wrong, &concerned);
        Failure { excerpt: self.excerpt(step.verb_span), who: who.to_vec(), ..failure }
    }

    /// Somebody saw more than can be kept: what a step waits for may be among what was not.
    pub(super) fn too_much(&self) -> Option<(ActorId, Wrong)> {
        let passed = |(n, actor): (usize, &Actor)| {
            let bound = actor.inbox().passed()?;
            let got = format!("{} saw more: what came then was not kept", actor.name());
            let wrong = Wrong::new(format!("at most {bound} at one actor"), got);
            Some((ActorId(n), wrong.of(FailureKind::Unknown)))
        };
        self.actors.iter().enumerate().find_map(passed)
    }

    /// Something at a place of the file. Without `concerned`, everybody is.
    pub(super) fn failure(
        &self,
        span: Span,
        what: impl Into<String>,
        wrong: Wrong,
        concerned: &[ActorId],
    ) -> Failure {
        let Wrong { kind, expected, got } = wrong;
        let mut context = self.seen_by_all(concerned);
        context.extend(self.server.ended_by_itself());
        let hide = |text: &str| self.around.secrets.hide(text);
        Failure {
            kind,
            place: self.scenario.source.place(span),
            excerpt: self.excerpt(span),
            what: hide(&what.into()),
            expected: hide(&expected),
            got: hide(&got),
            context: context.iter().map(|line| hide(line)).collect(),
            who: Vec::new(),
        }
    }

    pub(super) fn excerpt(&self, span: Span) -> String {
        let source = &self.scenario.source;
        self.around.secrets.hide(&source.excerpt(source.first_line(span)))
    }

    /// What those concerned saw last; of the others, one line each.
    fn seen_by_all(&self, concerned: &[ActorId]) -> Vec<String> {
        let mut context = Vec::new();
        let others = (0..self.actors.len()).map(ActorId).filter(|id| !concerned.contains(id));
        for id in concerned.iter().copied().chain(others).take(ACTORS) {
            let actor = self.actor(id);
            let entries = actor.inbox().entries();
            let (name, link) = (actor.name(), actor.link_words());
            if !concerned.is_empty() && !concerned.contains(&id) {
                let last = entries.last().map_or_else(|| "nothing".to_owned(), ToString::to_string);
                context.push(format!("{name} ({link}), last: {}", last.trim()));
                continue;
            }
            let most = if concerned.is_empty() { ENTRIES_OF_ALL } else { ENTRIES };
            let from = entries.len().saturating_sub(most);
            context.push(format!("the last that {name} saw ({link}):"));
            context.extend(entries[from..].iter().map(|entry| format!("  {entry}")));
        }
        context
    }

    /// A step in a few words, with those at whom it did not hold where there are several.
    fn what(&self, step: &Step, who: &[ActorId]) -> String {
        let names = || who.iter().map(|id| self.actor(*id).name()).collect::<Vec<_>>().join(", ");
        match &step.verb {
            Verb::Delivered { message, .. } if !who.is_empty() => {
                format!("delivered {} to {}", message.name, names())
            }
            _ => words(step),
        }
    }
}

/// A step in a few words.
fn words(step: &Step) -> String {
    let verb = match &step.verb {
        Verb::Act { .. } => "act",
        Verb::Login => "login",
        Verb::Connect => "connect",
        Verb::Disconnect => "disconnect",
        Verb::Http { method, .. } => method.as_str(),
        Verb::Do { name, .. } => &name.name,
        Verb::Emit { .. } => "emit",
        Verb::Receive { .. } => "receive",
        Verb::Never { .. } => "never",
        Verb::Join(_) => "join",
        Verb::Leave(_) => "leave",
        Verb::Send { .. } => "send",
        Verb::History(_) => "history",
        Verb::Delivered { .. } => "delivered",
        Verb::State { .. } => "state",
        Verb::Reconnected { .. } => "reconnected",
        Verb::Server(_) => "server",
        Verb::Database(_) => "database",
        Verb::Token(_) => "token",
        Verb::Barrier { .. } => "barrier",
        Verb::Use { .. } => "use",
        Verb::Network(_) => "network",
        Verb::Exec { .. } => "exec",
        Verb::Wait(_) => "wait",
        Verb::Parallel { .. } => "parallel",
        Verb::Repeat { .. } => "repeat",
    };
    step.id.as_ref().map_or_else(|| verb.to_owned(), |id| format!("{verb} ({})", id.name))
}

/// What nobody answered.
pub(super) fn asked(step: &Step) -> String {
    match &step.verb {
        Verb::Emit { event, .. } => match &event.value {
            Value::Text(event) => format!("`{event}`"),
            _ => "an event".to_owned(),
        },
        _ => words(step),
    }
}
