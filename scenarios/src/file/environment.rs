//! What a file needs of the environment: told before anything is started.

use super::Scenario;
use crate::scope::{Env, names_in};
use crate::source::Diagnostic;
use crate::yaml::{Node, Value};

/// Every `${env.NAME}` without a default that the environment does not have, in the order of the
/// file.
#[must_use]
pub fn unset(scenario: &Scenario, env: Env) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    scenario.vars.iter().for_each(|(_, node)| look(node, env, &mut found));
    for actor in &scenario.actors {
        actor.user.iter().chain(&actor.password).for_each(|node| look(node, env, &mut found));
    }
    scenario
        .walk(&mut |step| step.nodes().into_iter().for_each(|node| look(node, env, &mut found)));
    found.sort_by_key(|found| found.span);
    // Several of one kind have the same account.
    found.dedup();
    found
}

fn look(node: &Node, env: Env, found: &mut Vec<Diagnostic>) {
    match &node.value {
        Value::Text(text) => {
            let names = names_in(text).unwrap_or_default();
            let names = names.into_iter().filter_map(|name| name.strip_prefix("env."));
            for name in names.filter(|name| !name.contains(":-")) {
                if env(name).is_none_or(|value| value.is_empty()) {
                    let message = format!(
                        "the environment has no `{name}`; `${{env.{name}:-…}}` gives a default"
                    );
                    found.push(Diagnostic { span: node.span, message });
                }
            }
        }
        Value::List(items) => items.iter().for_each(|item| look(item, env, found)),
        Value::Map(fields) => fields.iter().for_each(|(_, value)| look(value, env, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;
    use crate::source::Source;

    #[test]
    fn what_the_environment_lacks_is_known_before_anything_runs() {
        let text = "scenario: 1\nname: t\nvars: { a: \"${env.HERE}\", b: \"${env.NOT}\" }\n\
                    actors: { c: { role: customer, count: 2, user: u, password: \"${env.NOT}\" } }\n\
                    steps:\n  - parallel:\n      - - { as: c, get: \"/x/${env.NOT:-y}/${env.GONE}\" }\n";
        let source = Source::new("t", text);
        let scenario = read(&source).unwrap_or_else(|wrong| panic!("{wrong}"));
        let env = |name: &str| (name == "HERE").then(|| "x".to_owned());
        let found = unset(&scenario, env);
        let places: Vec<String> = found.iter().map(|found| source.place(found.span)).collect();
        assert_eq!(places, ["t:3:30", "t:4:61", "t:7:25"]);
        assert!(found[2].message.contains("`GONE`"), "{}", found[2].message);
    }
}
