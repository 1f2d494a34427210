//! What the composition root gives the shell: how accounts are opened, and what a client begins with.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use trialogue_client::profile::Desk;
use trialogue_client::session::{SessionConfig, SessionHandle, Update};
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
    /// Why the outbox is in memory alone, where it is.
    pub unkept: Option<String>,
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

    /// Keeps what the account's user left, as far as it differs from what was kept `before`: the
    /// rest may be another window's. Blocks for as long as the disk takes.
    fn keep(&self, rest: &Rest, user: &User, before: &Desk, desk: &Desk);

    /// The account signed out: what was kept of it goes.
    fn forget(&self, rest: &Rest);
}

/// The line of one account, where it can be cut by hand.
pub trait Line: Send + Sync + 'static {
    /// Cuts it, or heals it.
    fn cut(&self, cut: bool);
}

/// An account that a script brings, connected already.
pub struct Entrance {
    /// Whose place it takes.
    pub seat: usize,
    /// Its voice.
    pub rest: Rest,
    /// Who it is.
    pub user: User,
    /// Its connection.
    pub session: SessionHandle,
    /// What the connection tells.
    pub updates: mpsc::Receiver<Update>,
    /// Its line.
    pub line: Arc<dyn Line>,
}

/// What a script tells.
pub enum News {
    /// One of them is there.
    Enters(Box<Entrance>),
    /// A step waits to be begun.
    Waits {
        /// Where it stands in the file.
        place: String,
        /// What it is.
        words: String,
        /// It is a heading, in which nothing happens.
        is_heading: bool,
        /// Begins it.
        go: oneshot::Sender<()>,
    },
    /// Something about a step that must be said.
    Odd(String),
    /// Everything is judged, or nothing could be played.
    Over {
        /// What came of it.
        words: String,
        /// Whether all of it held.
        passed: bool,
    },
}

/// A script that somebody plays at this table.
pub struct Play {
    /// What it is called.
    pub name: String,
    /// How many steps it has.
    pub of: usize,
    /// What it tells.
    pub news: mpsc::Receiver<News>,
}

/// How an account begins.
#[expect(clippy::large_enum_variant, reason = "one per account, moved once")]
pub enum Begin {
    /// The form asks who it is.
    SignIn,
    /// Signed in already: the voice, and who it is if that is known.
    In(Rest, Option<User>),
    /// A script brings it.
    Waits,
    /// It is made up, and there is no server: the script of [`crate::demo`].
    Demo,
}

/// One account to begin with.
pub struct Start {
    /// Opens accounts.
    pub door: Arc<dyn Door>,
    /// How it begins.
    pub begin: Begin,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The user wanted it.
    Quit,
    /// The user wants to see the demo.
    Demo,
    /// The user goes on as another account: the name of its profile.
    Profile(String),
    /// The user wants to see the script that comes with the three.
    Script,
    /// Somebody asked the process to end.
    Asked,
    /// The terminal is gone.
    HungUp,
    /// No chat was there for what came through a pipe.
    Unheard,
}
