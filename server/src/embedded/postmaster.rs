//! What `postmaster.pid` says about a running database, and whether that is still true: after a
//! crash or a reboot the file lies, and its process id may be anybody's.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use url::Url;
use url::form_urlencoded::byte_serialize;

use super::EmbeddedError;
use super::account::Account;
use super::folder::{Folder, LOOK_EVERY};
use super::guard::Gate;

/// Name of the database's superuser, and of the database that `serve` uses by default.
pub(super) const NAME: &str = "trialogue";
/// The port only names the socket's file; nothing listens on TCP.
pub(super) const PORT: u16 = 5432;
/// Recovery after a power cut may read gigabytes of WAL; a database that small needs seconds.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How often a starting database is asked whether it still lives.
const ALIVE_EVERY: Duration = Duration::from_millis(250);
/// A database whose socket somebody removed is stopped before it is started anew.
const STOP_WITHIN: Duration = Duration::from_secs(15);

/// The lines of `postmaster.pid` that we need.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Postmaster {
    pub(super) pid: i32,
    pub(super) sockets: PathBuf,
    pub(super) ready: bool,
}

impl Postmaster {
    /// Reads the file of the cluster in `folder`; `None` while it is missing or half written.
    pub(super) fn read(folder: &Folder) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(folder.data().join("postmaster.pid")).ok()?)
    }

    /// Lines: pid, data folder, start time, port, socket folder, listen address, memory, status.
    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().collect();
        Some(Self {
            pid: lines.first()?.trim().parse().ok().filter(|pid| *pid > 1)?,
            sockets: PathBuf::from(lines.get(4)?.trim()),
            ready: lines.get(7).is_some_and(|status| status.trim() == "ready"),
        })
    }

    /// A URL of the cluster's own database `postgres`. Every part is named, so that `PGPORT`,
    /// `PGUSER` or `PGSSLMODE` of the user change nothing.
    pub(super) fn url(&self) -> Result<Url, EmbeddedError> {
        let host: String = byte_serialize(self.sockets.as_os_str().as_encoded_bytes()).collect();
        let url = format!("postgres:///postgres?host={host}&port={PORT}&user={NAME}");
        Url::parse(&format!("{url}&sslmode=disable"))
            .map_err(|error| EmbeddedError::BadName(format!("{url}: {error}")))
    }

    pub(super) fn answers(&self) -> bool {
        let socket = self.sockets.join(format!(".s.PGSQL.{PORT}"));
        self.sockets.is_absolute() && UnixStream::connect(socket).is_ok()
    }

    /// Whether the process is really a database on this folder: it works in its data folder.
    pub(super) fn is_of(&self, folder: &Folder) -> bool {
        if Path::new("/proc/self").exists() {
            let works_in = std::fs::read_link(format!("/proc/{}/cwd", self.pid));
            return works_in.is_ok_and(|path| path == folder.data());
        }
        let pid = self.pid.to_string();
        let shown = std::process::Command::new("ps").args(["-o", "args=", "-p", &pid]).output();
        shown.is_ok_and(|shown| {
            let line = String::from_utf8_lossy(&shown.stdout).into_owned();
            line.contains(&*folder.data().to_string_lossy())
        })
    }
}

/// Finds the database that runs in `folder`, whoever started it. Clears what a crash
/// left behind. The caller holds the cluster's lock.
pub(super) async fn running(
    folder: &Folder,
    account: Account,
) -> Result<Option<Postmaster>, EmbeddedError> {
    let Some(found) = Postmaster::read(folder) else { return Ok(None) };
    if found.answers() {
        return Ok(Some(found));
    }
    if found.is_of(folder) {
        stop(&found, folder, account).await?;
    } else {
        let path = folder.data().join("postmaster.pid");
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(EmbeddedError::path("remove", &path)(error));
            }
            _ => {}
        }
    }
    remove_sockets(&found.sockets, account);
    Ok(None)
}

/// Stops a database that has no guard, cleanly first, then at once.
pub(super) async fn stop(
    running: &Postmaster,
    folder: &Folder,
    account: Account,
) -> Result<(), EmbeddedError> {
    for signal in ["-INT", "-QUIT"] {
        // As the database's own account, so that a forged file cannot make root signal others.
        let pid = running.pid.to_string();
        let _ = account.command("kill").args([signal, &pid]).stdin(Stdio::null()).status();
        let start = Instant::now();
        while start.elapsed() < STOP_WITHIN {
            if !running.is_of(folder) {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    let what = format!("the end of the database with process id {}", running.pid);
    Err(EmbeddedError::TimedOut { what, within: STOP_WITHIN * 2 })
}

/// Removes a socket folder that a killed guard left; only one that bears our name.
pub(super) fn remove_sockets(path: &Path, account: Account) {
    let ours = path
        .file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with(super::folder::TEMPORARY_PREFIX));
    if ours && path.is_absolute() {
        let _ = account.command("rm").arg("-rf").arg(path).status();
    }
}

/// Waits until the database accepts connections.
pub(super) async fn ready(folder: &Folder, gate: &Gate) -> Result<Postmaster, EmbeddedError> {
    let start = Instant::now();
    let mut asked = start;
    while start.elapsed() < READY_WITHIN {
        match Postmaster::read(folder) {
            Some(found) if found.ready && found.answers() => return Ok(found),
            _ => {}
        }
        if asked.elapsed() > ALIVE_EVERY {
            asked = Instant::now();
            if gate.ask("alive", READY_WITHIN).await? != 0 {
                return Err(EmbeddedError::Failed { program: "postgres", log: folder.log_tail() });
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(EmbeddedError::TimedOut {
        what: "the start of PostgreSQL".to_owned(),
        within: READY_WITHIN,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pid_file_is_read_as_postgresql_writes_it() {
        let text = "4711\n/data\n1700000000\n5432\n/tmp/trialogue-a\n\n  98765  4\nready   \n";
        let expect = Postmaster { pid: 4711, sockets: "/tmp/trialogue-a".into(), ready: true };
        assert_eq!(Postmaster::parse(text), Some(expect));
    }

    #[test]
    fn a_half_written_or_forged_pid_file_names_no_process() {
        for text in ["", "4711\n", "4711\n/data\n17\n5432\n", "-1\na\nb\nc\nd\n", "1\na\nb\nc\nd\n"]
        {
            assert_eq!(Postmaster::parse(text), None, "{text:?}");
        }
        let starting =
            Postmaster::parse("4711\n/data\n17\n5432\n/tmp/t\n\n9 4\nstarting\n").unwrap();
        assert!(!starting.ready);
    }
}
