//! Requests and their answers.

use serde_json::{Value, json};
use trialogue_protocol::Role;

use super::super::hidden::Hidden;
use super::names::Key;
use super::{Came, Story, is_passing, is_too_long, is_word};

/// A request as it left a client.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    /// Without its query.
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    /// The token that it carried.
    pub(crate) bearer: Option<&'a str>,
    /// Its body, where that was JSON.
    pub(crate) json: Option<Value>,
}

/// A request that waits for its answer.
#[derive(Debug)]
pub(crate) struct Ticket {
    step: usize,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Registers or logs in.
    Login,
    /// A booking by its name.
    Book,
    /// A dispute by its name.
    Dispute,
    /// Another request by its name.
    Named,
    History,
    Raw,
}

impl Story {
    /// A request was sent.
    pub(crate) fn called(&mut self, call: &Call<'_>) -> Option<Ticket> {
        let body = call.json.clone().unwrap_or_default();
        self.hidden.learn(&body);
        let path: Vec<&str> = call.path.trim_matches('/').split('/').collect();
        match (call.method, path.as_slice()) {
            ("OPTIONS" | "HEAD", _) | (_, ["auth", "refresh"]) => return None,
            ("POST", ["auth", "login" | "register"]) => {
                let step = self.issue(None, vec![("login", json!(true))])?;
                return Some(Ticket { step, kind: Kind::Login });
            }
            _ => {}
        }
        let Some(bearer) = call.bearer else {
            self.leave_out("requests of nobody in particular");
            return None;
        };
        self.hidden.add("token", bearer);
        let Some(who) = self.people.whose(bearer, &mut self.names) else {
            self.leave_out("requests of people who cannot be told apart");
            return None;
        };
        self.turn_to(who);
        if is_too_long(&body) {
            self.leave_out("requests with a long text");
            return None;
        }
        let (fields, kind) = self.request(call, &path, &body)?;
        Some(Ticket { step: self.begin(who, fields)?, kind })
    }

    fn request(
        &mut self,
        call: &Call<'_>,
        path: &[&str],
        body: &Value,
    ) -> Option<(super::Fields, Kind)> {
        let at = self.next();
        let named = |name: &str, with: Value| vec![("do", json!(name)), ("with", with)];
        let number =
            |kind: &str, text: &str| text.parse().ok().map(|id| Key::Number(kind.to_owned(), id));
        let only = |known: &[&str]| {
            body.as_object().is_some_and(|fields| {
                fields.iter().all(|(key, value)| known.contains(&key.as_str()) || value.is_null())
            })
        };
        Some(match (call.method, path) {
            ("POST", ["jobs", "create"]) if body["providerId"].is_i64() => {
                let provider = body["providerId"].as_i64()?;
                let provider = self.people.meet(provider, Role::Provider, &mut self.names)?;
                self.let_log_in(provider, at);
                let name = self.people.of(provider).name.clone();
                if only(&["providerId", "title"]) {
                    let mut with = json!({ "provider": name });
                    if body["title"].is_string() {
                        with["title"] = self.filled(&body["title"], "title", "", at);
                    }
                    (named("book", with), Kind::Book)
                } else {
                    (self.raw(call, body, at), Kind::Raw)
                }
            }
            ("POST", ["disputes"]) if only(&["chatId", "description"]) => {
                let chat = self.chat(&body["chatId"], at);
                let reason = self.filled(&body["description"], "description", "", at);
                (named("dispute", json!({ "chat": chat, "reason": reason })), Kind::Dispute)
            }
            ("POST", ["disputes", id, verb @ ("join" | "resolve")]) => {
                let known = number("dispute", id).and_then(|key| self.ask(&key, at));
                match (known, *verb) {
                    (Some(dispute), "join") => {
                        (named("enter_dispute", json!({ "dispute": dispute })), Kind::Named)
                    }
                    (Some(dispute), _) if body["resolution"].is_string() => {
                        let resolution = self.filled(&body["resolution"], "resolution", "", at);
                        let with = json!({ "dispute": dispute, "resolution": resolution });
                        (named("resolve_dispute", with), Kind::Named)
                    }
                    _ => (self.raw(call, body, at), Kind::Raw),
                }
            }
            ("POST", ["jobs", id, verb @ ("complete" | "cancel")]) => {
                match number("job", id).and_then(|key| self.ask(&key, at)) {
                    Some(job) => {
                        (named(&format!("{verb}_job"), json!({ "job": job })), Kind::Named)
                    }
                    None => (self.raw(call, body, at), Kind::Raw),
                }
            }
            ("GET", ["chat", chat, "messages"]) if call.query.is_empty() => {
                (vec![("history", self.chat(&json!(chat), at))], Kind::History)
            }
            ("GET" | "POST" | "PUT" | "PATCH" | "DELETE", _) => {
                (self.raw(call, body, at), Kind::Raw)
            }
            _ => {
                self.leave_out("requests with a method that scenarios do not have");
                return None;
            }
        })
    }

    /// The request as it was, with names for ids.
    fn raw(&mut self, call: &Call<'_>, body: &Value, at: super::At) -> super::Fields {
        let mut path = String::new();
        let mut before = "";
        for part in call.path.trim_start_matches('/').split('/') {
            path.push('/');
            let value = match part.parse::<i64>() {
                Ok(number) => json!(number),
                Err(_) => json!(part),
            };
            match super::names::key_of("id", before, &value).and_then(|key| self.ask(&key, at)) {
                Some(name) => path.push_str(&name),
                None if Hidden::looks_secret(part, before) => {
                    path.push_str(&self.hidden.stand_in("secret", part));
                }
                None => path.push_str(&self.literal(part)),
            }
            before = part;
        }
        let mut query = serde_json::Map::new();
        for (name, value) in url::form_urlencoded::parse(call.query.as_bytes()) {
            let value = self.filled(&json!(value), &name, "", at);
            query.insert(name.into_owned(), value);
        }
        let method = match call.method {
            "POST" => "post",
            "PUT" => "put",
            "PATCH" => "patch",
            "DELETE" => "delete",
            _ => "get",
        };
        if query.is_empty() && body.is_null() {
            return vec![(method, json!(path))];
        }
        let mut request = json!({ "path": path });
        if !query.is_empty() {
            request["query"] = Value::Object(query);
        }
        if !body.is_null() {
            request["json"] = self.filled(body, "", "", at);
        }
        vec![(method, request)]
    }

    /// Its answer came, with its body where that was JSON.
    pub(crate) fn answered(&mut self, ticket: &Ticket, status: u16, json: Option<&Value>) {
        let nothing = Value::Null;
        let json = json.unwrap_or(&nothing);
        self.hidden.learn(json);
        if ticket.kind == Kind::Login {
            return self.logged_in(ticket.step, status, json);
        }
        if let Some(who) = self.steps[ticket.step].who {
            self.turn_to(who);
        }
        let code = json["error"].as_str().filter(|code| is_word(code)).unwrap_or_default();
        // What another time would not meet: a busy server, a token that had to be renewed.
        if status >= 500 || [401, 408, 429].contains(&status) || is_passing(code) {
            return self.drop_step(ticket.step, "refusals that another time would not meet");
        }
        self.finish(ticket.step);
        let mut expect = serde_json::Map::new();
        if ticket.kind == Kind::Raw || status >= 400 {
            expect.insert("status".to_owned(), json!(status));
        }
        if status >= 400 {
            if !code.is_empty() {
                expect.insert("error".to_owned(), json!({ "code": code }));
            }
        } else {
            let answer = match ticket.kind {
                Kind::Book => {
                    let pick = |flat: &str, deep: &str| match &json[flat] {
                        Value::Null => json[deep]["id"].clone(),
                        id => id.clone(),
                    };
                    self.named_answer(ticket.step, "jobId", "$.job", &pick("jobId", "job"));
                    self.named_answer(ticket.step, "chatId", "$.chat", &pick("chatId", "chat"));
                    None
                }
                Kind::Dispute => {
                    self.called_in(ticket.step, json);
                    None
                }
                Kind::Named => None,
                Kind::Login | Kind::History | Kind::Raw => Some(json),
            };
            if let Some(answer) = answer {
                let asserted = self.expected(ticket.step, answer);
                expect.extend(asserted.map(|json| ("json".to_owned(), json)));
                self.names.learn(ticket.step, answer);
            }
        }
        self.steps[ticket.step].expect = expect;
    }

    /// No answer came.
    pub(crate) fn unanswered(&mut self, ticket: &Ticket) {
        self.drop_step(ticket.step, "requests that were not answered");
    }

    /// An id in the answer of a request by its name, whose shape is the runner's.
    fn named_answer(&mut self, step: usize, name: &str, path: &str, id: &Value) {
        let Some(key) = super::names::key_of(name, "", id) else { return };
        self.names.learn_at(key, step, path);
    }

    /// A dispute finds the LSM of its region: whoever that was is there before.
    fn called_in(&mut self, step: usize, json: &Value) {
        self.named_answer(step, "disputeId", "$.dispute", &json["disputeId"]);
        let Some(lsm) = json["lsm"]["id"].as_i64() else { return };
        if let Some(who) = self.people.meet(lsm, Role::Lsm, &mut self.names) {
            self.let_log_in(who, (self.steps[step].at.0, 0));
        }
    }

    fn logged_in(&mut self, step: usize, status: u16, json: &Value) {
        let user = json["user"]["id"].as_i64();
        let role = json["user"]["role"].as_str().and_then(|role| role.parse::<Role>().ok());
        let (Some(user), Some(role), true) = (user, role, status < 300) else {
            return self.drop_step(step, "log-ins that were refused");
        };
        let Some(who) = self.people.meet(user, role, &mut self.names) else {
            return self.drop_step(step, "people over the limit of a scenario");
        };
        for name in ["accessToken", "refreshToken"] {
            if let Some(token) = json[name].as_str() {
                self.people.know(token, who);
            }
        }
        let at = self.finish(step);
        // A page that registers and logs in has logged in once.
        let last = self.steps.iter().rposition(|step| step.who == Some(who));
        let again = last.is_some_and(|last| self.steps[last].fields[0].0 == "login");
        let step = &mut self.steps[step];
        step.who = Some(who);
        if again {
            step.came = Came::Gone;
        }
        let login = &mut self.people.of_mut(who).login;
        *login = Some(login.map_or(at, |before| before.min(at)));
    }
}
