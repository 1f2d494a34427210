//! Reading history: rooms are filled first, so that every page is known to the last message.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use memchr::memmem;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use trialogue_checker::Micros;

use super::LOOK;
use super::back::{CATCH_UP, Page};
use super::floor::{Floor, LIMITED, PAGES_FROM, Socket};
use crate::recorder::Metric;
use crate::stamp::Stamp;
use crate::target::Words;
use crate::verdict::{Asked, Book, Key, Line};

/// Messages of a room that are under way while rooms are filled.
const FILLING: u64 = 4;
/// Longest time without an answer while rooms are filled.
const FILLED_WITHIN: Duration = Duration::from_secs(30);

/// For the last of these messages to be everywhere.
const HEARD_WITHIN: Duration = Duration::from_secs(3);

/// What is known of the rooms' histories, and which pages are under way.
#[derive(Debug)]
pub(super) struct History {
    books: Vec<Book>,
    /// Bytes of messages whose place is not known yet, by sender and number.
    sizes: HashMap<(u32, u32), u32>,
    asked: HashMap<u32, Asked>,
    next: u32,
    rng: StdRng,
}

impl History {
    pub(super) fn new(seed: u64, worker: u32) -> Self {
        let rng = StdRng::seed_from_u64(seed.rotate_left(43) ^ u64::from(worker));
        let (sizes, asked) = (HashMap::new(), HashMap::new());
        Self { books: Vec::new(), sizes, asked, next: PAGES_FROM, rng }
    }

    /// Whether a page is under way.
    pub(super) fn is_waited_for(&self) -> bool {
        !self.asked.is_empty()
    }

    fn number(&mut self) -> u32 {
        let number = self.next;
        self.next = if number + 1 == CATCH_UP { PAGES_FROM } else { number + 1 };
        number
    }
}

impl Floor {
    /// Sends so many messages to every room and waits until all are stored.
    pub(super) async fn fill(&self, messages: u32, size: u32) -> Result<(), String> {
        let rooms = self.judge.borrow().rooms();
        self.history.borrow_mut().books.resize(rooms as usize, Book::default());
        let most_at_once = FILLING * u64::from(rooms);
        for turn in 0..messages {
            for room in 0..rooms {
                let senders = self.judge.borrow().senders_of(room);
                let sender = senders.start + turn % (senders.end - senders.start);
                let n = turn / (senders.end - senders.start);
                self.history.borrow_mut().sizes.insert((sender, n), size);
                self.send(sender, size, false, self.at(Instant::now()));
            }
            self.until_at_most(most_at_once).await?;
        }
        self.until_at_most(0).await?;
        let heard = async {
            while !self.judge.borrow().is_settled() {
                tokio::time::sleep(LOOK).await;
            }
        };
        // What is lost of it is told as lost at the end.
        let _lost = tokio::time::timeout(HEARD_WITHIN, heard).await;
        self.judge.borrow_mut().counts_mut().begin();
        Ok(())
    }

    async fn until_at_most(&self, under_way: u64) -> Result<(), String> {
        loop {
            let counts = *self.judge.borrow().counts();
            if counts.refused > 0 {
                return Err("the server refused a message that history needs".to_owned());
            }
            let cut = self.ends.borrow().unsendable;
            if cut > 0 {
                return Err("a socket was cut while rooms were filled".to_owned());
            }
            if counts.sent - counts.acked <= under_way {
                return Ok(());
            }
            let news = tokio::time::timeout(FILLED_WITHIN, self.news.notified());
            news.await
                .map_err(|_| "the server does not answer while rooms are filled".to_owned())?;
        }
    }

    /// A message is stored: its place is in the answer.
    pub(super) fn stored(&self, sender: u32, n: u32, said: &[u8]) {
        let seq = self.seq_in(said);
        let room = self.judge.borrow().room_of(sender);
        let mut history = self.history.borrow_mut();
        let size = history.sizes.remove(&(sender, n));
        if let (Some(size), Some(book)) = (size, history.books.get_mut(room as usize)) {
            book.write(seq, Stamp { worker: self.number(), sender, n }, size);
        }
        drop(history);
        self.news.notify_one();
    }

    /// Asks for a page somewhere in the room's history, from either end.
    pub(super) fn ask(&self, socket: &Socket, recorded: bool, intended: Micros) {
        let Some(sender) = self.judge.borrow().sender_of(socket.member) else { return };
        let room = self.judge.borrow().room_of(sender) as usize;
        let limit = match self.plan.unrest {
            crate::plan::Unrest::History { page, .. } => page,
            _ => return,
        };
        let mut history = self.history.borrow_mut();
        let Some((first, last)) = history.books.get(room).and_then(Book::ends) else { return };
        let (key, named) = match history.rng.random_range(first..=last) {
            seq if history.rng.random::<bool>() => (Key::After(seq - 1), ("afterSeq", seq - 1)),
            seq => (Key::Before(seq + 1), ("beforeSeq", seq + 1)),
        };
        let number = history.number();
        let member = socket.member;
        history.asked.insert(number, Asked { member, key, limit, intended, recorded });
        drop(history);
        self.judge.borrow_mut().asks();
        self.put(socket, Words::fetch(&socket.chat, named, limit, number).as_bytes());
    }

    /// The answer to a question for a page, or to a returned socket.
    pub(super) fn page(
        &self,
        socket: &Socket,
        number: u32,
        answer: &[u8],
        now: Instant,
    ) -> Option<String> {
        if number == CATCH_UP {
            return self.catch_up(socket, answer, now);
        }
        let mut history = self.history.borrow_mut();
        let asked = history.asked.remove(&number)?;
        let at = self.at(now);
        let mut judge = self.judge.borrow_mut();
        let Some(page) = Page::read(answer).filter(|page| page.ok) else {
            let counts = judge.counts_mut();
            counts.refused += 1;
            counts.limited += u64::from(memmem::find(answer, LIMITED).is_some());
            return None;
        };
        if asked.recorded {
            self.recorder.borrow_mut().record(Metric::Page, at.saturating_sub(asked.intended));
        }
        let line = |message: &&serde_json::value::RawValue| -> Line {
            let text = message.get().as_bytes();
            (self.stamps.find(text), self.seq_in(text))
        };
        let lines: Vec<Line> = page.messages.iter().map(line).collect();
        let room = judge.sender_of(asked.member).map(|sender| judge.room_of(sender) as usize);
        if let Some(book) = room.and_then(|room| history.books.get(room)) {
            judge.page(book, &asked, &lines, page.has_more, at);
        }
        None
    }
}
