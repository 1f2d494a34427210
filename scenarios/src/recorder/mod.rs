//! Records what clients and a server say to each other as a scenario that can be played again.
//!
//! A reverse proxy stands between them and changes nothing but what it could not read: it asks for
//! neither compressed bodies nor compressed frames. Bytes are noted before they are passed on, so
//! that a cause is always noted before what it causes.

mod hidden;
mod proxy;
mod story;
mod tee;
mod websocket;
mod wire;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use trialogue_client::is_loopback;
use url::Url;

use crate::file;
use crate::source::Source;
use proxy::Upstream;
use story::Story;
use wire::Wires;

/// Whose accounts a recording is played with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Accounts {
    /// Fresh ones, registered by the runner.
    #[default]
    Fresh,
    /// Those whose names and passwords the environment has.
    Environment,
}

/// What is to be recorded.
#[derive(Debug, Clone)]
pub struct RecordConfig {
    /// Where clients are waited for; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The server.
    pub target: Url,
    /// Tokens may travel to another machine without TLS.
    pub plain_http: bool,
    /// What the scenario is called.
    pub name: String,
    /// With whose accounts it is played.
    pub accounts: Accounts,
}

/// Why nothing can be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It cannot be listened there.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// That is no server.
    #[error("{0}")]
    Target(String),
    /// What was written cannot be read again: a bug.
    #[error("what was recorded is no scenario: {0}")]
    Unreadable(String),
}

/// What the proxy's tasks share.
#[derive(Debug)]
struct Shared {
    noted: Mutex<Noted>,
    changed: watch::Sender<()>,
}

#[derive(Debug)]
struct Noted {
    story: Story,
    wires: Wires,
}

impl Shared {
    /// Notes something. Never held over an await: a note is one expression.
    fn note<T>(&self, note: impl FnOnce(&mut Story, &mut Wires) -> T) -> T {
        let Noted { story, wires } = &mut *self.lock();
        let done = note(story, wires);
        self.changed.send_replace(());
        done
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A proxy that listens until it is dropped; its connections end with it.
#[derive(Debug)]
pub struct Recorder {
    address: SocketAddr,
    name: String,
    shared: Arc<Shared>,
    changed: watch::Receiver<()>,
    _listening: JoinSet<()>,
}

impl Recorder {
    /// Listens from now on. Needs a runtime.
    ///
    /// # Errors
    /// [`RecordError`]: the address is not to be had, or the target is no server that tokens may
    /// be sent to.
    pub async fn start(config: RecordConfig) -> Result<Self, RecordError> {
        let target = &config.target;
        if target.scheme() == "http" && !is_loopback(target) && !config.plain_http {
            let why = "plain http to another machine would show tokens to the network: use https, \
                       or a profile with `plain_http: true`";
            return Err(RecordError::Target(why.to_owned()));
        }
        let upstream = Upstream::new(target).map_err(RecordError::Target)?;
        let listen = |error| RecordError::Listen(config.listen, error);
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (sender, changed) = watch::channel(());
        let noted = Noted { story: Story::new(config.accounts), wires: Wires::default() };
        let shared = Arc::new(Shared { noted: Mutex::new(noted), changed: sender });
        let mut listening = JoinSet::new();
        listening.spawn(proxy::listen(listener, Arc::new(upstream), Arc::clone(&shared)));
        Ok(Self { address, name: config.name, shared, changed, _listening: listening })
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until something was noted since this was asked last.
    pub async fn changed(&mut self) {
        // The sender lives as long as this.
        _ = self.changed.changed().await;
    }

    /// The scenario as it is by now, valid as it stands; nothing while nobody did anything.
    ///
    /// # Errors
    /// [`RecordError::Unreadable`]: a bug of the recorder.
    pub fn file(&self) -> Result<Option<String>, RecordError> {
        let text = self.shared.lock().story.file(&self.name);
        let Some(text) = text else { return Ok(None) };
        let source = Source::new("recorded.scn.yaml", text.as_str());
        match file::read(&source) {
            Ok(_) => Ok(Some(text)),
            Err(wrong) => Err(RecordError::Unreadable(wrong.to_string())),
        }
    }

    /// What is not in the file, and how often it happened.
    pub fn left_out(&self) -> Vec<(&'static str, usize)> {
        self.shared.lock().story.left_out()
    }
}
