//! Effects that need the server: commands to the session in their order, requests beside each
//! other. Every result comes back as a reply.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use trialogue_client::profile::Desk;
use trialogue_client::session::{Session, SessionHandle, Update};
use trialogue_client::{Begin, Error, Rest};
use trialogue_protocol::{Chat, MessageType, User};
use url::Url;

use super::requests::answer;
use super::{Door, Entered};
use crate::effect::Effect;
use crate::model::chats::CHATS_MAX;
use crate::msg::Reply;

/// Replies that wait for the loop (256); who has more to tell waits.
pub(super) const REPLIES_MAX: usize = 256;
/// Commands that wait for the session (1,024); a message beyond is refused aloud.
const COMMANDS_MAX: usize = 1_024;
/// Updates that wait for the loop (256): the session holds back more.
pub(super) const UPDATES_MAX: usize = 256;
/// Time for the commands that wait when an account is left (3 s).
const CARRY_MAX: Duration = Duration::from_secs(3);
/// Messages loaded at once when scrolling up.
pub(super) const OLDER: u32 = 50;

/// Where one seat's replies go.
#[derive(Clone)]
pub(super) struct Replies {
    seat: usize,
    replies: mpsc::Sender<(usize, Reply)>,
}

impl Replies {
    async fn send(&self, reply: Reply) {
        // A loop that has ended wants no reply.
        drop(self.replies.send((self.seat, reply)).await);
    }
}

/// The account that is in.
struct Account {
    rest: Rest,
    user: User,
    handle: SessionHandle,
    commands: mpsc::Sender<Effect>,
    /// Hands the commands over, until nobody has any more.
    carrying: JoinHandle<()>,
    /// What the user leaves; the newest counts.
    desk: watch::Sender<Desk>,
    /// Keeps it, likewise.
    keeping: JoinHandle<()>,
}

impl Account {
    /// Ends the session once it has what it was given: what was sent must be on disk.
    async fn end(self) {
        let Self { handle, commands, carrying, desk, keeping, .. } = self;
        drop((commands, desk));
        // A session whose updates nobody takes does not take commands for ever.
        let _ = tokio::time::timeout(CARRY_MAX, async { tokio::join!(carrying, keeping) }).await;
        handle.close().await;
    }
}

/// See the module.
pub(super) struct Hands {
    door: Arc<dyn Door>,
    replies: Replies,
    updates: mpsc::Sender<(usize, Update)>,
    account: Arc<std::sync::Mutex<Option<Account>>>,
    tasks: JoinSet<()>,
}

impl Hands {
    /// The hands of one seat, without an account, and where they put what they get.
    pub(super) fn new(
        seat: usize,
        door: Arc<dyn Door>,
        replies: mpsc::Sender<(usize, Reply)>,
        updates: mpsc::Sender<(usize, Update)>,
    ) -> Self {
        let replies = Replies { seat, replies };
        Self { door, replies, updates, account: Arc::default(), tasks: JoinSet::new() }
    }

    /// Starts the session of an account that has tokens already.
    pub(super) fn enter(&mut self, rest: Rest, user: Option<User>) {
        let entry = self.entry();
        self.tasks.spawn(async move {
            let user = match user {
                Some(user) => Ok(user),
                None => rest.me().await,
            };
            match user {
                Ok(user) => entry.enter(rest, user).await,
                Err(error) => entry.reply(Reply::SignedIn(Err(error))).await,
            }
        });
    }

    fn entry(&self) -> Entry {
        Entry {
            door: Arc::clone(&self.door),
            replies: self.replies.clone(),
            updates: self.updates.clone(),
            account: Arc::clone(&self.account),
        }
    }

    /// Says good-bye; what is queued is on disk.
    pub(super) async fn close(&mut self) {
        let account = lock(&self.account).take();
        if let Some(account) = account {
            account.end().await;
        }
        self.tasks.shutdown().await;
    }

    /// Does it, or has it done.
    pub(super) fn obey(&mut self, effect: Effect) {
        // Those that are over make room.
        while self.tasks.try_join_next().is_some() {}
        match effect {
            Effect::SignIn { server, login } => {
                let entry = self.entry();
                self.tasks.spawn(async move {
                    let signed = entry.sign(&server, async |rest: &Rest| rest.login(&login).await);
                    signed.await;
                });
            }
            Effect::SignUp { server, register } => {
                let entry = self.entry();
                self.tasks.spawn(async move {
                    let signed = async |rest: &Rest| rest.register(&register).await;
                    entry.sign(&server, signed).await;
                });
            }
            Effect::SignOut => self.sign_out(),
            Effect::KeepDesk(desk) => {
                if let Some(account) = lock(&self.account).as_ref() {
                    account.desk.send_replace(desk);
                }
            }
            other if is_command(&other) => self.command(other),
            other => self.request(other),
        }
    }

    fn sign_out(&mut self) {
        let Some(account) = lock(&self.account).take() else { return };
        let (door, replies) = (Arc::clone(&self.door), self.replies.clone());
        self.tasks.spawn(async move {
            // What was seen must not stay for whoever comes next.
            let wiped = account.handle.wipe_backup().await;
            let rest = account.rest.clone();
            account.end().await;
            door.forget(&rest);
            let done = rest.logout().await.and(wiped);
            replies.send(Reply::SignedOut(done)).await;
        });
    }

    fn command(&mut self, effect: Effect) {
        let refused = {
            let account = lock(&self.account);
            match account.as_ref() {
                Some(account) => account.commands.try_send(effect).err().map(|e| e.into_inner()),
                None => Some(effect),
            }
        };
        if let Some(Effect::Send { id, chat, .. }) = refused {
            let error = Error::Full(format!("{COMMANDS_MAX} commands wait already"));
            let replies = self.replies.clone();
            self.tasks.spawn(async move {
                replies.send(Reply::NotQueued { id, chat, error }).await;
            });
        }
    }

    fn request(&mut self, effect: Effect) {
        let parts = lock(&self.account).as_ref().map(|a| (a.rest.clone(), a.handle.clone()));
        let Some((rest, handle)) = parts else { return };
        let replies = self.replies.clone();
        self.tasks.spawn(async move {
            if let Some(reply) = answer(effect, &rest, &handle).await {
                replies.send(reply).await;
            }
        });
    }
}

fn lock<T>(shared: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The way into an account.
struct Entry {
    door: Arc<dyn Door>,
    replies: Replies,
    updates: mpsc::Sender<(usize, Update)>,
    account: Arc<std::sync::Mutex<Option<Account>>>,
}

impl Entry {
    async fn reply(&self, reply: Reply) {
        self.replies.send(reply).await;
    }

    async fn sign(
        &self,
        server: &str,
        how: impl AsyncFnOnce(&Rest) -> Result<trialogue_protocol::Session, Error>,
    ) {
        let known = {
            let account = lock(&self.account);
            account.as_ref().map(|a| (a.rest.clone(), a.user.id, a.handle.clone()))
        };
        let server =
            if server.contains("://") { server.to_owned() } else { format!("http://{server}") };
        let url = Url::parse(&server).map_err(|e| Error::Invalid(format!("{server}: {e}")));
        let rest = url.and_then(|url| match &known {
            Some((rest, ..)) if *rest.http().server() == url => Ok(rest.clone()),
            _ => self.door.at(&url),
        });
        let signed = match rest {
            Ok(rest) => how(&rest).await.map(|session| (rest, session)),
            Err(error) => Err(error),
        };
        match (signed, known) {
            (Ok((rest, session)), Some((old, user, handle)))
                if user == session.user.id && old.http().server() == rest.http().server() =>
            {
                // The same person again: the session and everything in it goes on.
                if let Err(error) = handle.signed_in().await {
                    return self.reply(Reply::SignedIn(Err(error))).await;
                }
                self.reply(Reply::SignedIn(Ok(session.user))).await;
            }
            (Ok((rest, session)), known) => {
                if let Some((_, _, handle)) = known {
                    handle.close().await;
                }
                self.enter(rest, session.user).await;
            }
            (Err(error), _) => self.reply(Reply::SignedIn(Err(error))).await,
        }
    }

    async fn enter(&self, rest: Rest, user: User) {
        let Entered { config, desk, notices } = self.door.enter(rest.clone(), user.clone()).await;
        let shelf = config.backup.as_ref().map(|opened| opened.shelf.chats());
        let recent = shelf.unwrap_or_default().into_iter().filter_map(|recent| recent.chat.clone());
        let recent: Vec<Chat> = recent.take(CHATS_MAX).collect();
        let (handle, mut session) = match Session::start(config) {
            Ok(started) => started,
            Err(error) => return self.reply(Reply::SignedIn(Err(error))).await,
        };
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        let carrying = tokio::spawn(carry(handle.clone(), inbox, self.replies.clone()));
        let (keeper, left) = watch::channel(Desk::default());
        let whose = (rest.clone(), user.clone());
        let keeping = tokio::spawn(keep(Arc::clone(&self.door), whose, left));
        let who = user.clone();
        let account =
            Account { rest, user: who, handle, commands, carrying, desk: keeper, keeping };
        *lock(&self.account) = Some(account);
        // The loop must know who it is before anything of the session reaches it.
        self.reply(Reply::SignedIn(Ok(user))).await;
        self.reply(Reply::Desk(desk)).await;
        self.reply(Reply::Recent(recent)).await;
        for notice in notices {
            self.reply(Reply::Said(notice)).await;
        }
        let (seat, updates) = (self.replies.seat, self.updates.clone());
        tokio::spawn(async move {
            while let Some(update) = session.recv().await {
                if updates.send((seat, update)).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// Whether the session does it, in the order in which it was asked.
fn is_command(effect: &Effect) -> bool {
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
    while desk.changed().await.is_ok() {
        let (door, (rest, user)) = (Arc::clone(&door), whose.clone());
        let left = desk.borrow_and_update().clone();
        let kept = tokio::task::spawn_blocking(move || door.keep(&rest, &user, &left)).await;
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
            Effect::Accept(chat) => {
                let accepted = handle.accept(chat, Begin::default()).await;
                replies.send(Reply::Said("joined".to_owned())).await;
                accepted
            }
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
