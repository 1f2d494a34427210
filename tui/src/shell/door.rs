//! What the composition root gives the shell: how accounts are opened, and what a client begins with.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use trialogue_client::profile::Desk;
use trialogue_client::session::SessionConfig;
use trialogue_client::{Error, Rest};
use trialogue_protocol::{ChatId, User};
use url::Url;

use crate::model::{Settings, Who};

/// An account that was opened.
pub struct Entered {
    /// Its connection, with outbox and backup.
    pub config: SessionConfig,
    /// What its user left the last time.
    pub desk: Desk,
    /// Sentences for the user.
    pub notices: Vec<String>,
}

/// How accounts are opened: the composition root knows folders, certificates and profiles.
pub trait Door: Send + Sync + 'static {
    /// A voice at a server, not signed in.
    ///
    /// # Errors
    /// [`Error::Invalid`] and the like: the address cannot be spoken to.
    fn at(&self, server: &Url) -> Result<Rest, Error>;

    /// Remembers who has signed in, and opens what belongs to the account.
    fn enter(&self, rest: Rest, user: User) -> BoxFuture<'static, Entered>;

    /// Keeps what the account's user left. Blocks for as long as the disk takes.
    fn keep(&self, rest: &Rest, user: &User, desk: &Desk);

    /// The account signed out: what was kept of it goes.
    fn forget(&self, rest: &Rest);
}

/// The line of one account, where it can be cut by hand.
pub trait Line: Send + Sync + 'static {
    /// Cuts it, or heals it.
    fn cut(&self, cut: bool);
}

/// One account to begin with.
pub struct Start {
    /// Opens accounts.
    pub door: Arc<dyn Door>,
    /// Signed in already: the voice, and who it is if that is known.
    pub account: Option<(Rest, Option<User>)>,
    /// Whose client it is.
    pub who: Who,
    /// What the user chose.
    pub settings: Settings,
    /// The chat to open.
    pub chat: Option<ChatId>,
    /// Sentences for the user: words of the configuration file that mean nothing.
    pub notices: Vec<String>,
    /// Its line, where it can be cut.
    pub line: Option<Arc<dyn Line>>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The user wanted it.
    Quit,
    /// The user wants to see the demo.
    Demo,
    /// Somebody asked the process to end, or the terminal is gone.
    Asked,
}
