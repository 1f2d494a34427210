//! How a server that is not our own is started, tormented and ended: commands and signals.

use std::fmt::Debug;
use std::time::Duration;

use trialogue_faults::Signal;

use crate::file::ServerVerb;

/// A command line that starts a server at a known address, and how that server is ended.
#[derive(Clone, PartialEq, Eq)]
pub struct Launch {
    /// What `sh` is given.
    pub start: String,
    /// Answers below 500 once it serves: `/health/ready`.
    pub ready: String,
    /// Longest wait for that; the runner's own when absent.
    pub within: Option<Duration>,
    /// How it is asked to stop.
    pub stop: Ending,
    /// How it is killed.
    pub kill: Ending,
}

/// A command may hold a password.
impl Debug for Launch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Launch").finish_non_exhaustive()
    }
}

/// How a server is ended; what is left of it after that is killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Its processes are told this.
    Signal(Signal),
    /// `sh` is given this, for a server that is not a child of its command: `docker kill chat`.
    Command(String),
}

/// Commands that do something to a server which the runner does not start itself, each given to
/// `sh` and waited for: `docker restart chat`.
#[derive(Clone, Default)]
pub struct Hooks {
    /// Starts it.
    pub start: Option<String>,
    /// Stops it gracefully.
    pub stop: Option<String>,
    /// Ends it without a warning.
    pub kill: Option<String>,
    /// Stops and starts it; both of these when absent.
    pub restart: Option<String>,
    /// Freezes it.
    pub pause: Option<String>,
    /// Thaws it.
    pub resume: Option<String>,
    /// Answers below 500 once it serves: `/health/ready`. Not waited for when absent.
    pub ready: Option<String>,
    /// Longest time of a command, and of a wait for it to serve; the runner's own when absent.
    pub within: Option<Duration>,
}

/// As above.
impl Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}

impl Hooks {
    /// Whether there is a command for something.
    #[must_use]
    pub fn can(&self, verb: ServerVerb) -> bool {
        self.of(verb).is_some()
    }

    /// Whether there is a command for nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { start, stop, kill, restart, pause, resume, ready: _, within: _ } = self;
        [start, stop, kill, restart, pause, resume].iter().all(|command| command.is_none())
    }

    pub(super) fn of(&self, verb: ServerVerb) -> Option<Vec<&str>> {
        let one = match verb {
            ServerVerb::Start => &self.start,
            ServerVerb::Stop => &self.stop,
            ServerVerb::Kill => &self.kill,
            ServerVerb::Pause => &self.pause,
            ServerVerb::Resume => &self.resume,
            ServerVerb::Restart => match (&self.restart, &self.stop, &self.start) {
                (None, Some(stop), Some(start)) => return Some(vec![stop, start]),
                (restart, ..) => restart,
            },
        };
        one.as_deref().map(|command| vec![command])
    }
}
