//! Signals by process id, where the system has them.

use std::io;
use std::path::Path;
#[cfg(unix)]
use std::time::Duration;

#[cfg(unix)]
use tokio::time::{Instant, sleep};

/// Between two looks at whether a process is gone: it is nobody's child here, so nobody tells.
#[cfg(unix)]
const LOOK_PAUSE: Duration = Duration::from_millis(10);

/// What a process can be told from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Please stop (SIGTERM). For PostgreSQL: when the last client has left.
    Stop,
    /// Stop, a person says (SIGINT). For PostgreSQL: disconnect everybody and stop.
    Interrupt,
    /// Stop without tidying up (SIGQUIT). For PostgreSQL: as if it had crashed.
    Quit,
    /// Die at once (SIGKILL): it cannot be heard.
    Kill,
    /// Freeze (SIGSTOP): sockets stay open, nothing is answered.
    Pause,
    /// Go on (SIGCONT).
    Resume,
}

/// Sends `signal` to a process that still has its id: a child that was not reaped, or the owner
/// of a pid file. The first process of the system is never meant.
///
/// # Errors
///
/// There is no such process, or it is somebody else's, or the system has no signals.
#[cfg(unix)]
pub fn send_signal(pid: u32, signal: Signal) -> io::Result<()> {
    Ok(rustix::process::kill_process(pid_of(pid)?, signal.number())?)
}

#[cfg(unix)]
impl Signal {
    /// As the system calls it.
    pub(crate) const fn number(self) -> rustix::process::Signal {
        match self {
            Self::Stop => rustix::process::Signal::TERM,
            Self::Interrupt => rustix::process::Signal::INT,
            Self::Quit => rustix::process::Signal::QUIT,
            Self::Kill => rustix::process::Signal::KILL,
            Self::Pause => rustix::process::Signal::STOP,
            Self::Resume => rustix::process::Signal::CONT,
        }
    }
}

#[cfg(unix)]
fn pid_of(pid: u32) -> io::Result<rustix::process::Pid> {
    let pid = i32::try_from(pid).ok().filter(|pid| *pid > 1);
    let pid = pid.and_then(rustix::process::Pid::from_raw);
    pid.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))
}

/// This system has no such signals.
///
/// # Errors
///
/// Always.
#[cfg(not(unix))]
pub fn send_signal(_pid: u32, _signal: Signal) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// The process that a pid file names, in its first line: `postmaster.pid` and the like.
///
/// # Errors
///
/// There is no such file, or no number in it.
pub fn pid_in(file: &Path) -> io::Result<u32> {
    let text = std::fs::read_to_string(file)?;
    let pid = text.lines().next().and_then(|line| line.trim().parse().ok());
    pid.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no process id in the file"))
}

/// Waits until a process that is not our child is gone, at most `within`; whether it is. One that
/// is dead and that its parent has not asked about is gone.
#[cfg(unix)]
pub async fn wait_until_gone(pid: u32, within: Duration) -> bool {
    let deadline = Instant::now() + within;
    let Ok(id) = pid_of(pid) else { return false };
    let is_known = || rustix::process::test_kill_process(id) != Err(rustix::io::Errno::SRCH);
    while is_known() && !is_zombie(pid) {
        if Instant::now() >= deadline {
            return false;
        }
        sleep(LOOK_PAUSE).await;
    }
    true
}

/// Dead, and kept for a parent that does not ask: as long as it likes, in a container whose first
/// process is no init.
#[cfg(unix)]
fn is_zombie(pid: u32) -> bool {
    // Where there is no such file a zombie is not told from the living.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').map(|(_, rest)| rest.trim_start());
    state.is_some_and(|state| state.starts_with(['Z', 'X']))
}
