//! What every step has: who, how long, what must come back.

use std::collections::BTreeSet;

use super::fields::{Fields, count_of, entries_of, first_line, list_of, text_of};
use super::{Actor, ActorId, Expect, Range, Step};
use crate::path::JsonPath;
use crate::source::{Diagnostics, Span, hint};
use crate::yaml::{Key, Node, Value};

/// Fields that any step may have.
pub(super) const STEP_FIELDS: &[&str] = &["as", "id", "note", "within", "expect", "save"];
const EXPECT_FIELDS: &[&str] = &["status", "json", "ack", "error"];

/// Reads steps, and remembers what they name.
pub(super) struct Reader<'a> {
    pub(super) actors: &'a [Actor],
    pub(super) diag: &'a mut Diagnostics,
    /// Ids of all steps.
    pub(super) ids: BTreeSet<String>,
    /// Ids of steps that send a message.
    pub(super) sends: BTreeSet<String>,
    /// Messages that `delivered` waits for.
    pub(super) delivered: Vec<Key>,
}

/// Whether a word can be an id or an actor: `a-z`, `0-9` and `_`, beginning with a letter.
pub(super) fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

impl<'a> Reader<'a> {
    pub(super) fn new(actors: &'a [Actor], diag: &'a mut Diagnostics) -> Self {
        Self { actors, diag, ids: BTreeSet::new(), sends: BTreeSet::new(), delivered: Vec::new() }
    }

    pub(super) fn steps(&mut self, node: &Node, name: &str) -> Vec<Step> {
        let items = list_of(node, name, self.diag);
        items.iter().filter_map(|item| self.step(item)).collect()
    }

    fn step(&mut self, node: &Node) -> Option<Step> {
        let mut fields = Fields::open(node, "a step", self.diag)?;
        let id = fields.node("id").and_then(|node| self.id(&node));
        let actors = fields.node("as").map(|node| self.actors_of(&node, "as"));
        let note = fields.node("note");
        let mut within = fields.duration("within", self.diag);
        let expect = fields.node("expect").map(|node| self.expect(&node)).unwrap_or_default();
        let save = fields.node("save").map_or_else(Vec::new, |node| self.save(&node));
        let verb = self.verb(fields, id.as_ref(), actors.is_some(), &mut within)?;
        let actors = actors.unwrap_or_default();
        Some(Step { span: node.span, id, actors, note, within, expect, save, verb })
    }

    fn id(&mut self, node: &Node) -> Option<Key> {
        let name = text_of(node, "id", self.diag)?;
        if !is_name(&name) {
            self.diag.error(node.span, "an id is a-z, 0-9 and _, and begins with a letter");
        } else if self.actors.iter().any(|actor| actor.name.name == name) {
            self.diag.error(node.span, format!("`{name}` is the name of an actor"));
        } else if !self.ids.insert(name.clone()) {
            self.diag.error(node.span, format!("another step has the id `{name}`"));
        }
        Some(Key { span: node.span, name })
    }

    /// One name or a list of names.
    pub(super) fn actors_of(&mut self, node: &Node, name: &str) -> Vec<ActorId> {
        let names = match &node.value {
            Value::Text(_) => std::slice::from_ref(node),
            _ => list_of(node, name, self.diag),
        };
        let mut found = Vec::new();
        for node in names {
            let Some(name) = text_of(node, "an actor", self.diag) else { continue };
            match self.actors.iter().position(|actor| actor.name.name == name) {
                Some(at) if found.contains(&ActorId(at)) => {
                    self.diag.error(node.span, format!("`{name}` stands here twice"));
                }
                Some(at) => found.push(ActorId(at)),
                None => {
                    let known = self.actors.iter().map(|actor| actor.name.name.as_str());
                    let hint = hint(&name, known);
                    self.diag.error(node.span, format!("unknown actor `{name}`{hint}"));
                }
            }
        }
        found
    }

    fn expect(&mut self, node: &Node) -> Expect {
        let Some(mut fields) = Fields::open(node, "`expect`", self.diag) else {
            return Expect::default();
        };
        let status = fields.node("status").and_then(|node| {
            let status = count_of(&node, "status", self.diag)?;
            match u16::try_from(status) {
                Ok(status @ 100..=599) => Some((node.span, status)),
                _ => {
                    self.diag.error(node.span, "`status` is an HTTP status, 100 to 599");
                    None
                }
            }
        });
        let expect = Expect {
            status,
            json: fields.node("json"),
            ack: fields.node("ack"),
            error: fields.node("error"),
        };
        fields.finish(EXPECT_FIELDS, self.diag);
        expect
    }

    fn save(&mut self, node: &Node) -> Vec<(Key, JsonPath)> {
        let mut saves = Vec::new();
        for (key, node) in entries_of(node, "save", self.diag) {
            let Some(text) = text_of(&node, "a path", self.diag) else { continue };
            match JsonPath::parse(&text) {
                Ok(path) => saves.push((key, path)),
                Err(message) => self.diag.error(node.span, message),
            }
        }
        saves
    }

    /// A number, or `{min, max}`.
    pub(super) fn range(&mut self, node: &Node, name: &'static str) -> Option<Range> {
        if let Value::Int(_) = node.value {
            let n = count_of(node, name, self.diag)?;
            return Some(Range { min: n, max: n });
        }
        let mut fields = Fields::open(node, "a range", self.diag)?;
        let mut bound = |name: &str, default, diag: &mut Diagnostics| {
            fields.node(name).map_or(Some(default), |node| count_of(&node, name, diag))
        };
        let min = bound("min", 0, self.diag);
        let max = bound("max", u64::MAX, self.diag);
        fields.finish(&["min", "max"], self.diag);
        let range = Range { min: min?, max: max? };
        if range.min > range.max {
            self.diag.error(node.span, "`min` is over `max`");
        }
        Some(range)
    }

    /// What can only be known once everything was read.
    pub(super) fn check_references(&mut self) {
        for message in std::mem::take(&mut self.delivered) {
            if self.sends.contains(&message.name) {
                continue;
            }
            let text = if self.ids.contains(&message.name) {
                format!("step `{}` sends no message", message.name)
            } else {
                let hint = hint(&message.name, self.sends.iter().map(String::as_str));
                format!("no step has the id `{}`{hint}", message.name)
            };
            self.diag.error(message.span, text);
        }
    }

    pub(super) fn error(&mut self, span: Span, message: impl Into<String>) {
        self.diag.error(span, message);
    }

    pub(super) fn error_at_start(&mut self, span: Span, message: impl Into<String>) {
        self.diag.error(first_line(span), message);
    }
}
