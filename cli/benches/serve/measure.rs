//! What is measured, and how it is judged.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::LocalSet;
use tokio::time::{sleep, sleep_until};

use crate::Failure;
use crate::driver::{self, Listener, Speaker};
use crate::stage::{Room, Server};

/// How long each measurement runs, and what runs before it.
const RUN: Duration = Duration::from_secs(8);
const WARM_UP: Duration = Duration::from_secs(2);
/// After the last message: what has not come by then is lost.
const QUIET: Duration = Duration::from_secs(3);
/// Deliveries per second that `open` tries, one after the other.
const RATES: [usize; 4] = [10_000, 20_000, 40_000, 80_000];
/// Requests and handshakes that are open at once.
const AT_ONCE: usize = 16;

/// What the listeners of one room share.
#[derive(Default)]
struct Tally {
    deliveries: Cell<usize>,
    wrong: Cell<usize>,
    /// When each message was to be sent.
    due: RefCell<Vec<Instant>>,
    /// Microseconds from then to each delivery.
    latencies: RefCell<Vec<u32>>,
}

/// Puts `members` sockets into the room, its people in turn.
async fn enter(
    server: &Server,
    room: &Room,
    members: usize,
) -> Result<Vec<(Listener, Rc<Speaker>)>, Failure> {
    let mut clients = Vec::with_capacity(members);
    for person in room.people.iter().cycle().take(members) {
        let (listener, speaker) = driver::join(&server.address, &person.token, &room.chat).await?;
        clients.push((listener, Rc::new(speaker)));
    }
    Ok(clients)
}

/// Every client listens; messages must come to each one as 0, 1, 2 and so on.
fn listen(
    local: &LocalSet,
    clients: Vec<(Listener, Rc<Speaker>)>,
    tally: &Rc<Tally>,
) -> Option<Rc<Speaker>> {
    let first = clients.first().map(|(_, speaker)| Rc::clone(speaker));
    for (listener, speaker) in clients {
        let tally = Rc::clone(tally);
        local.spawn_local(async move {
            let mut expected = 0;
            let ended = listener.listen(&speaker, |number, now| {
                tally.deliveries.set(tally.deliveries.get() + 1);
                if number != expected {
                    tally.wrong.set(tally.wrong.get() + 1);
                }
                expected = number + 1;
                if let Some(due) = tally.due.borrow().get(number) {
                    let micros = now.saturating_duration_since(*due).as_micros();
                    tally.latencies.borrow_mut().push(u32::try_from(micros).unwrap_or(u32::MAX));
                }
            });
            let ended = ended.await;
            panic!("a client ended: {ended:?}");
        });
    }
    first
}

/// A room that speaks: the next message whenever fewer than so many are under way.
struct Talk {
    chat: String,
    members: usize,
    tally: Rc<Tally>,
    speaker: Rc<Speaker>,
    sent: usize,
}

impl Talk {
    async fn new(
        server: &Server,
        local: &LocalSet,
        room: &Room,
        members: usize,
    ) -> Result<Self, Failure> {
        let tally = Rc::new(Tally::default());
        let clients = enter(server, room, members).await?;
        let speaker = listen(local, clients, &tally).ok_or("nobody is in the room")?;
        Ok(Self { chat: room.chat.clone(), members, tally, speaker, sent: 0 })
    }

    fn say(&mut self, due: Instant) -> Result<(), Failure> {
        self.tally.due.borrow_mut().push(due);
        self.speaker.say(&self.chat, self.sent)?;
        self.sent += 1;
        Ok(())
    }

    fn keep(&mut self, in_flight: usize) -> Result<(), Failure> {
        while self.sent < self.tally.deliveries.get() / self.members + in_flight {
            self.say(Instant::now())?;
        }
        Ok(())
    }

    fn lost(&self) -> usize {
        self.sent * self.members - self.tally.deliveries.get()
    }
}

/// Many rooms of three, one message in flight in each.
pub(crate) async fn rooms(server: &Server, count: usize) -> Result<(), Failure> {
    let rooms = server.rooms(count).await?;
    let local = LocalSet::new();
    let mut talks = Vec::new();
    for room in &rooms {
        talks.push(Talk::new(server, &local, room, 3).await?);
    }
    closed_loop(server, &local, "rooms", talks, 1).await
}

/// One room, so many sockets and messages in flight.
pub(crate) async fn in_flight(
    server: &Server,
    name: &str,
    members: usize,
    in_flight: usize,
) -> Result<(), Failure> {
    let rooms = server.rooms(1).await?;
    let local = LocalSet::new();
    let talk = Talk::new(server, &local, &rooms[0], members).await?;
    closed_loop(server, &local, name, vec![talk], in_flight).await
}

async fn closed_loop(
    server: &Server,
    local: &LocalSet,
    name: &str,
    mut talks: Vec<Talk>,
    in_flight: usize,
) -> Result<(), Failure> {
    let total =
        |talks: &[Talk]| -> usize { talks.iter().map(|talk| talk.tally.deliveries.get()).sum() };
    let members = talks.first().map_or(1, |talk| talk.members);
    let run = local.run_until(async {
        let begun = Instant::now();
        let mut measured: Option<(Instant, usize, f64)> = None;
        loop {
            for talk in &mut talks {
                talk.keep(in_flight)?;
            }
            if measured.is_none() && begun.elapsed() > WARM_UP {
                for talk in &talks {
                    talk.tally.latencies.borrow_mut().clear();
                }
                measured = Some((Instant::now(), total(&talks), processor(server.id())?));
            }
            if let Some((since, before, used)) = measured
                && since.elapsed() > RUN
            {
                let used = processor(server.id())? - used;
                return Ok::<_, Failure>((since.elapsed(), total(&talks) - before, used));
            }
            sleep(Duration::from_micros(100)).await;
        }
    });
    let (time, deliveries, used) = run.await?;
    local.run_until(sleep(QUIET)).await;
    let rate = deliveries as f64 / time.as_secs_f64();
    println!(
        "{name}, {} x {members} sockets, {in_flight} in flight: {:.0} messages/s stored, \
         {rate:.0} deliveries/s, {}; server alone {:.1} us per message",
        talks.len(),
        rate / members as f64,
        judged(&talks),
        used * 1e6 / (deliveries / members) as f64,
    );
    Ok(())
}

/// Messages at rising rates, whatever the server does.
pub(crate) async fn open(server: &Server, count: usize, members: usize) -> Result<(), Failure> {
    for rate in RATES {
        at_rate(server, "open", count, members, rate).await?;
    }
    Ok(())
}

/// Rooms that speak in turn at a fixed rate of deliveries; latency from the intended start.
pub(crate) async fn at_rate(
    server: &Server,
    name: &str,
    count: usize,
    members: usize,
    rate: usize,
) -> Result<(), Failure> {
    let rooms = server.rooms(count).await?;
    let local = LocalSet::new();
    let mut talks = Vec::new();
    for room in &rooms {
        talks.push(Talk::new(server, &local, room, members).await?);
    }
    let per_second = rate / members;
    let messages = per_second * RUN.as_secs() as usize;
    let run = local.run_until(async {
        let begun = tokio::time::Instant::now();
        for number in 0..messages {
            let due = begun + Duration::from_secs_f64(number as f64 / per_second as f64);
            if due > tokio::time::Instant::now() {
                sleep_until(due).await;
            } else {
                tokio::task::yield_now().await;
            }
            talks[number % count].say(due.into_std())?;
        }
        Ok::<_, Failure>(())
    });
    run.await?;
    local.run_until(sleep(QUIET)).await;
    println!("{name}, {count} x {members} sockets, {rate} deliveries/s wanted: {}", judged(&talks));
    Ok(())
}

/// Loss, order and latency over all rooms.
fn judged(talks: &[Talk]) -> String {
    let mut latencies = Vec::new();
    for talk in talks {
        latencies.append(&mut talk.tally.latencies.borrow_mut());
    }
    latencies.sort_unstable();
    let quantile = |q: f64| {
        let at = ((latencies.len() as f64 * q) as usize).min(latencies.len().saturating_sub(1));
        f64::from(latencies.get(at).copied().unwrap_or_default()) / 1_000.0
    };
    let lost: usize = talks.iter().map(Talk::lost).sum();
    let wrong: usize = talks.iter().map(|talk| talk.tally.wrong.get()).sum();
    let (p50, p99) = (quantile(0.5), quantile(0.99));
    format!("p50 {p50:.1} ms, p99 {p99:.1} ms, {lost} lost, {wrong} out of order")
}

/// Seconds of processor time that a process has used.
fn processor(process: u32) -> Result<f64, Failure> {
    /// Clock ticks per second, the same on every Linux.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let after_name = stat.rsplit_once(") ").ok_or("no stat")?.1;
    let fields: Vec<&str> = after_name.split(' ').collect();
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / TICKS)
}

/// Whole histories of 1,000 messages over REST.
pub(crate) async fn history(server: &Server) -> Result<(), Failure> {
    let rooms = server.rooms(1).await?;
    let local = LocalSet::new();
    let mut talk = Talk::new(server, &local, &rooms[0], 1).await?;
    let filled = local.run_until(async {
        while talk.tally.deliveries.get() < 1_000 {
            while talk.sent < 1_000 && talk.sent < talk.tally.deliveries.get() + 64 {
                talk.say(Instant::now())?;
            }
            sleep(Duration::from_millis(1)).await;
        }
        Ok::<_, Failure>(())
    });
    filled.await?;
    let url = format!("http://{}/chat/{}/messages", server.address, rooms[0].chat);
    let begun = Instant::now();
    let answers = Rc::new(Cell::new((0_usize, 0_usize)));
    let readers = LocalSet::new();
    for _ in 0..AT_ONCE {
        let (http, url, answers) = (server.http.clone(), url.clone(), Rc::clone(&answers));
        let token = rooms[0].people[0].token.clone();
        readers.spawn_local(async move {
            while begun.elapsed() < RUN {
                let answer = http.get(&url).bearer_auth(&token).send().await;
                let body = match answer {
                    Ok(answer) => answer.bytes().await.unwrap_or_default(),
                    Err(error) => panic!("no history: {error}"),
                };
                assert!(body.ends_with(b"}"), "an answer was cut");
                let (count, bytes) = answers.get();
                answers.set((count + 1, bytes + body.len()));
            }
        });
    }
    readers.await;
    let (count, bytes) = answers.get();
    println!(
        "history: {:.0} requests/s of {} bytes, {AT_ONCE} at once",
        count as f64 / begun.elapsed().as_secs_f64(),
        bytes / count.max(1)
    );
    Ok(())
}

/// Token, connect, join: closed again at once.
pub(crate) async fn connect(server: &Server) -> Result<(), Failure> {
    let rooms = server.rooms(20).await?;
    let local = LocalSet::new();
    let joined = Rc::new(Cell::new(0_usize));
    let begun = Instant::now();
    for number in 0..AT_ONCE * 2 {
        let room = &rooms[number % rooms.len()];
        let (address, chat) = (server.address.clone(), room.chat.clone());
        let token = room.people[number % 3].token.clone();
        let joined = Rc::clone(&joined);
        local.spawn_local(async move {
            while begun.elapsed() < RUN {
                if let Err(error) = driver::join(&address, &token, &chat).await {
                    panic!("cannot join: {error}");
                }
                joined.set(joined.get() + 1);
            }
        });
    }
    local.await;
    let rate = joined.get() as f64 / begun.elapsed().as_secs_f64();
    println!("connect: {rate:.0} joined per second");
    Ok(())
}
