//! Takes the server of a run away and brings it back: our own process, or by the commands of whoever
//! runs it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use trialogue_faults::{ServerError, ServerProcess, ShellProcess};
use trialogue_loadtest::Outage;

/// How long our own server may take to serve again.
const START_WITHIN: Duration = Duration::from_secs(60);
/// How long a command of somebody else's may take.
const COMMAND_WITHIN: Duration = Duration::from_secs(120);

/// A server of our own.
#[derive(Debug)]
pub(super) struct OwnServer(Mutex<Option<ServerProcess>>);

impl OwnServer {
    pub(super) fn new(server: ServerProcess) -> Self {
        Self(Mutex::new(Some(server)))
    }

    /// Never held over an await: whoever does something to the server takes it out.
    pub(super) fn take(&self) -> Option<ServerProcess> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Its process, while it runs.
    pub(super) fn pid(&self) -> Option<u32> {
        let server = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        server.as_ref().and_then(ServerProcess::pid)
    }

    async fn with(
        &self,
        act: impl AsyncFnOnce(&mut ServerProcess) -> Result<(), ServerError>,
    ) -> Result<(), String> {
        let mut server = self.take().ok_or("it is gone")?;
        let done = act(&mut server).await.map_err(|error| error.to_string());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
        done
    }
}

impl Outage for OwnServer {
    fn end(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(self.with(async |server| server.kill().await))
    }

    fn start(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(self.with(async |server| server.restart(START_WITHIN).await))
    }
}

/// Somebody else's server.
#[derive(Debug)]
pub(super) struct Commands {
    pub(super) end: String,
    pub(super) start: String,
}

async fn shell(command: &str) -> Result<(), String> {
    let shell = ShellProcess::start(command).map_err(|error| format!("`{command}`: {error}"))?;
    shell.finish(COMMAND_WITHIN).await.map_err(|why| format!("`{command}` {why}"))
}

impl Outage for Commands {
    fn end(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(shell(&self.end))
    }

    fn start(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(shell(&self.start))
    }
}
