//! Listening for the hints of other nodes, on a connection of its own: a listener that shared one
//! with statements would hear late, and one that is not read fills the queue of the whole cluster.

use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::time::timeout;

use super::error::{Access, StoreError};
use super::nodes::CHANNEL;
use super::{Cause, Store};

/// What the connection is called in `pg_stat_activity`.
const APPLICATION: &str = "trialogue-listen";
/// Time for connecting, for `LISTEN`, and for a sign of life.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// After so long without a hint the connection is asked whether it is still there: a line that
/// went dark says nothing by itself.
const PING_AFTER: Duration = Duration::from_secs(10);

/// A connection that listens.
pub struct Listening(PgListener);

impl Store {
    /// Begins to listen.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn listen(&self) -> Result<Listening, StoreError> {
        let options = self.pool.options().clone().application_name(APPLICATION);
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ANSWER_TIMEOUT)
            .max_lifetime(None)
            .idle_timeout(None)
            .connect_lazy_with(options);
        let listening = async {
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.listen(CHANNEL).await?;
            Ok::<_, sqlx::Error>(listener)
        };
        match timeout(ANSWER_TIMEOUT, listening).await {
            Ok(listener) => listener.map(Listening).map_err(StoreError::of_connecting),
            Err(_) => Err(StoreError::unavailable("LISTEN took too long")),
        }
    }
}

impl Listening {
    /// The next hint; `None` when hints may have been lost, and from now on they are heard again.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] when it is deaf: begin anew.
    pub async fn next(&mut self) -> Result<Option<String>, StoreError> {
        let deaf = |error| StoreError::of_statement(error, Access::Read);
        loop {
            // Giving up the wait loses nothing: what has arrived stays in the buffer.
            if let Ok(heard) = timeout(PING_AFTER, self.0.try_recv()).await {
                return Ok(heard.map_err(deaf)?.map(|hint| hint.payload().to_owned()));
            }
            let ping = sqlx::query("select 1").execute(&mut self.0);
            match timeout(ANSWER_TIMEOUT, ping).await {
                Ok(answer) => {
                    answer.map_err(deaf)?;
                }
                Err(_) => return Err(StoreError::Unavailable(Cause::Ours("a dark line"))),
            }
        }
    }
}
