//! Time, wires, faults, and what must hold in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use trialogue_client::link::Event;
use trialogue_client::outbox::{Draft, Record};
use trialogue_client::time::Jitter;
use trialogue_client::{Begin, outbox};
use trialogue_protocol::{ChatId, ClientMessageId, Message, MessageType};
use uuid::Uuid;

mod faults;
mod judge;
pub(in crate::simulation) mod met;
mod wires;

use crate::simulation::backend::{Ask, Backend, Reply};
use crate::simulation::person::{Act, Opening, Person};

pub(in crate::simulation) use met::Met;

const PEOPLE: usize = 3;
/// Messages of each person.
const SAYINGS: u32 = 12;
/// How long things go wrong.
const TROUBLE: Duration = Duration::from_secs(120);
/// By when everything must be well again: the longest waits are 45 s for a silent network, 30 s
/// between retries and 30 s between positions.
const END: Duration = Duration::from_secs(600);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What goes over a wire to a client.
#[derive(Debug, Clone)]
enum Frame {
    Answer { request: u64, reply: Reply },
    News(Message),
    Positions { chats: BTreeMap<ChatId, i64>, epoch: String },
    TokenExpiring,
}

#[derive(Debug)]
enum Happening {
    Wake,
    Say,
    Opened {
        serial: u64,
    },
    Refreshed {
        fails: bool,
    },
    Disk,
    TimeUp {
        request: u64,
    },
    /// The client notices that its connection is gone.
    Lost {
        connection: u64,
        expired: bool,
    },
    ToServer {
        connection: u64,
        request: u64,
        ask: Ask,
    },
    ToClient {
        connection: u64,
        frame: Frame,
    },
    Restart,
    Revive,
    Fault,
    Positions,
    TokenEnds {
        connection: u64,
        token: u64,
    },
}

/// A connection's two directions: each keeps its order.
#[derive(Debug)]
struct Wire {
    person: usize,
    life: u64,
    serial: u64,
    /// Latest arrival so far, to the server and to the client.
    arrival: [Duration; 2],
    /// Everything is swallowed: neither end knows yet.
    silent: bool,
}

struct Place {
    person: Person,
    /// Counts processes: what happened to an earlier one is nobody's business.
    life: u64,
    alive: bool,
    /// The earliest wake that is on its way.
    wake_at: Option<Duration>,
    connection: Option<u64>,
    said: u32,
    /// Drafts whose author was told that they are kept, in order.
    kept: Vec<Draft>,
    refused_tokens: BTreeSet<u64>,
    /// Drafts that an older copy of the disk does not have.
    forgotten: BTreeSet<ClientMessageId>,
    /// The disk was an older copy once: what was done was done again.
    rolled_back: bool,
}

pub(in crate::simulation) struct World {
    now: Duration,
    chance: Jitter,
    queue: BTreeMap<(Duration, u64), (usize, u64, Happening)>,
    count: u64,
    backend: Backend,
    wires: BTreeMap<u64, Wire>,
    places: Vec<Place>,
    chats: Vec<ChatId>,
    /// Until when each token is good.
    tokens: BTreeMap<u64, Duration>,
    restored: bool,
    pub(in crate::simulation) met: Met,
    /// What happened, in short: equal for equal seeds.
    pub(in crate::simulation) story: u64,
}

impl World {
    pub(in crate::simulation) fn new(seed: u64) -> Self {
        let chats: Vec<_> = (1..=2).map(|n| ChatId(Uuid::from_u128(n))).collect();
        let mut world = Self {
            now: Duration::ZERO,
            chance: Jitter::new(seed),
            queue: BTreeMap::new(),
            count: 0,
            backend: Backend::new(&chats),
            wires: BTreeMap::new(),
            places: Vec::new(),
            chats,
            tokens: BTreeMap::new(),
            restored: false,
            met: Met::default(),
            story: 0,
        };
        for who in 0..PEOPLE {
            let person = Person::new(&world.chats, Vec::new(), world.chance.bits());
            world.places.push(Place {
                person,
                life: 0,
                alive: true,
                wake_at: None,
                connection: None,
                said: 0,
                kept: Vec::new(),
                refused_tokens: BTreeSet::new(),
                forgotten: BTreeSet::new(),
                rolled_back: false,
            });
            world.begin(who, None);
            world.later(ms(10_000), who, Happening::Say);
        }
        for _ in 0..8 {
            let at = world.chance.up_to(TROUBLE);
            world.at(at, 0, Happening::Fault);
        }
        world.at(Duration::from_secs(30), 0, Happening::Positions);
        world
    }

    /// Plays until everything has come to rest.
    pub(in crate::simulation) fn play(&mut self) -> Result<(), String> {
        while let Some(((at, _), (who, life, happening))) = self.queue.pop_first() {
            self.now = self.now.max(at);
            self.happen(who, life, happening);
            if let Some(place) = self.places.iter().find(|p| p.person.failure.is_some()) {
                let why = place.person.failure.clone().unwrap_or_default();
                return Err(format!("at {:?}: {why}", self.now));
            }
            if self.now > TROUBLE && self.is_at_rest() {
                return self.judge();
            }
            if self.now > END {
                let states: Vec<_> = self.places.iter().map(|p| p.person.state()).collect();
                return Err(format!("no rest: {states:#?}"));
            }
        }
        Err("nothing happens any more".to_owned())
    }

    fn trouble(&self) -> bool {
        self.now < TROUBLE
    }

    fn at(&mut self, at: Duration, who: usize, happening: Happening) {
        self.count += 1;
        let life = self.places.get(who).map_or(0, |p| p.life);
        self.queue.insert((at, self.count), (who, life, happening));
    }

    /// Within that time, by chance.
    fn later(&mut self, most: Duration, who: usize, happening: Happening) {
        let at = self.now + self.chance.up_to(most);
        self.at(at, who, happening);
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.chance.bits().is_multiple_of(n)
    }

    /// A process starts, with what the last one left.
    fn begin(&mut self, who: usize, left: Option<&Person>) {
        for chat in self.chats.clone() {
            let cursor = left.and_then(|p| p.cursor(chat));
            let choice = self.chance.bits() % 5;
            let shown = left.and_then(|p| p.screens.get(&chat)).cloned().unwrap_or_default();
            let (begin, screen, backup) = match (choice, cursor) {
                (0 | 1, Some((seq, epoch))) => (Begin::After { seq, epoch }, shown, None),
                (2, _) => (Begin::Newest(2), Vec::new(), None),
                (3, _) => (Begin::Now, Vec::new(), None),
                (4, Some((_, epoch))) => {
                    self.met.backups += u64::from(!shown.is_empty());
                    (Begin::Newest(2), Vec::new(), Some((shown, epoch)))
                }
                _ => (Begin::After { seq: 0, epoch: None }, Vec::new(), None),
            };
            let seed = self.chance.bits();
            self.places[who].person.show(chat, Opening { begin, screen, backup }, seed);
        }
        let fresh = self.mint(who);
        let now = self.now;
        let acts = self.places[who].person.link(Event::SignedIn(fresh), now);
        self.obey(who, acts);
        let acts = self.places[who].person.link(Event::Start, now);
        self.obey(who, acts);
    }

    /// A new token, good for half a minute; answers what the client believes, whose clock may
    /// be wrong.
    fn mint(&mut self, who: usize) -> Option<Duration> {
        self.count += 1;
        self.places[who].person.token = self.count;
        self.tokens.insert(self.count, self.now + ms(30_000));
        match self.chance.bits() % 8 {
            0 => None,
            1 => Some(ms(90_000)),
            2 => Some(Duration::ZERO),
            _ => Some(ms(20_000)),
        }
    }

    fn obey(&mut self, who: usize, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Open { serial } => {
                    let most = if self.backend.up { ms(200) } else { ms(50) };
                    self.later(most, who, Happening::Opened { serial });
                }
                Act::Hangup => self.places[who].connection = None,
                Act::Refresh => {
                    let fails = self.trouble() && self.one_in(4);
                    self.later(ms(300), who, Happening::Refreshed { fails });
                }
                Act::Write => self.later(ms(20), who, Happening::Disk),
                Act::Ask { request, ask } => self.ask(who, request, ask),
            }
        }
        let place = &mut self.places[who];
        if let Some(at) = place.person.next_wake()
            && place.wake_at.is_none_or(|earlier| at < earlier)
        {
            place.wake_at = Some(at);
            self.at(at, who, Happening::Wake);
        }
    }

    fn happen(&mut self, who: usize, life: u64, happening: Happening) {
        self.story = self.story.wrapping_mul(31).wrapping_add(self.now.as_millis() as u64);
        let current = self.places[who].alive && self.places[who].life == life;
        match happening {
            Happening::ToServer { connection, request, ask } => {
                self.serve(connection, request, ask);
            }
            Happening::Revive => self.backend.up = true,
            Happening::Fault => self.fault(),
            Happening::Positions => self.tell_positions(),
            Happening::TokenEnds { connection, token } => self.token_ends(connection, token),
            Happening::Restart => self.restart(who),
            Happening::Say => self.say(who),
            _ if !current => {}
            Happening::Wake => {
                // One that was overtaken by an earlier one has been served.
                if self.places[who].wake_at.take_if(|at| *at <= self.now).is_none() {
                    return;
                }
                let acts = self.places[who].person.wake(self.now);
                self.obey(who, acts);
            }
            Happening::Opened { serial } => self.opened(who, serial),
            Happening::Refreshed { fails } => self.refreshed(who, fails),
            Happening::Disk => self.disk(who),
            Happening::TimeUp { request } => {
                if self.places[who].person.waits_for(request) {
                    let acts = self.places[who].person.answer(request, None, self.now);
                    self.obey(who, acts);
                }
            }
            Happening::Lost { connection, expired } => self.lost(who, connection, expired),
            Happening::ToClient { connection, frame } => self.deliver(who, connection, frame),
        }
    }

    fn say(&mut self, who: usize) {
        if self.places[who].said == SAYINGS {
            return;
        }
        if self.places[who].alive {
            self.places[who].said += 1;
            let said = self.places[who].said;
            let second = self.one_in(3);
            let chat = self.chats[usize::from(second)];
            let id = format!("{who}.{said}").parse().unwrap();
            let text = format!("{who} says {said}");
            let draft = Draft { id, chat, text, kind: MessageType::Text };
            let acts = self.places[who].person.outbox(outbox::Event::Queue(draft), self.now);
            self.obey(who, acts);
        }
        self.later(ms(15_000), who, Happening::Say);
    }

    fn disk(&mut self, who: usize) {
        let place = &mut self.places[who];
        let Some(record) = place.person.writing.pop_front() else { return };
        place.person.disk.push(record.clone());
        if let Record::Queued(draft) = record {
            let id = draft.id.clone();
            place.kept.push(draft);
            let acts = place.person.outbox(outbox::Event::Written(vec![id]), self.now);
            self.obey(who, acts);
        }
    }
}
