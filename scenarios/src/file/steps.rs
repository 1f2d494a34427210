//! What every step has: who, how long, what must come back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::actors::Cast;
use super::fields::{Fields, count_of, entries_of, first_line, list_of, text_of};
use super::fragments::Frame;
use super::order::{Way, comes_before};
use super::scenario::Load;
use super::{ActorId, Expect, Range, Save, Step, patterns};
use crate::path::JsonPath;
use crate::source::{Diagnostics, Source, Span, hint};
use crate::yaml::{Key, Node, Value};

/// Fields that any step may have.
pub(super) const STEP_FIELDS: &[&str] = &["as", "id", "note", "within", "expect", "save"];
const EXPECT_FIELDS: &[&str] = &["status", "json", "ack", "error"];

/// Reads steps, and remembers what they name.
pub(super) struct Reader<'a> {
    pub(super) cast: &'a Cast,
    pub(super) source: &'a Arc<Source>,
    pub(super) load: Load<'a>,
    pub(super) diag: &'a mut Diagnostics,
    /// Ids of all steps, and where these stand.
    pub(super) ids: BTreeMap<String, Way>,
    /// Ids of steps that send a message.
    pub(super) sends: BTreeSet<String>,
    /// Messages that `delivered` waits for.
    pub(super) delivered: Vec<(Key, Way)>,
    /// Fragments that are being read, the innermost last.
    pub(super) frames: Vec<Frame>,
    /// `parallel` steps that are being read, the innermost last.
    pub(super) meetings: Vec<Meeting>,
    /// Steps that make no sense: what they save and send is not missing for that.
    pub(super) lost: Vec<Lost>,
    /// Where the step stands that is being read.
    pub(super) way: Way,
    lists: usize,
    numbers: usize,
    pub(super) parallels: usize,
}

/// A step whose mistakes were told.
#[derive(Debug)]
pub(super) struct Lost {
    /// All of it, as it stands in the file.
    pub(super) node: Node,
    pub(super) id: Option<Key>,
    pub(super) actors: Vec<ActorId>,
    pub(super) save: Vec<Save>,
}

/// Who comes to the barriers of a `parallel`.
#[derive(Debug, Default)]
pub(super) struct Meeting {
    pub(super) number: usize,
    pub(super) branch: usize,
    /// By name: the branches that have one, and where the first stands.
    pub(super) barriers: BTreeMap<String, (BTreeSet<usize>, Span)>,
}

/// Whether a word can be an id or an actor: `a-z`, `0-9` and `_`, beginning with a letter.
pub(super) fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        cast: &'a Cast,
        source: &'a Arc<Source>,
        load: Load<'a>,
        diag: &'a mut Diagnostics,
    ) -> Self {
        Self {
            cast,
            source,
            load,
            diag,
            ids: BTreeMap::new(),
            sends: BTreeSet::new(),
            delivered: Vec::new(),
            frames: Vec::new(),
            meetings: Vec::new(),
            lost: Vec::new(),
            way: Vec::new(),
            lists: 0,
            numbers: 0,
            parallels: 0,
        }
    }

    pub(super) fn steps(&mut self, node: &Node, name: &str) -> Vec<Step> {
        let items = list_of(node, name, self.diag);
        if matches!(&node.value, Value::List(items) if items.is_empty()) {
            let quote = if name.contains(' ') { "" } else { "`" };
            self.error(node.span, format!("{quote}{name}{quote} is empty: nothing would be done"));
        }
        let list = self.lists;
        self.lists += 1;
        let mut steps = Vec::new();
        for (at, item) in items.iter().enumerate() {
            self.way.push((list, at));
            steps.extend(self.step(item));
            self.way.pop();
        }
        steps
    }

    fn step(&mut self, node: &Node) -> Option<Step> {
        let mut fields = Fields::open(node, "a step", self.diag)?;
        let number = self.numbers;
        self.numbers += 1;
        let id = fields.node("id").and_then(|node| self.id(&node));
        let actors = fields.node("as").map(|node| self.actors_of(&node, "as"));
        let note = fields.node("note");
        let mut within = fields.time("within", self.diag);
        let expect = fields.entry("expect");
        let save = fields.entry("save");
        let answer = [expect.as_ref(), save.as_ref()];
        let answer: Vec<Key> = answer.into_iter().flatten().map(|(key, _)| key.clone()).collect();
        let expect = expect.map(|(_, node)| self.expect(&node)).unwrap_or_default();
        let save = save.map_or_else(Vec::new, |(_, node)| self.save(&node));
        let verb = self.verb(fields, id.as_ref(), actors.is_some(), &mut within);
        let actors = actors.unwrap_or_default();
        let Some((verb, verb_span)) = verb else {
            // It may have been meant to send.
            self.sends.extend(id.as_ref().map(|id| id.name.clone()));
            self.lost.push(Lost { node: node.clone(), id, actors, save });
            return None;
        };
        self.has_answer(&verb, &answer, &expect);
        let span = node.span;
        Some(Step { span, number, verb_span, id, actors, note, within, expect, save, verb })
    }

    fn id(&mut self, node: &Node) -> Option<Key> {
        let name = text_of(node, "id", self.diag)?;
        let own = self.own_id(&name);
        if !is_name(&name) {
            self.diag.error(node.span, "an id is a-z, 0-9 and _, and begins with a letter");
        } else if self.cast.find(&name).is_some() {
            self.diag.error(node.span, format!("`{name}` is the name of an actor"));
        } else if self.ids.insert(own.clone(), self.way.clone()).is_some() {
            let mut why = format!("another step has the id `{own}`");
            if !self.frames.is_empty() {
                why += "; a fragment that is used twice needs an `as` in its `with`";
            }
            self.diag.error(node.span, why);
        }
        Some(Key { span: node.span, name: own })
    }

    /// One name or a list of names.
    pub(super) fn actors_of(&mut self, node: &Node, name: &str) -> Vec<ActorId> {
        let names = match &node.value {
            Value::Text(_) => std::slice::from_ref(node),
            _ => list_of(node, name, self.diag),
        };
        if matches!(&node.value, Value::List(names) if names.is_empty()) {
            self.diag.error(node.span, format!("`{name}` is nobody"));
        }
        let mut found: Vec<ActorId> = Vec::new();
        for node in names {
            let Some(name) = text_of(node, "an actor", self.diag) else { continue };
            match self.find(&name) {
                Some(these) if these.iter().any(|id| found.contains(id)) => {
                    self.diag.error(node.span, format!("`{name}` stands here twice"));
                }
                Some(these) => found.extend(these),
                None => {
                    let hint = hint(&name, self.names().iter().map(String::as_str));
                    self.diag.error(node.span, format!("unknown actor `{name}`{hint}"));
                }
            }
        }
        found
    }

    /// Whom a name stands for here: in a fragment those that its `with` names.
    pub(super) fn find(&self, name: &str) -> Option<Vec<ActorId>> {
        match self.frames.last() {
            Some(frame) => frame.actors.iter().find(|(own, _)| own == name).map(|a| a.1.clone()),
            None => self.cast.find(name),
        }
    }

    pub(super) fn names(&self) -> Vec<String> {
        match self.frames.last() {
            Some(frame) => frame.actors.iter().map(|(name, _)| name.clone()).collect(),
            None => self.cast.names().map(ToOwned::to_owned).collect(),
        }
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
        let mut pattern =
            |name: &str| fields.node(name).inspect(|pattern| patterns::check(pattern, self.diag));
        let (json, ack, error) = (pattern("json"), pattern("ack"), pattern("error"));
        let expect = Expect { status, json, ack, error };
        if node.value == Value::Map(Vec::new()) {
            self.diag.error(node.span, "`expect` expects nothing: it has status, json, ack, error");
        }
        fields.finish(EXPECT_FIELDS, self.diag);
        expect
    }

    fn save(&mut self, node: &Node) -> Vec<Save> {
        let mut saves = Vec::new();
        let owner = self.frames.last().and_then(|frame| frame.owner.clone());
        for (name, node) in entries_of(node, "save", self.diag) {
            let Some(text) = text_of(&node, "a path", self.diag) else { continue };
            if self.cast.find(&name.name).is_some() {
                self.error(name.span, format!("`{}` is the name of an actor", name.name));
            }
            match JsonPath::parse(&text) {
                Ok(path) => saves.push(Save { name, path, owner: owner.clone() }),
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
        if !matches!(node.value, Value::Map(_)) {
            let kind = node.value.kind();
            self.error(
                node.span,
                format!("`{name}` is {kind}, not a number or `{{ min: 1, max: 3 }}`"),
            );
            return None;
        }
        let mut fields = Fields::open(node, "a range", self.diag)?;
        let mut bound = |name: &str, default, diag: &mut Diagnostics| {
            fields.node(name).map_or(Some(default), |node| count_of(&node, name, diag))
        };
        if node.value == Value::Map(Vec::new()) {
            self.diag.error(node.span, format!("`{name}` needs `min` or `max`, or is a number"));
        }
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
        for (message, way) in std::mem::take(&mut self.delivered) {
            if self.sends.contains(&message.name) {
                // What two branches do at the same time is in no order.
                if self.ids.get(&message.name).is_some_and(|sent| !comes_before(sent, &way)) {
                    let why = format!("`{}` is sent after this", message.name);
                    self.diag.error(message.span, why);
                }
                continue;
            }
            let text = if self.ids.contains_key(&message.name) {
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
