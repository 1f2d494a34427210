//! Somebody who watches the actors while they play, each over its own connection: a face with a pane
//! for each of them. The scenario is played here all the same; what may not happen here is a second
//! way to play it.

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use trialogue_client::Rest;
use trialogue_client::session::{SessionHandle, Update};
use trialogue_faults::Proxy;
use trialogue_protocol::User;

use super::Report;

/// Updates that wait for whoever watches (256): beyond them the actor waits too.
const UPDATES_MAX: usize = 256;

/// An actor connects for the first time.
#[derive(Debug)]
pub struct Entrance {
    /// Its place among the actors of the file.
    pub actor: usize,
    /// Its voice over HTTP; what is asked here stands in no inbox and in no report.
    pub rest: Rest,
    /// Who it is.
    pub user: User,
    /// Its connection.
    pub session: SessionHandle,
    /// All that the connection tells. Whoever does not read holds the actor up; dropping is fine.
    pub updates: mpsc::Receiver<Update>,
    /// Its line to the server.
    pub line: Arc<Proxy>,
}

/// What comes of a look that takes its time.
pub type Looking<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Watches a run.
pub trait Audience: Debug + Send + Sync {
    /// An actor is there. Must not block.
    fn enters(&self, entrance: Entrance);

    /// Everything is judged. Server, connections and lines stay until this is over.
    fn judged<'a>(&'a self, report: &'a Report) -> Looking<'a>;
}

/// One actor's place before an audience.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Who watches.
    pub audience: Arc<dyn Audience>,
    /// The actor's place in the file.
    pub actor: usize,
    /// Its line.
    pub line: Arc<Proxy>,
}

impl Seen {
    /// The actor enters; answers where its updates go besides.
    pub(crate) fn enters(
        &self,
        rest: Rest,
        user: User,
        session: SessionHandle,
    ) -> mpsc::Sender<Update> {
        let (tell, updates) = mpsc::channel(UPDATES_MAX);
        let (actor, line) = (self.actor, Arc::clone(&self.line));
        self.audience.enters(Entrance { actor, rest, user, session, updates, line });
        tell
    }
}
