//! One person of a run: an account, a connection and an inbox of its own.
//!
//! An actor does what it is told and says what came of it; whether that was right is judged by
//! the runner.

mod http;
mod quiet;
mod seen;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;
use trialogue_client::session::{Session, SessionConfig, SessionHandle};
use trialogue_client::time::Backoff;
use trialogue_client::{
    Begin, Credentials, Dialect, Error, Http, HttpConfig, LinkState, Outcome, Rest, Witness,
};
use trialogue_protocol::{ChatId, ClientMessageId, Role, UserId};
use trialogue_socketio::client::Transports;
use url::Url;

use crate::file::{self, Transport};
use crate::record::{Bell, Clock, Entry, HttpExchange, Inbox, What, link_of, words_of};
use crate::trace::Trace;

pub use seen::outcome_of;
use seen::{joined_since, note_of, sent_json, what_of};

/// Longest wait for an answer over HTTP or for an acknowledgement; the step's own limit is
/// usually shorter.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Who somebody logs in as.
#[derive(Clone)]
pub struct Account {
    /// E-mail.
    pub email: String,
    /// Password.
    pub password: String,
    /// Registers first, with this region.
    pub fresh: Option<String>,
}

/// What came of something that an actor did.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// When it was issued.
    pub sent: Duration,
    /// When it was over.
    pub at: Duration,
    /// HTTP status of the answer, where it came over HTTP.
    pub status: Option<u16>,
    /// Body of the answer, acknowledgement or event.
    pub json: Value,
    /// The refusal, when it was one: `{code, message}`.
    pub error: Option<Value>,
    /// What went over HTTP meanwhile.
    pub exchanges: Vec<HttpExchange>,
}

/// What was expected, and what came instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// What was expected.
    pub expected: String,
    /// What came.
    pub got: String,
}

impl Wrong {
    /// Both as text.
    pub fn new(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self { expected: expected.into(), got: got.into() }
    }
}

/// What all actors of a run share.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Where the server is.
    pub url: Url,
    /// How it speaks.
    pub dialect: Dialect,
    /// Origin of all times.
    pub clock: Clock,
    /// Rings when anybody saw anything.
    pub bell: Bell,
    /// Decides the delays of reconnects.
    pub seed: u64,
    /// Is told everything that goes over the wire.
    pub trace: Option<Trace>,
    /// Tokens may travel to another machine without TLS.
    pub plain_http: bool,
}

/// A person who acts.
#[derive(Debug)]
pub struct Actor {
    name: String,
    role: Role,
    outbox: bool,
    clock: Clock,
    bell: Bell,
    inbox: Arc<Inbox>,
    rest: Rest,
    wanted: Wanted,
    state: Mutex<State>,
}

/// How its connection is to be.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    transport: Transport,
    backoff: Backoff,
    seed: u64,
}

#[derive(Debug, Default)]
struct State {
    user: Option<UserId>,
    registered: bool,
    bookable: Option<UserId>,
    session: Option<SessionHandle>,
    /// Carries updates into the inbox; ends with the session, or with the actor.
    pump: JoinSet<()>,
}

impl Actor {
    /// Somebody who has done nothing yet.
    pub fn new(
        spec: &file::Actor,
        defaults: &file::Defaults,
        around: &Surroundings,
        index: u64,
    ) -> Result<Self, Error> {
        let mut inbox = Inbox::new(around.clock, around.bell.clone());
        if let Some(trace) = &around.trace {
            inbox = inbox.traced(&spec.name.name, trace.clone());
        }
        let inbox = Arc::new(inbox);
        let mut config = HttpConfig::new(around.url.clone());
        config.answer_timeout = ANSWER_TIMEOUT;
        config.allow_plain_http = around.plain_http;
        let journal = Arc::clone(&inbox);
        config.witness = Some(Witness(Arc::new(move |exchange| {
            journal.push(What::Http(note_of(exchange)));
        })));
        let rest = Rest::new(Http::new(config)?, around.dialect, Credentials::default());
        let reconnect = |get: fn(&file::Reconnect) -> Option<Duration>, fallback| {
            get(&spec.reconnect).or(get(&defaults.reconnect)).unwrap_or(fallback)
        };
        let default = trialogue_client::link::LinkConfig::default().backoff;
        let backoff = Backoff {
            first: reconnect(|reconnect| reconnect.delay, default.first),
            cap: reconnect(|reconnect| reconnect.max, default.cap),
        };
        // Every actor draws its own delays, and the same ones in every run of one seed.
        let seed = around.seed.wrapping_add(index.wrapping_mul(0x9E37_79B9));
        Ok(Self {
            name: spec.name.name.clone(),
            role: spec.role,
            outbox: spec.outbox,
            clock: around.clock,
            bell: around.bell.clone(),
            inbox,
            rest,
            wanted: Wanted { transport: defaults.transport, backoff, seed },
            state: Mutex::default(),
        })
    }

    /// Its name in the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// As what it appears.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Everything that it saw.
    pub fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// Its id, once it has logged in.
    pub fn user(&self) -> Option<UserId> {
        self.lock().user
    }

    /// Whether its messages wait while it is offline.
    pub fn has_outbox(&self) -> bool {
        self.outbox
    }

    /// Its connection.
    pub fn session(&self) -> Result<SessionHandle, Wrong> {
        let missing = || Wrong::new("a connection", format!("{} never connected", self.name));
        self.lock().session.clone().ok_or_else(missing)
    }

    /// Never held over an await: every caller is one expression.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects, and waits until the server says `connected`, whose body is `json`.
    pub async fn connect(&self, deadline: Instant) -> Result<Reply, Wrong> {
        let sent = self.clock.now();
        let from = self.inbox.len();
        let session = self.lock().session.clone();
        if let Some(session) = session {
            session.start().await.map_err(|error| Wrong::new("to connect", error.to_string()))?;
        } else {
            self.start_session()?;
        }
        let look = || {
            self.inbox.with(|entries| {
                entries.iter().skip(from).find_map(|entry| match &entry.what {
                    What::Ready(connected) => Some(Ok((entry.at, connected.clone()))),
                    What::Link(LinkState::LoginNeeded { why }) => Some(Err(why.sentence.clone())),
                    _ => None,
                })
            })
        };
        match self.bell.wait(deadline, look).await {
            Some(Ok((at, json))) => Ok(Reply { sent, at, json, ..Reply::default() }),
            Some(Err(why)) => Err(Wrong::new("`connected`", format!("refused: {why}"))),
            None => Err(Wrong::new("`connected`", self.link_words())),
        }
    }

    fn start_session(&self) -> Result<(), Wrong> {
        let mut config = SessionConfig::new(self.rest.clone());
        config.transports = match self.wanted.transport {
            Transport::Websocket => Transports::Websocket,
            Transport::Polling => Transports::Polling,
            Transport::PollingUpgrade => Transports::PollingUpgrade,
        };
        config.link.backoff = self.wanted.backoff;
        config.seed = self.wanted.seed;
        let (session, mut updates) =
            Session::start(config).map_err(|error| Wrong::new("to connect", error.to_string()))?;
        let inbox = Arc::clone(&self.inbox);
        let mut state = self.lock();
        state.session = Some(session);
        state.pump.spawn(async move {
            while let Some(update) = updates.recv().await {
                if let Some(what) = what_of(update) {
                    inbox.push(what);
                }
            }
        });
        Ok(())
    }

    /// Says good-bye and stays away.
    pub async fn disconnect(&self) -> Result<Reply, Wrong> {
        let sent = self.clock.now();
        let stopped = self.session()?.stop().await;
        stopped.map_err(|error| Wrong::new("to disconnect", error.to_string()))?;
        Ok(Reply { sent, at: self.clock.now(), ..Reply::default() })
    }

    /// Ends the session, if there is one.
    pub async fn close(&self) {
        let session = self.lock().session.clone();
        if let Some(session) = session {
            session.close().await;
        }
    }

    /// What its link does, for the end of a failure.
    pub fn link_words(&self) -> String {
        let words = self.inbox.with(|entries| link_of(entries).map(words_of));
        format!("the link is {}", words.unwrap_or_else(|| "not there".to_owned()))
    }

    /// Enters a chat and catches up. `json` is `{chatId, lastSeq, members}`.
    pub async fn join(&self, chat: ChatId, deadline: Instant) -> Result<Reply, Wrong> {
        let sent = self.clock.now();
        let from = self.inbox.len();
        let begin = Begin::After { seq: 0, epoch: None };
        // Its author has decided already, also for an LSM that is invited.
        let joined = self.session()?.accept(chat, begin).await;
        joined.map_err(|error| Wrong::new("to join", error.to_string()))?;
        let look = || self.inbox.with(|entries| joined_since(entries, from, chat));
        match self.bell.wait(deadline, look).await {
            Some(Ok((at, json))) => Ok(Reply { sent, at, json, ..Reply::default() }),
            Some(Err(Error::Refused(refusal))) => {
                let error = Some(json!({"code": refusal.code, "message": refusal.message}));
                Ok(Reply { sent, at: self.clock.now(), error, ..Reply::default() })
            }
            Some(Err(error)) => Err(Wrong::new("`joined_chat`", error.to_string())),
            None => Err(Wrong::new(format!("`joined_chat` of {chat}"), self.link_words())),
        }
    }

    /// Leaves a chat, and waits for `left_chat`.
    pub async fn leave(&self, chat: ChatId, deadline: Instant) -> Result<Reply, Wrong> {
        let sent = self.clock.now();
        let from = self.inbox.len();
        let left = self.session()?.leave(chat).await;
        left.map_err(|error| Wrong::new("to leave", error.to_string()))?;
        let is_it = |entry: &Entry| match &entry.what {
            What::Event { name, data } if name == "left_chat" => {
                (data["chatId"] == json!(chat)).then(|| (entry.at, data.clone()))
            }
            _ => None,
        };
        let look = || self.inbox.with(|entries| entries.iter().skip(from).find_map(is_it));
        match self.bell.wait(deadline, look).await {
            Some((at, json)) => Ok(Reply { sent, at, json, ..Reply::default() }),
            None => Err(Wrong::new(format!("`left_chat` of {chat}"), self.link_words())),
        }
    }

    /// Hands a message over and waits until it is stored, or only queued while there is no
    /// connection. `json` is `{clientMessageId, status}` and, once stored, `{id, seq, message}`.
    pub async fn send(
        &self,
        chat: ChatId,
        text: &str,
        deadline: Instant,
    ) -> Result<(ClientMessageId, Reply), Wrong> {
        let session = self.session()?;
        let online = self.is_online();
        if !online && !self.outbox {
            return Err(Wrong::new("a connection (the actor has no `outbox`)", self.link_words()));
        }
        let sent = self.clock.now();
        let queued = session.send(chat, text).await;
        let id = queued.map_err(|error| Wrong::new("to queue the message", error.to_string()))?;
        let look = || {
            self.inbox.with(|entries| {
                let outcome = outcome_of(entries, &id)?;
                (outcome.1.is_final() || (!online && !self.is_in(entries)))
                    .then(|| (outcome.0, outcome.1.clone()))
            })
        };
        let mut reply = Reply { sent, ..Reply::default() };
        match self.bell.wait(deadline, look).await {
            Some((
                at,
                Outcome::Refused(refusal) | Outcome::Conflict(refusal) | Outcome::Unknown(refusal),
            )) => {
                reply.at = at;
                reply.error = Some(json!({"code": refusal.code, "message": refusal.message}));
            }
            Some((at, outcome)) => {
                reply.at = at;
                reply.json = sent_json(&id, &outcome);
            }
            None => return Err(Wrong::new("the message stored", self.outcome_words(&id))),
        }
        Ok((id, reply))
    }

    fn outcome_words(&self, id: &ClientMessageId) -> String {
        let last = self.inbox.with(|entries| {
            entries
                .iter()
                .rfind(|entry| matches!(&entry.what, What::Outcome { id: own, .. } if own == id))
                .map(ToString::to_string)
        });
        let last = last.unwrap_or_else(|| "nothing was told of it".to_owned());
        format!("{}; {}", last.trim(), self.link_words())
    }

    /// Whether the connection is up now.
    pub fn is_online(&self) -> bool {
        self.inbox.with(|entries| self.is_in(entries))
    }

    fn is_in(&self, entries: &[Entry]) -> bool {
        matches!(link_of(entries), Some(LinkState::Connected | LinkState::Syncing { .. }))
    }

    /// Emits an event and waits for its acknowledgement, which is `json`.
    pub async fn emit(&self, event: &str, data: &Value) -> Result<Reply, Wrong> {
        let sent = self.clock.now();
        let answer = self.session()?.request(event, &data.to_string()).await;
        let at = self.clock.now();
        match answer {
            Ok(args) => {
                let json: Value = args.get(0).unwrap_or_default();
                let error = json.get("error").filter(|_| json["ok"] == json!(false)).cloned();
                Ok(Reply { sent, at, json, error, ..Reply::default() })
            }
            Err(error) => {
                Err(Wrong::new(format!("an acknowledgement of `{event}`"), error.to_string()))
            }
        }
    }
}
