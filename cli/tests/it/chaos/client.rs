//! One device: connects, resumes its rooms by `sinceSeq`, writes down what comes, and comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use trialogue_checker::Line;
use trialogue_checker::history::OpName;
use trialogue_socketio::Outgoing;
use trialogue_socketio::client::{
    Client, ClientConfig, ClientSender, ClientSocket, Event, Received,
};

use super::cast::Person;
use super::history::{Pen, copy, entry};
use super::run::Run;
use super::witness::Witness;

/// The wait for anything that the server answers by itself.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// Messages of a page that a device asks for when it catches up: few, so that there are many.
const PAGE: u64 = 40;
/// A device reads everything at once; the wire is the server's to bound.
const INBOX_EVENTS: usize = 64 * 1024;
const INBOX_BYTES: usize = 64 * 1024 * 1024;

/// Why a device has to come again.
#[derive(Debug)]
pub(super) struct Lost;

/// A device of a person.
pub(super) struct Device {
    pub(super) run: Arc<Run>,
    pub(super) pen: Arc<Pen>,
    pub(super) person: Person,
    pub(super) chats: Vec<String>,
    /// Where it connects to: the server, or a proxy before it.
    pub(super) url: String,
    /// Looks into the database at each message that comes (I8).
    pub(super) witness: Option<Witness>,
    /// What came together with an answer, and is behind it.
    pub(super) early: Option<Event>,
    /// How far it holds each chat.
    pub(super) held: BTreeMap<String, Held>,
    /// The living connection, for those who speak on it.
    pub(super) link: watch::Sender<Option<ClientSender>>,
    /// How far it holds each chat without a gap, for those who wait for the end.
    pub(super) reached: watch::Sender<Reached>,
}

/// The last message of each chat before which none is missing.
pub(super) type Reached = BTreeMap<String, u64>;

/// What a device has of a chat.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Everything up to here.
    upto: u64,
    /// And these.
    more: BTreeSet<u64>,
}

impl Held {
    fn take(&mut self, seq: u64) {
        self.more.insert(seq);
        while self.more.remove(&(self.upto + 1)) {
            self.upto += 1;
        }
    }
}

impl Device {
    /// Lives until the run is over.
    pub(super) async fn live(mut self) {
        while !self.run.over.is_cancelled() {
            if let Ok(mut socket) = self.connect().await {
                // Nobody speaks before the rooms are entered: then all own messages come back.
                if self.enter(&mut socket).await.is_ok() {
                    self.link.send_replace(Some(socket.sender()));
                    self.listen(&mut socket).await;
                    self.link.send_replace(None);
                }
                self.early = None;
                self.pen.client(Line { op: OpName::Down, ..Line::default() });
                socket.close();
            }
            self.run.over.run_until_cancelled(sleep(self.run.pause())).await;
        }
    }

    async fn connect(&self) -> Result<ClientSocket, Lost> {
        let mut config = ClientConfig::new(self.url.parse().unwrap());
        config.connect_timeout = ANSWER_WITHIN;
        config.inbound_events_max = INBOX_EVENTS;
        config.inbound_bytes_max = INBOX_BYTES;
        let client = Client::connect(config).await.map_err(|_| Lost)?;
        let auth = json!({ "token": self.person.token });
        let mut socket = client.namespace("/chat", Some(&auth)).await.map_err(|_| Lost)?;
        loop {
            match timeout(ANSWER_WITHIN, socket.recv()).await {
                Ok(Received::Event(event)) if event.name() == "connected" => {
                    let user = Some(self.person.id.to_string().into());
                    self.pen.client(Line { op: OpName::Open, user, ..Line::default() });
                    return Ok(socket);
                }
                // The personal room is entered first, so that no notification falls between.
                Ok(Received::Event(event)) if event.name() == "notification:created" => {}
                Ok(Received::Event(event)) => panic!("{} came before `connected`", event.name()),
                Ok(Received::Closed(_)) | Err(_) => return Err(Lost),
            }
        }
    }

    /// Enters every room where it left off.
    async fn enter(&mut self, socket: &mut ClientSocket) -> Result<(), Lost> {
        for chat in self.chats.clone() {
            let since = self.held.entry(chat.clone()).or_default().upto;
            let body = json!({ "chatId": chat, "sinceSeq": since, "limit": PAGE });
            let ack = self.ask(socket, "join_chat", &body).await?;
            let line =
                Line { op: OpName::Join, chat: Some(chat.as_str().into()), ..Line::default() };
            let last_seq = ack["lastSeq"].as_u64();
            self.pen.client(Line { since: Some(since), last_seq, ..line });
            let mut more = self.page(&chat, &ack);
            while more {
                let after = self.held[&chat].upto;
                let body = json!({ "chatId": chat, "afterSeq": after, "limit": PAGE });
                let ack = self.ask(socket, "fetch_messages", &body).await?;
                more = self.page(&chat, &ack);
            }
        }
        Ok(())
    }

    /// A page of history; whether there is more.
    fn page(&mut self, chat: &str, ack: &Value) -> bool {
        let more = ack["hasMore"].as_bool().unwrap();
        let messages = ack["messages"].as_array().unwrap();
        let rows = Some(messages.iter().map(entry).collect());
        let line = Line { op: OpName::Page, chat: Some(chat.into()), ..Line::default() };
        self.pen.client(Line { more: Some(more), rows, ..line });
        messages.iter().for_each(|message| self.hold(chat, message["seq"].as_u64().unwrap()));
        more
    }

    /// Asks, and hears meanwhile what comes to the rooms that it is in.
    async fn ask(
        &mut self,
        socket: &mut ClientSocket,
        event: &str,
        body: &Value,
    ) -> Result<Value, Lost> {
        let request = Outgoing::new(event, body).unwrap();
        let pending = socket.sender().emit_for_ack(&request).map_err(|_| Lost)?;
        let mut answer = pin!(pending.within(ANSWER_WITHIN));
        let ack = loop {
            if let Some(event) = self.early.take() {
                self.hear(&event).await;
            }
            let came = tokio::select! {
                biased;
                ack = &mut answer => break ack,
                came = socket.recv() => came,
            };
            let Received::Event(event) = came else { return Err(Lost) };
            self.early = Some(event);
            // One that is here by now came before the event: who is let in hears of it first.
            if let Some(ack) = answer.as_mut().now_or_never() {
                break ack;
            }
        };
        let ack: Value = ack.map_err(|_| Lost)?.get(0).unwrap();
        if ack["ok"] == true {
            return Ok(ack);
        }
        self.run.refused(event, &ack);
        Err(Lost)
    }

    async fn listen(&mut self, socket: &mut ClientSocket) {
        if let Some(event) = self.early.take() {
            self.hear(&event).await;
        }
        let over = self.run.over.clone();
        while let Some(Received::Event(event)) = over.run_until_cancelled(socket.recv()).await {
            self.hear(&event).await;
        }
    }

    async fn hear(&mut self, event: &Event) {
        let body: Value = event.args().get(0).unwrap_or_default();
        match event.name() {
            "new_message" => {
                let t = Some(self.pen.now());
                let line = copy(OpName::Recv, &body);
                let stored = match &mut self.witness {
                    Some(witness) => witness.sees(&body).await,
                    None => None,
                };
                self.pen.client(Line { t, stored, ..line });
                self.hold(body["chatId"].as_str().unwrap(), body["seq"].as_u64().unwrap());
            }
            "error" => drop(self.run.refused("error", &json!({ "error": body }))),
            "server_draining" => self.run.hear_of_drain(),
            _ => self.look_for_canaries(&body),
        }
    }

    /// Whatever is not a message of the room names a chat that this person may know of (I7).
    fn look_for_canaries(&self, body: &Value) {
        for chat in self.run.canaries(&body.to_string()) {
            let chat = Some(chat.into());
            self.pen.client(Line { op: OpName::Canary, chat, ..Line::default() });
        }
    }

    fn hold(&mut self, chat: &str, seq: u64) {
        let held = self.held.entry(chat.to_owned()).or_default();
        held.take(seq);
        let upto = held.upto;
        self.reached.send_modify(|reached| {
            reached.insert(chat.to_owned(), upto);
        });
    }
}
