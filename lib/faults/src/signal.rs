//! Signals by process id, where the system has them.

use std::io;

/// What a server can be told from outside, besides being killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Please stop (SIGTERM).
    Stop,
    /// Freeze (SIGSTOP): sockets stay open, nothing is answered.
    Pause,
    /// Go on (SIGCONT).
    Resume,
}

/// Sends `signal` to a process that has not been reaped yet, so that the id is still its own.
#[cfg(unix)]
pub(crate) fn send(pid: u32, signal: Signal) -> io::Result<()> {
    use rustix::process::{Pid, kill_process};
    let signal = match signal {
        Signal::Stop => rustix::process::Signal::TERM,
        Signal::Pause => rustix::process::Signal::STOP,
        Signal::Resume => rustix::process::Signal::CONT,
    };
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    Ok(kill_process(pid, signal)?)
}

/// This system has no such signals.
#[cfg(not(unix))]
pub(crate) fn send(_pid: u32, _signal: Signal) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}
