//! Which messages were shown, for servers that do not count them.

use std::collections::{HashSet, VecDeque};

use trialogue_protocol::MessageId;

/// Ids remembered (65,536, 3 MiB): a server that does not count sends its whole history again
/// after every reconnect, and what is forgotten would be shown twice.
const REMEMBERED_MAX: usize = 65_536;

#[derive(Debug, Default)]
pub(super) struct Seen {
    ids: HashSet<MessageId>,
    order: VecDeque<MessageId>,
}

impl Seen {
    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    pub(super) fn has(&self, id: MessageId) -> bool {
        self.ids.contains(&id)
    }

    pub(super) fn first_time(&mut self, id: MessageId) -> bool {
        if !self.ids.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}
