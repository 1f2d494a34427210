//! The two ways in which a person or a service manager asks a verb to end.

use crate::exit::Exit;

/// Ctrl-C and SIGTERM, caught from the moment this is made: a signal that came before the verb
/// had begun to wait would else kill it without its tidying up.
pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// Takes over from the system's defaults. Needs a runtime.
    pub(crate) fn catch() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next one; answers the exit code that says which one came.
    pub(crate) async fn next(&mut self) -> Exit {
        loop {
            tokio::select! {
                // While an editor has the terminal, Ctrl-C there is meant for it, as with git.
                _ = self.interrupt.recv() => if !trialogue_tui::shell::is_editing() {
                    return Exit::INTERRUPTED;
                },
                _ = self.terminate.recv() => return Exit::TERMINATED,
            }
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    /// Nothing to prepare here.
    pub(crate) fn catch() -> std::io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for the next Ctrl-C; for ever where the system cannot tell us of it.
    pub(crate) async fn next(&mut self) -> Exit {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Exit::INTERRUPTED
    }
}
