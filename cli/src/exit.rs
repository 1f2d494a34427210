//! Exit codes: the one table, and the one place where an error becomes one (TUI.md §8).

use std::fmt;
use std::io;
use std::process::ExitCode;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit(u8);

impl Exit {
    /// Done as asked; also when the reader of our output has seen enough and closed it.
    pub(crate) const DONE: Self = Self(0);
    /// Something that should not happen.
    pub(crate) const UNEXPECTED: Self = Self(1);
    /// The command line does not make sense; nothing was tried.
    pub(crate) const USAGE: Self = Self(2);
    /// 128 + SIGINT.
    pub(crate) const INTERRUPTED: Self = Self(130);
    /// 128 + SIGTERM.
    pub(crate) const TERMINATED: Self = Self(143);
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}

/// What `--help` says below the flags.
pub(crate) const HELP: &str = "\
Exit codes: 0 done, 1 unexpected, 2 usage, 130 Ctrl-C, 143 SIGTERM";

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
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// The exit code of an error and its word in `{"error":{"code":…}}`; the outermost cause that
/// has a code of its own decides.
pub(crate) fn of(error: &anyhow::Error) -> (Exit, &'static str) {
    for cause in error.chain() {
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            return (failure.exit, failure.code);
        }
        // Only `out` writes to a pipe that somebody else may close.
        if cause.downcast_ref::<ClosedPipe>().is_some() {
            return (Exit::DONE, "closed_pipe");
        }
    }
    (Exit::UNEXPECTED, "unexpected")
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
        // A broken pipe of some socket is not our reader's.
        check(io::Error::from(io::ErrorKind::BrokenPipe).into(), Exit::UNEXPECTED);
    }
}
