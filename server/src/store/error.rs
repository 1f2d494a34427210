//! What can go wrong between us and the database, sorted by the one thing callers ask: is it stored?

use std::fmt;

/// Why the store gave no answer (RELIABILITY §2.10). Refusals are no errors: they are verdicts.
#[derive(Debug)]
pub enum StoreError {
    /// Certainly not stored; may work later.
    Unavailable(Cause),
    /// A write was on its way when the connection died: stored or not, only a retry can tell.
    OutcomeUnknown(Cause),
    /// A bug of ours: the database refused the statement itself, or its answer made no sense.
    Broken(Cause),
}

/// What lies behind it: for the log, never for an answer.
#[derive(Debug)]
pub enum Cause {
    /// What the driver said.
    Database(sqlx::Error),
    /// What we concluded ourselves.
    Ours(&'static str),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => error.fmt(f),
            Self::Ours(reason) => f.write_str(reason),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, cause) = match self {
            Self::Unavailable(cause) => ("the database is not available", cause),
            Self::OutcomeUnknown(cause) => ("the outcome of a write is unknown", cause),
            Self::Broken(cause) => ("the database refused a statement", cause),
        };
        write!(f, "{what}: {cause}")
    }
}

impl std::error::Error for StoreError {}

/// Whether a statement can have left a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// It cannot: trouble of any kind means that nothing happened.
    Read,
    /// It can.
    Write,
}

impl StoreError {
    pub(crate) fn unavailable(reason: &'static str) -> Self {
        Self::Unavailable(Cause::Ours(reason))
    }

    pub(crate) fn broken(reason: &'static str) -> Self {
        Self::Broken(Cause::Ours(reason))
    }

    /// The line went down with a message in it.
    pub(crate) fn lost() -> Self {
        Self::OutcomeUnknown(Cause::Ours("the line of messages has ended"))
    }

    /// A read failed that was to show what has just been committed: nobody may be told that nothing
    /// was stored.
    pub(crate) fn after_commit(self) -> Self {
        match self {
            Self::Unavailable(cause) => Self::OutcomeUnknown(cause),
            other => other,
        }
    }

    /// The same error for another caller that shared the statement; the cause is logged once, by
    /// the first.
    pub(super) fn shared(&self) -> Self {
        let cause = Cause::Ours("the batch failed as a whole");
        match self {
            Self::Unavailable(_) => Self::Unavailable(cause),
            Self::OutcomeUnknown(_) => Self::OutcomeUnknown(cause),
            Self::Broken(_) => Self::Broken(cause),
        }
    }

    /// A connection could not be had: nothing was sent.
    pub(super) fn of_connecting(error: sqlx::Error) -> Self {
        Self::Unavailable(Cause::Database(error))
    }

    /// A statement was sent and failed.
    pub(super) fn of_statement(error: sqlx::Error, access: Access) -> Self {
        let lost = |cause| match access {
            Access::Read => Self::Unavailable(cause),
            Access::Write => Self::OutcomeUnknown(cause),
        };
        let Some(code) = error.as_database_error().and_then(|e| e.code()).map(|c| c.into_owned())
        else {
            let ours = matches!(
                error,
                sqlx::Error::RowNotFound
                    | sqlx::Error::ColumnNotFound(_)
                    | sqlx::Error::ColumnIndexOutOfBounds { .. }
                    | sqlx::Error::ColumnDecode { .. }
                    | sqlx::Error::Decode(_)
                    | sqlx::Error::Encode(_)
            );
            let cause = Cause::Database(error);
            return if ours { Self::Broken(cause) } else { lost(cause) };
        };
        let cause = Cause::Database(error);
        match (&code[..2], code.as_str()) {
            // The backend was shut down, or the connection failed: the commit may have happened.
            ("08", _) | (_, "57P01" | "57P02") => lost(cause),
            // Timeouts, locks, deadlocks, full disks, standbys: rolled back, may work later.
            ("53" | "40", _)
            | (_, "57014" | "57P03" | "57P05" | "55P03" | "25006" | "58030" | "25P03" | "25P04") => {
                Self::Unavailable(cause)
            }
            _ => Self::Broken(cause),
        }
    }
}
