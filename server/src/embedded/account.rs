//! Whom the database runs as: PostgreSQL refuses root, so root hands the cluster to `postgres`,
//! else to `nobody`. Everything inside a cluster's folder is done as that account, so that root
//! never follows what a lesser account has put there.

use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::EmbeddedError;

/// Variables that the programs of PostgreSQL may inherit: where programs and libraries are.
/// `PGDATA`, `PGPORT` and their like of the user's own database must not reach ours.
const INHERITED: [&str; 4] = ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZ"];

/// The account of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    gid: u32,
    /// We are root and have to become it.
    switch: bool,
}

impl Account {
    /// The account for the cluster whose data are (or will be) in `data`: its present owner when
    /// there is one, so that a `postgres` account that appears later does not lock us out.
    pub(super) fn choose(data: &Path) -> Result<Self, EmbeddedError> {
        let uid = rustix::process::geteuid().as_raw();
        let gid = rustix::process::getegid().as_raw();
        if uid != 0 {
            return match id(&["-un"]) {
                Some(_) => Ok(Self { uid, gid, switch: false }),
                None => Err(EmbeddedError::NoUser(format!(
                    "uid {uid} has no passwd entry and PostgreSQL refuses to run without one: \
                     add an entry or run as another user"
                ))),
            };
        }
        let owner = std::fs::metadata(data).ok().filter(|found| found.uid() != 0);
        if let Some(owner) = owner {
            return Ok(Self { uid: owner.uid(), gid: owner.gid(), switch: true });
        }
        let number = |flag, name| id(&[flag, name])?.parse().ok();
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| Some((number("-u", name)?, number("-g", name)?)))
            .filter(|(uid, _)| *uid != 0)
            .map(|(uid, gid)| Self { uid, gid, switch: true })
            .ok_or_else(|| {
                EmbeddedError::NoUser(
                    "PostgreSQL refuses to run as root, and there is neither an account `postgres` \
                     nor `nobody` to run it as: add one or run as an ordinary user"
                        .to_owned(),
                )
            })
    }

    /// Whether we are root and the database is not.
    pub(super) fn is_switched(self) -> bool {
        self.switch
    }

    /// A program run as this account, without terminal, output, or the user's own PG variables.
    pub(super) fn command(self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().current_dir("/");
        command.envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        // Without a locale PostgreSQL on macOS refuses to start.
        command.env("LC_ALL", "C");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if self.switch {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Makes a folder of this account that nobody else may enter, unless it is there already.
    pub(super) fn make_folder(self, path: &Path) -> Result<(), EmbeddedError> {
        if path.is_dir() {
            return Ok(());
        }
        DirBuilder::new().mode(0o700).create(path).map_err(EmbeddedError::path("make", path))?;
        self.own(path)
    }

    /// Gives `path` to this account.
    pub(super) fn own(self, path: &Path) -> Result<(), EmbeddedError> {
        if !self.switch {
            return Ok(());
        }
        chown(path, Some(self.uid), Some(self.gid)).map_err(EmbeddedError::path("own", path))
    }
}

/// The answer of `id`, which asks every directory of accounts that the system knows.
fn id(arguments: &[&str]) -> Option<String> {
    let output = Command::new("id").args(arguments).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
