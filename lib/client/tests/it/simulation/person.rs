//! The model of a client's shell: the real cores, and what a screen and a disk would hold.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use trialogue_client::journal::replay;
use trialogue_client::link::{self, Link, LinkConfig, LinkState};
use trialogue_client::outbox::{self, Answer, Draft, Outbox, OutboxConfig, Record};
use trialogue_client::timeline::{self, Timeline, TimelineConfig};
use trialogue_client::{Begin, Outcome, Trouble};
use trialogue_protocol::{ChatId, ClientMessageId, Message, Seq};

use super::backend::{Ask, Reply};

/// What the cores ask of the world.
#[derive(Debug)]
pub(super) enum Act {
    Open {
        serial: u64,
    },
    Hangup,
    Refresh,
    Ask {
        request: u64,
        ask: Ask,
    },
    /// The next record in `writing` is on its way to the disk.
    Write,
}

/// What a request was about.
#[derive(Debug, Clone)]
enum About {
    Join(ChatId),
    Fetch { chat: ChatId, serial: u64 },
    Send { id: ClientMessageId, attempt: u32 },
    Reauthenticate,
}

enum Job {
    Link(link::Event),
    Outbox(outbox::Event),
    Timeline(ChatId, timeline::Event),
}

/// How a chat opens.
pub(super) struct Opening {
    pub(super) begin: Begin,
    /// What the screen has already.
    pub(super) screen: Vec<Message>,
    /// What a backup has, and its epoch.
    pub(super) backup: Option<(Vec<Message>, Option<String>)>,
}

/// A process of a person: dies with a crash; `disk` and `screens` outlive it.
pub(super) struct Person {
    link: Link,
    outbox: Outbox,
    timelines: BTreeMap<ChatId, Timeline>,
    requests: BTreeMap<u64, About>,
    next_request: u64,
    jobs: VecDeque<Job>,
    acts: Vec<Act>,
    /// Records on the disk, in order.
    pub(super) disk: Vec<Record>,
    /// Records handed to the disk and not there yet.
    pub(super) writing: VecDeque<Record>,
    /// What each chat shows.
    pub(super) screens: BTreeMap<ChatId, Vec<Message>>,
    /// Ends that were told, by message.
    pub(super) stored: BTreeMap<ClientMessageId, u32>,
    pub(super) token: u64,
    pub(super) failure: Option<String>,
    pub(super) reconnects: u64,
    pub(super) resets: u64,
}

impl Person {
    pub(super) fn new(chats: &[ChatId], disk: Vec<Record>, seed: u64) -> Self {
        let outbox = Outbox::new(OutboxConfig::default(), replay(disk.clone()), seed);
        let mut person = Self {
            link: Link::new(LinkConfig::default(), seed),
            outbox,
            timelines: BTreeMap::new(),
            requests: BTreeMap::new(),
            next_request: 0,
            jobs: VecDeque::new(),
            acts: Vec::new(),
            disk,
            writing: VecDeque::new(),
            screens: BTreeMap::new(),
            stored: BTreeMap::new(),
            token: 0,
            failure: None,
            reconnects: 0,
            resets: 0,
        };
        for chat in chats {
            person.jobs.push_back(Job::Link(link::Event::Enter(*chat)));
        }
        person
    }

    /// Opens a chat on the screen: from where it was, or as a face would that kept nothing.
    /// With a backup it begins with what that has.
    pub(super) fn show(&mut self, chat: ChatId, opening: Opening, seed: u64) {
        let Opening { begin, screen, backup } = opening;
        let mut config = TimelineConfig::default();
        if seed.is_multiple_of(2) {
            // Somebody who rather sees the newest messages than all that were missed.
            config.missed_max = 4;
        }
        self.timelines.insert(chat, Timeline::new(config, begin, seed));
        self.screens.insert(chat, screen);
        if let Some((messages, epoch)) = backup {
            let kept = timeline::Event::Kept { messages, epoch };
            self.jobs.push_back(Job::Timeline(chat, kept));
        }
    }

    pub(super) fn link(&mut self, event: link::Event, now: Duration) -> Vec<Act> {
        self.jobs.push_back(Job::Link(event));
        self.work(now)
    }

    pub(super) fn connected(&mut self, epoch: &str, serial: u64, now: Duration) -> Vec<Act> {
        for chat in self.timelines.keys() {
            let event = timeline::Event::Online(Some(epoch.to_owned()));
            self.jobs.push_back(Job::Timeline(*chat, event));
        }
        self.link(link::Event::Opened { serial }, now)
    }

    pub(super) fn outbox(&mut self, event: outbox::Event, now: Duration) -> Vec<Act> {
        self.jobs.push_back(Job::Outbox(event));
        self.work(now)
    }

    pub(super) fn timeline(
        &mut self,
        chat: ChatId,
        event: timeline::Event,
        now: Duration,
    ) -> Vec<Act> {
        self.jobs.push_back(Job::Timeline(chat, event));
        self.work(now)
    }

    /// `new_message`.
    pub(super) fn hear(&mut self, message: Message, now: Duration) -> Vec<Act> {
        self.jobs.push_back(Job::Outbox(outbox::Event::Echoed(message.clone())));
        self.timeline(message.chat_id, timeline::Event::Live(message), now)
    }

    pub(super) fn next_wake(&self) -> Option<Duration> {
        let timelines = self.timelines.values().filter_map(Timeline::next_wake).min();
        [self.link.next_wake(), self.outbox.next_wake(), timelines].into_iter().flatten().min()
    }

    pub(super) fn wake(&mut self, now: Duration) -> Vec<Act> {
        self.jobs.push_back(Job::Link(link::Event::Tick));
        self.jobs.push_back(Job::Outbox(outbox::Event::Tick));
        for chat in self.timelines.keys() {
            self.jobs.push_back(Job::Timeline(*chat, timeline::Event::Tick));
        }
        self.work(now)
    }

    /// Connected, caught up, and nothing waits.
    pub(super) fn is_at_rest(&self) -> bool {
        *self.link.state() == LinkState::Connected
            && self.outbox.waiting() == 0
            && self.writing.is_empty()
            && self.timelines.values().all(Timeline::is_current)
    }

    pub(super) fn cursor(&self, chat: ChatId) -> Option<(Seq, Option<String>)> {
        let (seq, epoch) = self.timelines[&chat].cursor()?;
        Some((seq, epoch.map(ToOwned::to_owned)))
    }

    pub(super) fn state(&self) -> String {
        let waiting = self.outbox.waiting();
        format!("{:?}, {waiting} wait, timelines {:?}", self.link.state(), self.timelines)
    }

    /// Whether the request still waits.
    pub(super) fn waits_for(&self, request: u64) -> bool {
        self.requests.contains_key(&request)
    }

    /// An answer, or `None` when its time is up.
    pub(super) fn answer(&mut self, request: u64, reply: Option<Reply>, now: Duration) -> Vec<Act> {
        let Some(about) = self.requests.remove(&request) else { return Vec::new() };
        match about {
            About::Join(chat) => self.joined(chat, reply),
            About::Fetch { chat, serial } => {
                let event = match reply {
                    Some(Reply::Page(page)) => {
                        self.echo(&page.messages);
                        timeline::Event::Page { serial, page }
                    }
                    _ => timeline::Event::FetchFailed { serial, transient: true },
                };
                self.jobs.push_back(Job::Timeline(chat, event));
            }
            About::Send { id, attempt } => {
                let answer = match reply {
                    Some(Reply::Sent(ack)) => Answer::Stored(ack),
                    Some(Reply::Refused(refusal)) => Answer::Refused(refusal),
                    _ => Answer::Lost(Trouble::new("nothing came")),
                };
                let event = outbox::Event::Answered { id, attempt, answer };
                self.jobs.push_back(Job::Outbox(event));
            }
            About::Reauthenticate => {}
        }
        self.work(now)
    }

    fn joined(&mut self, chat: ChatId, reply: Option<Reply>) {
        match reply {
            Some(Reply::Joined(ack)) => {
                self.jobs.push_back(Job::Link(link::Event::Joined(chat)));
                self.echo(ack.messages.as_deref().unwrap_or_default());
                self.jobs.push_back(Job::Timeline(chat, timeline::Event::Joined(ack)));
            }
            _ => {
                let retry_after = Some(Duration::ZERO);
                self.jobs.push_back(Job::Link(link::Event::JoinFailed { chat, retry_after }));
            }
        }
    }

    fn echo(&mut self, messages: &[Message]) {
        for message in messages {
            self.jobs.push_back(Job::Outbox(outbox::Event::Echoed(message.clone())));
        }
    }

    fn work(&mut self, now: Duration) -> Vec<Act> {
        while let Some(job) = self.jobs.pop_front() {
            match job {
                Job::Link(event) => {
                    let effects = self.link.handle(event, now);
                    effects.into_iter().for_each(|e| self.obey_link(e));
                }
                Job::Outbox(event) => {
                    let effects = self.outbox.handle(event, now);
                    effects.into_iter().for_each(|e| self.obey_outbox(e));
                }
                Job::Timeline(chat, event) => {
                    let Some(timeline) = self.timelines.get_mut(&chat) else { continue };
                    let effects = timeline.handle(event, now);
                    effects.into_iter().for_each(|e| self.obey_timeline(chat, e));
                }
            }
        }
        std::mem::take(&mut self.acts)
    }

    fn ask(&mut self, about: About, ask: Ask) {
        self.next_request += 1;
        self.requests.insert(self.next_request, about);
        self.acts.push(Act::Ask { request: self.next_request, ask });
    }

    fn obey_link(&mut self, effect: link::Effect) {
        match effect {
            link::Effect::State(state) => {
                self.reconnects += u64::from(matches!(state, LinkState::Reconnecting { .. }));
                if let LinkState::LoginNeeded { why } = state {
                    self.fail(format!("a login was asked for: {why:?}"));
                }
            }
            link::Effect::Refresh => self.acts.push(Act::Refresh),
            link::Effect::Open { serial } => self.acts.push(Act::Open { serial }),
            link::Effect::Hangup => self.acts.push(Act::Hangup),
            link::Effect::Reauthenticate => {
                let token = self.token;
                self.ask(About::Reauthenticate, Ask::Reauthenticate { token });
            }
            link::Effect::Join(chat) => {
                let since = self.timelines[&chat].cursor().map(|(seq, _)| seq);
                self.ask(About::Join(chat), Ask::Join { chat, since });
            }
            link::Effect::Leave(_) => {}
            link::Effect::Online(held) => {
                self.jobs.push_back(Job::Outbox(outbox::Event::Online { held }));
            }
            link::Effect::Release(chat) => {
                self.jobs.push_back(Job::Outbox(outbox::Event::Release(chat)));
            }
            link::Effect::Offline => {
                // Their connection is gone; the shell drops late answers by its serial.
                self.requests.clear();
                self.jobs.push_back(Job::Outbox(outbox::Event::Offline));
                for chat in self.timelines.keys() {
                    self.jobs.push_back(Job::Timeline(*chat, timeline::Event::Offline));
                }
            }
        }
    }

    fn obey_outbox(&mut self, effect: outbox::Effect) {
        match effect {
            outbox::Effect::Write(record) => {
                self.writing.push_back(record);
                self.acts.push(Act::Write);
            }
            outbox::Effect::Emit { draft, attempt, .. } => self.emit(draft, attempt),
            outbox::Effect::Count { draft, .. } => {
                self.fail(format!("{} was counted, though this server knows ids", draft.id));
            }
            outbox::Effect::Outcome { id, chat, outcome } => match outcome {
                Outcome::Stored { message, .. } => {
                    *self.stored.entry(id).or_default() += 1;
                    let event = timeline::Event::Acked(message);
                    self.jobs.push_back(Job::Timeline(chat, event));
                }
                Outcome::Refused(_)
                | Outcome::Conflict(_)
                | Outcome::Unknown(_)
                | Outcome::Discarded => {
                    self.fail(format!("{id} ended as {outcome:?}"));
                }
                Outcome::Queued | Outcome::Sending { .. } | Outcome::Retrying { .. } => {}
            },
            outbox::Effect::NotQueued { id, error } => self.fail(format!("{id}: {error}")),
        }
    }

    fn emit(&mut self, draft: Draft, attempt: u32) {
        let on_disk =
            self.disk.iter().any(|r| matches!(r, Record::Queued(kept) if kept.id == draft.id));
        if !on_disk {
            self.fail(format!("{} was emitted before it was on disk", draft.id));
        }
        let in_flight = self.requests.values().any(|about| {
            matches!(about, About::Send { id, .. } if *id != draft.id
                && self.outbox.entries().any(|(d, _)| d.id == *id && d.chat == draft.chat))
        });
        if in_flight {
            self.fail(format!("{} overtakes one of its chat", draft.id));
        }
        let Draft { id, chat, text, .. } = draft;
        let key = id.to_string();
        self.ask(About::Send { id, attempt }, Ask::Send { chat, key, text });
    }

    fn obey_timeline(&mut self, chat: ChatId, effect: timeline::Effect) {
        match effect {
            timeline::Effect::Deliver { message, .. } => {
                let screen = self.screens.entry(chat).or_default();
                let last = screen.last().and_then(|m| m.seq);
                let fits = last.is_none_or(|last| message.seq == Some(last + 1));
                let shown = message.seq;
                screen.push(message);
                if !fits {
                    self.fail(format!("{shown:?} was shown after {last:?}"));
                }
            }
            timeline::Effect::Fetch { serial, ask, limit } => {
                let about = About::Fetch { chat, serial };
                self.ask(
                    about,
                    match ask {
                        timeline::Ask::After(seq) => Ask::After { chat, seq, limit },
                        timeline::Ask::Before(seq) => Ask::Before { chat, seq, limit },
                    },
                );
            }
            timeline::Effect::CaughtUp => {
                self.jobs.push_back(Job::Link(link::Event::CaughtUp(chat)));
            }
            timeline::Effect::Rejoin => {
                let retry_after = Some(Duration::ZERO);
                self.jobs.push_back(Job::Link(link::Event::JoinFailed { chat, retry_after }));
            }
            timeline::Effect::Reset(_) => {
                self.resets += 1;
                self.screens.insert(chat, Vec::new());
            }
            timeline::Effect::Missing { from, to } => {
                self.fail(format!("{from}..={to} were called missing"));
            }
            timeline::Effect::Older { .. } => {}
        }
    }

    pub(super) fn fail(&mut self, why: String) {
        self.failure.get_or_insert(why);
    }
}
