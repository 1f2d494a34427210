//! Exit codes: the one table, and the one place where an error becomes one (TUI.md §8).

use std::fmt;
use std::io;
use std::process::ExitCode;

use trialogue_client as client;
use trialogue_protocol::{ChatId, ErrorCode};
use trialogue_scenarios::source::Diagnostics;
use trialogue_server as server;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit(u8);

impl Exit {
    /// Done as asked; also when the reader of our output has seen enough and closed it.
    pub(crate) const DONE: Self = Self(0);
    /// Something that should not happen.
    pub(crate) const UNEXPECTED: Self = Self(1);
    /// Of a verb that judges (SCENARIOS §10): something is not as it should be.
    pub(crate) const FAILED: Self = Self(1);
    /// Of a verb that judges: there was nothing to judge, because it could not be reached or started.
    pub(crate) const COULD_NOT_RUN: Self = Self(3);
    /// Of a verb that judges: it ran, and nothing follows from it.
    pub(crate) const INCONCLUSIVE: Self = Self(4);
    /// Of a verb that judges: what came of it could not be told in full.
    pub(crate) const INTERNAL: Self = Self(5);
    /// The command line does not make sense; nothing was tried.
    pub(crate) const USAGE: Self = Self(2);
    /// There is no token, or none that the server takes.
    pub(crate) const NOT_SIGNED_IN: Self = Self(3);
    /// The server said no, and will say so again; or there is no such thing.
    pub(crate) const REFUSED: Self = Self(4);
    /// The server cannot be reached, hung up, or says that it cannot do it now. A server that is
    /// silent is [`Self::TIME_OR_COUNT`], whatever is asked of it.
    pub(crate) const NO_CONNECTION: Self = Self(5);
    /// Out of time: a silent server, another process that does not end, fewer events than asked for.
    pub(crate) const TIME_OR_COUNT: Self = Self(6);
    /// `send` gave up waiting; the message is on disk and goes out with the next `send` (the number
    /// is EX_TEMPFAIL of sysexits.h).
    pub(crate) const LEFT_IN_OUTBOX: Self = Self(75);
    /// 128 + SIGHUP: the terminal is gone.
    pub(crate) const HUNG_UP: Self = Self(129);
    /// 128 + SIGINT.
    pub(crate) const INTERRUPTED: Self = Self(130);
    /// 128 + SIGTERM.
    pub(crate) const TERMINATED: Self = Self(143);
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {}", self.0)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}

/// What `--help` says below the flags.
pub(crate) const HELP: &str = "\
Exit codes: 0 done, 1 unexpected, 2 usage, 3 not signed in, 4 refused by the server, \
5 no connection, 6 out of time, 75 left in the outbox, 129 hang-up, 130 Ctrl-C, 143 SIGTERM";

/// An error whose exit code and code word a verb knows.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    code: &'static str,
    message: String,
}

impl Failure {
    /// The arguments parsed, but do not make sense together.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::USAGE, code: "usage", message: message.into() }
    }

    /// There is no token to speak with.
    pub(crate) fn not_signed_in(message: impl Into<String>) -> Self {
        Self { exit: Exit::NOT_SIGNED_IN, code: "not_signed_in", message: message.into() }
    }

    /// The server has no such thing for this user.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self { exit: Exit::REFUSED, code: "not_found", message: message.into() }
    }

    /// Entering this chat is for the user to decide.
    pub(crate) fn invited(chat: ChatId) -> Self {
        let message = format!("you are only invited into this chat: trialogue join {chat}");
        Self { exit: Exit::REFUSED, code: ErrorCode::Denied.as_str(), message }
    }

    /// The server said no to what was said earlier.
    pub(crate) fn refused(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { exit: Exit::REFUSED, code: code.as_str(), message: message.into() }
    }

    /// Out of time, but not lost.
    pub(crate) fn left_in_outbox(message: impl Into<String>) -> Self {
        Self { exit: Exit::LEFT_IN_OUTBOX, code: "left_in_outbox", message: message.into() }
    }

    /// Out of time.
    pub(crate) fn time(message: impl Into<String>) -> Self {
        Self { exit: Exit::TIME_OR_COUNT, code: "time", message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Mistakes of a file that a person wrote: each with its place, its line and its caret.
#[derive(Debug)]
pub(crate) struct Mistakes(pub(crate) Diagnostics);

impl Mistakes {
    /// Each in one line, for programs: place and sentence.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let place = |span| self.0.source().place(span);
        let all = self.0.found().iter();
        all.map(|found| format!("{}: {}", place(found.span), found.message)).collect()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Mistakes {}

/// The exit code of an error and its word in `{"error":{"code":…}}`; the outermost cause that
/// has a code of its own decides.
pub(crate) fn of(error: &anyhow::Error) -> (Exit, &'static str) {
    for cause in error.chain() {
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            return (failure.exit, failure.code);
        }
        if cause.downcast_ref::<Mistakes>().is_some() {
            return (Exit::USAGE, "usage");
        }
        // Only `out` writes to a pipe that somebody else may close.
        if cause.downcast_ref::<ClosedPipe>().is_some() {
            return (Exit::DONE, "closed_pipe");
        }
        if let Some(error) = cause.downcast_ref::<client::Error>() {
            return of_client(error);
        }
        if let Some(error) = cause.downcast_ref::<server::error::Error>() {
            return (of_code(error.code()), error.code().as_str());
        }
        if let Some(error) = cause.downcast_ref::<server::store::OpenError>() {
            return of_opening(error);
        }
        if cause.downcast_ref::<server::config::ConfigError>().is_some() {
            return (Exit::USAGE, "usage");
        }
        if cause.downcast_ref::<client::profile::ProfileError>().is_some() {
            return (Exit::UNEXPECTED, "storage");
        }
        match cause.downcast_ref::<client::journal::OpenError>() {
            Some(client::journal::OpenError::Busy) => return (Exit::TIME_OR_COUNT, "busy"),
            Some(client::journal::OpenError::Disk(_)) => return (Exit::UNEXPECTED, "storage"),
            None => {}
        }
    }
    (Exit::UNEXPECTED, "unexpected")
}

fn of_client(error: &client::Error) -> (Exit, &'static str) {
    use client::Error;
    match error {
        Error::Refused(refusal) => (of_code(refusal.code), refusal.code.as_str()),
        Error::Unreachable(_) => (Exit::NO_CONNECTION, "no_connection"),
        Error::NotConnected => (Exit::NO_CONNECTION, "not_connected"),
        Error::Unanswered(_) => (Exit::NO_CONNECTION, "no_answer"),
        Error::TimedOut(_) => (Exit::TIME_OR_COUNT, "time"),
        Error::LoginNeeded(_) => (Exit::NOT_SIGNED_IN, "not_signed_in"),
        Error::Invalid(_) => (Exit::USAGE, "invalid"),
        Error::Unsupported(_) => (Exit::REFUSED, "unsupported"),
        Error::Garbled(_) => (Exit::UNEXPECTED, "garbled"),
        Error::Full(_) => (Exit::UNEXPECTED, "full"),
        Error::Storage(_) => (Exit::UNEXPECTED, "storage"),
        Error::Closed => (Exit::UNEXPECTED, "closed"),
    }
}

fn of_opening(error: &server::store::OpenError) -> (Exit, &'static str) {
    use server::store::OpenError;
    match error {
        OpenError::Url => (Exit::USAGE, "usage"),
        OpenError::Refused(_) => (Exit::NO_CONNECTION, "no_database"),
        OpenError::NotMigrated => (Exit::REFUSED, "not_migrated"),
        OpenError::NotDurable(_) => (Exit::REFUSED, "not_durable"),
        OpenError::Migration(_) => (Exit::UNEXPECTED, "migration"),
    }
}

fn of_code(code: ErrorCode) -> Exit {
    match code {
        ErrorCode::Unauthenticated | ErrorCode::TokenExpired => Exit::NOT_SIGNED_IN,
        ErrorCode::Unavailable | ErrorCode::Draining | ErrorCode::OutcomeUnknown => {
            Exit::NO_CONNECTION
        }
        ErrorCode::Internal => Exit::UNEXPECTED,
        ErrorCode::BadRequest
        | ErrorCode::Denied
        | ErrorCode::NotFound
        | ErrorCode::MethodNotAllowed
        | ErrorCode::Conflict
        | ErrorCode::IdempotencyConflict
        | ErrorCode::ChatClosed
        | ErrorCode::TooLarge
        | ErrorCode::UnsupportedMediaType
        | ErrorCode::RateLimited => Exit::REFUSED,
    }
}

/// The reader of our standard output went away, like `head` does.
#[derive(Debug)]
pub(crate) struct ClosedPipe(pub(crate) io::Error);

impl fmt::Display for ClosedPipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("standard output was closed")
    }
}

impl std::error::Error for ClosedPipe {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_its_exit_code_under_context() {
        let check = |error: anyhow::Error, expect| assert_eq!(of(&error).0, expect);
        check(anyhow::anyhow!("anything"), Exit::UNEXPECTED);
        check(anyhow::Error::new(Failure::usage("no")).context("outer"), Exit::USAGE);
        let pipe = ClosedPipe(io::Error::from(io::ErrorKind::BrokenPipe));
        check(anyhow::Error::new(pipe).context("outer"), Exit::DONE);
        let refused = |code| client::Error::from(client::Refusal::new(code, "no")).into();
        check(refused(ErrorCode::Denied), Exit::REFUSED);
        check(refused(ErrorCode::TokenExpired), Exit::NOT_SIGNED_IN);
        check(refused(ErrorCode::Unavailable), Exit::NO_CONNECTION);
        check(client::Error::Unreachable("gone".to_owned()).into(), Exit::NO_CONNECTION);
        check(client::Error::TimedOut("silence".to_owned()).into(), Exit::TIME_OR_COUNT);
        check(client::journal::OpenError::Busy.into(), Exit::TIME_OR_COUNT);
        // A broken pipe of some socket is not our reader's.
        check(io::Error::from(io::ErrorKind::BrokenPipe).into(), Exit::UNEXPECTED);
    }
}
