//! Reading an object field by field: what is missing, unknown, twice or of another kind is
//! reported, and reading goes on.

use std::time::Duration;

use super::quantity;
use crate::source::{Diagnostics, Span, hint, nearest};
use crate::yaml::{Key, Node, Value};

/// Most names that a message lists.
const LISTED_MAX: usize = 8;

/// The fields of one object that nobody has read yet.
pub(super) struct Fields {
    span: Span,
    what: &'static str,
    left: Vec<(Key, Node)>,
}

impl Fields {
    /// Begins to read an object that messages call `what`; complains when it is none.
    pub(super) fn open(node: &Node, what: &'static str, diag: &mut Diagnostics) -> Option<Self> {
        let Value::Map(fields) = &node.value else {
            diag.error(node.span, format!("{what} is {}, not an object", node.value.kind()));
            return None;
        };
        let mut left: Vec<(Key, Node)> = Vec::with_capacity(fields.len());
        for (key, value) in fields {
            // A second one was told of when the whole tree was looked at.
            if !left.iter().any(|(seen, _)| seen.name == key.name) {
                left.push((key.clone(), value.clone()));
            }
        }
        Some(Self { span: node.span, what, left })
    }

    /// Where the object stands.
    pub(super) fn span(&self) -> Span {
        self.span
    }

    /// Names that are not read yet.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.left.iter().map(|(key, _)| key.name.as_str())
    }

    /// Whether the field is there and not read yet.
    pub(super) fn has(&self, name: &str) -> bool {
        self.left.iter().any(|(key, _)| key.name == name)
    }

    /// The field with its key.
    pub(super) fn entry(&mut self, name: &str) -> Option<(Key, Node)> {
        let at = self.left.iter().position(|(key, _)| key.name == name)?;
        Some(self.left.remove(at))
    }

    /// The field.
    pub(super) fn node(&mut self, name: &str) -> Option<Node> {
        self.entry(name).map(|(_, node)| node)
    }

    /// The field; complains when it is not there.
    pub(super) fn required(&mut self, name: &str, diag: &mut Diagnostics) -> Option<Node> {
        let node = self.node(name);
        // A field with a typo is one mistake, not two.
        let typo = self.names().any(|left| nearest(left, [name]).is_some());
        if node.is_none() && !typo {
            diag.error(first_line(self.span), format!("{} needs `{name}`", self.what));
        }
        node
    }

    /// Text.
    pub(super) fn text(&mut self, name: &str, diag: &mut Diagnostics) -> Option<String> {
        self.node(name).and_then(|node| text_of(&node, name, diag))
    }

    /// A duration.
    pub(super) fn duration(&mut self, name: &str, diag: &mut Diagnostics) -> Option<Duration> {
        self.node(name).and_then(|node| duration_of(&node, name, diag))
    }

    /// A duration that something may take: not none at all.
    pub(super) fn time(&mut self, name: &str, diag: &mut Diagnostics) -> Option<Duration> {
        self.node(name).and_then(|node| time_of(&node, name, diag))
    }

    /// `true` or `false`.
    pub(super) fn bool(&mut self, name: &str, diag: &mut Diagnostics) -> Option<bool> {
        self.node(name).and_then(|node| bool_of(&node, name, diag))
    }

    /// Complains about what nobody has read; `known` are the names that exist at all.
    pub(super) fn finish(self, known: &[&str], diag: &mut Diagnostics) {
        for (key, _) in self.left {
            let hint = match hint(&key.name, known.iter().copied()) {
                // A short list is read sooner than it is looked up.
                hint if hint.is_empty() && known.len() <= LISTED_MAX => {
                    format!("; it has {}", known.join(", "))
                }
                hint => hint,
            };
            diag.error(key.span, format!("unknown field `{}` in {}{hint}", key.name, self.what));
        }
    }
}

/// The place of an object that lacks something: its first character, not its whole text.
pub(super) fn first_line(span: Span) -> Span {
    Span { start: span.start, end: span.start + 1 }
}

fn wrong(node: &Node, name: &str, wanted: &str, diag: &mut Diagnostics) {
    // A name of one word is a field's; others are words of the message already.
    let quote = if name.contains(' ') { "" } else { "`" };
    diag.error(node.span, format!("{quote}{name}{quote} is {}, not {wanted}", node.value.kind()));
}

pub(super) fn text_of(node: &Node, name: &str, diag: &mut Diagnostics) -> Option<String> {
    match &node.value {
        Value::Text(text) => Some(text.clone()),
        _ => {
            wrong(node, name, "text", diag);
            None
        }
    }
}

/// Text that says something.
pub(super) fn word(node: &Node, name: &str, diag: &mut Diagnostics) -> Option<String> {
    let text = text_of(node, name, diag)?;
    let says = !text.trim().is_empty();
    if !says {
        let quote = if name.contains(' ') { "" } else { "`" };
        diag.error(node.span, format!("{quote}{name}{quote} is empty"));
    }
    says.then_some(text)
}

/// A duration that something may take: not none at all.
pub(super) fn time_of(node: &Node, name: &str, diag: &mut Diagnostics) -> Option<Duration> {
    let time = duration_of(node, name, diag)?;
    if time.is_zero() {
        diag.error(node.span, format!("`{name}` is no time at all"));
    }
    Some(time)
}

pub(super) fn bool_of(node: &Node, name: &str, diag: &mut Diagnostics) -> Option<bool> {
    match node.value {
        Value::Bool(value) => Some(value),
        _ => {
            wrong(node, name, "true or false", diag);
            None
        }
    }
}

pub(super) fn duration_of(node: &Node, name: &str, diag: &mut Diagnostics) -> Option<Duration> {
    let text = match &node.value {
        Value::Text(text) => text.clone(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        _ => {
            wrong(node, name, "a duration such as `500ms`", diag);
            return None;
        }
    };
    quantity::duration(&text).map_err(|message| diag.error(node.span, message)).ok()
}

/// Bytes, or bytes a second: what `read` makes of the text.
pub(super) fn bytes_of(
    node: &Node,
    name: &str,
    read: fn(&str) -> Result<u64, String>,
    diag: &mut Diagnostics,
) -> Option<u64> {
    let text = match &node.value {
        Value::Text(text) => text.clone(),
        Value::Int(number) => number.to_string(),
        _ => {
            wrong(node, name, "a size such as `16KiB`", diag);
            return None;
        }
    };
    read(&text).map_err(|message| diag.error(node.span, message)).ok()
}

/// A whole number that is not negative.
pub(super) fn count_of(node: &Node, name: &str, diag: &mut Diagnostics) -> Option<u64> {
    let number = match node.value {
        Value::Int(number) => u64::try_from(number).ok(),
        _ => None,
    };
    if number.is_none() {
        diag.error(node.span, format!("`{name}` must be a whole number, 0 or more"));
    }
    number
}

/// The items of a list; complains when it is none.
pub(super) fn list_of<'a>(node: &'a Node, name: &str, diag: &mut Diagnostics) -> &'a [Node] {
    match &node.value {
        Value::List(items) => items,
        _ => {
            wrong(node, name, "a list", diag);
            &[]
        }
    }
}

/// The fields of an object whose names are free; complains when it is none.
pub(super) fn entries_of(node: &Node, name: &str, diag: &mut Diagnostics) -> Vec<(Key, Node)> {
    match &node.value {
        Value::Map(fields) => fields.clone(),
        _ => {
            wrong(node, name, "an object", diag);
            Vec::new()
        }
    }
}

/// One of a few words; complains about any other.
pub(super) fn word_of<T: Copy>(
    node: &Node,
    name: &str,
    words: &[(&str, T)],
    diag: &mut Diagnostics,
) -> Option<T> {
    let text = text_of(node, name, diag)?;
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    if found.is_none() {
        let names = words.iter().map(|(word, _)| *word);
        let list = names.clone().collect::<Vec<_>>().join(", ");
        let hint = hint(&text, names);
        diag.error(node.span, format!("`{name}` is none of {list}{hint}"));
    }
    found
}
