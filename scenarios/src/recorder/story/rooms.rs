//! What servers tell: events become asserts of whoever got them.

use serde_json::{Map, Value, json};

use super::names::key_of;
use super::{At, Came, Fields, STEPS_MAX, Step, Story};

/// Events of a clock, or of what only this run met.
const PASSING: &[&str] = &["positions", "token_expiring", "server_draining"];
/// Events that tell of somebody whose line may have broken.
const OF_LINES: &[&str] = &["user_joined", "user_left", "presence"];

/// Why such an event is left out.
pub(super) const LINES_THAT_BROKE: &str = "news of lines that broke";

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
            _ if event.trim().is_empty() => return self.leave_out("events without a name"),
            _ => {}
        }
        if has_attachments {
            return self.leave_out("events with several, binary or very long arguments");
        }
        let user = data["userId"].as_i64().filter(|_| OF_LINES.contains(&event));
        // Of somebody who is there only a line that broke unseen makes that.
        let is_gone = event == "presence" && data["status"] == "offline";
        if user
            .is_some_and(|user| self.people.broke(user) || (is_gone && self.people.is_there(user)))
        {
            return self.leave_out(LINES_THAT_BROKE);
        }
        let at = self.next();
        if event == "chat_updated" && self.is_between(who, &data["chat"]["id"], at) {
            return self.leave_out("states of a chat between two changes");
        }
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

    /// A chat is told as it is when the news of it leaves. Where two things changed it since this
    /// person was last told, another run may tell of both at once: only what they came to is certain.
    fn is_between(&mut self, who: usize, chat: &Value, at: At) -> bool {
        if self.shown_chats.len() >= STEPS_MAX {
            self.shown_chats.clear();
        }
        let chat = self.chat(chat, at);
        let key = (who, chat.to_string());
        let from = self.shown_chats.get(&key).copied().unwrap_or_default();
        let since = self.steps.iter().enumerate().skip(from);
        let changes: Vec<usize> =
            since.filter(|(_, step)| self.changes(step, &chat)).map(|(at, _)| at).collect();
        // Of several it tells one at least: the others may still be told.
        let (told, is_between) = match changes[..] {
            [first, _, ..] => (first + 1, true),
            [] | [_] => (self.steps.len(), false),
        };
        self.shown_chats.insert(key, told);
        is_between
    }

    /// Whether a request by its name does something to a chat.
    fn changes(&self, step: &Step, chat: &Value) -> bool {
        let [("do", _), ("with", with), ..] = &step.fields[..] else { return false };
        let name = |value: &Value| {
            let name = value.as_str()?.strip_prefix("${")?.strip_suffix('}')?;
            Some(name.to_owned())
        };
        let of = [&with["dispute"], &with["job"]].into_iter().find_map(name);
        let gives = |step: &Step, name: &str| step.save.iter().any(|(own, _)| own == name);
        let origin = of.and_then(|of| self.steps.iter().find(|step| gives(step, &of)));
        let of_chat = |step: &Step| {
            let with = step.fields.iter().find(|(field, _)| *field == "with");
            with.is_some_and(|(_, with)| with["chat"] == *chat)
                || name(chat).is_some_and(|chat| gives(step, &chat))
        };
        with["chat"] == *chat || origin.is_some_and(of_chat)
    }

    fn received(&mut self, who: usize, event: &str, pattern: Map<String, Value>, data: &Value) {
        let mut fields: Fields = vec![("receive", json!(self.literal(event)))];
        if !pattern.is_empty() {
            fields.push(("where", Value::Object(pattern)));
        }
        if event == "user_typing" && self.is_told_again(who, &fields, data["userId"].as_i64()) {
            return;
        }
        if let Some(step) = self.begin(who, fields) {
            self.names.learn(step, data);
            self.steps[step].came = Came::Done;
            self.place(who, step, event, data);
        }
    }

    /// What a page repeats is written once, and so is what comes of it: whether this was told
    /// before, and no step since then causes it again.
    fn is_told_again(&self, who: usize, fields: &Fields, user: Option<i64>) -> bool {
        let told = |step: &Step| step.who == Some(who) && step.fields == *fields;
        let Some(before) = self.steps.iter().rposition(told) else { return false };
        let Some((_, pattern)) = fields.get(1) else { return true };
        let causes = |step: &Step| match (&step.fields[..], step.who.zip(user)) {
            ([("emit", event), ("data", data), ..], Some((who, user))) => {
                let same = ["chatId", "isTyping"].iter().all(|name| data[name] == pattern[name]);
                event == "typing" && same && self.people.is(who, user)
            }
            _ => false,
        };
        !self.steps[before..].iter().any(causes)
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
        if self.steps[step].shown_to.insert(who) {
            self.entered_before(who, step);
        }
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
