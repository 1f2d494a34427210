//! `-c`: a server of somebody's own that lives as long as the check.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
#[cfg(unix)]
use trialogue_faults::ShellProcess;
use trialogue_socketio::conform::Target;
use url::Url;

use crate::owned::shown;

/// How long a server may take to listen: it may be compiled first.
const START_MAX: Duration = Duration::from_secs(120);
/// How long it may take to stop before it is killed.
const END_MAX: Duration = Duration::from_secs(5);
/// Between two tries of its port: a server that is not there yet tells nobody when it will be.
const TRY_EVERY: Duration = Duration::from_millis(50);
/// How long one try may take.
const TRY_MAX: Duration = Duration::from_secs(1);

/// The command's processes.
pub(super) struct Running(ShellProcess);

impl Running {
    /// Ends all of them.
    pub(super) async fn end(self) {
        self.0.end(END_MAX).await;
    }
}

/// Starts the command and waits until every target takes connections.
pub(super) async fn start(
    command: &str,
    targets: &[Target],
    stop: &CancellationToken,
) -> Result<Running, String> {
    for target in targets {
        if listens(&target.url).await {
            return Err(format!("{} answers before the command has begun", shown(&target.url)));
        }
    }
    let shell = ShellProcess::start(command).map_err(|error| format!("no shell: {error}"))?;
    let ready = tokio::time::timeout(START_MAX, stop.run_until_cancelled(ready(&shell, targets)));
    let why = match ready.await {
        // What follows sees that it is to stop.
        Ok(None | Some(Ok(()))) => return Ok(Running(shell)),
        Ok(Some(Err(why))) => why.to_owned(),
        Err(_) => format!("the command's server did not listen within {START_MAX:?}"),
    };
    let said = shell.end(END_MAX).await;
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    Err(last.map_or(why.clone(), |last| format!("{why}; its last words: {last}")))
}

async fn ready(shell: &ShellProcess, targets: &[Target]) -> Result<(), &'static str> {
    for target in targets {
        while !listens(&target.url).await {
            if !shell.runs() {
                return Err("the command ended before its server listened");
            }
            tokio::time::sleep(TRY_EVERY).await;
        }
    }
    Ok(())
}

async fn listens(url: &Url) -> bool {
    let Ok(addresses) = url.socket_addrs(|| Some(if url.scheme() == "wss" { 443 } else { 80 }))
    else {
        return false;
    };
    let tried = tokio::time::timeout(TRY_MAX, TcpStream::connect(&addresses[..]));
    tried.await.is_ok_and(|connected| connected.is_ok())
}

/// This system has no shell that we know.
#[cfg(not(unix))]
enum ShellProcess {}

#[cfg(not(unix))]
impl ShellProcess {
    fn start(_: &str) -> std::io::Result<Self> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    fn runs(&self) -> bool {
        match *self {}
    }

    async fn end(self, _: Duration) -> String {
        match self {}
    }
}
