//! The steps as a file: one line each, in the layout of `trialogue fmt`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Accounts, Came, Step, Story};

/// Longest file, in bytes; the reader takes 1 MiB.
const FILE_BYTES_MAX: usize = 900 * 1024;
/// Of a whole scenario, and for each of its steps: a recording has no pauses.
const TIMEOUT_S: usize = 60;
const TIMEOUT_OF_STEP_S: usize = 2;
/// Longest of all (one hour).
const TIMEOUT_S_MAX: usize = 3_600;

impl Story {
    /// The scenario as it is by now; nothing while nobody has done anything.
    pub(crate) fn file(&self, name: &str) -> Option<String> {
        let mut lines = String::new();
        let (mut delivered, mut over) = (false, 0);
        for step in self.order().into_iter().map(|index| &self.steps[index]) {
            let Some(line) = self.line(step) else { continue };
            if over > 0 || lines.len() + line.len() > FILE_BYTES_MAX {
                over += 1;
                continue;
            }
            lines.push_str(&line);
            delivered |= !step.shown_to.is_empty() && step.id.is_some();
        }
        if lines.is_empty() || self.people.all().is_empty() {
            return None;
        }
        let mut text = self.head(name, over);
        text.push_str("\nsteps:\n");
        text.push_str(&lines);
        text.push_str("\ncheck:\n");
        if delivered {
            text.push_str("  delivery: exactly-once\n  per_sender_order: true\n");
            text.push_str("  room_order: true\n  room_isolation: true\n");
        }
        text.push_str("  no_server_errors: true\n");
        Some(text)
    }

    fn head(&self, name: &str, over: usize) -> String {
        let mut text = String::new();
        let left_out = self.left_out.iter().map(|(what, times)| (*what, *times));
        let over = (over > 0).then_some(("steps over the limit of a file", over));
        for (what, times) in left_out.chain(over) {
            _ = writeln!(text, "# left out: {what} ({times})");
        }
        let accounts = match self.accounts {
            Accounts::Fresh => Vec::new(),
            Accounts::Environment => {
                let own = self.people.all().iter().filter(|one| one.device_of.is_none());
                own.flat_map(|one| [variable(&one.name, "USER"), variable(&one.name, "PASSWORD")])
                    .collect()
            }
        };
        let needed: Vec<&str> =
            accounts.iter().map(String::as_str).chain(self.hidden.used()).collect();
        if !needed.is_empty() {
            _ = writeln!(text, "# needs in its environment: {}", needed.join(", "));
        }
        let steps = self.steps.len();
        let timeout = (TIMEOUT_S + steps * TIMEOUT_OF_STEP_S).min(TIMEOUT_S_MAX);
        let mut defaults = "within: 10s".to_owned();
        let transports: Vec<&str> = self.transports.iter().copied().collect();
        if let [transport] = transports.as_slice() {
            _ = write!(defaults, ", transport: {transport}");
        }
        _ = writeln!(text, "scenario: 1\nname: {}", scalar(name));
        text.push_str("description: What was recorded between clients and a server.\n");
        _ = writeln!(text, "tags: [recorded]\ntimeout: {timeout}s");
        _ = writeln!(text, "defaults: {{ {defaults} }}");
        text.push_str("\nactors:\n");
        for person in self.people.all() {
            let actor = match person.device_of {
                Some(first) => json!({ "device_of": self.people.of(first).name }),
                None => self.account(&person.name, person.role.short()),
            };
            _ = writeln!(text, "  {}: {}", person.name, flow(&actor));
        }
        text
    }

    fn account(&self, name: &str, role: &str) -> Value {
        match self.accounts {
            Accounts::Fresh => json!({ "role": role }),
            Accounts::Environment => json!({
                "role": role,
                "user": format!("${{env.{}}}", variable(name, "USER")),
                "password": format!("${{env.{}}}", variable(name, "PASSWORD")),
            }),
        }
    }

    /// A step and what belongs to it; nothing when nothing can be made of it, or not yet.
    fn line(&self, step: &Step) -> Option<String> {
        let (verb, value) = step.fields.first()?;
        if *verb == "#" {
            return Some(format!("  # {}\n", value.as_str().unwrap_or_default()));
        }
        let never_acked = step.came == Came::Open && *verb == "emit";
        if !(step.came == Came::Done || never_acked) {
            return None;
        }
        let who = &self.people.of(step.who?).name;
        let mut parts = Vec::new();
        parts.extend(step.id.as_ref().map(|id| format!("id: {id}")));
        parts.push(format!("as: {who}"));
        parts.extend(step.fields.iter().map(|(name, value)| format!("{name}: {}", flow(value))));
        if never_acked {
            parts.push("ack: false".to_owned());
        }
        if !step.expect.is_empty() {
            parts.push(format!("expect: {}", flow(&Value::Object(step.expect.clone()))));
        }
        if !step.save.is_empty() {
            let save = step.save.iter().map(|(name, path)| format!("{name}: {}", scalar(path)));
            parts.push(format!("save: {{ {} }}", save.collect::<Vec<_>>().join(", ")));
        }
        let mut text = String::new();
        // The runner's client goes back into its rooms by itself; this one did not.
        let comes_back = *verb == "disconnect"
            && self.steps.iter().any(|later| {
                let connects = later.fields.first().is_some_and(|(verb, _)| *verb == "connect");
                connects && later.who == step.who && later.at > step.at
            });
        for chat in step.leaves.iter().filter(|_| comes_back) {
            _ = writeln!(text, "  - {{ as: {who}, leave: {} }}", scalar(chat));
        }
        _ = writeln!(text, "  - {{ {} }}", parts.join(", "));
        if let (Some(id), false) = (&step.id, step.shown_to.is_empty()) {
            let to = step.shown_to.iter().map(|who| self.people.of(*who).name.as_str());
            let to = to.collect::<Vec<_>>().join(", ");
            _ = writeln!(text, "  - {{ delivered: {{ message: {id}, to: [{to}] }} }}");
        }
        Some(text)
    }
}

/// `CUSTOMER_PASSWORD`.
fn variable(name: &str, of: &str) -> String {
    format!("{}_{of}", name.to_ascii_uppercase())
}

/// A document in one line of YAML.
fn flow(value: &Value) -> String {
    match value {
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let fields =
                fields.iter().map(|(key, value)| format!("{}: {}", scalar(key), flow(value)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        Value::String(text) => scalar(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// Words that YAML, or somebody's older reader of it, takes for something else than text.
const SPECIAL: &[&str] =
    &["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"];

/// A text in YAML: plain where it can be nothing else, in double quotes elsewhere.
fn scalar(text: &str) -> String {
    let is_path = text.starts_with("$.") && !text.contains("..");
    let may_begin = text.starts_with(|c: char| c.is_ascii_alphabetic()) || is_path;
    let plain = |c: char| c.is_ascii_alphanumeric() || " _-.$?!'()/".contains(c);
    let special = SPECIAL.iter().any(|word| word.eq_ignore_ascii_case(text));
    if may_begin && !special && text.chars().all(plain) && !text.ends_with(' ') {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            // Not printable in YAML, or a line of its own kind.
            c if c.is_control() || ['\u{2028}', '\u{2029}', '\u{feff}'].contains(&c) => {
                _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            '\u{fffe}' | '\u{ffff}' => quoted.push('\u{fffd}'),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
