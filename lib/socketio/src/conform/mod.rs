//! The cases of the public protocol suites, and more, as a black-box check of any server.
//!
//! ```text
//! Subject::discover(Target) -> what it offers    check_all(&subject, cases(), ...) -> Verdicts
//! ```
//!
//! The cases of suites `Eio4` and `Sio5` are those of the Engine.IO v4 and the Socket.IO v5
//! protocol suites of the reference implementation, one for one; `Ext` is what these leave out.
//! Some need a server that echoes, which only one made for the suites does (see [`PROFILE`]):
//! against another one they are [`Verdict::Unimplemented`], never failed.
//!
//! Where each line of what the public suites leave out is tried. Names with `::` are tests of this
//! crate at the level of frames (`tests/it`):
//!
//! | line | cases and tests |
//! |---|---|
//! | rooms, `except` | `ext.rooms.*`, `server::rooms` |
//! | broadcast | `ext.rooms.everybody`, `server::rooms` |
//! | volatile | `ext.volatile.ready`, `server::slow::a_volatile_event_is_left_out_*` |
//! | acknowledgements from server to client | `ext.ack.question`, `ext.ack.question-binary`, `server::both_ends` |
//! | their time-outs | `ext.ack.timeout`, `server::life::the_client_acknowledges_*` |
//! | order across an upgrade | `ext.order.upgrade`, `server::order::the_move_*` |
//! | order otherwise | `ext.order.websocket`, `ext.order.polling`, `ext.order.binary` |
//! | payload over the limit | `ext.session.post-limit`, `ext.frame.too-long`, `ext.payload.limit` |
//! | UTF-8 and surrogates | `ext.text.*`, `ext.frame.utf8`, `ext.frame.surrogate`, `ext.frame.split-character`, `ext.session.utf8` |
//! | many packets per poll | `ext.order.one-poll`, `server::polling::packets_wait_*` |
//! | big ack ids | `ext.ack.big-id` |
//! | concurrent namespaces | `ext.namespaces.both`, `ext.connect.many`, `server::life::several_paths_*` |
//! | CONNECT_ERROR with data | `ext.connect.error`, `ext.connect.error-data`, `server::both_ends::a_refusal_*` |
//! | double CONNECT | `ext.connect.twice`, `server::life::a_second_connect_*` |
//! | DISCONNECT, then reuse | `ext.connect.again`, `ext.disconnect.server`, `ext.rooms.gone`, `server::life` |
//! | binary over polling | `ext.binary.polling`, `client::polling::attachments_*` |
//! | CORS preflight | `ext.session.preflight`, `ext.session.origin`, `server::limits::origins_are_judged_*` |
//! | slow readers | `ext.order.slow-reader`, `server::slow` |
//! | server shutdown notices | `server::life::a_stopping_server_*`: no black box can ask for it |
//! | state recovery | `ext.connect.recovery`: only that an unknown `pid` begins anew, since this crate has none |
//! | reconnecting | nothing: a client above this crate does it |
//! | msgpack, compression | nothing: this crate speaks neither |
//!
//! What may not happen here: using this crate's own codec to judge what a server sent where its
//! bytes can be compared.

mod engine;
mod ext;
mod frames;
mod life;
mod message;
mod secrets;
mod socket;
mod subject;
mod wire;

use std::pin::Pin;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures_util::stream::{self, Stream, StreamExt as _};

pub use secrets::Secrets;
pub use subject::{Offer, Offered, Offers, Subject, Target};

use wire::Endpoint;

/// What a server must do for all cases to apply, in words for a person who wants to try theirs.
pub const PROFILE: &str = "\
Socket.IO at /socket.io/ with pingInterval 300, pingTimeout 200 and a maximal payload of 1000000
bytes, polling, websocket and upgrades, no connection state recovery and no auth. On connection to /
and to /custom: emit `auth` with the handshake's auth object, {} if there was none; every other
namespace is refused. On / only: `message` is answered by `message-back` with the same arguments,
`message-with-ack` is acknowledged with them. Engine.IO at /engine.io/ with the same settings,
echoing every message.

Beyond the public suites, on /: `ask` with arguments is answered by `question` with the same
arguments and an acknowledgement wanted, and its reply by `answered`, or by `unanswered` when none
comes within 2 s; `join` and `leave` with a room's name are acknowledged with true; `to-room` with
[room, value] emits `room` with the value to the room, `to-room-except` to the room but its sender;
`volatile` is answered by `volatile-back` with the same arguments, as a volatile event; `kick`
makes the server disconnect the socket. On /lobby: `to-all` with a value emits `all` with it to
every socket of that namespace. /guarded refuses everybody with the message `not you` and the data
{\"code\":\"guarded\"}.";

/// Which of the three collections a case belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Suite {
    /// The 25 cases of the Engine.IO v4 suite.
    Eio4,
    /// The 32 cases of the Socket.IO v5 suite.
    Sio5,
    /// What the public suites do not cover.
    Ext,
}

impl Suite {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Self; 3] = [Self::Eio4, Self::Sio5, Self::Ext];

    /// Its name on a command line: `eio4`, `sio5`, `ext`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Eio4 => "eio4",
            Self::Sio5 => "sio5",
            Self::Ext => "ext",
        }
    }
}

/// What came out of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As the protocol says.
    Ok,
    /// In the spirit of the protocol, not to its letter: clients cope with it.
    NonStrict(String),
    /// The server does not offer what the case needs.
    Unimplemented(String),
    /// Against the protocol, with what was expected and what came.
    Failed(String),
}

/// Longest reason of a verdict, in characters: a server may have answered with a megabyte.
const REASON_CHARS_MAX: usize = 1_000;

impl Verdict {
    /// Its name: `ok`, `non-strict`, `unimplemented`, `failed`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NonStrict(_) => "non-strict",
            Self::Unimplemented(_) => "unimplemented",
            Self::Failed(_) => "failed",
        }
    }

    /// Why; empty when all is well. Holds what the server sent, at most 1,000 characters, without
    /// the [`Secrets`] of the target's auth object.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Ok => "",
            Self::NonStrict(why) | Self::Unimplemented(why) | Self::Failed(why) => why,
        }
    }
}

/// One check; a name that stays, and what it is about in words.
#[derive(Clone, Copy)]
pub struct Case {
    /// Where it belongs.
    pub suite: Suite,
    /// Its name, unique, of the shape `sio5.message.binary`.
    pub id: &'static str,
    /// What the server should do.
    pub title: &'static str,
    run: fn(&Cx) -> Checking<'_>,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.id)
    }
}

type Checking<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// A case passes, or stops for one of these reasons.
type Outcome<T = ()> = Result<T, Stop>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stop {
    Failed(String),
    NonStrict(String),
    Unimplemented(String),
}

impl Stop {
    /// All of the reason, secrets too.
    fn why(self) -> String {
        let (Self::Failed(why) | Self::NonStrict(why) | Self::Unimplemented(why)) = self;
        why
    }

    /// The reason for others to read: without secrets, cut to what a reader can take in. In this
    /// order, or the cut would leave the beginning of a secret.
    fn reason(self, secrets: &Secrets) -> String {
        let why = secrets.hide(&self.why());
        match why.char_indices().nth(REASON_CHARS_MAX) {
            Some((at, _)) => format!("{}… ({} bytes in all)", &why[..at], why.len()),
            None => why,
        }
    }
}

impl Verdict {
    fn new(outcome: Outcome, secrets: &Secrets) -> Self {
        match outcome {
            Ok(()) => Self::Ok,
            Err(stop @ Stop::Failed(_)) => Self::Failed(stop.reason(secrets)),
            Err(stop @ Stop::NonStrict(_)) => Self::NonStrict(stop.reason(secrets)),
            Err(stop @ Stop::Unimplemented(_)) => Self::Unimplemented(stop.reason(secrets)),
        }
    }
}

fn failed<T>(what: impl Into<String>) -> Outcome<T> {
    Err(Stop::Failed(what.into()))
}

fn unimplemented<T>(what: impl Into<String>) -> Outcome<T> {
    Err(Stop::Unimplemented(what.into()))
}

fn non_strict<T>(what: impl Into<String>) -> Outcome<T> {
    Err(Stop::NonStrict(what.into()))
}

/// What a case works with: the subject, and the endpoint that its suite is about.
struct Cx {
    subject: Subject,
    endpoint: Endpoint,
    /// Sessions over polling that the case has opened.
    sessions: Mutex<Vec<String>>,
}

impl Cx {
    fn new(subject: &Subject, endpoint: Endpoint) -> Self {
        Self { subject: subject.clone(), endpoint, sessions: Mutex::default() }
    }
}

/// The longest a case may take in all, besides the waits for the target's own heartbeat.
const CASE_WAIT_MAX: Duration = Duration::from_secs(60);
/// The longest that saying goodbye to its sessions may take.
const TIDY_WAIT_MAX: Duration = Duration::from_secs(3);

impl Case {
    /// Tries the server. Never fails and never takes longer than a minute and the heartbeats that
    /// it is about.
    async fn check(&self, subject: &Subject) -> (Verdict, Duration) {
        let started = Instant::now();
        let endpoint = match self.suite {
            Suite::Eio4 => Endpoint::Engine,
            Suite::Sio5 | Suite::Ext => Endpoint::Socket,
        };
        let cx = Cx::new(subject, endpoint);
        let within = CASE_WAIT_MAX.saturating_add(subject.target().patience.saturating_mul(4));
        let outcome = match tokio::time::timeout(within, (self.run)(&cx)).await {
            Ok(outcome) => outcome,
            Err(_) => failed(format!("no end within {within:?}")),
        };
        let took = started.elapsed();
        cx.tidy_up().await;
        (Verdict::new(outcome, &subject.target().secrets()), took)
    }
}

/// All cases: the public suites in their own order, then the rest.
#[must_use]
pub fn cases() -> Vec<Case> {
    let before = [ext::FRAMES, ext::SESSIONS, ext::CONNECTS, ext::PACKETS];
    let profile = [ext::ORDER, ext::EVENTS, ext::ROOMS, ext::FATAL];
    let ext = [before, profile].concat().concat();
    [engine::EIO4, engine::SIO5, socket::SIO5, &ext].concat()
}

/// What came of a case.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The case.
    pub case: Case,
    /// The verdict.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
}

/// Tries these cases in their order, so many at once, and yields each in its turn. The one that a
/// server may die of is tried when all others are over.
pub fn check_all(
    subject: &Subject,
    cases: Vec<Case>,
    at_once: usize,
) -> impl Stream<Item = Checked> + Send + use<> {
    let is_fatal = |case: &Case| ext::FATAL.iter().any(|fatal| fatal.id == case.id);
    let (fatal, others): (Vec<_>, Vec<_>) = cases.into_iter().partition(is_fatal);
    let check = {
        let subject = subject.clone();
        move |case: Case| {
            let subject = subject.clone();
            async move {
                let (verdict, took) = case.check(&subject).await;
                Checked { case, verdict, took }
            }
        }
    };
    let others = stream::iter(others).map(check.clone()).buffered(at_once.max(1));
    others.chain(stream::iter(fatal).then(check))
}

/// A table of cases.
macro_rules! table {
    ($name:ident, $suite:ident, $($id:literal, $title:literal => $run:path,)*) => {
        pub(in crate::conform) const $name: &[$crate::conform::Case] = &[$($crate::conform::Case {
            suite: $crate::conform::Suite::$suite,
            id: $id,
            title: $title,
            run: |cx| Box::pin($run(cx)),
        }),*];
    };
}
use table;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_table_above_names_cases_that_there_are() {
        let all = cases();
        let names = include_str!("mod.rs").lines().filter(|line| line.starts_with("//! |"));
        let names: Vec<&str> = names
            .flat_map(|line| line.split('`'))
            .filter(|word| word.starts_with("ext."))
            .collect();
        assert!(names.len() > 20, "{names:?}");
        for name in names {
            let begin = name.trim_end_matches('*');
            let fits = |id: &str| if begin == name { id == name } else { id.starts_with(begin) };
            assert!(all.iter().any(|case| fits(case.id)), "{name}");
        }
    }

    #[test]
    fn there_are_the_cases_of_both_suites_and_each_has_a_name() {
        let all = cases();
        let of = |suite| all.iter().filter(|case| case.suite == suite).count();
        assert_eq!((of(Suite::Eio4), of(Suite::Sio5)), (25, 32));
        assert!(of(Suite::Ext) > 30);
        let names: HashSet<_> = all.iter().map(|case| case.id).collect();
        assert_eq!(names.len(), all.len());
        for case in all {
            assert!(case.id.starts_with(&format!("{}.", case.suite.name())), "{}", case.id);
        }
    }
}
