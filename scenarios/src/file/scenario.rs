//! The top of a file: who takes part, and what must hold at the end.

use std::sync::Arc;
use std::time::Duration;

use super::actors::{read_actors, read_reconnect};
use super::alone::taken_for_a_scenario;
use super::beside::find_fragment;
use super::fields::{Fields, bool_of, count_of, entries_of, list_of, text_of, word_of};
use super::order::read_chain;
use super::repeats::repeats;
use super::steps::{Lost, Reader};
use super::{Checks, Defaults, Delivery, Reconnect, Scenario, Transport, names};
use crate::source::{Diagnostics, Source};
use crate::yaml::{Node, Value, parse};

/// The one version of the format.
const VERSION: i64 = 1;
/// Longest time of a scenario that names none.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);
/// Longest time of a step that names none: a busy machine's second is not a flake.
const WITHIN_DEFAULT: Duration = Duration::from_secs(5);

const FILE_FIELDS: &[&str] = &[
    "scenario",
    "name",
    "description",
    "tags",
    "target",
    "timeout",
    "seed",
    "secrets",
    "vars",
    "defaults",
    "actors",
    "steps",
    "always",
    "order",
    "check",
];
const DEFAULT_FIELDS: &[&str] = &["within", "transport", "reconnect"];
const CHECK_FIELDS: &[&str] = &[
    "delivery",
    "per_sender_order",
    "room_order",
    "room_isolation",
    "saved_before_broadcast",
    "history_equals_live",
    "no_server_errors",
    "no_unexpected_events",
];
/// Finds the text of a fragment by what `use` says; a sentence when there is none.
pub type Load<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// Reads a file. Everything that is wrong in it is reported at once. Fragments are looked for
/// beside it, then among those that are part of the program.
pub fn read(source: &Arc<Source>) -> Result<Scenario, Diagnostics> {
    read_with(source, &|path| find_fragment(source, path))
}

/// Reads a file whose fragments `load` finds.
pub fn read_with(source: &Arc<Source>, load: Load<'_>) -> Result<Scenario, Diagnostics> {
    let root = parse(source)?;
    if let Some(mistake) = taken_for_a_scenario(source, &root) {
        return Err(mistake);
    }
    let mut diag = Diagnostics::new(Arc::clone(source));
    repeats(&root).into_iter().for_each(|twice| diag.error(twice.span, twice.message));
    let mut lost = Vec::new();
    let scenario = read_root(source, &root, load, &mut lost, &mut diag);
    if let Some(scenario) = &scenario {
        names::check(scenario, &lost, &mut diag);
    }
    diag.verdict()?;
    // Whatever is missing was reported, so this cannot be reached without a scenario.
    scenario.ok_or_else(|| {
        let mut diag = Diagnostics::new(Arc::clone(source));
        diag.error(root.span, "this is no scenario");
        diag
    })
}

fn read_root(
    source: &Arc<Source>,
    root: &Node,
    load: Load<'_>,
    lost: &mut Vec<Lost>,
    diag: &mut Diagnostics,
) -> Option<Scenario> {
    let mut fields = Fields::open(root, "a scenario", diag)?;
    let version = fields.required("scenario", diag);
    if let Some(version) = version.filter(|version| version.value != Value::Int(VERSION)) {
        diag.error(version.span, format!("`scenario` must be {VERSION}, the format's version"));
    }
    let name = fields.required("name", diag).and_then(|node| text_of(&node, "name", diag));
    let description = fields.text("description", diag).unwrap_or_default();
    let tags = fields.node("tags").map_or_else(Vec::new, |node| {
        list_of(&node, "tags", diag).iter().filter_map(|tag| text_of(tag, "a tag", diag)).collect()
    });
    let target = fields.text("target", diag);
    let timeout = fields.time("timeout", diag).unwrap_or(TIMEOUT_DEFAULT);
    let seed = fields.node("seed").and_then(|node| count_of(&node, "seed", diag));
    let secrets = fields.node("secrets").map_or_else(Vec::new, |node| {
        let names = list_of(&node, "secrets", diag).iter();
        names.filter_map(|name| text_of(name, "a secret's name", diag)).collect()
    });
    let vars = fields.node("vars").map_or_else(Vec::new, |node| entries_of(&node, "vars", diag));
    let defaults = read_defaults(fields.node("defaults"), diag);
    let cast = fields.required("actors", diag).map(|node| read_actors(&node, diag));
    let cast = cast.unwrap_or_default();
    let (steps, order) = (fields.required("steps", diag), fields.node("order"));
    let mut reader = Reader::new(&cast, source, load, diag);
    let steps = steps.map(|node| reader.steps(&node, "steps"));
    let always = fields.node("always").map(|node| reader.steps(&node, "always"));
    reader.check_references();
    *lost = reader.lost;
    let (ids, sends) = (reader.ids, reader.sends);
    // Without steps no order means anything: the steps are what is missing.
    let order = order.filter(|_| steps.is_some()).map_or_else(Vec::new, |node| {
        let chains = list_of(&node, "order", diag).iter();
        chains.filter_map(|chain| read_chain(chain, &cast, &ids, &sends, diag)).collect()
    });
    let check = fields.node("check").map(|node| read_checks(&node, diag)).unwrap_or_default();
    fields.finish(FILE_FIELDS, diag);
    Some(Scenario {
        source: Arc::clone(source),
        name: name?,
        description,
        tags,
        target,
        timeout,
        seed,
        secrets,
        vars,
        defaults,
        actors: cast.actors,
        steps: steps?,
        always: always.unwrap_or_default(),
        order,
        check,
    })
}

fn read_defaults(node: Option<Node>, diag: &mut Diagnostics) -> Defaults {
    let mut defaults = Defaults {
        within: WITHIN_DEFAULT,
        transport: Transport::Websocket,
        reconnect: Reconnect::default(),
    };
    let Some(mut fields) = node.and_then(|node| Fields::open(&node, "`defaults`", diag)) else {
        return defaults;
    };
    if let Some(within) = fields.time("within", diag) {
        defaults.within = within;
    }
    if let Some(node) = fields.node("transport") {
        let words = [
            ("websocket", Transport::Websocket),
            ("polling", Transport::Polling),
            ("polling+upgrade", Transport::PollingUpgrade),
        ];
        defaults.transport =
            word_of(&node, "transport", &words, diag).unwrap_or(defaults.transport);
    }
    defaults.reconnect = read_reconnect(fields.node("reconnect"), diag);
    fields.finish(DEFAULT_FIELDS, diag);
    defaults
}

fn read_checks(node: &Node, diag: &mut Diagnostics) -> Checks {
    let Some(mut fields) = Fields::open(node, "`check`", diag) else {
        return Checks::default();
    };
    let words = [
        ("exactly-once", Delivery::ExactlyOnce),
        ("at-least-once", Delivery::AtLeastOnce),
        ("at-most-once", Delivery::AtMostOnce),
        ("off", Delivery::Off),
    ];
    let delivery = fields.node("delivery");
    let delivery = delivery.and_then(|node| word_of(&node, "delivery", &words, diag));
    let unexpected = fields.node("no_unexpected_events");
    let unexpected = unexpected.and_then(|node| read_unexpected(&node, diag));
    let mut flag = |name: &str, diag: &mut Diagnostics| {
        fields.node(name).and_then(|node| bool_of(&node, name, diag)).unwrap_or(false)
    };
    let checks = Checks {
        delivery: delivery.unwrap_or_default(),
        per_sender_order: flag("per_sender_order", diag),
        room_order: flag("room_order", diag),
        room_isolation: flag("room_isolation", diag),
        saved_before_broadcast: flag("saved_before_broadcast", diag),
        history_equals_live: flag("history_equals_live", diag),
        no_server_errors: flag("no_server_errors", diag),
        no_unexpected_events: unexpected,
    };
    fields.finish(CHECK_FIELDS, diag);
    checks
}

/// `true`, or `{ except: [presence] }`.
fn read_unexpected(node: &Node, diag: &mut Diagnostics) -> Option<Vec<String>> {
    if let Value::Bool(wanted) = node.value {
        return wanted.then(Vec::new);
    }
    let mut fields = Fields::open(node, "`no_unexpected_events`", diag)?;
    let except = fields.required("except", diag)?;
    fields.finish(&["except"], diag);
    let names = list_of(&except, "except", diag).iter();
    Some(names.filter_map(|name| text_of(name, "an event", diag)).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::super::actors::{ACTOR_FIELDS, RECONNECT_FIELDS};
    use super::*;

    #[test]
    fn the_schema_knows_the_fields_of_the_parser() {
        let schema: Value = serde_json::from_str(crate::SCHEMA).unwrap();
        let check = |at: &Value, known: &[&str]| {
            let fields = at["properties"].as_object().unwrap();
            let fields: BTreeSet<&str> = fields.keys().map(String::as_str).collect();
            assert_eq!(fields, known.iter().copied().collect());
            assert_eq!(at["additionalProperties"], false);
        };
        check(&schema, FILE_FIELDS);
        check(&schema["properties"]["defaults"], DEFAULT_FIELDS);
        check(&schema["properties"]["check"], CHECK_FIELDS);
        check(&schema["$defs"]["actor"], ACTOR_FIELDS);
        check(&schema["$defs"]["reconnect"], RECONNECT_FIELDS);
    }
}
