//! Names that stand in their object for a second time.

use std::collections::BTreeSet;

use crate::source::{Diagnostic, Span};
use crate::yaml::{Node, Value};

/// Every one of a tree, also in free objects such as payloads and patterns, of which one value
/// would be lost in silence.
pub(super) fn repeats(root: &Node) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    find(root, &mut found);
    found
}

fn find(node: &Node, found: &mut Vec<Diagnostic>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| find(item, found)),
        Value::Map(fields) => {
            let mut seen = BTreeSet::new();
            for (key, value) in fields {
                if !seen.insert(key.name.as_str()) {
                    found.push(twice(key.span, &key.name));
                }
                find(value, found);
            }
        }
        _ => {}
    }
}

fn twice(span: Span, name: &str) -> Diagnostic {
    Diagnostic { span, message: format!("`{name}` stands here twice") }
}
