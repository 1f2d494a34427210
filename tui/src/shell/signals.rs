//! What the system asks of a program with a terminal.

use std::io;

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// The terminal is gone.
    HangUp,
    /// To the background.
    Stop,
    /// Back from it.
    Continue,
}

#[cfg(unix)]
pub(super) struct Signals {
    hang_up: tokio::signal::unix::Signal,
    stop: tokio::signal::unix::Signal,
    resume: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// Takes over from the system's defaults. Needs a runtime.
    pub(super) fn catch() -> io::Result<Self> {
        use rustix::process::Signal;
        use tokio::signal::unix::{SignalKind, signal};
        let of = |number: Signal| signal(SignalKind::from_raw(number.as_raw()));
        Ok(Self { hang_up: of(Signal::HUP)?, stop: of(Signal::TSTP)?, resume: of(Signal::CONT)? })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.hang_up.recv() => Asked::HangUp,
            _ = self.stop.recv() => Asked::Stop,
            _ = self.resume.recv() => Asked::Continue,
        }
    }
}

/// Whether a shell with jobs started us: without one nobody would let a stopped process go on.
#[cfg(unix)]
pub(super) fn somebody_waits() -> bool {
    // A group that has the session's leader in it was started by nobody of this terminal.
    let session = rustix::process::getsid(None).ok();
    session.is_some_and(|session| session != rustix::process::getpgrp())
}

/// Stops this process and its group, as Ctrl-Z would; returns when it goes on.
#[cfg(unix)]
pub(super) fn stop_here() -> io::Result<()> {
    // STOP and not TSTP, which we have caught.
    Ok(rustix::process::kill_current_process_group(rustix::process::Signal::STOP)?)
}

#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(super) fn catch() -> io::Result<Self> {
        Ok(Self)
    }

    pub(super) async fn next(&mut self) -> Asked {
        std::future::pending().await
    }
}

#[cfg(not(unix))]
pub(super) fn somebody_waits() -> bool {
    false
}

#[cfg(not(unix))]
pub(super) fn stop_here() -> io::Result<()> {
    Ok(())
}
