//! The JSON Schema of what [`super::Format::Json`] writes, for whoever reads it in another language.

use serde_json::{Value, json};

use super::SCHEMA;
use crate::results::Outcome;

/// An object that has exactly these fields; those whose name ends in `?` may be absent.
fn object(fields: &Value) -> Value {
    let mut properties = serde_json::Map::new();
    let mut required = Vec::new();
    for (name, schema) in fields.as_object().into_iter().flatten() {
        match name.strip_suffix('?') {
            Some(name) => _ = properties.insert(name.to_owned(), schema.clone()),
            None => {
                required.push(name.clone());
                properties.insert(name.clone(), schema.clone());
            }
        }
    }
    json!({
        "type": "object", "additionalProperties": false,
        "properties": properties, "required": required,
    })
}

fn list(items: &Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// A row of a story: its `type`, and these fields.
fn row(kind: &str, mut fields: Value) -> Value {
    fields["type"] = json!({ "const": kind });
    object(&fields)
}

fn story(text: &Value, millis: &Value, count: &Value) -> Value {
    let tone = json!({ "enum": ["plain", "good", "bad"] });
    let rows = json!([
        row("act", json!({ "title": text, "lanes": list(count) })),
        row(
            "arrow",
            json!({
                "atMs": millis, "hub": count, "spokes": list(count),
                "direction": { "enum": ["in", "out"] }, "wire": { "enum": ["http", "socket", "store"] },
                "label": text, "detail": text, "failed": { "type": "boolean" },
            })
        ),
        row("note", json!({ "atMs": millis, "lane": count, "text": text, "tone": tone })),
        row("band", json!({ "atMs": millis, "text": text, "tone": tone })),
        row("alive", json!({ "lane": count, "alive": { "type": "boolean" } })),
        row("gap", json!({})),
    ]);
    let lane = object(&json!({ "title": text, "detail": text }));
    object(&json!({ "lanes": list(&lane), "rows": list(&json!({ "oneOf": rows })) }))
}

/// The schema of a result, as JSON Schema 2020-12.
#[must_use]
pub fn result_schema() -> Value {
    let text = json!({ "type": "string" });
    let millis = json!({ "type": "number", "minimum": 0, "description": "milliseconds" });
    let count = json!({ "type": "integer", "minimum": 0 });
    let counts = object(&json!({
        "cases": count, "pass": count, "nonStrict": count, "skip": count, "fail": count,
        "error": count,
    }));
    let place = object(&json!({ "file": text, "line": count, "column?": count }));
    let outcomes: Vec<&str> = Outcome::ALL.iter().map(|outcome| outcome.name()).collect();
    let case = object(&json!({
        "id": text, "title": text, "outcome": { "enum": outcomes }, "beganMs?": millis,
        "tookMs": millis, "message": text, "output?": text, "place?": place,
    }));
    let wire = object(&json!({ "atMs": millis, "who": text, "title": text, "body": text }));
    let suite = object(&json!({
        "name": text, "facts": { "type": "object", "additionalProperties": text },
        "counts": counts, "beganMs?": millis, "tookMs": millis, "cases": list(&case),
        "story?": story(&text, &millis, &count), "wire?": list(&wire),
    }));
    let mut schema = object(&json!({
        "schema": { "const": SCHEMA }, "title": text, "tool": text,
        "started": { "type": "string", "format": "date-time" }, "tookMs": millis,
        "complete": { "type": "boolean", "description": "false: the run was cut short" },
        "counts": counts, "suites": list(&suite),
    }));
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("Result of trialogue run, conform and others");
    schema
}
