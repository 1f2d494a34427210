//! Who is online on this node.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use trialogue_protocol::{PresenceStatus, Timestamp, UserId};

/// Live sockets by user. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Presence {
    users: Arc<Mutex<HashMap<UserId, usize>>>,
}

impl Presence {
    /// Whether the user has a live socket, and, where this node knows it, when the last one went.
    pub fn of(&self, user_id: UserId) -> (PresenceStatus, Option<Timestamp>) {
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        match users.get(&user_id) {
            Some(_) => (PresenceStatus::Online, None),
            None => (PresenceStatus::Offline, None),
        }
    }
}
