//! An outbox at a server that says nothing: no acknowledgement, no id, no own echo (DEPLOYED §3).
//!
//! The outbox, the search and the replay of the journal are the real ones. Three texts for all
//! messages, so that one looks like another; the server knows in secret which is which. What must
//! hold: nothing leaves again without its author having been told, nothing is called stored that is
//! not, nothing is dropped.

mod judge;
mod looks;
mod server;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use trialogue_client::journal::replay;
use trialogue_client::outbox::{Draft, Effect, Event, Mark, Outbox, OutboxConfig, Record, Search};
use trialogue_client::time::Jitter;
use trialogue_client::{Outcome, Refusal};
use trialogue_protocol::{ChatId, ClientMessageId, ErrorCode, Message, MessageType, UserId};
use uuid::Uuid;

use super::world::met::met;
use server::{Fate, Server};

const ME: UserId = UserId(7);
const SAYINGS: u32 = 16;
/// How long things go wrong.
const TROUBLE: Duration = Duration::from_secs(90);
/// By when all must be well.
const END: Duration = Duration::from_secs(600);
/// As `SessionConfig` has them.
const LOOK_FOR: Duration = Duration::from_secs(12);
const SETTLE: Duration = Duration::from_secs(3);
const SEEN_FRESH: Duration = Duration::from_millis(500);

met! {
    /// SIGKILL of the client.
    crashes,
    /// ... of the server.
    server_kills,
    cuts,
    /// Messages that vanished without a word.
    vanished,
    /// An `error` about a message that was not stored.
    failed,
    /// An `error` about a message that was.
    failed_after_all,
    /// Marks that the disk did not take.
    disk_full,
    /// After a restart: never left, so sent.
    never_left,
    /// After a restart: left before, and found.
    found,
    /// Left again, after its author was told.
    again,
    /// Stored so late that it had left again.
    late,
    /// Messages that look like one that is there already.
    alike,
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A message that is looked for.
struct Flight {
    draft: Draft,
    attempt: u32,
    mark: Mark,
    search: Search,
    /// Before it leaves again.
    settling: bool,
}

#[derive(Debug)]
enum Happening {
    Say,
    Disk,
    Wake,
    Counted {
        id: ClientMessageId,
        attempt: u32,
    },
    Look {
        id: ClientMessageId,
        attempt: u32,
    },
    /// Its packet arrives at the server.
    Arrived {
        id: ClientMessageId,
        attempt: u32,
        generation: u64,
    },
    /// The server stores it.
    Stored {
        id: ClientMessageId,
        attempt: u32,
        generation: u64,
        fate: Fate,
    },
    Error {
        id: ClientMessageId,
        attempt: u32,
        connection: u64,
    },
    Up,
    Restart,
    ServerUp,
    Fault,
}

pub(in crate::simulation) struct World {
    now: Duration,
    chance: Jitter,
    queue: BTreeMap<(Duration, u64), (u64, Happening)>,
    count: u64,
    server: Server,
    outbox: Outbox,
    /// Counts processes.
    life: u64,
    alive: bool,
    online: bool,
    /// Counts connections.
    connection: u64,
    wake_at: Option<Duration>,
    disk: Vec<Record>,
    writing: VecDeque<Record>,
    flights: BTreeMap<ClientMessageId, Flight>,
    /// The newest look at each chat that found something.
    seen: BTreeMap<ChatId, (Duration, Vec<Message>)>,
    said: u32,
    /// Drafts whose author was told that they are kept, in order.
    kept: Vec<Draft>,
    /// Emitted, whatever became of it.
    emitted: BTreeSet<ClientMessageId>,
    /// Told that it may be stored already.
    unknown: BTreeSet<ClientMessageId>,
    stored: BTreeMap<ClientMessageId, u32>,
    failure: Option<String>,
    pub(in crate::simulation) met: Met,
}

impl World {
    pub(in crate::simulation) fn new(seed: u64) -> Self {
        let mut world = Self {
            now: Duration::ZERO,
            chance: Jitter::new(seed),
            queue: BTreeMap::new(),
            count: 0,
            server: Server::default(),
            outbox: outbox(&[], seed),
            life: 0,
            alive: true,
            online: false,
            connection: 0,
            wake_at: None,
            disk: Vec::new(),
            writing: VecDeque::new(),
            flights: BTreeMap::new(),
            seen: BTreeMap::new(),
            said: 0,
            kept: Vec::new(),
            emitted: BTreeSet::new(),
            unknown: BTreeSet::new(),
            stored: BTreeMap::new(),
            failure: None,
            met: Met::default(),
        };
        world.later(ms(2_000), Happening::Say);
        world.later(ms(500), Happening::Up);
        for _ in 0..12 {
            let at = world.chance.up_to(TROUBLE);
            world.at(at, Happening::Fault);
        }
        world
    }

    pub(in crate::simulation) fn play(&mut self) -> Result<(), String> {
        while let Some(((at, _), (life, happening))) = self.queue.pop_first() {
            self.now = self.now.max(at);
            self.happen(life, happening);
            if let Some(why) = &self.failure {
                return Err(format!("at {:?}: {why}", self.now));
            }
            let at_rest = self.said == SAYINGS && self.alive && self.outbox.waiting() == 0;
            if self.now > TROUBLE && at_rest && self.server.is_idle() {
                return self.judge();
            }
            if self.now > END {
                return Err(format!("no rest: {:?}", self.outbox));
            }
        }
        Err("nothing happens any more".to_owned())
    }

    fn trouble(&self) -> bool {
        self.now < TROUBLE
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.chance.bits().is_multiple_of(n)
    }

    fn at(&mut self, at: Duration, happening: Happening) {
        self.count += 1;
        self.queue.insert((at, self.count), (self.life, happening));
    }

    fn later(&mut self, most: Duration, happening: Happening) {
        let at = self.now + self.chance.up_to(most);
        self.at(at, happening);
    }

    fn happen(&mut self, life: u64, happening: Happening) {
        let current = self.alive && life == self.life;
        match happening {
            Happening::Say => self.say(),
            Happening::Fault => self.fault(),
            Happening::Restart => self.restart(),
            Happening::ServerUp => self.server.up = true,
            Happening::Arrived { id, attempt, generation } => self.arrived(id, attempt, generation),
            Happening::Stored { id, attempt, generation, fate } => {
                self.store(id, attempt, generation, fate);
            }
            _ if !current => {}
            Happening::Disk => self.write(),
            Happening::Wake => {
                if self.wake_at.take_if(|at| *at <= self.now).is_some() {
                    self.decide(Event::Tick);
                }
            }
            Happening::Counted { id, attempt } => self.counted(&id, attempt),
            Happening::Look { id, attempt } => self.look(&id, attempt),
            Happening::Error { id, attempt, connection } => {
                let heard = self.online && connection == self.connection;
                if heard
                    && let Some(flight) = self.flights.get_mut(&id)
                    && flight.attempt == attempt
                {
                    let no = Refusal::new(ErrorCode::OutcomeUnknown, "Failed to send message");
                    flight.search.refused(no);
                    self.look(&id, attempt);
                }
            }
            Happening::Up => {
                if !self.server.up || (self.trouble() && self.one_in(4)) {
                    return self.later(ms(1_000), Happening::Up);
                }
                self.online = true;
                self.connection += 1;
                self.decide(Event::Online { held: Vec::new() });
            }
        }
    }

    fn say(&mut self) {
        if self.said == SAYINGS {
            return;
        }
        if self.alive {
            self.said += 1;
            let (text, chat) = (self.chance.bits() % 3, self.chance.bits() % 2);
            let draft = Draft {
                // No time in it, and not in the order of the alphabet.
                id: format!("m-{}", self.said * 7 % 100).parse().unwrap(),
                chat: ChatId(Uuid::from_u128(u128::from(chat) + 1)),
                text: ["ok", "yes", "no"][usize::try_from(text).unwrap()].to_owned(),
                kind: MessageType::Text,
            };
            self.decide(Event::Queue(draft));
        }
        self.later(ms(8_000), Happening::Say);
    }

    fn decide(&mut self, event: Event) {
        let effects = self.outbox.handle(event, self.now);
        effects.into_iter().for_each(|effect| self.obey(effect));
        if let Some(at) = self.outbox.next_wake()
            && self.wake_at.is_none_or(|earlier| at < earlier)
        {
            self.wake_at = Some(at);
            self.at(at, Happening::Wake);
        }
    }

    fn obey(&mut self, effect: Effect) {
        match effect {
            Effect::Write(record) => {
                self.writing.push_back(record);
                self.later(ms(20), Happening::Disk);
            }
            Effect::Count { draft, attempt } => {
                self.met.never_left += u64::from(self.life > 0 && attempt == 1);
                self.later(ms(80), Happening::Counted { id: draft.id, attempt });
            }
            Effect::Emit { draft, attempt, mark } => {
                let Some(mark) = mark else { return self.fail("it leaves without a mark") };
                self.set_out(draft, attempt, mark);
            }
            Effect::Outcome { id, outcome, .. } => self.told(id, outcome),
            Effect::NotQueued { id, .. } => self.forget(&id),
        }
    }

    fn told(&mut self, id: ClientMessageId, outcome: Outcome) {
        match outcome {
            Outcome::Retrying { not_stored: false, .. } => {
                self.unknown.insert(id);
            }
            Outcome::Stored { message, .. } => {
                *self.stored.entry(id.clone()).or_default() += 1;
                let (chat, text) = (message.chat_id, &message.message);
                if !self.server.has(&id) && !self.server.is_muddled(chat, text) {
                    self.fail(&format!("{id} is called stored and is not there"));
                }
            }
            Outcome::Refused(_) | Outcome::Conflict(_) | Outcome::Unknown(_) => {
                self.fail(&format!("{id} ended as {outcome:?}"));
            }
            Outcome::Queued | Outcome::Sending { .. } => {}
            Outcome::Retrying { .. } | Outcome::Discarded => {}
        }
    }

    fn fail(&mut self, why: &str) {
        self.failure.get_or_insert(why.to_owned());
    }

    fn forget(&mut self, id: &ClientMessageId) {
        self.kept.retain(|draft| draft.id != *id);
    }
}

fn outbox(disk: &[Record], seed: u64) -> Outbox {
    let config = OutboxConfig {
        marks: true,
        ack_timeout: Duration::from_secs(120),
        ..OutboxConfig::default()
    };
    Outbox::new(config, replay(disk.iter().cloned()), seed)
}
