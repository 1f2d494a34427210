//! The server of a run: a child process that steps may torment, or one of somebody else's.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use trialogue_faults::ServerProcess;
use url::Url;

use super::{RunConfig, RunError, Target};
use crate::actor::Wrong;
use crate::file::ServerVerb;

/// How long a graceful stop may take: the server promises ten seconds.
const STOP_WITHIN: Duration = Duration::from_secs(15);

/// The server of a run.
#[derive(Debug)]
pub(super) struct Server {
    url: Url,
    /// Out while somebody does something to it, so that nobody else can.
    child: Mutex<Option<ServerProcess>>,
    within: Duration,
}

impl Server {
    /// Starts a server of our own and waits until it is ready; somebody else's is just there.
    pub(super) async fn start(config: &RunConfig) -> Result<Self, RunError> {
        let within = config.server_within;
        match &config.target {
            Target::Url(url) => Ok(Self { url: url.clone(), child: Mutex::default(), within }),
            Target::Child(command) => {
                let child = ServerProcess::start(command, within).await?;
                let url = child.url().parse().map_err(|_| RunError::Url(child.url().to_owned()))?;
                Ok(Self { url, child: Mutex::new(Some(child)), within })
            }
        }
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    fn take(&self) -> Option<ServerProcess> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, child: ServerProcess) {
        *self.child.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
    }

    /// Does something to it and waits until it is done.
    pub(super) async fn torment(&self, verb: ServerVerb) -> Result<(), Wrong> {
        let Some(mut child) = self.take() else {
            return Err(Wrong::new("a server that the runner started", "somebody else's, or busy"));
        };
        let done = match verb {
            ServerVerb::Start => child.restart(self.within).await,
            ServerVerb::Stop => child.stop(STOP_WITHIN).await.map(drop),
            ServerVerb::Kill => child.kill().await,
            ServerVerb::Pause => child.pause(),
            ServerVerb::Resume => child.resume(),
            ServerVerb::Restart => match child.stop(STOP_WITHIN).await {
                Ok(_) => child.restart(self.within).await,
                Err(error) => Err(error),
            },
        };
        self.put(child);
        done.map_err(|error| Wrong::new("the server to obey", error.to_string()))
    }

    /// Its last words, when it ended without being told to.
    pub(super) fn ended_by_itself(&self) -> Option<String> {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let child = child.as_mut()?;
        let status = child.ended()?;
        Some(format!("the server ended by itself ({status}): {}", child.stderr_tail()))
    }

    /// Ends a server of our own, gracefully if it can.
    pub(super) async fn end(&self) {
        if let Some(mut child) = self.take()
            && child.pid().is_some()
        {
            // A paused one cannot stop by itself. It is going away: dropping kills the rest.
            _ = child.resume();
            if let Err(error) = child.stop(STOP_WITHIN).await {
                tracing::warn!(%error, "the server did not stop by itself");
            }
        }
    }
}
