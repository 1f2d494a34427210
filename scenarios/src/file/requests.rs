//! Named requests of the target, and what an answer may be expected to have.

use super::fields::{entries_of, text_of, word};
use super::steps::Reader;
use super::{Expect, Verb};
use crate::source::{hint, nearest};
use crate::yaml::{Key, Node, Value};

/// Requests of the target by name, and what each needs and may have.
const REQUESTS: &[(&str, &[&str], &[&str])] = &[
    ("book", &["provider"], &["title"]),
    ("dispute", &["chat", "reason"], &[]),
    ("enter_dispute", &["dispute"], &[]),
    ("resolve_dispute", &["dispute", "resolution"], &[]),
    ("complete_job", &["job"], &[]),
    ("cancel_job", &["job"], &[]),
];

impl Reader<'_> {
    /// A named request: its name and its arguments are known before anything runs.
    pub(super) fn request(&mut self, node: &Node, with: Option<Node>) -> Option<Verb> {
        let name = text_of(node, "do", self.diag)?;
        let mut with = with.map_or_else(Vec::new, |node| entries_of(&node, "with", self.diag));
        let known = |name: &str| REQUESTS.iter().find(|(known, ..)| *known == name);
        let mut meant = known(&name);
        let is_known = meant.is_some();
        if !is_known {
            let names = REQUESTS.iter().map(|(name, ..)| *name);
            let list = names.clone().collect::<Vec<_>>().join(", ");
            let hint = hint(&name, names.clone());
            self.error(node.span, format!("`do` is none of {list}{hint}"));
            // Its arguments are those of the request that was meant.
            meant = nearest(&name, names).and_then(known);
        }
        let (name, needed, more) = meant?;
        let known = || needed.iter().chain(*more).copied();
        let is_typo = |word: &str| with.iter().any(|(key, _)| nearest(&key.name, [word]).is_some());
        let missing = needed.iter().copied().filter(|word| is_known && !is_typo(word));
        let missing: Vec<&str> = missing.collect();
        for word in missing {
            self.error(node.span, format!("`do: {name}` needs `with: {{ {word}: … }}`"));
        }
        for (key, value) in &mut with {
            if !known().any(|word| word == key.name) {
                let hint = hint(&key.name, known());
                self.error(key.span, format!("`{name}` knows no `{}`{hint}", key.name));
            }
            // In a fragment an actor has another name than outside.
            if let (Value::Text(text), false) = (&value.value, self.frames.is_empty())
                && let Some([id]) = self.find(text).as_deref()
            {
                value.value = Value::Text(self.cast.name(*id).to_owned());
            }
        }
        let name = Key { span: node.span, name: (*name).to_owned() };
        is_known.then_some(Verb::Do { name, with })
    }

    /// Headers of a raw request: names as HTTP has them, values that are text.
    pub(super) fn headers(&mut self, node: &Node) -> Vec<(Key, Node)> {
        let headers = entries_of(node, "headers", self.diag);
        for (key, value) in &headers {
            let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
            if key.name.is_empty() || !key.name.chars().all(is_token) {
                self.error(key.span, format!("`{}` cannot be the name of a header", key.name));
            }
            if matches!(value.value, Value::List(_) | Value::Map(_) | Value::Null) {
                let kind = value.value.kind();
                self.error(value.span, format!("`{}` is {kind}, not text", key.name));
            }
        }
        headers
    }

    /// A program: its words are the shell's own, and values come to it as variables. What a server
    /// answered would else be a piece of the command.
    pub(super) fn exec(&mut self, node: &Node, env: Option<Node>) -> Option<Verb> {
        let command = word(node, "exec", self.diag)?;
        let env = env.map_or_else(Vec::new, |node| entries_of(&node, "env", self.diag));
        for (key, value) in &env {
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let odd = key.name.is_empty() || key.name.starts_with(|c: char| c.is_ascii_digit());
            if odd || !key.name.chars().all(is_word) {
                self.error(key.span, format!("`{}` cannot be the name of a variable", key.name));
            }
            if matches!(value.value, Value::Null) {
                self.error(value.span, format!("`{}` is nothing at all", key.name));
            }
        }
        Some(Verb::Exec { command, env })
    }

    /// `expect` and `save` stand where there is an answer that has such a part.
    pub(super) fn has_answer(&mut self, verb: &Verb, asked: &[Key], expect: &Expect) {
        let (name, has_answer) = match verb {
            Verb::Http { .. } | Verb::Do { .. } | Verb::History(_) | Verb::Login => ("", true),
            Verb::Connect | Verb::Join(_) | Verb::Leave(_) | Verb::Send { .. } => ("", true),
            Verb::Receive { .. } | Verb::Reconnected { .. } | Verb::Exec { .. } => ("", true),
            Verb::Emit { acked, .. } => ("emit` without `ack", *acked),
            Verb::Never { .. } => ("never", false),
            Verb::Delivered { .. } => ("delivered", false),
            Verb::State { .. } => ("state", false),
            Verb::Wait(_) => ("wait", false),
            Verb::Server(_) => ("server", false),
            Verb::Parallel { .. } => ("parallel", false),
            Verb::Repeat { .. } => ("repeat", false),
            Verb::Use { .. } => ("use", false),
            Verb::Disconnect | Verb::Network(_) | Verb::Token(_) => ("such a step", false),
            Verb::Act { .. } | Verb::Database(_) | Verb::Barrier { .. } => ("such a step", false),
        };
        for key in asked.iter().filter(|_| !has_answer) {
            self.error(key.span, format!("`{}` does not go with `{name}`: no answer", key.name));
        }
        let over_http =
            matches!(verb, Verb::Http { .. } | Verb::Do { .. } | Verb::History(_) | Verb::Login);
        if let (Some((span, _)), true, false) = (expect.status, has_answer, over_http) {
            self.error(span, "`status` is of an answer over HTTP; this one comes by the socket");
        }
        if let (Some(ack), true, true) = (&expect.ack, has_answer, over_http) {
            self.error(ack.span, "`ack` is of an answer by the socket; this one is `json`");
        }
    }
}
