//! What is no mistake, and hardly meant: orders that race, and matchers with a typo.

use super::{Scenario, Verb, races};
use crate::matching::{KINDS, MATCHERS};
use crate::source::{Diagnostic, nearest};
use crate::yaml::{Node, Value};

/// Everything of a file that should be looked at again, in its order.
#[must_use]
pub fn warnings(scenario: &Scenario) -> Vec<Diagnostic> {
    let mut found = races(scenario);
    scenario.walk(&mut |step| {
        let own = match &step.verb {
            Verb::Receive { pattern, .. } | Verb::Never { pattern, .. } => pattern.as_ref(),
            _ => None,
        };
        let answer = [&step.expect.json, &step.expect.ack, &step.expect.error];
        let patterns = own.into_iter().chain(answer.into_iter().flatten());
        patterns.for_each(|pattern| look(pattern, &mut found));
    });
    found.sort_by_key(|found| found.span);
    // A fragment that is used twice is one file.
    found.dedup();
    found
}

/// An object of one field that is nearly a matcher: it is a field of that name, which nothing has.
fn look(pattern: &Node, found: &mut Vec<Diagnostic>) {
    let fields = match &pattern.value {
        Value::List(items) => return items.iter().for_each(|item| look(item, found)),
        Value::Map(fields) => fields,
        _ => return,
    };
    if let [(key, value)] = fields.as_slice()
        && !MATCHERS.contains(&key.name.as_str())
        && let Some(meant) = nearest(&key.name, MATCHERS.iter().copied())
        // `id` is near to `is`, and a field of everything: only a kind is no id.
        && (meant.len() > 3 || is_kind(value))
    {
        let name = &key.name;
        let message = format!("`{name}` is a field here; did you mean the matcher `{meant}`?");
        found.push(Diagnostic { span: key.span, message });
    }
    fields.iter().for_each(|(_, value)| look(value, found));
}

fn is_kind(value: &Node) -> bool {
    matches!(&value.value, Value::Text(text) if KINDS.contains(&text.as_str()))
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;
    use crate::source::Source;

    #[test]
    fn a_matcher_with_a_typo_is_doubted_and_a_field_is_not() {
        let check = |pattern: &str, expect: &[&str]| {
            let text = format!(
                "scenario: 1\nname: t\nactors: {{ a: {{ role: lsm }} }}\nsteps:\n  \
                 - {{ as: a, receive: x, where: {pattern} }}\n"
            );
            let scenario = read(&Source::new("t", text)).unwrap_or_else(|wrong| panic!("{wrong}"));
            let found = warnings(&scenario);
            let found: Vec<&str> = found.iter().map(|found| found.message.as_str()).collect();
            assert_eq!(found, expect, "{pattern}");
        };
        let iss = "`iss` is a field here; did you mean the matcher `is`?";
        check("{ id: { iss: uuid } }", &[iss]);
        check("{ list: [{ iss: uuid }] }", &[iss]);
        let contians = "`contians` is a field here; did you mean the matcher `contains`?";
        check("{ text: { contians: hello } }", &[contians]);
        check("{ chat: { id: 7 } }", &[]);
        check("{ chat: { id: { is: uuid }, iss: uuid } }", &[]);
        check("{ ids: { id: \"${a.email}\" } }", &[]);
        check("{ n: { mix: 3 } }", &[]);
    }
}
