//! YAML 1.2 as a tree in which every node knows its place. Strict: no tags, anchors or merges.
//!
//! The tree exists so that the reader above can report everything that is wrong at once.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};

use crate::source::{Diagnostic, Diagnostics, Source, Span};

/// Deepest nesting of a file.
const DEPTH_MAX: usize = 32;
/// Largest file, in bytes. A scenario of a thousand steps has a tenth of that.
const FILE_BYTES_MAX: usize = 1024 * 1024;

/// A node and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub value: Value,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Anything else that is not a collection.
    Text(String),
    /// `[...]` or lines with dashes.
    List(Vec<Node>),
    /// `{...}` or lines with colons; keys may repeat here, the reader complains.
    Map(Vec<(Key, Node)>),
}

/// Name of a field and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Where it stands.
    pub span: Span,
    /// The name.
    pub name: String,
}

impl Value {
    /// What people call it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "an object",
        }
    }
}

/// Reads a file as a tree. Fails with one error when it is not YAML at all.
pub fn parse(source: &Arc<Source>) -> Result<Node, Diagnostics> {
    parse_text(source.text(), 0).map_err(|wrong| {
        let mut diagnostics = Diagnostics::new(Arc::clone(source));
        diagnostics.error(wrong.span, wrong.message);
        diagnostics
    })
}

/// Reads a text whose first byte has this number in the places of its nodes.
pub(crate) fn parse_text(text: &str, start: usize) -> Result<Node, Diagnostic> {
    let at_start = Span { start, end: start };
    if text.len() > FILE_BYTES_MAX {
        let message = format!("file is over {FILE_BYTES_MAX} bytes");
        return Err(Diagnostic { span: at_start, message });
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: 1,
            max_depth: DEPTH_MAX,
            max_aliases: 0,
            max_anchors: 0,
        },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    let text = Text { text, start };
    match serde_saphyr::from_str_with_options::<Spanned<Tree>>(text.text, options) {
        Ok(tree) => {
            let root = text.place(tree);
            let message = "tags (`!!str`) are not part of this format".to_owned();
            text.tag_in(&root).map_or(Ok(root), |span| Err(Diagnostic { span, message }))
        }
        Err(error) => {
            let error = error.without_snippet();
            let span = error.location().map_or(at_start, |at| text.span_of(&at));
            let message = sentence(&error.to_string());
            Err(Diagnostic { span: text.cause(span, &message), message })
        }
    }
}

/// What stands before a node, without comments and blanks at its end.
fn without_comments(before: &str) -> &str {
    let mut before = before.trim_end();
    loop {
        let line = before.rfind('\n').map_or(0, |at| at + 1);
        let comment = match before[line..].starts_with('#') {
            true => Some(line),
            // Only the first can begin it: a text in quotes that holds ` #` ends in its quote.
            false => before[line..].find(" #").map(|at| line + at),
        };
        match comment.filter(|_| !before.ends_with(['"', '\''])) {
            Some(at) => before = before[..at].trim_end(),
            None => return before,
        }
    }
}

/// Said of `&name` and `*name`.
const NO_ANCHORS: &str = "anchors and aliases are not part of this format";

/// The parser's sentence in the words of this format, without the place that the diagnostic has.
fn sentence(message: &str) -> String {
    let message = message.split(" at line ").next().unwrap_or(message);
    let ours = [
        ("budget breached: Anchors", NO_ANCHORS),
        ("budget breached: Aliases", NO_ANCHORS),
        ("alias references", NO_ANCHORS),
        ("budget breached: Documents", "a file holds one document: no second `---`"),
        ("budget breached: Depth", "nested too deeply"),
        ("recursion limit", "nested too deeply"),
        ("YAML merge keys", "merge keys (`<<`) are not part of this format"),
    ];
    if message.ends_with("found a tab") {
        return "a tab cannot indent a line: use blanks".to_owned();
    }
    let known = ours.iter().find(|(theirs, _)| message.starts_with(theirs));
    known.map_or(message, |(_, ours)| ours).to_owned()
}

/// What is read, and the number of its first byte.
#[derive(Clone, Copy)]
struct Text<'a> {
    text: &'a str,
    start: usize,
}

impl Text<'_> {
    fn span_of(self, location: &serde_saphyr::Location) -> Span {
        let (span, text) = (location.span(), self.text);
        // The parser counts in characters; byte offsets are there for text that is in memory.
        let start = match span.byte_offset() {
            Some(start) => usize::try_from(start).unwrap_or(0),
            None => text
                .char_indices()
                .nth(usize::try_from(span.offset()).unwrap_or(0))
                .map_or(0, |(at, _)| at),
        };
        let len = span.byte_len().unwrap_or_else(|| span.len());
        let start = start.min(text.len());
        let end = (start + usize::try_from(len).unwrap_or(0)).min(text.len());
        // Collections end where the next token begins: the blanks between are not part of them.
        let end = text.get(start..end).map_or(end, |text| start + text.trim_end().len());
        Span { start: self.start + start, end: self.start + end.max(start) }
    }

    /// A tag of YAML's own (`!!str`), which the library takes for what it says.
    fn tag_in(self, node: &Node) -> Option<Span> {
        let before = self.text.get(..node.span.start - self.start).unwrap_or_default();
        let before = without_comments(before);
        let word = before.rsplit([' ', '\n', '[', '{', ',']).next().unwrap_or_default();
        // The end of a key is none, whatever is in its quotes.
        if word.starts_with('!') && !word.ends_with(':') {
            let start = self.start + before.len() - word.len();
            return Some(Span { start, end: start + word.len() });
        }
        match &node.value {
            Value::List(items) => items.iter().find_map(|item| self.tag_in(item)),
            Value::Map(all) => all.iter().find_map(|(_, value)| self.tag_in(value)),
            _ => None,
        }
    }

    /// What is wrong, where the library points at what comes after or before it.
    fn cause(self, span: Span, message: &str) -> Span {
        let one = |at: usize| Span { start: self.start + at, end: self.start + at + 1 };
        if message == NO_ANCHORS {
            let before = self.text.get(..span.start - self.start).unwrap_or_default();
            let is_alias = self.text[before.len()..].starts_with('*');
            return before.rfind('&').filter(|_| !is_alias).map_or(span, one);
        }
        if message.starts_with("unsupported tag") {
            let before = self.text.get(..span.start - self.start).unwrap_or_default();
            return before.rfind('!').map_or(span, one);
        }
        if message.starts_with("a tab") {
            let mut from = 0;
            for line in self.text.split_inclusive('\n') {
                let blanks = line.len() - line.trim_start_matches([' ', '\t']).len();
                if let Some(tab) = line[..blanks].find('\t') {
                    return one(from + tab);
                }
                from += line.len();
            }
        }
        span
    }

    fn place(self, tree: Spanned<Tree>) -> Node {
        let span = self.span_of(&tree.referenced);
        let value = match tree.value {
            Tree::Null => Value::Null,
            Tree::Bool(value) => Value::Bool(value),
            Tree::Int(value) => Value::Int(value),
            Tree::Float(value) => Value::Float(value),
            Tree::Text(value) => Value::Text(value),
            Tree::List(items) => {
                Value::List(items.into_iter().map(|item| self.place(item)).collect())
            }
            Tree::Map(fields) => {
                let fields = fields.into_iter().map(|(key, value)| {
                    let span = self.span_of(&key.referenced);
                    (Key { span, name: key.value }, self.place(value))
                });
                Value::Map(fields.collect())
            }
        };
        Node { span, value }
    }
}

/// What the deserializer builds; its places are the library's.
enum Tree {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Spanned<Tree>>),
    Map(Vec<(Spanned<String>, Spanned<Tree>)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(Self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Int(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Tree, E> {
        i64::try_from(value).map(Tree::Int).map_err(|_| E::custom("number is too large"))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Tree, E> {
        Ok(Tree::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Tree::Map(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Node, Diagnostics> {
        parse(&Source::new("t.yaml", text))
    }

    fn show(node: &Node, text: &str, out: &mut String) {
        let here = &text[node.span.start..node.span.end];
        match &node.value {
            Value::List(items) => items.iter().for_each(|item| show(item, text, out)),
            Value::Map(fields) => fields.iter().for_each(|(key, value)| {
                assert_eq!(&text[key.span.start..key.span.end], key.name);
                out.push_str(&format!("{}:", key.name));
                show(value, text, out);
            }),
            value => out.push_str(&format!(" {value:?} at `{here}`\n")),
        }
    }

    #[test]
    fn every_node_knows_its_place() {
        let text =
            "a: 1\nb: [true, 'x y', \"z\", 2.5, ]\n# né\nc:\n  - {d: \"é: #\", e: ~}\n  - no\n";
        let mut out = String::new();
        show(&read(text).unwrap(), text, &mut out);
        insta::assert_snapshot!(out, @r#"
        a: Int(1) at `1`
        b: Bool(true) at `true`
         Text("x y") at `'x y'`
         Text("z") at `"z"`
         Float(2.5) at `2.5`
        c:d: Text("é: #") at `"é: #"`
        e: Null at `~`
         Text("no") at `no`
        "#);
    }

    #[test]
    fn duplicate_keys_are_left_to_the_reader() {
        let Value::Map(fields) = read("a: 1\na: 2\n").unwrap().value else { panic!("no map") };
        assert_eq!(fields.len(), 2);
    }

    #[test]
    fn what_is_not_strict_yaml_is_refused_with_its_place() {
        let check = |text: &str| match read(text) {
            Ok(node) => format!("{text:?}: fine: {:?}", node.value),
            Err(wrong) => wrong.to_string(),
        };
        insta::assert_snapshot!(
            [
                "a: [1, 2",
                "a: &x 1\nb: *x\n",
                "a: !foo 1\n",
                "<<: {a: 1}\n",
                "a: 1\n b: 2\n",
                "a: 1\n---\nb: 2\n",
                "a: 99999999999999999999999\n",
                "? [x]\n: 1\n",
                "",
                "a: \"x\n",
                "\ta: 1",
            ]
            .map(check)
            .join("\n\n")
        );
        assert!(read("a: { \"<{!x\": null, \"!y\": 1 }\n").is_ok(), "no tag but a key");
        let deep = "[".repeat(100) + &"]".repeat(100);
        assert!(read(&deep).is_err());
    }
}
