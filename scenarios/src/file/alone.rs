//! A fragment by itself: read as if a scenario used it, with somebody for each of its actors.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::json;

use super::beside::find_fragment;
use super::scenario::read_with;
use super::steps::is_name;
use super::{Scenario, repeats};
use crate::source::{Diagnostics, Source};
use crate::yaml::{Node, Value, parse};

/// What stands for an argument that has no default.
const ARGUMENT: &str = "given";

/// Whether a file is a fragment: it says so, and not that it is a scenario.
pub fn is_fragment(source: &Arc<Source>) -> bool {
    parse(source).is_ok_and(|root| says_fragment(&root))
}

pub(super) fn says_fragment(root: &Node) -> bool {
    field(root, "fragment").is_some() && field(root, "scenario").is_none()
}

fn field<'a>(root: &'a Node, name: &str) -> Option<&'a Node> {
    let Value::Map(fields) = &root.value else { return None };
    fields.iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
}

/// Reads a fragment as a scenario that does nothing but use it. Everything that is wrong in it is
/// reported at once.
///
/// # Errors
/// All mistakes, each with its place in the fragment.
pub fn read_fragment(source: &Arc<Source>) -> Result<Scenario, Diagnostics> {
    let root = parse(source)?;
    let mut with = serde_json::Map::new();
    let mut actors = String::from("  nobody_else: { role: customer }\n");
    if let Some(Node { value: Value::List(names), .. }) = field(&root, "actors") {
        for name in names {
            let Value::Text(name) = &name.value else { continue };
            let new = with.insert(name.clone(), json!(name)).is_none();
            if new && is_name(name) && name != "nobody_else" {
                _ = writeln!(actors, "  {name}: {{ role: customer }}");
            }
        }
    }
    if let Some(Node { value: Value::Map(args), .. }) = field(&root, "args") {
        let without = args.iter().filter(|(_, default)| default.value == Value::Null);
        with.extend(without.map(|(key, _)| (key.name.clone(), json!(ARGUMENT))));
    }
    let (path, with) = (json!(source.name()), serde_json::Value::Object(with));
    let text = format!(
        "scenario: 1\nname: fragment\nactors:\n{actors}steps: [{{ \"use\": {path}, \"with\": {with} }}]\n"
    );
    let around = Source::new("a use of the fragment", text);
    read_with(&around, &|path| match path == source.name() {
        true => Ok(source.text().to_owned()),
        false => find_fragment(source, path),
    })
}

/// The mistake of whoever takes a fragment for a scenario.
pub(super) fn taken_for_a_scenario(source: &Arc<Source>, root: &Node) -> Option<Diagnostics> {
    if !says_fragment(root) {
        return None;
    }
    let Value::Map(fields) = &root.value else { return None };
    let (key, _) = fields.iter().find(|(key, _)| key.name == "fragment")?;
    let mut diag = Diagnostics::new(Arc::clone(source));
    diag.error(key.span, "this is a fragment: what is played is a scenario that has it in a `use`");
    repeats::repeats(root).into_iter().for_each(|twice| diag.error(twice.span, twice.message));
    Some(diag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_is_checked_with_somebody_for_each_of_its_actors() {
        let text = "fragment: 1\nactors: [ann, bob]\nargs: { room: ~, title: Sink }\nsteps:\n  \
                    - { as: [ann, bob], login: true }\n  - { as: ann, join: \"${room}\" }\n";
        let right = Source::new("f.yaml", text);
        assert!(is_fragment(&right));
        let scenario = read_fragment(&right).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert_eq!(crate::steps_in(&scenario), 2);
        let wrong = Source::new("f.yaml", text.replace("as: ann", "as: eve") + "stpes: 1\n");
        let wrong = read_fragment(&wrong).unwrap_err().to_string();
        assert!(wrong.contains("f.yaml:6:11: error: unknown actor `eve`"), "{wrong}");
        assert!(wrong.contains("f.yaml:7:1: error: unknown field `stpes`"), "{wrong}");
        assert_eq!(wrong.matches("error:").count(), 2, "{wrong}");
        for path in crate::bundled_fragments() {
            let source = Source::new(path, crate::bundled_fragment(path).unwrap());
            read_fragment(&source).unwrap_or_else(|wrong| panic!("{wrong}"));
        }
    }

    #[test]
    fn a_fragment_is_no_scenario_and_that_is_its_one_mistake() {
        let source = Source::new("f.yaml", "fragment: 1\nactors: [a]\nsteps: []\n");
        let wrong = super::super::read(&source).unwrap_err();
        assert_eq!(wrong.found().len(), 1, "{wrong}");
        assert!(wrong.to_string().contains("f.yaml:1:1: error: this is a fragment"), "{wrong}");
    }
}
