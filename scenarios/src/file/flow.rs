//! A scenario as arrows, one line a step, as people read a flow: `customer -> send_message ...`.
//!
//! The live log of a run, names of cases in reports and `fmt --as flow` are all made of these lines.

use std::fmt::Write as _;

use super::{Actor, ActorId, Chain, Moment, Part, Range, Scenario, Step, TokenVerb, Verb, Via};
use crate::yaml::{Key, Node, Value};

/// Longest value in a line, in characters: the file has the rest.
const VALUE_CHARS_MAX: usize = 72;

/// A whole file as a flow, with a newline at its end.
#[must_use]
pub fn write(scenario: &Scenario) -> String {
    let mut text = format!("{}\n", scenario.name);
    if !scenario.description.is_empty() {
        _ = writeln!(text, "  {}", scenario.description);
    }
    text.push('\n');
    block(&scenario.steps, &scenario.actors, 0, &mut text);
    if !scenario.always.is_empty() {
        text.push_str("\nalways\n");
        block(&scenario.always, &scenario.actors, 1, &mut text);
    }
    if !scenario.order.is_empty() {
        text.push_str("\norder\n");
        for chain in &scenario.order {
            _ = writeln!(text, "  {}", order(chain, &scenario.actors));
        }
    }
    let checks = scenario.check.words();
    if !checks.is_empty() {
        text.push_str("\ncheck\n");
        checks.iter().for_each(|word| _ = writeln!(text, "  {word}"));
    }
    text
}

fn block(steps: &[Step], actors: &[Actor], depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    for step in steps {
        if let Verb::Act { title, .. } = &step.verb {
            _ = writeln!(text, "\n{indent}== {title}");
            continue;
        }
        let id = step.id.as_ref().map(|id| format!("  as {}", id.name)).unwrap_or_default();
        _ = writeln!(text, "{indent}{}{id}", line(step, actors));
        match &step.verb {
            Verb::Parallel { branches, .. } => {
                for branch in branches {
                    _ = writeln!(text, "{indent}  at the same time");
                    block(branch, actors, depth + 2, text);
                }
            }
            Verb::Repeat { steps, .. } | Verb::Use { steps, .. } => {
                block(steps, actors, depth + 1, text)
            }
            _ => {}
        }
    }
}

/// A chain of moments with the names of its actors.
#[must_use]
pub fn order(chain: &Chain, actors: &[Actor]) -> String {
    chain.moments.iter().map(|m| moment(m, actors)).collect::<Vec<_>>().join(" < ")
}

/// A moment with the name of its actor.
#[must_use]
pub fn moment(moment: &Moment, actors: &[Actor]) -> String {
    match moment.part {
        Part::At(id) => format!("{}@{}", moment.step, name(actors, id)),
        Part::Done => moment.step.clone(),
        Part::Sent => format!("{}.sent", moment.step),
        Part::Wire => format!("{}.wire", moment.step),
        Part::Saved => format!("{}.saved", moment.step),
    }
}

fn name(actors: &[Actor], id: ActorId) -> &str {
    actors.get(id.0).map_or("?", |actor| actor.name.name.as_str())
}

fn names(actors: &[Actor], ids: &[ActorId]) -> String {
    ids.iter().map(|id| name(actors, *id)).collect::<Vec<_>>().join(", ")
}

/// One step in one line, without its id and what it holds.
#[must_use]
pub fn line(step: &Step, actors: &[Actor]) -> String {
    let who = names(actors, &step.actors);
    let mut line = words(step, &who, actors);
    if let Some((_, status)) = step.expect.status {
        _ = write!(line, " => {status}");
    }
    for (word, node) in
        [("error", &step.expect.error), ("json", &step.expect.json), ("ack", &step.expect.ack)]
    {
        if let Some(node) = node {
            _ = write!(line, " => {word} {}", value(node));
        }
    }
    for super::Save { name, path, .. } in &step.save {
        _ = write!(line, ", {} = {path}", name.name);
    }
    if let Some(within) = step.within {
        _ = write!(line, " within {within:?}");
    }
    line
}

fn words(step: &Step, who: &str, actors: &[Actor]) -> String {
    match &step.verb {
        Verb::Act { title, .. } => format!("== {title}"),
        Verb::Login => format!("{who} -> log in"),
        Verb::Connect => format!("{who} -> connect"),
        Verb::Disconnect => format!("{who} -> disconnect"),
        Verb::Http { method, path, query, json, .. } => {
            let body = json.as_ref().map(|json| format!(" {}", value(json))).unwrap_or_default();
            format!("{who} {} {}{}{body}", method.as_str(), bare(path), fields(query))
        }
        Verb::Do { name, with } => format!("{who} -> {}{}", name.name, fields(with)),
        Verb::Emit { event, data, .. } => {
            let data = data.as_ref().map(|data| format!(" {}", value(data))).unwrap_or_default();
            format!("{who} -> {}{data}", bare(event))
        }
        Verb::Receive { event, pattern, count } => {
            let pattern = pattern.as_ref().map(|p| format!(" {}", value(p))).unwrap_or_default();
            format!("{who} <- {}{pattern}{}", bare(event), times(*count))
        }
        Verb::Never { event, pattern, during } => {
            let pattern = pattern.as_ref().map(|p| format!(" {}", value(p))).unwrap_or_default();
            format!("{who} <- no {}{pattern} during {during:?}", bare(event))
        }
        Verb::Join(chat) => format!("{who} -> join_chat {}", bare(chat)),
        Verb::Leave(chat) => format!("{who} -> leave_chat {}", bare(chat)),
        Verb::Send { text, .. } => format!("{who} -> send_message {}", value(text)),
        Verb::History(chat) => format!("{who} GET history of {}", bare(chat)),
        Verb::Delivered { message, to, via } => {
            let via = match via {
                Via::Live => "",
                Via::CatchUp => " (catch-up)",
                Via::Either => " (live or catch-up)",
            };
            format!("{} <- {}{via}", names(actors, to), message.name)
        }
        Verb::State { state, attempts } => {
            format!("{who} is {}{}", state.name(), after(*attempts))
        }
        Verb::Reconnected { failed_attempts, rejoined } => {
            let rooms = match rejoined.len() {
                0 => String::new(),
                n => format!(", back in {n} chats"),
            };
            format!("{who} is back{}{rooms}", after(*failed_attempts))
        }
        Verb::Server(verb) => format!("server {}", format!("{verb:?}").to_lowercase()),
        Verb::Database(verb) => format!("database {}", format!("{verb:?}").to_lowercase()),
        Verb::Token(TokenVerb::Expire) => format!("{who}'s token expires"),
        Verb::Token(TokenVerb::Revoke) => format!("{who}'s session is ended elsewhere"),
        Verb::Barrier { name, .. } => format!("everybody at the barrier {name}"),
        Verb::Use { name, .. } => format!("as in {name}"),
        Verb::Network(network) => format!("{who}'s line: {}", network.words()),
        Verb::Exec { command, .. } => format!("{who} runs {}", cut(command.clone())),
        Verb::Wait(time) => format!("wait {time:?}"),
        Verb::Parallel { branches, .. } => format!("parallel, {} branches", branches.len()),
        Verb::Repeat { times, .. } => format!("repeat {times} times"),
    }
}

fn times(range: Option<Range>) -> String {
    range.map_or_else(String::new, |range| format!(" x {range}"))
}

pub(crate) fn after(range: Range) -> String {
    if range.min == 0 && range.max == u64::MAX {
        return String::new();
    }
    format!(" after {range} failed attempts")
}

fn fields(with: &[(Key, Node)]) -> String {
    if with.is_empty() {
        return String::new();
    }
    let all = with.iter().map(|(key, node)| format!("{}: {}", key.name, value(node)));
    format!(" {{{}}}", all.collect::<Vec<_>>().join(", "))
}

/// A text without quotes, as a name stands; anything else as JSON.
fn bare(node: &Node) -> String {
    match &node.value {
        Value::Text(text) => cut(text.clone()),
        _ => value(node),
    }
}

/// A value as JSON, cut.
fn value(node: &Node) -> String {
    cut(json(node).to_string())
}

fn cut(text: String) -> String {
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// A tree as JSON, with its `${...}` as they stand.
#[must_use]
pub fn json(node: &Node) -> serde_json::Value {
    use serde_json::Value as Json;
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) => Json::from(*value),
        Value::Float(value) => Json::from(*value),
        Value::Text(text) => Json::String(text.clone()),
        Value::List(items) => Json::Array(items.iter().map(json).collect()),
        Value::Map(fields) => {
            Json::Object(fields.iter().map(|(key, node)| (key.name.clone(), json(node))).collect())
        }
    }
}
