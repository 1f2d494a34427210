//! Effects that need the server: commands to the session in their order, requests beside each
//! other. Every result comes back as a reply.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use trialogue_client::rest::{ListQuery, NotificationQuery, ProviderQuery};
use trialogue_client::session::{Session, SessionHandle, Update};
use trialogue_client::timeline::Ask;
use trialogue_client::{Begin, Error, Rest};
use trialogue_protocol::{
    Chat, Dispute, DisputeQuery, MessageType, PageQuery, Provider, ResolveDispute, Seq, User,
};
use url::Url;

use super::Door;
use crate::effect::Effect;
use crate::model::chats::CHATS_MAX;
use crate::msg::Reply;

/// Replies that wait for the loop (256); who has more to tell waits.
pub(super) const REPLIES_MAX: usize = 256;
/// Commands that wait for the session (1,024); a message beyond is refused aloud.
const COMMANDS_MAX: usize = 1_024;
/// Updates that wait for the loop (256): the session holds back more.
pub(super) const UPDATES_MAX: usize = 256;
/// Rows of one page of a list.
const PAGE: u32 = 200;
/// Messages loaded at once when scrolling up.
const OLDER: u32 = 50;
/// Messages shown of an invitation.
const PREVIEW: i64 = 20;
/// A place after every message that leaves room for arithmetic.
const BEYOND: Seq = i64::MAX / 4;
/// Providers offered at most.
const PROVIDERS_MAX: usize = 1_000;
/// Disputes looked at, at most.
const DISPUTES_MAX: usize = 1_000;

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
            account.handle.close().await;
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
            account.handle.close().await;
            door.forget(&account.rest);
            let done = account.rest.logout().await.and(wiped);
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
        let (config, notices) = self.door.enter(rest.clone(), user.clone()).await;
        let shelf = config.backup.as_ref().map(|opened| opened.shelf.chats());
        let recent = shelf.unwrap_or_default().into_iter().filter_map(|recent| recent.chat.clone());
        let recent: Vec<Chat> = recent.take(CHATS_MAX).collect();
        let (handle, mut session) = match Session::start(config) {
            Ok(started) => started,
            Err(error) => return self.reply(Reply::SignedIn(Err(error))).await,
        };
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        tokio::spawn(carry(handle.clone(), inbox, self.replies.clone()));
        *lock(&self.account) = Some(Account { rest, user: user.clone(), handle, commands });
        // The loop must know who it is before anything of the session reaches it.
        self.reply(Reply::SignedIn(Ok(user))).await;
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

/// Asks the server.
async fn answer(effect: Effect, rest: &Rest, handle: &SessionHandle) -> Option<Reply> {
    Some(match effect {
        Effect::LoadChats => Reply::Chats(chats(rest, handle).await),
        Effect::LoadProviders => Reply::Providers(providers(rest).await),
        Effect::LoadInvites => Reply::Invites(disputes(rest).await),
        Effect::LoadPreview(chat) => {
            let query =
                PageQuery { limit: Some(PREVIEW), before_seq: Some(BEYOND), after_seq: None };
            Reply::Preview { chat, page: rest.messages(chat, &query).await }
        }
        Effect::LoadNotifications => {
            Reply::Notifications(rest.notifications(&NotificationQuery::default()).await)
        }
        Effect::ReadNotifications => match rest.read_all_notifications().await {
            Ok(()) => Reply::Said("all notifications are read".to_owned()),
            Err(error) => Reply::Failed(error),
        },
        Effect::LoadKept => match handle.kept().await {
            Ok(kept) => Reply::Kept(kept),
            Err(error) => Reply::Failed(error),
        },
        Effect::Page { chat, ask } => {
            let limit = Some(i64::from(OLDER));
            let query = match ask {
                Ask::Before(seq) => PageQuery { limit, before_seq: Some(seq), after_seq: None },
                Ask::After(seq) => PageQuery { limit, before_seq: None, after_seq: Some(seq) },
            };
            Reply::Page { chat, ask, page: rest.messages(chat, &query).await }
        }
        Effect::Book { body, key } => Reply::Booked(rest.create_job(&body, Some(&key)).await),
        Effect::OpenDispute(body) => Reply::Disputed(rest.open_dispute(&body).await),
        Effect::Resolve { dispute, text } => {
            let body = ResolveDispute { resolution: text };
            Reply::Resolved(rest.resolve_dispute(dispute, &body).await)
        }
        Effect::CompleteJob(job) => {
            Reply::JobChanged("the job is completed", rest.complete_job(job).await)
        }
        Effect::CancelJob(job) => {
            Reply::JobChanged("the job is cancelled", rest.cancel_job(job).await)
        }
        _ => return None,
    })
}

/// All chats, as far as the list goes; the session is told too, for its counts and its backup.
async fn chats(rest: &Rest, handle: &SessionHandle) -> Result<(Vec<Chat>, bool), Error> {
    let mut chats = Vec::new();
    let mut page = ListQuery { limit: Some(PAGE), cursor: None };
    let whole = loop {
        let list = rest.chats(&page).await?;
        chats.extend(list.chats);
        page.cursor = list.next;
        if page.cursor.is_none() {
            break true;
        }
        if chats.len() >= CHATS_MAX {
            break false;
        }
    };
    chats.truncate(CHATS_MAX);
    handle.list(chats.clone(), whole).await?;
    Ok((chats, whole))
}

async fn providers(rest: &Rest) -> Result<Vec<Provider>, Error> {
    let mut providers = Vec::new();
    let mut query = ProviderQuery::default();
    query.page.limit = Some(PAGE);
    loop {
        let list = rest.providers(&query).await?;
        providers.extend(list.providers);
        query.page.cursor = list.next;
        if query.page.cursor.is_none() || providers.len() >= PROVIDERS_MAX {
            return Ok(providers);
        }
    }
}

async fn disputes(rest: &Rest) -> Result<Vec<Dispute>, Error> {
    let mut disputes = Vec::new();
    let mut page = ListQuery { limit: Some(PAGE), cursor: None };
    loop {
        let list = rest.disputes(&DisputeQuery::default(), &page).await?;
        disputes.extend(list.disputes);
        page.cursor = list.next;
        if page.cursor.is_none() || disputes.len() >= DISPUTES_MAX {
            return Ok(disputes);
        }
    }
}
