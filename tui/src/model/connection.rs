//! The line to the server, as the user is told of it (TUI.md §5).

use std::collections::BTreeMap;
use std::time::Duration;

use trialogue_client::LinkState;
use trialogue_protocol::ChatId;

/// See the module.
#[derive(Debug, Clone)]
pub struct Connection {
    /// What the session told last.
    pub state: LinkState,
    /// When it did.
    pub told: Duration,
    /// The version that the server speaks, where it is not ours.
    pub other_version: Option<u32>,
    /// The outbox is in memory only: what waits ends with this client.
    pub in_memory: bool,
    /// When the line came back after a loss.
    pub back: Option<Duration>,
    /// Counts of unread messages when the line was lost; nothing while it is up.
    pub before: Option<BTreeMap<ChatId, u64>>,
    /// News of others that the catch-up brought, by chat.
    pub caught: BTreeMap<ChatId, u64>,
    /// The line about the catch-up, and until when it is shown.
    pub caught_up: Option<(String, Duration)>,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            state: LinkState::Offline,
            told: Duration::ZERO,
            other_version: None,
            in_memory: false,
            back: None,
            before: None,
            caught: BTreeMap::new(),
            caught_up: None,
        }
    }
}

/// How long (5 s) after a loss the line brings what was missed: that is counted and rings nothing.
const RETURN_MAX: Duration = Duration::from_secs(5);

impl Connection {
    /// Whether what comes now may be what was missed.
    pub fn is_returning(&self, now: Duration) -> bool {
        match self.back {
            Some(back) => now < back + RETURN_MAX,
            None => self.before.is_some(),
        }
    }

    /// Whether messages can leave now.
    pub fn is_up(&self) -> bool {
        matches!(self.state, LinkState::Connected | LinkState::Syncing { .. })
    }

    /// Whether only signing in helps.
    pub fn is_signed_out(&self) -> bool {
        matches!(self.state, LinkState::LoginNeeded { .. })
    }

    /// Seconds until the next retry, rounded up; nothing when it is under way or none is due.
    pub fn retry_in(&self, now: Duration) -> Option<u64> {
        let LinkState::Reconnecting { next_in, .. } = self.state else { return None };
        let left = (self.told + next_in).saturating_sub(now);
        (!left.is_zero()).then(|| left.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX))
    }
}
