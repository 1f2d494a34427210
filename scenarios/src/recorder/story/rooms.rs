//! What servers tell: events become asserts of whoever got them.

use serde_json::{Map, Value, json};

use super::names::key_of;
use super::{Came, Fields, Story};

/// Events of a clock, or of what only this run met.
const PASSING: &[&str] = &["positions", "token_expiring", "server_draining"];
/// Events that tell of somebody whose line may have broken.
const OF_LINES: &[&str] = &["user_joined", "user_left", "presence"];

/// Events that this tool knows, and what another run has again of each.
const KNOWN: &[(&str, &[&str])] = &[
    ("user_typing", &["userId", "chatId", "isTyping"]),
    ("user_joined", &["userId", "chatId", "role"]),
    ("user_left", &["userId", "chatId"]),
    ("messages_read", &["userId", "chatId", "seq"]),
    ("presence", &["userId", "chatId", "status"]),
];

impl Story {
    /// The server told something.
    pub(crate) fn heard(
        &mut self,
        socket: u64,
        event: &str,
        args: &[Value],
        has_attachments: bool,
    ) {
        let Some(who) = self.hearer(socket) else { return };
        self.turn_to(who);
        let data = args.first().cloned().unwrap_or_default();
        self.hidden.learn(&data);
        match event {
            "connected" => return self.greeted(socket),
            "joined_chat" => return self.done(socket, "join_chat", &data),
            "left_chat" => return self.done(socket, "leave_chat", &data),
            "error" => return self.told_off(socket, &data),
            "new_message" => return self.shown(who, &data),
            _ if PASSING.contains(&event) || event.len() > 256 => return,
            _ => {}
        }
        if has_attachments {
            return self.leave_out("events with several, binary or very long arguments");
        }
        let user = data["userId"].as_i64().filter(|_| OF_LINES.contains(&event));
        if user.is_some_and(|user| self.people.broke(user)) {
            return self.leave_out("news of lines that broke");
        }
        let at = self.next();
        let pattern = match KNOWN.iter().find(|(known, _)| *known == event) {
            Some((_, fields)) => self.chosen(&data, fields, at),
            None if event == "notification:created" => {
                let fields = ["type", "chatId", "jobId"];
                inside("notification", self.chosen(&data["notification"], &fields, at))
            }
            None if event == "chat_updated" => {
                let fields = ["id", "lsmInvited", "lsmJoined", "closed"];
                inside("chat", self.chosen(&data["chat"], &fields, at))
            }
            None => match self.asserted(&data, at) {
                Some(Value::Object(fields)) => fields,
                _ => Map::new(),
            },
        };
        self.received(who, event, pattern, &data);
    }

    fn received(&mut self, who: usize, event: &str, pattern: Map<String, Value>, data: &Value) {
        let mut fields: Fields = vec![("receive", json!(self.literal(event)))];
        if !pattern.is_empty() {
            fields.push(("where", Value::Object(pattern)));
        }
        // What a page repeats is written once, and so is what comes of it.
        let mut since = self.steps.iter().rev().take_while(|step| step.fields[0].0 == "receive");
        let same = since.any(|step| step.who == Some(who) && step.fields == fields);
        if event == "user_typing" && same {
            return;
        }
        if let Some(step) = self.begin(who, fields) {
            self.names.learn(step, data);
            self.steps[step].came = Came::Done;
            self.place(who, step, event, data);
        }
    }

    /// Somebody was shown a message.
    fn shown(&mut self, who: usize, message: &Value) {
        let keys = [
            key_of("id", "message", &message["id"]),
            key_of("clientMessageId", "", &message["clientMessageId"]).map(|key| self.own(&key)),
        ];
        let by_name = keys.iter().flatten().filter_map(|key| self.names.step_of(key));
        let mut by_name = by_name.filter(|step| self.steps[*step].id.is_some());
        let Some(step) = by_name.next().or_else(|| self.unconfirmed_as(message)) else {
            return self.leave_out("messages of people who were not recorded");
        };
        self.stored(step, message);
        self.steps[step].shown_to.insert(who);
    }

    /// A message that was sent and of which nothing was said yet.
    fn unconfirmed_as(&self, message: &Value) -> Option<usize> {
        let sender = message["sender_id"].as_i64()?;
        let sender = self.people.of_user(sender)?;
        let is_it = |who: usize, chat: &str, text: &str| {
            let device = who == sender || self.people.of(who).device_of == Some(sender);
            device && message["chatId"] == chat && message["message"] == text
        };
        let mut waiting = self.unconfirmed.iter();
        waiting.find(|(_, who, chat, text)| is_it(*who, chat, text)).map(|(step, ..)| *step)
    }

    /// The server could not be reached, or broke its connections.
    pub(crate) fn away(&mut self) {
        let last = self.steps.iter().rev().find(|step| step.fields[0].0 != "receive");
        if last.is_none_or(|step| step.fields[0].0 == "#") {
            return;
        }
        let words = "here the server was away; `- { server: restart }` would play that too";
        if let Some(step) = self.issue(None, vec![("#", json!(words))]) {
            self.steps[step].came = Came::Done;
        }
    }
}

fn inside(name: &str, fields: Map<String, Value>) -> Map<String, Value> {
    let mut outer = Map::new();
    if !fields.is_empty() {
        outer.insert(name.to_owned(), Value::Object(fields));
    }
    outer
}
