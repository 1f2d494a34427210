//! The owner's end of the gate: starting the guard, and asking it (see `guard.sh`).

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use super::EmbeddedError;
use super::account::Account;
use super::folder::{Folder, LOOK_EVERY};

const SCRIPT: &str = include_str!("guard.sh");

/// A guard that is stopping its database answers nobody; it needs 30 s at the worst.
const ENTER_WITHIN: Duration = Duration::from_secs(40);
/// How often we look whether a silent guard is still there.
const PROBE_EVERY: Duration = Duration::from_millis(40);

/// What a guard is told when it is started.
#[derive(Debug)]
pub(super) struct Orders {
    pub(super) binaries: PathBuf,
    pub(super) sockets: PathBuf,
    pub(super) keep: bool,
    pub(super) durable: bool,
    pub(super) settings: Vec<String>,
}

impl Orders {
    fn words(&self) -> [&'static str; 3] {
        let sync = match (self.durable, cfg!(target_os = "linux")) {
            (false, _) => "never",
            // One flush of the file system is several times faster than one of each of 900 files.
            (true, true) => "once",
            (true, false) => "each",
        };
        if self.keep { ["INT", "keep", sync] } else { ["QUIT", "remove", sync] }
    }
}

/// An owner's hold on a cluster: while it is open, the guard lets the database run.
#[derive(Debug)]
pub(super) struct Gate {
    pipe: File,
    acks: PathBuf,
}

impl Gate {
    /// Enters the cluster through its living guard; `None` when there is no guard. Waits for a
    /// guard that is on its way out.
    pub(super) async fn enter(folder: &Folder) -> Result<Option<Self>, EmbeddedError> {
        let Some(pipe) = open_for_writing(&folder.gate())? else { return Ok(None) };
        let gate = Self { pipe, acks: folder.acks() };
        let question = gate.put("enter")?;
        let start = Instant::now();
        let mut probed = start;
        while start.elapsed() < ENTER_WITHIN {
            if question.answer().is_some() {
                return Ok(Some(gate));
            }
            if probed.elapsed() > PROBE_EVERY {
                probed = Instant::now();
                if open_for_writing(&folder.gate())?.is_none() {
                    return Ok(None);
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let what = format!("an answer of the guard of {}", folder.path().display());
        Err(EmbeddedError::TimedOut { what, within: ENTER_WITHIN })
    }

    /// Starts a guard and enters. The caller holds the cluster's lock and knows that none lives.
    pub(super) fn start(
        folder: &Folder,
        account: Account,
        orders: &Orders,
    ) -> Result<(Self, Child), EmbeddedError> {
        let path = folder.gate();
        // Opened for reading first: a pipe cannot be opened for writing before it has a reader.
        let reader = OpenOptions::new()
            .read(true)
            .custom_flags((OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed())
            .open(&path)
            .map_err(EmbeddedError::path("open", &path))?;
        let pipe = open_for_writing(&path)?.ok_or_else(|| {
            EmbeddedError::path("open", &path)(std::io::Error::from(ErrorKind::BrokenPipe))
        })?;
        rustix::fs::fcntl_setfl(&reader, OFlags::empty())
            .map_err(|error| EmbeddedError::path("prepare", &path)(error.into()))?;
        let mut command = account.command("/bin/sh");
        command.arg(write_script(folder, account)?);
        command.arg(&orders.binaries).arg(folder.path()).arg(&orders.sockets);
        command.args(orders.words()).args(&orders.settings);
        // A group of its own: what the terminal sends to ours never reaches it.
        command.stdin(Stdio::from(reader)).process_group(0);
        let child = command.spawn().map_err(EmbeddedError::io("start the database's guard"))?;
        Ok((Self { pipe, acks: folder.acks() }, child))
    }

    /// Asks the guard and waits for its answer, an exit status.
    pub(super) async fn ask(&self, word: &str, within: Duration) -> Result<u8, EmbeddedError> {
        let question = self.put(word)?;
        let start = Instant::now();
        loop {
            if let Some(status) = question.answer() {
                return Ok(status);
            }
            if start.elapsed() > within {
                let what = format!("the guard's answer to `{word}`");
                return Err(EmbeddedError::TimedOut { what, within });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn put(&self, word: &str) -> Result<Question, EmbeddedError> {
        static ASKED: AtomicU64 = AtomicU64::new(0);
        let name = format!("{}-{}", std::process::id(), ASKED.fetch_add(1, Ordering::Relaxed));
        // Shorter than PIPE_BUF: lines of several owners never mix.
        (&self.pipe)
            .write_all(format!("{word} {name}\n").as_bytes())
            .map_err(EmbeddedError::io("ask the database's guard"))?;
        Ok(Question { path: self.acks.join(name) })
    }
}

/// Puts the script into the folder: a process list then shows a guard by a name, not by its text.
fn write_script(folder: &Folder, account: Account) -> Result<PathBuf, EmbeddedError> {
    let path = folder.path().join("guard.sh");
    // Made anew, never written through a link that may lie there.
    let _ = std::fs::remove_file(&path);
    let made = OpenOptions::new().write(true).create_new(true).open(&path);
    made.and_then(|mut file| file.write_all(SCRIPT.as_bytes()))
        .map_err(EmbeddedError::path("write", &path))?;
    account.own(&path)?;
    Ok(path)
}

struct Question {
    path: PathBuf,
}

impl Question {
    /// The status, once the guard has written all of it.
    fn answer(&self) -> Option<u8> {
        let text = std::fs::read_to_string(&self.path).ok()?;
        text.strip_suffix('\n')?.parse().ok()
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        // Of no consequence when it fails: the guard empties the folder at its end.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Opens the gate; `None` when nobody reads it, which means that there is no guard.
pub(super) fn open_for_writing(path: &Path) -> Result<Option<File>, EmbeddedError> {
    let opened = OpenOptions::new()
        .write(true)
        .custom_flags((OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed())
        .open(path);
    match opened {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
            Ok(None)
        }
        Err(error) => Err(EmbeddedError::path("open", path)(error)),
    }
}
