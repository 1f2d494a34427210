//! The top of a file: who takes part, and what must hold at the end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use trialogue_protocol::Role;

use super::fields::{Fields, bool_of, count_of, entries_of, list_of, text_of, word_of};
use super::steps::{Reader, is_name};
use super::{
    Actor, ActorId, Chain, Checks, Defaults, Delivery, Moment, Part, Reconnect, Scenario, Transport,
};
use crate::source::{Diagnostics, Source, hint};
use crate::yaml::{Key, Node, Value, parse};

/// The one version of the format.
const VERSION: i64 = 1;
/// Longest time of a scenario that names none.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);
/// Longest time of a step that names none: a busy machine's second is not a flake.
const WITHIN_DEFAULT: Duration = Duration::from_secs(5);
/// Most actors of one scenario: each is a connection of its own.
const ACTORS_MAX: usize = 200;

const FILE_FIELDS: &[&str] = &[
    "scenario",
    "name",
    "description",
    "tags",
    "target",
    "timeout",
    "seed",
    "vars",
    "defaults",
    "actors",
    "steps",
    "always",
    "order",
    "check",
];
const DEFAULT_FIELDS: &[&str] = &["within", "transport", "reconnect"];
const ACTOR_FIELDS: &[&str] = &["role", "user", "password", "reconnect", "outbox"];
const RECONNECT_FIELDS: &[&str] = &["delay", "max"];
const CHECK_FIELDS: &[&str] = &[
    "delivery",
    "per_sender_order",
    "room_order",
    "room_isolation",
    "saved_before_broadcast",
    "history_equals_live",
    "no_server_errors",
];
/// Names that lanes and `${self.…}`, `${env.…}` already have.
const TAKEN_NAMES: &[&str] = &["self", "env", "server", "database", "run", "seed"];

/// Reads a file. Everything that is wrong in it is reported at once.
pub fn read(source: &Arc<Source>) -> Result<Scenario, Diagnostics> {
    let root = parse(source)?;
    let mut diag = Diagnostics::new(Arc::clone(source));
    let scenario = read_root(source, &root, &mut diag);
    diag.verdict()?;
    // Whatever is missing was reported, so this cannot be reached without a scenario.
    scenario.ok_or_else(|| {
        let mut diag = Diagnostics::new(Arc::clone(source));
        diag.error(root.span, "this is no scenario");
        diag
    })
}

fn read_root(source: &Arc<Source>, root: &Node, diag: &mut Diagnostics) -> Option<Scenario> {
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
    let timeout = fields.duration("timeout", diag).unwrap_or(TIMEOUT_DEFAULT);
    let seed = fields.node("seed").and_then(|node| count_of(&node, "seed", diag));
    let vars = fields.node("vars").map_or_else(Vec::new, |node| entries_of(&node, "vars", diag));
    let defaults = read_defaults(fields.node("defaults"), diag);
    let actors = fields.required("actors", diag).map(|node| read_actors(&node, diag));
    let actors = actors.unwrap_or_default();
    let mut reader = Reader::new(&actors, diag);
    let steps = fields.required("steps", reader.diag).map(|node| reader.steps(&node, "steps"));
    let always = fields.node("always").map(|node| reader.steps(&node, "always"));
    reader.check_references();
    let ids = reader.ids;
    let order = fields.node("order").map_or_else(Vec::new, |node| {
        let chains = list_of(&node, "order", diag).iter();
        chains.filter_map(|chain| read_chain(chain, &actors, &ids, diag)).collect()
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
        vars,
        defaults,
        actors,
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
    if let Some(within) = fields.duration("within", diag) {
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

fn read_reconnect(node: Option<Node>, diag: &mut Diagnostics) -> Reconnect {
    let Some(mut fields) = node.and_then(|node| Fields::open(&node, "`reconnect`", diag)) else {
        return Reconnect::default();
    };
    let reconnect =
        Reconnect { delay: fields.duration("delay", diag), max: fields.duration("max", diag) };
    fields.finish(RECONNECT_FIELDS, diag);
    reconnect
}

fn read_actors(node: &Node, diag: &mut Diagnostics) -> Vec<Actor> {
    let entries = entries_of(node, "actors", diag);
    if entries.is_empty() {
        diag.error(node.span, "a scenario needs at least one actor");
    }
    if entries.len() > ACTORS_MAX {
        diag.error(node.span, format!("more than {ACTORS_MAX} actors"));
    }
    let mut actors: Vec<Actor> = Vec::new();
    for (name, node) in entries {
        if actors.iter().any(|actor| actor.name.name == name.name) {
            diag.error(name.span, format!("actor `{}` stands here twice", name.name));
        } else if !is_name(&name.name) {
            diag.error(name.span, "an actor's name is a-z, 0-9 and _, and begins with a letter");
        } else if TAKEN_NAMES.contains(&name.name.as_str()) {
            diag.error(name.span, format!("`{}` has a meaning of its own here", name.name));
        }
        if let Some(actor) = read_actor(name, &node, diag) {
            actors.push(actor);
        }
    }
    actors
}

fn read_actor(name: Key, node: &Node, diag: &mut Diagnostics) -> Option<Actor> {
    let mut fields = Fields::open(node, "an actor", diag)?;
    let role = match fields.required("role", diag) {
        Some(node) => text_of(&node, "role", diag).and_then(|text| {
            text.parse::<Role>().map_err(|error| diag.error(node.span, error.to_string())).ok()
        }),
        None => None,
    };
    let user = fields.node("user");
    let password = fields.node("password");
    if user.is_some() != password.is_some() {
        diag.error(name.span, "`user` and `password` go together, or neither is there");
    }
    let reconnect = read_reconnect(fields.node("reconnect"), diag);
    let outbox = fields.bool("outbox", diag).unwrap_or(false);
    fields.finish(ACTOR_FIELDS, diag);
    // A wrong role was reported; reading on with any role finds the rest of the mistakes.
    let role = role.unwrap_or(Role::Customer);
    Some(Actor { name, role, user, password, reconnect, outbox })
}

fn read_chain(
    node: &Node,
    actors: &[Actor],
    ids: &BTreeSet<String>,
    diag: &mut Diagnostics,
) -> Option<Chain> {
    let text = text_of(node, "a line of order", diag)?;
    if !text.contains('<') {
        diag.error(node.span, "a line of `order` is `a < b`, with at least two moments");
        return None;
    }
    let mut moments = Vec::new();
    for word in text.split('<').map(str::trim) {
        match read_moment(word, actors, ids) {
            Ok(moment) => moments.push(moment),
            Err(message) => diag.error(node.span, message),
        }
    }
    Some(Chain { span: node.span, moments })
}

fn read_moment(word: &str, actors: &[Actor], ids: &BTreeSet<String>) -> Result<Moment, String> {
    let (step, part) = if let Some((step, name)) = word.split_once('@') {
        let at = actors.iter().position(|actor| actor.name.name == name).ok_or_else(|| {
            let hint = hint(name, actors.iter().map(|actor| actor.name.name.as_str()));
            format!("unknown actor `{name}` in `{word}`{hint}")
        })?;
        (step, Part::At(ActorId(at)))
    } else if let Some((step, part)) = word.split_once('.') {
        let part = match part {
            "sent" => Part::Sent,
            "saved" => Part::Saved,
            _ => return Err(format!("`{word}`: a moment ends in `.sent` or `.saved`")),
        };
        (step, part)
    } else {
        (word, Part::Done)
    };
    if !ids.contains(step) {
        let hint = hint(step, ids.iter().map(String::as_str));
        return Err(format!("no step has the id `{step}`{hint}"));
    }
    Ok(Moment { step: step.to_owned(), part })
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
    };
    fields.finish(CHECK_FIELDS, diag);
    checks
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

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
