//! What passes between clients and a server, in words that a lie can change: events,
//! acknowledgements and answers over HTTP. Nothing here touches a network.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::BytesMut;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;
use trialogue_socketio::engine::EnginePacket;
use trialogue_socketio::packet::{
    Body, Decoded, Packet, PacketLimits, decode, encode_ack, encode_event,
};
use trialogue_socketio::{Args, Outgoing};

pub(super) const CUSTOMER: &str = "customer";
pub(super) const PROVIDER: &str = "service_provider";
pub(super) const LSM: &str = "local_service_manager";

/// Takes texts on one way of a WebSocket, and nothing for its end.
type Texts = UnboundedSender<Option<String>>;

/// One way in which a server, a line or a client goes wrong: looks at everything that passes.
pub(super) type Lie = Box<dyn FnMut(Passing<'_>, &mut Out) + Send>;

/// Something on its way.
pub(super) enum Passing<'a> {
    /// A client's event to the server.
    Emitted(&'a mut Frame),
    /// The server's event to a client, or its acknowledgement: `ack send_message`.
    Pushed(&'a mut Frame),
    /// A client's question over HTTP: its path, with its query.
    Asked(&'a mut String),
    /// The server's answer to it.
    Answered(&'a mut Answer),
}

/// An event or an acknowledgement.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) session: usize,
    /// The user behind the connection, 0 until the server has said `connected`.
    pub(super) user: i64,
    pub(super) role: String,
    pub(super) name: String,
    /// The first argument.
    pub(super) data: Value,
    /// What an acknowledgement answers.
    pub(super) asked: Value,
    /// Of the acknowledgement that it is or asks for.
    pub(super) id: Option<u64>,
    pub(super) dropped: bool,
}

/// An answer over HTTP.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) method: String,
    /// With its query.
    pub(super) path: String,
    /// Whose token was used; 0 without one that is known.
    pub(super) user: i64,
    pub(super) status: u16,
    pub(super) json: Value,
}

/// What a lie says besides.
pub(super) struct Out {
    says: Vec<(usize, Duration, Say)>,
    cut: Vec<usize>,
    /// By connection: its user and role, and the chats whose rooms it has entered.
    people: BTreeMap<usize, (i64, String, BTreeSet<String>)>,
}

/// Something for one connection.
#[derive(Debug, Clone)]
enum Say {
    ToClient(String),
    ToServer(String),
}

impl Out {
    /// An event for this connection, after what passes now.
    pub(super) fn event(&mut self, session: usize, name: &str, data: &Value) {
        self.later(Duration::ZERO, session, name, data);
    }

    /// The same, once so much time has passed.
    pub(super) fn later(&mut self, after: Duration, session: usize, name: &str, data: &Value) {
        self.says.push((session, after, Say::ToClient(event_text(name, None, data))));
    }

    /// An acknowledgement of what was emitted there.
    pub(super) fn ack(&mut self, of: &Frame, json: &Value) {
        let Some(id) = of.id else { return };
        self.says.push((of.session, Duration::ZERO, Say::ToClient(ack_text(id, json))));
    }

    /// An event for the server, as if this client had emitted it.
    pub(super) fn emit(&mut self, session: usize, name: &str, data: &Value) {
        self.says.push((session, Duration::ZERO, Say::ToServer(event_text(name, None, data))));
    }

    /// Ends this connection without a word.
    pub(super) fn cut(&mut self, session: usize) {
        self.cut.push(session);
    }

    /// A connection of somebody of this role who has never entered the room of this chat.
    pub(super) fn outsider(&self, chat: &Value, role: &str) -> Option<usize> {
        let chat = chat.as_str()?;
        let is_in =
            |of: i64| self.people.values().any(|(u, _, all)| *u == of && all.contains(chat));
        let mut all = self.people.iter();
        let found = all.find(|(_, (user, own, _))| own == role && *user != 0 && !is_in(*user));
        found.map(|(session, _)| *session)
    }
}

/// Everything that a proxy knows.
pub(super) struct Hub {
    state: Mutex<State>,
}

struct State {
    lie: Lie,
    sessions: BTreeMap<usize, Session>,
    next: usize,
    by_sid: HashMap<String, usize>,
    by_token: HashMap<String, i64>,
}

#[derive(Default)]
struct Session {
    user: i64,
    role: String,
    rooms: BTreeSet<String>,
    /// Events that wait for an acknowledgement.
    asked: HashMap<u64, (String, Value)>,
    /// Where it is a WebSocket: texts for the client and for the server, nothing for its end.
    carrier: Option<(Texts, Texts)>,
    /// What waits for the next poll.
    waiting: Vec<String>,
}

impl Hub {
    pub(super) fn new(lie: Lie) -> Arc<Self> {
        let (sessions, by_sid, by_token) = Default::default();
        let state = State { lie, sessions, next: 1, by_sid, by_token };
        Arc::new(Self { state: Mutex::new(state) })
    }

    /// The session of this id, or a new one.
    pub(super) fn session(&self, sid: Option<&str>) -> usize {
        let mut state = self.state.lock().unwrap();
        if let Some(known) = sid.and_then(|sid| state.by_sid.get(sid)) {
            return *known;
        }
        let id = state.next;
        state.next += 1;
        state.sessions.insert(id, Session::default());
        id
    }

    /// From now on it is this WebSocket.
    pub(super) fn carry(&self, session: usize, to_client: Texts, to_server: Texts) {
        let mut state = self.state.lock().unwrap();
        let Some(session) = state.sessions.get_mut(&session) else { return };
        for text in session.waiting.drain(..) {
            let _ = to_client.send(Some(text));
        }
        session.carrier = Some((to_client, to_server));
    }

    pub(super) fn waiting(&self, session: usize) -> Vec<String> {
        let mut state = self.state.lock().unwrap();
        state.sessions.get_mut(&session).map(|s| std::mem::take(&mut s.waiting)).unwrap_or_default()
    }

    /// A packet of a client as it goes on; what else is to be said is said by and by.
    pub(super) fn up(self: &Arc<Self>, session: usize, text: &str) -> Option<String> {
        let Some((frame, kind)) = self.read(session, text) else { return Some(text.to_owned()) };
        if let (Kind::Event, Some(id)) = (kind, frame.id) {
            let mut state = self.state.lock().unwrap();
            let asked = (frame.name.clone(), frame.data.clone());
            state.sessions.get_mut(&session).and_then(|one| one.asked.insert(id, asked));
        }
        self.pass(frame, kind, true)
    }

    /// The same of a packet of the server.
    pub(super) fn down(self: &Arc<Self>, session: usize, text: &str) -> Option<String> {
        if let Ok(EnginePacket::Open(open)) = EnginePacket::decode(text.as_bytes()) {
            let open: Value = serde_json::from_str(open).unwrap();
            let mut state = self.state.lock().unwrap();
            state.by_sid.insert(open["sid"].as_str().unwrap().to_owned(), session);
        }
        let Some((frame, kind)) = self.read(session, text) else { return Some(text.to_owned()) };
        let frame = self.known(frame);
        self.pass(frame, kind, false)
    }

    /// The path of a question, as it goes on.
    pub(super) fn ask(self: &Arc<Self>, path: &mut String) {
        let mut state = self.state.lock().unwrap();
        let mut out = state.out();
        (state.lie)(Passing::Asked(path), &mut out);
        drop(state);
        self.say(out);
    }

    /// An answer, changed.
    pub(super) fn answer(self: &Arc<Self>, token: Option<&str>, answer: &mut Answer) {
        let mut state = self.state.lock().unwrap();
        if let (Some(token), Some(user)) =
            (answer.json["accessToken"].as_str(), answer.json["user"]["id"].as_i64())
        {
            state.by_token.insert(token.to_owned(), user);
        }
        answer.user = token.and_then(|token| state.by_token.get(token)).copied().unwrap_or(0);
        let mut out = state.out();
        (state.lie)(Passing::Answered(answer), &mut out);
        drop(state);
        self.say(out);
    }

    fn read(&self, session: usize, text: &str) -> Option<(Frame, Kind)> {
        let Ok(EnginePacket::Message(packet)) = EnginePacket::decode(text.as_bytes()) else {
            return None;
        };
        let decoded = decode(packet.as_bytes(), &PacketLimits::default()).ok()?;
        let Decoded::Packet(Packet { body, .. }) = decoded else { return None };
        let state = self.state.lock().unwrap();
        let of = state.sessions.get(&session)?;
        let first = |args: &Args| args.get(0).unwrap_or(Value::Null);
        let (name, data, asked, id, kind) = match body {
            Body::Event { id, event } => {
                (event.name().to_owned(), first(event.args()), Value::Null, id, Kind::Event)
            }
            Body::Ack { id, args } => {
                let (name, asked) = of.asked.get(&id).cloned().unwrap_or_default();
                (format!("ack {name}"), first(&args), asked, Some(id), Kind::Ack)
            }
            Body::Connect(_) | Body::Disconnect | Body::ConnectError(_) => return None,
        };
        let (user, role) = (of.user, of.role.clone());
        let frame = Frame { session, user, role, name, data, asked, id, dropped: false };
        Some((frame, kind))
    }

    /// Learns who is behind a connection and where they are.
    fn known(&self, mut frame: Frame) -> Frame {
        let mut state = self.state.lock().unwrap();
        let Some(session) = state.sessions.get_mut(&frame.session) else { return frame };
        if frame.name == "connected" {
            session.user = frame.data["userId"].as_i64().unwrap_or(0);
            session.role = frame.data["role"].as_str().unwrap_or_default().to_owned();
            (frame.user, frame.role) = (session.user, session.role.clone());
        }
        if frame.name == "joined_chat" {
            session.rooms.extend(frame.data["chatId"].as_str().map(str::to_owned));
        }
        frame
    }

    fn pass(self: &Arc<Self>, mut frame: Frame, kind: Kind, is_up: bool) -> Option<String> {
        let mut state = self.state.lock().unwrap();
        let mut out = state.out();
        let passing = match is_up {
            true => Passing::Emitted(&mut frame),
            false => Passing::Pushed(&mut frame),
        };
        (state.lie)(passing, &mut out);
        drop(state);
        // What follows must come after: it waits for its turn in the same queue.
        let text = (!frame.dropped).then(|| match kind {
            Kind::Event => event_text(&frame.name, frame.id, &frame.data),
            Kind::Ack => ack_text(frame.id.unwrap_or_default(), &frame.data),
        });
        let first = text.and_then(|text| self.queued(frame.session, is_up, text));
        self.say(out);
        first
    }

    /// Puts a text into the queue of its WebSocket; without one it is the caller's to carry.
    fn queued(&self, session: usize, is_up: bool, text: String) -> Option<String> {
        let state = self.state.lock().unwrap();
        match state.sessions.get(&session).and_then(|one| one.carrier.as_ref()) {
            Some((to_client, to_server)) => {
                let _ = if is_up { to_server } else { to_client }.send(Some(text));
                None
            }
            None => Some(text),
        }
    }

    fn say(self: &Arc<Self>, out: Out) {
        for (session, after, say) in out.says {
            if after.is_zero() {
                self.say_now(session, say);
                continue;
            }
            let hub = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                hub.say_now(session, say);
            });
        }
        let state = self.state.lock().unwrap();
        for session in out.cut {
            if let Some((to_client, to_server)) =
                state.sessions.get(&session).and_then(|one| one.carrier.as_ref())
            {
                let _ = (to_client.send(None), to_server.send(None));
            }
        }
    }

    fn say_now(&self, session: usize, say: Say) {
        let mut state = self.state.lock().unwrap();
        let Some(session) = state.sessions.get_mut(&session) else { return };
        match (say, &session.carrier) {
            (Say::ToClient(text), Some((to_client, _))) => _ = to_client.send(Some(text)),
            (Say::ToServer(text), Some((_, to_server))) => _ = to_server.send(Some(text)),
            (Say::ToClient(text), None) => session.waiting.push(text),
            (Say::ToServer(_), None) => panic!("clients that lie do so by WebSocket"),
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Event,
    Ack,
}

impl State {
    fn out(&self) -> Out {
        let of =
            |(id, one): (&usize, &Session)| (*id, (one.user, one.role.clone(), one.rooms.clone()));
        let people = self.sessions.iter().map(of).collect();
        Out { says: Vec::new(), cut: Vec::new(), people }
    }
}

fn event_text(name: &str, id: Option<u64>, data: &Value) -> String {
    let mut text = BytesMut::from(&b"4"[..]);
    encode_event(&mut text, "/chat", id, &Outgoing::new(name, data).unwrap());
    String::from_utf8(text.to_vec()).unwrap()
}

fn ack_text(id: u64, data: &Value) -> String {
    let mut text = BytesMut::from(&b"4"[..]);
    encode_ack(&mut text, "/chat", id, &json!([data]).to_string(), 0);
    String::from_utf8(text.to_vec()).unwrap()
}
