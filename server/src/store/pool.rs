//! Connections to PostgreSQL: bounded in number, waited for in turn, never handed on in doubt.
//!
//! Our own, and small, for three reasons: a statement runs in a task that its caller's disconnect
//! cannot cancel (M1 of RELIABILITY), nothing but the statement itself crosses the wire (a general
//! pool pings on each return), and every new connection proves that it is as durable as promised.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::Load;
use super::durability;
use super::error::{Access, StoreError};

/// Wait for a free connection, and for a new one to be made.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// A statement that outlives the server-side `statement_timeout` by so much is on a dead link.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// An idle connection is asked for a sign of life after so long; a busy one shows it by itself.
const PING_AFTER: Duration = Duration::from_secs(1);
/// Statements that may wait for a connection; more are refused at once, while waiting is cheap.
const WAITING_MAX: usize = 4_096;

/// The connections of this process. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pool(Arc<Inner>);

struct Inner {
    options: PgConnectOptions,
    unsafe_durability: bool,
    size: usize,
    free: Arc<Semaphore>,
    waiting: Semaphore,
    idle: Mutex<Vec<Idle>>,
    /// Rises when a connection dies: those of before are not trusted any more.
    generation: AtomicU64,
    /// Of the database that the newest connection reached.
    epoch: RwLock<Arc<str>>,
    running: TaskTracker,
}

struct Idle {
    connection: PgConnection,
    generation: u64,
    since: Instant,
}

/// A connection in use. Dropped without [`Lease::give_back`] it is closed: whatever it was doing,
/// nobody else will find it half-way.
struct Lease {
    connection: PgConnection,
    generation: u64,
    pool: Pool,
    /// It has answered somebody before.
    reused: bool,
    /// Its last statement was answered.
    sound: bool,
    /// It died under its last statement.
    lost: bool,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(options: PgConnectOptions, size: usize, unsafe_durability: bool) -> Self {
        Self(Arc::new(Inner {
            options,
            unsafe_durability,
            size,
            free: Arc::new(Semaphore::new(size)),
            waiting: Semaphore::new(WAITING_MAX),
            idle: Mutex::new(Vec::with_capacity(size)),
            generation: AtomicU64::new(0),
            epoch: RwLock::new(Arc::from("")),
            running: TaskTracker::new(),
        }))
    }

    /// Runs a write to its end, whatever becomes of the caller.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, sqlx::Result<T>> + Send + 'static,
    {
        let pool = self.clone();
        let task = self.0.running.spawn(async move {
            let mut lease = pool.take().await?;
            let answer = lease.ask(Access::Write, work).await;
            lease.give_back();
            answer
        });
        task.await.unwrap_or_else(|_| Err(StoreError::broken("a statement's task panicked")))
    }

    /// Runs a read; once more on a new connection when the one at hand turns out to be dead, which
    /// is what every idle one is after the database was restarted.
    pub(super) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, sqlx::Result<T>>
            + Clone
            + Send
            + 'static,
    {
        let pool = self.clone();
        let task = self.0.running.spawn(async move {
            let mut lease = pool.take().await?;
            if lease.reused {
                let answer = lease.ask(Access::Read, work.clone()).await;
                if !lease.lost {
                    lease.give_back();
                    return answer;
                }
                drop(lease);
                lease = pool.take().await?;
            }
            let answer = lease.ask(Access::Read, work).await;
            lease.give_back();
            answer
        });
        task.await.unwrap_or_else(|_| Err(StoreError::broken("a statement's task panicked")))
    }

    /// Waits for a connection, at most [`ACQUIRE_TIMEOUT`] in line and as long for a new one.
    async fn take(&self) -> Result<Lease, StoreError> {
        let Ok(_in_line) = self.0.waiting.try_acquire() else {
            return Err(StoreError::unavailable("too many statements wait for a connection"));
        };
        let free = Arc::clone(&self.0.free);
        let permit = match timeout(ACQUIRE_TIMEOUT, free.acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(StoreError::unavailable("the store is closed")),
            Err(_) => return Err(StoreError::unavailable("no connection became free in time")),
        };
        let generation = self.0.generation.load(Ordering::Acquire);
        let idle = self.reuse(generation).await;
        let reused = idle.is_some();
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let pool = self.clone();
        Ok(Lease {
            connection,
            generation,
            pool,
            reused,
            sound: true,
            lost: false,
            _permit: permit,
        })
    }

    async fn reuse(&self, generation: u64) -> Option<PgConnection> {
        loop {
            let idle = self.idle().pop()?;
            if idle.generation != generation {
                continue;
            }
            let mut connection = idle.connection;
            if idle.since.elapsed() < PING_AFTER {
                return Some(connection);
            }
            if matches!(timeout(ACQUIRE_TIMEOUT, connection.ping()).await, Ok(Ok(()))) {
                return Some(connection);
            }
        }
    }

    /// A new connection, to a database that was checked.
    async fn connect(&self) -> Result<PgConnection, StoreError> {
        let connecting = async {
            let mut connection = PgConnection::connect_with(&self.0.options).await?;
            let facts = durability::facts(&mut connection).await?;
            Ok::<_, sqlx::Error>((connection, facts))
        };
        let (connection, facts) = match timeout(ACQUIRE_TIMEOUT, connecting).await {
            Ok(made) => made.map_err(StoreError::of_connecting)?,
            Err(_) => return Err(StoreError::unavailable("connecting took too long")),
        };
        if !self.0.unsafe_durability && facts.weakness().is_some() {
            return Err(StoreError::unavailable("the database is no longer durable"));
        }
        let epoch = facts.epoch();
        if *self.epoch() != *epoch {
            *self.0.epoch.write().unwrap_or_else(PoisonError::into_inner) = epoch;
        }
        Ok(connection)
    }

    /// How a connection is made, for one that is not the pool's.
    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.0.options
    }

    /// Of the database that the newest connection reached.
    pub(super) fn epoch(&self) -> Arc<str> {
        Arc::clone(&self.0.epoch.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// How busy it is.
    pub(super) fn load(&self) -> Load {
        let busy = self.0.size - self.0.free.available_permits().min(self.0.size);
        Load {
            messages_waiting: 0,
            statements_waiting: WAITING_MAX - self.0.waiting.available_permits().min(WAITING_MAX),
            connections_busy: busy,
            connections_idle: self.idle().len(),
            connections_max: self.0.size,
        }
    }

    /// Waits for what is running and closes every connection.
    pub(super) async fn close(&self) {
        self.0.running.close();
        self.0.running.wait().await;
        self.0.free.close();
        let idle = std::mem::take(&mut *self.idle());
        for each in idle {
            // Best effort: the process ends anyway, and PostgreSQL notices.
            let _ = timeout(ACQUIRE_TIMEOUT, each.connection.close()).await;
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// Runs `work`, bounded in time, and remembers whether the connection can be trusted after it.
    async fn ask<T, F>(&mut self, access: Access, work: F) -> Result<T, StoreError>
    where
        F: for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, sqlx::Result<T>>,
    {
        self.sound = false;
        let error = match timeout(ANSWER_TIMEOUT, work(&mut self.connection)).await {
            Ok(Ok(answer)) => {
                self.sound = true;
                return Ok(answer);
            }
            Ok(Err(error)) => error,
            Err(_) => sqlx::Error::Io(ErrorKind::TimedOut.into()),
        };
        if is_refusal(&error) {
            self.sound = true;
        } else {
            self.lost = !matches!(&error, sqlx::Error::Io(e) if e.kind() == ErrorKind::TimedOut);
            // What killed this connection has most likely killed the idle ones.
            self.pool.0.generation.fetch_add(1, Ordering::AcqRel);
        }
        Err(StoreError::of_statement(error, access))
    }

    /// Hands the connection to the next one, or closes it when it is in doubt.
    fn give_back(self) {
        let Self { connection, generation, pool, sound, _permit, .. } = self;
        if sound && generation == pool.0.generation.load(Ordering::Acquire) {
            pool.idle().push(Idle { connection, generation, since: Instant::now() });
        }
    }
}

/// The database said no and listens for the next statement.
fn is_refusal(error: &sqlx::Error) -> bool {
    let Some(code) = error.as_database_error().and_then(|e| e.code()) else { return false };
    !(code.starts_with("08") || code.starts_with("57P") || code.starts_with("25P"))
}
