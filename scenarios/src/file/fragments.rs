//! Fragments: steps in a file of their own, used with actors and values of the file that uses them.
//!
//! A use is its steps with other names in them; nothing of that is left when they run. A fragment
//! sees its actors, its arguments and what it saves itself, so it means the same everywhere.

use super::fields::{Fields, entries_of, list_of, text_of, word};
use super::repeats::repeats;
use super::steps::{Reader, is_name};
use super::{ActorId, Verb};
use crate::scope::{Renamed, renamed};
use crate::source::{Span, hint};
use crate::yaml::{Key, Node, Value, parse_text};

/// Deepest use of fragments in fragments; one that uses itself ends here.
const FRAMES_MAX: usize = 8;
const FRAGMENT_FIELDS: &[&str] = &["fragment", "name", "description", "actors", "args", "steps"];
/// The one version of the format.
const VERSION: i64 = 1;

/// A fragment that is being read.
#[derive(Debug)]
pub(super) struct Frame {
    /// Its names of actors, and whom they stand for.
    pub(super) actors: Vec<(String, Vec<ActorId>)>,
    /// Under which name it saves, and what its ids begin with.
    pub(super) owner: Option<String>,
}

/// What `with` gives to a fragment.
struct Given {
    owner: Option<String>,
    left: Vec<(Key, Node)>,
}

impl Given {
    fn take(&mut self, name: &str) -> Option<Node> {
        let at = self.left.iter().position(|(key, _)| key.name == name)?;
        Some(self.left.remove(at).1)
    }
}

impl Reader<'_> {
    /// An id as the whole file knows it.
    pub(super) fn own_id(&self, name: &str) -> String {
        match self.frames.last().and_then(|frame| frame.owner.as_ref()) {
            Some(owner) => format!("{owner}_{name}"),
            None => name.to_owned(),
        }
    }

    pub(super) fn fragment(&mut self, node: &Node, with: Option<Node>) -> Option<Verb> {
        let path = word(node, "use", self.diag)?;
        if self.frames.len() >= FRAMES_MAX {
            self.error(node.span, format!("more than {FRAMES_MAX} fragments in each other"));
            return None;
        }
        let text = match (self.load)(&path) {
            Ok(text) => text,
            Err(message) => {
                self.error(node.span, message);
                return None;
            }
        };
        // A file may come from anybody: of what it only calls a fragment no line is shown.
        if !text.contains("fragment:") {
            self.error(
                node.span,
                format!("`{path}` is no fragment: none says `fragment: {VERSION}`"),
            );
            return None;
        }
        let start = self.source.include(&path, &text);
        let root = match parse_text(&text, start) {
            Ok(root) => root,
            Err(wrong) => {
                self.error(wrong.span, wrong.message);
                return None;
            }
        };
        for twice in repeats(&root) {
            self.error(twice.span, twice.message);
        }
        let given = self.given(with);
        let steps = self.fragment_root(&root, node.span, given)?;
        Some(Verb::Use { name: path, steps })
    }

    fn given(&mut self, with: Option<Node>) -> Given {
        let mut left = with.map_or_else(Vec::new, |node| entries_of(&node, "with", self.diag));
        let owner = left.iter().position(|(key, _)| key.name == "as").map(|at| left.remove(at).1);
        let owner = owner.and_then(|node| {
            let name = text_of(&node, "as", self.diag)?;
            let wrong = if !is_name(&name) {
                "a name is a-z, 0-9 and _, and begins with a letter"
            } else if self.cast.find(&name).is_some() {
                "this is the name of an actor"
            } else if !self.frames.is_empty() {
                "`as` is for the scenario's own steps, not for a fragment's"
            } else {
                return Some(name);
            };
            self.error(node.span, wrong);
            None
        });
        let outer = || self.frames.last().and_then(|frame| frame.owner.clone());
        Given { owner: owner.or_else(outer), left }
    }

    fn fragment_root(
        &mut self,
        root: &Node,
        used: Span,
        mut given: Given,
    ) -> Option<Vec<super::Step>> {
        let mut fields = Fields::open(root, "a fragment", self.diag)?;
        let version = fields.required("fragment", self.diag);
        if let Some(version) = version.filter(|version| version.value != Value::Int(VERSION)) {
            self.error(version.span, format!("`fragment` must be {VERSION}, the format's version"));
        }
        for name in ["name", "description"] {
            let _words = fields.text(name, self.diag);
        }
        let actors = self.fragment_actors(fields.node("actors"), used, &mut given);
        let args = self.fragment_args(fields.node("args"), used, &mut given);
        let steps = fields.required("steps", self.diag);
        fields.finish(FRAGMENT_FIELDS, self.diag);
        let known = || actors.iter().map(|(name, _)| name).chain(args.iter().map(|(name, _)| name));
        for (key, _) in std::mem::take(&mut given.left) {
            let hint = hint(&key.name, known().map(String::as_str).chain(["as"]));
            self.error(key.span, format!("the fragment knows no `{}`{hint}", key.name));
        }
        let names = Names { reader: self, actors: &actors, args: &args, owner: &given.owner };
        let steps = names.in_steps(&steps?);
        self.frames.push(Frame { actors, owner: given.owner });
        let steps = self.steps(&steps, "steps");
        self.frames.pop();
        Some(steps)
    }

    fn fragment_actors(
        &mut self,
        node: Option<Node>,
        used: Span,
        given: &mut Given,
    ) -> Vec<(String, Vec<ActorId>)> {
        let Some(node) = node else { return Vec::new() };
        let mut actors = Vec::new();
        for node in list_of(&node, "actors", self.diag).to_vec() {
            let Some(name) = text_of(&node, "an actor", self.diag) else { continue };
            let these = match given.take(&name) {
                Some(node) => self.actors_of(&node, &name),
                None => {
                    self.error(used, format!("the fragment needs `with: {{ {name}: … }}`"));
                    Vec::new()
                }
            };
            actors.push((name, these));
        }
        actors
    }

    fn fragment_args(
        &mut self,
        node: Option<Node>,
        used: Span,
        given: &mut Given,
    ) -> Vec<(String, Node)> {
        let Some(node) = node else { return Vec::new() };
        let mut args = Vec::new();
        for (key, default) in entries_of(&node, "args", self.diag) {
            let name = key.name;
            let value = given.take(&name).unwrap_or(default);
            if value.value == Value::Null {
                self.error(used, format!("the fragment needs `with: {{ {name}: … }}`"));
            }
            args.push((name, value));
        }
        args
    }
}

/// What names in a fragment stand for.
struct Names<'r, 'a> {
    reader: &'r Reader<'a>,
    actors: &'r [(String, Vec<ActorId>)],
    args: &'r [(String, Node)],
    owner: &'r Option<String>,
}

impl Names<'_, '_> {
    fn in_steps(&self, steps: &Node) -> Node {
        let mut ids = Vec::new();
        ids_of(steps, &mut ids);
        self.node(steps, &ids)
    }

    fn node(&self, node: &Node, ids: &[String]) -> Node {
        let value = match &node.value {
            Value::Text(text) => return self.text(node.span, text, ids),
            Value::List(items) => {
                Value::List(items.iter().map(|item| self.node(item, ids)).collect())
            }
            Value::Map(fields) => {
                let field = |(key, value): &(Key, Node)| {
                    let value = match (key.name.as_str(), &value.value) {
                        // Of a request of the target or another fragment: an actor by name.
                        ("with", Value::Map(with)) => self.with(value.span, with, ids),
                        _ => self.node(value, ids),
                    };
                    (key.clone(), value)
                };
                Value::Map(fields.iter().map(field).collect())
            }
            other => other.clone(),
        };
        Node { span: node.span, value }
    }

    /// Values that are names of actors stay so for fragments, which read them by their frame, and
    /// are the actors' own for requests.
    fn with(&self, span: Span, with: &[(Key, Node)], ids: &[String]) -> Node {
        let of = |(key, value): &(Key, Node)| {
            let text = match &value.value {
                Value::Text(text) => Some(text),
                _ => None,
            };
            let actor = text.and_then(|text| self.actors.iter().find(|(name, _)| name == text));
            let value = match actor {
                Some(_) => value.clone(),
                None => self.node(value, ids),
            };
            (key.clone(), value)
        };
        Node { span, value: Value::Map(with.iter().map(of).collect()) }
    }

    fn text(&self, span: Span, text: &str, ids: &[String]) -> Node {
        let whole = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        let arg = |name: &str| self.args.iter().find(|(own, _)| own == name.trim());
        if let Some((_, value)) = whole.and_then(arg) {
            return value.clone();
        }
        let rename = |name: &str| self.rename(name, ids);
        Node { span, value: Value::Text(renamed(text, &rename)) }
    }

    fn rename(&self, name: &str, ids: &[String]) -> Option<Renamed> {
        let (head, rest) = name.split_at(name.find('.').unwrap_or(name.len()));
        if let Some((_, value)) = self.args.iter().find(|(own, _)| own == head) {
            return match &value.value {
                Value::Text(text) => Some(Renamed::Text(text.clone())),
                Value::Int(number) => Some(Renamed::Text(number.to_string())),
                _ => None,
            };
        }
        if let Some((_, these)) = self.actors.iter().find(|(own, _)| own == head) {
            // Several have no value of one name; what is said of that is said where it is used.
            let [one] = these.as_slice() else { return None };
            return Some(Renamed::Name(format!("{}{rest}", self.reader.cast.name(*one))));
        }
        let owner = self.owner.as_ref()?;
        match head {
            "env" | "self" | "run" => None,
            head if ids.iter().any(|id| id == head) => {
                Some(Renamed::Name(format!("{owner}_{head}{rest}")))
            }
            _ => Some(Renamed::Name(format!("{owner}.{name}"))),
        }
    }
}

/// Ids of the steps in a tree.
fn ids_of(node: &Node, ids: &mut Vec<String>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| ids_of(item, ids)),
        Value::Map(fields) => {
            for (key, value) in fields {
                match (key.name.as_str(), &value.value) {
                    ("id", Value::Text(id)) => ids.push(id.clone()),
                    ("parallel" | "steps", _) => ids_of(value, ids),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}
