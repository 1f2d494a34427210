//! Effects that need the server: commands to the session in their order, requests beside each
//! other. Every result comes back as a reply.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use trialogue_client::link::{LinkConfig, Trouble};
use trialogue_client::profile::Desk;
use trialogue_client::session::{Session, SessionHandle, Update};
use trialogue_client::time::Jitter;
use trialogue_client::{Error, LinkState, Rest};
use trialogue_protocol::{Chat, User};
use url::Url;

use super::account::{Account, COMMANDS_MAX, is_command};
use super::requests::answer;
use super::{Door, Entered};
use crate::demo::Demo;
use crate::effect::Effect;
use crate::model::chats::CHATS_MAX;
use crate::msg::{Msg, Reply};

/// Replies that wait for the loop (256); who has more to tell waits.
pub(super) const REPLIES_MAX: usize = 256;
/// Updates that wait for the loop (256): the session holds back more.
pub(super) const UPDATES_MAX: usize = 256;
/// Messages loaded at once when scrolling up.
pub(super) const OLDER: u32 = 50;

/// Where one seat's replies go.
#[derive(Clone)]
pub(super) struct Replies {
    seat: usize,
    replies: mpsc::Sender<(usize, Reply)>,
}

impl Replies {
    pub(super) async fn send(&self, reply: Reply) {
        // A loop that has ended wants no reply.
        drop(self.replies.send((self.seat, reply)).await);
    }
}

/// See the module.
pub(super) struct Hands {
    door: Arc<dyn Door>,
    replies: Replies,
    updates: mpsc::Sender<(usize, Update)>,
    account: Arc<std::sync::Mutex<Option<Account>>>,
    /// Wakes whoever waits for another try to learn whose token this is.
    again: Arc<Notify>,
    /// Plays the server, where there is none.
    demo: Option<Demo>,
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
        Self {
            door,
            replies,
            updates,
            account: Arc::default(),
            again: Arc::default(),
            demo: None,
            tasks: JoinSet::new(),
        }
    }

    /// Starts the session of an account that has tokens already.
    pub(super) fn enter(&mut self, rest: Rest, user: Option<User>) {
        let (entry, again) = (self.entry(), Arc::clone(&self.again));
        self.tasks.spawn(async move {
            match user {
                Some(user) => entry.enter(rest, user).await,
                None => entry.find_out(rest, &again).await,
            }
        });
    }

    /// Takes an account whose session somebody else has started.
    pub(super) fn adopt(
        &mut self,
        rest: Rest,
        user: User,
        handle: SessionHandle,
        session: mpsc::Receiver<Update>,
    ) {
        let entry = self.entry();
        self.tasks.spawn(async move {
            entry.take((rest, user), handle, session, Found::default()).await;
        });
    }

    /// Begins the demo: what comes is made up, and what is done is answered by it.
    pub(super) fn pretend(&mut self) {
        let mut demo = Demo::default();
        self.play(demo.opening(Utc::now()));
        self.demo = Some(demo);
    }

    /// Tells what the demo makes up, each in its time.
    fn play(&mut self, acts: Vec<(Duration, Msg)>) {
        let (seat, replies, updates) =
            (self.replies.seat, self.replies.clone(), self.updates.clone());
        self.tasks.spawn(async move {
            let mut gone = Duration::ZERO;
            for (at, msg) in acts {
                tokio::time::sleep(at.saturating_sub(gone)).await;
                gone = at;
                match msg {
                    Msg::Reply(reply) => replies.send(reply).await,
                    Msg::Update(update) => drop(updates.send((seat, update)).await),
                    // The demo plays neither keys nor clocks.
                    _ => {}
                }
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

    /// Whether everything that was asked of the server is answered.
    pub(super) fn is_idle(&mut self) -> bool {
        while self.tasks.try_join_next().is_some() {}
        self.tasks.is_empty()
    }

    /// Waits for that.
    pub(super) async fn idle(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    /// Does it, or has it done.
    pub(super) fn obey(&mut self, effect: Effect) {
        // Those that are over make room.
        self.is_idle();
        if let Some(demo) = &mut self.demo {
            let acts = demo.answer(&effect, Utc::now());
            return self.play(acts);
        }
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
                    account.keep_desk(desk);
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
        if effect == Effect::RetryNow {
            self.again.notify_waiters();
        }
        let refused = {
            let account = lock(&self.account);
            match account.as_ref() {
                Some(account) => account.command(effect),
                // Of what a room needs there is nothing before an account.
                None => Some(effect).filter(|effect| matches!(effect, Effect::Send { .. })),
            }
        };
        let Some(refused) = refused else { return };
        let reply = match refused {
            Effect::Send { id, chat, .. } => {
                let error = Error::Full(format!("{COMMANDS_MAX} commands wait already"));
                Reply::NotQueued { id, chat, error }
            }
            other => Reply::NotDone(other),
        };
        let replies = self.replies.clone();
        self.tasks.spawn(async move { replies.send(reply).await });
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

/// What is here of an account that enters.
#[derive(Default)]
struct Found {
    desk: Desk,
    recent: Vec<Chat>,
    unkept: Option<String>,
    notices: Vec<String>,
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

    /// Asks whose tokens these are until somebody says it: as with the line itself, a server that
    /// is away is no reason to give up.
    async fn find_out(&self, rest: Rest, again: &Notify) {
        let backoff = LinkConfig::default().backoff;
        let mut chance = Jitter::new(super::rand_seed());
        for attempt in 1.. {
            let error = match rest.me().await {
                Ok(user) => return self.enter(rest, user).await,
                Err(error) => error,
            };
            let why = Trouble::from(&error);
            if !error.is_transient() {
                self.link(LinkState::LoginNeeded { why }).await;
                return self.reply(Reply::SignedIn(Err(error))).await;
            }
            let next_in = backoff.delay(attempt, &mut chance);
            let asked = again.notified();
            self.link(LinkState::Reconnecting { attempt, next_in, why }).await;
            // Its own time, or the user's.
            let _ = tokio::time::timeout(next_in, asked).await;
        }
    }

    async fn link(&self, state: LinkState) {
        // A loop that has ended wants no update.
        drop(self.updates.send((self.replies.seat, Update::Link(state))).await);
    }

    async fn enter(&self, rest: Rest, user: User) {
        let Entered { config, desk, unkept, notices } =
            self.door.enter(rest.clone(), user.clone()).await;
        let shelf = config.backup.as_ref().map(|opened| opened.shelf.chats());
        let recent = shelf.unwrap_or_default().into_iter().filter_map(|recent| recent.chat.clone());
        let recent: Vec<Chat> = recent.take(CHATS_MAX).collect();
        let (handle, session) = match Session::start(config) {
            Ok(started) => started,
            Err(error) => return self.reply(Reply::SignedIn(Err(error))).await,
        };
        let found = Found { desk, recent, unkept, notices };
        self.take((rest, user), handle, session, found).await;
    }

    /// A session runs: its account is in.
    async fn take(
        &self,
        (rest, user): (Rest, User),
        handle: SessionHandle,
        mut session: mpsc::Receiver<Update>,
        Found { desk, recent, unkept, notices }: Found,
    ) {
        let (door, replies) = (Arc::clone(&self.door), self.replies.clone());
        let account = Account::new((rest, user.clone()), handle, door, replies, desk.clone());
        *lock(&self.account) = Some(account);
        // The loop must know who it is before anything of the session reaches it.
        self.reply(Reply::SignedIn(Ok(user))).await;
        self.reply(Reply::Desk(desk)).await;
        self.reply(Reply::Recent(recent)).await;
        for notice in notices {
            self.reply(Reply::Said(notice)).await;
        }
        // Last, so that nothing covers it.
        if let Some(why) = unkept {
            let said = format!("the outbox is in memory: quitting loses what is unsent ({why})");
            self.reply(Reply::Unkept(said)).await;
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
