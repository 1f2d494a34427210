//! One thread that sends and receives for its own rooms: its sockets, its clock, its verdict.

mod back;
mod crowd;
mod enter;
mod floor;
mod history;
mod kept;
mod over;
mod patience;
mod places;
mod socket;
mod speak;
mod waiting;

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;
use trialogue_checker::Micros;
use trialogue_socketio::client::{Transport, WireOpener};

use crate::alarm::{Alarm, thread_time};
use crate::cast::Room;
use crate::live::Steered;
use crate::plan::{Plan, Unrest, Way};
use crate::recorder::Recording;
use crate::result::{Recovery, Travelled};
use crate::stamp::Stamps;
use crate::target::Target;
use crate::users::Tokens;
use crate::verdict::{Counts, Example, Rules};
use floor::Floor;
pub(crate) use over::Ends;
use speak::Spoke;
pub(crate) use speak::UNDER_WAY_MAX;

/// Sockets of a worker that are being opened at once: our server permits 50 of one address that have
/// not said who they are (CONTRACT §3.9).
const OPENING: usize = 32;
/// How often a worker tells what it did.
const TICK: Duration = Duration::from_secs(1);
/// How often it looks whether everything has come.
const LOOK: Duration = Duration::from_millis(10);
/// After the last delivery that was awaited: what comes once more comes soon.
const TAIL: Duration = Duration::from_millis(300);
/// Why connections ended, in so many different words at most.
pub(crate) const REASONS_MAX: usize = 8;

/// When nothing comes any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// Without a frame for so long, while something is awaited.
    pub quiet: Duration,
    /// Whatever comes.
    pub longest: Duration,
}

impl Default for Drain {
    /// Beyond the 2.5 s within which what was stored must be visible (CONTRACT §3.4).
    fn default() -> Self {
        Self { quiet: Duration::from_secs(3), longest: Duration::from_secs(30) }
    }
}

/// What a worker is to do.
pub(crate) struct Orders {
    pub(crate) number: u32,
    pub(crate) plan: Arc<Plan>,
    pub(crate) rooms: Vec<Room>,
    /// Sockets of each.
    pub(crate) sizes: Vec<u32>,
    pub(crate) target: Target,
    pub(crate) rules: Rules,
    pub(crate) opener: WireOpener,
    pub(crate) stamps: Stamps,
    pub(crate) tokens: Tokens,
    pub(crate) drain: Drain,
    /// How long a step on the way into a room may take.
    pub(crate) join_within: Duration,
    pub(crate) steered: Steered,
    /// The moment at which all begin, once everybody is in a room.
    pub(crate) begin: watch::Receiver<Option<Instant>>,
    /// The moment at which the server was ended, where that is somebody else's doing.
    pub(crate) storm: Option<watch::Receiver<Option<Instant>>>,
    /// No more sends.
    pub(crate) stop: CancellationToken,
    /// No more anything.
    pub(crate) end: CancellationToken,
    pub(crate) told: mpsc::Sender<Told>,
}

/// What a worker tells.
#[derive(Debug)]
pub(crate) enum Told {
    /// So many more sockets are in their rooms.
    Joined(u64),
    /// It cannot begin; `full`: for want of room on this machine.
    Failed { why: String, full: bool },
    /// Everybody is in a room.
    Ready,
    /// What happened since the last one; counts are sums.
    Tick(Box<Tick>),
    /// Nothing comes any more.
    Done(Box<Done>),
    /// A worker of another machine is gone: nothing more comes of it.
    Lost { worker: u32, why: String },
}

/// A part of a run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Tick {
    pub(crate) worker: u32,
    /// Microseconds after the begin, and since the last one.
    pub(crate) at: Micros,
    pub(crate) over: Micros,
    pub(crate) counts: Counts,
    pub(crate) recording: Recording,
    /// Part of a core that the thread had.
    pub(crate) cpu: f64,
    /// Connections that ended by themselves, and attempts to come back that failed: sums.
    pub(crate) cut: u64,
    /// See `cut`.
    pub(crate) failed_attempts: u64,
    /// It still sends.
    pub(crate) speaking: bool,
}

/// How it went.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) worker: u32,
    pub(crate) counts: Counts,
    pub(crate) examples: Vec<Example>,
    pub(crate) ends: Ends,
    pub(crate) recovery: Recovery,
    /// How its sockets travelled.
    pub(crate) travelled: Vec<Travelled>,
    /// Every message of the plan went out.
    pub(crate) complete: bool,
    /// Moments of the plan that came, whether something went out at them or not.
    pub(crate) due: u64,
    /// Microseconds after the last send at which the last delivery came.
    pub(crate) behind: Micros,
    /// Microseconds after the begin at which the last one went out.
    pub(crate) spoken: Micros,
}

/// Starts a worker's thread. It tells how it went, whatever happens.
pub(crate) fn start(orders: Orders) -> io::Result<JoinHandle<()>> {
    let name = format!("load-{}", orders.number);
    std::thread::Builder::new().name(name).spawn(move || {
        let told = orders.told.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let failed = match runtime {
            Ok(runtime) => LocalSet::new().block_on(&runtime, work(orders)).err(),
            Err(error) => Some((format!("no runtime: {error}"), true)),
        };
        if let Some((why, full)) = failed {
            // Whoever does not listen any more needs no answer.
            let _gone = told.blocking_send(Told::Failed { why, full });
        }
    })
}

/// Fails with a sentence, and whether it is for want of room on this machine.
async fn work(orders: Orders) -> Result<(), (String, bool)> {
    let floor = Rc::new(Floor::new(&orders));
    let watching = tokio::task::spawn_local(patience::watch(floor.clone()));
    let lagging = tokio::task::spawn_local(patience::lag(floor.clone()));
    let worked = work_on(&floor, orders).await;
    watching.abort();
    lagging.abort();
    worked.map_err(|why| (why, floor.is_full.get()))
}

async fn work_on(floor: &Rc<Floor>, mut orders: Orders) -> Result<(), String> {
    let end = orders.end.clone();
    let alarm = Alarm::new().map_err(|error| format!("no timer: {error}"))?;
    match end.run_until_cancelled(prepare(floor, &orders)).await {
        None => return Ok(()),
        Some(prepared) => prepared?,
    }
    let gone = |_| "nobody listens".to_owned();
    orders.told.send(Told::Ready).await.map_err(gone)?;
    let begin = async {
        let begin = orders.begin.wait_for(Option::is_some).await.map(|begin| *begin);
        begin.ok().flatten().unwrap_or_else(Instant::now)
    };
    let Some(begin) = end.run_until_cancelled(begin).await else { return Ok(()) };
    floor.begin.set(begin);
    floor.has_begun.set(true);
    let ticking = tokio::task::spawn_local(tick(floor.clone(), orders.told.clone()));
    let stirring = tokio::task::spawn_local(back::stir(floor.clone()));
    let work = async {
        let spoke = speak::speak(floor, &orders, alarm).await?;
        floor.judge.borrow_mut().counts_mut().mark();
        floor.speaking.set(false);
        let spoken = floor.at(Instant::now());
        // Who is told to stop early cuts nobody any more.
        stirring.abort();
        let drained = drain(floor, orders.drain).await;
        Ok::<_, io::Error>((spoke, spoken, drained))
    };
    let worked = end.run_until_cancelled(work).await.transpose();
    ticking.abort();
    stirring.abort();
    let worked = worked.map_err(|error| format!("cannot go on: {error}"))?;
    let now = floor.at(Instant::now());
    let (spoke, spoken, drained) = worked.unwrap_or((Spoke::default(), now, Drained::default()));
    floor.give_up();
    floor.drop_kept();
    floor.sockets.iter().for_each(|socket| floor.never_left(socket));
    match drained.still_coming {
        true => floor.judge.borrow_mut().finish_early(now),
        false => floor.judge.borrow_mut().finish(now),
    }
    let last = Told::Tick(Box::new(floor.tick(Duration::ZERO)));
    orders.told.send(last).await.map_err(gone)?;
    let done = Box::new(done(floor, spoke, (spoken, drained.last)));
    floor.close();
    orders.told.send(Told::Done(done)).await.map_err(gone)
}

/// How many sockets went which way, and how many of those that were to move have moved.
fn travelled(floor: &Floor) -> Vec<Travelled> {
    let of = |way: Way| {
        let sockets = || floor.sockets.iter().filter(move |socket| socket.way == way);
        let has_moved = |socket: &&floor::Socket| {
            let wire = socket.wire.borrow();
            wire.as_ref().is_some_and(|wire| wire.transport() == Transport::Websocket)
        };
        let moved = sockets().filter(has_moved).count() as u64;
        Travelled { way, sockets: sockets().count() as u64, on_websocket: moved }
    };
    Way::ALL.into_iter().map(of).filter(|one| one.sockets > 0).collect()
}

fn done(floor: &Floor, spoke: Spoke, (spoken, last): (Micros, Micros)) -> Done {
    let judge = floor.judge.borrow();
    Done {
        worker: floor.number(),
        counts: *judge.counts(),
        examples: judge.examples().to_vec(),
        ends: floor.ends.borrow().clone(),
        recovery: floor.returns.borrow().so_far.clone(),
        travelled: travelled(floor),
        complete: spoke.complete,
        due: spoke.due,
        behind: last.saturating_sub(spoken),
        spoken,
    }
}

/// Everybody is in a room, and rooms have the history that they need.
async fn prepare(floor: &Rc<Floor>, orders: &Orders) -> Result<(), String> {
    open_all(floor, orders).await?;
    let Unrest::History { messages, .. } = orders.plan.unrest else { return Ok(()) };
    floor.fill(messages, orders.plan.sizes.largest()).await
}

/// Opens every socket and waits until all are in their rooms.
async fn open_all(floor: &Rc<Floor>, orders: &Orders) -> Result<(), String> {
    let all = floor.sockets.len();
    let mut next = 0;
    let mut told = 0;
    loop {
        if let Some(why) = floor.cannot_join.borrow_mut().take() {
            return Err(format!("{why} ({} of {all} sockets are in)", floor.joined.get()));
        }
        let joined = floor.joined.get();
        let settled = joined + floor.outside.get();
        while next < all && next < settled + OPENING {
            tokio::task::spawn_local(socket::live(floor.clone(), next));
            next += 1;
        }
        if joined - told >= OPENING || (settled == all && told < joined) {
            let more = (joined - told) as u64;
            told = joined;
            orders.told.send(Told::Joined(more)).await.map_err(|_| "nobody listens".to_owned())?;
        }
        if settled == all && joined > 0 {
            return Ok(());
        }
        if settled == all {
            let ends = floor.ends.borrow();
            let why = ends.reasons.first().map_or("", |(why, _)| why.as_str());
            return Err(format!("not one socket was let in: {why}"));
        }
        floor.news.notified().await;
    }
}

/// Tells what happened, every second. What is not taken in time comes with the next.
async fn tick(floor: Rc<Floor>, told: mpsc::Sender<Told>) {
    let mut interval = tokio::time::interval(TICK);
    interval.tick().await;
    let mut before = thread_time();
    let mut begun = Instant::now();
    loop {
        interval.tick().await;
        let (now, time) = (Instant::now(), thread_time());
        let used = time.saturating_sub(before).as_secs_f64();
        let cpu = used / now.saturating_duration_since(begun).as_secs_f64().max(1e-6);
        if let Ok(place) = told.try_reserve() {
            let over = now.saturating_duration_since(begun);
            (before, begun) = (time, now);
            place.send(Told::Tick(Box::new(Tick { cpu, ..floor.tick(over) })));
        }
    }
}

/// How the waiting ended.
#[derive(Debug, Clone, Copy, Default)]
struct Drained {
    /// When the last delivery came, microseconds after the begin; 0 when none did.
    last: Micros,
    /// They came until nothing was waited for any more.
    still_coming: bool,
}

/// Waits until nothing comes any more.
async fn drain(floor: &Floor, drain: Drain) -> Drained {
    let mut drained = Drained::default();
    let begun = Instant::now();
    let mut seen = floor.judge.borrow().counts().frames;
    let mut last = begun;
    loop {
        tokio::time::sleep(LOOK).await;
        let (now, settled, frames) = {
            let judge = floor.judge.borrow();
            let settled = judge.is_settled() && !floor.history.borrow().is_waited_for();
            (Instant::now(), settled, judge.counts().frames)
        };
        if frames != seen {
            drained.last = floor.at(now);
        }
        // Whoever is away may be about to come back, however long a pause it makes.
        if frames != seen || floor.returns.borrow().is_waited_for() {
            (seen, last) = (frames, now);
        }
        let quiet = if settled { TAIL.min(drain.quiet) } else { drain.quiet };
        if now - last >= quiet {
            return drained;
        }
        if now - begun >= drain.longest {
            let since = floor.at(now).saturating_sub(drained.last);
            drained.still_coming = drained.last > 0 && u128::from(since) < quiet.as_micros();
            return drained;
        }
    }
}
