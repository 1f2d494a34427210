//! Removing what is kept no longer: bounded statements, each a commit of its own.

use std::time::Duration;

use super::{Store, StoreError};

/// Rows that one statement removes: some ten milliseconds of locks on rows that are old.
pub(crate) const ROWS_MAX: i32 = 2_000;

/// What is removed by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Notifications, by when they were stored.
    Notifications,
    /// Sessions and their refresh tokens, by when their life ended.
    Sessions,
    /// Endings that every node has heeded.
    Endings,
}

impl Kept {
    /// The word in the metrics.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Notifications => "notifications",
            Self::Sessions => "sessions",
            Self::Endings => "endings",
        }
    }
}

impl Store {
    /// Removes what is older than `keep`, at most 2,000 rows; answers how many there were. None
    /// while another server does the same.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; then the next time will find them.
    pub async fn prune(&self, what: Kept, keep: Duration) -> Result<i64, StoreError> {
        let sql = match what {
            Kept::Notifications => "select prune_notifications($1, $2)",
            Kept::Sessions => "select prune_sessions($1, $2)",
            Kept::Endings => "select prune_endings($1, $2)",
        };
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query_scalar(sql).bind(keep).bind(ROWS_MAX).fetch_one(connection).await
            })
        })
        .await
    }
}
