//! The migrations of `migrations/`, embedded in the binary.

use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, SqlSafeStr};

macro_rules! sources {
    ($($version:literal $file:literal),* $(,)?) => {
        [$(($version, $file, include_str!(concat!("../../../migrations/", $file, ".sql")))),*]
    };
}

/// Version, name and text of each, in order. A released one is never edited.
const SOURCES: [(i64, &str, &str); 13] = sources![
    1 "0001_people",
    2 "0002_chats",
    3 "0003_sessions",
    4 "0004_store_messages",
    5 "0005_jobs",
    6 "0006_disputes",
    7 "0007_reading",
    8 "0008_store_messages_by_key",
    9 "0009_retention",
    10 "0010_one_chat_each",
    11 "0011_nodes",
    12 "0012_moved_disputes",
    13 "0013_join_order",
];

/// Time for another server's migrations to end, and for each of our statements. A new database
/// takes a fraction of a second; an index on a large one takes longer.
const MIGRATION_TIMEOUT: &str = "10min";

fn migrator() -> Migrator {
    let migrations = SOURCES.map(|(version, name, sql)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(migrations.into());
    // A server of the version before may start again while a newer one has migrated already.
    migrator.set_ignore_missing(true);
    migrator
}

/// Brings the database up to date, on a connection of its own that is closed afterwards: two
/// servers that start at once take turns on an advisory lock, and a process that dies half-way
/// leaves whole migrations only (each runs in one transaction with its bookkeeping).
pub(super) async fn migrate(options: &PgConnectOptions) -> Result<Migrated, MigrateError> {
    let patient = options.clone().options([
        ("statement_timeout", MIGRATION_TIMEOUT),
        ("lock_timeout", MIGRATION_TIMEOUT),
        ("idle_in_transaction_session_timeout", MIGRATION_TIMEOUT),
    ]);
    let mut connection = PgConnection::connect_with(&patient).await?;
    let migrator = migrator();
    // Asked first, because a role that may only serve cannot even say `create table if not exists`.
    let from = newest(&mut connection).await;
    if !is_current(&mut connection, &migrator).await {
        migrator.run_direct(None, &mut connection, false).await?;
        keep_list(&mut connection).await?;
    }
    let to = newest(&mut connection).await;
    connection.close().await?;
    Ok(Migrated { from, to })
}

/// The list of migrations is for who migrates: a role that serves, which default privileges may
/// let write to every new table (`deploy/roles.sql`), can read it and no more.
async fn keep_list(connection: &mut PgConnection) -> Result<(), MigrateError> {
    let revoke = "do $$
        declare
            v_role text;
        begin
            for v_role in
                select distinct case a.grantee when 0 then 'public'
                    else quote_ident(pg_get_userbyid(a.grantee)) end
                from pg_class c, aclexplode(c.relacl) a
                where c.oid = '_sqlx_migrations'::regclass
                  and a.grantee <> c.relowner and a.privilege_type <> 'SELECT'
            loop
                execute 'revoke insert, update, delete, truncate, references, trigger'
                    || ' on _sqlx_migrations from ' || v_role;
            end loop;
        end $$";
    sqlx::raw_sql(revoke).execute(connection).await?;
    Ok(())
}

/// What a migration has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// The newest version before; 0 for an empty database.
    pub from: i64,
    /// The newest version now.
    pub to: i64,
}

async fn newest(connection: &mut PgConnection) -> i64 {
    let applied = connection.list_applied_migrations("_sqlx_migrations").await;
    applied.ok().and_then(|list| list.iter().map(|a| a.version).max()).unwrap_or_default()
}

async fn is_current(connection: &mut PgConnection, migrator: &Migrator) -> bool {
    let Ok(applied) = connection.list_applied_migrations("_sqlx_migrations").await else {
        return false;
    };
    migrator.iter().all(|wanted| {
        applied.iter().any(|a| a.version == wanted.version && a.checksum == wanted.checksum)
    })
}

/// Why a database that lacks some is not ready.
pub(super) const MISSING: &str = "the database is not migrated";

/// The newest version: what a ready database has.
pub(super) const NEWEST: i64 = SOURCES[SOURCES.len() - 1].0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_rise_with_the_file_names() {
        for (index, (version, name, sql)) in SOURCES.iter().enumerate() {
            assert_eq!(*version, i64::try_from(index).unwrap() + 1);
            assert!(name.starts_with(&format!("{version:04}_")), "{name}");
            assert!(sql.starts_with("-- "), "{name} begins with what it is for");
        }
    }
}
