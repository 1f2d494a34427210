//! Effects of the cores -> sockets, disk and face.

use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::oneshot;
use trialogue_protocol::{ChatId, FetchMessages, JoinChat, Role};
use trialogue_socketio::Outgoing;
use trialogue_socketio::client::{AckError, ClientConfig};

use super::Update;
use super::driver::{Driver, Job, Live};
use super::react::{Done, News, Outcome as RequestOutcome};
use super::unacked::Departure;
use crate::error::Error;
use crate::link::{self, OpenFailure, Trouble};
use crate::outbox::{self, Draft, Mark, Outcome, Record};
use crate::people;
use crate::socket;
use crate::timeline::{self, Ask};

impl Driver {
    pub(super) fn obey_link(&mut self, effect: link::Effect) {
        match effect {
            link::Effect::State(state) => {
                tracing::debug!(?state, "link");
                self.tell(Update::Link(state));
            }
            link::Effect::Refresh => self.refresh(),
            link::Effect::Open { serial } => self.open(serial),
            link::Effect::Hangup => self.hang_up(),
            link::Effect::Reauthenticate => self.reauthenticate(),
            link::Effect::Join(chat) => self.join(chat),
            link::Effect::Leave(chat) => {
                let leave = self.config.rest.dialect().leave(chat);
                self.emit_if_live(leave);
            }
            link::Effect::Online(held) => {
                self.jobs.push_back(Job::Outbox(outbox::Event::Online { held }));
            }
            link::Effect::Release(chat) => {
                self.jobs.push_back(Job::Outbox(outbox::Event::Release(chat)));
            }
            link::Effect::Offline => {
                if let Some(unacked) = &self.unacked {
                    unacked.offline();
                }
                self.jobs.push_back(Job::Outbox(outbox::Event::Offline));
                for chat in self.rooms.keys() {
                    self.jobs.push_back(Job::Timeline(*chat, timeline::Event::Offline));
                    self.jobs.push_back(Job::People(*chat, people::Event::Offline));
                }
            }
        }
    }

    fn refresh(&mut self) {
        let rest = self.config.rest.clone();
        let than = self.presented.take().or_else(|| rest.credentials().tokens());
        self.refreshing = Some(async move { rest.refresh(than.as_ref()).await }.boxed());
    }

    fn open(&mut self, serial: u64) {
        let Some(tokens) = self.config.rest.credentials().tokens() else {
            let failure = OpenFailure::Token(Trouble::new("there is no token"));
            self.jobs.push_back(Job::Link(link::Event::OpenFailed { serial, failure }));
            return;
        };
        let http = self.config.rest.http();
        let mut config = ClientConfig::new(http.server().clone());
        config.path.clone_from(&self.config.socket_path);
        config.transports = self.config.transports;
        config.root_certificates = http.roots();
        config.proxy = http.proxy().cloned();
        config.connect_timeout = self.config.connect_timeout;
        config.max_payload = self.config.message_bytes_max;
        config.tap.clone_from(&self.config.tap);
        let dialect = self.config.rest.dialect();
        let within = self.config.connect_timeout;
        self.presented = Some(tokens.clone());
        self.last_refusal = None;
        let attempt = async move {
            let ready = socket::open(config, dialect, &tokens.access_token, within).await;
            (serial, ready.map(Box::new))
        };
        self.opening = Some(attempt.boxed());
    }

    fn hang_up(&mut self) {
        self.opening = None;
        if let Some(live) = self.live.take() {
            live.client.close();
        }
    }

    fn reauthenticate(&mut self) {
        if !self.config.rest.dialect().capabilities().refresh_auth {
            // The token was looked at once and for all; the next connection shows the new one.
            return;
        }
        let Some(tokens) = self.config.rest.credentials().tokens() else { return };
        self.presented = Some(tokens.clone());
        let outgoing = self.config.rest.dialect().refresh_auth(&tokens.access_token);
        self.request(outgoing, self.config.request_timeout, RequestOutcome::Reauthenticated);
    }

    /// Enters a chat's room. To an LSM that may mean accepting an invitation, so whoever did not
    /// accept one is asked first.
    fn join(&mut self, chat: ChatId) {
        let Some(room) = self.rooms.get(&chat) else { return };
        let accepts = room.accepts;
        // Where the socket itself accepts, who wants that needs no question.
        let by_socket = self.config.rest.dialect().capabilities().lsm_joins_by_socket;
        if self.role != Some(Role::Lsm) || room.joined || (accepts && by_socket) {
            self.enter_room(chat);
            return;
        }
        let (serial, rest) = (self.live.as_ref().map(|live| live.serial), self.config.rest.clone());
        let look = async move {
            let asked = match rest.invitation(chat).await {
                Ok(Some(dispute)) if accepts => rest.join_dispute(dispute.id).await.map(|_| None),
                asked => asked,
            };
            Done { serial, news: News::Asked(chat, asked.map(|found| found.map(Box::new))) }
        };
        self.requests.push(look.boxed());
    }

    pub(super) fn enter_room(&mut self, chat_id: ChatId) {
        let Some(room) = self.rooms.get(&chat_id) else { return };
        let (since_seq, epoch) = room.timeline.cursor().unzip();
        let epoch = epoch.flatten().map(ToOwned::to_owned);
        let body = JoinChat { chat_id, since_seq, epoch, limit: None };
        let outgoing = self.config.rest.dialect().join(&body);
        if let Some(unacked) = &self.unacked {
            let (Some(live), Ok(outgoing)) = (&self.live, outgoing) else { return };
            let (serial, rest) = (Some(live.serial), self.config.rest.clone());
            let (sender, within) = (live.sender.clone(), self.config.request_timeout);
            let join = unacked.clone().join(sender, outgoing, chat_id, rest, within);
            let join = async move { Done { serial, news: News::Joined(chat_id, join.await) } };
            self.requests.push(join.boxed());
            return;
        }
        self.request(outgoing, self.config.request_timeout, RequestOutcome::Joined(chat_id));
    }

    pub(super) fn obey_outbox(&mut self, effect: outbox::Effect) {
        match effect {
            outbox::Effect::Write(record) => self.write(record),
            outbox::Effect::Count { draft, attempt } => self.count_same(draft, attempt),
            outbox::Effect::Emit { draft, attempt, mark } => self.send(&draft, attempt, mark),
            outbox::Effect::Outcome { id, chat, outcome } => {
                if let Outcome::Queued = outcome {
                    self.answer_authors(&id, &Ok(()));
                }
                if let Outcome::Stored { message, .. } = &outcome
                    && self.rooms.contains_key(&chat)
                {
                    let acked = timeline::Event::Acked(message.clone());
                    self.jobs.push_back(Job::Timeline(chat, acked));
                }
                self.tell(Update::Outcome { client_message_id: id, chat, outcome });
            }
            outbox::Effect::NotQueued { id, error } => self.answer_authors(&id, &Err(error)),
        }
    }

    fn answer_authors(
        &mut self,
        id: &trialogue_protocol::ClientMessageId,
        answer: &Result<(), Error>,
    ) {
        for author in self.authors.remove(id).unwrap_or_default() {
            // An author who no longer waits is told by the outcome.
            drop(author.send(answer.clone()));
        }
    }

    fn write(&mut self, record: Record) {
        let awaited = record.awaited().cloned();
        let event = match &self.journalist {
            None => awaited.map(|id| outbox::Event::Written(vec![id])),
            Some(journalist) => match journalist.write(record) {
                Ok(()) => None,
                // Without its end, a message is sent once more after a restart, under its id, or
                // looked for.
                Err(_) => awaited.map(|id| outbox::Event::NotWritten {
                    ids: vec![id],
                    why: "the disk does not keep up".to_owned(),
                }),
            },
        };
        self.jobs.extend(event.map(Job::Outbox));
    }

    /// Counts the rows that look like this message; only where the outbox keeps marks.
    fn count_same(&mut self, draft: Draft, attempt: u32) {
        let (Some(unacked), Some(me)) = (&self.unacked, self.me) else {
            // It asks again: who the session speaks for is known once it is connected.
            let answer = outbox::Answer::Lost(Trouble::new("it is not known yet who speaks"));
            let event = outbox::Event::Answered { id: draft.id, attempt, answer };
            self.jobs.push_back(Job::Outbox(event));
            return;
        };
        let (unacked, rest) = (unacked.clone(), self.config.rest.clone());
        let count = async move {
            let counted = unacked.count(&draft, me, &rest).await;
            let news = News::Counted { id: draft.id, attempt, counted };
            Done { serial: None, news }
        };
        self.requests.push(count.boxed());
    }

    fn send(&mut self, draft: &Draft, attempt: u32, mark: Option<Mark>) {
        let outgoing = self.config.rest.dialect().send(draft);
        if let (Some(unacked), Ok(outgoing), Some(mark), Some(me)) =
            (&self.unacked, &outgoing, mark, self.me)
        {
            let (rest, id) = (self.config.rest.clone(), draft.id.clone());
            let sender = self.live.as_ref().map(|live| live.sender.clone());
            let (draft, outgoing) = (draft.clone(), outgoing.clone());
            let (look_for, settle) = (self.config.look_for, self.config.settle);
            let departure = Departure { draft, outgoing, mark, me, look_for, settle };
            let send = unacked.clone().send(sender, departure, rest);
            let send = async move {
                Done { serial: None, news: News::Sent { id, attempt, answer: send.await } }
            };
            self.requests.push(send.boxed());
            return;
        }
        // The outbox has its own clock for this; ours only ends the wait for good.
        let within = self.config.outbox.ack_timeout + Duration::from_secs(60);
        let outcome = RequestOutcome::Sent { id: draft.id.clone(), attempt };
        self.request(outgoing, within, outcome);
    }

    pub(super) fn obey_timeline(&mut self, chat: ChatId, effect: timeline::Effect) {
        match effect {
            timeline::Effect::Deliver { message, via } => self.deliver(message, via),
            timeline::Effect::Fetch { serial, ask, limit } => {
                let (after_seq, before_seq) = match ask {
                    Ask::After(seq) => (Some(seq), None),
                    Ask::Before(seq) => (None, Some(seq)),
                };
                let limit = Some(limit);
                let body = FetchMessages { chat_id: chat, after_seq, before_seq, limit };
                let outgoing = self.config.rest.dialect().fetch(&body);
                let outcome = RequestOutcome::Fetched { chat, serial };
                self.request(outgoing, self.config.request_timeout, outcome);
            }
            timeline::Effect::CaughtUp => {
                self.tell(Update::CaughtUp { chat });
                self.jobs.push_back(Job::Link(link::Event::CaughtUp(chat)));
            }
            timeline::Effect::Rejoin => {
                let retry_after = Some(Duration::ZERO);
                let event = link::Event::JoinFailed { chat, retry_after };
                self.jobs.push_back(Job::Link(event));
            }
            timeline::Effect::Reset(why) => self.reset(chat, why),
            timeline::Effect::Missing { from, to } => {
                self.tell(Update::Missing { chat, from, to });
            }
            timeline::Effect::Older { messages, more } => {
                let me = self.me;
                self.count(chat, |unread| unread.older(&messages, me));
                self.tell(Update::Older { chat, messages, more });
            }
        }
    }

    /// Emits now and waits beside everything else; without a connection the answer is that.
    pub(super) fn request(
        &mut self,
        outgoing: Result<Outgoing, serde_json::Error>,
        within: Duration,
        outcome: RequestOutcome,
    ) {
        let serial = self.live.as_ref().map(|live| live.serial);
        let pending = match (&self.live, outgoing) {
            (_, Err(error)) => Err(Error::Invalid(error.to_string())),
            (None, Ok(_)) => Err(Error::NotConnected),
            (Some(Live { sender, .. }), Ok(outgoing)) => {
                sender.emit_for_ack(&outgoing).map_err(|e| socket::not_sent(&e))
            }
        };
        let wait = async move {
            let result = match pending {
                Ok(pending) => {
                    pending.within(within).await.map_err(|e: AckError| socket::unanswered(&e))
                }
                Err(error) => Err(error),
            };
            Done { serial, news: News::Ack(outcome, result) }
        };
        self.requests.push(wait.boxed());
    }

    /// Emits without an answer; lost without a connection.
    pub(super) fn emit_if_live(&self, outgoing: Result<Outgoing, serde_json::Error>) {
        if let (Some(live), Ok(outgoing)) = (&self.live, outgoing)
            && let Err(error) = live.sender.emit(&outgoing)
        {
            tracing::debug!(%error, "an event was not emitted");
        }
    }

    /// Emits a raw event and says how that went.
    pub(super) fn emit_raw(
        &self,
        event: &str,
        args: &str,
        reply: oneshot::Sender<Result<(), Error>>,
    ) {
        let result = match (&self.live, Outgoing::raw(event, args)) {
            (_, Err(error)) => Err(Error::Invalid(error.to_string())),
            (None, Ok(_)) => Err(Error::NotConnected),
            (Some(live), Ok(out)) => live.sender.emit(&out).map_err(|e| socket::not_sent(&e)),
        };
        // A face that no longer waits does not need the answer.
        drop(reply.send(result));
    }
}
