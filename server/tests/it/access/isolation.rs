//! Isolation (promise 5, B12): random talk in thirty chats with a canary in every text, and nobody
//! receives a byte of a chat that they are not in, by any event, route or error; no log has one.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng};
use serde_json::{Value, json};
use trialogue_socketio::Outgoing;
use trialogue_socketio::client::{Client, ClientConfig, ClientSocket, PendingAck, Received};

use super::log;
use crate::fixture::{Fixture, Person, SOON};

const CHATS: usize = 30;
const CUSTOMERS: usize = 10;
const PROVIDERS: usize = 10;
/// One of a region each: a dispute of the region is theirs.
const LSMS: usize = 5;
const STEPS: usize = 700;
/// In messages of people who may not speak: nobody may ever receive it.
const UNHEARD: &str = "canary-unheard";

/// Somebody with two sockets, and everything that was ever received by them.
struct Receiver {
    person: Person,
    /// One goes into rooms, one stays outside.
    sockets: [ClientSocket; 2],
    pending: Vec<PendingAck>,
    received: String,
}

/// A chat, as the test knows it.
struct Talk {
    id: String,
    job: i64,
    members: Vec<usize>,
    /// The LSM who was asked in or is in, the dispute, and whether they have come.
    dispute: Option<(usize, i64, bool)>,
    /// Rises when somebody leaves: what is said then has another canary.
    chapter: usize,
    /// Who may know which canaries.
    known: BTreeMap<usize, Vec<String>>,
}

impl Talk {
    /// What every text of this chapter contains.
    fn canary(&self) -> String {
        format!("canary-{}-{}-", self.job, self.chapter)
    }

    fn let_in(&mut self, who: usize) {
        // Texts of people, and descriptions of disputes.
        let canaries = (0..=self.chapter)
            .flat_map(|at| ["", "d"].map(|what| format!("{what}canary-{}-{at}-", self.job)));
        self.known.entry(who).or_default().extend(canaries);
    }
}

impl Receiver {
    async fn of(person: Person) -> Self {
        let mut sockets = Vec::new();
        for _ in 0..2 {
            let mut config = ClientConfig::new(person.url.parse().unwrap());
            // Everything that comes is kept until it is looked at.
            config.inbound_events_max = 1 << 16;
            config.inbound_bytes_max = 1 << 26;
            let client = Client::connect(config).await.unwrap();
            let auth = json!({ "token": person.token });
            sockets.push(client.namespace("/chat", Some(&auth)).await.unwrap());
        }
        let sockets = sockets.try_into().unwrap();
        Self { person, sockets, pending: Vec::new(), received: String::new() }
    }

    fn ask(&mut self, socket: usize, event: &str, body: &Value) {
        let sender = self.sockets[socket].sender();
        self.pending.push(sender.emit_for_ack(&Outgoing::new(event, body).unwrap()).unwrap());
    }

    async fn settle(&mut self) {
        for ack in self.pending.drain(..) {
            self.received.push_str(ack.within(SOON).await.unwrap().json());
            self.received.push('\n');
        }
    }

    async fn rest(&mut self, path: &str, body: Option<Value>) -> (u16, Value) {
        let answer = match body {
            Some(body) => self.person.post(path, body).await,
            None => self.person.get(path).await,
        };
        self.received.push_str(&format!("{path} {} {}\n", answer.0, answer.1));
        answer
    }

    /// Everything that has come up to the answer to a last question.
    async fn drain(&mut self) {
        for socket in 0..2 {
            self.ask(socket, "leave_chat", &json!({ "chatId": uuid::Uuid::nil() }));
        }
        self.settle().await;
        for socket in &mut self.sockets {
            while let Some(received) = futures_util::FutureExt::now_or_never(socket.recv()) {
                let Received::Event(event) = received else { panic!("closed: {received:?}") };
                self.received.push_str(&format!("{} {}\n", event.name(), event.args().json()));
            }
        }
    }
}

struct World {
    people: Vec<Receiver>,
    talks: Vec<Talk>,
    dice: StdRng,
    said: usize,
}

impl World {
    async fn new(server: &Fixture) -> Self {
        let mut people = Vec::new();
        let roles = [("customer", CUSTOMERS), ("provider", PROVIDERS), ("lsm", LSMS)];
        for (role, count) in roles {
            for at in 0..count {
                let region = format!("region {}", at % LSMS);
                people.push(Receiver::of(server.register_in(role, &region).await).await);
            }
        }
        let mut world = Self {
            people,
            talks: Vec::new(),
            dice: StdRng::seed_from_u64(0x7269_616c_6f67_7565),
            said: 0,
        };
        for at in 0..CHATS {
            world.book(at % CUSTOMERS, CUSTOMERS + (at * 7 + at / CUSTOMERS) % PROVIDERS).await;
        }
        world
    }

    async fn book(&mut self, customer: usize, provider: usize) {
        // Jobs are counted from 1 in a new database, and the title must have the canary already.
        let job = i64::try_from(self.talks.len() + 1).unwrap();
        let mut talk = Talk {
            id: String::new(),
            job,
            members: vec![customer, provider],
            dispute: None,
            chapter: 0,
            known: BTreeMap::new(),
        };
        let canary = talk.canary();
        let body = json!({
            "providerId": self.people[provider].person.id, "title": canary, "location": canary,
            "description": canary,
        });
        let (status, booked) = self.people[customer].rest("/jobs/create", Some(body)).await;
        assert_eq!((status, &booked["jobId"]), (201, &json!(job)), "{booked}");
        talk.id = booked["chatId"].as_str().unwrap().to_owned();
        for who in [customer, provider] {
            talk.let_in(who);
            self.people[who].ask(0, "join_chat", &json!({ "chatId": talk.id }));
        }
        self.talks.push(talk);
    }

    /// Something that somebody does to a chat, allowed or not.
    async fn step(&mut self) {
        let at = self.dice.random_range(0..self.talks.len());
        let who = match self.dice.random_range(0..4) {
            0 => self.dice.random_range(0..self.people.len()),
            _ => {
                let members = &self.talks[at].members;
                members[self.dice.random_range(0..members.len())]
            }
        };
        let socket = self.dice.random_range(0..2);
        let talk = &self.talks[at];
        let (chat, is_member) = (json!(talk.id), talk.members.contains(&who));
        let (event, body) = match self.dice.random_range(0..17) {
            0..=6 => {
                self.said += 1;
                let canary = if is_member { talk.canary() } else { UNHEARD.to_owned() };
                let key = format!("{canary}{}", self.said);
                let text = format!("{canary} says {who}: {}", self.said);
                (
                    "send_message",
                    json!({
                    "chatId": chat, "message": text, "clientMessageId": key }),
                )
            }
            7 => ("typing", json!({ "chatId": chat, "isTyping": true })),
            8 => ("mark_read", json!({ "chatId": chat })),
            9 => ("fetch_messages", json!({ "chatId": chat, "afterSeq": 0, "limit": 50 })),
            10 => ("join_chat", json!({ "chatId": chat, "sinceSeq": 0 })),
            11 if !is_member => ("leave_chat", json!({ "chatId": chat })),
            12 => (
                "send_message",
                json!({ "chatId": chat, "message": UNHEARD, "seq": [] ,
                                           "message_type": "parcel" }),
            ),
            13 => return self.look(at, who).await,
            14 | 15 => return self.dispute(at).await,
            _ => return self.settle().await,
        };
        // A socket that was never asked to join stays outside.
        let socket = if event == "join_chat" { 0 } else { socket };
        if event == "join_chat" && self.invited(at, who) {
            return self.dispute(at).await;
        }
        self.people[who].ask(socket, event, &body);
    }

    fn invited(&self, at: usize, who: usize) -> bool {
        self.talks[at].dispute.is_some_and(|(lsm, _, joined)| lsm == who && !joined)
    }

    async fn settle(&mut self) {
        for person in &mut self.people {
            person.settle().await;
        }
    }

    /// Reads what REST tells of a chat.
    async fn look(&mut self, at: usize, who: usize) {
        let (id, job) = (&self.talks[at].id, self.talks[at].job);
        for path in [
            format!("/chat/{id}"),
            format!("/chat/{id}/messages"),
            format!("/jobs/{job}"),
            "/notifications?limit=20".to_owned(),
            "/disputes".to_owned(),
        ] {
            self.people[who].rest(&path, None).await;
        }
    }

    /// Opens a dispute, or lets the LSM come, or ends it.
    async fn dispute(&mut self, at: usize) {
        self.settle().await;
        let talk = &mut self.talks[at];
        let canary = talk.canary();
        match talk.dispute {
            None => {
                let by = talk.members[self.dice.random_range(0..2)];
                let body = json!({ "chatId": talk.id, "description": format!("d{canary}") });
                let (status, opened) = self.people[by].rest("/disputes", Some(body)).await;
                assert_eq!(status, 201, "{opened}");
                let asked = opened["lsm"]["id"].as_i64().unwrap();
                let lsm = self.people.iter().position(|p| p.person.id == asked).unwrap();
                // The description comes with the invitation.
                talk.known.entry(lsm).or_default().push(format!("d{canary}"));
                talk.dispute = Some((lsm, opened["disputeId"].as_i64().unwrap(), false));
            }
            Some((lsm, id, false)) => {
                talk.let_in(lsm);
                talk.members.push(lsm);
                talk.dispute = Some((lsm, id, true));
                let chat = json!({ "chatId": talk.id, "sinceSeq": 0 });
                self.people[lsm].ask(0, "join_chat", &chat);
                self.people[lsm].settle().await;
            }
            Some((lsm, id, true)) => {
                let body = json!({ "resolution": format!("{canary} is settled") });
                let path = format!("/disputes/{id}/resolve");
                let (status, body) = self.people[lsm].rest(&path, Some(body)).await;
                assert_eq!(status, 200, "{body}");
                talk.members.retain(|member| *member != lsm);
                talk.dispute = None;
                // From now on everything has a canary that the LSM may not know; the people who
                // stay know all of them.
                talk.chapter += 1;
                for member in talk.members.clone() {
                    talk.let_in(member);
                }
            }
        }
    }

    /// Who holds a canary of a chat, or of a time, that is not theirs.
    fn leaks(&self) -> Vec<String> {
        let mut leaks = Vec::new();
        for (who, receiver) in self.people.iter().enumerate() {
            for line in receiver.received.lines() {
                for word in line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-') {
                    if !word.contains("canary-") {
                        continue;
                    }
                    let is_known = self.talks.iter().any(|talk| {
                        let known = talk.known.get(&who).into_iter().flatten();
                        known.into_iter().any(|canary| word.starts_with(canary.as_str()))
                    });
                    if !is_known {
                        leaks.push(format!("{who} got {word}: {line:.300}"));
                    }
                }
            }
        }
        leaks
    }
}

#[tokio::test]
async fn nobody_receives_a_byte_of_a_chat_that_they_are_not_in() {
    let (log, _guard) = log::capture();
    let server = Fixture::start().await;
    let mut world = World::new(&server).await;
    world.settle().await;
    for _ in 0..STEPS {
        world.step().await;
    }
    world.settle().await;
    for who in 0..world.people.len() {
        for at in 0..CHATS {
            let path = format!("/chat/{}/messages", world.talks[at].id);
            world.people[who].rest(&path, None).await;
        }
        for list in ["/chat", "/jobs", "/disputes", "/notifications?limit=1000", "/providers"] {
            world.people[who].rest(list, None).await;
        }
        world.people[who].drain().await;
    }

    let leaks = world.leaks();
    assert!(
        leaks.is_empty(),
        "{} leaks:\n{}",
        leaks.len(),
        leaks[..leaks.len().min(20)].join("\n")
    );
    let chapters: usize = world.talks.iter().map(|talk| talk.chapter).sum();
    assert!(world.said > STEPS / 4 && chapters > 5, "{} said, {chapters} chapters", world.said);
    for talk in &world.talks {
        for member in &talk.members {
            let heard = world.people[*member].received.contains(&talk.canary());
            assert!(heard || talk.chapter > 0, "what may be received is received and seen here");
        }
    }
    let log = log.text();
    let lines = log.lines().count();
    assert!(log.contains("request{") && lines > STEPS, "the log is the server's: {lines} lines");
    let spoken = log.lines().find(|line| line.contains("canary-"));
    assert_eq!(spoken, None, "what people say is logged");
    for secret in world.people.iter().flat_map(|r| [&r.person.token, &r.person.refresh_token]) {
        assert!(!log.contains(secret.as_str()), "a token is logged");
    }
    assert!(!log.contains("correct horse"), "a password is logged");
}
