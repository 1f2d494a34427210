//! The cases of the public protocol suites, and more, as a black-box check of any server.
//!
//! ```text
//! Subject::discover(Target) -> what it offers      cases() -> Case::check(&subject) -> Verdict
//! ```
//!
//! The cases of suites `Eio4` and `Sio5` are those of the Engine.IO v4 and the Socket.IO v5
//! protocol suites of the reference implementation, one for one; `Ext` is what these leave out.
//! Some need a server that echoes, which only one made for the suites does (see [`PROFILE`]):
//! against another one they are [`Verdict::Unimplemented`], never failed.
//!
//! What may not happen here: using this crate's own codec to judge what a server sent where its
//! bytes can be compared.

mod engine;
mod ext;
mod frames;
mod life;
mod message;
mod socket;
mod subject;
mod wire;

use std::pin::Pin;
use std::sync::Mutex;
use std::time::{Duration, Instant};

pub use subject::{Offers, Subject, Target};

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
arguments and an acknowledgement wanted, and its reply by `answered`; `join` and `leave` with a
room's name are acknowledged with true; `to-room` with [room, value] emits `room` with the value to
the room, `to-room-except` to the room but its sender.";

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

impl Case {
    /// Tries the server. Never fails and never takes longer than a minute and the heartbeats that
    /// it is about.
    pub async fn check(&self, subject: &Subject) -> (Verdict, Duration) {
        let started = Instant::now();
        let endpoint = match self.suite {
            Suite::Eio4 => Endpoint::Engine,
            Suite::Sio5 | Suite::Ext => Endpoint::Socket,
        };
        let cx = Cx::new(subject, endpoint);
        let within = CASE_WAIT_MAX + 4 * subject.target().patience;
        let outcome = match tokio::time::timeout(within, (self.run)(&cx)).await {
            Ok(outcome) => outcome,
            Err(_) => failed(format!("no end within {within:?}")),
        };
        let took = started.elapsed();
        cx.tidy_up().await;
        let verdict = match outcome {
            Ok(()) => Verdict::Ok,
            Err(Stop::Failed(what)) => Verdict::Failed(what),
            Err(Stop::NonStrict(what)) => Verdict::NonStrict(what),
            Err(Stop::Unimplemented(what)) => Verdict::Unimplemented(what),
        };
        (verdict, took)
    }
}

/// All cases: the public suites in their own order, then the rest.
#[must_use]
pub fn cases() -> Vec<Case> {
    let ext = [ext::FRAMES, ext::SESSIONS, ext::PACKETS, ext::EVENTS, ext::FATAL].concat();
    [engine::EIO4, engine::SIO5, socket::SIO5, &ext].concat()
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
