//! Reads a plan file into what would be typed. Pure but for the variables that a value may name.

use std::sync::Arc;

use clap::error::ErrorKind;
use clap::{Arg, Command};
use trialogue_scenarios::scope::Scope;
use trialogue_scenarios::secrets::Secrets;
use trialogue_scenarios::source::{Diagnostics, Source, Span, nearest};
use trialogue_scenarios::yaml::{Key, Node, Value, parse};

use super::{VERSION, WORKLOAD, args_of, is_list, is_switch};
use crate::out;
use crate::verb::load::phase::{Phase, Typed};

/// Fields that no flag has.
pub(super) const OWN: [&str; 3] = ["load", "name", "description"];
pub(super) const PHASE: [&str; 4] = ["name", "for", "rate", "measured"];
/// The name of a flag's value that is a time.
const TIME: &str = "TIME";

/// A field of a file.
#[derive(Debug)]
pub(super) struct Field {
    name: String,
    key: Span,
    pub(super) arg: Arg,
    values: Vec<String>,
}

impl Field {
    /// As it would be typed.
    pub(super) fn words(self) -> Vec<String> {
        match self.arg.get_long() {
            None => self.values,
            Some(long) if is_switch(&self.arg) => match self.values.first() {
                Some(value) if value == "true" => vec![format!("--{long}")],
                Some(_) | None => Vec::new(),
            },
            Some(long) => {
                self.values.into_iter().map(|value| format!("--{long}={value}")).collect()
            }
        }
    }
}

/// The arguments that cannot be given with this one, whichever of the two says so.
pub(super) fn excluded<'a>(command: &'a Command, arg: &Arg) -> impl Iterator<Item = String> + 'a {
    let id = arg.get_id().clone();
    let own = command.get_arg_conflicts_with(arg).into_iter().map(|arg| arg.get_id().to_string());
    let own: Vec<String> = own.collect();
    let theirs = command.get_arguments().filter(move |other| {
        command.get_arg_conflicts_with(other).iter().any(|one| *one.get_id() == id)
    });
    own.into_iter().chain(theirs.map(|arg| arg.get_id().to_string()))
}

/// Reads all fields.
///
/// # Errors
/// Everything that is wrong.
pub(super) fn read(source: &Arc<Source>, command: &Command) -> Result<Vec<Field>, Diagnostics> {
    let mut root = parse(source)?;
    let mut diag = Diagnostics::new(Arc::clone(source));
    let scope = Scope::new(|name| std::env::var(name).ok(), Secrets::default());
    let Value::Map(entries) = &mut root.value else {
        let what = format!("a load plan is {}, not an object", root.value.kind());
        diag.error(root.span, what);
        return diag.verdict().map(|()| Vec::new());
    };
    let mut fields: Vec<Field> = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    for (key, mut node) in std::mem::take(entries) {
        if seen.contains(&key.name) {
            diag.error(key.span, format!("`{}` stands here twice", key.name));
            continue;
        }
        seen.push(key.name.clone());
        let mistakes = diag.found().len();
        fill(&mut node, &scope, &mut diag);
        if diag.found().len() > mistakes {
            continue;
        }
        if key.name == "load" {
            if node.value != Value::Int(VERSION) {
                let what = format!("`load` must be {VERSION}, the format's version");
                diag.error(node.span, what);
            }
        } else if !OWN.contains(&key.name.as_str()) {
            fields.extend(field(&key, &node, command, &mut diag));
        }
    }
    if !seen.iter().any(|name| name == "load") {
        let start = Span { start: root.span.start, end: root.span.start + 1 };
        diag.error(start, format!("a load plan begins with `load: {VERSION}`, its version"));
    }
    exclusions(&fields, command, &mut diag);
    diag.verdict().map(|()| fields)
}

/// Puts variables in.
fn fill(node: &mut Node, scope: &Scope, diag: &mut Diagnostics) {
    match &mut node.value {
        Value::Text(text) if text.contains("${") => match scope.resolve(node, None) {
            Ok(serde_json::Value::String(filled)) => node.value = Value::Text(filled),
            Ok(other) => node.value = Value::Text(other.to_string()),
            Err(wrong) => diag.error(wrong.span, wrong.message),
        },
        Value::List(items) => items.iter_mut().for_each(|item| fill(item, scope, diag)),
        Value::Map(fields) => fields.iter_mut().for_each(|(_, node)| fill(node, scope, diag)),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) => {}
    }
}

fn hint<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, names).map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

fn field(key: &Key, node: &Node, command: &Command, diag: &mut Diagnostics) -> Option<Field> {
    let Some((name, arg)) = args_of(command).find(|(name, _)| *name == key.name) else {
        let names: Vec<String> = args_of(command).map(|(name, _)| name).collect();
        let known = OWN.into_iter().chain(names.iter().map(String::as_str));
        let hint = hint(&key.name, known);
        diag.error(key.span, format!("unknown field `{}` in a load plan{hint}", key.name));
        return None;
    };
    let items: Vec<&Node> = match &node.value {
        Value::List(items) if is_list(arg) => items.iter().collect(),
        _ => vec![node],
    };
    let is_phase = arg.get_long() == Some("phase");
    let mut values = Vec::new();
    for item in items {
        let value = match is_phase && matches!(item.value, Value::Map(_)) {
            true => phase(item, diag)?,
            false => value(&name, arg, item, diag)?,
        };
        if let Some(why) = refusal(command, arg, &value) {
            diag.error(item.span, format!("`{name}`: {why}"));
            return None;
        }
        values.push(value);
    }
    Some(Field { name, key: key.span, arg: arg.clone(), values })
}

/// A value as it would be typed.
fn value(name: &str, arg: &Arg, node: &Node, diag: &mut Diagnostics) -> Option<String> {
    let is_time = arg.get_value_names().is_some_and(|names| names.iter().any(|name| *name == TIME));
    let wanted = match (&node.value, is_switch(arg)) {
        (Value::Bool(value), true) => return Some(value.to_string()),
        (_, true) => "true or false",
        (Value::Int(number), false) if is_time => {
            let what = format!("duration without a unit; write `{number}s` or `{number}ms`");
            diag.error(node.span, what);
            return None;
        }
        (Value::Text(text), false) => return Some(text.clone()),
        (Value::Int(number), false) => return Some(number.to_string()),
        (Value::Float(number), false) => return Some(number.to_string()),
        (Value::List(_), false) => "one value",
        (_, false) => "text or a number",
    };
    diag.error(node.span, format!("`{name}` is {}, not {wanted}", node.value.kind()));
    None
}

/// A phase as it would be typed.
fn phase(node: &Node, diag: &mut Diagnostics) -> Option<String> {
    let Value::Map(fields) = &node.value else { return None };
    for (key, _) in fields.iter().filter(|(key, _)| !PHASE.contains(&key.name.as_str())) {
        let hint = hint(&key.name, PHASE);
        diag.error(key.span, format!("unknown field `{}` in a phase{hint}", key.name));
    }
    let find = |name: &str| fields.iter().find(|(key, _)| key.name == name);
    let text = |name: &str, diag: &mut Diagnostics| match find(name).map(|(_, node)| &node.value) {
        Some(Value::Text(text)) => Some(text.clone()),
        Some(Value::Int(number)) if name == "rate" => Some(number.to_string()),
        Some(other) => {
            let span = find(name).map_or(node.span, |(_, node)| node.span);
            let unit = if name == "for" { " with a unit, as in 30s" } else { "" };
            diag.error(span, format!("`{name}` is {}, not text{unit}", other.kind()));
            None
        }
        None => {
            let start = Span { start: node.span.start, end: node.span.start + 1 };
            diag.error(start, format!("a phase needs `{name}`"));
            None
        }
    };
    let (name, length, rate) = (text("name", diag), text("for", diag), text("rate", diag));
    let measured = match find("measured").map(|(_, node)| &node.value) {
        None | Some(Value::Bool(true)) => true,
        Some(Value::Bool(false)) => false,
        Some(_) => {
            diag.error(node.span, "`measured` is true or false");
            return None;
        }
    };
    let (name, length, rate) = (name?, length?, rate?);
    let typed = Typed { name: &name, length: &length, rate: &rate, measured }.to_string();
    if let Err(why) = typed.parse::<Phase>() {
        diag.error(node.span, why);
        return None;
    }
    Some(typed)
}

/// Why a flag would not take this value.
fn refusal(command: &Command, arg: &Arg, value: &str) -> Option<String> {
    if is_switch(arg) {
        return None;
    }
    let word = match arg.get_long() {
        Some(long) => format!("--{long}={value}"),
        None => value.to_owned(),
    };
    let error = command.clone().try_get_matches_from([command.get_name(), &word]).err()?;
    let of_values = [ErrorKind::InvalidValue, ErrorKind::ValueValidation, ErrorKind::NoEquals];
    // Anything else is about what stands beside it, which is looked at when all is known.
    if !of_values.contains(&error.kind()) {
        return None;
    }
    let names: Vec<String> =
        arg.get_possible_values().iter().map(|one| one.get_name().to_owned()).collect();
    if !names.is_empty() {
        let hint = hint(value, names.iter().map(String::as_str));
        return Some(format!("`{value}` is none of {}{hint}", names.join(", ")));
    }
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    Some(match cause {
        Some(cause) => format!("`{value}`: {cause}"),
        None => out::sentence(&error.to_string()),
    })
}

/// Fields of which only one can be there.
fn exclusions(fields: &[Field], command: &Command, diag: &mut Diagnostics) {
    for (n, field) in fields.iter().enumerate() {
        let excluded: Vec<String> = excluded(command, &field.arg).collect();
        for before in &fields[..n] {
            if excluded.iter().any(|id| before.arg.get_id() == id.as_str()) {
                let what = format!("`{}` cannot stand with `{}`", field.name, before.name);
                diag.error(field.key, what);
            }
        }
    }
    // Without a flag's name there is only one place to stand.
    debug_assert!(fields.iter().filter(|one| one.name == WORKLOAD).count() <= 1);
}
