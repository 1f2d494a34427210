//! What every request may look at.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::Auth;
use crate::config::Config;
use crate::flow::encoded::Encoded;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::publish::Publisher;
use crate::security::Security;
use crate::socket::Presence;
use crate::store::Store;
use crate::throttle::Throttle;

/// The rooms of one server. Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// Settings.
    pub config: Arc<Config>,
    /// Bounds.
    pub limits: Arc<Limits>,
    /// The database.
    pub store: Store,
    /// Histories that were read before.
    pub encoded: Encoded,
    /// Tokens and passwords.
    pub auth: Auth,
    /// The way to other people.
    pub publisher: Publisher,
    /// Who is online.
    pub presence: Presence,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The security log.
    pub security: Security,
    /// How often somebody may ask.
    pub throttle: Throttle,
    /// Requests under way, those of sockets and what REST writes: the drain waits for them.
    pub busy: TaskTracker,
    /// Cancelled when the server stops: no new work.
    pub draining: CancellationToken,
}
