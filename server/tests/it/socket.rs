//! A live socket of somebody in a test.
//!
//! Whatever is waited for has a time limit, and says at its end what came instead.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::FutureExt;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};
use trialogue_socketio::client::{
    Client, ClientConfig, ClientSocket, ConnectError, PendingAck, Received, Refused,
};
use trialogue_socketio::{DisconnectReason, Outgoing};

use crate::fixture::{SOON, STOP};

/// Connects with any token.
pub(crate) async fn connect(url: &str, token: &str) -> Result<Live, Refused> {
    connect_at(url, "/chat", token).await
}

/// Connects with a token, unless nobody is there.
pub(crate) async fn reach(url: &str, token: &str) -> Option<Live> {
    let client = Client::connect(ClientConfig::new(url.parse().unwrap())).await.ok()?;
    let socket = client.namespace("/chat", Some(&json!({ "token": token }))).await.ok()?;
    Some(Live { socket, came: VecDeque::new() })
}

pub(crate) async fn connect_at(url: &str, namespace: &str, token: &str) -> Result<Live, Refused> {
    let client = Client::connect(ClientConfig::new(url.parse().unwrap())).await.unwrap();
    match client.namespace(namespace, Some(&json!({ "token": token }))).await {
        Ok(socket) => Ok(Live { socket, came: VecDeque::new() }),
        Err(ConnectError::Refused(refused)) => Err(refused),
        Err(other) => panic!("neither connected nor refused: {other}"),
    }
}

/// A live socket.
#[derive(Debug)]
pub(crate) struct Live {
    socket: ClientSocket,
    /// What came and was not asked for yet.
    came: VecDeque<(String, Value)>,
}

impl Live {
    /// The next event, whatever it is.
    pub(crate) async fn next(&mut self) -> (String, Value) {
        match self.came.pop_front() {
            Some(event) => event,
            None => self.receive(Instant::now() + SOON).await.expect("nothing came"),
        }
    }

    /// The next event of that name; others stay for later.
    pub(crate) async fn expect(&mut self, name: &str) -> Value {
        self.expect_within(SOON, name).await
    }

    /// The same within another time.
    pub(crate) async fn expect_within(&mut self, time: Duration, name: &str) -> Value {
        let deadline = Instant::now() + time;
        let mut at = 0;
        loop {
            if let Some(found) = self.came.iter().skip(at).position(|(came, _)| came == name) {
                return self.came.remove(at + found).unwrap().1;
            }
            at = self.came.len();
            match self.receive(deadline).await {
                Some(event) => self.came.push_back(event),
                None => panic!("no {name} came within {time:?}, but {:?}", self.came),
            }
        }
    }

    /// Waits so long; none of these may come, nor may have.
    pub(crate) async fn expect_none_within(&mut self, time: Duration, names: &[&str]) {
        let deadline = Instant::now() + time;
        while let Some(event) = self.receive(deadline).await {
            self.came.push_back(event);
        }
        for name in names {
            assert!(!self.has(name), "{name} came: {:?}", self.came);
        }
    }

    /// The next event of one of these names.
    pub(crate) async fn next_of(&mut self, names: &[&str]) -> (String, Value) {
        loop {
            let event = self.next().await;
            if names.contains(&event.0.as_str()) {
                return event;
            }
        }
    }

    /// The body of an event of that name that has come.
    pub(crate) fn expect_came(&mut self, name: &str) -> Value {
        self.take_all(name).pop().unwrap_or_else(|| panic!("no {name} came, but {:?}", self.came))
    }

    /// Whether nothing at all has come by now. Only after something that would have come behind.
    pub(crate) fn came_nothing(&mut self) -> bool {
        self.poll();
        self.came.is_empty()
    }

    /// Takes what is here, without waiting.
    fn poll(&mut self) {
        while let Some(Received::Event(event)) = self.socket.recv().now_or_never() {
            let body = event.args().get(0).unwrap_or(Value::Null);
            self.came.push_back((event.name().to_owned(), body));
        }
    }

    /// Takes what has come by now, for later: a client stops reading when too much is left.
    pub(crate) fn take_in(&mut self) {
        self.poll();
    }

    /// Whether an event of that name has come by now. Only after something that would have come
    /// behind it.
    pub(crate) fn has(&mut self, name: &str) -> bool {
        self.poll();
        self.came.iter().any(|(came, _)| came == name)
    }

    /// The events of that name that have come by now, taken out.
    pub(crate) fn take_all(&mut self, name: &str) -> Vec<Value> {
        self.poll();
        let (named, rest): (Vec<_>, Vec<_>) =
            self.came.drain(..).partition(|(came, _)| came == name);
        self.came = rest.into();
        named.into_iter().map(|(_, body)| body).collect()
    }

    async fn receive(&mut self, deadline: Instant) -> Option<(String, Value)> {
        match timeout_at(deadline, self.socket.recv()).await.ok()? {
            Received::Event(event) => {
                let body = event.args().get(0).unwrap_or(Value::Null);
                Some((event.name().to_owned(), body))
            }
            Received::Closed(reason) => panic!("closed: {reason}; before that {:?}", self.came),
        }
    }

    /// Sends a request and waits for its acknowledgement.
    pub(crate) async fn request(&self, event: &str, body: impl Serialize) -> Value {
        self.ask(event, body).within(SOON).await.unwrap().get(0).unwrap()
    }

    /// Sends a request whose acknowledgement is waited for later.
    pub(crate) fn ask(&self, event: &str, body: impl Serialize) -> PendingAck {
        self.socket.sender().emit_for_ack(&Outgoing::new(event, &body).unwrap()).unwrap()
    }

    /// Sends a request without an acknowledgement.
    pub(crate) fn emit(&self, event: &str, body: impl Serialize) {
        self.socket.emit(&Outgoing::new(event, &body).unwrap()).unwrap();
    }

    /// Joins a chat; the acknowledgement.
    pub(crate) async fn join(&mut self, chat: &str) -> Value {
        let ack = self.request("join_chat", json!({ "chatId": chat })).await;
        assert_eq!(ack["ok"], true, "{ack}");
        self.expect("joined_chat").await;
        ack
    }

    /// Sends a message; the acknowledgement's message.
    pub(crate) async fn send(&self, chat: &str, text: &str) -> Value {
        let ack = self.request("send_message", json!({ "chatId": chat, "message": text })).await;
        assert_eq!(ack["ok"], true, "{ack}");
        ack["message"].clone()
    }

    /// Waits for the end of the connection, over whatever comes before it.
    pub(crate) async fn closed(&mut self) -> DisconnectReason {
        let deadline = Instant::now() + STOP;
        loop {
            match timeout_at(deadline, self.socket.recv()).await.expect("not closed") {
                Received::Closed(reason) => return reason,
                Received::Event(event) => {
                    let body = event.args().get(0).unwrap_or(Value::Null);
                    self.came.push_back((event.name().to_owned(), body));
                }
            }
        }
    }

    /// Lets go without a word.
    pub(crate) fn abort(&self) {
        self.socket.abort();
    }
}
