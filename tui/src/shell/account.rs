//! An account that is in: commands to its session in their order, and what its user leaves.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use trialogue_client::profile::Desk;
use trialogue_client::session::SessionHandle;
use trialogue_client::{Begin, Error, Rest};
use trialogue_protocol::{MessageType, User};

use super::Door;
use super::effects::{OLDER, Replies};
use crate::effect::Effect;
use crate::msg::Reply;

/// Commands that wait for the session (1,024); a message beyond is refused aloud.
pub(super) const COMMANDS_MAX: usize = 1_024;
/// Time for the commands that wait when an account is left (10 s): what was sent must reach the
/// disk, and a busy one takes its time.
const CARRY_MAX: Duration = Duration::from_secs(10);

/// The account that is in.
pub(super) struct Account {
    pub(super) rest: Rest,
    pub(super) user: User,
    pub(super) handle: SessionHandle,
    commands: mpsc::Sender<Effect>,
    /// Hands the commands over, until nobody has any more.
    carrying: JoinHandle<()>,
    /// What the user leaves; the newest counts.
    desk: watch::Sender<Desk>,
    /// Keeps it, likewise.
    keeping: JoinHandle<()>,
}

impl Account {
    /// The account behind a session that runs, and what its user left the last time.
    pub(super) fn new(
        (rest, user): (Rest, User),
        handle: SessionHandle,
        door: Arc<dyn Door>,
        replies: Replies,
        found: Desk,
    ) -> Self {
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        let carrying = tokio::spawn(carry(handle.clone(), inbox, replies));
        let (desk, left) = watch::channel(found);
        let keeping = tokio::spawn(keep(door, (rest.clone(), user.clone()), left));
        Self { rest, user, handle, commands, carrying, desk, keeping }
    }

    /// Hands a command to the session; answers it where there is no room for it.
    pub(super) fn command(&self, effect: Effect) -> Option<Effect> {
        self.commands.try_send(effect).err().map(|error| error.into_inner())
    }

    /// Has kept what the user leaves.
    pub(super) fn keep_desk(&self, desk: Desk) {
        self.desk.send_replace(desk);
    }

    /// Ends the session once it has what it was given: what was sent must be on disk.
    pub(super) async fn end(self) {
        let Self { handle, commands, carrying, desk, keeping, .. } = self;
        drop((commands, desk));
        // A session whose updates nobody takes does not take commands for ever.
        let _ = tokio::time::timeout(CARRY_MAX, async { tokio::join!(carrying, keeping) }).await;
        handle.close().await;
    }
}

/// Whether the session does it, in the order in which it was asked.
pub(super) fn is_command(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Send { .. }
            | Effect::Again(_)
            | Effect::Discard(_)
            | Effect::Join(_)
            | Effect::Accept(_)
            | Effect::Leave(_)
            | Effect::Older(_)
            | Effect::Typing(..)
            | Effect::MarkRead(..)
            | Effect::RetryNow
    )
}

/// Keeps what the user leaves, one state of it after the other; what was overtaken is left out.
async fn keep(door: Arc<dyn Door>, whose: (Rest, User), mut desk: watch::Receiver<Desk>) {
    let mut known = desk.borrow().clone();
    while desk.changed().await.is_ok() {
        let (door, (rest, user)) = (Arc::clone(&door), whose.clone());
        let left = desk.borrow_and_update().clone();
        let before = std::mem::replace(&mut known, left.clone());
        let keep = move || door.keep(&rest, &user, &before, &left);
        let kept = tokio::task::spawn_blocking(keep).await;
        if let Err(error) = kept {
            tracing::warn!(%error, "drafts are not kept");
        }
    }
}

/// Carries commands to the session, one after the other.
async fn carry(handle: SessionHandle, mut inbox: mpsc::Receiver<Effect>, replies: Replies) {
    while let Some(effect) = inbox.recv().await {
        let done = match effect {
            Effect::Send { id, chat, text } => {
                let sent = handle.send_as(id.clone(), chat, &text, MessageType::Text).await;
                if let Err(error) = sent {
                    replies.send(Reply::NotQueued { id, chat, error }).await;
                }
                Ok(())
            }
            Effect::Again(id) => handle.again(id).await,
            Effect::Discard(id) => handle.discard(id).await,
            Effect::Join(chat) => handle.join(chat, Begin::default()).await,
            // That the user is in says the session, once the server has said so.
            Effect::Accept(chat) => handle.accept(chat, Begin::default()).await,
            Effect::Leave(chat) => handle.leave(chat).await,
            Effect::Older(chat) => handle.older(chat, OLDER).await,
            Effect::Typing(chat, is) => handle.typing(chat, is).await,
            Effect::MarkRead(chat, seq) => handle.mark_read(chat, seq).await,
            Effect::RetryNow => handle.retry_now().await,
            _ => Ok(()),
        };
        match done {
            Ok(()) => {}
            Err(Error::Closed) => return,
            Err(error) => replies.send(Reply::Failed(error)).await,
        }
    }
}
