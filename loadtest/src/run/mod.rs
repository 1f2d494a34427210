//! One run from the first account to the last verdict.

mod hear;
mod storm;
mod sum;

use std::ops::Range;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use trialogue_checker::Micros;
use trialogue_socketio::client::WireOpener;

use crate::cast::{self, CastError, Room};
use crate::live::Steered;
use crate::plan::{Plan, PlanError, Unrest};
use crate::preflight;
use crate::remote::{Far, Job, Reins, lead};
use crate::result::Document;
use crate::rig;
use crate::slo::Slo;
use crate::stamp::Stamps;
use crate::target::{CONNECT_WITHIN, Target};
use crate::verdict::Rules;
use crate::worker::{self, Drain, Orders, Told};
use hear::{connect, hear};
use sum::Sum;

pub use storm::Outage;
pub(crate) use sum::shown;

/// Between everybody being in a room and the first send: all workers have heard of it by then.
const LEAD: Duration = Duration::from_millis(50);
/// The same for workers that are far: on their way is a slow network.
const LEAD_FAR: Duration = Duration::from_millis(500);
/// What workers have told and nobody has taken; they wait, or tell with the next.
pub(crate) const TOLD_MAX: usize = 64;
/// Later than this after its acknowledgement is late (CONTRACT §3.4).
const LATE_MAX: Micros = trialogue_checker::LATE_MAX_DEFAULT;

/// How a run is made, besides its plan.
#[derive(Debug, Clone)]
pub struct RunConfig {
    /// The server.
    pub target: Target,
    /// Objectives.
    pub slos: Vec<Slo>,
    /// Expressions that end the run as soon as one of them holds: it has failed then.
    pub aborts: Vec<Slo>,
    /// When nothing comes any more.
    pub drain: Drain,
    /// How long each step of a socket into its room may take.
    pub join_within: Duration,
    /// Nobody else speaks in the rooms.
    pub only_ours: bool,
    /// Who makes the document, with its version.
    pub tool: String,
    /// Who does the work instead of threads of ours; the plan has a worker for each at least.
    pub far: Vec<Far>,
    /// What somebody changes while it goes on.
    pub steered: Steered,
    /// Ends the server and starts it again, for a storm; without it connections are cut.
    pub outage: Option<Arc<dyn Outage>>,
}

impl RunConfig {
    /// Against this server, without objectives.
    pub fn new(target: Target, tool: impl Into<String>) -> Self {
        let (slos, drain, tool) = (Vec::new(), Drain::default(), tool.into());
        let (far, steered) = (Vec::new(), Steered::default());
        let (aborts, outage, only_ours) = (Vec::new(), None, true);
        let join_within = CONNECT_WITHIN;
        Self { target, slos, aborts, drain, join_within, only_ours, tool, far, steered, outage }
    }
}

/// What an onlooker is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// So many of so many rooms are made.
    Rooms(usize, usize),
    /// So many of so many sockets are in their rooms.
    Sockets(u64, u64),
    /// The run goes on.
    Second(Box<Second>),
    /// A scenario as load goes on.
    Iterations {
        /// Since the begin, and as planned.
        elapsed: Duration,
        /// See `elapsed`.
        length: Duration,
        /// What became of them.
        iterations: crate::result::Iterations,
        /// Those that are being told.
        playing: u64,
    },
    /// Everything was sent; what is under way is waited for.
    Draining,
    /// What there is so far, because somebody has asked for it.
    SoFar(Box<Document>),
}

/// A run so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Second {
    /// Since the begin, and as planned.
    pub elapsed: Duration,
    /// See `elapsed`.
    pub length: Duration,
    /// How much happened.
    pub counts: crate::verdict::Counts,
    /// Its last window.
    pub window: crate::result::Window,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The plan makes no sense.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// There is nobody to speak.
    #[error(transparent)]
    Cast(#[from] CastError),
    /// The server does not let us.
    #[error("{0}")]
    CannotRun(String),
    /// This machine does not let us.
    #[error("{0}")]
    NoRoom(String),
    /// It was stopped before the first send.
    #[error("stopped before anything was sent")]
    Stopped,
}

/// Runs a plan: makes accounts and rooms, connects, sends, waits, judges. After `stop` nothing more
/// is sent, and what happened is judged.
///
/// # Errors
/// [`RunError`]: there is no result at all.
pub async fn run(
    plan: &Plan,
    config: &RunConfig,
    stop: &CancellationToken,
    observer: &mut (dyn FnMut(&Progress) + Send),
) -> Result<Document, RunError> {
    plan.check()?;
    can_hold(plan.connections(), config.target.bind.len())?;
    let all = plan.rooms as usize;
    let made = cast::make(&config.target, plan, |made| observer(&Progress::Rooms(made, all)));
    let made = stop.run_until_cancelled(made).await.ok_or(RunError::Stopped)??;
    let mut kept = JoinSet::new();
    kept.spawn(made.renewal.keep());
    run_in(plan, config, made.rooms, stop, observer).await
}

/// The same in rooms that are there.
///
/// # Errors
/// See [`run`].
pub async fn run_in(
    plan: &Plan,
    config: &RunConfig,
    rooms: Vec<Room>,
    stop: &CancellationToken,
    observer: &mut (dyn FnMut(&Progress) + Send),
) -> Result<Document, RunError> {
    plan.check()?;
    fits(plan, config)?;
    let stamps = Stamps::new();
    let (begin, _) = watch::channel(None);
    let (storm, _) = watch::channel(None);
    let (told, mut hears) = mpsc::channel(TOLD_MAX);
    // Ends the threads whatever becomes of this future, and the workers that are far.
    let end = CancellationToken::new();
    let _ended = end.clone().drop_guard();
    // An expression may end it, too.
    let halt = stop.child_token();
    let wires = Wires { stamps: &stamps, begin: &begin, storm: &storm, halt: &halt, end: &end };
    let mut far = JoinSet::new();
    let threads = match config.far.is_empty() {
        true => {
            can_hold(plan.connections(), config.target.bind.len())?;
            start(plan, config, 0..plan.workers, rooms, &wires, &told)?
        }
        false => {
            let given = give(plan, config, rooms, &wires, &told, &mut far);
            stop.run_until_cancelled(given).await.ok_or(RunError::Stopped)??;
            Vec::new()
        }
    };
    drop(told);
    let opening = Instant::now();
    let connected = connect(plan, &mut hears, observer);
    stop.run_until_cancelled(connected).await.ok_or(RunError::Stopped)??;
    let joining = Micros::try_from(opening.elapsed().as_micros()).unwrap_or(Micros::MAX);
    let started = SystemTime::now();
    let lead = if config.far.is_empty() { LEAD } else { LEAD_FAR };
    let first = Instant::now() + lead;
    begin.send_replace(Some(first));
    let mut sum = Sum::new(plan, joining);
    let so_far = |sum: &Sum| sum.clone().so_far(config, stamps.run(), started);
    let mut steered = config.steered.clone();
    let mut seen = |progress: &Progress, sum: &mut Sum| {
        observer(progress);
        if steered.is_asked() {
            observer(&Progress::SoFar(Box::new(so_far(sum))));
        }
        if matches!(progress, Progress::Second(_)) && sum.aborts(&config.aborts) {
            halt.cancel();
        }
    };
    let heard = hear(plan.workers, &mut hears, &mut sum, &mut seen);
    let blown = storm::blow(plan, outage_of(plan, config), first, &storm, &halt);
    let (heard, blown) = tokio::join!(heard, blown);
    heard?;
    if let Err(why) = blown {
        sum.outage_failed(why);
    }
    for thread in threads {
        // It has said that it is done: this is short.
        let _ended = tokio::task::spawn_blocking(move || thread.join()).await;
    }
    Ok(sum.document(config, stamps.run(), started))
}

/// Whether this machine can hold so many sockets from so many addresses (0: its usual one); what it permits and does not give is taken.
///
/// # Errors
/// It cannot: with what to do.
pub fn can_hold(sockets: u64, addresses: usize) -> Result<(), RunError> {
    let held = preflight::refuse(sockets, addresses as u64).and_then(|()| rig::make_room(sockets));
    held.map_err(RunError::NoRoom)
}

/// What all workers have in common.
pub(crate) struct Wires<'a> {
    pub(crate) stamps: &'a Stamps,
    pub(crate) begin: &'a watch::Sender<Option<Instant>>,
    /// The moment at which the server was ended.
    pub(crate) storm: &'a watch::Sender<Option<Instant>>,
    pub(crate) halt: &'a CancellationToken,
    pub(crate) end: &'a CancellationToken,
}

/// Who takes the server away.
fn outage_of<'a>(plan: &Plan, config: &'a RunConfig) -> Option<&'a dyn Outage> {
    let is_storm = matches!(plan.unrest, Unrest::Storm { .. });
    config.outage.as_deref().filter(|_| is_storm)
}

/// What the target must have for a plan.
fn fits(plan: &Plan, config: &RunConfig) -> Result<(), RunError> {
    let (dialect, can) = (config.target.dialect, config.target.capabilities);
    let refuse = |why: String| Err(RunError::CannotRun(why));
    match plan.unrest {
        Unrest::History { .. } if !can.pages => {
            refuse(format!("{dialect} has no pages of history"))
        }
        Unrest::History { .. } if !config.only_ours => {
            refuse("history is read in rooms that nobody else has, not in given ones".to_owned())
        }
        Unrest::Storm { .. } if config.outage.is_some() && !config.far.is_empty() => refuse(
            "workers elsewhere are not told when a server is ended: they cut connections, \
                    without --end-with"
                .to_owned(),
        ),
        Unrest::Apart if !can.acks => refuse(format!("{dialect} acknowledges nothing")),
        _ => Ok(()),
    }
}

/// Starts the threads of these workers of a plan, with their rooms.
///
/// # Errors
/// The target cannot be, or the system has no thread for us.
pub(crate) fn start(
    plan: &Plan,
    config: &RunConfig,
    workers: Range<u32>,
    rooms: Vec<Room>,
    wires: &Wires<'_>,
    told: &mpsc::Sender<Told>,
) -> Result<Vec<JoinHandle<()>>, RunError> {
    let can = config.target.capabilities;
    let rules = Rules {
        acks: can.acks,
        own_echo: can.own_echo,
        only_ours: config.only_ours,
        late_max: LATE_MAX,
    };
    let opener = WireOpener::new(&config.target.socket_config());
    let opener = opener.map_err(|error| RunError::CannotRun(error.to_string()))?;
    let shared = Arc::new(plan.clone());
    let sizes = plan.room_sizes();
    let is_outage = outage_of(plan, config).is_some();
    let mut rooms = rooms.into_iter();
    let mut threads = Vec::new();
    for number in workers {
        let orders = Orders {
            number,
            plan: shared.clone(),
            rooms: rooms.by_ref().take(plan.rooms_of(number).len()).collect(),
            sizes: plan.rooms_of(number).map(|room| sizes[room as usize]).collect(),
            target: config.target.clone(),
            storm: is_outage.then(|| wires.storm.subscribe()),
            rules,
            opener: opener.clone(),
            stamps: wires.stamps.clone(),
            tokens: config.target.tokens.clone(),
            drain: config.drain,
            join_within: config.join_within,
            steered: config.steered.clone(),
            begin: wires.begin.subscribe(),
            stop: wires.halt.clone(),
            end: wires.end.clone(),
            told: told.clone(),
        };
        let thread = worker::start(orders);
        threads.push(thread.map_err(|error| RunError::NoRoom(format!("no thread: {error}")))?);
    }
    Ok(threads)
}

/// Gives every worker that is far its segment of the plan, and the rooms of it: a room is never
/// shared out.
async fn give(
    plan: &Plan,
    config: &RunConfig,
    rooms: Vec<Room>,
    wires: &Wires<'_>,
    told: &mpsc::Sender<Told>,
    far: &mut JoinSet<()>,
) -> Result<(), RunError> {
    let reached = futures_util::future::try_join_all(config.far.iter().map(Far::reach)).await;
    let links = reached.map_err(|error| RunError::CannotRun(error.to_string()))?;
    let all = u32::try_from(links.len()).unwrap_or(u32::MAX);
    let mut rooms = rooms.into_iter();
    for (link, number) in links.into_iter().zip(0..) {
        let cut = |n: u32| plan.workers * n / all;
        let workers = cut(number)..cut(number + 1);
        let count: usize = workers.clone().map(|worker| plan.rooms_of(worker).len()).sum();
        let capabilities = config.target.capabilities.table();
        let job = Job {
            plan: plan.clone(),
            workers,
            rooms: Job::pack(rooms.by_ref().take(count)),
            url: config.target.url().clone(),
            plain_http: matches!(config.target.url().scheme(), "http" | "ws"),
            dialect: config.target.dialect,
            capabilities: capabilities.map(|(name, can)| (name.to_owned(), can)).collect(),
            only_ours: config.only_ours,
            drain: config.drain,
            run: wires.stamps.run().to_owned(),
        };
        let (begin, end) = (wires.begin.subscribe(), wires.end.clone());
        let reins = Reins { begin, stop: wires.halt.clone(), end };
        far.spawn(lead(link, job, reins, told.clone()));
    }
    Ok(())
}
