//! The JSON Schema of plan files, made of the flags themselves: what the parser takes and what an
//! editor offers cannot drift apart.

use clap::{Arg, CommandFactory as _};
use serde_json::{Map, Value, json};

use super::{VERSION, args_of, is_list, is_switch};
use crate::args::Cli;

/// As text, for people and editors.
pub(crate) fn schema() -> String {
    let mut cli = Cli::command();
    cli.build();
    let mut fields = Map::new();
    fields.insert("load".to_owned(), json!({ "const": VERSION, "description": "the version" }));
    for name in ["name", "description"] {
        fields.insert(name.to_owned(), json!({ "type": "string", "description": "for people" }));
    }
    if let Some(load) = cli.find_subcommand("load") {
        fields.extend(args_of(load).map(|(name, arg)| (name, field(arg))));
    }
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Trialogue load plan",
        "description": "What `trialogue load -f FILE` does; flags override it.",
        "type": "object",
        "required": ["load"],
        "additionalProperties": false,
        "properties": fields,
        "$defs": { "phase": phase() },
    });
    format!("{schema:#}")
}

fn phase() -> Value {
    json!({
        "type": "object",
        "required": ["name", "for", "rate"],
        "additionalProperties": false,
        "properties": {
            "name": { "type": "string" },
            "for": { "type": "string", "description": "a time with its unit, as in 30s" },
            "rate": {
                "type": ["string", "number"],
                "description": "200/s, or 100/s..1000/s for a line between the two",
            },
            "measured": {
                "type": "boolean",
                "default": true,
                "description": "false for a warm-up: judged, and not measured",
            },
        },
    })
}

fn field(arg: &Arg) -> Value {
    let words = arg.get_possible_values();
    let mut one = match () {
        () if is_switch(arg) => json!({ "type": "boolean" }),
        () if arg.get_long() == Some("phase") => {
            json!({ "anyOf": [{ "type": "string" }, { "$ref": "#/$defs/phase" }] })
        }
        () if !words.is_empty() => {
            json!({ "enum": words.iter().map(|word| word.get_name()).collect::<Vec<_>>() })
        }
        () => json!({ "type": ["string", "number"] }),
    };
    if is_list(arg) {
        one = json!({ "anyOf": [one, { "type": "array", "items": one }] });
    }
    if let Some(help) = arg.get_help() {
        one["description"] = help.to_string().into();
    }
    one
}
