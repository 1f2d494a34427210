//! One person of a run: an account, a connection and an inbox of its own.
//!
//! An actor does what it is told and says what came of it; whether that was right is judged by
//! the runner.

mod http;
mod looks;
mod quiet;
mod seen;
mod socket;
mod token;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::task::JoinSet;
use tokio::time::Instant;
use trialogue_client::session::{Session, SessionConfig, SessionHandle};
use trialogue_client::time::Backoff;
use trialogue_client::{Credentials, Dialect, Error, Http, HttpConfig, LinkState, Rest, Witness};
use trialogue_protocol::{Role, User, UserId};
use trialogue_socketio::client::{Tap, Transports};
use url::Url;

use crate::FailureKind;
use crate::file::{self, Transport};
use crate::record::{Bell, Clock, Entry, HttpExchange, Inbox, What, link_of};
use crate::runner::Seen;
use crate::secrets::Secrets;
use crate::trace::Trace;
use crate::words::words_of;

pub use looks::Looked;
use looks::Looks;
pub use seen::outcome_of;
use seen::{note_of, what_of};

/// Longest wait for an answer over HTTP or for an acknowledgement; the step's own limit is
/// usually shorter.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Who somebody logs in as.
#[derive(Clone, Default)]
pub struct Account {
    /// E-mail.
    pub email: String,
    /// Password.
    pub password: String,
    /// Registers first, with this region.
    pub fresh: Option<String>,
    /// Filled once that is done; the devices of one account share it.
    pub registered: Arc<OnceCell<()>>,
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
    /// Why a part of what the step expects of it could not be compared.
    pub uncompared: Option<&'static str>,
}

/// What was expected, and what came instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Of what kind it is.
    pub kind: FailureKind,
    /// What was expected.
    pub expected: String,
    /// What came.
    pub got: String,
}

impl Wrong {
    /// Both as text; what came is not what was expected.
    pub fn new(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self { kind: FailureKind::Differs, expected: expected.into(), got: got.into() }
    }

    /// Nothing that fits came in time.
    pub fn late(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self::new(expected, got).of(FailureKind::TimedOut)
    }

    /// The same, of another kind.
    #[must_use]
    pub fn of(self, kind: FailureKind) -> Self {
        Self { kind, ..self }
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
    /// Is told everything that goes over the wire.
    pub trace: Option<Trace>,
    /// Tokens may travel to another machine without TLS.
    pub plain_http: bool,
    /// Messages that somebody has looked for in the history, where that is asked for.
    pub looked: Option<Looked>,
    /// What no report may show.
    pub secrets: Secrets,
    /// Who watches this actor over its own connection.
    pub seen: Option<Seen>,
    /// Decides the delays of reconnects.
    pub seed: u64,
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
    secrets: Secrets,
    /// Looks at the history while other things go on, unseen by steps and reports.
    looks: Option<Looks>,
    /// Who watches, and the voice that they may use.
    seen: Option<(Seen, Rest)>,
    /// Writes its packets down.
    tap: Option<Tap>,
    wanted: Wanted,
    state: Mutex<State>,
}

/// How its connection is to be.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    transport: Transport,
    backoff: Backoff,
    retries_max: Option<u32>,
    seed: u64,
}

#[derive(Debug, Default)]
struct State {
    user: Option<User>,
    bookable: Option<UserId>,
    /// Somebody asked for a connection and nobody for its end.
    wants_a_link: bool,
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
        let tap = around.trace.as_ref().map(|trace| trace.tap(&spec.name.name, around.clock));
        let inbox = Arc::new(inbox);
        let mut config = HttpConfig::new(around.url.clone());
        config.answer_timeout = ANSWER_TIMEOUT;
        config.allow_plain_http = around.plain_http;
        let credentials = Credentials::default();
        let unseen = Http::new(config.clone())?;
        let unseen = Rest::new(unseen, around.dialect, credentials.clone());
        let seen = around.seen.clone().map(|seen| (seen, unseen.clone()));
        let looks = around.looked.clone().map(|looked| Looks::new(unseen, looked));
        let (journal, secrets) = (Arc::clone(&inbox), around.secrets.clone());
        config.witness = Some(Witness(Arc::new(move |exchange| {
            let note = note_of(exchange);
            secrets.learn(&note.request);
            secrets.learn(&note.json);
            journal.push(What::Http(note));
        })));
        let rest = Rest::new(Http::new(config)?, around.dialect, credentials);
        let reconnect = |get: fn(&file::Reconnect) -> Option<Duration>, fallback| {
            get(&spec.reconnect).or(get(&defaults.reconnect)).unwrap_or(fallback)
        };
        let default = trialogue_client::link::LinkConfig::default().backoff;
        let (own, usual) = (spec.reconnect, defaults.reconnect);
        let jitter_percent = own.jitter_percent.or(usual.jitter_percent);
        let backoff = Backoff {
            first: reconnect(|reconnect| reconnect.delay, default.first),
            cap: reconnect(|reconnect| reconnect.max, default.cap),
            floor: reconnect(|reconnect| reconnect.min, default.floor),
            jitter_percent: jitter_percent.unwrap_or(default.jitter_percent),
        };
        let retries_max = own.attempts.or(usual.attempts);
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
            secrets: around.secrets.clone(),
            looks,
            seen,
            tap,
            wanted: Wanted { transport: defaults.transport, backoff, retries_max, seed },
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
        self.lock().user.as_ref().map(|user| user.id)
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
        self.lock().wants_a_link = true;
        let session = self.lock().session.clone();
        // Who is connected already is greeted already.
        if let Some(json) = self.greeting().filter(|_| session.is_some() && self.is_online()) {
            return Ok(Reply { sent, at: sent, json, ..Reply::default() });
        }
        if let Some(session) = session {
            session.start().await.map_err(|error| Wrong::new("to connect", error.to_string()))?;
        } else {
            self.start_session()?;
        }
        let look = || {
            self.inbox.with(|entries| {
                // The link is up a moment after the greeting, and what is sent before waits.
                let is_up = self.is_in(entries);
                entries.iter().skip(from).find_map(|entry| match &entry.what {
                    What::Ready(connected) => is_up.then(|| Ok((entry.at, connected.clone()))),
                    What::Link(LinkState::LoginNeeded { why }) => Some(Err(why.sentence.clone())),
                    _ => None,
                })
            })
        };
        match self.bell.wait(deadline, look).await {
            Some(Ok((at, json))) => Ok(Reply { sent, at, json, ..Reply::default() }),
            Some(Err(why)) => {
                let wrong = Wrong::new("`connected`", format!("refused: {why}"));
                Err(wrong.of(FailureKind::Refused))
            }
            None => Err(Wrong::late("`connected`", self.link_words())),
        }
    }

    /// Tells a session that waits for it.
    async fn signed_in(&self) {
        let session = self.lock().session.clone();
        if let Some(session) = session {
            // One that is over needs no token.
            _ = session.signed_in().await;
        }
    }

    /// The body of the last `connected`.
    fn greeting(&self) -> Option<Value> {
        self.inbox.with(|entries| {
            entries.iter().rev().find_map(|entry| match &entry.what {
                What::Ready(connected) => Some(connected.clone()),
                _ => None,
            })
        })
    }

    /// Whether somebody asked for a connection and nobody for its end.
    pub fn wants_a_link(&self) -> bool {
        self.lock().wants_a_link
    }

    fn start_session(&self) -> Result<(), Wrong> {
        let mut config = SessionConfig::new(self.rest.clone());
        config.transports = match self.wanted.transport {
            Transport::Websocket => Transports::Websocket,
            Transport::Polling => Transports::Polling,
            Transport::PollingUpgrade => Transports::PollingUpgrade,
        };
        config.link.backoff = self.wanted.backoff;
        config.link.retries_max = self.wanted.retries_max;
        config.seed = self.wanted.seed;
        config.tap.clone_from(&self.tap);
        let (session, mut updates) =
            Session::start(config).map_err(|error| Wrong::new("to connect", error.to_string()))?;
        let (inbox, looks) = (Arc::clone(&self.inbox), self.looks.clone());
        let (user, secrets) = (self.user(), self.secrets.clone());
        let mut state = self.lock();
        let watched = self.seen.as_ref().zip(state.user.clone());
        let watched =
            watched.map(|((seen, rest), user)| seen.enters(rest.clone(), user, session.clone()));
        state.session = Some(session);
        state.pump.spawn(async move {
            let mut looking = JoinSet::new();
            while let Some(update) = updates.recv().await {
                if let Some(watched) = &watched {
                    // Nobody watches any more: the play goes on.
                    _ = watched.send(update.clone()).await;
                }
                let Some(what) = what_of(update) else { continue };
                if let What::Event { data, .. } | What::Ready(data) = &what {
                    secrets.learn(data);
                }
                if let (Some(looks), What::Event { name, data }) = (&looks, &what) {
                    looks.look(name, data, user, &inbox, &mut looking);
                }
                inbox.push(what);
            }
        });
        Ok(())
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
        let words = words.unwrap_or_else(|| "not there".to_owned());
        // A state begins a line elsewhere; here it ends a sentence.
        let mut chars = words.chars();
        let first = chars.next().map(|first| first.to_ascii_lowercase());
        format!("the link is {}{}", first.unwrap_or_default(), chars.as_str())
    }

    /// Whether the connection is up now.
    pub fn is_online(&self) -> bool {
        self.inbox.with(|entries| self.is_in(entries))
    }

    fn is_in(&self, entries: &[Entry]) -> bool {
        matches!(link_of(entries), Some(LinkState::Connected | LinkState::Syncing { .. }))
    }
}
