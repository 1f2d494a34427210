//! What the load generator itself costs, the server pinned to one core and the generator to the
//! other: `cargo bench -p trialogue-loadtest --bench drive -- [blast|receive|slip|sockets|all]`
//!
//! `blast`: the most that one core receives, measures and judges, from the leanest server there is;
//! with one message of each of 500 members per read, and with several. `receive`: the same in front
//! of a Socket.IO server, which is what limits it; per second of the generator's own processor time.
//! `slip`: how late it attempts 10,000 sends a second. `sockets`: its memory per socket.

#![expect(clippy::print_stdout, reason = "a benchmark says what it measured")]

mod blaster;
#[path = "../../../lib/socketio/examples/chat/mod.rs"]
mod chat;

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::thread::{CpuSet, sched_setaffinity};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;
use trialogue_client::{Dialect, Http, HttpConfig};
use trialogue_loadtest::cast::Room;
use trialogue_loadtest::plan::{Arrivals, BackOff, Crowd, Pace, Plan, Ramp, Sizes, Unrest};
use trialogue_loadtest::result::Document;
use trialogue_loadtest::target::Target;
use trialogue_loadtest::{Progress, RunConfig, run_in};

type Failure = Box<dyn Error>;

/// Sockets of a test machine whose limit is 20,000 handles.
const SOCKETS: u32 = 15_000;
/// How the kernel counts processor time (USER_HZ, the same on every Linux).
const TICKS: u64 = 100;

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if words.first().is_some_and(|word| word == "serve") {
        return serve(words.get(1).is_some_and(|kind| kind == "blaster"));
    }
    let all = words.is_empty() || words.iter().any(|word| word == "all");
    let wants = |name: &str| all || words.iter().any(|word| word == name);
    pin(0);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    if wants("blast") {
        for window in [1, 8, 32] {
            runtime.block_on(blast(window))?;
        }
    }
    if wants("receive") {
        runtime.block_on(receive())?;
    }
    if wants("slip") {
        runtime.block_on(slip())?;
    }
    if wants("sockets") {
        runtime.block_on(sockets())?;
    }
    Ok(())
}

fn plan(rooms: u32, members: u32, pace: Pace) -> Plan {
    Plan {
        seed: 1,
        rooms,
        members,
        senders: 1,
        pace,
        sizes: Sizes::of(100),
        workers: 1,
        unrest: Unrest::Calm,
        back_off: BackOff::Real,
        crowd: Crowd::default(),
    }
}

async fn drive(
    server: &Server,
    plan: &Plan,
    mut seen: impl FnMut(&Progress) + Send,
) -> Result<Document, Failure> {
    let http = Http::new(HttpConfig::new(format!("http://{}", server.address).parse()?))?;
    let config = RunConfig::new(Target::new(http, Dialect::Trialogue), "bench");
    let room = |_| Room { chat: uuid::Uuid::new_v4().to_string(), tokens: vec!["t".into()] };
    let rooms = (0..plan.rooms).map(room).collect();
    Ok(run_in(plan, &config, rooms, &CancellationToken::new(), &mut seen).await?)
}

/// One room of 500 in front of the leanest server, so many messages under way.
async fn blast(window: u32) -> Result<(), Failure> {
    let server = Server::start("blaster")?;
    let pace = Pace::Closed { window, warm_up: 1_000_000, length: 5_000_000 };
    let before = server.cpu();
    let told = drive(&server, &plan(1, 500, pace), |_| {}).await?;
    let seconds = told.took as f64 / 1e6;
    println!(
        "blast: {:.0} deliveries/s into 500 sockets, {window} under way, at {:.0} % of a core (the \
         server at {:.0} %): {:.0} per second of processor time; {} wrong, reach {}",
        told.delivery_rate,
        told.rig.cpu * 100.0,
        (server.cpu() - before) / seconds * 100.0,
        told.delivery_rate / told.rig.cpu,
        told.faults.iter().map(|one| one.count).sum::<u64>(),
        told.reach,
    );
    Ok(())
}

async fn receive() -> Result<(), Failure> {
    let server = Server::start("chat")?;
    let pace = Pace::Closed { window: 8, warm_up: 1_000_000, length: 8_000_000 };
    let told = drive(&server, &plan(1, 500, pace), |_| {}).await?;
    println!(
        "receive: {:.0} deliveries/s into 500 sockets at {:.0} % of a core: {:.0} per second of \
         processor time; {} wrong, reach {}",
        told.delivery_rate,
        told.rig.cpu * 100.0,
        told.delivery_rate / told.rig.cpu,
        told.faults.iter().map(|one| one.count).sum::<u64>(),
        told.reach,
    );
    Ok(())
}

async fn slip() -> Result<(), Failure> {
    let server = Server::start("chat")?;
    let stages =
        Ramp::Const.stages((10_000.0, 10_000.0), Duration::from_secs(8), Duration::from_secs(1));
    let pace = Pace::Open { stages, arrivals: Arrivals::Uniform };
    let told = drive(&server, &plan(200, 2, pace), |_| {}).await?;
    println!(
        "slip: p99 {} us at {:.0} sends/s, {:.0} % of a core, reach {}",
        told.rig.slip_p99,
        told.rate,
        told.rig.cpu * 100.0,
        told.reach,
    );
    Ok(())
}

async fn sockets() -> Result<(), Failure> {
    let server = Server::start("chat")?;
    let stages = Ramp::Const.stages((100.0, 100.0), Duration::from_secs(5), Duration::ZERO);
    let pace = Pace::Open { stages, arrivals: Arrivals::Uniform };
    let (mut before, mut after) = (0, 0);
    let told = drive(&server, &plan(SOCKETS / 3, 3, pace), |progress| match progress {
        // What the first sockets cost once and for all is not a socket's memory.
        Progress::Sockets(joined, _) if before == 0 => before = resident() - joined * 4_096,
        Progress::Second(_) => after = resident(),
        _ => {}
    })
    .await?;
    let each = after.saturating_sub(before) / u64::from(SOCKETS);
    println!("sockets: {each} bytes each, {SOCKETS} in one process, reach {}", told.reach);
    Ok(())
}

/// Resident memory of this process in bytes; 0 where it cannot be told.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or_default() << 10
}

/// Gives this process one core, when there is that one.
fn pin(core: usize) {
    let mut set = CpuSet::new();
    set.set(core);
    if let Err(error) = sched_setaffinity(None, &set) {
        println!("not pinned to core {core}: {error}");
    }
}

/// The server's side, in a process of its own.
fn serve(is_blaster: bool) -> Result<(), Failure> {
    pin(1);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        match is_blaster {
            true => blaster::serve(listener).await,
            false => chat::serve(listener, chat::lifted()).await,
        }
        Ok(())
    })
}

/// A server that ends with us.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(kind: &str) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut process = command.args(["serve", kind]).stdout(Stdio::piped()).spawn()?;
        let output = process.stdout.take().ok_or("no output")?;
        let mut address = String::new();
        BufReader::new(output).read_line(&mut address)?;
        Ok(Self { process, address: address.trim().to_owned() })
    }

    /// Seconds of processor time that it has had; 0 where it cannot be told.
    fn cpu(&self) -> f64 {
        let path = format!("/proc/{}/stat", self.process.id());
        let line = std::fs::read_to_string(path).unwrap_or_default();
        let ticks = line.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks: u64 = ticks.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        ticks as f64 / TICKS as f64
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}
