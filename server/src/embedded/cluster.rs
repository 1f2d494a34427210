//! A cluster as its owners see it: entered, asked for databases, left.

use std::fs::{File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant, SystemTime};

use url::Url;

use super::account::Account;
use super::database::{self, Database};
use super::folder::{self, Folder, LOOK_EVERY, TEMPORARY_PREFIX};
use super::guard::{self, Gate, Orders};
use super::options::{Notice, Options};
use super::postmaster::{self, NAME, PORT};
use super::{EmbeddedError, home, programs};

/// The longest that another process holds the lock: a first start on a slow disk.
pub(super) const LOCK_WITHIN: Duration = Duration::from_secs(90);
/// `initdb` takes a second, on a slow disk ten.
const INITIALISE_WITHIN: Duration = Duration::from_secs(60);
/// The guard only forks here.
const START_WITHIN: Duration = Duration::from_secs(10);
/// A guard needs 30 s at the worst (see `guard.sh`).
pub(super) const STOP_WITHIN: Duration = Duration::from_secs(40);
/// A temporary folder without owners may be one that is being made right now.
const FORSAKEN_AFTER: Duration = Duration::from_secs(600);
/// A loadtest's pool and a hundred parallel tests; a slot costs some KiB of shared memory.
const CONNECTIONS_MAX: u16 = 200;

/// A PostgreSQL cluster that this process owns, perhaps with others, or somebody else's server in
/// which it may make databases.
///
/// Dropping the value, or dying, lets go of it; [`Cluster::stop`] also waits until it has stopped.
#[derive(Debug)]
pub struct Cluster {
    /// A URL of the cluster's own database `postgres`.
    admin: Url,
    pub(super) hold: Option<Hold>,
}

/// What keeps our own cluster running while this process lives.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) folder: Folder,
    gate: Gate,
    owners: File,
    /// The guard, when we started it: our child, to be waited for.
    guard: Option<Child>,
}

impl Cluster {
    /// Starts or adopts the user's own cluster, as the environment has it.
    ///
    /// # Errors
    /// [`EmbeddedError`]; the sentence is for a person.
    pub async fn persistent() -> Result<Self, EmbeddedError> {
        Self::persistent_with(&Options::from_env()).await
    }

    /// The same with given settings.
    ///
    /// # Errors
    /// As [`Cluster::persistent`].
    pub async fn persistent_with(options: &Options) -> Result<Self, EmbeddedError> {
        let home = home::make(options)?;
        let binaries = programs::obtain(options, &home).await?;
        let path = home::cluster(&home, binaries.major);
        let account = Account::choose(&path)?;
        sweep(options, account).await;
        let folder = Folder::make(&path, account)?;
        let _lock = folder::lock(&folder.lock(), LOCK_WITHIN).await?;
        let owners = owner_lock(&folder).await?;
        let orders = |running: Option<PathBuf>| {
            let sockets = match running {
                Some(sockets) => sockets,
                None => folder::temporary(&options.temporary, account)?,
            };
            Ok(Orders {
                binaries: binaries.folder.clone(),
                sockets,
                keep: true,
                durable: true,
                settings: settings(true, true),
            })
        };
        let hold = Hold::enter(folder, account, owners, orders, options).await?;
        let cluster = hold.into_cluster()?;
        if let Some(hold) = &cluster.hold {
            database::drop_abandoned(&cluster.admin, &hold.folder.databases()).await?;
        }
        Ok(cluster)
    }

    /// Starts a cluster in a temporary folder that vanishes with this process. With `durable` a
    /// commit reaches the disk, without it a crash of the machine may lose it.
    ///
    /// # Errors
    /// As [`Cluster::persistent`].
    pub async fn throwaway(durable: bool) -> Result<Self, EmbeddedError> {
        Self::throwaway_with(durable, &Options::from_env()).await
    }

    /// The same with given settings.
    ///
    /// # Errors
    /// As [`Cluster::persistent`].
    pub async fn throwaway_with(durable: bool, options: &Options) -> Result<Self, EmbeddedError> {
        let binaries = programs::obtain(options, &home::make(options)?).await?;
        let account = Account::choose(Path::new("/nonexistent"))?;
        sweep(options, account).await;
        let path = folder::temporary(&options.temporary, account)?;
        let folder = Folder::make(&path, account)?;
        // Locked before it bears its name: a sweep never sees a free one.
        let new = folder.path().join("owners.new");
        let owners = folder::lock_file(&new)?;
        owners.lock_shared().map_err(EmbeddedError::path("lock", &new))?;
        std::fs::rename(&new, folder.owners()).map_err(EmbeddedError::path("rename", &new))?;
        let sockets = folder.path().join("s");
        let orders = |_| {
            Ok(Orders {
                binaries: binaries.folder,
                sockets,
                keep: false,
                durable,
                settings: settings(durable, false),
            })
        };
        Hold::enter(folder, account, owners, orders, options).await?.into_cluster()
    }

    /// A server that is somebody else's: only databases that we make ourselves are touched, and
    /// those that killed processes left there hours ago are dropped.
    ///
    /// # Errors
    /// The address is no PostgreSQL URL, or the server refuses.
    pub async fn external(url: &str) -> Result<Self, EmbeddedError> {
        let admin = Url::parse(url).ok().filter(|url| url.scheme().starts_with("postgres"));
        let admin = admin.ok_or_else(|| {
            // Without the text: it may hold a password.
            EmbeddedError::BadName("the database's address is not a postgres:// URL".to_owned())
        })?;
        database::drop_old(&admin).await?;
        Ok(Self { admin, hold: None })
    }

    /// What tests use: the server that `TRIALOGUE_TEST_DATABASE_URL` names, else a throw-away
    /// cluster that a crash of the machine may lose.
    ///
    /// # Errors
    /// As [`Cluster::external`] and [`Cluster::throwaway`].
    pub async fn for_tests() -> Result<Self, EmbeddedError> {
        match std::env::var("TRIALOGUE_TEST_DATABASE_URL") {
            Ok(url) if !url.is_empty() => Self::external(&url).await,
            _ => Self::throwaway(false).await,
        }
    }

    /// The address of the database `name` in this cluster, as `--database-url` and `psql` take it.
    #[must_use]
    pub fn url_of(&self, name: &str) -> String {
        database::at(&self.admin, name).into()
    }

    /// The database that `serve` uses when nobody names one; made when it is missing.
    ///
    /// # Errors
    /// The database's refusal, or no connection.
    pub async fn own_database(&self) -> Result<String, EmbeddedError> {
        self.ensure_database(NAME).await
    }

    /// The address of the database `name`, which is made when it is missing.
    ///
    /// # Errors
    /// The database's refusal, or no connection; a name that is not `[a-z][a-z0-9_]*`.
    pub async fn ensure_database(&self, name: &str) -> Result<String, EmbeddedError> {
        let _lock = self.lock().await?;
        if !database::exists(&self.admin, name).await? {
            database::create_named(&self.admin, name, None).await?;
        }
        Ok(self.url_of(name))
    }

    /// Makes an empty database with a name of its own that begins with `prefix`.
    ///
    /// # Errors
    /// As [`Cluster::ensure_database`].
    pub async fn fresh_database(&self, prefix: &str) -> Result<Database, EmbeddedError> {
        self.make(prefix, None).await
    }

    /// Makes a copy of the database `template`, to which nobody may be connected.
    ///
    /// # Errors
    /// As [`Cluster::ensure_database`].
    pub async fn copy_database(
        &self,
        template: &str,
        prefix: &str,
    ) -> Result<Database, EmbeddedError> {
        self.make(prefix, Some(template)).await
    }

    async fn make(&self, prefix: &str, template: Option<&str>) -> Result<Database, EmbeddedError> {
        let _lock = self.lock().await?;
        let claims = self.hold.as_ref().map(|hold| hold.folder.databases());
        database::create(&self.admin, claims.as_deref(), prefix, template).await
    }

    async fn lock(&self) -> Result<Option<File>, EmbeddedError> {
        match &self.hold {
            Some(hold) => folder::lock(&hold.folder.lock(), LOCK_WITHIN).await.map(Some),
            None => Ok(None),
        }
    }

    /// Lets go of the cluster. When nobody else owns it, waits until the database has stopped and
    /// its temporary folders are gone.
    ///
    /// # Errors
    /// It did not stop in time.
    pub async fn stop(self) -> Result<(), EmbeddedError> {
        let Some(Hold { folder, gate, owners, mut guard }) = self.hold else { return Ok(()) };
        drop(gate);
        drop(owners);
        let start = Instant::now();
        let mut is_over = || match &mut guard {
            // Our child: its end is also the end of its cleaning, and leaves no zombie.
            Some(child) => child.try_wait().is_ok_and(|status| status.is_some()),
            None => !is_guarded(&folder),
        };
        while !is_over() && !is_owned(&folder) {
            if start.elapsed() > STOP_WITHIN {
                let what = "the end of the private PostgreSQL".to_owned();
                return Err(EmbeddedError::TimedOut { what, within: STOP_WITHIN });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }
}

impl Hold {
    /// Through the living guard, or with a new one; then makes sure that the database runs.
    async fn enter(
        folder: Folder,
        account: Account,
        owners: File,
        orders: impl FnOnce(Option<PathBuf>) -> Result<Orders, EmbeddedError>,
        options: &Options,
    ) -> Result<Self, EmbeddedError> {
        let entered = Gate::enter(&folder).await?;
        let running = postmaster::running(&folder, account).await?;
        let (gate, guard) = match entered {
            Some(gate) => (gate, None),
            None => {
                let orders = orders(running.as_ref().map(|running| running.sockets.clone()))?;
                let (gate, child) = Gate::start(&folder, account, &orders)?;
                (gate, Some(child))
            }
        };
        let hold = Self { folder, gate, owners, guard };
        if running.is_none() {
            hold.start(&|notice| options.tell(notice)).await?;
        }
        Ok(hold)
    }

    /// The caller holds the cluster's lock and knows that no database runs.
    pub(super) async fn start(&self, tell: &(dyn Fn(&Notice) + Sync)) -> Result<(), EmbeddedError> {
        let failed = |program| Err(EmbeddedError::Failed { program, log: self.folder.log_tail() });
        if !self.folder.data().join("PG_VERSION").exists() {
            tell(&Notice::Initialising(self.folder.path().to_owned()));
            if self.gate.ask("initialise", INITIALISE_WITHIN).await? != 0 {
                return failed("initdb");
            }
        }
        if self.gate.ask("start", START_WITHIN).await? != 0 {
            return failed("postgres");
        }
        postmaster::ready(&self.folder, &self.gate).await?;
        self.folder.set_halted(false)
    }

    fn into_cluster(self) -> Result<Cluster, EmbeddedError> {
        let running = postmaster::Postmaster::read(&self.folder);
        let running = running.ok_or_else(|| EmbeddedError::Failed {
            program: "postgres",
            log: self.folder.log_tail(),
        })?;
        let admin = running.url()?;
        Ok(Cluster { admin, hold: Some(self) })
    }
}

/// What `postgres` is told on its command line, so that no file of the cluster says otherwise.
fn settings(durable: bool, keep: bool) -> Vec<String> {
    let on = |yes: bool| if yes { "on" } else { "off" };
    let settings = [
        "listen_addresses=".to_owned(),
        format!("port={PORT}"),
        "unix_socket_permissions=0700".to_owned(),
        format!("max_connections={CONNECTIONS_MAX}"),
        format!("fsync={}", on(durable)),
        format!("full_page_writes={}", on(durable)),
        "synchronous_commit=on".to_owned(),
        format!("autovacuum={}", on(keep)),
        // The log is a file without bound and may not hold what people wrote.
        "logging_collector=off".to_owned(),
        "log_min_messages=fatal".to_owned(),
        "log_error_verbosity=terse".to_owned(),
        "log_checkpoints=off".to_owned(),
        // Nobody archives or replicates: half the WAL, and a faster CREATE DATABASE.
        "wal_level=minimal".to_owned(),
        "max_wal_senders=0".to_owned(),
        "jit=off".to_owned(),
    ];
    settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]).collect()
}

/// Waits a little: whoever asks whether there are owners holds the lock for an instant.
async fn owner_lock(folder: &Folder) -> Result<File, EmbeddedError> {
    let path = folder.owners();
    let file = folder::lock_file(&path)?;
    let start = Instant::now();
    loop {
        match file.try_lock_shared() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => {
                return Err(EmbeddedError::path("lock", &path)(error));
            }
            Err(TryLockError::WouldBlock) if start.elapsed() > LOCK_WITHIN => {
                return Err(EmbeddedError::InUse);
            }
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

/// Whether a process holds a [`Cluster`] of this folder.
pub(super) fn is_owned(folder: &Folder) -> bool {
    let Ok(file) = File::open(folder.owners()) else { return false };
    // Another process that asks the same holds the lock for a few microseconds.
    (0..3).all(|_| {
        std::thread::yield_now();
        matches!(file.try_lock(), Err(TryLockError::WouldBlock))
    })
}

pub(super) fn is_guarded(folder: &Folder) -> bool {
    matches!(guard::open_for_writing(&folder.gate()), Ok(Some(_)))
}

/// Removes throw-away clusters whose owner and guard were both killed. Best effort: what cannot be
/// removed now is the next start's business.
async fn sweep(options: &Options, account: Account) {
    let parent = folder::temporary_parent(&options.temporary, account.is_switched());
    let Ok(entries) = std::fs::read_dir(&parent) else { return };
    for entry in entries.flatten() {
        let named = entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX);
        // Not followed: a link in a folder that everybody may write to leads anywhere.
        let Ok(found) = entry.path().symlink_metadata() else { continue };
        if !named || !found.is_dir() || found.uid() != account.uid {
            continue;
        }
        let folder = Folder::at(&entry.path());
        let forsaken = if folder.owners().exists() {
            !is_owned(&folder) && !is_guarded(&folder)
        } else {
            let age = found.modified().map(|then| SystemTime::now().duration_since(then));
            let old = age.is_ok_and(|age| age.is_ok_and(|age| age > FORSAKEN_AFTER));
            // A socket's folder belongs to a cluster elsewhere, which removes it itself.
            old && !folder.path().join(format!(".s.PGSQL.{PORT}")).exists()
        };
        if forsaken {
            remove(&folder, account).await;
        }
    }
}

async fn remove(folder: &Folder, account: Account) {
    if let Ok(Some(running)) = postmaster::running(folder, account).await {
        let _ = postmaster::stop(&running, folder, account).await;
    }
    // As the account itself: root never removes what a link in there may lead to.
    let _ = account.command("rm").arg("-rf").arg(folder.path()).status();
}
