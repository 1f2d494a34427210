//! The task of a session: waits, hands what happened to the pure cores, obeys their effects.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use futures_util::future::{BoxFuture, OptionFuture};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use trialogue_protocol::{
    ChatId, ClientMessageId, Member, NotificationId, Role, Seq, TokenPair, UserId,
};
use trialogue_socketio::client::{Client, ClientSender, ClientSocket, Received};

use super::Update;
use super::archive::{Archive, Saved};
use super::config::{GOODBYE_MAX, OVERFLOW_MAX, SessionConfig};
use super::handle::Command;
use super::journalist::{Journalist, Written};
use super::react::Done;
use super::unacked::Unacked;
use crate::error::Error;
use crate::link::{self, Link, OpenFailure};
use crate::outbox::{self, Outbox};
use crate::people::{self, People};
use crate::socket::Ready;
use crate::time::Now;
use crate::timeline::{self, Timeline};
use crate::unread::Unread;

/// A connection that is up.
pub(super) struct Live {
    pub(super) serial: u64,
    /// The epoch that `connected` named.
    pub(super) epoch: Option<String>,
    pub(super) client: Client,
    pub(super) socket: ClientSocket,
    pub(super) sender: ClientSender,
}

/// An open chat.
pub(super) struct Room {
    pub(super) timeline: Timeline,
    pub(super) people: People,
    /// As the last answer to a join told them.
    pub(super) members: Vec<Member>,
    /// Was joined before in this session.
    pub(super) joined: bool,
    /// Its user wants an invitation into it accepted.
    pub(super) accepts: bool,
}

/// How many messages of a chat are unread, and what the face knows of it.
#[derive(Default)]
pub(super) struct Count {
    pub(super) unread: Unread,
    pub(super) told: u64,
}

/// Something for a core to decide about.
#[derive(Debug)]
pub(super) enum Job {
    Link(link::Event),
    Outbox(outbox::Event),
    Timeline(ChatId, timeline::Event),
    People(ChatId, people::Event),
}

/// What the task was waiting for.
enum Woken {
    Command(Option<Command>),
    Done(Done),
    Opened(u64, Result<Box<Ready>, OpenFailure>),
    Refreshed(Result<(), Error>),
    Written(Written),
    Saved(Saved),
    Received(Received),
    /// The face took an update.
    Place,
    FaceGone,
    Time,
}

pub(super) type Opening = BoxFuture<'static, (u64, Result<Box<Ready>, OpenFailure>)>;

pub(super) struct Driver {
    pub(super) config: SessionConfig,
    origin: Instant,
    pub(super) link: Link,
    pub(super) outbox: Outbox,
    pub(super) rooms: BTreeMap<ChatId, Room>,
    pub(super) live: Option<Live>,
    pub(super) opening: Option<Opening>,
    pub(super) refreshing: Option<BoxFuture<'static, Result<(), Error>>>,
    /// Requests that wait for their acknowledgement; bounded by `REQUESTS_MAX` for raw ones and
    /// by the cores' own bounds for the rest.
    pub(super) requests: FuturesUnordered<BoxFuture<'static, Done>>,
    pub(super) journalist: Option<Journalist>,
    pub(super) archive: Option<Archive>,
    /// Who the session speaks for, as soon as that is known.
    pub(super) me: Option<UserId>,
    pub(super) role: Option<Role>,
    /// Bounded by `COUNTS_MAX`.
    pub(super) counts: BTreeMap<ChatId, Count>,
    /// Notifications that were told; bounded by `NOTICES_MAX`.
    pub(super) notices: VecDeque<NotificationId>,
    /// They were looked at once: what is new from now on is news.
    pub(super) notices_known: bool,
    pub(super) notices_at: Option<Now>,
    /// Where nothing is acknowledged.
    pub(super) unacked: Option<Unacked>,
    /// Tokens of the attempt under way or of the last one.
    pub(super) presented: Option<Arc<TokenPair>>,
    /// What the server refused last, outside of any request: the reason if it hangs up now.
    pub(super) last_refusal: Option<link::Trouble>,
    /// Authors who wait until their message is kept.
    pub(super) authors: HashMap<ClientMessageId, Vec<oneshot::Sender<Result<(), Error>>>>,
    /// Marks to be set when their chat is joined.
    pub(super) reads: BTreeMap<ChatId, Option<Seq>>,
    pub(super) jobs: VecDeque<Job>,
    updates: mpsc::Sender<Update>,
    /// Updates for which the face's channel had no place.
    overflow: VecDeque<Update>,
    closing: bool,
}

impl Driver {
    pub(super) fn new(
        mut config: SessionConfig,
        updates: mpsc::Sender<Update>,
    ) -> Result<Self, Error> {
        let mut overflow = VecDeque::new();
        let mut restored = Vec::new();
        let mut journalist = None;
        let mut archive = None;
        if let Some(mut opened) = config.backup.take() {
            let notices = std::mem::take(&mut opened.notices);
            overflow.extend(notices.into_iter().map(|sentence| Update::Backup { sentence }));
            archive = Some(Archive::new(opened, config.backup_pause));
        }
        if let Some(opened) = config.journal.take() {
            overflow
                .extend(opened.notices.into_iter().map(|sentence| Update::Journal { sentence }));
            restored = opened.restored;
            journalist = Some(Journalist::start(opened.journal)?);
        }
        let capabilities = config.rest.dialect().capabilities();
        config.people.presence &= capabilities.presence;
        let whose = config.rest.credentials().whose();
        let me = whose.map(|whose| whose.user);
        let counts = archive.as_ref().map(|archive| archive.counts(me)).unwrap_or_default();
        Ok(Self {
            origin: Instant::now(),
            link: Link::new(config.link, config.seed),
            outbox: Outbox::new(config.outbox, restored, config.seed ^ 1),
            rooms: BTreeMap::new(),
            live: None,
            opening: None,
            refreshing: None,
            requests: FuturesUnordered::new(),
            journalist,
            archive,
            me,
            role: whose.map(|whose| whose.role),
            counts,
            notices: VecDeque::new(),
            notices_known: false,
            notices_at: None,
            unacked: (!capabilities.acks).then(Unacked::new),
            presented: None,
            last_refusal: None,
            authors: HashMap::new(),
            reads: BTreeMap::new(),
            jobs: VecDeque::new(),
            updates,
            overflow,
            closing: false,
            config,
        })
    }

    pub(super) fn now(&self) -> Now {
        self.origin.elapsed()
    }

    /// Tells the face, in order: directly while there is place, else as soon as there is.
    pub(super) fn tell(&mut self, update: Update) {
        if !self.overflow.is_empty() {
            self.overflow.push_back(update);
            return;
        }
        match self.updates.try_send(update) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(update)) => self.overflow.push_back(update),
            Err(mpsc::error::TrySendError::Closed(_)) => self.closing = true,
        }
    }

    /// The life of the session.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let fresh_for = self.config.rest.credentials().fresh_for();
        self.jobs.push_back(Job::Link(link::Event::SignedIn(fresh_for)));
        if self.config.autostart {
            self.jobs.push_back(Job::Link(link::Event::Start));
        }
        self.work();
        while !self.closing {
            let woken = self.wait(&mut commands).await;
            self.note(woken);
            self.work();
        }
        self.jobs.push_back(Job::Link(link::Event::Close));
        self.work();
        self.good_bye().await;
    }

    /// Waits until something happens.
    async fn wait(&mut self, commands: &mut mpsc::Receiver<Command>) -> Woken {
        let wake = self.next_wake().map(|at| self.origin + at);
        let face_keeps_up = self.overflow.is_empty();
        let takes_commands = self.overflow.len() < OVERFLOW_MAX;
        let opened = OptionFuture::from(self.opening.as_mut());
        let refreshed = OptionFuture::from(self.refreshing.as_mut());
        let written = OptionFuture::from(self.journalist.as_mut().map(Journalist::written));
        let saved = OptionFuture::from(self.archive.as_mut().and_then(Archive::saving));
        let received = OptionFuture::from(self.live.as_mut().map(|live| live.socket.recv()));
        tokio::select! {
            command = commands.recv(), if takes_commands => Woken::Command(command),
            Some(done) = self.requests.next() => Woken::Done(done),
            Some((serial, ready)) = opened => Woken::Opened(serial, ready),
            Some(result) = refreshed => Woken::Refreshed(result),
            Some(Some(written)) = written => Woken::Written(written),
            Some(saved) = saved => Woken::Saved(saved),
            Some(received) = received, if face_keeps_up => Woken::Received(received),
            _ = self.updates.reserve(), if !face_keeps_up => Woken::Place,
            () = self.updates.closed() => Woken::FaceGone,
            () = sleep_until(wake) => Woken::Time,
        }
    }

    /// Takes note of what happened.
    fn note(&mut self, woken: Woken) {
        match woken {
            Woken::Command(Some(Command::Close) | None) | Woken::FaceGone => self.closing = true,
            Woken::Command(Some(command)) => self.command(command),
            Woken::Done(done) => self.done(done),
            Woken::Opened(serial, ready) => {
                self.opening = None;
                self.opened(serial, ready);
            }
            Woken::Refreshed(result) => {
                self.refreshing = None;
                self.refreshed(&result);
            }
            Woken::Written(written) => self.written(written),
            Woken::Saved(saved) => {
                let sentence = self.archive.as_mut().and_then(|archive| archive.saved(saved));
                if let Some(sentence) = sentence {
                    self.tell(Update::Backup { sentence });
                }
            }
            Woken::Received(received) => self.received(received),
            Woken::Place => self.flush(),
            Woken::Time => self.tick(),
        }
    }

    fn flush(&mut self) {
        while let Some(update) = self.overflow.pop_front() {
            match self.updates.try_send(update) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(update)) => {
                    self.overflow.push_front(update);
                    return;
                }
                Err(mpsc::error::TrySendError::Closed(_)) => self.closing = true,
            }
        }
    }

    fn received(&mut self, received: Received) {
        // Acknowledgements that are there already came first on the wire: say so in that order.
        while let Some(Some(done)) = futures_util::FutureExt::now_or_never(self.requests.next()) {
            self.done(done);
            self.work();
        }
        self.hear(received);
    }

    fn written(&mut self, written: Written) {
        let Written { ids, result } = written;
        let event = match result {
            Ok(()) => outbox::Event::Written(ids),
            Err(error) => {
                let why = match error {
                    Error::Storage(why) => why,
                    other => other.sentence(),
                };
                self.tell(Update::Journal { sentence: format!("the outbox is not kept: {why}") });
                outbox::Event::NotWritten { ids, why }
            }
        };
        self.jobs.push_back(Job::Outbox(event));
    }

    fn next_wake(&self) -> Option<Now> {
        let wakes = |room: &Room| [room.timeline.next_wake(), room.people.next_wake()];
        let rooms = self.rooms.values().flat_map(wakes).flatten().min();
        let archive = self.archive.as_ref().and_then(Archive::next_wake);
        let (link, outbox) = (self.link.next_wake(), self.outbox.next_wake());
        let all = [link, outbox, rooms, archive, self.notices_at];
        all.into_iter().flatten().min()
    }

    fn tick(&mut self) {
        let now = self.now();
        let due = |at: Option<Now>| at.is_some_and(|at| at <= now);
        if due(self.link.next_wake()) {
            self.jobs.push_back(Job::Link(link::Event::Tick));
        }
        if due(self.outbox.next_wake()) {
            self.jobs.push_back(Job::Outbox(outbox::Event::Tick));
        }
        for (chat, room) in &self.rooms {
            if due(room.timeline.next_wake()) {
                self.jobs.push_back(Job::Timeline(*chat, timeline::Event::Tick));
            }
            if due(room.people.next_wake()) {
                self.jobs.push_back(Job::People(*chat, people::Event::Tick));
            }
        }
        if let Some(archive) = &mut self.archive {
            archive.tick(now);
        }
        if due(self.notices_at) {
            self.poll_notices();
        }
    }

    /// Lets the cores decide, and obeys, until there is nothing left to decide.
    fn work(&mut self) {
        while let Some(job) = self.jobs.pop_front() {
            let now = self.now();
            match job {
                Job::Link(event) => {
                    let effects = self.link.handle(event, now);
                    effects.into_iter().for_each(|effect| self.obey_link(effect));
                }
                Job::Outbox(event) => {
                    let effects = self.outbox.handle(event, now);
                    effects.into_iter().for_each(|effect| self.obey_outbox(effect));
                }
                Job::Timeline(chat, event) => {
                    let Some(room) = self.rooms.get_mut(&chat) else { continue };
                    let effects = room.timeline.handle(event, now);
                    effects.into_iter().for_each(|effect| self.obey_timeline(chat, effect));
                }
                Job::People(chat, event) => {
                    let Some(room) = self.rooms.get_mut(&chat) else { continue };
                    let effects = room.people.handle(event, now);
                    effects.into_iter().for_each(|effect| self.obey_people(chat, effect));
                }
            }
        }
    }

    /// What is queued leaves, the journal finishes, the face gets the last updates; all within a
    /// bound, because nobody may be there any more.
    async fn good_bye(mut self) {
        let part = async {
            if let Some(live) = self.live.take() {
                live.client.close();
                live.client.closed().await;
            }
            if let Some(journalist) = &mut self.journalist {
                journalist.finish().await;
            }
            if let Some(archive) = &mut self.archive {
                archive.finish().await;
            }
            for update in self.overflow.drain(..) {
                if self.updates.send(update).await.is_err() {
                    break;
                }
            }
        };
        if tokio::time::timeout(GOODBYE_MAX, part).await.is_err() {
            tracing::debug!("a session ended without its full good-bye");
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
