//! The play: events in virtual time, from the first send to the final reads.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use trialogue_checker::Line;
use trialogue_checker::history::{Name, OpName, Plan};

use super::people::{PAGE_MAX, Person};
use super::server::{Chat, Member, Row};
use super::{DRIVER, File, Size, TABLES, World, line, name};

/// Between two sends of the whole world, microseconds, on average.
const PAUSE: u64 = 2_000;
/// Longest way of anything, microseconds.
const WAY_MAX: u64 = 3_000;
/// How long a client waits for an answer.
const PATIENCE: u64 = 50_000;
/// How long the server is dead.
const DEAD: u64 = 30_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Send { client: usize, chat: usize },
    Arrive { client: usize, connection: u32, text: usize },
    Answer { client: usize, connection: u32, text: usize, seq: Option<u64> },
    Frame { client: usize, connection: u32, chat: usize, seq: u64 },
    TimeOut { client: usize, connection: u32, text: usize },
    Again { client: usize, text: usize },
    Kill(u32),
    Back(u32),
    Connect { client: usize },
    Come { chat: usize },
    Go { chat: usize },
}

struct Play {
    random: StdRng,
    now: u64,
    turn: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    is_up: bool,
    people: Vec<Person>,
    chats: Vec<Chat>,
    texts: usize,
    driver: Vec<Line<'static>>,
}

/// A history that keeps every promise.
pub(crate) fn play(seed: u64, size: Size) -> World {
    let mut play = Play::new(seed, size);
    play.plan_events(size);
    while let Some(Reverse((at, _, event))) = play.events.pop() {
        play.now = at;
        play.happen(event);
    }
    play.finish(size)
}

impl Play {
    fn new(seed: u64, size: Size) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let (mut people, mut chats) = (Vec::new(), Vec::new());
        let mut client = |name: &str, user: &str, chat: usize, random: &mut StdRng| {
            let (shows, looks) = (random.random(), random.random());
            let chats = [(chat, super::people::Cursor::default())].into();
            let (name, user) = (name.to_owned(), user.to_owned());
            people.push(Person { name, user, shows, looks, chats, ..Person::default() });
        };
        for chat in 0..size.chats {
            // The provider's second device never writes.
            for (name, user) in [("ann", "ann"), ("bob", "bob"), ("bob-quiet", "bob")] {
                client(&format!("{name}{chat}"), &format!("{user}{chat}"), chat, &mut random);
            }
            let member = |user: &str| Member {
                user: format!("{user}{chat}"),
                added_seq: 0,
                added: 0,
                removed: None,
            };
            let members = vec![member("ann"), member("bob")];
            chats.push(Chat { name: format!("chat{chat}"), members, ..Chat::default() });
        }
        if size.disputes {
            for chat in 0..size.chats {
                client(&format!("lsm{chat}"), &format!("lsm{chat}"), chat, &mut random);
            }
        }
        let (events, driver) = (BinaryHeap::new(), Vec::new());
        Self { random, now: 0, turn: 0, events, is_up: true, people, chats, texts: 0, driver }
    }

    fn plan_events(&mut self, size: Size) {
        for client in 0..3 * size.chats {
            self.after(100, Event::Connect { client });
        }
        let end = 20_000 + PAUSE * size.sends as u64;
        for _ in 0..size.sends {
            let at = self.random.random_range(20_000..end);
            let chat = self.random.random_range(0..size.chats);
            let client = 3 * chat + self.random.random_range(0..2);
            self.at(at, Event::Send { client, chat });
        }
        for n in 0..size.kills {
            let at = 30_000 + (end - 30_000) / u64::from(size.kills) * u64::from(n);
            // Something is always under way.
            self.at(at - 1, Event::Send { client: 0, chat: 0 });
            self.at(at, Event::Kill(n));
        }
        if size.disputes {
            for chat in 0..size.chats {
                self.at(end / 3, Event::Come { chat });
                self.at(end / 3 * 2, Event::Go { chat });
            }
        }
    }

    fn at(&mut self, at: u64, event: Event) {
        self.turn += 1;
        self.events.push(Reverse((at, self.turn, event)));
    }

    fn after(&mut self, most: u64, event: Event) {
        let wait = self.random.random_range(1..=most);
        self.at(self.now + wait, event);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Send { client, chat } => {
                let text = self.texts;
                self.texts += 1;
                self.people[client].outbox.insert(text, (chat, false));
                self.send(client, text);
            }
            Event::Again { client, text } => self.send(client, text),
            Event::Arrive { client, connection, text } => self.arrive(client, connection, text),
            Event::Answer { client, connection, text, seq } => {
                self.answer(client, connection, text, seq);
            }
            Event::Frame { client, connection, chat, seq } => {
                let place = &self.chats[chat];
                let row = place.rows[seq as usize - 1].clone();
                let person = &mut self.people[client];
                if person.connection == connection && person.is_up {
                    person.receive(self.now, chat, &place.name, &row);
                }
            }
            Event::TimeOut { client, connection, text } => {
                let person = &mut self.people[client];
                let waits = person.outbox.get(&text).is_some_and(|(_, waits)| *waits);
                if waits && person.is_up && person.connection == connection {
                    self.give_up(client, text);
                    self.send(client, text);
                }
            }
            Event::Kill(n) => self.kill(n),
            Event::Back(n) => {
                self.is_up = true;
                let name = name(&format!("kill-{n}"));
                let fault = Line { op: OpName::Fault, t: Some(self.now), name, ..Line::default() };
                self.driver.push(Line { over: Some(true), ..fault });
                for client in 0..self.people.len() {
                    self.after(10_000, Event::Connect { client });
                }
            }
            Event::Connect { client } => self.connect(client),
            Event::Come { chat } => {
                let (added_seq, added) = (self.chats[chat].last(), self.now);
                let user = format!("lsm{chat}");
                self.chats[chat].members.push(Member { user, added_seq, added, removed: None });
                let client = 3 * self.chats.len() + chat;
                self.after(10, Event::Connect { client });
                for _ in 0..5 {
                    self.after(20_000, Event::Send { client, chat });
                }
            }
            Event::Go { chat } => self.remove(chat),
        }
    }

    /// A try begins, if there is a connection; else the next connection tries.
    fn send(&mut self, client: usize, text: usize) {
        let person = &mut self.people[client];
        let Some((chat, waits)) = person.outbox.get_mut(&text) else { return };
        if !person.is_up || *waits {
            return;
        }
        *waits = true;
        let place = self.chats[*chat].name.clone();
        person.write_own(OpName::Invoke, self.now, &place, text);
        let connection = person.connection;
        // One connection's messages arrive in the order in which they were sent.
        let arrives = person.arrives_there.max(self.now) + self.random.random_range(1..WAY_MAX);
        person.arrives_there = arrives;
        self.at(arrives, Event::Arrive { client, connection, text });
        self.at(self.now + PATIENCE, Event::TimeOut { client, connection, text });
    }

    fn arrive(&mut self, client: usize, connection: u32, text: usize) {
        let person = &self.people[client];
        if !self.is_up || person.connection != connection {
            return;
        }
        let Some((chat, _)) = person.outbox.get(&text).copied() else { return };
        let user = person.user.clone();
        let is_refused = self.random.random_ratio(1, 20) || !self.chats[chat].has(&user);
        let mut seq = None;
        if !is_refused {
            let (row, is_new) = self.chats[chat].store(text, &user);
            seq = Some(row.seq);
            for receiver in self.chats[chat].room.clone().into_iter().filter(|_| is_new) {
                let connection = self.people[receiver].connection;
                let frame = Event::Frame { client: receiver, connection, chat, seq: row.seq };
                let at = self.here(receiver);
                self.at(at, frame);
            }
        }
        // Some answers get lost on the way.
        if seq.is_none() || self.random.random_ratio(9, 10) {
            let at = self.here(client);
            self.at(at, Event::Answer { client, connection, text, seq });
        }
    }

    /// When what the server sends now arrives: after everything that it sent before.
    fn here(&mut self, client: usize) -> u64 {
        let arrives = self.people[client].arrives_here.max(self.now);
        let arrives = arrives + self.random.random_range(1..WAY_MAX);
        self.people[client].arrives_here = arrives;
        arrives
    }

    fn answer(&mut self, client: usize, connection: u32, text: usize, seq: Option<u64>) {
        let person = &mut self.people[client];
        if person.connection != connection || !person.is_up {
            return;
        }
        let Some((chat, true)) = person.outbox.get(&text).copied() else { return };
        let place = &self.chats[chat];
        if let Some(seq) = seq {
            person.told_ok(self.now, &place.name, &place.rows[seq as usize - 1]);
            person.outbox.remove(&text);
            return;
        }
        person.write_own(OpName::Fail, self.now, &place.name, text);
        person.outbox.remove(&text);
        if self.random.random() && place.has(&person.user) {
            person.outbox.insert(text, (chat, false));
            self.after(5_000, Event::Again { client, text });
        }
    }

    /// Nobody knows what became of a try.
    fn give_up(&mut self, client: usize, text: usize) {
        let person = &mut self.people[client];
        let Some((chat, waits)) = person.outbox.get_mut(&text) else { return };
        if std::mem::take(waits) {
            let place = self.chats[*chat].name.clone();
            person.write_own(OpName::Info, self.now, &place, text);
        }
    }

    fn kill(&mut self, n: u32) {
        self.is_up = false;
        let name = name(&format!("kill-{n}"));
        self.driver.push(Line { op: OpName::Fault, t: Some(self.now), name, ..Line::default() });
        for chat in &mut self.chats {
            chat.room.clear();
        }
        for client in 0..self.people.len() {
            let person = &mut self.people[client];
            if std::mem::take(&mut person.is_up) {
                person.connection += 1;
                person.write(OpName::Down, self.now, "").chat = None;
                let waiting: Vec<usize> = person.outbox.keys().copied().collect();
                waiting.into_iter().for_each(|text| self.give_up(client, text));
            }
        }
        self.at(self.now + DEAD, Event::Back(n));
    }

    fn connect(&mut self, client: usize) {
        let user = self.people[client].user.clone();
        let chats: Vec<usize> = self.people[client].chats.keys().copied().collect();
        let may = chats.iter().any(|chat| self.chats[*chat].has(&user));
        if !self.is_up || self.people[client].is_up || !may {
            return;
        }
        let person = &mut self.people[client];
        (person.is_up, person.arrives_there, person.arrives_here) = (true, self.now, self.now);
        let opened = person.write(OpName::Open, self.now, "");
        (opened.chat, opened.user) = (None, name(&user));
        for chat in chats {
            if self.chats[chat].has(&user) {
                self.join(client, chat);
            }
        }
        let waiting: Vec<usize> = self.people[client].outbox.keys().copied().collect();
        waiting.into_iter().for_each(|text| self.send(client, text));
    }

    fn join(&mut self, client: usize, chat: usize) {
        let place = &mut self.chats[chat];
        place.room.push(client);
        let person = &mut self.people[client];
        // Some begin with what comes, some with the whole history; later all go on.
        let begins = !person.chats[&chat].has_joined && self.random.random();
        let cursor = person.chats.get_mut(&chat).unwrap();
        cursor.has_joined = true;
        if begins {
            cursor.last = place.last();
        }
        let since = cursor.last;
        let joined = person.write(OpName::Join, self.now, &place.name);
        joined.since = (!begins).then_some(since);
        joined.last_seq = Some(place.last());
        if !begins {
            person.catch_up(self.now, chat, &place.name, &place.rows);
        }
    }

    fn remove(&mut self, chat: usize) {
        let user = format!("lsm{chat}");
        let (last, now) = (self.chats[chat].last(), self.now);
        let place = &mut self.chats[chat];
        let member = place.members.iter_mut().find(|member| member.user == user).unwrap();
        member.removed = Some((last, now));
        let client = 3 * self.chats.len() + chat;
        self.chats[chat].room.retain(|other| *other != client);
        let at = self.here(client);
        let name = self.chats[chat].name.clone();
        let person = &mut self.people[client];
        if person.is_up {
            person.write(OpName::Evict, at, &name);
            // What was on its way to it is lost with the line.
            (person.is_up, person.connection) = (false, person.connection + 1);
            person.outbox.clear();
        }
    }

    fn finish(mut self, size: Size) -> World {
        let now = self.now + 1_000;
        for person in &mut self.people {
            let user = person.user.clone();
            for chat in self.chats.iter().filter(|chat| chat.has(&user)) {
                let pages = chat.rows.len().div_ceil(PAGE_MAX).max(1);
                for n in 0..pages {
                    let rows: Vec<_> = chat.rows.iter().skip(n * PAGE_MAX).take(PAGE_MAX).collect();
                    let page = person.write(OpName::Page, now, &chat.name);
                    (page.is_final, page.more) = (Some(true), Some(n + 1 < pages));
                    page.last_seq = Some(chat.last());
                    page.rows = Some(rows.into_iter().map(Row::entry).collect());
                }
                let canary = line(OpName::Canary, now, &person.name, &chat.name);
                person.lines.push(canary);
            }
        }
        let mut files: Vec<File> = Vec::new();
        let mut tables = Vec::new();
        self.chats.iter().for_each(|chat| chat.dump(&mut tables));
        let file = |name: &str, lines| File { name: name.to_owned(), lines };
        files.push(file(DRIVER, self.driver));
        files.extend(self.people.into_iter().map(|person| file(&person.name, person.lines)));
        files.push(file(TABLES, tables));
        // Somebody who is in no chat at all.
        let client: Option<Name<'static>> = name("eve");
        let eve =
            Line { op: OpName::Open, t: Some(1), client, user: name("eve"), ..Line::default() };
        files.push(file("eve", vec![eve]));
        World { plan: Plan { faults: size.kills, notes: true, ..Plan::default() }, files }
    }
}
