//! What the load generator itself costs, the server pinned to one core and the generator to the
//! other: `cargo bench -p trialogue-loadtest --bench drive -- [receive|sockets|slip|all]`
//!
//! `receive`: one room of 500, closed loop; deliveries that are received, measured and judged per
//! second of the generator's own processor time. `sockets`: its memory per socket. `slip`: how late
//! it attempts 10,000 sends a second.

#![expect(clippy::print_stdout, reason = "a benchmark says what it measured")]

#[path = "../../lib/socketio/examples/chat/mod.rs"]
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
use trialogue_loadtest::plan::{Arrivals, Pace, Plan, Ramp, Sizes};
use trialogue_loadtest::result::Document;
use trialogue_loadtest::target::Target;
use trialogue_loadtest::{Progress, RunConfig, run_in};

type Failure = Box<dyn Error>;

/// Sockets of a test machine whose limit is 20,000 handles.
const SOCKETS: u32 = 15_000;

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if words.first().is_some_and(|word| word == "serve") {
        return serve();
    }
    let all = words.is_empty() || words.iter().any(|word| word == "all");
    let wants = |name: &str| all || words.iter().any(|word| word == name);
    pin(0);
    let runtime = Builder::new_current_thread().enable_all().build()?;
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
    Plan { seed: 1, rooms, members, senders: 1, pace, sizes: Sizes::of(100), workers: 1 }
}

async fn drive(
    server: &Server,
    plan: &Plan,
    mut seen: impl FnMut(&Progress) + Send,
) -> Result<Document, Failure> {
    let http = Http::new(HttpConfig::new(format!("http://{}", server.address).parse()?))?;
    let config = RunConfig::new(Target { http, dialect: Dialect::Trialogue }, "bench");
    let room = |_| Room { chat: uuid::Uuid::new_v4().to_string(), tokens: vec!["t".into()] };
    let rooms = (0..plan.rooms).map(room).collect();
    Ok(run_in(plan, &config, rooms, &CancellationToken::new(), &mut seen).await?)
}

async fn receive() -> Result<(), Failure> {
    let server = Server::start()?;
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
    let server = Server::start()?;
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
    let server = Server::start()?;
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
fn serve() -> Result<(), Failure> {
    pin(1);
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        chat::serve(listener, chat::lifted()).await;
        Ok(())
    })
}

/// A server that ends with us.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start() -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut process = command.arg("serve").stdout(Stdio::piped()).spawn()?;
        let output = process.stdout.take().ok_or("no output")?;
        let mut address = String::new();
        BufReader::new(output).read_line(&mut address)?;
        Ok(Self { process, address: address.trim().to_owned() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}
