//! What is measured, and how it is judged.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::LocalSet;
use tokio::time::{sleep, sleep_until};

use crate::Failure;
use crate::driver::{Client, Listener, Speaker};

/// Messages that are on their way at once in the closed loop.
const IN_FLIGHT: usize = 8;
/// How long each measurement runs, and what runs before it.
const RUN: Duration = Duration::from_secs(5);
const WARM_UP: Duration = Duration::from_secs(1);
/// Handshakes that are open at once.
const CONNECTING: usize = 32;
/// Deliveries per second that the open loop tries, one after the other.
const RATES: [usize; 5] = [400_000, 600_000, 800_000, 1_000_000, 1_200_000];

/// What all listeners of a run share.
#[derive(Default)]
struct Tally {
    deliveries: Cell<usize>,
    /// Deliveries of each message that is on its way, from the oldest.
    wrong: Cell<usize>,
    sent_at: RefCell<Vec<Instant>>,
    /// Microseconds from the intended start to each delivery.
    latencies: RefCell<Vec<u32>>,
}

async fn room(address: &str, members: usize) -> Result<Vec<(Listener, Rc<Speaker>)>, Failure> {
    let mut clients = Vec::with_capacity(members);
    for _ in 0..members {
        let mut client = Client::connect(address).await?;
        client.join("room").await?;
        let (listener, speaker) = client.into_parts();
        clients.push((listener, Rc::new(speaker)));
    }
    Ok(clients)
}

/// Every client listens; messages must come to each one as 0, 1, 2 and so on.
/// Answers the one that speaks.
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
                if let Some(sent) = tally.sent_at.borrow().get(number) {
                    let micros = now.saturating_duration_since(*sent).as_micros();
                    tally.latencies.borrow_mut().push(u32::try_from(micros).unwrap_or(u32::MAX));
                }
            });
            let ended = ended.await;
            panic!("a client ended: {ended:?}");
        });
    }
    first
}

/// One sender, so that the order is known; `IN_FLIGHT` messages are on their way at any time.
pub(crate) async fn closed_loop(
    address: &str,
    process: u32,
    members: usize,
) -> Result<(), Failure> {
    let clients = room(address, members).await?;
    let tally = Rc::new(Tally::default());
    let local = LocalSet::new();
    let speaker = listen(&local, clients, &tally).ok_or("nobody is in the room")?;
    let run = local.run_until(async {
        let mut sent = 0;
        let mut measured: Option<(Instant, Used, usize)> = None;
        let begun = Instant::now();
        loop {
            let delivered = tally.deliveries.get();
            while sent < delivered / members + IN_FLIGHT {
                speaker.say("room", sent)?;
                sent += 1;
            }
            if measured.is_none() && begun.elapsed() > WARM_UP {
                measured = Some((Instant::now(), Used::so_far(process)?, delivered));
            }
            if let Some((since, used, before)) = &measured
                && since.elapsed() > RUN
            {
                let used = used.since(process)?;
                return Ok::<_, Failure>((since.elapsed(), used, delivered - before, sent));
            }
            tokio::task::yield_now().await;
        }
    });
    let (time, used, deliveries, sent) = run.await?;
    local.run_until(sleep(Duration::from_secs(1))).await;
    let lost = sent * members - tally.deliveries.get();
    let rate = deliveries as f64 / time.as_secs_f64();
    println!(
        "closed loop, room of {members}, {IN_FLIGHT} in flight: {rate:.0} deliveries/s, \
         {lost} lost, {} out of order, {}",
        tally.wrong.get(),
        used.per(deliveries),
    );
    Ok(())
}

/// Messages at a fixed rate, whatever the server does; latency from the intended start.
pub(crate) async fn open_loop(address: &str, process: u32, members: usize) -> Result<(), Failure> {
    for rate in RATES {
        let clients = room(address, members).await?;
        let tally = Rc::new(Tally::default());
        let local = LocalSet::new();
        let speaker = listen(&local, clients, &tally).ok_or("nobody is in the room")?;
        let used = Used::so_far(process)?;
        let per_second = rate / members;
        let count = per_second * RUN.as_secs() as usize;
        let run = local.run_until(async {
            let begun = tokio::time::Instant::now();
            for number in 0..count {
                let due = begun + Duration::from_secs_f64(number as f64 / per_second as f64);
                if due > tokio::time::Instant::now() {
                    sleep_until(due).await;
                } else {
                    tokio::task::yield_now().await;
                }
                tally.sent_at.borrow_mut().push(due.into_std());
                speaker.say("room", number)?;
            }
            Ok::<_, Failure>(())
        });
        run.await?;
        local.run_until(sleep(Duration::from_secs(1))).await;
        let used = used.since(process)?;
        let mut latencies = tally.latencies.borrow_mut();
        latencies.sort_unstable();
        let quantile = |q: f64| {
            let at = ((latencies.len() as f64 * q) as usize).min(latencies.len().saturating_sub(1));
            f64::from(latencies.get(at).copied().unwrap_or_default()) / 1_000.0
        };
        println!(
            "open loop, {rate} deliveries/s: p50 {:.1} ms, p99 {:.1} ms, {} lost, {} out of order, {}",
            quantile(0.5),
            quantile(0.99),
            count * members - tally.deliveries.get(),
            tally.wrong.get(),
            used.per(tally.deliveries.get()),
        );
    }
    Ok(())
}

/// Seconds of processor time: the server's, and the driver's, which tells who was the limit.
struct Used {
    server: f64,
    driver: f64,
}

impl Used {
    fn so_far(server: u32) -> Result<Self, Failure> {
        Ok(Self { server: processor(server)?, driver: processor(std::process::id())? })
    }

    fn since(&self, server: u32) -> Result<Self, Failure> {
        let now = Self::so_far(server)?;
        Ok(Self { server: now.server - self.server, driver: now.driver - self.driver })
    }

    fn per(&self, deliveries: usize) -> String {
        let each = |seconds: f64| seconds * 1e6 / deliveries as f64;
        let (server, driver) = (each(self.server), each(self.driver));
        format!("processor time each: server {server:.2} us, driver {driver:.2} us")
    }
}

/// Seconds of processor time that a process has used: what counts on a machine that is shared.
fn processor(process: u32) -> Result<f64, Failure> {
    /// Clock ticks per second, the same on every Linux.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let after_name = stat.rsplit_once(") ").ok_or("no stat")?.1;
    let fields: Vec<&str> = after_name.split(' ').collect();
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / TICKS)
}

/// Resident memory of a process in bytes.
pub(crate) fn resident(process: u32) -> Result<usize, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    let kib = line.split_whitespace().nth(1).ok_or("no number")?;
    Ok(kib.parse::<usize>()? * 1024)
}

/// Sockets in a room that nobody speaks in.
pub(crate) async fn idle(address: &str, process: u32, sockets: usize) -> Result<(), Failure> {
    let mut clients = Vec::new();
    // What the first sockets cost once and for all is not a socket's memory.
    for _ in 0..100 {
        clients.push(Client::connect(address).await?);
    }
    sleep(Duration::from_millis(500)).await;
    let before = resident(process)?;
    for number in 0..sockets {
        let mut client = Client::connect(address).await?;
        client.join(&format!("room{}", number / 4)).await?;
        client.rest();
        clients.push(client);
    }
    sleep(Duration::from_secs(2)).await;
    let each = (resident(process)?.saturating_sub(before)) / sockets;
    println!("idle: {each} bytes of server memory per socket, {sockets} sockets in rooms of 4");
    Ok(())
}

/// Connections up to CONNECT's answer, closed at once.
pub(crate) async fn connects(address: &str, process: u32, sockets: usize) -> Result<(), Failure> {
    let local = LocalSet::new();
    let (begun, used) = (Instant::now(), processor(process)?);
    for _ in 0..CONNECTING {
        let address = address.to_owned();
        local.spawn_local(async move {
            for _ in 0..sockets / CONNECTING {
                if let Err(error) = Client::connect(&address).await {
                    panic!("cannot connect: {error}");
                }
            }
        });
    }
    local.await;
    let sockets = (sockets / CONNECTING * CONNECTING) as f64;
    let rate = sockets / begun.elapsed().as_secs_f64();
    let each = (processor(process)? - used) * 1e6 / sockets;
    println!(
        "connect: {rate:.0} per second with CONNECT, {each:.0} us of the server's processor each"
    );
    Ok(())
}
