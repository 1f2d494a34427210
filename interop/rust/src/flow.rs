//! The flow, by a client that wants to know what became of what it sent.

use std::process::Command;
use std::time::Duration;

use rust_socketio::TransportType;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::rest::{Rest, variable};
use crate::voice::{Came, Failure, Voice, WAIT, expect};

/// From a killed server to a client that is back: database, start and the client's own delay.
const RECOVERY: Duration = Duration::from_secs(60);

struct Person {
    id: u64,
    name: String,
    token: String,
}

fn newcomer(rest: &Rest, role: &str, first_name: &str) -> Result<Person, Failure> {
    let body = json!({
        "email": format!("{}-{}@example.test", first_name.to_lowercase(), Uuid::new_v4()),
        "password": Uuid::new_v4().to_string(),
        "firstName": first_name,
        "lastName": "Peer",
        "role": role,
    });
    let answer = rest.post("/auth/register", None, &body)?;
    Ok(Person {
        id: answer["user"]["id"].as_u64().ok_or("no user id")?,
        name: format!("{first_name} Peer"),
        token: text(&answer["accessToken"])?,
    })
}

fn text(value: &Value) -> Result<String, Failure> {
    Ok(value.as_str().ok_or_else(|| format!("{value} is no text"))?.to_owned())
}

fn book(rest: &Rest, customer: &Person, provider: &Person) -> Result<String, Failure> {
    let body = json!({ "providerId": provider.id, "title": "Kitchen sink leak" });
    text(&rest.post("/jobs/create", Some(&customer.token), &body)?["chatId"])
}

fn history_is(rest: &Rest, person: &Person, chat: &str, texts: &[&str]) -> Result<(), Failure> {
    let page = rest.get(&format!("/chat/{chat}/messages"), &person.token)?;
    let rows = page["messages"].as_array().ok_or("no messages")?;
    let came: Vec<_> = rows.iter().filter_map(|row| row["message"].as_str()).collect();
    expect(&came, &texts.to_vec(), "the history")
}

/// A person with a socket in the chat service.
struct Member<'a> {
    person: &'a Person,
    voice: Voice,
}

impl<'a> Member<'a> {
    fn connect(person: &'a Person, transport: TransportType) -> Result<Self, Failure> {
        let url = variable("TRIALOGUE_URL")?;
        let voice = Voice::connect(&url, "/chat", json!({ "token": person.token }), transport)?;
        let hello = voice.next("connected", |_| true)?;
        let expected = format!("Connected: userId={}", person.id);
        expect(&text(&hello.value()?["message"])?, &expected, "the greeting")?;
        Ok(Self { person, voice })
    }

    fn join(&self, chat: &str) -> Result<Value, Failure> {
        let answer = self.voice.ask("join_chat", json!({ "chatId": chat, "sinceSeq": 0 }))?;
        expect(&answer["ok"], &json!(true), &format!("join_chat acknowledged in {answer} as"))?;
        self.voice
            .next("joined_chat", |came| came.value().is_ok_and(|body| body["chatId"] == chat))?;
        Ok(answer)
    }

    fn say(&self, chat: &str, message: &str, key: &str) -> Result<(Value, Value), Failure> {
        let body = json!({ "chatId": chat, "message": message, "clientMessageId": key });
        let answer = self.voice.ask("send_message", body)?;
        expect(&answer["ok"], &json!(true), &format!("send_message acknowledged in {answer} as"))?;
        Ok((answer["status"].clone(), answer["message"].clone()))
    }

    fn hears(&self, message: &str) -> Result<Value, Failure> {
        let test = |came: &Came| came.value().is_ok_and(|body| body["message"] == message);
        Ok(self.voice.next("new_message", test)?.value()?.clone())
    }
}

fn key() -> String {
    Uuid::new_v4().to_string()
}

pub(crate) fn the_flow(transport: TransportType) -> Result<(), Failure> {
    let rest = Rest::new()?;
    let amna = newcomer(&rest, "customer", "Amna")?;
    let ravi = newcomer(&rest, "provider", "Ravi")?;
    let stranger = newcomer(&rest, "customer", "Stranger")?;
    let chat = book(&rest, &amna, &ravi)?;
    let customer = Member::connect(&amna, transport.clone())?;
    let provider = Member::connect(&ravi, transport.clone())?;
    let outsider = Member::connect(&stranger, transport)?;
    customer.join(&chat)?;
    provider.join(&chat)?;
    let ravi_joins = |came: &Came| came.value().is_ok_and(|body| body["userId"] == ravi.id);
    customer.voice.next("user_joined", ravi_joins)?;

    let (said, sent) = ("Hi Ravi, can you come today? عند الباب 👋", key());
    let (status, stored) = customer.say(&chat, said, &sent)?;
    expect(&(&status, &stored["seq"]), &(&json!("stored"), &json!(1)), "the acknowledgement")?;
    for member in [&customer, &provider] {
        let heard = member.hears(said)?;
        let came = ["id", "chatId", "sender_id", "sender_name"].map(|field| heard[field].clone());
        let expected = [stored["id"].clone(), json!(chat), json!(amna.id), json!(amna.name)];
        expect(&came, &expected, "the message")?;
        let own = if member.person.id == amna.id { json!(sent) } else { Value::Null };
        expect(&heard["clientMessageId"], &own, "the key, at its sender alone,")?;
    }
    // The same key again: the same message, and nobody hears it twice.
    let (status, again) = customer.say(&chat, said, &sent)?;
    let expected = (&json!("duplicate"), &stored["id"]);
    expect(&(&status, &again["id"]), &expected, "the second acknowledgement")?;
    provider.say(&chat, "Yes, at 16:00.", &key())?;
    for member in [&customer, &provider] {
        member.hears("Yes, at 16:00.")?;
        expect(&member.voice.count("new_message"), &0, "messages heard twice")?;
    }

    for event in ["join_chat", "send_message"] {
        let refused =
            outsider.voice.ask(event, json!({ "chatId": chat, "message": "let me in" }))?;
        let came = (&refused["ok"], &refused["error"]["code"]);
        expect(&came, &(&json!(false), &json!("denied")), event)?;
    }
    expect(&outsider.voice.count("new_message"), &0, "messages at a stranger")?;
    history_is(&rest, &ravi, &chat, &[said, "Yes, at 16:00."])
}

pub(crate) fn a_bad_token_is_refused(transport: TransportType) -> Result<(), Failure> {
    let url = variable("TRIALOGUE_URL")?;
    let voice = Voice::connect(&url, "/chat", json!({ "token": "not.a.token" }), transport)?;
    // The crate has no value for a refusal: it puts a sentence in front of the packet's JSON.
    let refused = text(voice.next_within("error", WAIT)?.value()?)?;
    let data = refused.split_once('{').map(|(_, rest)| format!("{{{rest}")).unwrap_or_default();
    let data: Value = serde_json::from_str(&data).map_err(|error| format!("{refused}: {error}"))?;
    expect(&data["data"]["code"], &json!("unauthenticated"), "the code of the refusal")?;
    expect(&voice.count("connected"), &0, "greetings")
}

pub(crate) fn killed_and_restarted_it_comes_back_by_itself(
    transport: TransportType,
) -> Result<(), Failure> {
    let rest = Rest::new()?;
    let amna = newcomer(&rest, "customer", "Amna")?;
    let ravi = newcomer(&rest, "provider", "Ravi")?;
    let chat = book(&rest, &amna, &ravi)?;
    let customer = Member::connect(&amna, transport.clone())?;
    let provider = Member::connect(&ravi, transport)?;
    for member in [&customer, &provider] {
        member.join(&chat)?;
    }
    customer.say(&chat, "before", &key())?;
    for member in [&customer, &provider] {
        member.hears("before")?;
    }

    let restarted = Command::new(variable("TRIALOGUE_RESTART")?).status()?;
    expect(&restarted.success(), &true, "the restart's success")?;
    for member in [&customer, &provider] {
        // By itself, with the token it already has.
        let hello = member.voice.next_within("connected", RECOVERY)?;
        expect(&hello.value()?["userId"], &json!(member.person.id), "the user")?;
        let joined = member.join(&chat)?;
        let missed: Vec<_> = joined["messages"].as_array().ok_or("no page")?.iter().collect();
        expect(&missed.len(), &1, "messages in the page")?;
        expect(&missed[0]["message"], &json!("before"), "what was missed")?;
    }
    provider.say(&chat, "after", &key())?;
    for member in [&customer, &provider] {
        member.hears("after")?;
    }
    history_is(&rest, &amna, &chat, &["before", "after"])
}
