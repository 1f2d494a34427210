//! What a step does: one field names the verb, others belong to it.

use std::time::Duration;

use super::fields::{Fields, bool_of, entries_of, list_of, text_of, time_of, word, word_of};
use super::steps::{Reader, STEP_FIELDS};
use super::{LaneName, Method, Range, StateWord, Verb, Via, patterns};
use crate::source::{Span, hint, nearest};
use crate::yaml::{Key, Node, Value};

/// Fields that name a verb, each with the fields that belong to it.
const VERBS: &[(&str, &[&str])] = &[
    ("act", &["lanes"]),
    ("login", &[]),
    ("connect", &[]),
    ("disconnect", &[]),
    ("get", &[]),
    ("post", &[]),
    ("put", &[]),
    ("patch", &[]),
    ("delete", &[]),
    ("do", &["with"]),
    ("emit", &["data", "ack"]),
    ("receive", &["where", "count"]),
    ("never", &["where", "during"]),
    ("join", &[]),
    ("leave", &[]),
    ("send", &[]),
    ("history", &[]),
    ("delivered", &[]),
    ("state", &[]),
    ("reconnected", &[]),
    ("server", &[]),
    ("database", &[]),
    ("token", &[]),
    ("network", &[]),
    ("exec", &["env"]),
    ("wait", &[]),
    ("barrier", &[]),
    ("parallel", &[]),
    ("repeat", &["steps"]),
    ("use", &["with"]),
];

/// Verbs that nobody in particular does.
const WITHOUT_ACTOR: &[&str] =
    &["act", "delivered", "server", "database", "wait", "barrier", "parallel", "repeat", "use"];

/// How long `never` looks when it does not say.
const NEVER_DURING: Duration = Duration::from_millis(500);

impl Reader<'_> {
    pub(super) fn verb(
        &mut self,
        mut fields: Fields,
        id: Option<&Key>,
        has_actors: bool,
        within: &mut Option<Duration>,
    ) -> Option<(Verb, Span)> {
        let present: Vec<&(&str, &[&str])> =
            VERBS.iter().filter(|(name, _)| fields.has(name)).collect();
        let [(name, extra)] = present.as_slice() else {
            self.no_single_verb(fields, &present);
            return None;
        };
        let (key, node) = fields.entry(name)?;
        if !has_actors && !WITHOUT_ACTOR.contains(name) {
            self.error(key.span, format!("`{name}` needs `as`: who does it?"));
        } else if has_actors && WITHOUT_ACTOR.contains(name) {
            self.error(key.span, format!("`{name}` takes no `as`: nobody in particular does it"));
        }
        if *name == "send" {
            self.sends.extend(id.map(|id| id.name.clone()));
        }
        let verb = self.read(name, &key, &node, &mut fields, within);
        self.leftovers(fields, name, extra);
        Some((verb?, Span { start: key.span.start, end: node.span.end }))
    }

    fn no_single_verb(&mut self, fields: Fields, present: &[&(&str, &[&str])]) {
        let verbs = || VERBS.iter().map(|(name, _)| *name);
        let span = fields.span();
        if let [(first, _), (second, _), ..] = present {
            self.error_at_start(span, format!("`{first}` and `{second}` are two verbs: two steps"));
            return;
        }
        // A verb with a typo is one mistake, not two.
        let typo = fields.names().any(|name| nearest(name, verbs()).is_some());
        if !typo {
            let list = verbs().collect::<Vec<_>>().join(", ");
            self.error_at_start(span, format!("a step needs a verb, one of {list}"));
        }
        let known: Vec<&str> = verbs()
            .chain(VERBS.iter().flat_map(|(_, extra)| extra.iter().copied()))
            .chain(STEP_FIELDS.iter().copied())
            .collect();
        fields.finish(&known, self.diag);
    }

    /// Fields that the verb did not take: another verb's, or nobody's.
    fn leftovers(&mut self, mut fields: Fields, verb: &str, extra: &[&str]) {
        let others: Vec<&str> = VERBS.iter().flat_map(|(_, extra)| extra.iter().copied()).collect();
        for name in others {
            if let Some((key, _)) = fields.entry(name) {
                self.error(key.span, format!("`{name}` does not go with `{verb}`"));
            }
        }
        let known: Vec<&str> = STEP_FIELDS.iter().chain(extra).copied().collect();
        fields.finish(&known, self.diag);
    }

    fn read(
        &mut self,
        name: &str,
        key: &Key,
        node: &Node,
        fields: &mut Fields,
        within: &mut Option<Duration>,
    ) -> Option<Verb> {
        Some(match name {
            "act" => self.act(node, fields)?,
            "login" => self.just_true(node, "login", Verb::Login)?,
            "connect" => self.just_true(node, "connect", Verb::Connect)?,
            "disconnect" => self.just_true(node, "disconnect", Verb::Disconnect)?,
            "get" => self.http(Method::Get, node)?,
            "post" => self.http(Method::Post, node)?,
            "put" => self.http(Method::Put, node)?,
            "patch" => self.http(Method::Patch, node)?,
            "delete" => self.http(Method::Delete, node)?,
            "do" => self.request(node, fields.node("with"))?,
            "emit" => Verb::Emit {
                event: self.says(node, "emit"),
                data: fields.node("data"),
                acked: fields.bool("ack", self.diag).unwrap_or(true),
            },
            "receive" => Verb::Receive {
                event: self.says(node, "receive"),
                pattern: self.pattern(fields),
                count: fields.node("count").and_then(|node| self.range(&node, "count")),
            },
            "never" => Verb::Never {
                event: self.says(node, "never"),
                pattern: self.pattern(fields),
                during: fields.time("during", self.diag).unwrap_or(NEVER_DURING),
            },
            "join" => Verb::Join(self.says(node, "join")),
            "leave" => Verb::Leave(self.says(node, "leave")),
            "send" => self.send(node)?,
            "history" => Verb::History(self.says(node, "history")),
            "delivered" => self.delivered(node)?,
            "state" => self.state(node)?,
            "reconnected" => self.reconnected(node, within)?,
            "server" => Verb::Server(self.server(node)?),
            "database" => Verb::Database(self.database(node)?),
            "token" => Verb::Token(self.token(node)?),
            "network" => Verb::Network(self.network(node)?),
            "exec" => self.exec(node, fields.node("env"))?,
            "wait" => Verb::Wait(time_of(node, "wait", self.diag)?),
            "barrier" => self.barrier(node)?,
            "parallel" => self.parallel(node),
            "use" => self.fragment(node, fields.node("with"))?,
            "repeat" => self.repeat(key, node, fields)?,
            _ => return None,
        })
    }

    /// The node, which is a text that says something; else that is told, and reading goes on.
    fn says(&mut self, node: &Node, name: &str) -> Node {
        _ = word(node, name, self.diag);
        node.clone()
    }

    fn just_true(&mut self, node: &Node, name: &str, verb: Verb) -> Option<Verb> {
        if bool_of(node, name, self.diag)? {
            return Some(verb);
        }
        self.error(node.span, format!("`{name}` is true, or the step is not there"));
        None
    }

    fn act(&mut self, node: &Node, fields: &mut Fields) -> Option<Verb> {
        let title = word(node, "act", self.diag)?;
        let lanes = fields.node("lanes").map(|node| {
            let mut lanes = Vec::new();
            for node in list_of(&node, "lanes", self.diag).to_vec() {
                let Some(name) = text_of(&node, "a lane", self.diag) else { continue };
                match (name.as_str(), self.find(&name)) {
                    (_, Some(these)) => lanes.extend(these.into_iter().map(LaneName::Actor)),
                    ("server", None) => lanes.push(LaneName::Server),
                    ("database", None) => lanes.push(LaneName::Database),
                    _ => {
                        let known = self.names();
                        let known = known.iter().map(String::as_str);
                        let hint = hint(&name, known.chain(["server", "database"]));
                        self.error(node.span, format!("no lane is called `{name}`{hint}"));
                    }
                }
            }
            lanes
        });
        Some(Verb::Act { title, lanes })
    }

    fn http(&mut self, method: Method, node: &Node) -> Option<Verb> {
        if let Value::Text(_) = node.value {
            let path = self.says(node, "the path of a request");
            let (query, headers) = (Vec::new(), Vec::new());
            return Some(Verb::Http { method, path, query, headers, json: None });
        }
        let mut fields = Fields::open(node, "a request", self.diag)?;
        let path = fields.required("path", self.diag).map(|node| self.says(&node, "path"));
        let query = fields.node("query");
        let query = query.map_or_else(Vec::new, |node| entries_of(&node, "query", self.diag));
        let headers = fields.node("headers");
        let headers = headers.map_or_else(Vec::new, |node| self.headers(&node));
        let json = fields.node("json");
        fields.finish(&["path", "query", "headers", "json"], self.diag);
        Some(Verb::Http { method, path: path?, query, headers, json })
    }

    fn pattern(&mut self, fields: &mut Fields) -> Option<Node> {
        fields.node("where").inspect(|pattern| patterns::check(pattern, self.diag))
    }

    fn send(&mut self, node: &Node) -> Option<Verb> {
        let mut fields = Fields::open(node, "`send`", self.diag)?;
        let chat = fields.required("chat", self.diag).map(|node| self.says(&node, "chat"));
        let text = fields.required("text", self.diag);
        fields.finish(&["chat", "text"], self.diag);
        Some(Verb::Send { chat: chat?, text: text? })
    }

    fn delivered(&mut self, node: &Node) -> Option<Verb> {
        let mut fields = Fields::open(node, "`delivered`", self.diag)?;
        let message = fields.required("message", self.diag).and_then(|node| {
            let name = text_of(&node, "message", self.diag)?;
            Some(Key { span: node.span, name: self.own_id(&name) })
        });
        self.delivered.extend(message.clone().map(|message| (message, self.way.clone())));
        let to = fields.required("to", self.diag).map(|node| self.actors_of(&node, "to"));
        let words = [("live", Via::Live), ("catch-up", Via::CatchUp), ("either", Via::Either)];
        let via = fields.node("via").map(|node| word_of(&node, "via", &words, self.diag));
        fields.finish(&["message", "to", "via"], self.diag);
        let via = via.map_or(Some(Via::Live), |via| via)?;
        Some(Verb::Delivered { message: message?, to: to?, via })
    }

    fn state(&mut self, node: &Node) -> Option<Verb> {
        let words = [
            ("connected", StateWord::Connected),
            ("reconnecting", StateWord::Reconnecting),
            ("disconnected", StateWord::Disconnected),
            ("login-needed", StateWord::LoginNeeded),
        ];
        let mut attempts = Range { min: 0, max: u64::MAX };
        if let Value::Text(_) = node.value {
            let state = word_of(node, "state", &words, self.diag)?;
            return Some(Verb::State { state, attempts });
        }
        let mut fields = Fields::open(node, "`state`", self.diag)?;
        let state = fields.required("is", self.diag);
        let state = state.and_then(|node| word_of(&node, "is", &words, self.diag));
        if let Some(node) = fields.node("failed_attempts") {
            attempts = self.range(&node, "failed_attempts")?;
        }
        fields.finish(&["is", "failed_attempts"], self.diag);
        Some(Verb::State { state: state?, attempts })
    }

    fn reconnected(&mut self, node: &Node, within: &mut Option<Duration>) -> Option<Verb> {
        let mut failed_attempts = Range { min: 0, max: u64::MAX };
        if node.value == Value::Bool(true) {
            return Some(Verb::Reconnected { failed_attempts, rejoined: Vec::new() });
        }
        let mut fields = Fields::open(node, "`reconnected`", self.diag)?;
        if let Some(node) = fields.node("failed_attempts") {
            failed_attempts = self.range(&node, "failed_attempts")?;
        }
        if let Some(own) = fields.time("within", self.diag) {
            *within = Some(own);
        }
        let rejoined = fields.node("rejoined");
        let rejoined =
            rejoined.map_or_else(Vec::new, |node| list_of(&node, "rejoined", self.diag).to_vec());
        fields.finish(&["failed_attempts", "within", "rejoined"], self.diag);
        Some(Verb::Reconnected { failed_attempts, rejoined })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// Editors complete by the schema and the parser judges: both know the same words.
    #[test]
    fn the_schema_knows_the_verbs_and_fields_of_the_parser() {
        let schema: Value = serde_json::from_str(crate::SCHEMA).unwrap();
        let step = &schema["$defs"]["step"];
        let fields: BTreeSet<&str> =
            step["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        let own = VERBS.iter().flat_map(|(verb, extra)| extra.iter().chain([verb]));
        let known: BTreeSet<&str> = own.chain(STEP_FIELDS).copied().collect();
        assert_eq!(fields, known);
        let network = &step["properties"]["network"]["oneOf"][1]["properties"];
        let network: BTreeSet<&str> =
            network.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(network, super::super::faults::NETWORK_FIELDS.iter().copied().collect());
        let one_of = step["oneOf"].as_array().unwrap();
        let verbs: BTreeSet<&str> =
            one_of.iter().map(|one| one["required"][0].as_str().unwrap()).collect();
        assert_eq!(verbs, VERBS.iter().map(|(verb, _)| *verb).collect());
    }

    /// Whoever has read nothing else can write every step.
    #[test]
    fn the_reference_knows_the_verbs_and_fields_of_the_parser() {
        let reference = include_str!("../../README.md");
        let own = VERBS.iter().flat_map(|(verb, extra)| extra.iter().chain([verb]));
        let network = super::super::faults::NETWORK_FIELDS;
        let actors = super::super::actors::ACTOR_FIELDS;
        for word in own.chain(STEP_FIELDS).chain(network).chain(actors) {
            let said = ["`", "{ ", ", ", "\n"].iter().any(|before| {
                [":", "`", ",", " }"]
                    .iter()
                    .any(|after| reference.contains(&format!("{before}{word}{after}")))
            });
            assert!(said, "`{word}` is not in scenarios/README.md");
        }
        for kind in crate::matching::KINDS {
            assert!(reference.contains(&format!("`{kind}`")), "{kind}");
        }
    }
}
