//! Databases in a cluster: made under a name of their own, dropped by their owner, or, when the
//! owner was killed, by whoever starts next.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use url::Url;

use super::EmbeddedError;
use super::folder;

/// A local socket answers in milliseconds; a server of somebody else's may be across a network.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// `CREATE DATABASE` copies 8 MiB; on a disk that is busy flushing this has taken 9 s.
const STATEMENT_WITHIN: Duration = Duration::from_secs(60);

/// How names of temporary databases begin on a server that is not ours.
const TEMPORARY: &str = "trialogue_tmp_";
/// No test or demo takes that long.
const OLD_AFTER: Duration = Duration::from_hours(6);

/// A database of its owner's own.
///
/// Keep the value while the database is used: dropping it gives the database up to whoever starts
/// next, who drops it. Call [`Database::drop_database`] to drop it now.
#[derive(Debug)]
pub struct Database {
    name: String,
    url: String,
    admin: Url,
    /// Exclusively locked while this process lives: tells the next start whose database it is.
    claim: Option<(File, PathBuf)>,
}

impl Database {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What `--database-url` takes.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Drops it, whoever is connected to it.
    ///
    /// # Errors
    /// The database's refusal, or no connection.
    pub async fn drop_database(self) -> Result<(), EmbeddedError> {
        drop_named(&self.admin, &self.name).await?;
        if let Some((_claim, path)) = &self.claim {
            // A claim that stays behind names no database and is cleared by the next start.
            let _ = std::fs::remove_file(path);
        }
        Ok(())
    }
}

/// Makes a database; `claims` is the folder for claims, if the cluster is ours.
pub(super) async fn create(
    admin: &Url,
    claims: Option<&Path>,
    prefix: &str,
    template: Option<&str>,
) -> Result<Database, EmbeddedError> {
    // Random, not counted: several processes make databases in one cluster.
    let name = match claims {
        Some(_) => format!("{prefix}_{:08x}", rand::random::<u32>()),
        // No lock reaches another machine: the name itself says since when it is temporary.
        None => format!("{TEMPORARY}{prefix}_{:08x}_{:08x}", seconds(), rand::random::<u32>()),
    };
    let claim = match claims {
        Some(folder) => {
            let path = folder.join(&name);
            let file = folder::lock(&path, CONNECT_WITHIN).await?;
            Some((file, path))
        }
        None => None,
    };
    create_named(admin, &name, template).await?;
    let url = at(admin, &name).into();
    Ok(Database { name, url, admin: admin.clone(), claim })
}

/// Makes a database of this very name.
pub(super) async fn create_named(
    admin: &Url,
    name: &str,
    template: Option<&str>,
) -> Result<(), EmbeddedError> {
    let name = checked(name)?;
    let sql = match template {
        Some(template) => format!("CREATE DATABASE {name} TEMPLATE {}", checked(template)?),
        // template0 has no visitors that could stand in the way, and takes any encoding.
        None => format!(
            "CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' \
             LC_COLLATE 'C' LC_CTYPE 'C'"
        ),
    };
    execute(admin, sql).await
}

/// Whether there is a database of this name.
pub(super) async fn exists(admin: &Url, name: &str) -> Result<bool, EmbeddedError> {
    let mut connection = connect(admin).await?;
    let query = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)");
    let found = query.bind(name).fetch_one(&mut connection);
    bounded(found).await?.map_err(EmbeddedError::database("list databases"))
}

/// Drops the databases whose owners were killed. The caller holds the cluster's lock.
pub(super) async fn drop_abandoned(admin: &Url, claims: &Path) -> Result<(), EmbeddedError> {
    let entries = std::fs::read_dir(claims).map_err(EmbeddedError::path("list", claims))?;
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let file = folder::lock_file(&entry.path())?;
        match file.try_lock() {
            Ok(()) => {
                drop_named(admin, &name).await?;
                let _ = std::fs::remove_file(entry.path());
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => {
                return Err(EmbeddedError::path("lock", &entry.path())(error));
            }
        }
    }
    Ok(())
}

/// Drops what killed processes left on a server that is not ours: databases with a name that only
/// [`create`] gives, old, and with nobody connected.
pub(super) async fn drop_old(admin: &Url) -> Result<(), EmbeddedError> {
    let sql = "SELECT datname::text FROM pg_database d \
        WHERE datname ~ ('^' || $1 || '[a-z0-9_]+_[0-9a-f]{8}_[0-9a-f]{8}$') \
        AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datid = d.oid)";
    let mut connection = connect(admin).await?;
    let query = sqlx::query_scalar::<_, String>(sql).bind(TEMPORARY).fetch_all(&mut connection);
    let names = bounded(query).await?.map_err(EmbeddedError::database("list databases"))?;
    let made = |name: &str| u64::from_str_radix(name.rsplit('_').nth(1)?, 16).ok();
    for name in names {
        if made(&name).is_some_and(|made| made + OLD_AFTER.as_secs() < seconds()) {
            drop_named(admin, &name).await?;
        }
    }
    Ok(())
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The address of the database `name` in the cluster of `url`.
pub(super) fn at(url: &Url, name: &str) -> Url {
    let mut url = url.clone();
    url.set_path(name);
    url
}

async fn drop_named(admin: &Url, name: &str) -> Result<(), EmbeddedError> {
    execute(admin, format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", checked(name)?)).await
}

async fn execute(admin: &Url, sql: String) -> Result<(), EmbeddedError> {
    let mut connection = connect(admin).await?;
    let action = sql.clone();
    let done = bounded(connection.execute(AssertSqlSafe(sql))).await?;
    done.map_err(EmbeddedError::database(action))?;
    // Courtesy only: the statement is done, and the socket closes with the value.
    let _ = tokio::time::timeout(CONNECT_WITHIN, connection.close()).await;
    Ok(())
}

async fn connect(url: &Url) -> Result<PgConnection, EmbeddedError> {
    let connected = tokio::time::timeout(CONNECT_WITHIN, PgConnection::connect(url.as_str()));
    let timed_out = |_| EmbeddedError::TimedOut {
        what: "a connection to PostgreSQL".to_owned(),
        within: CONNECT_WITHIN,
    };
    connected.await.map_err(timed_out)?.map_err(EmbeddedError::database("connect to PostgreSQL"))
}

async fn bounded<T>(work: impl Future<Output = T>) -> Result<T, EmbeddedError> {
    tokio::time::timeout(STATEMENT_WITHIN, work).await.map_err(|_| EmbeddedError::TimedOut {
        what: "an answer of PostgreSQL".to_owned(),
        within: STATEMENT_WITHIN,
    })
}

/// A name that needs no quotes.
fn checked(name: &str) -> Result<&str, EmbeddedError> {
    const NAME_BYTES_MAX: usize = 63;
    let head = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    let tail = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if head && tail && name.len() <= NAME_BYTES_MAX {
        Ok(name)
    } else {
        Err(EmbeddedError::BadName(format!(
            "a database's name is 1 to {NAME_BYTES_MAX} of a-z, 0-9 and _, not {name:?}"
        )))
    }
}
