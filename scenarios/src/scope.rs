//! What `${...}` stands for: values that the file names, that steps saved and that actors have.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use trialogue_protocol::MessageId;

use crate::secrets::{Secrets, is_secret};
use crate::source::{Span, hint};
use crate::yaml::{Node, Value};

/// Looks a variable of the environment up; given in, so that a test owns it.
pub type Env = fn(&str) -> Option<String>;

/// The values that are known by now.
#[derive(Debug, Clone)]
pub struct Scope {
    values: BTreeMap<String, Json>,
    env: Env,
    secrets: Secrets,
    /// Names that the file says are secrets.
    marked: Vec<String>,
}

/// Why a text cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unresolved {
    /// Where it stands.
    pub span: Span,
    /// A sentence.
    pub message: String,
}

impl Scope {
    /// Nothing but the environment. Values of it that are secrets by their name are hidden.
    pub fn new(env: Env, secrets: Secrets) -> Self {
        Self { values: BTreeMap::new(), env, secrets, marked: Vec::new() }
    }

    /// Values of these names are secrets too.
    #[must_use]
    pub fn marked(self, names: &[String]) -> Self {
        Self { marked: names.to_vec(), ..self }
    }

    fn is_secret(&self, name: &str) -> bool {
        is_secret(name) || self.marked.iter().any(|own| own == name)
    }

    fn learn(&self, name: &str, value: &Json) {
        match self.is_secret(name) {
            true => self.secrets.learn_value(value),
            false => self.secrets.learn(value),
        }
    }

    /// Names a value.
    pub fn set(&mut self, name: &str, value: Json) {
        self.learn(name, &value);
        self.values.insert(name.to_owned(), value);
    }

    /// Names a value that belongs to an actor or a step: `${owner.name}`.
    pub fn set_of(&mut self, owner: &str, name: &str, value: Json) {
        self.learn(name, &value);
        let entry = self.values.entry(owner.to_owned()).or_insert_with(|| Json::Object(Map::new()));
        if let Json::Object(fields) = entry {
            fields.insert(name.to_owned(), value);
        }
    }

    /// The message that a step sent, once it is known.
    pub fn id_of(&self, step: &str) -> Option<MessageId> {
        let id = self.values.get(step)?.get("id")?.as_str()?;
        id.parse().ok().map(MessageId)
    }

    /// Every text that some name stands for or holds: ids are among them.
    pub fn texts(&self) -> BTreeSet<String> {
        fn into(value: &Json, texts: &mut BTreeSet<String>) {
            match value {
                Json::String(text) => _ = texts.insert(text.clone()),
                Json::Array(items) => items.iter().for_each(|item| into(item, texts)),
                Json::Object(fields) => fields.values().for_each(|value| into(value, texts)),
                Json::Null | Json::Bool(_) | Json::Number(_) => {}
            }
        }
        let mut texts = BTreeSet::new();
        self.values.values().for_each(|value| into(value, &mut texts));
        texts
    }

    /// Fills a tree in. `me` is who `${self.…}` stands for.
    pub fn resolve(&self, node: &Node, me: Option<&str>) -> Result<Json, Unresolved> {
        Ok(match &node.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Int(value) => Json::from(*value),
            Value::Float(value) => Json::from(*value),
            Value::Text(text) => {
                self.text(text, me).map_err(|message| Unresolved { span: node.span, message })?
            }
            Value::List(items) => Json::Array(
                items.iter().map(|item| self.resolve(item, me)).collect::<Result<_, _>>()?,
            ),
            Value::Map(fields) => Json::Object(
                fields
                    .iter()
                    .map(|(key, node)| Ok((key.name.clone(), self.resolve(node, me)?)))
                    .collect::<Result<_, _>>()?,
            ),
        })
    }

    /// A text that is one `${name}` keeps the kind of its value; else values become text.
    fn text(&self, text: &str, me: Option<&str>) -> Result<Json, String> {
        let parts = parts_of(text)?;
        if let [Part::Name(name)] = parts.as_slice() {
            return self.value(name, me);
        }
        let mut filled = String::new();
        for part in parts {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Name(name) => match self.value(name, me)? {
                    Json::String(text) => filled.push_str(&text),
                    other => filled.push_str(&other.to_string()),
                },
            }
        }
        Ok(Json::String(filled))
    }

    fn value(&self, name: &str, me: Option<&str>) -> Result<Json, String> {
        if let Some(name) = name.strip_prefix("env.") {
            let (name, default) = match name.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (name, None),
            };
            let value = (self.env)(name).filter(|value| !value.is_empty());
            let value = value.or_else(|| default.map(ToOwned::to_owned));
            if let Some(value) = value.as_ref().filter(|_| self.is_secret(name)) {
                self.secrets.add(value);
            }
            return value.map(Json::String).ok_or_else(|| {
                format!("the environment has no `{name}`; `${{env.{name}:-…}}` gives a default")
            });
        }
        let mut path = name.split('.');
        let first = path.next().unwrap_or_default();
        let owner = match (first, me) {
            ("self", Some(me)) => me,
            ("self", None) => return Err("`self` is nobody here: the step has no `as`".to_owned()),
            _ => first,
        };
        let known = || self.values.keys().map(String::as_str);
        let mut value = self
            .values
            .get(owner)
            .ok_or_else(|| format!("nothing is called `{owner}` yet{}", hint(owner, known())))?;
        for field in path {
            value = value
                .get(field)
                .ok_or_else(|| format!("`{owner}` has no `{field}` yet{}", fields_of(value)))?;
        }
        Ok(value.clone())
    }
}

fn fields_of(value: &Json) -> String {
    match value.as_object() {
        Some(fields) if !fields.is_empty() => {
            let names: Vec<&str> = fields.keys().map(String::as_str).collect();
            format!("; it has {}", names.join(", "))
        }
        _ => String::new(),
    }
}

/// The names in a text's `${...}`, each whole: `customer.userId`. A sentence when one has no end.
pub(crate) fn names_in(text: &str) -> Result<Vec<&str>, String> {
    let names = parts_of(text)?.into_iter().filter_map(|part| match part {
        Part::Name(name) => Some(name),
        Part::Text(_) => None,
    });
    Ok(names.collect())
}

/// The text with other names in its `${...}`: what `rename` makes of each, the name itself when
/// that is nothing. A text that cannot be read stays as it is.
pub(crate) fn renamed(text: &str, rename: &dyn Fn(&str) -> Option<Renamed>) -> String {
    let Ok(parts) = parts_of(text) else { return text.to_owned() };
    let mut out = String::new();
    for part in parts {
        match part {
            // What `parts_of` took apart is put together again.
            Part::Text("{") if out.ends_with('$') => out.push_str("${"),
            Part::Text(text) => out.push_str(text),
            Part::Name(name) => match rename(name) {
                Some(Renamed::Name(other)) => out.push_str(&format!("${{{other}}}")),
                Some(Renamed::Text(text)) => out.push_str(&text),
                None => out.push_str(&format!("${{{name}}}")),
            },
        }
    }
    out
}

/// What stands for a name.
pub(crate) enum Renamed {
    /// Another name.
    Name(String),
    /// A text, which may hold names itself.
    Text(String),
}

enum Part<'a> {
    Text(&'a str),
    Name(&'a str),
}

/// Texts and names of a text; `$${` is a plain `${`.
fn parts_of(text: &str) -> Result<Vec<Part<'_>>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            parts.push(Part::Text(&rest[..at]));
            parts.push(Part::Text("{"));
            rest = &rest[at + 2..];
            continue;
        }
        if at > 0 {
            parts.push(Part::Text(&rest[..at]));
        }
        let end = rest[at..].find('}').ok_or_else(|| format!("`${{` without `}}` in `{text}`"))?;
        parts.push(Part::Name(rest[at + 2..at + end].trim()));
        rest = &rest[at + end + 1..];
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(text: &str, expect: Result<Json, &str>) {
        let mut scope =
            Scope::new(|name| (name == "HOME").then(|| "/home".to_owned()), Secrets::default());
        scope.set("chat", json!("c-1"));
        scope.set_of("customer", "userId", json!(7));
        scope.set_of("m1", "message", json!({"id": "x"}));
        let node = Node { span: Span::default(), value: Value::Text(text.to_owned()) };
        let got = scope.resolve(&node, Some("customer")).map_err(|error| error.message);
        assert_eq!(got, expect.map_err(ToOwned::to_owned), "{text}");
    }

    #[test]
    fn names_become_their_values() {
        check("plain", Ok(json!("plain")));
        check("${chat}", Ok(json!("c-1")));
        check("${customer.userId}", Ok(json!(7)));
        check("${self.userId}", Ok(json!(7)));
        check("user ${ self.userId } in ${chat}!", Ok(json!("user 7 in c-1!")));
        check("${m1.message.id}", Ok(json!("x")));
        check("${env.HOME}", Ok(json!("/home")));
        check("${env.NOPE:-a b}", Ok(json!("a b")));
        check("$${chat} costs $5", Ok(json!("${chat} costs $5")));
        check(
            "${env.NOPE}",
            Err("the environment has no `NOPE`; `${env.NOPE:-…}` gives a default"),
        );
        check("${chta}", Err("nothing is called `chta` yet; did you mean `chat`?"));
        check("${customer.name}", Err("`customer` has no `name` yet; it has userId"));
        check("${chat", Err("`${` without `}` in `${chat`"));
    }

    #[test]
    fn a_name_may_stand_for_another() {
        let rename = |name: &str| match name {
            "a.id" => Some(Renamed::Name("b.id".to_owned())),
            "t" => Some(Renamed::Text("x ${y}".to_owned())),
            _ => None,
        };
        assert_eq!(renamed("${a.id} $${a.id} ${t} ${c}", &rename), "${b.id} $${a.id} x ${y} ${c}");
        assert_eq!(renamed("${a.id", &rename), "${a.id");
        assert_eq!(names_in("${a} b ${ c.d }"), Ok(vec!["a", "c.d"]));
    }
}
