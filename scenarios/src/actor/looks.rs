//! Looks at the history the moment a message is seen: whether it was stored before it was told.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::task::JoinSet;
use trialogue_client::Rest;
use trialogue_protocol::{Message, MessageId, PageQuery, UserId};

use crate::record::{Inbox, What};

/// Most looks of one actor at the same time; what comes meanwhile is not looked for.
const LOOKS_MAX: usize = 16;

/// Messages that somebody looks for or has looked for; all clones know the same.
#[derive(Debug, Clone, Default)]
pub struct Looked {
    begun: Arc<Mutex<BTreeSet<MessageId>>>,
    open: Arc<AtomicUsize>,
}

impl Looked {
    /// Whether every look that was begun is over.
    pub fn is_over(&self) -> bool {
        self.open.load(Ordering::SeqCst) == 0
    }
}

/// One actor's way to look.
#[derive(Debug, Clone)]
pub(super) struct Looks {
    rest: Rest,
    looked: Looked,
}

/// Counts one look, however it ends.
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Looks {
    pub(super) fn new(rest: Rest, looked: Looked) -> Self {
        Self { rest, looked }
    }

    /// Looks for a message of somebody else's that nobody has looked for yet.
    pub(super) fn look(
        &self,
        event: &str,
        data: &Value,
        user: Option<UserId>,
        inbox: &Arc<Inbox>,
        looking: &mut JoinSet<()>,
    ) {
        while looking.try_join_next().is_some() {}
        if event != "new_message" || looking.len() >= LOOKS_MAX {
            return;
        }
        let Ok(message) = serde_json::from_value::<Message>(data.clone()) else { return };
        let begun = &self.looked.begun;
        if user == Some(message.sender_id)
            || !begun.lock().unwrap_or_else(PoisonError::into_inner).insert(message.id)
        {
            return;
        }
        self.looked.open.fetch_add(1, Ordering::SeqCst);
        let open = Open(Arc::clone(&self.looked.open));
        let (rest, inbox) = (self.rest.clone(), Arc::clone(inbox));
        looking.spawn(async move {
            let after_seq = message.seq.map(|seq| seq - 1);
            let limit = after_seq.map(|_| 1);
            let page = PageQuery { limit, after_seq, ..PageQuery::default() };
            let found = rest.messages(message.chat_id, &page).await;
            drop(open);
            // Who cannot be asked says nothing about it.
            if let Ok(page) = found {
                let stored = page.messages.iter().any(|one| one.id == message.id);
                inbox.push(What::Looked { id: message.id, stored });
            }
        });
    }
}
