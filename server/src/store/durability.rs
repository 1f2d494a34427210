//! What every new connection must prove before it is used: that a commit stays (promise 1), and
//! which database this is (`epoch`).

use std::fmt::Write as _;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

/// Bytes of the digest that are shown: enough to tell databases apart.
const EPOCH_BYTES: usize = 8;

/// What PostgreSQL says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    fsync: String,
    synchronous_commit: String,
    system: String,
    timeline: String,
    database: String,
}

/// Identity of the cluster, its history and the database: a restore changes the second or the
/// third, another cluster the first. Nothing of it is a row that a restore would bring back.
const FACTS: &str = "
    select current_setting('fsync'), current_setting('synchronous_commit'),
           (select system_identifier::text from pg_control_system()),
           (select timeline_id::text from pg_control_checkpoint()),
           (select oid::text from pg_database where datname = current_database())";

/// The same without the functions that an administrator may have closed: the oid of a table stands
/// in for the cluster, the name of the current WAL file for its history.
const FACTS_IN_PUBLIC: &str = "
    select current_setting('fsync'), current_setting('synchronous_commit'),
           coalesce(to_regclass('public.messages')::oid::text, ''),
           substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8),
           (select oid::text from pg_database where datname = current_database())";

/// SQLSTATE of a function that this role may not call.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

pub(super) async fn facts(connection: &mut PgConnection) -> sqlx::Result<Facts> {
    match ask(connection, FACTS).await {
        Err(sqlx::Error::Database(e)) if e.code().as_deref() == Some(INSUFFICIENT_PRIVILEGE) => {
            ask(connection, FACTS_IN_PUBLIC).await
        }
        answer => answer,
    }
}

async fn ask(connection: &mut PgConnection, sql: &'static str) -> sqlx::Result<Facts> {
    let row: PgRow = sqlx::query(sql).fetch_one(connection).await?;
    Ok(Facts {
        fsync: row.try_get(0)?,
        synchronous_commit: row.try_get(1)?,
        system: row.try_get(2)?,
        timeline: row.try_get(3)?,
        database: row.try_get(4)?,
    })
}

impl Facts {
    /// The setting that lets a commit be forgotten, if there is one.
    pub(super) fn weakness(&self) -> Option<&'static str> {
        match (self.fsync.as_str(), self.synchronous_commit.as_str()) {
            ("on", "off") => Some("synchronous_commit is off"),
            ("on", _) => None,
            _ => Some("fsync is off"),
        }
    }

    /// The word that clients compare (CONTRACT §2).
    pub(super) fn epoch(&self) -> Arc<str> {
        let mut hash = Sha256::new();
        for part in [&self.system, &self.timeline, &self.database] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let mut text = String::with_capacity(2 * EPOCH_BYTES);
        for byte in &hash.finalize()[..EPOCH_BYTES] {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts_with(fsync: &str, commit: &str, timeline: &str) -> Facts {
        Facts {
            fsync: fsync.to_owned(),
            synchronous_commit: commit.to_owned(),
            system: "7".to_owned(),
            timeline: timeline.to_owned(),
            database: "16384".to_owned(),
        }
    }

    #[test]
    fn only_a_commit_that_stays_is_good_enough() {
        let check = |fsync, commit, expect: bool| {
            assert_eq!(facts_with(fsync, commit, "1").weakness().is_none(), expect);
        };
        check("on", "on", true);
        check("on", "remote_apply", true);
        check("on", "remote_write", true);
        check("on", "local", true);
        check("on", "off", false);
        check("off", "on", false);
        check("off", "off", false);
    }

    #[test]
    fn a_restored_database_has_another_epoch() {
        let before = facts_with("on", "on", "1").epoch();
        assert_eq!(before, facts_with("on", "on", "1").epoch());
        assert_ne!(before, facts_with("on", "on", "2").epoch());
        assert_eq!(before.len(), 2 * EPOCH_BYTES);
    }
}
