//! What can go wrong with the private PostgreSQL, one sentence each, fit for a person's screen.
//! A cause is part of its sentence and therefore not a `source`: who prints both says it twice.

use std::io;
use std::path::Path;
use std::time::Duration;

/// Why there is no private PostgreSQL (HOUSE §8).
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// Nothing installed, and the download failed; `advice` says what to install here.
    #[error(
        "no PostgreSQL 13 or newer is installed and none could be downloaded ({cause}); {advice}"
    )]
    NoBinaries {
        /// What the download met.
        cause: String,
        /// A sentence per system, or the one of this system.
        advice: String,
    },
    /// `TRIALOGUE_PG_BIN` names a folder that will not do.
    #[error("TRIALOGUE_PG_BIN={folder} holds no postgres and initdb of version 13 or newer")]
    BadFolder {
        /// As given.
        folder: String,
    },
    /// PostgreSQL refuses to run as root and as a user without a name.
    #[error("{0}")]
    NoUser(String),
    /// A file, folder or process of the cluster.
    #[error("cannot {action}: {cause}")]
    Io {
        /// What was tried, with the path.
        action: String,
        /// The system's answer.
        cause: io::Error,
    },
    /// Somebody else holds it, or it hangs.
    #[error("{what} did not happen within {} s", within.as_secs())]
    TimedOut {
        /// What was waited for.
        what: String,
        /// The bound.
        within: Duration,
    },
    /// `initdb` or `postgres` gave up.
    #[error("{program} failed: {log}")]
    Failed {
        /// Which one.
        program: &'static str,
        /// The end of what it said.
        log: String,
    },
    /// A statement on the cluster itself.
    #[error("cannot {action}: {cause}")]
    Database {
        /// What was tried.
        action: String,
        /// The database's answer.
        cause: sqlx::Error,
    },
    /// A name that would have to be quoted, or an address that is no URL.
    #[error("{0}")]
    BadName(String),
    /// `db stop` and `db reset` do not take the database away from anyone.
    #[error("the database is in use by another trialogue process")]
    InUse,
}

impl EmbeddedError {
    pub(super) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Io { action: action.into(), cause }
    }

    pub(super) fn path(verb: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::io(format!("{verb} {}", path.display()))
    }

    pub(super) fn database(action: impl Into<String>) -> impl FnOnce(sqlx::Error) -> Self {
        move |cause| Self::Database { action: action.into(), cause }
    }
}
