//! Connections, what clients say by them, and how that is answered.

use std::collections::{BTreeSet, VecDeque};

use serde_json::{Value, json};

use super::names::{Key, key_of};
use super::rooms::LINES_THAT_BROKE;
use super::{Came, Fields, Story, is_passing, is_too_long, is_word};

/// Most events of one connection that wait for an answer.
const ASKED_MAX: usize = 256;

/// Who ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ender {
    /// The client, on purpose.
    Client,
    /// The server, by a word of its own.
    Server,
    /// Nobody: the line broke.
    Line,
}

/// A connection to a namespace.
#[derive(Debug, Default)]
pub(super) struct Socket {
    who: Option<usize>,
    /// Its step, where it is one.
    connect: Option<usize>,
    /// The server has greeted it.
    is_ready: bool,
    asked: VecDeque<Asked>,
}

/// What a client said, until it is answered.
#[derive(Debug, Clone)]
struct Asked {
    ack: Option<u64>,
    step: Option<usize>,
    event: String,
    /// Its argument as a file has it.
    data: Value,
    /// The chat that it is about.
    chat: Option<String>,
    is_over: bool,
}

impl Story {
    /// A client asks for a namespace.
    pub(crate) fn connecting(&mut self, socket: u64, token: Option<&str>) {
        let mut new = Socket::default();
        let who = token.and_then(|token| {
            self.hidden.add("token", token);
            self.people.whose(token, &mut self.names)
        });
        let who = who.and_then(|who| self.people.free_device(who, &mut self.names));
        if let Some(who) = who {
            new.who = Some(who);
            self.people.of_mut(who).live = Some(socket);
            if self.people.of(who).is_lost {
                let person = self.people.of_mut(who);
                (person.is_lost, person.came_back) = (false, true);
            } else {
                new.connect = self.begin(who, vec![("connect", json!(true))]);
                self.people.of_mut(who).came_back = false;
            }
        } else {
            self.leave_out("connections of nobody in particular");
        }
        self.sockets.insert(socket, new);
    }

    /// The namespace was granted.
    pub(crate) fn granted(&mut self, socket: u64) {
        if let Some(step) = self.sockets.get(&socket).and_then(|socket| socket.connect) {
            self.finish(step);
        }
    }

    /// It was not.
    pub(crate) fn refused(&mut self, socket: u64) {
        let Some(gone) = self.sockets.remove(&socket) else { return };
        if let Some(step) = gone.connect {
            self.drop_step(step, "connections that were refused");
        }
        if let Some(who) = gone.who {
            self.people.of_mut(who).live = None;
        }
    }

    /// The connection is over.
    pub(crate) fn left(&mut self, socket: u64, ender: Ender) {
        let Some(gone) = self.sockets.get(&socket) else { return };
        if ender == Ender::Server && !gone.is_ready {
            return self.refused(socket);
        }
        let Some(who) = self.sockets.remove(&socket).and_then(|gone| gone.who) else { return };
        self.people.of_mut(who).live = None;
        let told = self.just_told_gone(who);
        if ender != Ender::Client {
            self.people.of_mut(who).is_lost = true;
            return told.into_iter().for_each(|step| {
                self.names.forget(step);
                self.drop_step(step, LINES_THAT_BROKE);
            });
        }
        let Some(step) = self.begin(who, vec![("disconnect", json!(true))]) else { return };
        self.steps[step].came = Came::Done;
        told.into_iter().for_each(|told| self.steps[told].after.push(step));
        self.leaves_last(who, step);
        let at = self.steps[step].at;
        let person = self.people.of_mut(who);
        person.came_back = false;
        person.parted = Some(step);
        let rooms: Vec<String> = std::mem::take(&mut person.rooms).into_iter().collect();
        let leaves: BTreeSet<String> = rooms
            .into_iter()
            .filter_map(|chat| self.chat(&json!(chat), at).as_str().map(ToOwned::to_owned))
            .collect();
        self.steps[step].leaves = leaves;
    }

    /// A client said something.
    pub(crate) fn emitted(
        &mut self,
        socket: u64,
        event: &str,
        args: &[Value],
        (ack, has_attachments): (Option<u64>, bool),
    ) {
        let Some(who) = self.sockets.get(&socket).and_then(|socket| socket.who) else { return };
        self.turn_to(who);
        let data = args.first().cloned().unwrap_or_default();
        self.hidden.learn(&data);
        if event == "refresh_auth" {
            if let Some(token) = data["token"].as_str() {
                self.people.know(token, who);
            }
            return;
        }
        if event.trim().is_empty() {
            return self.leave_out("events without a name");
        }
        if args.len() > 1 || has_attachments || is_too_long(&data) || event.len() > 256 {
            return self.leave_out("events with several, binary or very long arguments");
        }
        let chat = data["chatId"].as_str().map(ToOwned::to_owned);
        let at = self.next();
        let mut filled = self.filled(&data, "", "", at);
        if let (Some(chat), Some(seq)) = (&chat, data["seq"].as_i64())
            && let Some(known) = self.named(&seq_key(chat, seq), at)
        {
            filled["seq"] = json!(known);
        }
        let step = self.said_by(who, event, (&data, &filled), chat.as_deref(), ack);
        let asked =
            Asked { ack, step, event: event.to_owned(), data: filled, chat, is_over: false };
        if let Some(socket) = self.sockets.get_mut(&socket) {
            if socket.asked.len() >= ASKED_MAX {
                socket.asked.pop_front();
            }
            socket.asked.push_back(asked);
        }
    }

    /// The step of an event; none when it only says again what was said.
    fn said_by(
        &mut self,
        who: usize,
        event: &str,
        (data, filled): (&Value, &Value),
        chat: Option<&str>,
        ack: Option<u64>,
    ) -> Option<usize> {
        match (event, chat) {
            ("join_chat", Some(chat)) if self.people.of(who).rooms.contains(chat) => return None,
            ("join_chat", Some(_)) => {
                return self.begin(who, vec![("join", filled["chatId"].clone())]);
            }
            ("leave_chat", Some(_)) => {
                return self.begin(who, vec![("leave", filled["chatId"].clone())]);
            }
            ("send_message", Some(chat)) if is_plain_message(data) => {
                return self.sends(who, (data, filled), chat, ack);
            }
            _ => {}
        }
        let mut fields: Fields = vec![("emit", json!(self.literal(event)))];
        if !data.is_null() {
            fields.push(("data", filled.clone()));
        }
        if ack.is_none() {
            fields.push(("ack", json!(false)));
        }
        // A page tells at every key that somebody types.
        if event == "typing" && self.is_repeated(who, &fields) {
            return None;
        }
        let step = self.begin(who, fields)?;
        if ack.is_none() {
            self.steps[step].came = Came::Done;
        }
        Some(step)
    }

    fn sends(
        &mut self,
        who: usize,
        (data, filled): (&Value, &Value),
        chat: &str,
        ack: Option<u64>,
    ) -> Option<usize> {
        let own = key_of("clientMessageId", "", &data["clientMessageId"]).map(|key| self.own(&key));
        let before = own.as_ref().and_then(|own| self.names.step_of(own));
        match before.map(|step| (step, self.steps[step].came)) {
            // It is sent again because nobody knows what became of it.
            Some((step, Came::Open)) => return Some(step),
            // It is sent again on purpose: what it comes to is what is tried.
            Some((_, Came::Done)) => {
                let step = self.begin(who, vec![("emit", json!("send_message"))])?;
                self.steps[step].fields.push(("data", filled.clone()));
                return Some(step);
            }
            Some((_, Came::Gone)) | None => {}
        }
        let text = data["message"].as_str()?;
        let fields = json!({ "chat": filled["chatId"], "text": filled["message"] });
        let step = self.begin(who, vec![("send", fields)])?;
        self.messages += 1;
        let id = self.names.take(&format!("m{}", self.messages));
        if let Some(own) = own {
            self.names.fix(own, step, format!("{id}.clientMessageId"));
        }
        self.steps[step].id = Some(id);
        if ack.is_none() {
            self.steps[step].came = Came::Done;
        }
        self.unconfirmed.push_back((step, who, chat.to_owned(), text.to_owned()));
        if self.unconfirmed.len() > ASKED_MAX {
            self.unconfirmed.pop_front();
        }
        Some(step)
    }

    /// Whether this actor did nothing else since it said the same.
    fn is_repeated(&self, who: usize, fields: &Fields) -> bool {
        let own = |step: &&super::Step| step.who == Some(who) && step.fields[0].0 != "receive";
        self.steps.iter().rev().find(own).is_some_and(|step| step.fields == *fields)
    }

    /// The server acknowledged an event.
    pub(crate) fn acked(&mut self, socket: u64, id: u64, answer: &Value) {
        self.hidden.learn(answer);
        let Some(who) = self.hearer(socket) else { return };
        self.turn_to(who);
        let Some(this) = self.sockets.get_mut(&socket) else { return };
        let asked = this.asked.iter_mut().find(|asked| asked.ack == Some(id));
        let Some(asked) = asked.filter(|asked| !asked.is_over) else { return };
        asked.is_over = true;
        let asked = asked.clone();
        if answer["ok"] == json!(false) {
            let code = answer["error"]["code"].as_str().unwrap_or_default().to_owned();
            return self.refuse(&asked, &code);
        }
        self.settle(who, &asked, answer);
    }

    fn settle(&mut self, who: usize, asked: &Asked, answer: &Value) {
        let chat = asked.chat.as_deref().unwrap_or_default();
        match asked.event.as_str() {
            "join_chat" => {
                let person = self.people.of_mut(who);
                person.rooms.insert(chat.to_owned());
                person.came_back &= asked.step.is_none();
                if let (Some(parted), Some(here)) = (person.parted, asked.data["chatId"].as_str()) {
                    self.steps[parted].leaves.remove(here);
                }
            }
            "leave_chat" => {
                let person = self.people.of_mut(who);
                person.rooms.remove(chat);
                person.came_back = false;
            }
            _ => {}
        }
        let Some(step) = asked.step else { return };
        if self.steps[step].id.is_some() {
            return self.stored(step, &answer["message"]);
        }
        if self.steps[step].fields[0].0 == "emit" {
            self.finish(step);
            let asserted = self.expected(step, answer);
            self.names.learn(step, answer);
            self.steps[step].expect.extend(asserted.map(|ack| ("ack".to_owned(), ack)));
        }
        if self.steps[step].came == Came::Open {
            self.finish(step);
        }
    }

    /// A message is stored: what it is called from now on.
    pub(super) fn stored(&mut self, step: usize, message: &Value) {
        let Some(name) = self.steps[step].id.clone() else { return };
        if self.steps[step].came == Came::Open {
            self.finish(step);
        }
        self.unconfirmed.retain(|(waiting, ..)| *waiting != step);
        if let Some(key) = key_of("id", "message", &message["id"]) {
            self.names.fix(key, step, format!("{name}.id"));
        }
        if let (Some(chat), Some(seq)) = (message["chatId"].as_str(), message["seq"].as_i64()) {
            self.names.fix(seq_key(chat, seq), step, format!("{name}.seq"));
            let before = self.names.step_of(&seq_key(chat, seq - 1));
            self.steps[step].after.extend(before.filter(|before| *before != step));
        }
    }

    fn refuse(&mut self, asked: &Asked, code: &str) {
        let Some(step) = asked.step else { return };
        self.names.forget(step);
        self.unconfirmed.retain(|(waiting, ..)| *waiting != step);
        if is_passing(code) {
            return self.drop_step(step, "refusals that another time would not meet");
        }
        self.finish(step);
        let event = self.literal(&asked.event);
        let refusal = if is_word(code) { json!({ "code": code }) } else { json!({}) };
        let step = &mut self.steps[step];
        step.fields = vec![("emit", json!(event)), ("data", asked.data.clone())];
        step.id = None;
        step.expect.insert("error".to_owned(), refusal);
    }

    /// The event `error`: it refuses what was said without asking for an acknowledgement.
    pub(super) fn told_off(&mut self, socket: u64, error: &Value) {
        let Some(this) = self.sockets.get_mut(&socket) else { return };
        let event = error["event"].as_str();
        let asked = this.asked.iter_mut().rev().find(|asked| {
            asked.ack.is_none() && !asked.is_over && event.is_none_or(|event| asked.event == event)
        });
        let Some(asked) = asked else { return };
        asked.is_over = true;
        let asked = asked.clone();
        self.refuse(&asked, error["code"].as_str().unwrap_or_default());
    }

    /// The event that answers a `join_chat` or `leave_chat` without an acknowledgement.
    pub(super) fn done(&mut self, socket: u64, event: &str, answer: &Value) {
        let Some(this) = self.sockets.get_mut(&socket) else { return };
        let Some(who) = this.who else { return };
        let chat = answer["chatId"].as_str();
        let asked = this
            .asked
            .iter_mut()
            .find(|asked| asked.event == event && !asked.is_over && asked.chat.as_deref() == chat);
        let Some(asked) = asked else { return };
        // The acknowledgement may still say more.
        asked.is_over = asked.ack.is_none();
        let asked = asked.clone();
        self.settle(who, &asked, answer);
    }

    /// Whose connection it is, once it is greeted.
    pub(super) fn hearer(&self, socket: u64) -> Option<usize> {
        self.sockets.get(&socket)?.who
    }

    pub(super) fn greeted(&mut self, socket: u64) {
        if let Some(socket) = self.sockets.get_mut(&socket) {
            socket.is_ready = true;
        }
    }
}

/// The number of a message in its chat.
fn seq_key(chat: &str, seq: i64) -> Key {
    Key::Number(format!("message of {chat}"), seq)
}

/// Whether the verb `send` says it.
fn is_plain_message(data: &Value) -> bool {
    let known = ["chatId", "message", "message_type", "clientMessageId"];
    let plain = data["message_type"].is_null() || data["message_type"] == "text";
    let only = data.as_object().is_some_and(|data| data.keys().all(|key| known.contains(&&**key)));
    data["message"].is_string() && plain && only
}
