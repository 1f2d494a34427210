//! The only room with SQL: one function per question or act, each a single autocommit statement.
//!
//! What may not happen here: a transaction begun from Rust, a statement that its caller's
//! disconnect can cancel, an opinion. Access is part of the statement that acts; refusals come back
//! as verdicts and `policy` gives them their names. Errors say only whether something may have been
//! stored ([`StoreError`]).

mod busy;
mod chats;
mod disputes;
mod durability;
mod elsewhere;
mod endings;
mod error;
mod history;
mod jobs;
mod lane;
mod listen;
mod messages;
mod migrate;
mod missing;
mod nodes;
mod notifications;
mod online;
mod operators;
mod people;
mod pool;
mod retention;
mod rows;
mod sessions;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

pub use chats::{ChatCursor, Entry};
pub use disputes::{DisputeOpening, DisputeStep, NewDispute};
pub use elsewhere::FreshNotice;
pub use endings::{Ending, Endings};
pub use error::{Cause, StoreError};
pub use history::{Page, Range};
pub use jobs::{Booking, Ended, NewJob};
pub use listen::Listening;
pub use messages::{NewMessage, Verdict};
pub use migrate::Migrated;
pub use missing::Gap;
pub use nodes::{Beat, OtherNode, Place, Said, SaidPlace};
pub use operators::{Account, Filter, RoleChange};
pub use people::{Credentials, Person, PersonDetails};
pub use retention::Kept;
pub(crate) use retention::ROWS_MAX as PRUNED_ROWS_MAX;
pub use sessions::{NewUser, Refreshed, SessionTokens};

use crate::metrics::Restarts;
use lane::Lane;
use pool::Pool;

/// Server-side bound on a statement; on waiting for a lock; on a transaction that does nothing
/// (ours never do). RELIABILITY §2.3.
const SESSION_SETTINGS: [(&str, &str); 6] = [
    ("statement_timeout", "3s"),
    ("lock_timeout", "2s"),
    ("idle_in_transaction_session_timeout", "5s"),
    // Compiling a plan costs more than any of our statements, and so does making one: all of them go
    // by key, so the plan that is made once is the right one.
    ("jit", "off"),
    ("plan_cache_mode", "force_generic_plan"),
    ("TimeZone", "UTC"),
];
/// Connections for heartbeats and hints; a server that is alone uses one of them.
const CONNECTIONS_ASIDE: usize = 2;
/// First and longest pause between two attempts to reach the database at start.
const START_PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// How long a server waits at start for a database that is starting too.
const START_PATIENCE: Duration = Duration::from_mins(1);

/// How to reach the database.
#[derive(Clone)]
pub struct StoreConfig {
    /// `postgres://...`; may carry a password, so it is never printed.
    pub url: String,
    /// Connections at most, 2 at least: the line of messages keeps one busy.
    pub connections: usize,
    /// Work on a database that may forget commits (`--unsafe-durability`).
    pub unsafe_durability: bool,
}

/// Why the store cannot be opened. No text of it carries the URL or a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL cannot be read.
    #[error("the database URL cannot be read: it looks like postgres://user:password@host/name")]
    Url,
    /// The database is there and refuses us, or it did not come in time.
    #[error("cannot use the database: {0}")]
    Refused(String),
    /// A commit could be lost, which would break promise 1.
    #[error(
        "{0} in PostgreSQL, so an acknowledged message could be lost: turn it on, or start with \
         --unsafe-durability"
    )]
    NotDurable(&'static str),
    /// Migrations are missing, and whoever opens it was told not to apply them, or may not.
    #[error("the database is not migrated: run `trialogue migrate` with a role that may")]
    NotMigrated,
    /// A migration failed; the database is as it was before that one.
    #[error("cannot migrate the database: {0}")]
    Migration(String),
}

/// How busy a store is at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Load {
    /// Messages in line to be stored.
    pub(crate) messages_waiting: usize,
    /// Statements that wait for a connection.
    pub(crate) statements_waiting: usize,
    /// Connections that work.
    pub(crate) connections_busy: usize,
    /// Connections that wait for work.
    pub(crate) connections_idle: usize,
    /// Most connections that there may be.
    pub(crate) connections_max: usize,
}

/// The database, as the flows see it. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    lane: Lane,
    /// For what must not wait behind people: a node whose heartbeat is late is taken for dead.
    aside: Pool,
    /// How often a task of the store had to begin again.
    restarts: Restarts,
}

impl Store {
    /// Reaches the database (with patience, should it be starting), checks that a commit stays,
    /// migrates, and starts the line of messages. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`OpenError`] says what to do about it.
    pub async fn open(config: &StoreConfig) -> Result<Self, OpenError> {
        Self::start(config, true).await
    }

    /// The same without migrating: for a role that may only serve.
    ///
    /// # Errors
    ///
    /// [`OpenError::NotMigrated`] when it should; else like [`Store::open`].
    pub async fn attach(config: &StoreConfig) -> Result<Self, OpenError> {
        Self::start(config, false).await
    }

    /// Brings the database up to date and does nothing else.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub async fn migrate(config: &StoreConfig) -> Result<Migrated, OpenError> {
        let options = options_of(config)?;
        check(reach(&options).await?, config).await?;
        migrate::migrate(&options).await.map_err(|e| OpenError::Migration(e.to_string()))
    }

    async fn start(config: &StoreConfig, migrating: bool) -> Result<Self, OpenError> {
        let options = options_of(config)?;
        check(reach(&options).await?, config).await?;
        if migrating {
            migrate::migrate(&options).await.map_err(|e| OpenError::Migration(e.to_string()))?;
        }
        let aside = Pool::new(options.clone(), CONNECTIONS_ASIDE, config.unsafe_durability);
        let pool = Pool::new(options, config.connections.max(2), config.unsafe_durability);
        let restarts = Restarts::default();
        let lane = Lane::start(pool.clone(), restarts.clone());
        let store = Self { pool, lane, aside, restarts };
        match store.ready().await {
            Ok(()) => Ok(store),
            // An empty database has no list of migrations to read.
            Err(StoreError::Broken(_)) if !migrating => Err(OpenError::NotMigrated),
            Err(StoreError::Unavailable(Cause::Ours(migrate::MISSING))) => {
                Err(OpenError::NotMigrated)
            }
            Err(error) => Err(OpenError::Refused(error.to_string())),
        }
    }

    /// The counter that the tasks of this store use.
    pub(crate) fn restarts(&self) -> &Restarts {
        &self.restarts
    }

    /// Whether the database answers and has all migrations: `GET /health/ready`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is away or not migrated.
    pub async fn ready(&self) -> Result<(), StoreError> {
        let sql = "select coalesce(max(version), 0) from _sqlx_migrations where success";
        let newest: i64 = self
            .read(move |connection| {
                Box::pin(async move { sqlx::query_scalar(sql).fetch_one(connection).await })
            })
            .await?;
        if newest < migrate::NEWEST {
            return Err(StoreError::unavailable(migrate::MISSING));
        }
        Ok(())
    }

    /// Identity of the database and its history: changes when it is another one or was restored.
    pub fn epoch(&self) -> Arc<str> {
        self.pool.epoch()
    }

    /// Puts a message in line to be stored. Synchronous, so that who calls twice in a row is stored
    /// in that order; the receiver answers after the commit.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] when the line is full.
    pub fn put_message(
        &self,
        message: NewMessage,
    ) -> Result<oneshot::Receiver<Result<Verdict, StoreError>>, StoreError> {
        self.lane.put(message)
    }

    /// How busy it is, for metrics.
    pub(crate) fn load(&self) -> Load {
        Load { messages_waiting: self.lane.waiting(), ..self.pool.load() }
    }

    /// Waits for running statements and closes the connections.
    pub async fn close(&self) {
        tokio::join!(self.pool.close(), self.aside.close());
    }

    async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, sqlx::Result<T>>
            + Clone
            + Send
            + 'static,
    {
        self.pool.read(work).await
    }

    async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, sqlx::Result<T>> + Send + 'static,
    {
        self.pool.write(work).await
    }
}

/// Whether the address of a database can be read; nothing is asked there.
///
/// # Errors
///
/// [`OpenError::Url`].
pub(crate) fn check_url(url: &str) -> Result<(), OpenError> {
    url.parse::<PgConnectOptions>().map(drop).map_err(|_| OpenError::Url)
}

fn options_of(config: &StoreConfig) -> Result<PgConnectOptions, OpenError> {
    let options: PgConnectOptions = config.url.parse().map_err(|_| OpenError::Url)?;
    Ok(options.application_name("trialogue").options(SESSION_SETTINGS).disable_statement_logging())
}

/// Whether a commit stays.
async fn check(mut connection: PgConnection, config: &StoreConfig) -> Result<(), OpenError> {
    let facts = durability::facts(&mut connection).await;
    let facts = facts.map_err(|e| OpenError::Refused(plain(&e)))?;
    // Best effort: it has done its work.
    let _ = connection.close().await;
    match facts.weakness() {
        Some(weakness) if !config.unsafe_durability => Err(OpenError::NotDurable(weakness)),
        _ => Ok(()),
    }
}

/// The first connection: a database that is starting is waited for, one that refuses us is not.
async fn reach(options: &PgConnectOptions) -> Result<PgConnection, OpenError> {
    let deadline = Instant::now() + START_PATIENCE;
    let (mut pause, longest) = START_PAUSES;
    loop {
        let error = match PgConnection::connect_with(options).await {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        // 57P03: the database system is starting up.
        let starting = match error.as_database_error() {
            Some(refusal) => refusal.code().as_deref() == Some("57P03"),
            None => matches!(error, sqlx::Error::Io(_)),
        };
        if !starting || Instant::now() >= deadline {
            return Err(OpenError::Refused(plain(&error)));
        }
        tracing::info!(pause_ms = pause.as_millis(), "waiting for the database");
        sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}

/// The driver's sentence without its prefix. It names users and databases, never a password.
fn plain(error: &sqlx::Error) -> String {
    match error.as_database_error() {
        Some(refusal) => refusal.message().to_owned(),
        None => error.to_string(),
    }
}
