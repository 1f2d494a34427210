//! What came from sockets and the face -> events of the cores.

use std::time::Duration;

use trialogue_protocol::{ChatId, ClientMessageId, Dispute, ErrorCode, JoinAck, NotificationList};
use trialogue_socketio::Args;

use super::Update;
use super::archive::Archive;
use super::config::{CHATS_MAX, REQUESTS_MAX};
use super::driver::{Driver, Job, Live, Room};
use super::handle::{Command, Kept, Reply};
use crate::error::{Error, Refusal};
use crate::link::{self, OpenFailure, Trouble};
use crate::outbox::{self, Answer};
use crate::people::People;
use crate::socket::Ready;
use crate::timeline::{self, Timeline};

/// A request that is over.
pub(super) struct Done {
    /// The connection that it was made on.
    pub(super) serial: Option<u64>,
    pub(super) news: News,
}

/// How it ended.
pub(super) enum News {
    /// An acknowledgement, or none.
    Ack(Outcome, Result<Args, Error>),
    /// Whether an invitation is waiting for the user's word.
    Asked(ChatId, Result<Option<Box<Dispute>>, Error>),
    /// A room was entered without an acknowledgement.
    Joined(ChatId, Result<JoinAck, Error>),
    /// Rows that look like a message were counted, or why they could not be.
    Counted { id: ClientMessageId, attempt: u32, counted: Result<u32, Answer> },
    /// A message was looked for in history.
    Sent { id: ClientMessageId, attempt: u32, answer: Answer },
    /// Notifications were polled.
    Notices(Result<NotificationList, Error>),
}

/// What an acknowledged request was about.
pub(super) enum Outcome {
    Sent { id: ClientMessageId, attempt: u32 },
    Joined(ChatId),
    Fetched { chat: ChatId, serial: u64 },
    Reauthenticated,
    Raw(Reply),
}

impl Driver {
    pub(super) fn command(&mut self, command: Command) {
        match command {
            Command::Send { draft, reply } => {
                self.authors.entry(draft.id.clone()).or_default().push(reply);
                self.jobs.push_back(Job::Outbox(outbox::Event::Queue(draft)));
            }
            Command::Again(id) => self.jobs.push_back(Job::Outbox(outbox::Event::Again(id))),
            Command::Discard(id) => self.jobs.push_back(Job::Outbox(outbox::Event::Discard(id))),
            Command::Kept(reply) => {
                let kept = self.outbox.entries().map(|(draft, refused)| Kept {
                    draft: draft.clone(),
                    refused: refused.cloned(),
                });
                drop(reply.send(kept.collect()));
            }
            Command::Join { chat, begin, accept, reply } => {
                drop(reply.send(self.enter(chat, begin, accept)));
            }
            Command::List { chats, whole } => self.listed(&chats, whole),
            Command::Wipe(reply) => {
                drop(reply.send(self.archive.as_mut().map_or(Ok(()), Archive::wipe)));
            }
            Command::Leave(chat) => {
                self.rooms.remove(&chat);
                self.reads.remove(&chat);
                self.link_event(link::Event::Leave(chat));
            }
            Command::Older { chat, limit } => {
                let event = timeline::Event::WantOlder { limit };
                self.jobs.push_back(Job::Timeline(chat, event));
            }
            Command::Typing { chat, is_typing } => {
                self.emit_if_live(self.config.rest.dialect().typing(chat, is_typing));
            }
            Command::MarkRead { chat, seq } => self.mark_read(chat, seq),
            Command::Request { event, args, within, reply } => {
                self.raw_request(&event, &args, within, reply);
            }
            Command::Emit { event, args, reply } => self.emit_raw(&event, &args, reply),
            Command::SignedIn => {
                let fresh_for = self.config.rest.credentials().fresh_for();
                self.link_event(link::Event::SignedIn(fresh_for));
            }
            Command::Start => self.link_event(link::Event::Start),
            Command::Stop => self.link_event(link::Event::Stop),
            Command::RetryNow => self.link_event(link::Event::RetryNow),
            Command::Abort => {
                if let Some(live) = &self.live {
                    live.client.abort();
                }
            }
            // Seen by the loop.
            Command::Close => {}
        }
    }

    pub(super) fn link_event(&mut self, event: link::Event) {
        self.jobs.push_back(Job::Link(event));
    }

    fn enter(&mut self, chat: ChatId, begin: timeline::Begin, accepts: bool) -> Result<(), Error> {
        if let Some(room) = self.rooms.get_mut(&chat) {
            room.accepts |= accepts;
            return Ok(());
        }
        if self.rooms.len() >= CHATS_MAX {
            return Err(Error::Full(format!("{CHATS_MAX} chats are open already")));
        }
        let seed = self.config.seed ^ u64::try_from(self.rooms.len()).unwrap_or_default();
        let timeline = Timeline::new(self.config.timeline, begin, seed);
        let people = People::new(self.config.people);
        let room = Room { timeline, people, members: Vec::new(), joined: false, accepts };
        self.rooms.insert(chat, room);
        if let Some(recent) = self.archive.as_ref().and_then(|archive| archive.get(chat)) {
            let (messages, epoch) = (recent.messages.clone().into(), recent.epoch.clone());
            let kept = timeline::Event::Kept { messages, epoch };
            self.jobs.push_back(Job::Timeline(chat, kept));
        }
        if let Some(live) = &self.live {
            let online = timeline::Event::Online(live.epoch.clone());
            self.jobs.push_back(Job::Timeline(chat, online));
        }
        self.link_event(link::Event::Enter(chat));
        Ok(())
    }

    fn mark_read(&mut self, chat: ChatId, seq: Option<trialogue_protocol::Seq>) {
        self.read_up_to(chat, seq);
        if self.live.is_some() {
            self.emit_if_live(self.config.rest.dialect().mark_read(chat, seq));
        } else if self.rooms.contains_key(&chat) {
            let mark = self.reads.entry(chat).or_insert(seq);
            // Everything is further than any place; a mark never goes back.
            *mark = mark.zip(seq).map(|(a, b)| a.max(b));
        }
    }

    fn raw_request(&mut self, event: &str, args: &str, within: Duration, reply: Reply) {
        if self.requests.len() >= REQUESTS_MAX {
            let full = format!("{REQUESTS_MAX} requests wait for their answer");
            drop(reply.send(Err(Error::Full(full))));
            return;
        }
        let outgoing = trialogue_socketio::Outgoing::raw(event, args);
        self.request(outgoing, within, Outcome::Raw(reply));
    }

    pub(super) fn opened(&mut self, serial: u64, result: Result<Box<Ready>, OpenFailure>) {
        match result {
            Err(failure) => self.link_event(link::Event::OpenFailed { serial, failure }),
            Ok(ready) => {
                let Ready { client, socket, connected, early } = *ready;
                let sender = socket.sender();
                let epoch = connected.epoch.clone();
                self.live = Some(Live { serial, epoch, client, socket, sender });
                self.me = Some(connected.user_id);
                self.role = connected.role.or(self.role);
                self.poll_notices();
                early.into_iter().for_each(|(name, args)| self.tell(Update::Event { name, args }));
                for chat in self.rooms.keys() {
                    let event = timeline::Event::Online(connected.epoch.clone());
                    self.jobs.push_back(Job::Timeline(*chat, event));
                }
                self.tell(Update::Ready(connected));
                self.link_event(link::Event::Opened { serial });
            }
        }
    }

    pub(super) fn refreshed(&mut self, result: &Result<(), Error>) {
        let event = match result {
            Ok(()) => link::Event::Refreshed(self.config.rest.credentials().fresh_for()),
            Err(error) => link::Event::RefreshFailed {
                refused: matches!(error, Error::LoginNeeded(_)),
                why: Trouble::from(error),
            },
        };
        self.link_event(event);
    }

    /// The answer to a request. One of an older connection only matters to whoever asked.
    pub(super) fn done(&mut self, done: Done) {
        let Done { serial, news } = done;
        let current = serial.is_some() && serial == self.live.as_ref().map(|l| l.serial);
        match news {
            News::Ack(Outcome::Raw(reply), result) => drop(reply.send(result)),
            News::Ack(Outcome::Sent { id, attempt }, result) => self.sent(id, attempt, result),
            News::Sent { id, attempt, answer } => {
                self.jobs.push_back(Job::Outbox(outbox::Event::Answered { id, attempt, answer }));
            }
            News::Counted { id, attempt, counted } => {
                self.jobs.push_back(Job::Outbox(match counted {
                    Ok(same) => outbox::Event::Counted { id, attempt, same },
                    Err(answer) => outbox::Event::Answered { id, attempt, answer },
                }));
            }
            News::Notices(polled) => self.polled(polled),
            News::Ack(..) | News::Asked(..) | News::Joined(..) if !current => {}
            News::Joined(chat, answer) => self.joined(chat, answer),
            News::Ack(Outcome::Joined(chat), result) => {
                let answer = result.and_then(|a| self.config.rest.dialect().read_join(&a));
                self.joined(chat, answer);
            }
            News::Ack(Outcome::Fetched { chat, serial }, result) => {
                self.fetched(chat, serial, result);
            }
            News::Ack(Outcome::Reauthenticated, result) => {
                let answer = result.and_then(|args| self.config.rest.dialect().read_done(&args));
                if let Err(error) = answer {
                    // The server ends the session when the old token ends; the link then knows.
                    tracing::warn!(%error, "the connection did not take the fresh token");
                }
            }
            News::Asked(chat, Ok(None)) => self.enter_room(chat),
            News::Asked(chat, Ok(Some(dispute))) => {
                self.close_room(chat);
                self.tell(Update::Invited { chat, dispute });
                self.link_event(link::Event::JoinFailed { chat, retry_after: None });
            }
            News::Asked(chat, Err(error)) => self.joined(chat, Err(error)),
        }
    }

    fn sent(&mut self, id: ClientMessageId, attempt: u32, result: Result<Args, Error>) {
        let answer = result.and_then(|args| self.config.rest.dialect().read_send(&args));
        let answer = match answer {
            Ok(ack) => Answer::Stored(ack),
            Err(Error::Refused(refusal)) => Answer::Refused(refusal),
            // Over a bound that this server announced: it would hang up on every retry.
            Err(Error::Invalid(why)) => Answer::Refused(Refusal::new(ErrorCode::TooLarge, why)),
            Err(error) => Answer::Lost(Trouble::from(&error)),
        };
        self.jobs.push_back(Job::Outbox(outbox::Event::Answered { id, attempt, answer }));
    }

    fn joined(&mut self, chat: ChatId, answer: Result<JoinAck, Error>) {
        match answer {
            Ok(ack) => {
                let Some(room) = self.rooms.get_mut(&chat) else { return };
                let again = std::mem::replace(&mut room.joined, true);
                // Its messages come one by one, in order, through the timeline.
                let told = trialogue_protocol::JoinAck { messages: None, ..ack.clone() };
                self.tell(Update::Joined { ack: told, again });
                self.link_event(link::Event::Joined(chat));
                self.members(chat, &ack.members);
                for message in ack.messages.iter().flatten() {
                    if message.client_message_id.is_some() {
                        let echo = outbox::Event::Echoed(message.clone());
                        self.jobs.push_back(Job::Outbox(echo));
                    }
                }
                self.jobs.push_back(Job::Timeline(chat, timeline::Event::Joined(ack)));
                if let Some(seq) = self.reads.remove(&chat) {
                    self.emit_if_live(self.config.rest.dialect().mark_read(chat, seq));
                }
            }
            Err(error) if passes(&error) => {
                let retry_after = Some(error.retry_after().unwrap_or_default());
                self.link_event(link::Event::JoinFailed { chat, retry_after });
            }
            Err(error) => {
                self.close_room(chat);
                if error.code() == Some(ErrorCode::Denied)
                    && let Some(archive) = &mut self.archive
                {
                    archive.forget(chat);
                }
                self.tell(Update::JoinFailed { chat, error });
                self.link_event(link::Event::JoinFailed { chat, retry_after: None });
            }
        }
    }

    fn close_room(&mut self, chat: ChatId) {
        self.rooms.remove(&chat);
        self.reads.remove(&chat);
    }

    fn fetched(&mut self, chat: ChatId, serial: u64, result: Result<Args, Error>) {
        let answer = result.and_then(|args| self.config.rest.dialect().read_fetch(&args));
        let event = match answer {
            Ok(page) => {
                for message in page.messages.iter().filter(|m| m.client_message_id.is_some()) {
                    self.jobs.push_back(Job::Outbox(outbox::Event::Echoed(message.clone())));
                }
                timeline::Event::Page { serial, page }
            }
            Err(error) => timeline::Event::FetchFailed { serial, transient: passes(&error) },
        };
        self.jobs.push_back(Job::Timeline(chat, event));
    }
}

/// Whether a join or a fetch is worth another try: everything but a clear "not yours". A bug, a
/// token that is being refreshed and an answer that makes no sense may all be over next time.
fn passes(error: &Error) -> bool {
    match error {
        Error::Refused(refusal) => {
            refusal.code.is_retryable()
                || error.is_about_the_token()
                || refusal.code == ErrorCode::Internal
        }
        Error::Unreachable(_)
        | Error::Unanswered(_)
        | Error::TimedOut(_)
        | Error::Garbled(_)
        | Error::NotConnected
        | Error::Full(_) => true,
        Error::LoginNeeded(_)
        | Error::Invalid(_)
        | Error::Unsupported(_)
        | Error::Storage(_)
        | Error::Closed => false,
    }
}
