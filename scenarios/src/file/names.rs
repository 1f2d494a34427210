//! Names in `${...}`: whether anything is called so by the time when the step runs.

use std::collections::{BTreeMap, BTreeSet};

use super::steps::Lost;
use super::{ActorId, Save, Scenario, Step, Verb};
use crate::scope::names_in;
use crate::source::{Diagnostics, Span, hint};
use crate::yaml::{Node, Value};

/// What every actor has from the beginning, and after its log-in.
const OF_ACTORS: &[&str] = &["email", "role", "userId"];
/// What a step that sends has once it is over.
const OF_SENDS: &[&str] = &["id", "seq", "message", "clientMessageId", "status"];

/// Complains about names that nobody has given, or that are given only later. What a step gives
/// that makes no sense (`lost`) is there: its mistakes are told already.
pub(super) fn check(scenario: &Scenario, lost: &[Lost], diag: &mut Diagnostics) {
    if lost.iter().any(|step| step.has("use")) {
        // Nobody knows what the fragment would have saved.
        return;
    }
    let mut later = Known::default();
    later.begin(scenario);
    lost.iter().for_each(|step| later.learn_lost(scenario, step));
    for (key, _) in &scenario.vars {
        later.whole.insert(key.name.clone());
    }
    scenario.walk(&mut |step| later.learn(scenario, step));
    let mut names = Names { scenario, known: Known::default(), later, diag };
    for actor in &scenario.actors {
        for node in actor.user.iter().chain(&actor.password) {
            names.account(node);
        }
    }
    names.known.begin(scenario);
    lost.iter().for_each(|step| names.known.learn_lost(scenario, step));
    for (key, value) in &scenario.vars {
        names.node(value, &[]);
        names.known.whole.insert(key.name.clone());
    }
    names.steps(&scenario.steps);
    // Whatever was saved may be there by then; that it is not is told when it runs.
    names.known = names.later.clone();
    names.steps(&scenario.always);
    lost.iter().for_each(|step| names.node(&step.node, &step.actors));
}

/// Values by name.
#[derive(Debug, Clone, Default)]
struct Known {
    /// Values with whatever is in them.
    whole: BTreeSet<String>,
    /// Values of actors, steps and fragments, by owner.
    of: BTreeMap<String, BTreeSet<String>>,
}

impl Known {
    fn begin(&mut self, scenario: &Scenario) {
        for actor in &scenario.actors {
            let fields = OF_ACTORS.iter().map(|name| (*name).to_owned());
            self.of.entry(actor.name.name.clone()).or_default().extend(fields);
        }
    }

    /// What a step gives that is over.
    fn learn(&mut self, scenario: &Scenario, step: &Step) {
        self.learn_saved(scenario, &step.save, &step.actors);
        if let (Verb::Send { .. }, Some(id)) = (&step.verb, &step.id) {
            self.learn_sent(&id.name);
        }
    }

    fn learn_lost(&mut self, scenario: &Scenario, step: &Lost) {
        self.learn_saved(scenario, &step.save, &step.actors);
        if let Some(id) = &step.id {
            self.learn_sent(&id.name);
        }
    }

    fn learn_saved(&mut self, scenario: &Scenario, saved: &[Save], actors: &[ActorId]) {
        for save in saved {
            for id in actors {
                let actor = scenario.actors[id.0].name.name.clone();
                self.of.entry(actor).or_default().insert(save.name.name.clone());
            }
            match &save.owner {
                // That there is nobody is a mistake that was told.
                _ if actors.len() > 1 => {}
                Some(owner) => {
                    let of = self.of.entry(owner.clone()).or_default();
                    of.insert(save.name.name.clone());
                }
                None => _ = self.whole.insert(save.name.name.clone()),
            }
        }
    }

    fn learn_sent(&mut self, id: &str) {
        let fields = OF_SENDS.iter().map(|name| (*name).to_owned());
        self.of.entry(id.to_owned()).or_default().extend(fields);
    }

    fn heads(&self) -> impl Iterator<Item = &str> {
        self.whole.iter().chain(self.of.keys()).map(String::as_str)
    }

    /// `Ok`, or the owner that does not have the field.
    fn has(&self, head: &str, field: Option<&str>) -> Result<bool, &BTreeSet<String>> {
        if self.whole.contains(head) {
            return Ok(true);
        }
        let Some(fields) = self.of.get(head) else { return Ok(false) };
        match field {
            Some(field) if !fields.contains(field) => Err(fields),
            _ => Ok(true),
        }
    }
}

impl Lost {
    fn has(&self, field: &str) -> bool {
        matches!(&self.node.value, Value::Map(all) if all.iter().any(|(key, _)| key.name == field))
    }
}

struct Names<'a> {
    scenario: &'a Scenario,
    known: Known,
    later: Known,
    diag: &'a mut Diagnostics,
}

impl Names<'_> {
    fn steps(&mut self, steps: &[Step]) {
        for step in steps {
            self.step(step);
            if let Verb::Parallel { branches, .. } = &step.verb {
                // A barrier may order two branches: each may know what the others save.
                let before = self.known.clone();
                for branch in branches {
                    self.learn_all(branch);
                }
                let after = std::mem::replace(&mut self.known, before);
                for branch in branches {
                    let before = self.known.clone();
                    if has_barrier(branch) {
                        self.known = after.clone();
                    }
                    self.steps(branch);
                    self.known = before;
                }
                self.known = after;
            } else {
                step.verb.inner().into_iter().for_each(|steps| self.steps(steps));
            }
            self.known.learn(self.scenario, step);
        }
    }

    fn learn_all(&mut self, steps: &[Step]) {
        for step in steps {
            step.verb.inner().into_iter().for_each(|steps| self.learn_all(steps));
            self.known.learn(self.scenario, step);
        }
    }

    fn step(&mut self, step: &Step) {
        for node in step.nodes() {
            self.node(node, &step.actors);
        }
    }

    fn node(&mut self, node: &Node, actors: &[ActorId]) {
        match &node.value {
            Value::Text(text) => match names_in(text) {
                Ok(names) => names.into_iter().for_each(|name| self.name(name, node.span, actors)),
                Err(message) => self.diag.error(node.span, message),
            },
            Value::List(items) => items.iter().for_each(|item| self.node(item, actors)),
            Value::Map(fields) => fields.iter().for_each(|(_, value)| self.node(value, actors)),
            _ => {}
        }
    }

    fn name(&mut self, name: &str, span: Span, actors: &[ActorId]) {
        let mut parts = name.split('.');
        let (head, field) = (parts.next().unwrap_or_default(), parts.next());
        if head == "env" {
            return;
        }
        let owners: Vec<String> = match head {
            "self" if actors.is_empty() => {
                let why = "`self` is nobody here: the step has no `as`";
                return self.diag.error(span, why);
            }
            "self" => {
                actors.iter().map(|id| self.scenario.actors[id.0].name.name.clone()).collect()
            }
            _ => vec![head.to_owned()],
        };
        for owner in owners {
            if let Some(why) = self.wrong(&owner, field) {
                return self.diag.error(span, why);
            }
        }
    }

    fn wrong(&self, owner: &str, field: Option<&str>) -> Option<String> {
        let field_words = field.map_or_else(String::new, |field| format!(".{field}"));
        match self.known.has(owner, field) {
            Ok(true) => None,
            _ if self.later.has(owner, field) == Ok(true) => {
                Some(format!("`{owner}{field_words}` is saved only later than here"))
            }
            Ok(false) => {
                let hint = hint(owner, self.later.heads());
                Some(format!("nothing is called `{owner}`{hint}"))
            }
            Err(fields) => {
                let field = field.unwrap_or_default();
                let known = || fields.iter().map(String::as_str);
                let names = known().collect::<Vec<_>>().join(", ");
                Some(format!("`{owner}` has no `{field}`{}", hint_or(field, known(), &names)))
            }
        }
    }

    /// Accounts are needed before anything is known.
    fn account(&mut self, node: &Node) {
        let Value::Text(text) = &node.value else {
            return self.diag.error(node.span, "an account is text");
        };
        match names_in(text) {
            Ok(names) if names.iter().all(|name| name.starts_with("env.")) => {}
            Ok(_) => self.diag.error(node.span, "an account may hold `${env.…}` and nothing else"),
            Err(message) => self.diag.error(node.span, message),
        }
    }
}

fn has_barrier(steps: &[Step]) -> bool {
    steps.iter().any(|step| {
        matches!(step.verb, Verb::Barrier { .. }) || step.verb.inner().into_iter().any(has_barrier)
    })
}

fn hint_or<'a>(word: &str, known: impl Iterator<Item = &'a str>, names: &str) -> String {
    match hint(word, known) {
        hint if hint.is_empty() => format!("; it has {names}"),
        hint => hint,
    }
}
