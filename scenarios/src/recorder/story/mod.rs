//! From what went over the wire to the steps of a scenario, as it happens.
//!
//! A step stands where its answer came, the nearest to when the server did it, and after whatever it
//! needs or may have been caused by (`order`). No IO and no clock; what may not happen here: a secret
//! in a step.

mod asserts;
mod http;
mod names;
mod order;
mod people;
mod rooms;
mod socket;
#[cfg(test)]
mod tests;
mod text;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value, json};

pub(crate) use http::{Call, Ticket};
use names::Names;
use people::People;
pub(crate) use socket::Ender;
use socket::Socket;

use super::Accounts;
use super::hidden::Hidden;
use crate::secrets::is_secret;

/// Most steps of a recording; what comes then is counted and left out.
const STEPS_MAX: usize = 5_000;
/// Longest text of a step, in bytes: four bytes for each of a message's 4,000 characters.
const TEXT_BYTES_MAX: usize = 16_000;
/// Most texts that later answers are searched for.
const SAID_MAX: usize = 10_000;

/// Where a step stands: the number of the moment, and 0 for what has to come before it.
type At = (u32, u8);

/// Fields of a step beside `as` and `id`, in their order.
type Fields = Vec<(&'static str, Value)>;

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    /// Its answer is still to come.
    Open,
    /// It is over.
    Done,
    /// Nothing can be made of it.
    Gone,
}

#[derive(Debug)]
struct Step {
    at: At,
    who: Option<usize>,
    id: Option<String>,
    fields: Fields,
    expect: Map<String, Value>,
    save: Vec<(String, String)>,
    came: Came,
    /// Steps that come before it, whatever their times say.
    after: Vec<usize>,
    /// Events that it may be an answer to: a guess, which gives way to what is known.
    may_answer: Vec<usize>,
    /// Who was shown the message that it sends.
    shown_to: BTreeSet<usize>,
    /// Chats that a later connection of this actor was not in: left before it disconnects.
    leaves: BTreeSet<String>,
}

/// Everything that is known of a session by now.
#[derive(Debug)]
pub(crate) struct Story {
    accounts: Accounts,
    people: People,
    names: Names,
    steps: Vec<Step>,
    sockets: BTreeMap<u64, Socket>,
    hidden: Hidden,
    /// Texts that somebody in the recording wrote: an answer may be expected to hold them.
    said: BTreeSet<String>,
    /// What is not in the file, and how often.
    left_out: BTreeMap<&'static str, usize>,
    /// How connections began.
    transports: BTreeSet<&'static str>,
    /// Messages of which nothing was said yet: step, who, chat and text.
    unconfirmed: VecDeque<(usize, usize, String, String)>,
    moment: u32,
    messages: usize,
    /// How many steps there were when somebody was last shown a chat.
    shown_chats: BTreeMap<(usize, String), usize>,
    /// Steps that give what was named since the last step began.
    needed: Vec<usize>,
    /// Whose own names of messages are meant: two people may have the same.
    speaker: usize,
}

impl Story {
    pub(crate) fn new(accounts: Accounts) -> Self {
        Self {
            accounts,
            people: People::default(),
            names: Names::default(),
            steps: Vec::new(),
            sockets: BTreeMap::new(),
            hidden: Hidden::default(),
            said: BTreeSet::new(),
            left_out: BTreeMap::new(),
            transports: BTreeSet::new(),
            unconfirmed: VecDeque::new(),
            moment: 0,
            messages: 0,
            shown_chats: BTreeMap::new(),
            needed: Vec::new(),
            speaker: 0,
        }
    }

    /// Something that happened and is not in the file.
    pub(crate) fn leave_out(&mut self, what: &'static str) {
        *self.left_out.entry(what).or_default() += 1;
    }

    /// What is not in the file, and how often.
    pub(crate) fn left_out(&self) -> Vec<(&'static str, usize)> {
        self.left_out.iter().map(|(what, times)| (*what, *times)).collect()
    }

    /// A connection began like this: `websocket`, or `polling` and perhaps upgraded later.
    pub(crate) fn began_by(&mut self, transport: &'static str) {
        if transport == "polling+upgrade" {
            self.transports.remove("polling");
        }
        self.transports.insert(transport);
    }

    /// A step of somebody who has logged in by then.
    fn begin(&mut self, who: usize, fields: Fields) -> Option<usize> {
        let step = self.issue(Some(who), fields)?;
        self.follow(who, step);
        self.let_log_in(who, self.steps[step].at);
        Some(step)
    }

    fn issue(&mut self, who: Option<usize>, fields: Fields) -> Option<usize> {
        if self.steps.len() >= STEPS_MAX {
            self.leave_out("steps over the limit of a recording");
            return None;
        }
        if self.hidden.is_full() {
            self.leave_out("steps after more secrets than can be remembered");
            return None;
        }
        self.moment += 1;
        Some(self.push((self.moment, 1), who, fields))
    }

    /// Its answer is there.
    fn finish(&mut self, step: usize) -> At {
        self.moment += 1;
        let step = &mut self.steps[step];
        step.at = (self.moment, 1);
        step.came = Came::Done;
        step.at
    }

    /// What a step at this place is expected to come to; it comes after whatever that names.
    fn expected(&mut self, step: usize, answer: &Value) -> Option<Value> {
        self.needed.clear();
        let asserted = self.asserted(answer, self.steps[step].at);
        let needed = std::mem::take(&mut self.needed);
        self.steps[step].after.extend(needed);
        asserted
    }

    fn push(&mut self, at: At, who: Option<usize>, fields: Fields) -> usize {
        self.steps.push(Step {
            at,
            who,
            id: None,
            fields,
            expect: Map::new(),
            save: Vec::new(),
            came: Came::Open,
            after: std::mem::take(&mut self.needed),
            may_answer: Vec::new(),
            shown_to: BTreeSet::new(),
            leaves: BTreeSet::new(),
        });
        self.steps.len() - 1
    }

    /// Sees to it that somebody logs in before a step: who came with a token of earlier days, or
    /// is only spoken of, has not.
    fn let_log_in(&mut self, who: usize, before: At) {
        if self.people.of(who).login.is_some_and(|at| at <= before) {
            return;
        }
        let at = (before.0, 0);
        let needed = std::mem::take(&mut self.needed);
        let step = self.push(at, Some(who), vec![("login", json!(true))]);
        self.steps[step].came = Came::Done;
        self.people.of_mut(who).login = Some(at);
        self.needed = needed;
    }

    /// The next step that will be issued stands here.
    fn next(&self) -> At {
        (self.moment + 1, 1)
    }

    fn drop_step(&mut self, step: usize, why: &'static str) {
        self.steps[step].came = Came::Gone;
        self.leave_out(why);
    }

    /// A text as a file has it: `${` is no name, and secrets are the environment's.
    fn literal(&mut self, text: &str) -> String {
        self.hidden.replace(text)
    }

    /// A document of a request as a file has it: ids are names, secrets the environment's.
    fn filled(&mut self, value: &Value, name: &str, parent: &str, at: At) -> Value {
        if let Some(known) = names::key_of(name, parent, value).and_then(|key| self.ask(&key, at)) {
            return Value::from(known);
        }
        if is_secret(name) {
            return self.secret(value, name);
        }
        match value {
            Value::String(text) => {
                let is_mark = text.len() >= 8 && text.chars().all(|c| c.is_ascii_hexdigit());
                // What a machine made is another one in every run.
                if self.said.len() < SAID_MAX && text.len() <= TEXT_BYTES_MAX && !is_mark {
                    self.said.insert(text.clone());
                }
                Value::from(self.literal(text))
            }
            Value::Array(items) => {
                items.iter().map(|item| self.filled(item, "id", name, at)).collect()
            }
            Value::Object(fields) => {
                let mut filled = Map::new();
                for (key, value) in fields {
                    if !self.hidden.is_in(key) {
                        filled.insert(key.clone(), self.filled(value, key, name, at));
                    }
                }
                Value::Object(filled)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    /// What stands under the name of a secret: nothing of it is in the file, whatever its kind.
    fn secret(&mut self, value: &Value, name: &str) -> Value {
        match value {
            Value::String(text) if text.is_empty() => value.clone(),
            Value::String(text) => Value::from(self.hidden.stand_in(name, text)),
            Value::Number(number) => Value::from(self.hidden.stand_in(name, &number.to_string())),
            Value::Array(items) => items.iter().map(|item| self.secret(item, name)).collect(),
            Value::Object(fields) => {
                let keys = fields.iter().filter(|(key, _)| !self.hidden.is_in(key));
                let keys: Vec<(&String, &Value)> = keys.collect();
                let fields = keys.into_iter();
                let fields = fields.map(|(key, value)| (key.clone(), self.secret(value, name)));
                Value::Object(fields.collect())
            }
            Value::Null | Value::Bool(_) => value.clone(),
        }
    }

    /// The name of an id in a request. Whoever is spoken of logs in before.
    fn ask(&mut self, key: &names::Key, at: At) -> Option<String> {
        if let names::Key::Number(kind, id) = key
            && kind == "user"
            && let Some(who) = self.people.of_user(*id)
        {
            self.let_log_in(who, at);
            return Some(format!("${{{}.userId}}", self.people.of(who).name));
        }
        self.named(key, at)
    }

    /// The name of an id in what is asserted, where it is known by then.
    fn named(&mut self, key: &names::Key, at: At) -> Option<String> {
        if let names::Key::Number(kind, id) = key
            && kind == "user"
            && let Some(who) = self.people.of_user(*id)
        {
            let person = self.people.of(who);
            let known = person.login.is_some_and(|login| login < at);
            return known.then(|| format!("${{{}.userId}}", person.name));
        }
        let (expression, origin) = self.names.find(&self.own(key))?;
        if self.steps[origin.step].at >= at {
            return None;
        }
        self.needed.push(origin.step);
        if let Some((name, path)) = origin.first_use {
            self.steps[origin.step].save.push((name, path));
        }
        Some(format!("${{{expression}}}"))
    }

    /// The key, of whoever speaks where it is a client's own.
    fn own(&self, key: &names::Key) -> names::Key {
        match key {
            names::Key::Text(text) => names::Key::Text(format!("{} {text}", self.speaker)),
            other => other.clone(),
        }
    }

    /// Somebody speaks, or is spoken to.
    fn turn_to(&mut self, who: usize) {
        self.speaker = self.people.of(who).device_of.unwrap_or(who);
        self.needed.clear();
    }

    /// A chat by its id, as a request names it.
    fn chat(&mut self, chat: &Value, at: At) -> Value {
        self.filled(chat, "chatId", "", at)
    }
}

/// Whether a text is longer than a step may have.
fn is_too_long(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() > TEXT_BYTES_MAX,
        Value::Array(items) => items.iter().any(is_too_long),
        Value::Object(fields) => fields.values().any(is_too_long),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A refusal that another time would not meet: nothing is asserted of it.
fn is_passing(code: &str) -> bool {
    [
        "rate_limited",
        "unavailable",
        "draining",
        "outcome_unknown",
        "internal",
        "token_expired",
        "unauthenticated",
    ]
    .contains(&code)
}

/// A word of a protocol, not a text of a person.
fn is_word(text: &str) -> bool {
    let of_word = |c: char| c.is_ascii_lowercase() || c == '_';
    !text.is_empty() && text.len() <= 40 && text.chars().all(of_word)
}
